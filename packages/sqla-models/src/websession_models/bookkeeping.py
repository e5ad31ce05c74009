"""Writing down what `websession_core.lifecycle` finds to be due, outside of the application's transaction.

Each entry is one compare-and-set write in a transaction of its own (`own_transactions`), on a connection of
its own, committed at once. It is best effort: what cannot be done now, because a row is locked or has
changed, is not done, and the next request will find it due again. Rows are locked with SKIP LOCKED or NOWAIT.

The companion row is locked before the session's, and neither is waited for while the other is locked, except
by a revocation, which takes them in the order in which readers do. So bookkeeping is part of no deadlock that
the application could be chosen to end.
"""

from __future__ import annotations

import enum
import logging
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from sqlalchemy import bindparam, cast, delete, exists, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from websession_core.lifecycle import Duty

from .companion import KEY
from .emptying import close_companion, of_row
from .executing import ID, PREFIX, execute
from .own_transactions import is_in_the_way, may_connect, outlasting_refusal, short_transaction

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from sqlalchemy import Column, ColumnElement, Connection, Delete, Engine, Insert, Select, Table, Update
    from websession_core.lifecycle import Bookkeeping

    from .features import ModelFeatures
    from .store import Store

__all__ = ["Bookkeeper", "Outcome"]

log = logging.getLogger(__name__)

_MYSQL: Final = frozenset({"mysql", "mariadb"})
_SUPPORTED: Final = frozenset({"postgresql", "sqlite", *_MYSQL})

_Parameters: TypeAlias = dict[str, object]
_Work: TypeAlias = Callable[["Connection"], bool]
_T = TypeVar("_T")
_WriteT = TypeVar("_WriteT", "Update", "Delete")


class Outcome(enum.Enum):
    """What became of an entry."""

    DONE = "done"
    """It took effect."""
    EMPTIED = "the row was emptied, since it cannot be deleted"
    """It took effect, but a foreign key of the application's keeps the row: see `emptying`."""
    NOT_NEEDED = "somebody else was first"
    """Something that it compares has changed or is being changed, or the model has no such column."""
    IN_THE_WAY = "a lock was in the way"
    """The database refused to wait for a lock, or resolved a conflict at its expense."""
    NO_ROW = "the row was not there"
    """It was deleted in the meantime, or is not where the bookkeeper looks."""
    NO_CONNECTION = "no connection was free"
    """No connection was available without waiting."""


