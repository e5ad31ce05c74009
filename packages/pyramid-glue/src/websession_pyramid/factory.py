"""The session factory: one set of settings, and everything that is made once from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pyramid.interfaces import ISessionFactory
from websession_core.errors import TicketError
from websession_core.state import Ticket
from websession_crypto import TokenCodec, TokenError
from websession_models import Store, fresh_session_id
from zope.interface import implementer

from .cookies import CookieJar
from .savepoints import install_listeners
from .session import WebSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from pyramid.request import Request
    from websession_core.settings import Settings

__all__ = ["SessionFactory"]


def _system_clock() -> int:
    return int(time.time())


@implementer(ISessionFactory)
class SessionFactory:
    """Makes ``request.session``; what `config.set_session_factory` wants.

    Several factories, in one application or in several of one process, share nothing.

    Args:
        settings: The validated settings; `secret_key` is a `websession_crypto.Keyring`, `model_class` the
            model.
        clock: Returns the time in whole Unix seconds.
        fresh_id: Returns a new random primary key.

    Attributes:
        settings: As given.
        store: Reads and writes the model's rows.
        jar: Reads and writes the cookie.
        clock: As given.
        fresh_session_id: As given.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], int] = _system_clock,
        fresh_id: Callable[[], UUID] = fresh_session_id,
    ) -> None:
        self.settings = settings
        self.store = Store.for_model(settings.model_class)
        self.jar = CookieJar(settings)
        self.clock = clock
        self.fresh_session_id = fresh_id
        # The purpose binds a token to the cookie's name: one made for another cookie opens nothing here.
        self._codec = TokenCodec(settings.secret_key, purpose=settings.cookie_name)
        install_listeners()

    def __call__(self, request: Request) -> WebSession:
        """Return the session of `request`. Nothing happens before its first use."""
        return WebSession(self, request)

    def __repr__(self) -> str:
        model: Any = self.settings.model_class
        return f"<SessionFactory of {model.__name__}, cookie {self.settings.cookie_name!r}>"

    def has_cookie(self, request: Request) -> bool:
        """Tell whether `request` carries a cookie of ours, valid or not."""
        return next(self.jar.tokens(request), None) is not None

    def read_ticket(self, request: Request) -> Ticket | None:
        """Return the ticket in the request's cookie, None if there is none that is ours.

        Whatever else the browser sent is refused quietly: it is the sender's mistake, or attack.
        """
        for token in self.jar.tokens(request):
            try:
                return Ticket.from_bytes(self._codec.decrypt(token))
            except (TokenError, TicketError):
                continue
        return None

    def make_token(self, ticket: Ticket) -> str:
        """Return `ticket` encrypted under the first key."""
        return self._codec.encrypt(ticket.to_bytes())
