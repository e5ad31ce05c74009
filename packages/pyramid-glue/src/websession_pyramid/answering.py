"""What the response tells the browser about its cookie.

It is decided, and the cookie encrypted, before the commit, where a failure is still loud; it is sent
afterwards.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

from websession_core.lifecycle import reissue

from .contents import OVERRIDES

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response

    from .kit import SessionKit
    from .working_copy import WorkingCopy

__all__ = ["KEEP", "Answer", "CookieOrder", "prepare_answer"]


class CookieOrder(enum.Enum):
    """What the response has to tell the browser."""

    KEEP = "nothing"
    SET = "store this cookie"
    DELETE = "forget the cookie"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What goes out with the response.

    Attributes:
        order: What the browser has to do.
        token: The encrypted ticket that it stores.
        max_age: How long it keeps the cookie, in seconds; None: until it is closed.
    """

    order: CookieOrder
    token: str = dataclasses.field(default="", repr=False)
    max_age: int | None = None

    def send(self, kit: SessionKit, request: Request, response: Response) -> None:
        """Add the header to `response`."""
        if self.order is CookieOrder.SET:
            kit.jar.set(request, response, self.token, self.max_age)
        elif self.order is CookieOrder.DELETE:
            kit.jar.delete(request, response)


KEEP = Answer(CookieOrder.KEEP)
"""The browser keeps the cookie that it has."""


def prepare_answer(kit: SessionKit, copy: WorkingCopy, request: Request, *, follows: bool) -> Answer:
    """Decide what the browser is told, and encrypt the cookie.

    `follows` says whether the request has committed a session before, and so given the browser a cookie.
    """
    row, pending = copy.contents.row, copy.pending
    if row is None:
        # Only a logout removes a cookie: one whose session was not found may just have been replaced by a
        # parallel login, and one that does not decrypt may need a key this server has yet to get.
        forgets = copy.is_logged_out and (follows or kit.tickets.has_cookie(request))
        return Answer(CookieOrder.DELETE) if forgets else KEEP
    ticket, verdict, row_before = pending.ticket, copy.opening.verdict, copy.opening.row
    if ticket is None and verdict is not None:
        if not pending.written.isdisjoint(OVERRIDES):
            verdict = dataclasses.replace(verdict, policies=kit.effective_policies(row.overrides))
        is_written = row_before is not None and row.version != row_before.version
        ticket = reissue(verdict, kit.clock(), written=is_written)
    if ticket is None:
        return KEEP
    max_age = kit.effective_policies(row.overrides).cookie_max_age
    return Answer(CookieOrder.SET, kit.tickets.token(ticket), max_age)
