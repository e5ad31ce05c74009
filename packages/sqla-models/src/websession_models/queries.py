"""Conditions for the application's own queries: ``select(Session).where(is_active(Session, now=now))``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, inspect, true

from websession_models.companion import KEY
from websession_models.features import features_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

__all__ = ["is_active"]


def is_active(model: Any, *, now: int) -> ColumnElement[bool]:
    """Return the condition that a session has not ended, for a query of the model.

    It goes by the deadline that was recorded when the session was last used. A session whose timeout was made
    shorter in the settings since then counts as active until a request finds it to have ended.

    Args:
        model: the session model, or an alias of it by `sqlalchemy.orm.aliased`.
        now: Unix seconds.

    Returns:
        A condition; without timeouts in the model one that always holds.

    Raises:
        ModelError: the class cannot be a session model.
    """
    found = inspect(model, raiseerr=False)
    features = features_of(found.mapper.class_ if found is not None and found.is_aliased_class else model)
    deadline = features.activity.get("expires_at")
    companion = features.companion
    if companion is None or deadline is None:
        return true()
    ended = exists().where(companion.columns[KEY] == model.id, deadline <= now)
    # With a companion of its own, also in a query that joins that table.
    return ~ended.correlate_except(companion)
