"""Ending sessions from outside of a request: at once, also while a request is at work with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from websession_core.lifecycle import Bookkeeping, Duty

from .bookkeeping import Bookkeeper, Outcome
from .own_transactions import reading

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterable

    from sqlalchemy import Engine

    from .store import Store

__all__ = ["RevokeReport", "revoke"]

# Each waits half a second for locks, two on MariaDB and MySQL.
_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class RevokeReport:
    """What a revocation has done so far.

    Attributes:
        ended: How many sessions were ended.
        gone: How many no longer existed.
        held: The sessions whose rows were locked by other transactions all the time.
        emptied: How many of the ended sessions left an emptied row, since a foreign key of the application
            keeps it from being deleted.
    """

    ended: int
    gone: int
    held: tuple[uuid.UUID, ...]
    emptied: int = 0


def revoke(
    engine: Engine,
    store: Store,
    session_ids: Iterable[uuid.UUID],
    *,
    progress: Callable[[int], None] | None = None,
    on_emptied: Callable[[uuid.UUID, Bookkeeper], object] | None = None,
) -> RevokeReport:
    """End sessions: delete their rows, each in a short transaction of its own.

    A row that a foreign key of the application's keeps is emptied; see `emptying`.

    A request that is using one of them at that moment fails with a conflict, and has to run again. The next
    request of that browser has no session.

    Args:
        engine: Where the sessions are.
        store: Of the model whose sessions these are.
        session_ids: The primary keys.
        progress: Called after each of them with 1.
        on_emptied: Called with the primary key of each emptied row, whose session is ended by then, and a
            bookkeeper: its `change_row()` clears columns of the application's own.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database cannot be had.
    """
    bookkeeper = Bookkeeper(store, engine)
    ended = gone = emptied = 0
    held = []
    for session_id in session_ids:
        entry = Bookkeeping(Duty.REVOKE, session_id, {}, {}, insists=True)
        for _ in range(_TRIES):
            outcome = bookkeeper.attempt(entry)
            if outcome in {Outcome.DONE, Outcome.EMPTIED}:
                ended += 1
                break
            if _is_gone(engine, store, session_id):
                gone += 1
                break
        else:
            held.append(session_id)
        if outcome is Outcome.EMPTIED:
            emptied += 1
            if on_emptied is not None:
                on_emptied(session_id, bookkeeper)
        if progress is not None:
            progress(1)
    return RevokeReport(ended, gone, tuple(held), emptied)


def _is_gone(engine: Engine, store: Store, session_id: uuid.UUID) -> bool:
    key = store.features.columns["id"]
    with reading(engine) as connection:
        return connection.execute(select(key).where(key == session_id)).first() is None
