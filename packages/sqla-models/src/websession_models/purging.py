"""Deleting sessions that have ended, beside an application that goes on working.

A session that nobody comes back to is not deleted by any request. `purge` deletes what is past its deadline,
the indexed `expires_at` of the companion table, oldest first, so its cost follows the number of expired
sessions and not the size of the table. It deletes nothing that a request would still accept, and leaves a
margin for requests under way and for clocks that differ.

Given the policies of now, it first gives deadlines to sessions of which a request would go by an earlier one:
those from before a timeout was switched on or made shorter, or from before the model had its mixin. The index
finds those without any; if they are many, or a sample of the table has others, the table is read as a whole,
page by page. So a second purge costs what it costs without policies.

It disturbs nobody. Each batch is a short transaction of its own at READ COMMITTED that waits for no lock, so
neither the application nor a second purger can end up in a deadlock with it. What somebody else holds is
left for the next time. With MariaDB's snapshot isolation, a request at SERIALIZABLE that comes with the
cookie of an expired session while that is deleted may have to be run again.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Integer, and_, bindparam, case, cast, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from websession_core.errors import SessionError

from .companion import KEY
from .executing import PREFIX, execute
from .features import features_of
from .own_transactions import in_turn, is_in_the_way, reading, short_transaction
from .queries import ends_at, with_companion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Column, ColumnElement, Connection, Engine, Select, Table
    from websession_core.policies import Policies

    from .features import ModelFeatures

__all__ = ["MARGIN", "SAMPLE", "PurgeReport", "UnpurgeableModelError", "outdated_in_sample", "purge"]

MARGIN: Final = 60
"""For how long an expired session is left alone, in seconds, by default."""

SAMPLE: Final = 1000
"""How many rows at a random place of the table are asked whether their deadlines are those of now."""

_BATCH: Final = 500
_PAGE: Final = 2000
_T = TypeVar("_T")

_IDS: Final = PREFIX + "ids"
_CUTOFF: Final = PREFIX + "cutoff"
_AFTER: Final = PREFIX + "after"
_AFTER_ID: Final = PREFIX + "after_id"
_LIMIT: Final = PREFIX + "limit"
_ID: Final = PREFIX + "id"
_END: Final = PREFIX + "end"


class UnpurgeableModelError(SessionError, ValueError):
    """The model has neither idle nor absolute timeout, so its sessions have no deadlines."""


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """What a purge has done so far.

    Attributes:
        sessions: How many sessions were deleted; in a dry run, how many would be.
        orphans: How many companion rows without a session were deleted.
        left: How many were left because another transaction, for example another purge, was using them.
        refused: How many the database refused to delete: a foreign key of the application refers to them.
        finished: Whether all sessions that had expired at the beginning were processed, so that no limit
            stopped it.
        seconds: How long it took.
        rescheduled: How many sessions had no deadline, or a later one, and got one from the current policies;
            in a dry run, how many of those that would be deleted this applies to.
    """

    sessions: int = 0
    orphans: int = 0
    left: int = 0
    refused: int = 0
    finished: bool = False
    seconds: float = 0.0
    rescheduled: int = 0


def purge(
    engine: Engine,
    model: type,
    *,
    now: int,
    policies: Policies | None = None,
    all_rows: bool = False,
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
        policies: The current timeouts: sessions whose deadline does not match them get a new one. None: only
            recorded deadlines count.
        all_rows: Compare the deadlines of the whole table, not only of a sample, with the policies.
        margin: For how many seconds after its deadline a session is left alone: longer than any request
            takes, and longer than any two servers' clocks differ.
        max_rows: How many sessions to delete at most; None: no limit.
        max_seconds: The number of seconds after which no further batch begins; None: no limit.
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
    features = features_of(model)
    statements = _Statements(features, engine.dialect.name)
    outdated = None if policies is None else _Outdated(features, policies)
    start, cutoff = time.monotonic(), now - margin

    def is_time_up() -> bool:
        return max_seconds is not None and time.monotonic() - start >= max_seconds

    if dry_run:

        def count() -> tuple[int, int]:
            with reading(engine) as connection:
                recorded = execute(connection, statements.count, {_CUTOFF: cutoff}).scalar() or 0
                if outdated is None:
                    return recorded, 0
                return recorded, outdated.count(connection, cutoff, all_rows=all_rows)

        recorded, rescheduled = in_turn(engine, count)
        total = recorded + rescheduled
        sessions = total if max_rows is None else min(total, max_rows)
        seconds = time.monotonic() - start
        return PurgeReport(sessions, finished=sessions == total, seconds=seconds, rescheduled=rescheduled)
    run = _Run(engine, statements, cutoff)
    is_rescheduled = outdated is None or _reschedule(run, outdated, is_time_up, all_rows=all_rows)
    finished = False
    while not finished:
        size = batch if max_rows is None else min(batch, max_rows - run.sessions)
        if size <= 0 or is_time_up():
            break
        finished = run.next_batch(size)
        if progress is not None:
            progress(run.report(finished=finished, seconds=time.monotonic() - start))
    return run.report(finished=finished and is_rescheduled, seconds=time.monotonic() - start)


def outdated_in_sample(
    connection: Connection, model: type, *, policies: Policies, all_rows: bool = False
) -> tuple[int, int]:
    """Return how many rows have no deadline, or a later one than by the policies, and of how many.

    Args:
        connection: From `reading()`.
        model: The session model, with deadlines.
        policies: The timeouts that hold now.
        all_rows: Look at the whole table, and not at `SAMPLE` rows at a random place of it.
    """
    outdated = _Outdated(features_of(model), policies)
    return outdated.tally(connection) if all_rows else outdated.sample(connection)


def _reschedule(run: _Run, outdated: _Outdated, is_time_up: Callable[[], bool], *, all_rows: bool) -> bool:
    """Give sessions the deadlines of now; return whether all have them."""

    def is_any_in_sample() -> bool:
        with reading(run.engine) as connection:
            return outdated.sample(connection)[0] > 0

    unscheduled = outdated.unscheduled(run.engine)
    run.reschedule(unscheduled)
    if is_time_up():
        return False
    # By the index of deadlines those without one come in no order that a next page could go on from.
    are_more = len(unscheduled) == _PAGE
    if not (all_rows or are_more or in_turn(run.engine, is_any_in_sample)):
        return True
    for rows in outdated.everywhere(run.engine):
        run.reschedule(rows)
        if is_time_up():
            return False
    return True


class _Run:
    """One purge: where it is, and what it has done."""

    def __init__(self, engine: Engine, statements: _Statements, cutoff: int) -> None:
        self.engine = engine
        self._statements = statements
        self._cutoff = cutoff
        self._after: tuple[int, uuid.UUID] | None = None
        self.sessions = self._orphans = self._left = self._refused = self._rescheduled = 0

    def report(self, *, finished: bool, seconds: float) -> PurgeReport:
        return PurgeReport(
            self.sessions, self._orphans, self._left, self._refused, finished, seconds, self._rescheduled
        )

    def reschedule(self, rows: Sequence[Any]) -> None:
        """Record deadlines; what somebody else is at work with is left for the next time."""
        if not rows:
            return
        try:
            count = self._in_turn(lambda connection: self._statements.reschedule(connection, rows))
        except DBAPIError as error:
            # An IntegrityError: a request has recorded one of them meanwhile.
            is_met = isinstance(error, IntegrityError) or is_in_the_way(error, self.engine.dialect.name)
            if not is_met:
                raise
        else:
            self._rescheduled += count
            return
        if len(rows) > 1:
            middle = len(rows) // 2
            self.reschedule(rows[:middle])
            self.reschedule(rows[middle:])

    def next_batch(self, size: int) -> bool:
        """Delete the next sessions; return whether these were the last."""

        def read() -> Sequence[Any]:
            # An application's "begin" event may want the write lock even for this.
            with reading(self.engine) as connection:
                return self._statements.expired(connection, self._cutoff, self._after, size)

        rows = in_turn(self.engine, read)
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
            if not is_in_the_way(error, self.engine.dialect.name):
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
        return self._in_turn(lambda connection: self._statements.delete(connection, ids, self._cutoff))

    def _in_turn(self, work: Callable[[Connection], _T]) -> _T:
        """Do something in a transaction of its own."""
        # SQLite has one writer at a time; elsewhere one locked row must not keep the others waiting.
        takes_turns = self.engine.dialect.name == "sqlite"

        def work_once() -> _T:
            with short_transaction(self.engine, insists=takes_turns) as connection:
                return work(connection)

        return in_turn(self.engine, work_once) if takes_turns else work_once()


class _Statements:
    """The statements of a purge, for one model on one dialect."""

    def __init__(self, features: ModelFeatures, dialect: str) -> None:
        deadline = features.activity.get("expires_at")
        if features.companion is None or deadline is None:
            raise UnpurgeableModelError(
                f"the model {features.name} has neither IdleMixin nor AbsoluteMixin: its sessions have no "
                "deadline to be purged by"
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
        # The deadline is compared here and not there, where the index of deadlines may look like a way to the
        # rows: all that are past theirs, for each batch.
        companions = select(self._key, deadline).where(self._in(self._key))
        sessions = select(self._session_key).where(self._in(self._session_key), features.criterion())
        self._lock_companions, self._lock_sessions = (
            rows.with_for_update(nowait=nowait, skip_locked=not nowait) for rows in (companions, sessions)
        )
        self._read_sessions = select(self._session_key).where(self._in(self._session_key))
        self._delete_sessions = delete(features.table).where(self._in(self._session_key))
        self._delete_companions = delete(self._companion).where(self._in(self._key))
        key, end = self._parameter(_ID, self._key), self._parameter(_END, deadline)
        self._move = update(self._companion).where(self._key == key).values({deadline: end})
        is_new = ~exists().where(self._key == self._session_key).correlate(features.table)
        record = insert(self._companion).from_select(
            [self._key, deadline],
            select(self._session_key, cast(end, deadline.type)).where(
                self._session_key == key, features.criterion(), is_new
            ),
            include_defaults=False,
        )
        self._record = record.execution_options(preserve_rowcount=True)
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
        deadlines = self._deadlines(connection, ids)
        ours = [key for key, deadline in deadlines.items() if deadline is not None and deadline <= cutoff]
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

    def reschedule(self, connection: Connection, rows: Sequence[Any]) -> int:
        """Record deadlines: those that are still as they were read, and that nobody else holds."""
        recorded = {row.id: row.stored for row in rows if row.is_recorded}
        deadlines = self._deadlines(connection, list(recorded)) if recorded else {}
        unchanged = {key for key, deadline in deadlines.items() if deadline == recorded[key]}
        moves = [{_ID: row.id, _END: row.end} for row in rows if row.id in unchanged]
        if moves:
            execute(connection, self._move, moves)
        records = [{_ID: row.id, _END: row.end} for row in rows if not row.is_recorded]
        return len(moves) + sum(execute(connection, self._record, record).rowcount for record in records)

    def _deadlines(self, connection: Connection, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int | None]:
        """Lock companions that nobody else holds; return their deadlines as they are now."""
        rows: Any = execute(connection, self._lock_companions, {_IDS: list(ids)})
        return dict(rows.all())

    def _ids(
        self, connection: Connection, statement: Select[Any], ids: Sequence[uuid.UUID]
    ) -> list[uuid.UUID]:
        return list(execute(connection, statement, {_IDS: list(ids)}).scalars())

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


class _Outdated:
    """The queries for sessions whose recorded deadline is none, or later than by the policies of now."""

    def __init__(self, features: ModelFeatures, policies: Policies) -> None:
        companion, stored = features.companion, features.activity.get("expires_at")
        if companion is None or stored is None:  # pragma: no cover - a purge has refused the model by now
            raise UnpurgeableModelError(f"{features.name} has no deadlines")
        self._key: Column[Any] = features.columns["id"]
        self._companion_key: Column[Any] = companion.columns[KEY]
        self._stored: Column[Any] = stored
        self._source = with_companion(features)
        self._from_companion = companion.join(features.table, self._companion_key == self._key)
        self._ours = features.criterion()
        self._end: ColumnElement[Any] = ends_at(features, policies)
        self._is_outdated = or_(
            and_(stored.is_(None), self._end.is_not(None)),
            self._end < stored,
        )
        self._columns = (
            self._key.label("id"),
            self._end.label("end"),
            stored.label("stored"),
            self._companion_key.is_not(None).label("is_recorded"),
        )

    def unscheduled(self, engine: Engine) -> Sequence[Any]:
        """Return a page of those that are recorded without a deadline, by the index of deadlines."""
        statement = (
            select(*self._columns)
            .select_from(self._from_companion)
            .where(self._stored.is_(None), self._end.is_not(None), self._ours)
            .limit(_PAGE)
        )
        return self._read(engine, statement)

    def everywhere(self, engine: Engine) -> Iterator[Sequence[Any]]:
        """Yield all of them, by their keys, from the first row of the table to the last."""
        statement = select(*self._columns).select_from(self._source).where(self._is_outdated, self._ours)
        last = select(self._key).order_by(self._key).offset(_PAGE - 1).limit(1)
        within: list[ColumnElement[bool]] = []
        while True:
            ends = self._read(engine, last.where(*within))
            page = [*within, *(self._key <= row.id for row in ends)]
            yield self._read(engine, statement.where(*page).order_by(self._key))
            if not ends:
                return
            within = [self._key > ends[0].id]

    def sample(self, connection: Connection) -> tuple[int, int]:
        """Return how many of `SAMPLE` rows at a random place are outdated, and how many rows these were."""
        place = uuid.uuid4()
        outdated, rows = self.tally(connection, self._key >= place, limit=SAMPLE)
        if rows < SAMPLE:
            more, others = self.tally(connection, self._key < place, limit=SAMPLE - rows)
            outdated, rows = outdated + more, rows + others
        return outdated, rows

    def tally(
        self, connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None
    ) -> tuple[int, int]:
        """Return how many rows are outdated, and of how many."""
        rows = (
            select(case((self._is_outdated, 1), else_=0).label("outdated"))
            .select_from(self._source)
            .where(*conditions, self._ours)
        )
        if limit is not None:
            rows = rows.order_by(self._key).limit(limit)
        table = rows.subquery()
        statement = select(func.sum(table.columns.outdated), func.count()).select_from(table)
        line: Any = execute(connection, statement, {}).one()
        return int(line[0] or 0), line[1]

    def count(self, connection: Connection, cutoff: int, *, all_rows: bool) -> int:
        """Return how many have ended by the policies, and not by the deadline that is recorded."""
        has_ended = and_(self._end <= cutoff, or_(self._stored.is_(None), self._stored > cutoff))
        source: Any = self._source
        conditions = [has_ended, self._ours]
        if not (all_rows or self.sample(connection)[0]):
            source = self._from_companion
            conditions.append(self._stored.is_(None))
        statement = select(func.count()).select_from(source).where(*conditions)
        return execute(connection, statement, {}).scalar() or 0

    def _read(self, engine: Engine, statement: Select[Any]) -> Sequence[Any]:
        def read() -> Sequence[Any]:
            with reading(engine) as connection:
                return execute(connection, statement, {}).all()

        return in_turn(engine, read)
