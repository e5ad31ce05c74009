"""Engines, as the documentation advises them: SERIALIZABLE, and SQLite with its recipe."""

from __future__ import annotations

import os
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from websession_models.sqlite import prepare_sqlite_engine

POOL: Final = 32
"""As many connections as the largest server of `throughput.py` has threads; one thread takes one."""


def make_engine(url: str) -> Engine:
    """Return an engine for a throw-away database. A process that is forked gets a pool of its own.

    Nothing is flushed to disk on either engine (the PostgreSQL server is started so): otherwise we would
    compare disks, and every contender that commits would look alike.
    """
    if not url.startswith("sqlite"):
        engine = create_engine(url, isolation_level="SERIALIZABLE", pool_size=POOL)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))
        return engine
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF").close()

    return prepare_sqlite_engine(engine)
