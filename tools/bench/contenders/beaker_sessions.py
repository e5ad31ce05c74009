"""Beaker's database back end under Pyramid: a pickle in a table, in transactions of Beaker's own."""

from __future__ import annotations

from sqlalchemy import Engine, event
from worker import Contender

from contenders import let_sqlite_hurry, session_views, versions
from contenders.pyramid_app import make_app


def make(url: str, size: int = 100) -> Contender:
    """Return the contender, with its own defaults."""
    if url.startswith("sqlite"):
        event.listen(Engine, "connect", let_sqlite_hurry)
    app = make_app(
        session_views(size),
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
