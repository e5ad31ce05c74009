"""From the browser's cookie to a ticket, and back."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from websession_core.errors import TicketError
from websession_core.lifecycle import freshest
from websession_core.state import Ticket
from websession_crypto import MalformedTokenError, TokenCodec, TokenError

if TYPE_CHECKING:
    from uuid import UUID

    from pyramid.request import Request
    from websession_core.settings import Settings

    from .cookies import CookieJar

__all__ = ["Refusal", "TicketReader"]

# To open a token takes 45 µs and more, twice what the SELECT takes on this side, for a cookie that does not
# change from request to request. A ticket and its token take some 600 bytes.
_CACHE_SIZE = 4096


class Refusal(NamedTuple):
    """Why a cookie holds no ticket of ours."""

    reason: str
    kind: str


class TicketReader:
    """Decrypts the tickets in requests' cookies, and encrypts those that responses carry."""

    def __init__(self, settings: Settings, jar: CookieJar) -> None:
        self._jar = jar
        # The purpose binds a token to the cookie's name: one made for another cookie opens nothing here.
        self._codec = TokenCodec(settings.secret_key, purpose=settings.cookie_name)
        # Only tokens that this codec has authenticated, under their one spelling: what raises is not kept.
        self._ticket_in = functools.lru_cache(maxsize=_CACHE_SIZE)(self._decrypt)

    def has_cookie(self, request: Request) -> bool:
        """Return whether `request` carries a cookie of ours, valid or not."""
        return next(self._jar.tokens(request), None) is not None

    def read(self, request: Request) -> tuple[Ticket | None, tuple[Refusal, ...]]:
        """Return the ticket in the request's cookie, None if there is none, and what was no ticket of ours.

        That is refused quietly: it is the sender's mistake, or attack.
        """
        tickets = []
        refusals = []
        for token in self._jar.tokens(request):
            try:
                tickets.append(self._ticket_in(token))
            except TokenError as error:
                kind = "malformed" if isinstance(error, MalformedTokenError) else "not authentic"
                refusals.append(Refusal("the cookie cannot be decrypted", kind))
            except TicketError:
                refusals.append(Refusal("the cookie holds no ticket", "malformed"))
        ticket = tickets[0] if len(tickets) == 1 else freshest(tickets)
        return ticket, tuple(refusals)

    def named_session(self, request: Request) -> UUID | None:
        """Return which session the request's cookie names, None if it names none."""
        ticket, _ = self.read(request)
        return None if ticket is None else ticket.session_id

    def token(self, ticket: Ticket) -> str:
        """Return `ticket` encrypted under the first key."""
        return self._codec.encrypt(ticket.to_bytes())

    def _decrypt(self, token: str) -> Ticket:
        return Ticket.from_bytes(self._codec.decrypt(token))
