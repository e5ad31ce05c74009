"""Short transactions of our own, beside those of the application, which never notice them.

- No lock is waited for. Whatever lies in wait (a row, an index, a foreign key's cascade, a table that is
  being altered) is bounded by the engine's timeout, of which MySQL's shortest is a second. Those that insist
  wait for half a second on PostgreSQL and SQLite and two on MariaDB and MySQL, which count in seconds.
- The transaction really is at READ COMMITTED, whatever the server's, the engine's or the driver's default:
  at SERIALIZABLE our statements would take part in conflicts with the application's. It is said in the
  transaction itself: changing it for the connection would survive in the pool, and what the application may
  have set there by itself cannot be put back. Only where a listener of the application's has run a query by
  then is it said beforehand.
- The engine may have any isolation level and event listeners of the application's.
- A worker's timeout or an interrupt passes, and leaves no connection checked out, nor one in the pool that is
  not as it was.
"""

from __future__ import annotations

import weakref
from contextlib import contextmanager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.pool import AssertionPool, NullPool, QueuePool, SingletonThreadPool, StaticPool

from .conflicts import is_conflict, number_of, sqlstate_of
from .executing import hide_values
from .sqlite import is_in_transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import Pool

__all__ = [
    "autocommits",
    "engine_like",
    "has_free_connection",
    "in_turn",
    "is_in_the_way",
    "may_connect",
    "reading",
    "short_transaction",
]

# How long a transaction that insists waits for a lock.
_WAIT_MILLISECONDS: Final = 500
_WAIT_SECONDS: Final = 2
# How often to ask for the turn, for so long each.
_TURNS: Final = 60

# What a connection is told about its own transactions, or about its log: ours have their own.
_NOT_OURS: Final = frozenset(
    {"isolation_level", "postgresql_readonly", "postgresql_deferrable", "logging_token"}
)

_T = TypeVar("_T")


def engine_like(connection: Connection) -> Engine:
    """Return an engine whose statements go to the same place as a connection's.

    It uses the same database and the same execution options (`schema_translate_map`, or anything that the
    application's event listeners use), but not the same kind of transaction. What was set only in the
    connection's session on the server, such as a `search_path`, is not included.

    Args:
        connection: The application's connection, which has read or written a row.
    """
    engine = connection.engine
    usual = engine.get_execution_options()
    own = {
        name: value
        for name, value in connection.get_execution_options().items()
        if name not in _NOT_OURS and (name not in usual or usual[name] is not value)
    }
    return engine.execution_options(**own) if own else engine


@contextmanager
def short_transaction(
    engine: Engine, *, insists: bool, prepare: Callable[[Connection], object] | None = None
) -> Iterator[Connection]:
    """Open a connection with a transaction at READ COMMITTED that is committed at the end of the block.

    Args:
        engine: Where to connect.
        insists: Whether to wait for locks for a bounded time.
        prepare: Called with the connection once the transaction has begun, before anything is done in it.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database cannot be reached, or refuses; the message shows no
            values.
    """
    try:
        with engine.connect() as connection, _TRANSACTIONS[connection.dialect.name](connection, insists):
            if prepare is not None:
                prepare(connection)
            yield connection
    except StatementError as error:
        hide_values(error)
        raise


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a connection with a transaction that reads and disturbs nobody; it is rolled back in the end.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database cannot be reached.
    """
    with engine.connect() as connection:
        if not connection.in_transaction():
            connection.begin()
        if connection.dialect.name == "sqlite":
            # An application's "begin" event has taken the write lock, perhaps: give it back at once.
            driver: Any = connection.connection.dbapi_connection
            if driver.in_transaction:
                driver.execute("COMMIT")
                driver.execute("BEGIN")
        else:
            _begin_read_committed(connection)
        yield connection
        connection.rollback()


def in_turn(engine: Engine, work: Callable[[], _T]) -> _T:
    """Do something that begins a transaction, again and again while somebody else's is in the way.

    On SQLite, whose writers take turns, even a reader may have to wait for one.
    """
    for _ in range(_TURNS - 1):
        try:
            return work()
        except DBAPIError as error:
            if not is_in_the_way(error, engine.dialect.name):
                raise
    return work()


# Another thread was quicker to begin a transaction on the one connection of an in-memory database.
_SQLITE_NESTED: Final = "cannot start a transaction within a transaction"


@contextmanager
def outlasting_refusal(connection: Connection) -> Iterator[None]:
    """Let a transaction go on after a statement that a constraint has refused."""
    # PostgreSQL alone undoes no statement by itself. MySQL loses the savepoint with a deadlock.
    with connection.begin_nested() if connection.dialect.name == "postgresql" else nullcontext():
        yield


def is_in_the_way(error: DBAPIError, dialect: str) -> bool:
    """Return whether somebody else's transaction has kept us from it."""
    return is_conflict(error, dialect) or (dialect == "sqlite" and _SQLITE_NESTED in str(error.orig))


# --- connections --------------------------------------------------------------------------------------------


def has_free_connection(pool: Pool) -> bool:
    """Return whether a pool can provide a connection without waiting for one to be returned.

    Also False for pools with only one connection (per thread), where a second one would be the same: those of
    in-memory SQLite; and for custom pools, which do not say.

    Args:
        pool: An engine's pool.
    """
    if isinstance(pool, NullPool):
        return True
    if isinstance(pool, AssertionPool):
        return not pool._checked_out
    if not isinstance(pool, QueuePool):
        return False
    if pool.checkedin() > 0:
        return True
    # An overflow below zero means that the pool has not yet opened the connections it keeps.
    most: int = pool._max_overflow
    return most == -1 or pool.overflow() < most


