"""Deleting sessions that have ended, beside an application that goes on working.

A session that nobody comes back to is not deleted by any request. `purge` deletes what is past its deadline,
the indexed `expires_at` of the companion table, oldest first, so its cost follows the number of expired
sessions and not the size of the table. It deletes nothing that a request would still accept, and leaves a
margin for requests under way and for clocks that differ.

It disturbs nobody. Each batch is a short transaction of its own at READ COMMITTED that waits for no lock, so
neither the application nor a second purger can end up in a deadlock with it. What somebody else holds is
left for the next time. With MariaDB's snapshot isolation, a request at SERIALIZABLE that comes with the
cookie of an expired session while that is deleted may have to be run again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, and_, bindparam, delete, func, or_, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from websession_core.errors import SessionError

from .companion import KEY
from .executing import PREFIX, execute
from .features import features_of
from .own_transactions import in_turn, is_in_the_way, reading, short_transaction

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Sequence

    from sqlalchemy import Column, ColumnElement, Connection, Engine, Select, Table

    from .features import ModelFeatures

__all__ = ["MARGIN", "PurgeReport", "UnpurgeableModelError", "purge"]

MARGIN: Final = 60
"""For how long an expired session is left alone, in seconds, by default."""

_BATCH: Final = 500
_IDS: Final = PREFIX + "ids"
_CUTOFF: Final = PREFIX + "cutoff"
_AFTER: Final = PREFIX + "after"
_AFTER_ID: Final = PREFIX + "after_id"
_LIMIT: Final = PREFIX + "limit"


class UnpurgeableModelError(SessionError, ValueError):
    """The model has neither idle nor absolute timeout, so its sessions have no deadlines."""


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """What a purge has done so far.

    Attributes:
        sessions: How many sessions were deleted; of a dry run: how many would be.
        orphans: How many companion rows were deleted whose session somebody else had deleted.
        left: How many were left because somebody else, another purge for example, was at work with them.
        refused: How many the database would not delete: a foreign key of the application's refers to them.
        finished: Whether all that was expired at the beginning was looked at, so that no limit ended it.
        seconds: How long it took.
    """

    sessions: int = 0
    orphans: int = 0
    left: int = 0
    refused: int = 0
    finished: bool = False
    seconds: float = 0.0


def purge(
    engine: Engine,
    model: type,
    *,
    now: int,
    margin: int = MARGIN,
    max_rows: int | None = None,
    max_seconds: float | None = None,
    batch: int = _BATCH,
    dry_run: bool = False,
    progress: Callable[[PurgeReport], None] | None = None,
) -> PurgeReport:
    """Delete the sessions of a model that are past their deadline.

    Several may run at the same time; they share the work.

    Args:
        engine: Where the sessions are, with any isolation level.
        model: The session model.
        now: The time, in Unix seconds.
        margin: For how many seconds after its deadline a session is left alone: longer than any request
            takes, and than any two servers' clocks differ.
        max_rows: How many sessions to delete at most; None: no limit.
        max_seconds: After how many seconds to begin no further batch; None: no limit.
        batch: How many sessions to delete in one transaction.
        dry_run: Count them only.
        progress: Called after each batch with what was done so far.

    Returns:
        What was done.

    Raises:
        UnpurgeableModelError: The model has no deadlines.
        ModelError: The class cannot be a session model.
        ValueError: `margin`, `max_rows`, `max_seconds` or `batch` is negative, or `batch` is 0.
        sqlalchemy.exc.SQLAlchemyError: The database cannot be had, or refuses something else.
    """
    if min(margin, max_rows or 0, max_seconds or 0) < 0 or batch < 1:
        raise ValueError("margin, max_rows, max_seconds must not be negative, nor batch less than 1")
    statements = _Statements(features_of(model), engine.dialect.name)
    start, cutoff = time.monotonic(), now - margin
    if dry_run:

        def count() -> int:
            with reading(engine) as connection:
                return execute(connection, statements.count, {_CUTOFF: cutoff}).scalar() or 0

        total = in_turn(engine, count)
        sessions = total if max_rows is None else min(total, max_rows)
        return PurgeReport(sessions, finished=sessions == total, seconds=time.monotonic() - start)
    run = _Run(engine, statements, cutoff)
    finished = False
    while not finished:
        size = batch if max_rows is None else min(batch, max_rows - run.sessions)
        if size <= 0 or (max_seconds is not None and time.monotonic() - start >= max_seconds):
            break
        finished = run.next_batch(size)
        if progress is not None:
            progress(run.report(finished=finished, seconds=time.monotonic() - start))
    return run.report(finished=finished, seconds=time.monotonic() - start)


class _Run:
    """One purge: where it is, and what it has done."""

    def __init__(self, engine: Engine, statements: _Statements, cutoff: int) -> None:
        self._engine = engine
        self._statements = statements
        self._cutoff = cutoff
        self._after: tuple[int, uuid.UUID] | None = None
        self.sessions = self._orphans = self._left = self._refused = 0

    def report(self, *, finished: bool, seconds: float) -> PurgeReport:
        return PurgeReport(self.sessions, self._orphans, self._left, self._refused, finished, seconds)

    def next_batch(self, size: int) -> bool:
        """Delete the next sessions; return whether these were the last."""

        def read() -> Sequence[Any]:
            # An application's "begin" event may want the write lock even for this.
            with reading(self._engine) as connection:
                return self._statements.expired(connection, self._cutoff, self._after, size)

        rows = in_turn(self._engine, read)
        if rows:
            expires_at, session_id = rows[-1]
            self._after = (expires_at, session_id)
            self._delete([session_id for _, session_id in rows])
        return len(rows) < size

    def _delete(self, ids: Sequence[uuid.UUID]) -> None:
        """Delete what can be deleted; if something keeps all of them, by halves."""
        try:
            sessions, orphans = self._attempt(ids)
        except IntegrityError:
            if len(ids) == 1:
                self._refused += 1
                return
        except DBAPIError as error:
            if not is_in_the_way(error, self._engine.dialect.name):
                raise
            if len(ids) == 1:
                self._left += 1
                return
        else:
            self.sessions += sessions
            self._orphans += orphans
            self._left += len(ids) - sessions - orphans
            return
        middle = len(ids) // 2
        self._delete(ids[:middle])
        self._delete(ids[middle:])

    def _attempt(self, ids: Sequence[uuid.UUID]) -> tuple[int, int]:
        """Delete sessions in one transaction; return how many sessions, and how many orphans, these were."""

        def delete() -> tuple[int, int]:
            with short_transaction(self._engine, insists=takes_turns) as connection:
                return self._statements.delete(connection, ids, self._cutoff)

        # SQLite has one writer at a time; elsewhere one locked row must not keep the others waiting.
        takes_turns = self._engine.dialect.name == "sqlite"
        return in_turn(self._engine, delete) if takes_turns else delete()


class _Statements:
    """The statements of a purge, for one model on one dialect."""

    def __init__(self, features: ModelFeatures, dialect: str) -> None:
        deadline = features.activity.get("expires_at")
        if features.companion is None or deadline is None:
            raise UnpurgeableModelError(
                f"{features.name} has neither IdleMixin nor AbsoluteMixin: its sessions have no deadline "
                "to be purged by"
            )
        self._features = features
        self._companion: Table = features.companion
        self._deadline: Column[Any] = deadline
        self._key: Column[Any] = features.companion.columns[KEY]
        self._session_key: Column[Any] = features.columns["id"]
        self._is_past = deadline <= self._parameter(_CUTOFF, deadline)
        # SQLAlchemy leaves the clause out on SQLite. SKIP LOCKED and a lock wait timeout of 0 are too much
        # for MariaDB (error 1180); there one locked row fails the batch, and its halves are tried.
        nowait = dialect in {"mysql", "mariadb"}
        companions = select(self._key).where(self._in(self._key), self._is_past)
        sessions = select(self._session_key).where(self._in(self._session_key), features.criterion())
        self._lock_companions, self._lock_sessions = (
            rows.with_for_update(nowait=nowait, skip_locked=not nowait) for rows in (companions, sessions)
        )
        self._read_sessions = select(self._session_key).where(self._in(self._session_key))
        self._delete_sessions = delete(features.table).where(self._in(self._session_key))
        self._delete_companions = delete(self._companion).where(self._in(self._key))
        self.count = select(func.count()).select_from(self._companion).where(self._is_past)
        self._first = self._expired()
        after = self._parameter(_AFTER, self._deadline)
        self._next = self._expired(
            # The first part is for the index, which has the deadline alone.
            and_(
                self._deadline >= after,
                or_(self._deadline > after, self._key > self._parameter(_AFTER_ID, self._key)),
            )
        )

    def expired(
        self, connection: Connection, cutoff: int, after: tuple[int, uuid.UUID] | None, size: int
    ) -> Sequence[Any]:
        """Return deadlines and keys of the next sessions that are past their deadline, oldest first."""
        parameters: dict[str, object] = {_CUTOFF: cutoff, _LIMIT: size}
        if after is None:
            return execute(connection, self._first, parameters).all()
        parameters.update(zip((_AFTER, _AFTER_ID), after, strict=True))
        return execute(connection, self._next, parameters).all()

    def delete(self, connection: Connection, ids: Sequence[uuid.UUID], cutoff: int) -> tuple[int, int]:
        """Delete those of the sessions that are still expired and that nobody else holds."""
        ours = self._ids(connection, self._lock_companions, ids, **{_CUTOFF: cutoff})
        if not ours:
            return 0, 0
        sessions = self._ids(connection, self._lock_sessions, ours)
        orphans = set(ours) - set(sessions)
        if orphans:
            orphans -= set(self._ids(connection, self._read_sessions, sorted(orphans)))
        if sessions:
            execute(connection, self._delete_sessions, {_IDS: sessions})
        companions = [*sessions, *sorted(orphans)]
        if companions:
            execute(connection, self._delete_companions, {_IDS: companions})
        return len(sessions), len(orphans)

    def _ids(
        self, connection: Connection, statement: Select[Any], ids: Sequence[uuid.UUID], **more: object
    ) -> list[uuid.UUID]:
        return list(execute(connection, statement, {_IDS: list(ids), **more}).scalars())

    def _expired(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        # By what is read, without a lock: what has been purged by another meanwhile is not found when it is
        # to be locked.
        return (
            select(self._deadline, self._key)
            .where(self._is_past, *conditions)
            .order_by(self._deadline, self._key)
            .limit(bindparam(_LIMIT, type_=Integer()))
        )

    def _in(self, column: Column[Any]) -> ColumnElement[bool]:
        return column.in_(bindparam(_IDS, expanding=True, type_=column.type))

    def _parameter(self, name: str, column: Column[Any]) -> Any:
        return bindparam(name, type_=column.type)
