"""Making and dropping databases, for throw-away servers and for the user's own.

This module imports SQLAlchemy, so it is imported only when a database is really wanted.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

# Whether a PostgreSQL database differs from a new one in anything but what its schema `public` holds.
DIFFERS = """
    SELECT current_setting('server_version_num')::int < 150000  -- has another `public`
        OR EXISTS (SELECT FROM pg_namespace WHERE nspname !~ '^(public|information_schema|pg_.*)$')
        OR EXISTS (SELECT FROM pg_extension WHERE extname <> 'plpgsql')
        OR EXISTS (SELECT FROM pg_cast WHERE oid >= 16384)
        OR EXISTS (SELECT FROM pg_language WHERE oid >= 16384)
        OR EXISTS (SELECT FROM pg_default_acl)
        OR EXISTS (SELECT FROM pg_event_trigger)
        OR EXISTS (SELECT FROM pg_foreign_data_wrapper)
        OR EXISTS (SELECT FROM pg_largeobject_metadata)
        OR EXISTS (SELECT FROM pg_publication)
        OR EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())
        OR EXISTS (SELECT FROM pg_replication_slots WHERE database = current_database())
        OR EXISTS (
            SELECT FROM pg_database WHERE datname = current_database() AND (
                datacl IS NOT NULL
                OR datconnlimit <> -1
                OR oid IN (SELECT setdatabase FROM pg_db_role_setting)
                OR oid IN (SELECT subdbid FROM pg_subscription)
            )
        )
"""

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


def empty(engine: Engine, name: str) -> str | None:
    """Make a PostgreSQL database as good as new, which is a tenth of the work of another one.

    What is still connected to it is ended.

    Args:
        engine: From `administration`.
        name: Of the database, from `new_name`.

    Returns:
        Its new name; None: it is left as it is, since it may differ from a new one.
    """
    of_its_own = administration(engine.url.set(database=name))
    with of_its_own.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        if connection.scalar(sa.text(DIFFERS)):
            return None
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public AUTHORIZATION pg_database_owner")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO PUBLIC")
    another = new_name()
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} RENAME TO {another}")
    return another


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
