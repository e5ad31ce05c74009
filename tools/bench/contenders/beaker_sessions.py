"""Beaker's database back end under Pyramid: a pickle in a table, in transactions of Beaker's own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event
from worker import Contender

from contenders import payload, versions
from contenders.pyramid_app import make_app, session_views


def make(url: str, size: int = 100) -> Contender:
    """Return the contender, with its own defaults.

    Args:
        url: Of the database.
        size: Of the payload, in bytes of JSON.
    """
    if url.startswith("sqlite"):
        event.listen(Engine, "connect", _connect)
    app = make_app(
        session_views(payload(size)),
        settings={
            "session.type": "ext:database",
            "session.url": url,
            "session.key": "session",
            "session.secret": "a secret for the benchmark",
            "session.sa_opts": {"sa.isolation_level": "SERIALIZABLE"},
        },
        configure=lambda config: config.include("pyramid_beaker"),
    )
    return Contender(
        app, versions=versions("beaker", "pyramid-beaker", "pyramid", "pyramid-tm", "sqlalchemy", "psycopg")
    )


def _connect(connection: Any, _record: object) -> None:
    for pragma in ("synchronous=OFF", "journal_mode=WAL"):
        connection.execute(f"PRAGMA {pragma}").close()