def shares_connections(engine: Engine) -> bool:
    """Return whether requests share one connection to a server, so that there is none for bookkeeping.

    Of these pools, made for in-memory SQLite, only that driver tells whether a transaction is open.
    """
    return isinstance(engine.pool, (StaticPool, SingletonThreadPool)) and engine.dialect.name != "sqlite"


def may_connect(engine: Engine) -> bool:
    """Return whether a connection can be used now: a free one, or the only one while nobody uses it.

    To be asked when the request has given its own connection back. A pool that SQLAlchemy does not know gives
    the next one as it gave that.
    """
    pool = engine.pool
    if shares_connections(engine):
        return False
    if isinstance(pool, StaticPool):
        # Not by checking it out: giving it back would roll back whatever is open on it.
        return not is_in_transaction(pool.connection.dbapi_connection)
    if isinstance(pool, SingletonThreadPool):
        # Here it is safe: to this thread the pool gives out what the thread already has.
        connection = pool.connect()
        try:
            return not is_in_transaction(connection.dbapi_connection)
        finally:
            connection.close()
    return has_free_connection(pool) or not isinstance(pool, (QueuePool, AssertionPool))


def autocommits(connection: Connection) -> bool:
    """Return whether the driver commits every statement by itself, of which the server would not know.

    (SQLite's driver does not tell.)
    """
    driver: Any = connection.connection.dbapi_connection
    ask = getattr(driver, "get_autocommit", None)
    return (ask() if callable(ask) else getattr(driver, "autocommit", False)) is True


# --- by dialect ---------------------------------------------------------------------------------------------


# Pools whose connections have run a query before we can say anything: a listener of the application's does.
_busy_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _begin_read_committed(connection: Connection) -> None:
    """Begin a transaction at READ COMMITTED."""
    pool = connection.engine.pool
    if pool not in _busy_pools and not autocommits(connection):
        try:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        except DBAPIError as error:
            if not _is_too_late(error):
                raise
            _busy_pools.add(pool)
        else:
            return
    # The connection gets its engine's own level back when it is returned. A listener may have begun already.
    connection.rollback()
    connection.execution_options(isolation_level="READ COMMITTED")
    if not connection.in_transaction():
        connection.begin()


def _is_too_late(error: DBAPIError) -> bool:
    """Return whether the isolation level could not be set because the transaction has run a query."""
    return sqlstate_of(error.orig) == "25001" or number_of(error.orig) == _MYSQL_IN_TRANSACTION


_MYSQL_IN_TRANSACTION: Final = 1568


@contextmanager
def _postgresql(connection: Connection, insists: bool) -> Iterator[None]:
    _begin_read_committed(connection)
    # For this transaction only. Zero would mean to wait forever.
    wait = _WAIT_MILLISECONDS if insists else 1
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait}")
    yield
    connection.commit()


@contextmanager
def _mysql(connection: Connection, insists: bool) -> Iterator[None]:
    _begin_read_committed(connection)
    # MySQL does not know a wait of no time at all. The second setting is for tables that are being altered.
    shortest = 0 if getattr(connection.dialect, "is_mariadb", False) else 1
    wait = _WAIT_SECONDS if insists else shortest
    try:
        connection.exec_driver_sql(
            "SET @websession_row_wait = @@SESSION.innodb_lock_wait_timeout, "
            "@websession_table_wait = @@SESSION.lock_wait_timeout, "
            f"SESSION innodb_lock_wait_timeout = {wait}, SESSION lock_wait_timeout = {wait}"
        )
        yield
        connection.commit()
    finally:
        if not connection.invalidated:
            with _as_it_came(connection):
                connection.rollback()
                connection.exec_driver_sql(
                    "SET SESSION innodb_lock_wait_timeout = @websession_row_wait, "
                    "SESSION lock_wait_timeout = @websession_table_wait"
                )


@contextmanager
def _sqlite(connection: Connection, insists: bool) -> Iterator[None]:
    # With the driver's connection, because SQLAlchemy's begins a transaction with its first statement, and
    # an application's "begin" event may wait there for the write lock.
    # No cursor outlives its statement: with one open, a connection that is closed keeps its lock.
    driver: Any = connection.connection.dbapi_connection
    (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute(f"PRAGMA busy_timeout={_WAIT_MILLISECONDS if insists else 0}").close()
    # Python 3.12's `autocommit=False` keeps a transaction open at all times and ends it by itself.
    explicit = getattr(driver, "autocommit", None) is not False
    try:
        if not connection.in_transaction():
            connection.begin()
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        # In autocommit mode the driver's commit() does nothing, even where an event has begun a transaction.
        if explicit:
            connection.exec_driver_sql("COMMIT")
        connection.commit()
    finally:
        if not connection.invalidated:
            with _as_it_came(connection):
                if explicit and driver.in_transaction:
                    driver.execute("ROLLBACK").close()
                driver.execute(f"PRAGMA busy_timeout={patience}").close()


@contextmanager
def _as_it_came(connection: Connection) -> Iterator[None]:
    """Undo in the block what was set on a connection: it goes back to the pool as it came, or not at all."""
    try:
        yield
    except BaseException as error:
        connection.invalidate()
        if not isinstance(error, Exception):
            raise


_TRANSACTIONS: Final[Mapping[str, Callable[[Connection, bool], AbstractContextManager[None]]]] = (
    MappingProxyType({"postgresql": _postgresql, "mysql": _mysql, "mariadb": _mysql, "sqlite": _sqlite})
)
