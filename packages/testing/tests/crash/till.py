"""The application that is served while its database, and itself, are killed.

``python till.py PORT ISOLATION_LEVEL URL …``; several URLs differ by their ports, and the one is used whose
server takes writes.

``/start`` makes a session, ``/add?n=7`` puts a number in it and, in the same transaction, in a table of the
application's, ``/look`` shows the session.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyramid_tm
import waitress
import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.view import view_config
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from websession_models import BaseMixin, SessionId

if TYPE_CHECKING:
    from sqlalchemy import Engine

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "clusters.md"

# Known to all workers, and to nobody else while it matters.
SECRET_KEY = "vF1cIyDmbFL1L9gkN0r5lNwCjBmG5cGmkIuTY4TXVAk"


class Base(DeclarativeBase):
    """The declarative base."""


class Session(BaseMixin, Base):
    """The session."""

    __tablename__ = "session"


class Entry(Base):
    """What must agree with the sessions: a number that was added, and by which."""

    __tablename__ = "entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[Any] = mapped_column(SessionId())
    number: Mapped[int]


@view_config(route_name="start", renderer="json")
def start(request: Any) -> Any:
    """Begin a session."""
    request.session["numbers"] = []
    return {}


@view_config(route_name="add", renderer="json")
def add(request: Any) -> Any:
    """Put a number into the session and into the table, both or neither."""
    number = int(request.params["n"])
    request.session["numbers"].append(number)
    request.dbsession.add(Entry(session_id=request.session.id, number=number))
    return {"added": number}


@view_config(route_name="look", renderer="json")
def look(request: Any) -> Any:
    """Show the session."""
    return {"new": request.session.new, "numbers": request.session.get("numbers")}


def follow_the_primary(engine: Engine, urls: list[str]) -> None:
    """Connect an engine to whichever server takes writes, as the documentation shows."""
    recipes = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (recipe,) = [recipe for recipe in recipes if "connect_to_the_primary" in recipe]
    servers = [{"port": make_url(url).port} for url in urls]
    exec(re.sub("^servers = .*$", f"servers = {servers}", recipe, flags=re.MULTILINE), {"engine": engine})


def main(urls: list[str], **engine_options: Any) -> Any:
    """Return the application.

    Args:
        urls: The database's; several: those of the servers of which one takes writes.
        engine_options: For SQLAlchemy's `create_engine`, over what the documentation advises.
    """
    # A connection that died with the server is found out before it is used, and replaced.
    engine = create_engine(urls[0], pool_pre_ping=True, **engine_options)
    if len(urls) > 1:
        follow_the_primary(engine, urls)
    make_session = sessionmaker(engine)

    def dbsession(request: Any) -> Any:
        session = make_session()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    config = Configurator(
        settings={
            "tm.manager_hook": pyramid_tm.explicit_manager,
            "tm.annotate_user": "false",
            "retry.attempts": 10,
            "session.secret_key": SECRET_KEY,
            "session.model_class": Session,
        }
    )
    config.include("pyramid_tm")
    config.include("pyramid_retry")
    config.include("websession_pyramid")
    config.add_request_method(dbsession, reify=True)
    for name in ("start", "add", "look"):
        config.add_route(name, f"/{name}")
    config.scan(__name__)
    return config.make_wsgi_app()


if __name__ == "__main__":
    _, port, level, *urls = sys.argv
    waitress.serve(main(urls, isolation_level=level), host="127.0.0.1", port=int(port), threads=4)
