"""The number of sessions that a user may have: who has to go, and which slot a session gets.

The slots are what makes the limit exact: a unique index lets no two sessions of a user have the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from websession_core.errors import TooManySessionsError
from websession_core.settings import LimitPolicy
from websession_models.user_limit import UsersSession, free_slot, users_sessions

from .errors import StaleSessionError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from uuid import UUID

    from sqlalchemy import Connection

    from .contents import Contents
    from .kit import SessionKit

__all__ = ["LOGIN_ELSEWHERE", "assign_slot", "needs_slot", "sessions_in_the_way"]

LOGIN_ELSEWHERE = (
    "the same user has logged in elsewhere at the same time, and may have no more sessions; nothing was "
    "overwritten. With pyramid_retry included, the request runs again on its own"
)


def sessions_in_the_way(
    kit: SessionKit,
    connection: Connection,
    contents: Contents,
    ended: AbstractSet[UUID],
    userid: Any,
    *,
    shown_ids: AbstractSet[UUID] = frozenset(),
) -> tuple[list[UUID], list[UUID]]:
    """Return which of a user's sessions have to go before they log in once more.

    First those that have ended by themselves, and hold a slot that nobody uses; then those to be ended. The
    one in `contents`, and what this transaction has ended already, are not among them. Of those to be ended
    the first are the `shown_ids` ones: the browser has a ticket of theirs, which opens nothing any more.

    Raises:
        TooManySessionsError: They have so many, and the settings say that the new one is refused.
    """
    limit = kit.settings.max_per_user
    if limit is None or userid is None:
        return [], []
    others = [other for other in _others_of(kit, connection, contents, ended, userid) if other.is_theirs]
    active = [other.id for other in others if not other.has_ended]
    active.sort(key=lambda session_id: session_id not in shown_ids)  # stable
    excess = max(len(active) + 1 - limit, 0)
    if excess > len(shown_ids & set(active)) and kit.settings.max_per_user_policy is LimitPolicy.REFUSE:
        raise TooManySessionsError(limit)
    return [other.id for other in others if other.has_ended], active[:excess]


def needs_slot(kit: SessionKit, contents: Contents) -> bool:
    """Return whether the next write has to give the session a slot."""
    if not kit.has("session_slot"):
        return False
    return "userid" in contents.changes or (contents.rotating and contents.value("session_slot") is None)


def assign_slot(
    kit: SessionKit, connection: Connection, contents: Contents, ended: AbstractSet[UUID]
) -> None:
    """Assign the session a free slot among those of its user, if these are limited.

    Raises:
        StaleSessionError: Another login has taken the last one.
    """
    userid, limit = contents.value("userid"), kit.settings.max_per_user
    slot = None
    if userid is not None and limit is not None:
        slot = free_slot(_others_of(kit, connection, contents, ended, userid), limit)
        if slot is None:
            raise StaleSessionError(LOGIN_ELSEWHERE)
    contents.changes["session_slot"] = slot


def _others_of(
    kit: SessionKit, connection: Connection, contents: Contents, ended: AbstractSet[UUID], userid: Any
) -> list[UsersSession]:
    row = contents.row
    sessions = users_sessions(connection, kit.store.features, userid, now=kit.clock())
    return [other for other in sessions if other.id not in ended and (row is None or other.id != row.id)]