class Bookkeeper:
    """Performs the bookkeeping of one model's sessions on one engine.

    Cheap to create: the statements are cached with the store. Use it when the application's transaction is
    over and its connection is back in the pool; `engine_like` returns its engine.

    In-memory SQLite has a single connection (per thread, or for all of them with `StaticPool`), which may be
    in the middle of the application's transaction. It is used only if no transaction is open on it; then a
    write of ours is as safe as the application's own. (An engine whose threads share one connection isolates
    none of them from the others, with or without us.)
    """

    __slots__ = ("_engine", "_prepare", "_statements", "_store")

    def __init__(
        self, store: Store, engine: Engine, *, prepare: Callable[[Connection], object] | None = None
    ) -> None:
        """Make a bookkeeper.

        Args:
            store: Whose sessions these are.
            engine: Where they are stored; it may have any isolation level.
            prepare: Called with each connection of its own once its transaction has begun: for what only a
                connection's own state tells the database, such as a `search_path`.

        Raises:
            ValueError: The engine's database is not PostgreSQL, MariaDB, MySQL or SQLite.
        """
        name = engine.dialect.name
        if name not in _SUPPORTED:
            raise ValueError(f"bookkeeping knows PostgreSQL, MariaDB, MySQL and SQLite, not {name}")
        self._store = store
        self._engine = engine
        self._prepare = prepare
        by_dialect = _statements.setdefault(store, {})
        statements = by_dialect.get(name)
        if statements is None:
            statements = by_dialect[name] = _Statements(store.features, name)
        self._statements = statements

    def __repr__(self) -> str:
        return f"<Bookkeeper of {self._statements.name} on {self._engine.dialect.name}>"

    def perform(self, entry: Bookkeeping, *, within: Connection | None = None) -> bool:
        """Record one entry, in a separate transaction.

        Args:
            entry: What is due, as `websession_core.lifecycle.bookkeeping()` says.
            within: A connection in whose open transaction to write it instead, which may wait for locks and
                is neither committed nor rolled back: for tests that keep everything in one transaction.

        Returns:
            Whether it took effect. False: something it compares has changed, a row it needs is locked or
            gone, the model has no column for it, no connection was free, or the database resolved a
            conflict at its expense. A candidate's cookie may be sent only if True.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: Anything else: the database is gone, the table is missing, a
                foreign key of the application's forbids the deletion. Its message shows no values.
        """
        return self.attempt(entry, within=within) in {Outcome.DONE, Outcome.EMPTIED}

    def attempt(self, entry: Bookkeeping, *, within: Connection | None = None) -> Outcome:
        """Record one entry, as `perform()` does.

        Args:
            entry: As for `perform()`.
            within: As for `perform()`.

        Returns:
            What became of it.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: As for `perform()`.
        """
        work = self._statements.work(entry)
        if work is None:
            return Outcome.NOT_NEEDED
        try:
            if within is None:
                return self._run(work, entry.duty.value, insists=entry.insists, entry=entry)
            with outlasting_refusal(within):
                return Outcome.DONE if work(within) else Outcome.NOT_NEEDED
        except IntegrityError:
            if entry.duty is Duty.RECORD and within is None:
                return Outcome.NOT_NEEDED  # another request was quicker, and its row says the same
            if entry.duty is not Duty.REVOKE:
                raise
        work = self._emptying(entry.session_id)
        if within is not None:
            took_effect = work(within)
        else:
            outcome = self._run(work, entry.duty.value, insists=entry.insists, entry=entry)
            if outcome is not Outcome.DONE:
                return outcome
            took_effect = True
        return Outcome.EMPTIED if took_effect else Outcome.NOT_NEEDED

    def forget(self, session_id: uuid.UUID, *, within: Connection | None = None) -> bool:
        """Delete the companion row of a session that the application has ended.

        Call it once the end of the session is committed; while the session exists, nothing happens. If its
        row was emptied, the deadline is kept, for the purge.

        Args:
            session_id: Whose.
            within: As for `perform()`.

        Returns:
            Whether a row was deleted.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: As for `perform()`.
        """
        orphan = self._statements.forgetting(session_id)
        if orphan is None:
            return False

        def work(connection: Connection) -> bool:
            return orphan(connection) or close_companion(connection, self._store.features, session_id)

        if within is not None:
            return work(within)
        return self._run(work, "forget", insists=False) is Outcome.DONE

    def change_row(
        self,
        session_id: uuid.UUID,
        change: Callable[[Connection, Update], object],
        *,
        within: Connection | None = None,
    ) -> None:
        """Let the application change its own columns of a row, in one of the library's transactions.

        Args:
            session_id: The primary key.
            change: Called with the connection and a statement that updates the row, without values.
            within: As for `perform()`.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: As for `perform()`.
        """
        statement = of_row(self._store.features, session_id)
        if within is not None:
            change(within, statement)
            return
        with short_transaction(self._engine, insists=False, prepare=self._prepare) as connection:
            change(connection, statement)

    def _emptying(self, session_id: uuid.UUID) -> _Work:
        def empty(connection: Connection) -> bool:
            if not self._store.empty(connection, session_id):
                return False
            close_companion(connection, self._store.features, session_id)
            return True

        return empty

    def _run(self, work: _Work, what: str, *, insists: bool, entry: Bookkeeping | None = None) -> Outcome:
        engine = self._engine
        if not may_connect(engine):
            log.debug("%s: not done, no connection is free", what)
            return Outcome.NO_CONNECTION
        try:
            with short_transaction(engine, insists=insists, prepare=self._prepare) as connection:
                if work(connection):
                    return Outcome.DONE
                if entry is None or self._statements.finds(connection, entry):
                    return Outcome.NOT_NEEDED
        except DBAPIError as error:
            if not is_in_the_way(error, engine.dialect.name):
                raise
            log.debug("%s: not done, a lock or a conflict was in the way", what)
            return Outcome.IN_THE_WAY
        log.debug("%s: not done, the row is not there", what)
        return Outcome.NO_ROW


_statements: weakref.WeakKeyDictionary[Store, dict[str, _Statements]] = weakref.WeakKeyDictionary()


# --- statements ---------------------------------------------------------------------------------------------


