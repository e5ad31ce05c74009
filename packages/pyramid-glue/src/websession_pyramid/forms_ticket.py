"""The ticket without a row, for the forms of a page that is shown to a browser without a session.

Where visitors have a cookie of their own, the tokens of such a page are made from the seed in this ticket,
which the response brings as the visitors' cookie: nothing is stored.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from websession_core.lifecycle import unstored_ticket
from websession_core.state import SEED_LENGTH

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response
    from websession_core.state import Ticket

    from .kit import SessionKit
    from .tickets import Presented

__all__ = ["made_ticket", "send_ticket_for_forms", "ticket_for_forms"]

_TICKETS: Final = "_websession_tickets_for_forms"


def ticket_for_forms(kit: SessionKit, browser_request: Request, seed: bytes | None = None) -> Ticket:
    """Return the ticket without a row that the response to a request will bring, made if there is none.

    On the request: it stays true when the transaction is aborted, and subrequests show the same.

    Args:
        kit: Whose ticket it is.
        browser_request: The request that the browser sent.
        seed: The seed that it has to have; None: any.
    """
    ticket = made_ticket(kit, browser_request)
    if ticket is None or seed not in {None, ticket.seed}:
        policies = kit.policies(None, owned=False)
        fresh = seed or secrets.token_bytes(SEED_LENGTH)
        ticket = unstored_ticket(kit.fresh_session_id(), policies, kit.clock(), fresh)
        vars(browser_request)[_TICKETS][kit.attribute] = ticket
    return ticket


def made_ticket(kit: SessionKit, browser_request: Request) -> Ticket | None:
    """Return the ticket that was made for the forms of a request, None if none was."""
    tickets: dict[str, Ticket] = vars(browser_request).setdefault(_TICKETS, {})
    return tickets.get(kit.attribute)


def send_ticket_for_forms(
    kit: SessionKit, browser_request: Request, response: Response, presented: Presented | None
) -> None:
    """Send the ticket that was made for the forms of a request, if nothing has taken its place.

    Args:
        kit: Whose ticket it is.
        browser_request: The request that the browser sent.
        response: The response to it.
        presented: What the browser's cookies hold, if it keeps them; None: it forgets them.
    """
    jar, ticket = kit.visitor_jar, made_ticket(kit, browser_request)
    if jar is None or ticket is None or any(other.is_stored_by(response) for other in (kit.jar, jar)):
        return
    visitors = None if presented is None else presented.visitors.first
    if visitors is not None and visitors.seed is not None:
        return  # it was made for what an aborted transaction would have ended
    max_age = kit.policies(None, owned=False).cookie_max_age
    jar.set(browser_request, response, kit.tickets.token(ticket), max_age)
