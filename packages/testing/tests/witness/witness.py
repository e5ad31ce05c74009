"""What 0.2.0 has left behind, loaded into a database, and the application of today on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import witness_app
from pytest_websession.clock import ManualClock
from sqlalchemy import create_engine, text
from workers import Application, Browser

if TYPE_CHECKING:
    from collections.abc import Mapping

DUMPS = Path(__file__).with_name("dumps")


class Witness:
    """One engine's witness, in a database.

    Args:
        engine: The engine's name.
        url: An empty database of that engine.
        settings: What the application is told otherwise than 0.2.0 was.

    Attributes:
        clock: What time it is, at first when the witness is to be looked at.
        settings: The settings of the application.
        sessions: What there is to know of each cookie, by its name.
    """

    def __init__(self, engine: str, url: str, settings: Mapping[str, str]) -> None:
        about = json.loads((DUMPS / f"{engine}.json").read_text("utf-8"))
        self.clock = ManualClock(about["clock"])
        here = {"sqlalchemy.url": url, "witness.clock": str(about["clock"])}
        self.settings = {**about["settings"], **here, **settings}
        self.sessions: dict[str, dict[str, Any]] = about["sessions"]
        self.engine = create_engine(url)
        dump = (DUMPS / f"{engine}.sql").read_text("utf-8")
        with self.engine.begin() as connection:
            # As it is: a percent sign is no parameter.
            as_it_is = connection.execution_options(no_parameters=True)
            for statement in dump.split(";\n"):
                if statement.strip():
                    as_it_is.exec_driver_sql(statement)
        self._server = self.application()

    def application(self, **settings: str) -> Application:
        """Return the application, with some settings otherwise."""
        return Application(witness_app.main({}, **{**self.settings, **settings}))

    @property
    def living(self) -> list[str]:
        """The names of the cookies that open a session."""
        return [name for name, session in self.sessions.items() if session["shows"]["id"] is not None]

    def browser(self, name: str, server: Application | None = None) -> Browser:
        """Return a browser that has this cookie and no other."""
        session = self.sessions[name]
        return Browser(server or self._server, self.clock, {session["session"]: session["cookie"]})

    def stranger(self) -> Browser:
        """Return a browser without cookies."""
        return Browser(self._server, self.clock)

    def path(self, name: str, what: str) -> str:
        """Return where to ask for something of a session."""
        return f"/{self.sessions[name]['session']}/{what}"

    def rows(self, table: str) -> dict[str, Any]:
        """Return what is in a table, by the identifier."""
        with self.engine.connect() as connection:
            rows = connection.execute(text(f"SELECT * FROM {table}")).mappings().all()
        return {_hex(row["id"]): dict(row) for row in rows}

    def close(self) -> None:
        """Give all connections back."""
        for engine in (self.engine, *witness_app.engines):
            engine.dispose()
        witness_app.engines.clear()


def _hex(value: Any) -> str:
    return value.hex if hasattr(value, "int") else bytes(value).hex()
