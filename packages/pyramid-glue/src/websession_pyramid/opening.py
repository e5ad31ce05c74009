"""From the browser's cookie to a session: decrypt, read, judge, and tell what was found.

The rules are in `websession_core.lifecycle`; here is only who gets to hear of the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from websession_core.lifecycle import CONSEQUENCES, NewSession, Standing, Verdict, judge

from .contents import Contents
from .events import CookieRefused, ReplayDetected, SessionEvent, SessionExpired, SessionLoaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyramid.request import Request
    from websession_core.state import Ticket
    from websession_models import SessionRow

    from .factory import SessionFactory

__all__ = ["NOTHING", "Opening", "Refusal", "announce", "announce_opening", "short_name"]

_EXPIRED = frozenset(
    {
        Standing.EXPIRED_IDLE,
        Standing.EXPIRED_ABSOLUTE,
        Standing.EXPIRED_DEADLINE,
        Standing.UNACKNOWLEDGED,
    }
)
_REFUSED = {
    Standing.UNKNOWN: "unknown",
    Standing.SUPERSEDED: "superseded",
    Standing.STALE_READ: "stale read",
    Standing.REFUSED: "not before",
}


class Refusal(NamedTuple):
    """Why a cookie holds no ticket of ours."""

    reason: str
    kind: str


@dataclass(frozen=True, slots=True)
class Opening:
    """What became of the browser's cookie.

    Attributes:
        verdict: What the rules say of its ticket; None: there was none.
        row: The row that the ticket opened; None: it opened none.
        reorder: Whether the engine gives the keys of JSON objects back in an order of its own.
        refusals: What else the browser sent under the cookie's name: why it is no ticket, and its kind.
    """

    verdict: Verdict | None = None
    row: SessionRow | None = None
    reorder: bool = False
    refusals: tuple[Refusal, ...] = ()

    @classmethod
    def judged(
        cls,
        factory: SessionFactory,
        ticket: Ticket,
        row: SessionRow | None,
        *,
        reorder: bool,
        refusals: tuple[Refusal, ...] = (),
    ) -> Opening:
        """Judge `ticket` by `row`, now."""
        policies = factory.policies(None if row is None else row.overrides)
        verdict = judge(ticket, None if row is None else row.state, policies, factory.clock())
        return cls(verdict, row if verdict else None, reorder, refusals)

    def contents(self) -> Contents:
        """Return the session's contents as they were read."""
        return Contents(self.row, reorder=self.reorder)

    @property
    def only_a_login_may_follow(self) -> bool:
        """Whether a new session may only take this one's place by a login: see `NewSession.LOGIN`."""
        verdict = self.verdict
        return verdict is not None and not verdict and verdict.instead is NewSession.LOGIN


NOTHING = Opening()
"""What became of the cookie that was not there."""


def announce(
    request: Request, factory: SessionFactory, event: Callable[..., SessionEvent], *details: Any
) -> None:
    """Send an event of a factory's session to the application's subscribers, if it has any at all."""
    registry = request.registry
    if registry.has_listeners:
        registry.notify(event(request, *details, attribute=factory.attribute))


def announce_opening(
    request: Request, factory: SessionFactory, opening: Opening, before: Opening | None
) -> None:
    """Tell the subscribers what was found in the browser's cookies.

    To be called once the session is at hand: subscribers may look at it, and one that raises must not make
    what was found forgotten (the session of a replayed ticket is revoked all the same).

    Args:
        request: The request that the browser sent.
        factory: Whose session it is.
        opening: What was found.
        before: What was found before, in the same request; None: nothing was looked at.
    """
    if not request.registry.has_listeners:
        return
    known = NOTHING if before is None else before
    if opening.refusals != known.refusals:
        for refusal in opening.refusals:
            announce(request, factory, CookieRefused, "", *refusal)
    verdict = opening.verdict
    if verdict is None or (known.verdict is not None and known.verdict.standing is verdict.standing):
        return
    name, reason, standing = short_name(verdict.ticket), verdict.reason, verdict.standing
    if CONSEQUENCES[standing].opens:
        announce(request, factory, SessionLoaded, name, reason)
    elif standing in _EXPIRED:
        announce(request, factory, SessionExpired, name, reason, standing)
    elif standing is Standing.REPLAYED:
        announce(request, factory, ReplayDetected, name, reason)
    else:
        announce(request, factory, CookieRefused, name, reason, _REFUSED[standing])


def short_name(ticket: Ticket | SessionRow) -> str:
    """Return what events and logs call a session."""
    identifier = getattr(ticket, "session_id", None) or getattr(ticket, "id", None)
    return "" if identifier is None else identifier.hex[:8]
