"""The application that is served while its database, and itself, are killed: ``python till.py URL PORT``.

``/start`` makes a session, ``/add?n=7`` puts a number in it and, in the same transaction, in a table of the
application's, ``/look`` shows the session.
"""

from __future__ import annotations

import sys
from typing import Any

import pyramid_tm
import waitress
import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.view import view_config
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from websession_models import BaseMixin, SessionId

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


def main(url: str, **engine_options: Any) -> Any:
    """Return the application.

    Args:
        url: The database's.
        engine_options: For SQLAlchemy's `create_engine`, over what the documentation advises.
    """
    # A connection that died with the server is found out before it is used, and replaced.
    options = {"isolation_level": "SERIALIZABLE", "pool_pre_ping": True, **engine_options}
    make_session = sessionmaker(create_engine(url, **options))

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
    waitress.serve(main(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), threads=4)
