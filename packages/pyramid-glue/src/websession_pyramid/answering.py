"""What the response tells the browser about its cookie.

It is decided, and the cookie encrypted, before the commit, where a failure is still loud; it is sent
afterwards.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from websession_core.lifecycle import reissue

from .contents import OVERRIDES

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response
    from websession_core.state import Ticket

    from .cookies import CookieJar
    from .kit import SessionKit
    from .working_copy import WorkingCopy

__all__ = ["KEEP", "Answer", "CookieOrder", "prepare_answer"]


class CookieOrder(enum.Enum):
    """What the response has to tell the browser."""

    KEEP = "nothing"
    SET = "store this cookie"
    DELETE = "forget the cookie"


class Answer(NamedTuple):
    """What goes out with the response.

    Attributes:
        order: What the browser has to do with the session's cookie.
        token: The encrypted ticket that it stores.
        max_age: How long it keeps the cookie, in seconds; None: until it is closed.
        jar: The cookie in which it stores it.
        forgotten: The cookies that it forgets.
    """

    order: CookieOrder
    token: str = ""
    max_age: int | None = None
    jar: CookieJar | None = None
    forgotten: tuple[CookieJar, ...] = ()

    def __repr__(self) -> str:
        return f"<Answer: {self.order.value}>"  # no token

    def send(self, request: Request, response: Response) -> None:
        """Add the headers to `response`."""
        for jar in self.forgotten:
            jar.delete(request, response)
        if self.jar is not None:
            self.jar.set(request, response, self.token, self.max_age)


KEEP = Answer(CookieOrder.KEEP)
"""The browser keeps the cookies that it has."""


def prepare_answer(
    kit: SessionKit, copy: WorkingCopy, request: Request, *, jars_given: frozenset[CookieJar]
) -> Answer:
    """Decide what the browser is told, and encrypt the cookie.

    `jars_given` are the cookies that the browser gets by what the request has committed before.
    """
    row, pending = copy.contents.row, copy.pending
    if row is None:
        # Only a logout removes a cookie: one whose session was not found may just have been replaced by a
        # parallel login, and one that does not decrypt may need a key this server has yet to get.
        forgets = pending.forgets_cookies and not copy.is_barred
        forgotten = _jars_to_forget(kit, request, jars_given) if forgets else ()
        return Answer(CookieOrder.DELETE, forgotten=forgotten) if forgotten else KEEP
    ticket = pending.ticket or _sent_again(kit, copy)
    if ticket is None:
        return KEEP
    jar = kit.tickets.jar_for(ticket)
    # The other name's: a login's takes the place of the visitor's.
    is_login = pending.ticket is not None and jar is kit.jar and kit.separates_visitors
    forgets = pending.forgets_cookies or is_login
    forgotten = kit.tickets.replaced(request, jar)
    if forgets:
        forgotten = _jars_to_forget(kit, request, jars_given, but=jar)
    max_age = kit.effective_policies(row.overrides, row.owned).cookie_max_age
    return Answer(CookieOrder.SET, kit.tickets.token(ticket), max_age, jar, forgotten)


def _sent_again(kit: SessionKit, copy: WorkingCopy) -> Ticket | None:
    """Return the ticket to send again because its cookie is outdated, None if it is not."""
    row, verdict, row_before = copy.contents.row, copy.opening.verdict, copy.opening.row
    if verdict is None or row is None:
        return None
    if copy.pending.written and not copy.pending.written.isdisjoint(OVERRIDES):
        policies = kit.effective_policies(row.overrides, row.owned)
        verdict = verdict._replace(policies=policies)
    is_written = row_before is not None and row.version != row_before.version
    seed = kit.fresh_seed() if verdict.ticket.seed is None else None
    ticket = reissue(verdict, kit.clock(), written=is_written, seed=seed)
    if ticket is None or not kit.separates_visitors or ticket.owned is not False:
        return ticket
    # Version 0.2 gave visitors the users' cookie, where it stays: the visitor may have this one besides.
    visitors = copy.opening.presented.visitors.first
    has_it = visitors is not None and verdict.ticket.owned is None and _is_as_good(visitors, ticket)
    return None if has_it else ticket


def _is_as_good(ticket: Ticket, other: Ticket) -> bool:
    names = "session_id", "epoch", "cookie_version"
    return all(getattr(ticket, name) == getattr(other, name) for name in names)


def _jars_to_forget(
    kit: SessionKit, request: Request, jars_given: frozenset[CookieJar], but: CookieJar | None = None
) -> tuple[CookieJar, ...]:
    """Return the cookies that the browser has sent, or gets in this request."""
    jars = {*jars_given, *kit.tickets.brought(request)} - {but}
    return tuple(jar for jar in kit.tickets.jars if jar in jars)
