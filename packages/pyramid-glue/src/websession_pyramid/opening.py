"""From a ticket and a row to a session: judge, and tell what was found.

The rules are in `websession_core.lifecycle`; here is only who gets to hear of the verdict.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from websession_core.lifecycle import CONSEQUENCES, NewSession, Standing, Verdict, judge
from websession_core.state import short_name

from .contents import Contents
from .events import CookieRefused, ReplayDetected, SessionExpired, SessionLoaded, announce
from .tickets import NOTHING_PRESENTED, Presented

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from pyramid.request import Request
    from websession_core.state import Ticket
    from websession_models import SessionRow

    from .kit import SessionKit
    from .tickets import Refusal

    ReadRow: TypeAlias = Callable[[UUID], tuple[SessionRow | None, bool]]

__all__ = ["NO_COOKIE", "Opening", "announce_opening", "judge_cookies", "judge_ticket"]

log = logging.getLogger(__name__)

_EXPIRED = frozenset(
    {Standing.EXPIRED_IDLE, Standing.EXPIRED_ABSOLUTE, Standing.EXPIRED_DEADLINE, Standing.UNACKNOWLEDGED}
)
_REFUSED = {
    Standing.UNKNOWN: "unknown",
    Standing.UNREADABLE: "unreadable",
    Standing.SUPERSEDED: "superseded",
    Standing.OUTLIVED: "outlived",
    Standing.OWNERLESS: "ownerless",
    Standing.MISMATCHED: "mismatched",
    Standing.STALE_READ: "stale read",
    Standing.REFUSED: "not before",
}


class Opening(NamedTuple):
    """What became of the browser's cookie.

    Attributes:
        verdict: What the rules say of the ticket that decided; None: there was none.
        row: The row that the ticket opened; None: it opened none.
        reorder: Whether the engine gives the keys of JSON objects back in an order of its own.
        refusals: What else the browser sent under the cookie's name: why it is no ticket, and its kind.
        passed: What the rules say of the tickets that were judged before, and opened nothing.
        presented: All that the browser sent.
        problems: The rows that tickets name and that cannot be read, and why.
    """

    verdict: Verdict | None = None
    row: SessionRow | None = None
    reorder: bool = False
    refusals: tuple[Refusal, ...] = ()
    passed: tuple[Verdict, ...] = ()
    presented: Presented = NOTHING_PRESENTED
    problems: tuple[tuple[UUID, str], ...] = ()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What the rules say of all tickets that were judged."""
        return self.passed if self.verdict is None else (*self.passed, self.verdict)

    @property
    def has_duties(self) -> bool:
        """Whether something is to be recorded about a ticket that was judged."""
        if self.verdict is not None and self.verdict.duties:
            return True
        return bool(self.passed) and any(verdict.duties for verdict in self.passed)

    def contents(self, kit: SessionKit) -> Contents:
        """Return the session's contents as they were read."""
        return Contents(self.row, reorder=self.reorder, rules=kit.rules)

    def as_unreadable(self, problem: str) -> Opening:
        """Return what became of the cookie if the row that its ticket has opened cannot be read."""
        verdict, row = self.verdict, self.row
        if verdict is None or row is None:
            return self
        standing = Standing.UNREADABLE
        verdict = verdict._replace(standing=standing, state=None, duties=(), insists=False)
        return self._replace(verdict=verdict, row=None, problems=(*self.problems, (row.id, problem)))

    @property
    def only_a_login_may_follow(self) -> bool:
        """Whether a new session may only take this one's place by a login: see `NewSession.LOGIN`."""
        verdict = self.verdict
        return verdict is not None and not verdict and verdict.instead is NewSession.LOGIN


NO_COOKIE = Opening()
"""What became of the cookie that was not there."""


def judge_ticket(kit: SessionKit, ticket: Ticket, row: SessionRow | None) -> Verdict:
    """Return what the rules say, now, of a ticket that names `row`."""
    if row is None:
        return judge(ticket, None, kit.policies(None, ticket.owned), kit.clock())
    state = row.state
    return judge(ticket, state, kit.policies(row.overrides, state.owned), kit.clock())


def judge_cookies(kit: SessionKit, presented: Presented, read: ReadRow) -> Opening:
    """Return what becomes of a browser's cookies.

    The users' is judged first, and further ones of its name only after a replay. The visitors' is asked if
    that is absent or dead: not where only a login may follow, and not beside a replay.

    Args:
        kit: Whose sessions these are.
        presented: What the browser sent.
        read: Reads a row; and says whether the engine gives the keys of JSON objects back in an order of its
            own. It is called for no ticket that names no row.
    """
    verdicts: list[Verdict] = []
    problems: list[tuple[UUID, str]] = []

    def look(ticket: Ticket) -> Opening | None:
        row, reorder = read(ticket.session_id) if ticket.stored else (None, False)
        verdict = judge_ticket(kit, ticket, row)
        if verdict:
            passed = tuple(verdicts)
            return Opening(verdict, row, reorder, presented.refusals, passed, presented, tuple(problems))
        verdicts.append(verdict)
        if row is not None and verdict.standing is Standing.UNREADABLE:
            problems.append((row.id, row.problem))
        return None

    for ticket in presented.users.all:
        opening = look(ticket)
        if opening is not None:
            return opening
        if verdicts[-1].standing is not Standing.REPLAYED:
            break
    if all(verdict.instead is NewSession.ANY and not _is_replay(verdict) for verdict in verdicts):
        visitors = presented.visitors.first
        opening = None if visitors is None else look(visitors)
        if opening is not None:
            return opening
    return Opening(
        verdicts[-1] if verdicts else None,
        refusals=presented.refusals,
        passed=tuple(verdicts[:-1]),
        presented=presented,
        problems=tuple(problems),
    )


def _is_replay(verdict: Verdict) -> bool:
    return verdict.standing is Standing.REPLAYED


def announce_opening(request: Request, attribute: str, opening: Opening, before: Opening | None) -> None:
    """Tell the subscribers what was found in the browser's cookies.

    To be called once the session is at hand: subscribers may look at it, and one that raises must not make
    what was found forgotten (the session of a replayed ticket is revoked all the same).

    What was found before, in the same request, is no news; None: nothing was looked at.
    """
    previous = NO_COOKIE if before is None else before
    for session_id, problem in opening.problems if opening.problems != previous.problems else ():
        name = short_name(session_id)
        log.warning("Session %s is left out of a request, and stays as it is: %s", name, problem)
    if not request.registry.has_listeners:
        return
    if opening.refusals != previous.refusals:
        for refusal in opening.refusals:
            announce(request, attribute, CookieRefused, "", *refusal)
    announced = {verdict.standing for verdict in previous.verdicts}
    for verdict in opening.verdicts:
        if verdict.standing not in announced:
            _announce_verdict(request, attribute, verdict)


def _announce_verdict(request: Request, attribute: str, verdict: Verdict) -> None:
    name, reason, standing = short_name(verdict.ticket.session_id), verdict.reason, verdict.standing
    if CONSEQUENCES[standing].opens:
        announce(request, attribute, SessionLoaded, name, reason)
    elif standing in _EXPIRED:
        announce(request, attribute, SessionExpired, name, reason, standing)
    elif standing is Standing.REPLAYED:
        announce(request, attribute, ReplayDetected, name, reason)
    elif standing is not Standing.UNSTORED:
        announce(request, attribute, CookieRefused, name, reason, _REFUSED[standing])
