"""Make the witness: what 0.2.0 has stored, and what it says of it, in `dumps/`.

``hatch run witness:make`` installs 0.2.0 from its commit, has it serve browsers on each engine, and writes
down what is in the tables afterwards (``<engine>.sql``), and the browsers' cookies, the tokens of forms that
are still open, the keys, the time, and what 0.2.0 then shows for each cookie (``<engine>.json``). All times
are chosen; keys, identifiers and tokens are random, and used for nothing else.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_websession.clock import ManualClock
from pytest_websession.servers import MariaDBServer, PostgreSQLServer
from sqlalchemy import bindparam, create_engine, inspect, text

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[4] / "tools"))

from kinds import EVERY_KIND
from pyramid_sqlalchemy_sessions import generate_secret_key
from websession_models import SessionId
from witness_app import SETTINGS
from workers import COMMIT, Browser, Worker, install_0_2_0

if TYPE_CHECKING:
    from collections.abc import Iterator

DUMPS = Path(__file__).with_name("dumps")
CLOCK = 1_800_000_000
"""When the witness is looked at."""

MINUTE, HOUR, DAY = 60, 3600, 86400

CART = {"cart": ["apples", "pears"], "since": 1}


class Making:
    """The making of one engine's witness.

    Args:
        python: A Python that has 0.2.0.
        url: An empty database.
        scratch: A folder to work in.
    """

    def __init__(self, python: Path, url: str, scratch: Path) -> None:
        self._python = python
        self._url = url
        self._log = scratch / "log.txt"
        self._worker: Worker
        self.clock = ManualClock(CLOCK)
        self.sessions: dict[str, dict[str, Any]] = {}
        old, new, old_data, new_data = (generate_secret_key() for _ in range(4))
        own = {f"{name}.secret_key": generate_secret_key() for name in ("visit", "staff")}
        self._settings = {**SETTINGS, **own, "session.secret_key": f"{new} {old}"}
        self._settings["session.data_secret_key"] = f"{new_data} {old_data}"
        self._older_keys = {"session.secret_key": old, "session.data_secret_key": old_data}

    # -- what the stories are made of ----------------------------------------------------------------------

    def at(self, seconds: int) -> None:
        """Set the clock to so many seconds before the witness is looked at."""
        self.clock.now = CLOCK - seconds

    def browser(self) -> Browser:
        """Return a browser without cookies."""
        return Browser(self._worker, self.clock)

    def customer(self, userid: int, seconds: int, **wishes: int) -> Browser:
        """Return a browser that has logged in, so many seconds before the end, and looked at a page since."""
        browser = self.browser()
        self.at(seconds)
        browser.post("/session/put", {"of": f"user {userid}"})
        browser.post("/session/login", {"userid": userid, "settings": wishes or None})
        self.at(seconds - 10)
        browser.get("/session/look")
        return browser

    def keep(self, name: str, browser: Browser, web: str = "session", **further: Any) -> None:
        """Put the cookie that a browser has now into the witness.

        Args:
            name: What it is called.
            browser: Whose it is.
            web: Which session it is of.
            further: What else to note down: the `token` of an open form, the `id` of an ended session.
        """
        self.sessions[name] = {"session": web, "cookie": browser.cookies[web], "id": None, **further}

    def forget_activity(self, session_id: str) -> None:
        """Leave of a session what there would be if its model had got the timeouts since it began."""
        statement = text("DELETE FROM session_activity WHERE id = :id")
        engine = create_engine(self._url)
        with engine.begin() as connection:
            wanted = bindparam("id", uuid.UUID(session_id), SessionId())
            assert connection.execute(statement.bindparams(wanted)).rowcount == 1
        engine.dispose()

    # -- making --------------------------------------------------------------------------------------------

    @contextmanager
    def _serving(self, **settings: str) -> Iterator[Worker]:
        all_settings = {
            **self._settings,
            "sqlalchemy.url": self._url,
            "witness.clock": str(CLOCK),
            **settings,
        }
        with Worker(self._python, all_settings, self._log) as self._worker:
            yield self._worker.started()

    def make(self) -> tuple[str, dict[str, Any]]:
        """Return the dump, and what else there is to know."""
        with self._serving(**{"witness.make_tables": True, **self._older_keys}) as worker:
            tables = worker.tables
            under_older_keys(self)
        with self._serving(**{"session.cookie_samesite": "Strict", "session.max_per_user": ""}):
            under_older_settings(self)
        with self._serving():
            anonymous(self)
            logged_in(self)
            renewed(self)
            ended(self)
            visits(self)
            staff(self)
        engine = create_engine(self._url)
        try:
            rows = list(self._rows(engine))
        finally:
            engine.dispose()
        with self._serving():
            self._look_at_all()
        names: dict[str, list[str]] = {}
        for name, session in self.sessions.items():
            names.setdefault(session["id"], []).append(name)
        dump = [f"-- The tables of 0.2.0 ({COMMIT}), with what it has stored. Made by make_witness.py.", ""]
        dump += [re.sub(r" +$", "", f"{statement};\n", flags=re.MULTILINE) for statement in tables]
        for session_id, insert in rows:
            dump += [f"-- {'; '.join(names[session_id])}", insert]
        about = {
            "made by": f"0.2.0, commit {COMMIT}; the keys were made for this and protect nothing else",
            "clock": CLOCK,
            "settings": self._settings,
            "sessions": self.sessions,
        }
        return "\n".join(dump) + "\n", about

    def _look_at_all(self) -> None:
        """Note down what 0.2.0 itself shows for each cookie, in their order."""
        self.at(0)
        for session in self.sessions.values():
            web = session["session"]
            browser = Browser(self._worker, self.clock, {web: session["cookie"]})
            answer = browser.send(f"/{web}/look")
            assert answer.status == 200, answer
            session["shows"] = answer.json
            session["id"] = session["id"] or answer.json["id"]

    def _rows(self, engine: Any) -> Iterator[tuple[str, str]]:
        """Yield every row as a statement, and the identifier of its session."""
        inspector = inspect(engine)
        for table in inspector.get_table_names():
            names = [column["name"] for column in inspector.get_columns(table)]
            # JSON as text, which psycopg would decode.
            texts = ("data", "flash") if engine.dialect.name == "postgresql" else ()
            wanted = [f"{name}::text" if name in texts else name for name in names]
            order = "created" if "created" in names else "active_at"
            with engine.connect() as connection:
                select = f"SELECT {', '.join(wanted)} FROM {table} ORDER BY {order}, id"
                for row in connection.execute(text(select)):
                    values = ", ".join(self._literal(value, engine.dialect.name) for value in row)
                    insert = f"INSERT INTO {table} ({', '.join(names)})\n    VALUES ({values});\n"
                    yield self._id(row[names.index("id")]), insert

    @staticmethod
    def _id(value: Any) -> str:
        return value.hex if isinstance(value, uuid.UUID) else bytes(value).hex()

    @staticmethod
    def _literal(value: Any, dialect: str) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, bytes):
            return f"X'{value.hex()}'"
        quoted = str(value).replace("'", "''")
        if dialect in ("mysql", "mariadb"):
            quoted = quoted.replace("\\", "\\\\")
        return f"'{quoted}'"


# --- the stories ------------------------------------------------------------------------------------------


def under_older_keys(making: Making) -> None:
    """Sessions whose cookie and data were encrypted with keys that are behind newer ones now."""
    making.at(25 * MINUTE)
    browser = making.browser()
    browser.post("/session/put", CART)
    making.keep("anonymous, under the older keys", browser)
    making.keep("logged in, under the older keys", making.customer(11, 25 * MINUTE))


def under_older_settings(making: Making) -> None:
    """Sessions whose cookie had other attributes, so that it is of another version; users had no limit."""
    making.at(24 * MINUTE)
    browser = making.browser()
    browser.post("/session/put", CART)
    making.keep("anonymous, under older settings", browser)
    making.keep("logged in, under older settings", making.customer(12, 24 * MINUTE))


def anonymous(making: Making) -> None:
    """Sessions of nobody."""
    making.at(15 * MINUTE)
    browser = making.browser()
    browser.post("/session/put", CART)
    for queue, message in [
        ("", "Three apples"),
        ("", {"n": [1]}),
        ("errors", "No pears"),
        ("größe/日本", "✓"),
    ]:
        browser.post("/session/flash", [queue, message])
    making.keep("anonymous, with a cart and messages", browser)

    browser = making.browser()
    token = browser.get("/session/form")
    making.keep("anonymous, before an open form", browser, token=token)

    browser = making.browser()
    browser.post("/session/put", EVERY_KIND)
    making.keep("anonymous, with every kind of data", browser)


def logged_in(making: Making) -> None:
    """Sessions of somebody."""
    browser = making.browser()
    making.at(20 * MINUTE)
    browser.post("/session/put", CART)
    making.keep("the cookie from before a login", browser, id=browser.get("/session/look")["id"])
    making.at(19 * MINUTE)
    browser.post("/session/login", {"userid": 13})

    browser = making.customer(1, 15 * MINUTE)
    browser.post("/session/put", EVERY_KIND)
    making.keep("logged in, before an open form", browser, token=browser.get("/session/form"))

    browser = making.customer(14, 14 * MINUTE)
    session_id = browser.get("/session/look")["id"]
    making.forget_activity(session_id)
    making.keep("logged in, before there were timeouts", browser)

    browser = making.browser()
    making.at(10)
    browser.post("/session/put", CART)
    browser.post("/session/login", {"userid": 2})
    making.keep("logged in a moment ago", browser)

    browser = making.customer(3, 40 * MINUTE)
    browser.post("/session/put", CART)
    making.at(20 * MINUTE)
    browser.get("/session/look")
    making.at(5 * MINUTE)
    browser.post("/session/login", {"userid": 3})
    making.at(5 * MINUTE - 5)
    browser.get("/session/look")
    making.keep("logged in again", browser)

    wishes = {
        "cookie_max_age": 30 * DAY,
        "idle_timeout": 14 * DAY,
        "absolute_timeout": 30 * DAY,
        "renewal_timeout": 6 * HOUR,
        "extension_delay": HOUR,
    }
    browser = making.customer(4, 6 * DAY, **wishes)
    making.at(5 * DAY)
    browser.get("/session/look")
    browser.get("/session/look")
    making.keep("remembered", browser)

    making.keep("limited, one of two", making.customer(7, 9 * MINUTE))
    making.keep("limited, the other", making.customer(7, 8 * MINUTE))


def renewed(making: Making) -> None:
    """Sessions whose cookie is about to change, and has just changed."""
    browser = making.customer(5, 15 * MINUTE)
    making.keep("in renewal, the cookie before", browser)
    making.at(30)
    browser.get("/session/look")
    making.keep("in renewal, the candidate", browser)

    browser = making.customer(6, 15 * MINUTE)
    making.at(2 * MINUTE)
    making.keep("renewed, the cookie before", browser)
    browser.get("/session/look")
    making.at(20)
    browser.get("/session/look")
    making.keep("renewed, the cookie since", browser)


def ended(making: Making) -> None:
    """Sessions that are over."""
    browser = making.customer(8, 40 * MINUTE)
    making.keep("expired, unused", browser, id=browser.get("/session/look")["id"])

    start = 12 * HOUR + 2 * MINUTE
    browser = making.customer(9, start)
    session_id = browser.get("/session/look")["id"]
    for seconds in range(start, 2 * MINUTE, -20 * MINUTE):
        making.at(seconds - 30)
        browser.get("/session/look")
    making.keep("expired, old", browser, id=session_id)

    browser = making.customer(10, 10 * MINUTE)
    making.keep("logged out", browser)
    making.at(9 * MINUTE)
    browser.post("/session/logout")


def visits(making: Making) -> None:
    """Sessions without users, timeouts and renewal; the token of a form is in the data."""
    making.at(3 * DAY)
    browser = making.browser()
    browser.post("/visit/put", CART)
    browser.post("/visit/flash", ["errors", "No pears"])
    making.keep("visit, before an open form", browser, "visit", token=browser.get("/visit/form"))

    browser = making.browser()
    browser.post("/visit/put", EVERY_KIND)
    making.keep("visit, with every kind of data", browser, "visit")

    browser = making.browser()
    browser.post("/visit/put", CART)
    making.keep("visit, ended", browser, "visit")
    browser.post("/visit/logout")


def staff(making: Making) -> None:
    """Sessions of users that are called by text, without anything else."""
    making.at(2 * DAY)
    browser = making.browser()
    browser.post("/staff/put", CART)
    making.keep("staff, anonymous", browser, "staff")

    browser = making.browser()
    browser.post("/staff/put", {"of": "anna"})
    browser.post("/staff/login", {"userid": "anna"})
    making.keep("staff, logged in", browser, "staff")

    browser = making.browser()
    browser.post("/staff/login", {"userid": "jürgen"})
    making.at(DAY)
    browser.post("/staff/login", {"userid": "jürgen"})
    browser.post("/staff/put", EVERY_KIND)
    making.keep(
        "staff, logged in again, before an open form", browser, "staff", token=browser.get("/staff/form")
    )


# --- the command ------------------------------------------------------------------------------------------


@contextmanager
def _database(engine: str, scratch: Path) -> Iterator[str]:
    if engine == "sqlite":
        yield f"sqlite:///{scratch / 'witness.sqlite'}"
        return
    with {"postgresql": PostgreSQLServer, "mariadb": MariaDBServer}[engine]() as server:
        yield server.create_database()


def _written(about: dict[str, Any]) -> str:
    """Return JSON with a line for each thing that there is to know of a session."""

    def lines(value: Any, depth: int) -> str:
        if depth == 0 or not isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False)
        inner = [
            f"{json.dumps(key, ensure_ascii=False)}: {lines(item, depth - 1)}" for key, item in value.items()
        ]
        space = "  " * (4 - depth)
        return "{\n" + ",\n".join(f"{space}{line}" for line in inner) + f"\n{space[2:]}}}"

    return lines(about, 3) + "\n"


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(prog="hatch run witness:make")
    parser.add_argument("engines", nargs="*", default=["sqlite", "postgresql", "mariadb"])
    DUMPS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        python = install_0_2_0(Path(folder) / "0.2.0")
        for engine in parser.parse_args().engines:
            scratch = Path(folder) / engine
            scratch.mkdir()
            with _database(engine, scratch) as url:
                dump, about = Making(python, url, scratch).make()
            (DUMPS / f"{engine}.sql").write_text(dump, "utf-8")
            (DUMPS / f"{engine}.json").write_text(_written(about), "utf-8")


if __name__ == "__main__":
    main()
