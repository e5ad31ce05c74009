"""How many sessions a user has, and which number the next one gets; see `SessionLimitMixin`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from websession_core.state import short_name

from .mixins import slots_index_in
from .queries import is_active, last_rotated

if TYPE_CHECKING:
    import uuid

    from sqlalchemy import Connection, Dialect
    from sqlalchemy.exc import IntegrityError

    from .features import ModelFeatures

__all__ = ["UsersSession", "is_slot_taken", "users_sessions"]


@dataclass(frozen=True, slots=True)
class UsersSession:
    """One session of a user.

    Attributes:
        id: The primary key.
        slot: Its number; None: it has none.
        has_ended: Whether it is past its deadline.
    """

    id: uuid.UUID
    slot: int | None
    has_ended: bool

    def __repr__(self) -> str:
        return f"<UsersSession {short_name(self.id)}… slot={self.slot} has_ended={self.has_ended}>"


def users_sessions(
    connection: Connection, features: ModelFeatures, userid: Any, *, now: int
) -> tuple[UsersSession, ...]:
    """Return a user's sessions as the connection's transaction sees them, the first logged in first.

    The model has `UseridMixin` and `SessionLimitMixin`.
    """
    columns = features.columns
    statement = (
        select(columns["id"], columns["session_slot"], is_active(features.mapper().class_, now=now))
        .where(columns["userid"] == userid, features.criterion())
        .order_by(last_rotated(features), columns["id"])
    )
    return tuple(
        UsersSession(session_id, slot, has_ended=not is_alive)
        for session_id, slot, is_alive in connection.execute(statement)
    )


def is_slot_taken(error: IntegrityError, features: ModelFeatures, dialect: Dialect) -> bool:
    """Return whether an insert or update failed because another login has taken the number it wanted."""
    message, index = str(error.orig), slots_index_in(features.table.name, dialect)
    # SQLite names the columns, the others the index.
    return index in message or f".{features.columns['session_slot'].name}" in message
