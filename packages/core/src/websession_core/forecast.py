"""When a session will end, for tools that show it to people: a list of sessions, a debugging panel.

Nothing here decides anything about a request. It says what the rules of `websession_core.lifecycle` will come
to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .lifecycle import last_use

if TYPE_CHECKING:
    from .policies import Policies
    from .state import SessionState

__all__ = ["Forecast", "forecast"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a session ends, if it is not used again. All are Unix seconds; None: not at all.

    Attributes:
        idle_end: By the idle timeout.
        absolute_end: By the absolute timeout.
        stored_end: By the deadline that was recorded under the policies of that time.
        renewal_due: When its ticket is to be renewed at the next request (at the earliest); None also: the
            session is anonymous, or nothing was counted yet.
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


def forecast(state: SessionState, policies: Policies) -> Forecast:
    """Return when a session ends and when its ticket is renewed.

    Args:
        state: The session as it was read.
        policies: What the settings say now; the session's own overrides in `state` are applied here.
    """
    policies = policies.effective(state.overrides)
    activity = state.activity
    renewed_at = None if activity is None or state.owned is False else activity.renewed_at
    renewal_timeout = policies.renewal.timeout
    return Forecast(
        idle_end=None if policies.idle is None else last_use(state) + policies.idle.timeout,
        absolute_end=None if policies.absolute is None else state.created + policies.absolute.timeout,
        stored_end=None if activity is None else activity.expires_at,
        renewal_due=(None if renewed_at is None or renewal_timeout is None else renewed_at + renewal_timeout),
    )