class _Statements:
    """The bookkeeping of one model on one dialect: entries in, work on a connection out.

    Statements are cached by what they compare and write, so that SQLAlchemy compiles each of them once.
    """

    def __init__(self, features: ModelFeatures, dialect: str) -> None:
        self.name = features.name
        self._features = features
        self._dialect = dialect
        self._companion = features.companion
        self._activity = features.activity
        self._cache: dict[object, Any] = {}

    def work(self, entry: Bookkeeping) -> _Work | None:
        """Return how to record an entry; None: the model has no place for it."""
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
        write = self._once("delete orphan", lambda: self._where_locked(delete(companion), companion, lock))
        return self._locked_write(lock, write, {ID: session_id})

    def _revision(self, entry: Bookkeeping) -> _Work | None:
        """Update the companion row, if it holds what is expected."""
        companion, names = self._companion, self._available(entry.values)
        if companion is None or not names:
            return None
        expected = self._available(entry.expected)
        lock = self._lock(companion, expected, insists=entry.insists, epoch=entry.epoch is not None)
        write = self._once(
            ("update", names, lock),
            lambda: self._where_locked(update(companion).values(self._values(names)), companion, lock),
        )
        return self._locked_write(lock, write, self._parameters(entry, expected, names))

    def _recording(self, entry: Bookkeeping) -> _Work | None:
        """Insert the companion row, if there is a session row and no companion row."""
        companion, names = self._companion, self._available(entry.values)
        if companion is None:
            return None
        statement = self._once(("insert", names), lambda: self._insert(companion, names))
        parameters = self._parameters(entry, (), names)
        return lambda connection: execute(connection, statement, parameters).rowcount == 1

    def _removal(self, entry: Bookkeeping) -> _Work:
        """Delete both rows, if the companion row holds what is expected (nothing: if there is none)."""
        companion, table = self._companion, self._features.table
        expected = self._available(entry.expected)
        parameters = self._parameters(entry, expected, ())
        conditions = () if entry.epoch is None else (self._epoch(),)
        lock_session = self._once(
            ("lock session", bool(conditions)), lambda: self._locking(table, *conditions, removes=True)
        )
        read_session = self._once("read session", lambda: select(self._session_key).where(*self._session()))
        delete_session = self._once("delete session", lambda: delete(table).where(*self._session()))
        if companion is None or not expected:
            probe = self._once("read companion", self._read_companion)

            def remove_unrecorded(connection: Connection) -> bool:
                if probe is not None and execute(connection, probe, parameters).first() is not None:
                    return False  # it has been used since
                if execute(connection, lock_session, parameters).first() is None:
                    return False
                return execute(connection, delete_session, parameters).rowcount == 1

            return remove_unrecorded
        lock = self._lock(companion, expected, removes=True)
        delete_companion = self._once("delete companion", lambda: self._by_key(delete(companion), companion))

        def remove(connection: Connection) -> bool:
            if execute(connection, lock, parameters).first() is None:
                return False
            if execute(connection, lock_session, parameters).first() is not None:
                execute(connection, delete_session, parameters)
            elif execute(connection, read_session, parameters).first() is not None:
                return False  # somebody is writing it, or has logged in meanwhile
            return execute(connection, delete_companion, parameters).rowcount == 1

        return remove

    def _revocation(self, entry: Bookkeeping) -> _Work:
        """Delete both rows, whatever they hold."""
        companion, table = self._companion, self._features.table
        parameters = self._parameters(entry, (), ())
        deletions = [self._once("delete session", lambda: delete(table).where(*self._session()))]
        if companion is not None:
            deletions.append(
                self._once("delete companion", lambda: self._by_key(delete(companion), companion))
            )

        def revoke(connection: Connection) -> bool:
            counts = [execute(connection, deletion, parameters).rowcount for deletion in deletions]
            return any(counts)

        return revoke

    def finds(self, connection: Connection, entry: Bookkeeping) -> bool:
        """Return whether the rows that an entry is about can be seen, locked or not, on a connection."""
        parameters: _Parameters = {ID: entry.session_id}
        statements = [self._once("read session", lambda: select(self._session_key).where(*self._session()))]
        companion = self._once("read companion", self._read_companion) if entry.expected else None
        if companion is not None:
            statements.append(companion)
        return all(execute(connection, statement, parameters).first() is not None for statement in statements)

    # What follows are the parts of statements.

    @property
    def _locks_first(self) -> bool:
        # MySQL and MariaDB let no UPDATE select from the table it updates, and their joined UPDATE would
        # lock the session's row as well. So there are two statements; what the first has locked stays locked.
        return self._dialect in _MYSQL

    def _locked_write(self, lock: Select[Any], write: Update | Delete, parameters: _Parameters) -> _Work:
        def locked_write(connection: Connection) -> bool:
            if not self._locks_first:
                return execute(connection, write, parameters).rowcount == 1
            if execute(connection, lock, parameters).first() is None:
                return False
            execute(connection, write, parameters)
            return True

        return locked_write

    def _where_locked(self, write: _WriteT, table: Table, lock: Select[Any]) -> _WriteT:
        if self._locks_first:
            return self._by_key(write, table)
        return write.where(table.columns[KEY] == lock.scalar_subquery())

    def _by_key(self, write: _WriteT, table: Table) -> _WriteT:
        return write.where(_is_the_one(table.columns[KEY]))

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
            conditions: list[ColumnElement[bool]] = [
                column.is_not_distinct_from(bindparam(_EXPECTED + column.name, type_=column.type))
                for column in map(self._activity.__getitem__, expected)
            ]
            if epoch:
                conditions.append(self._session_exists(self._epoch()))
            return self._locking(companion, *conditions, waits=insists, removes=removes)

        return self._once(("lock", expected, insists, epoch, removes), build)

    def _locking(
        self, table: Table, *conditions: ColumnElement[bool], waits: bool = False, removes: bool = False
    ) -> Select[Any]:
        key = table.columns[KEY] if table is self._companion else self._session_key
        which = [_is_the_one(key)] if table is self._companion else self._session()
        # PostgreSQL: NO KEY UPDATE is what an UPDATE takes that leaves the key alone. MariaDB and MySQL:
        # with NOWAIT, because SKIP LOCKED and a lock wait timeout of 0 are too much for MariaDB (error 1180).
        # SQLite has no row locks, and SQLAlchemy leaves the clause out.
        nowait = self._dialect in _MYSQL and not waits
        return (
            select(key)
            .where(*which, *conditions)
            .with_for_update(nowait=nowait, skip_locked=not (waits or nowait), key_share=not removes)
        )

    def _insert(self, companion: Table, names: tuple[str, ...]) -> Insert:
        values = [cast(value, column.type) for column, value in self._values(names).items()]
        is_new = ~exists().where(companion.columns[KEY] == self._session_key).correlate(self._features.table)
        source = select(self._session_key, *values).where(*self._session(), is_new)
        # The count of an INSERT's rows is not preserved unless asked for.
        statement = insert(companion).from_select([KEY, *names], source)
        return statement.execution_options(preserve_rowcount=True)

    def _read_companion(self) -> Select[Any] | None:
        if self._companion is None:
            return None
        key = self._companion.columns[KEY]
        return select(key).where(_is_the_one(key))

    @property
    def _session_key(self) -> Column[Any]:
        return self._features.columns["id"]

    def _session(self) -> list[ColumnElement[bool]]:
        return [_is_the_one(self._session_key), self._features.criterion()]

    def _epoch(self) -> ColumnElement[bool]:
        column = self._features.columns["epoch"]
        return column == bindparam(_EPOCH, type_=column.type)

    def _session_exists(self, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists(select(self._session_key).where(*self._session(), *conditions))

    def _values(self, names: tuple[str, ...]) -> dict[Column[Any], ColumnElement[Any]]:
        columns = [self._activity[name] for name in names]
        return {column: bindparam(PREFIX + column.name, type_=column.type) for column in columns}

    def _available(self, names: Mapping[str, int | None]) -> tuple[str, ...]:
        return tuple(name for name in names if name in self._activity)

    def _parameters(
        self, entry: Bookkeeping, expected: tuple[str, ...], names: tuple[str, ...]
    ) -> _Parameters:
        parameters: _Parameters = {ID: entry.session_id}
        if entry.epoch is not None:
            parameters[_EPOCH] = entry.epoch
        parameters.update((_EXPECTED + name, entry.expected[name]) for name in expected)
        parameters.update((PREFIX + name, entry.values[name]) for name in names)
        return parameters

    def _once(self, key: object, build: Callable[[], _T]) -> _T:
        if key not in self._cache:
            self._cache[key] = build()
        statement: _T = self._cache[key]
        return statement


def _is_the_one(key: Column[Any]) -> ColumnElement[bool]:
    return key == bindparam(ID, type_=key.type)


_EXPECTED: Final = PREFIX + "expected_"
_EPOCH: Final = PREFIX + "epoch"
