"""Tokens against cross-site request forgery, made from the seed that is in the cookie's ticket.

Nothing is stored to show a form, and no key of the server is in a token. The session says which tokens it
accepts: `WebSession.accepts_csrf_token`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any, Final

from pyramid.csrf import LegacySessionCSRFStoragePolicy
from pyramid.interfaces import ICSRFStoragePolicy
from websession_core.lifecycle import unstored_ticket
from websession_core.state import SEED_LENGTH

if TYPE_CHECKING:
    from pyramid.registry import Registry
    from pyramid.request import Request
    from websession_core.state import Ticket

    from .kit import SessionKit

__all__ = [
    "SessionTokenPolicy",
    "form_token",
    "is_number",
    "made_ticket",
    "new_number",
    "new_stored_token",
    "put_in_the_default_policys_place",
    "ticket_for_forms",
]

# What version 0.2 stored was the token itself, of URL-safe base64.
_NUMBER_MARK: Final = "."
_TICKETS: Final = "_websession_tickets_for_forms"


def form_token(seed: bytes, number: str = "") -> str:
    """Return the token of a session or ticket.

    Args:
        seed: What is in the ticket.
        number: What `new_csrf_token` has stored; empty: nothing.
    """
    digest = hmac.digest(seed, number.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def new_number() -> str:
    """Return what is stored for another token of the same seed."""
    return _NUMBER_MARK + secrets.token_urlsafe(16)


def is_number(stored: str) -> bool:
    """Return whether what is stored goes into a token; else it is one, stored by version 0.2 or Pyramid."""
    return stored.startswith(_NUMBER_MARK)


def new_stored_token() -> str:
    """Return a token as version 0.2 stored it (256 random bits)."""
    return secrets.token_urlsafe(32)


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


class SessionTokenPolicy(LegacySessionCSRFStoragePolicy):
    """Pyramid's default policy for tokens, over ``request.session``, which says itself what it accepts.

    `includeme` puts it in the place of Pyramid's default; where the session factory is made in code, set it
    with ``config.set_csrf_storage_policy``.
    """

    def check_csrf_token(self, request: Request, supplied_token: Any) -> bool:
        """Return whether the session of `request` accepts a token."""
        return bool(request.session.accepts_csrf_token(supplied_token))


def put_in_the_default_policys_place(registry: Registry) -> None:
    """Let the session say which tokens it accepts, if the application has not chosen a policy of its own."""
    # Not by `config.set_csrf_storage_policy`, which would conflict with an application's own choice that
    # it makes in another `includeme`.
    if type(registry.queryUtility(ICSRFStoragePolicy)) is LegacySessionCSRFStoragePolicy:
        registry.registerUtility(SessionTokenPolicy(), ICSRFStoragePolicy)
