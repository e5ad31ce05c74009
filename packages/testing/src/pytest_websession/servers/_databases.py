"""Making and dropping databases, for throw-away servers and for the user's own.

This module imports SQLAlchemy, so it is imported only when a database is really wanted.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

NO_SUCH_THREAD = 1094  # the answer of MariaDB and MySQL to KILL when the connection has gone by itself


def administration(url: str | sa.URL) -> Engine:
    """Return an engine for CREATE and DROP DATABASE: outside transactions, keeping no connection."""
    return sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")


def accepts(engine: Engine) -> bool:
    """Return whether the server accepts the engine's account now."""
    try:
        engine.connect().close()
    except sa.exc.DBAPIError:
        return False
    return True


def new_name() -> str:
    """Return a name for a database: unique, and valid unquoted on every engine."""
    return f"websession_{secrets.token_hex(8)}"


def create(engine: Engine, name: str) -> None:
    """Create an empty database under a name from `new_name`."""
    # template0: whatever somebody has put into template1 of his server does not come along.
    options = " TEMPLATE template0" if engine.dialect.name == "postgresql" else " CHARACTER SET utf8mb4"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}{options}")


def drop(engine: Engine, name: str) -> None:
    """Drop a database under a name from `new_name`, ending what is still connected to it."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        else:
            _end_connections(connection, name)
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")


def _end_connections(connection: Connection, name: str) -> None:
    """KILL them: the metadata lock of a forgotten transaction would hold the DROP for a day."""
    # On MySQL, what information_schema has cannot be read while one connection, of whatever database, runs a
    # statement with an emoji, or with a driver's raw bytes (error 3854). MariaDB has no other.
    is_mariadb = getattr(connection.dialect, "is_mariadb", False)
    schema = "information_schema" if is_mariadb else "performance_schema"
    others = connection.execute(
        sa.text(f"SELECT id FROM {schema}.processlist WHERE db = :name"),  # noqa: S608 - one of two
        {"name": name},
    )
    for other in others.scalars().all():
        try:
            connection.exec_driver_sql(f"KILL {int(other)}")
        except sa.exc.DBAPIError as error:
            if error.orig is None or error.orig.args[0] != NO_SUCH_THREAD:
                raise
