"""What about an engine breaks a promise of the sessions: data changed without an error, no rollback.

Seen on one of its connections, when it is used: an engine says little of itself, and what a server is set to
may be otherwise for the connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import String, column, delete, false, func, insert, select, table, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from .conflicts import number_of
from .executing import ask
from .features import features_of
from .own_transactions import autocommits, is_in_the_way
from .sqlite import NOT_ISOLATED, REMEDY, isolates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

__all__ = ["EngineFault", "engine_faults", "mysql_faults", "transaction_faults", "write_refusal"]


@dataclass(frozen=True, slots=True)
class EngineFault:
    """One thing about an engine, or its server, that breaks a promise.

    Attributes:
        problem: What is so, and what comes of it, one or two sentences.
        remedy: What to do about it, a sentence.
    """

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


def engine_faults(connection: Connection, model: type) -> Iterator[EngineFault]:
    """Yield what breaks a promise of the sessions.

    Nothing of it shows in the application's own statements, not even to its event listeners.

    Args:
        connection: One of the engine's that the application uses, by SQLAlchemy's account in a transaction.
        model: The session model.
    """
    yield from transaction_faults(connection)
    yield from mysql_faults(connection, model)


def write_refusal(connection: Connection, model: type) -> DBAPIError | None:
    """Return what the database says to an account that wants to write the model's tables; None: it may.

    It is asked by statements that change no row.

    Args:
        connection: In a transaction that will be rolled back, from `reading()`.
        model: The session model, whose tables exist.
    """
    features = features_of(model)
    try:
        tables = features.table, *(() if features.companion is None else (features.companion,))
        for target in tables:
            columns = list(target.columns)
            connection.execute(insert(target).from_select(columns, select(*columns).where(false())))
            same: dict[Any, Any] = {column: column for column in columns if not column.primary_key}
            connection.execute(update(target).where(false()).values(same))
            connection.execute(delete(target).where(false()))
    except DBAPIError as error:
        is_told = error.orig is not None and number_of(error.orig) == _NOT_IN_THIS_LOG
        return None if is_told or is_in_the_way(error, connection.dialect.name) else error
    return None


_NOT_IN_THIS_LOG: Final = 1665
"""What MySQL and MariaDB say of a binary log in STATEMENT format, which `mysql_faults()` tells of."""


# --- transactions -------------------------------------------------------------------------------------------

_AUTOCOMMIT: Final = (
    "The engine commits every statement by itself: an aborted request leaves half of its changes."
)
_NO_AUTOCOMMIT: Final = 'Leave isolation_level="AUTOCOMMIT" out of create_engine.'


def transaction_faults(connection: Connection) -> Iterator[EngineFault]:
    """Yield what keeps an engine from rolling back, or from isolating on SQLite; as `engine_faults()`."""
    if connection.dialect.name != "sqlite":
        if autocommits(connection):
            yield EngineFault(_AUTOCOMMIT, _NO_AUTOCOMMIT)
        return
    # In-memory databases have a single connection, which isolates nobody.
    if isinstance(connection.engine.pool, (SingletonThreadPool, StaticPool)) or isolates(connection):
        return
    driver: Any = connection.connection.dbapi_connection
    if autocommits(connection) or getattr(driver, "isolation_level", "") is None:
        yield EngineFault(_AUTOCOMMIT, f"{_NO_AUTOCOMMIT} {REMEDY}")
    else:
        yield EngineFault(NOT_ISOLATED, REMEDY)


# --- MySQL's family -----------------------------------------------------------------------------------------

_STRICT: Final = frozenset({"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"})
# Not by `@@name`, an error where a version does without one of them.
_VARIABLES: Final = (
    "SHOW SESSION VARIABLES WHERE Variable_name IN "
    "('character_set_client', 'character_set_connection', 'sql_mode', 'log_bin', 'binlog_format')"
)


def mysql_faults(connection: Connection, model: type) -> Iterator[EngineFault]:
    """Yield what is wrong with a connection to MySQL or MariaDB, or its server; as `engine_faults()`."""
    if connection.dialect.name not in {"mysql", "mariadb"}:
        return
    variables = dict(ask(connection, _VARIABLES))
    names = (variables.get(name) for name in ("character_set_client", "character_set_connection"))
    lacking = sorted({name for name in names if name is not None and name != "utf8mb4"})
    if lacking:
        yield EngineFault(
            f"The connection's character set is {' and '.join(lacking)}: text with characters that it does "
            "not know is refused with an error, or stored with question marks in their place.",
            "Say charset=utf8mb4 in the engine's URL (mysql+pymysql://…/app?charset=utf8mb4).",
        )
    if _STRICT.isdisjoint(variables.get("sql_mode", "").split(",")):
        yield EngineFault(
            "The server's strict mode is off: of values that do not fit, the sessions' and your own, it cuts "
            "off or changes what it likes, without an error.",
            "Add STRICT_TRANS_TABLES to its sql_mode.",
        )
    if variables.get("log_bin") == "ON" and variables.get("binlog_format") == "STATEMENT":
        yield EngineFault(
            "The server's binary log is in STATEMENT format, in which it refuses every transaction at READ "
            "COMMITTED (error 1665), and so all that is recorded about a session besides the request: users "
            "who are active are logged out, and cookies are not renewed.",
            "Set binlog_format = ROW, or MIXED, on the server.",
        )
    for name, kept_by in _tables_without_transactions(connection, model):
        yield EngineFault(
            f"The table {name} is kept by {kept_by}, which knows no transactions: what an aborted request "
            "has changed stays.",
            f"Let a migration say ALTER TABLE {name} ENGINE = InnoDB.",
        )


def _tables_without_transactions(connection: Connection, model: type) -> list[tuple[str, str]]:
    features = features_of(model)
    tables = [features.table, *([] if features.companion is None else [features.companion])]
    schema = connection.schema_for_object(features.table)
    catalog = table("tables", *(column(name, String()) for name in ("table_schema", "table_name", "engine")))
    engines = table("engines", *(column(name, String()) for name in ("engine", "transactions")))
    catalog.schema = engines.schema = "information_schema"
    statement = select(catalog.c.table_name, catalog.c.engine).where(
        engines.c.engine == catalog.c.engine,
        engines.c.transactions == "NO",
        catalog.c.table_schema == (schema or func.database()),
        catalog.c.table_name.in_([one.name for one in tables]),
    )
    literal = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    return ask(connection, str(literal))
