"""What lies ahead of a session and of an encryption key: for tools that show it to people.

Nothing here decides anything about a request. It says what the rules of `websession_core.lifecycle` will come
to, for a list of sessions, a debugging panel, or somebody who changes the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .lifecycle import last_use

if TYPE_CHECKING:
    from .policies import Policies
    from .state import SessionState

__all__ = ["Outlook", "old_key_needed", "outlook"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """When a session ends, if it is not used again. All are Unix seconds; None: not at all.

    Attributes:
        idle_end: By the idle timeout.
        absolute_end: By the absolute timeout.
        stored_end: By the deadline that was noted down under the policies of then.
        renewal_due: When its ticket is to be renewed at the next request (at the earliest); None also: the
            session belongs to nobody, or nothing was counted yet.
    """

    idle_end: int | None
    absolute_end: int | None
    stored_end: int | None
    renewal_due: int | None

    @property
    def end(self) -> int | None:
        """The first of the three ends; None: by these policies the session never ends."""
        ends = [end for end in (self.idle_end, self.absolute_end, self.stored_end) if end is not None]
        return min(ends) if ends else None


def outlook(state: SessionState, policies: Policies) -> Outlook:
    """Return when a session ends and when its ticket is renewed.

    Args:
        state: The session as it was read.
        policies: What the settings say now; the session's own wishes in `state` are applied here.
    """
    policies = policies.effective(state.overrides)
    activity = state.activity
    renewed_at = None if activity is None else activity.renewed_at
    renews = policies.renewal.timeout is not None and state.owned is not False
    return Outlook(
        idle_end=None if policies.idle is None else last_use(state) + policies.idle.timeout,
        absolute_end=None if policies.absolute is None else state.created + policies.absolute.timeout,
        stored_end=None if activity is None else activity.expires_at,
        renewal_due=(
            renewed_at + policies.renewal.timeout
            if renews and renewed_at is not None and policies.renewal.timeout is not None
            else None
        ),
    )


def old_key_needed(policies: Policies, *, owned: bool | None) -> int | None:
    """Return for how long an old encryption key is still needed once a new one encrypts on every server.

    A cookie made under the old key becomes worthless by the first of these:

    - *The browser drops it*, at the end of its Max-Age.
    - *The session ends by its absolute timeout.*
    - *It is replaced by use or the session ends by disuse.* The key is part of the cookie's version, so that
      a session's next request is answered with a cookie under the new key, and a session without a
      next request ends by its idle timeout. Two things delay that once, by less than an idle timeout and two
      graces: a ticket that has yet to acknowledge itself (of a renewal or a login) is not answered, and
      neither is one within two graces of a renewal.

      With renewal, a session that belongs to nobody gets another cookie only when it is written, so that an
      idle timeout alone bounds nothing for it.

    On top of that come two graces, for requests under way and differences between clocks. Assumed is that
    browsers get our answers: one that lost every answer, and comes back after that time, has to log in again.

    Args:
        policies: What holds for the session, its own wishes included.
        owned: Whether it belongs to somebody; None: the model knows no users.

    Returns:
        Seconds; None: nothing bounds it, so that the old key can never go without ending sessions.
    """
    grace = policies.renewal.grace
    bounds = []
    if policies.cookie_max_age is not None:
        bounds.append(policies.cookie_max_age)
    if policies.absolute is not None:
        bounds.append(policies.absolute.timeout)
    if policies.idle is not None and (policies.renewal.timeout is None or owned is not False):
        bounds.append(2 * policies.idle.timeout + 2 * grace)
    return min(bounds) + 2 * grace if bounds else None
