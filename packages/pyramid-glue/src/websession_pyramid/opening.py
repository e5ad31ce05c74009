"""From a ticket and a row to a session: judge, and tell what was found.

The rules are in `websession_core.lifecycle`; here is only who gets to hear of the verdict.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from websession_core.lifecycle import CONSEQUENCES, NewSession, Standing, Verdict, judge
from websession_core.state import short_name

from .contents import Contents
from .events import CookieRefused, ReplayDetected, SessionExpired, SessionLoaded, announce

if TYPE_CHECKING:
    from uuid import UUID

    from pyramid.request import Request
    from websession_core.policies import Policies
    from websession_core.state import Ticket
    from websession_models import SessionRow

    from .kit import SessionKit
    from .tickets import Refusal

__all__ = ["NO_COOKIE", "Opening", "announce_opening", "judge_cookie"]

log = logging.getLogger(__name__)

_EXPIRED = frozenset(
    {Standing.EXPIRED_IDLE, Standing.EXPIRED_ABSOLUTE, Standing.EXPIRED_DEADLINE, Standing.UNACKNOWLEDGED}
)
_REFUSED = {
    Standing.UNKNOWN: "unknown",
    Standing.UNREADABLE: "unreadable",
    Standing.SUPERSEDED: "superseded",
    Standing.STALE_READ: "stale read",
    Standing.REFUSED: "not before",
}


@dataclass(frozen=True, slots=True)
class Opening:
    """What became of the browser's cookie.

    Attributes:
        verdict: What the rules say of its ticket; None: there was none.
        row: The row that the ticket opened; None: it opened none.
        reorder: Whether the engine gives the keys of JSON objects back in an order of its own.
        refusals: What else the browser sent under the cookie's name: why it is no ticket, and its kind.
        problem: Why the row that the ticket names cannot be read; empty: nothing of the kind is the matter.
    """

    verdict: Verdict | None = None
    row: SessionRow | None = None
    reorder: bool = False
    refusals: tuple[Refusal, ...] = ()
    problem: str = ""

    def contents(self, kit: SessionKit) -> Contents:
        """Return the session's contents as they were read."""
        return Contents(self.row, reorder=self.reorder, rules=kit.rules)

    def as_unreadable(self, problem: str) -> Opening:
        """Return what became of the cookie if its row, which its ticket would open, cannot be read."""
        verdict = self.verdict
        if verdict is not None:
            standing = Standing.UNREADABLE
            verdict = replace(verdict, standing=standing, state=None, duties=(), insists=False)
        return replace(self, verdict=verdict, row=None, problem=problem)

    @property
    def unreadable_id(self) -> UUID | None:
        """The session whose row cannot be read; None: there is none."""
        verdict = self.verdict
        is_unreadable = verdict is not None and verdict.standing is Standing.UNREADABLE
        return verdict.ticket.session_id if verdict is not None and is_unreadable else None

    @property
    def only_a_login_may_follow(self) -> bool:
        """Whether a new session may only take this one's place by a login: see `NewSession.LOGIN`."""
        verdict = self.verdict
        return verdict is not None and not verdict and verdict.instead is NewSession.LOGIN


NO_COOKIE = Opening()
"""What became of the cookie that was not there."""


def judge_cookie(
    ticket: Ticket,
    row: SessionRow | None,
    policies: Policies,
    now: int,
    *,
    reorder: bool,
    refusals: tuple[Refusal, ...],
) -> Opening:
    """Return what becomes, now, of a cookie with a ticket that names `row`; the rest is as for `Opening`."""
    verdict = judge(ticket, None if row is None else row.state, policies, now)
    problem = row.problem if row is not None and verdict.standing is Standing.UNREADABLE else ""
    return Opening(verdict, row if verdict else None, reorder, refusals, problem)


def announce_opening(request: Request, attribute: str, opening: Opening, before: Opening | None) -> None:
    """Tell the subscribers what was found in the browser's cookies.

    To be called once the session is at hand: subscribers may look at it, and one that raises must not make
    what was found forgotten (the session of a replayed ticket is revoked all the same).

    What was found before, in the same request, is no news; None: nothing was looked at.
    """
    previous = NO_COOKIE if before is None else before
    if opening.problem and not previous.problem and opening.unreadable_id is not None:
        name = short_name(opening.unreadable_id)
        log.warning("Session %s is left out of a request, and stays as it is: %s", name, opening.problem)
    if not request.registry.has_listeners:
        return
    if opening.refusals != previous.refusals:
        for refusal in opening.refusals:
            announce(request, attribute, CookieRefused, "", *refusal)
    verdict = opening.verdict
    if verdict is None or (previous.verdict is not None and previous.verdict.standing is verdict.standing):
        return
    name, reason, standing = short_name(verdict.ticket.session_id), verdict.reason, verdict.standing
    if CONSEQUENCES[standing].opens:
        announce(request, attribute, SessionLoaded, name, reason)
    elif standing in _EXPIRED:
        announce(request, attribute, SessionExpired, name, reason, standing)
    elif standing is Standing.REPLAYED:
        announce(request, attribute, ReplayDetected, name, reason)
    else:
        announce(request, attribute, CookieRefused, name, reason, _REFUSED[standing])
