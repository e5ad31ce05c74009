"""Writing down what `websession_core.lifecycle` finds to be due, outside of the application's transaction.

Each entry is one compare-and-set write in a transaction of its own, on a connection of its own, committed at
once. It is best effort: what cannot be done now, because a row is locked or has changed, is not done, and the
next request will find it due again. It never makes the application wait:

- no lock is waited for. Rows are locked with SKIP LOCKED or NOWAIT, and whatever else may lie in wait (an
  index, a foreign key's cascade, a table that is being altered) is bounded by the engine's timeout, of which
  MySQL's shortest is a second. Entries that insist wait for half a second on PostgreSQL and SQLite and two
  seconds on MariaDB and MySQL, which count in seconds.
- the transaction really is at READ COMMITTED, whatever the server's, the engine's or the driver's default:
  at SERIALIZABLE our statements would take part in conflicts with the application's. It is said in the
  transaction itself: changing it for the connection would survive in the pool, and what the
  application may have set there by itself cannot be put back.

The companion row is locked before the session's, and neither is waited for while the other is held, except by
a revocation, which takes them in the order in which readers do. So bookkeeping is part of no deadlock that
the application could be chosen to end.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from sqlalchemy import bindparam, cast, delete, exists, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool
from websession_core.lifecycle import Duty

from websession_models.companion import KEY
from websession_models.conflicts import is_conflict
from websession_models.sqlite import is_in_transaction
from websession_models.store import ID, PREFIX, execute, hide_values

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from sqlalchemy import (
        BindParameter,
        Column,
        ColumnElement,
        Connection,
        Delete,
        Engine,
        Insert,
        Select,
        Table,
        Update,
    )
    from sqlalchemy.pool import Pool
    from websession_core.lifecycle import Bookkeeping

    from websession_models.features import ModelFeatures
    from websession_models.store import Store

__all__ = ["Bookkeeper", "has_free_connection", "is_in_the_way", "transaction_of_its_own"]

log = logging.getLogger(__name__)

# How long an insisting entry waits for a lock.
_WAIT_MILLISECONDS: Final = 500
_WAIT_SECONDS: Final = 2

_MYSQL: Final = frozenset({"mysql", "mariadb"})
_SUPPORTED: Final = frozenset({"postgresql", "sqlite", *_MYSQL})

_Parameters: TypeAlias = dict[str, object]
_Work: TypeAlias = Callable[["Connection"], bool]
_T = TypeVar("_T")
_WriteT = TypeVar("_WriteT", "Update", "Delete")


class Bookkeeper:
    """Performs the bookkeeping of one model's sessions on one engine.

    Cheap to make: the statements are kept with the store. Use it when the application's transaction is over
    and its connection is back in the pool.

    In-memory SQLite has a single connection (per thread, or for all of them with `StaticPool`), which may be
    in the middle of the application's transaction. It is used only if no transaction is open on it; then a
    write of ours is as safe as the application's own. (An engine whose threads share one connection isolates
    none of them from the others, with or without us.)
    """

    __slots__ = ("_engine", "_statements")

    def __init__(self, store: Store, engine: Engine) -> None:
        """Make a bookkeeper.

        Args:
            store: whose sessions these are.
            engine: where they are stored; it may have any isolation level.

        Raises:
            ValueError: the engine's database is not PostgreSQL, MariaDB, MySQL or SQLite.
        """
        name = engine.dialect.name
        if name not in _SUPPORTED:
            raise ValueError(f"bookkeeping knows PostgreSQL, MariaDB, MySQL and SQLite, not {name}")
        self._engine = engine
        by_dialect = _statements.setdefault(store, {})
        known = by_dialect.get(name)
        if known is None:
            known = by_dialect[name] = _Statements(store.features, name)
        self._statements = known

    def __repr__(self) -> str:
        return f"<Bookkeeper of {self._statements.name} on {self._engine.dialect.name}>"

    def perform(self, entry: Bookkeeping, *, within: Connection | None = None) -> bool:
        """Write one entry down, in a transaction of its own.

        Args:
            entry: what is due, as `websession_core.lifecycle.bookkeeping()` says.
            within: a connection in whose open transaction to write it instead, which may wait for locks and
                is neither committed nor rolled back: for tests that keep everything in one transaction.

        Returns:
            Whether it took effect. False: something it compares has changed, a row it needs is locked or
            gone, the model has no column for it, no connection was free, or the database resolved a
            conflict at its expense. A candidate's cookie may be sent only if True.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: anything else: the database is gone, the table is missing, a
                foreign key of the application's forbids the deletion. Its message shows no values.
        """
        work = self._statements.work(entry)
        if work is None:
            return False
        if within is not None:
            return work(within)
        try:
            return self._run(work, entry.duty.value, insists=entry.insists)
        except IntegrityError:
            if entry.duty is not Duty.RECORD:
                raise
            return False  # another request was quicker, and its row says the same

    def forget(self, session_id: uuid.UUID, *, within: Connection | None = None) -> bool:
        """Delete the companion row of a session that the application has deleted.

        To be called once that is committed; while the session's row exists nothing happens.

        Args:
            session_id: whose.
            within: as for `perform()`.

        Returns:
            Whether a row was deleted.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: as for `perform()`.
        """
        work = self._statements.forgetting(session_id)
        if work is None:
            return False
        return work(within) if within is not None else self._run(work, "forget", insists=False)

    def _run(self, work: _Work, what: str, *, insists: bool) -> bool:
        engine = self._engine
        if not _may_connect(engine.pool):
            log.debug("%s: not done, no connection is free", what)
            return False
        try:
            with (
                engine.connect() as connection,
                transaction_of_its_own(connection, insists=insists),
            ):
                return work(connection)
        except DBAPIError as error:
            hide_values(error)
            if not is_in_the_way(error, engine.dialect.name):
                raise
            log.debug("%s: not done, a lock or a conflict was in the way", what)
            return False


_statements: weakref.WeakKeyDictionary[Store, dict[str, _Statements]] = weakref.WeakKeyDictionary()


def has_free_connection(pool: Pool) -> bool:
    """Return whether a connection can be had from `pool` without waiting for somebody to return one.

    False also for pools that have but one connection (per thread), so that a second one would be the same:
    those of in-memory SQLite.

    Args:
        pool: an engine's pool.
    """
    if isinstance(pool, NullPool):
        return True
    if not isinstance(pool, QueuePool):
        return False
    if pool.checkedin() > 0:
        return True
    # An overflow below zero means that the pool has not yet opened the connections it keeps.
    most: int = pool._max_overflow
    return most == -1 or pool.overflow() < most


# --- statements ---------------------------------------------------------------------------------------------


class _Statements:
    """The bookkeeping of one model on one dialect: entries in, work on a connection out.

    Statements are kept by what they compare and write, so that SQLAlchemy compiles each of them once.
    """

    __slots__ = ("_activity", "_companion", "_dialect", "_features", "_kept", "name")

    def __init__(self, features: ModelFeatures, dialect: str) -> None:
        self.name = features.name
        self._features = features
        self._dialect = dialect
        self._companion = features.companion
        self._activity = features.activity
        self._kept: dict[object, Any] = {}

    def work(self, entry: Bookkeeping) -> _Work | None:
        """Return how to write an entry down; None: the model has no place for it."""
        match entry.duty:
            case Duty.REMOVE:
                return self._removal(entry)
            case Duty.REVOKE:
                return self._revocation(entry)
            case Duty.RECORD:
                return self._recording(entry)
            case _:
                return self._revision(entry)

    def forgetting(self, session_id: uuid.UUID) -> _Work | None:
        """Return how to delete a companion row that has no session row."""
        companion = self._companion
        if companion is None:
            return None
        lock = self._once("lock orphan", lambda: self._locking(companion, ~self._session_exists()))
        write = self._once("delete orphan", lambda: self._written(delete(companion), companion, lock))
        return self._locked_write(lock, write, {ID: session_id})

    def _revision(self, entry: Bookkeeping) -> _Work | None:
        """Update the companion row, if it holds what is expected."""
        companion, written = self._companion, self._known(entry.values)
        if companion is None or not written:
            return None
        expected = self._known(entry.expected)
        lock = self._lock(companion, expected, insists=entry.insists, epoch=entry.epoch is not None)
        write = self._once(
            ("update", written, lock),
            lambda: self._written(update(companion).values(self._values(written)), companion, lock),
        )
        return self._locked_write(lock, write, self._parameters(entry, expected, written))

    def _recording(self, entry: Bookkeeping) -> _Work | None:
        """Insert the companion row, if there is a session row and no companion row."""
        companion, written = self._companion, self._known(entry.values)
        if companion is None:
            return None
        statement = self._once(("insert", written), lambda: self._insert(companion, written))
        given = self._parameters(entry, (), written)
        return lambda connection: execute(connection, statement, given).rowcount == 1

    def _removal(self, entry: Bookkeeping) -> _Work:
        """Delete both rows, if the companion row holds what is expected (nothing: if there is none)."""
        companion, table = self._companion, self._features.table
        expected = self._known(entry.expected)
        given = self._parameters(entry, expected, ())
        bound = () if entry.epoch is None else (self._epoch(),)
        lock_session = self._once(
            ("lock session", bool(bound)), lambda: self._locking(table, *bound, removes=True)
        )
        read_session = self._once("read session", lambda: select(self._session_key).where(*self._session()))
        delete_session = self._once("delete session", lambda: delete(table).where(*self._session()))
        if companion is None or not expected:
            unused = self._once("read companion", self._read_companion)

            def remove_unrecorded(connection: Connection) -> bool:
                if unused is not None and execute(connection, unused, given).first() is not None:
                    return False  # it has been used since
                if execute(connection, lock_session, given).first() is None:
                    return False
                return execute(connection, delete_session, given).rowcount == 1

            return remove_unrecorded
        lock = self._lock(companion, expected, removes=True)
        delete_companion = self._once("delete companion", lambda: self._by_key(delete(companion), companion))

        def remove(connection: Connection) -> bool:
            if execute(connection, lock, given).first() is None:
                return False
            if execute(connection, lock_session, given).first() is not None:
                execute(connection, delete_session, given)
            elif execute(connection, read_session, given).first() is not None:
                return False  # somebody is writing it, or has logged in meanwhile
            return execute(connection, delete_companion, given).rowcount == 1

        return remove

    def _revocation(self, entry: Bookkeeping) -> _Work:
        """Delete both rows, whatever they hold."""
        companion, table = self._companion, self._features.table
        given = self._parameters(entry, (), ())
        deletions = [self._once("delete session", lambda: delete(table).where(*self._session()))]
        if companion is not None:
            deletions.append(
                self._once("delete companion", lambda: self._by_key(delete(companion), companion))
            )

        def revoke(connection: Connection) -> bool:
            counts = [execute(connection, deletion, given).rowcount for deletion in deletions]
            return any(counts)

        return revoke

    # What follows are the parts of statements.

    @property
    def _locks_first(self) -> bool:
        # MySQL and MariaDB let no UPDATE select from the table it updates, and their joined UPDATE would
        # lock the session's row as well. So there are two statements; what the first has locked stays so.
        return self._dialect in _MYSQL

    def _locked_write(self, lock: Select[Any], write: Update | Delete, given: _Parameters) -> _Work:
        def locked_write(connection: Connection) -> bool:
            if not self._locks_first:
                return execute(connection, write, given).rowcount == 1
            if execute(connection, lock, given).first() is None:
                return False
            execute(connection, write, given)
            return True

        return locked_write

    def _written(self, write: _WriteT, table: Table, lock: Select[Any]) -> _WriteT:
        if self._locks_first:
            return self._by_key(write, table)
        return write.where(table.columns[KEY] == lock.scalar_subquery())

    def _by_key(self, write: _WriteT, table: Table) -> _WriteT:
        return write.where(table.columns[KEY] == bindparam(ID, type_=table.columns[KEY].type))

    def _lock(
        self,
        companion: Table,
        expected: tuple[str, ...],
        *,
        insists: bool = False,
        epoch: bool = False,
        removes: bool = False,
    ) -> Select[Any]:
        def build() -> Select[Any]:
            columns = self._activity
            conditions: list[ColumnElement[bool]] = [
                columns[name].is_not_distinct_from(bindparam(_EXPECTED + name, type_=columns[name].type))
                for name in expected
            ]
            if epoch:
                conditions.append(self._session_exists(self._epoch()))
            return self._locking(companion, *conditions, waits=insists, removes=removes)

        return self._once(("lock", expected, insists, epoch, removes), build)

    def _locking(
        self, table: Table, *conditions: ColumnElement[bool], waits: bool = False, removes: bool = False
    ) -> Select[Any]:
        if table is self._companion:
            key = table.columns[KEY]
            conditions = (key == bindparam(ID, type_=key.type), *conditions)
        else:
            key = self._session_key
            conditions = (*self._session(), *conditions)
        # PostgreSQL: NO KEY UPDATE is what an UPDATE takes that leaves the key alone. MariaDB and MySQL:
        # with NOWAIT, because SKIP LOCKED and a lock wait timeout of 0 are too much for MariaDB (error 1180).
        # SQLite has no row locks, and SQLAlchemy leaves the clause out.
        nowait = self._dialect in _MYSQL and not waits
        return (
            select(key)
            .where(*conditions)
            .with_for_update(nowait=nowait, skip_locked=not (waits or nowait), key_share=not removes)
        )

    def _insert(self, companion: Table, written: tuple[str, ...]) -> Insert:
        values = [cast(value, column.type) for column, value in self._values(written).items()]
        missing = ~exists().where(companion.columns[KEY] == self._session_key).correlate(self._features.table)
        source = select(self._session_key, *values).where(*self._session(), missing)
        # The count of an INSERT's rows is not kept unless asked for.
        statement = insert(companion).from_select([KEY, *written], source)
        return statement.execution_options(preserve_rowcount=True)

    def _read_companion(self) -> Select[Any] | None:
        companion = self._companion
        if companion is None:
            return None
        key = companion.columns[KEY]
        return select(key).where(key == bindparam(ID, type_=key.type))

    @property
    def _session_key(self) -> Column[Any]:
        return self._features.columns["id"]

    def _session(self) -> list[ColumnElement[bool]]:
        key, criterion = self._session_key, self._features.criterion()
        found = key == bindparam(ID, type_=key.type)
        return [found] if criterion is None else [found, criterion]

    def _epoch(self) -> ColumnElement[bool]:
        column = self._features.columns["epoch"]
        return column == bindparam(_EPOCH, type_=column.type)

    def _session_exists(self, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists(select(self._session_key).where(*self._session(), *conditions))

    def _values(self, names: tuple[str, ...]) -> dict[Column[Any], BindParameter[Any]]:
        columns = [self._activity[name] for name in names]
        return {column: bindparam(PREFIX + column.name, type_=column.type) for column in columns}

    def _known(self, names: Mapping[str, int | None]) -> tuple[str, ...]:
        return tuple(name for name in names if name in self._activity)

    def _parameters(
        self, entry: Bookkeeping, expected: tuple[str, ...], written: tuple[str, ...]
    ) -> _Parameters:
        given: _Parameters = {ID: entry.session_id}
        if entry.epoch is not None:
            given[_EPOCH] = entry.epoch
        given.update((_EXPECTED + name, entry.expected[name]) for name in expected)
        given.update((PREFIX + name, entry.values[name]) for name in written)
        return given

    def _once(self, key: object, build: Callable[[], _T]) -> _T:
        if key not in self._kept:
            self._kept[key] = build()
        kept: _T = self._kept[key]
        return kept


_EXPECTED: Final = PREFIX + "expected_"
_EPOCH: Final = PREFIX + "epoch"


# --- transactions -------------------------------------------------------------------------------------------


@contextmanager
def _postgresql(connection: Connection, insists: bool) -> Iterator[None]:
    _read_committed(connection)
    # For this transaction only. Zero would mean to wait for ever.
    wait = _WAIT_MILLISECONDS if insists else 1
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait}")
    yield
    connection.commit()


@contextmanager
def _mysql(connection: Connection, insists: bool) -> Iterator[None]:
    _read_committed(connection)
    # MySQL does not know a wait of no time at all. The second setting is for tables that are being altered.
    shortest = 0 if getattr(connection.dialect, "is_mariadb", False) else 1
    wait = _WAIT_SECONDS if insists else shortest
    connection.exec_driver_sql(
        "SET @websession_row_wait = @@SESSION.innodb_lock_wait_timeout, "
        "@websession_table_wait = @@SESSION.lock_wait_timeout, "
        f"SESSION innodb_lock_wait_timeout = {wait}, SESSION lock_wait_timeout = {wait}"
    )
    try:
        yield
        connection.commit()
    finally:
        # This connection goes back to the pool as it came, or not at all.
        try:
            connection.rollback()
            connection.exec_driver_sql(
                "SET SESSION innodb_lock_wait_timeout = @websession_row_wait, "
                "SESSION lock_wait_timeout = @websession_table_wait"
            )
        except DBAPIError:
            connection.invalidate()


@contextmanager
def _sqlite(connection: Connection, insists: bool) -> Iterator[None]:
    # With the driver's connection, because SQLAlchemy's begins a transaction with its first statement, and
    # an application's "begin" event may wait there for the write lock.
    driver = connection.connection.dbapi_connection
    if driver is None:  # pragma: no cover - it was just checked out
        raise TypeError("the connection has no driver's connection")
    cursor = driver.cursor()
    (patience,) = cursor.execute("PRAGMA busy_timeout").fetchone()
    cursor.execute(f"PRAGMA busy_timeout={_WAIT_MILLISECONDS if insists else 0}")
    # Python 3.12's `autocommit=False` keeps a transaction open at all times and ends it by itself.
    explicit = getattr(driver, "autocommit", None) is not False
    try:
        connection.begin()
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        # In autocommit mode the driver's commit() does nothing, even where an event has begun a transaction.
        if explicit:
            connection.exec_driver_sql("COMMIT")
        connection.commit()
    finally:
        if explicit and driver.in_transaction:
            cursor.execute("ROLLBACK")
        cursor.execute(f"PRAGMA busy_timeout={patience}")
        cursor.close()


def transaction_of_its_own(connection: Connection, *, insists: bool) -> AbstractContextManager[None]:
    """Give a transaction at READ COMMITTED that waits for no lock, committed at the end of the block.

    Args:
        connection: a fresh one, of an engine with whatever isolation level and event listeners it has.
        insists: whether to wait for locks for a bounded time.
    """
    return _TRANSACTIONS[connection.dialect.name](connection, insists)


_TRANSACTIONS: Final[Mapping[str, Callable[[Connection, bool], AbstractContextManager[None]]]] = (
    MappingProxyType({"postgresql": _postgresql, "mysql": _mysql, "mariadb": _mysql, "sqlite": _sqlite})
)


def _read_committed(connection: Connection) -> None:
    driver: Any = connection.connection.dbapi_connection
    ask = getattr(driver, "get_autocommit", None)
    autocommits = ask() if callable(ask) else getattr(driver, "autocommit", False)
    if autocommits is True:
        # An engine without transactions; it gets its own level back when the connection is returned.
        connection.execution_options(isolation_level="READ COMMITTED")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def _may_connect(pool: Pool) -> bool:
    """Return whether a connection can be used now: a free one, or the only one while nobody uses it."""
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
    return has_free_connection(pool)


# --- errors -------------------------------------------------------------------------------------------------

# Another thread was quicker to begin a transaction on the one connection of an in-memory database.
_SQLITE_NESTED: Final = "cannot start a transaction within a transaction"


def is_in_the_way(error: DBAPIError, dialect: str) -> bool:
    """Return whether somebody else's transaction has kept us from it.

    Args:
        error: what was raised.
        dialect: the name of the engine's dialect.
    """
    return is_conflict(error, dialect) or (dialect == "sqlite" and _SQLITE_NESTED in str(error.orig))
