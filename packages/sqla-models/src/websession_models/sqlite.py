"""SQLite as a database for several threads: a write waits its turn, and none is lost.

What Python's driver does by default loses data without an error. It begins a transaction only at the first
write, so that two threads can read the same row and both write it. (Of 50 increments in each of 8 threads
over 300 were lost.) A plain ``BEGIN`` fails at once with "database is locked", because SQLite does not wait
for the upgrade of a read lock. ``BEGIN IMMEDIATE`` takes the one write lock at the beginning, and waits.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from .conflicts import is_sqlite_read_only

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["NOT_ISOLATED", "REMEDY", "is_in_transaction", "isolates", "prepare_sqlite_engine"]

NOT_ISOLATED: Final = (
    "SQLite's transactions begin with their first write only, as is the driver's default: what a request has "
    "read may have changed when it writes, and of two requests that do that at the same time one is refused."
)
"""What is wrong with an engine of which `isolates()` does not hold."""

REMEDY: Final = "Call prepare_sqlite_engine(engine) where the engine is created."
"""What to do about it."""


def prepare_sqlite_engine(engine: Engine) -> Engine:
    """Make every transaction of an SQLite engine begin with the write lock, waiting for it if need be.

    Call it where the engine is created, before it is used. Connections use write-ahead logging (so that
    readers in other processes do not block the writer). A transaction waits for the one before it up to the
    driver's ``timeout``, which is five seconds unless you set another: ``connect_args={"timeout": 30}``.
    Foreign keys are not changed: SQLite enforces none unless you run ``PRAGMA foreign_keys=ON``.

    Args:
        engine: An engine. If it is not SQLite's nothing is done, so an application that takes its URL from
            the settings can pass what it gets; the second call for an engine does nothing either.

    Returns:
        The engine.
    """
    if engine.dialect.name == "sqlite" and not event.contains(engine, "begin", _begin):
        event.listen(engine, "connect", _connect)
        event.listen(engine, "begin", _begin)
    return engine


def isolates(connection: Connection) -> bool:
    """Return whether what an SQLite connection has read is part of a transaction.

    By the driver's default it is not: a transaction begins with the first write, so what was read before may
    have changed since.

    Args:
        connection: A connection that has just read something, by SQLAlchemy's account in a transaction.
    """
    return is_in_transaction(connection.connection.dbapi_connection)


def is_in_transaction(connection: Any) -> bool:
    """Return whether a transaction is open on a connection of the driver's, True if it does not tell."""
    return bool(getattr(connection, "in_transaction", True))


def _connect(connection: Any, _record: object) -> None:
    # The driver must not begin transactions on its own, at a moment of its choosing.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if not is_sqlite_read_only(error):
            raise  # one that takes no writes can be read in any mode
    cursor.close()


def _begin(connection: Connection) -> None:
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if not is_sqlite_read_only(error.orig):
            raise
        # The database takes no writes now. It can be read, and the first write will be refused.
        connection.exec_driver_sql("BEGIN")
