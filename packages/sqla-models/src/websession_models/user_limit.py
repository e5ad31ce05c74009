"""How many sessions a user has, and which number the next one gets; see `SessionLimitMixin`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from websession_core.state import short_name

from .mixins import slots_index_in
from .queries import is_active, last_rotated
from .userids import is_exactly, may_be_same_user

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable

    from sqlalchemy import Connection, Dialect
    from sqlalchemy.exc import IntegrityError

    from .features import ModelFeatures

__all__ = ["UsersSession", "free_slot", "is_slot_taken", "users_sessions"]


@dataclass(frozen=True, slots=True)
class UsersSession:
    """One session of a user.

    Attributes:
        id: The primary key.
        slot: Its number; None: it has none.
        has_ended: Whether it is past its deadline.
        is_theirs: Whether it is the user's; False: another's, whose userid the database takes for theirs.
    """

    id: uuid.UUID
    slot: int | None
    has_ended: bool
    is_theirs: bool = True

    def __repr__(self) -> str:
        return f"<UsersSession {short_name(self.id)}… slot={self.slot} has_ended={self.has_ended}>"


def users_sessions(
    connection: Connection, features: ModelFeatures, userid: Any, *, now: int
) -> tuple[UsersSession, ...]:
    """Return a user's sessions as the connection's transaction sees them, the first logged in first.

    With them come those of other users whom the unique index takes for the same (see `userids`).

    The model has `UseridMixin` and `SessionLimitMixin`.
    """
    columns = features.columns
    statement = (
        select(
            columns["id"],
            columns["session_slot"],
            is_active(features.mapper().class_, now=now),
            is_exactly(features, userid, connection.dialect),
        )
        .where(may_be_same_user(features, userid), features.criterion())
        .order_by(last_rotated(features), columns["id"])
    )
    return tuple(
        UsersSession(session_id, slot, has_ended=not is_alive, is_theirs=bool(is_theirs))
        for session_id, slot, is_alive, is_theirs in connection.execute(statement)
    )


def free_slot(others: Iterable[UsersSession], limit: int) -> int | None:
    """Return a number for one more session of a user; None: they have as many as they may have.

    The numbers are from 1 to the limit. Of users whom the unique index takes for the same, each has a range
    of their own.

    Args:
        others: The sessions that stay, as `users_sessions()` returns them.
        limit: How many sessions a user can have.
    """
    own: set[int] = set()
    foreign: set[int] = set()
    for other in others:
        if other.slot is not None:
            (own if other.is_theirs else foreign).add(other.slot)
    ranges = {slot // _RANGE for slot in foreign}
    theirs = min((slot // _RANGE for slot in own), default=None)
    start = (next(n for n in itertools.count() if n not in ranges) if theirs is None else theirs) * _RANGE
    return next((slot for slot in range(start + 1, start + limit + 1) if slot not in own), None)


# Above any limit, and below what an Integer holds, so that there are many.
_RANGE: Final = 2**20


def is_slot_taken(error: IntegrityError, features: ModelFeatures, dialect: Dialect) -> bool:
    """Return whether an insert or update failed because another login has taken the number it wanted."""
    message, index = str(error.orig), slots_index_in(features.table.name, dialect)
    # SQLite names the columns, the others the index.
    return index in message or f".{features.columns['session_slot'].name}" in message
