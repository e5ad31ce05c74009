"""Engines, as the documentation advises them: SERIALIZABLE, and SQLite with its recipe."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine, event
from websession_models.sqlite import prepare_sqlite_engine


def make_engine(url: str) -> Engine:
    """Return an engine for a throw-away database.

    Nothing is flushed to disk on either engine (the PostgreSQL server is started so): otherwise we would
    compare disks, and every contender that commits would look alike.
    """
    if not url.startswith("sqlite"):
        return create_engine(url, isolation_level="SERIALIZABLE")
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF").close()

    return prepare_sqlite_engine(engine)
