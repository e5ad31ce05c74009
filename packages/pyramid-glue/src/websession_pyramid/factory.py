"""The session factory: one set of settings, and everything that is made once from it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import logging
import time
import weakref
from typing import TYPE_CHECKING, Any

from pyramid.interfaces import ISessionFactory
from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool
from websession_core.errors import TicketError, UnstorableValueError
from websession_core.lifecycle import freshest
from websession_core.state import COUNTER_MAX, Ticket
from websession_crypto import MalformedTokenError, TokenCodec, TokenError, ValueCodec
from websession_models import Bookkeeper, Store, fresh_session_id, isolates
from zope.interface import implementer

from .books import Keeper
from .contents import OVERRIDES
from .cookies import CookieJar
from .opening import Refusal
from .retries import install_listener
from .savepoints import install_listeners
from .session import WebSession
from .weaknesses import SQLITE

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from pyramid.request import Request
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session
    from websession_core.policies import Overrides, Policies
    from websession_core.settings import Settings

__all__ = ["SessionFactory"]

log = logging.getLogger(__name__)


# Part of what is authenticated, so never to be changed.
_DATA_PURPOSE = "session data"

# To open a token takes 45 µs and more, twice what the SELECT takes on this side, for a cookie that does not
# change from request to request. A ticket and its token take some 600 bytes.
_TICKETS_KEPT = 4096


def _store(settings: Settings) -> Store:
    if settings.data_secret_key is None:
        return Store.for_model(settings.model_class)
    cipher = ValueCodec(settings.data_secret_key, purpose=_DATA_PURPOSE)
    return Store(settings.model_class, cipher=cipher)


def _system_clock() -> int:
    return int(time.time())


@implementer(ISessionFactory)
class SessionFactory:
    """Makes ``request.session``; what `config.set_session_factory` wants.

    Several factories, in one application or in several of one process, share nothing.

    Args:
        settings: The validated settings; `secret_key` and, if it is given, `data_secret_key` are
            `websession_crypto.Keyring`, `model_class` the model.
        clock: Returns the time in whole Unix seconds.
        fresh_id: Returns a new random primary key.
        attribute: The attribute of the request that it makes.

    Attributes:
        settings: As given.
        attribute: As given.
        store: Reads and writes the model's rows.
        jar: Reads and writes the cookie.
        clock: As given. A test may put another in its place: from then on all goes by that one.
        fresh_session_id: As given.
        own_settings: The settings that a session of this model can have of its own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], int] = _system_clock,
        fresh_id: Callable[[], UUID] = fresh_session_id,
        attribute: str = "session",
    ) -> None:
        self.settings = settings
        self.attribute = attribute
        self.store = _store(settings)
        self.jar = CookieJar(settings)
        self.clock = clock
        self.fresh_session_id = fresh_id
        self.own_settings = frozenset(name for name in OVERRIDES if self.has(name))
        # The purpose binds a token to the cookie's name: one made for another cookie opens nothing here.
        self._codec = TokenCodec(settings.secret_key, purpose=settings.cookie_name)
        # Only tokens that this codec has authenticated, under their one spelling: what raises is not kept.
        self._ticket_in = functools.lru_cache(maxsize=_TICKETS_KEPT)(self._decrypt_ticket)
        self._looked_at: weakref.WeakSet[Engine] = weakref.WeakSet()
        self._versioned = functools.lru_cache(maxsize=64)(self._policies_for_max_age)
        install_listeners()
        install_listener()

    def __call__(self, request: Request) -> WebSession:
        """Return the session of `request`. Nothing happens before its first use."""
        return WebSession(self, request)

    def __repr__(self) -> str:
        model: Any = self.settings.model_class
        return f"<SessionFactory of {model.__name__}, cookie {self.settings.cookie_name!r}>"

    # -- what the model offers -----------------------------------------------------------------------------

    def has(self, column: str) -> bool:
        """Tell whether the model has the column of one of the optional mixins."""
        return column in self.store.features.columns

    def check_userid(self, userid: Any) -> None:
        """Refuse a userid that is not of the column's type: engines would differ in what they make of it.

        Raises:
            UnstorableValueError: It is of another type.
        """
        expected = self.store.features.userid_type
        if userid is None or expected is None:
            return
        if not isinstance(userid, expected) or isinstance(userid, bool):
            raise UnstorableValueError(
                "userid",
                f"the column takes {expected.__name__}, not {type(userid).__name__}; convert it first",
            )

    # -- what was agreed -----------------------------------------------------------------------------------

    def policies(self, overrides: Overrides | None) -> Policies:
        """Return what the settings say now, for a session with these wishes of its own.

        The wishes are not applied (the rules do that), but they decide the version of the cookie: one whose
        Max-Age has changed is due to be sent again.
        """
        return self._versioned(None if overrides is None else overrides.cookie_max_age)

    def effective_policies(self, overrides: Overrides | None) -> Policies:
        """Return what holds for a session with these wishes of its own."""
        return self.policies(overrides).effective(overrides)

    def _policies_for_max_age(self, wish: int | None) -> Policies:
        settings = self.settings
        max_age = settings.cookie_max_age if wish is None else wish or None
        looks = (
            settings.cookie_name,
            max_age,
            settings.cookie_path,
            settings.cookie_domain,
            settings.cookie_secure,
            settings.cookie_httponly,
            settings.cookie_samesite,
            settings.secret_key.current.fingerprint,
            # Not where it is off: cookies from before there was this setting are of the same version.
            *(["partitioned"] if settings.cookie_partitioned else []),
        )
        # A digest, so that every server and every later process calls the same cookie by the same number.
        digest = hashlib.sha256("\n".join(map(str, looks)).encode()).digest()
        version = int.from_bytes(digest[:8], "big") & COUNTER_MAX
        return dataclasses.replace(settings.policies, cookie_version=version)

    # -- tickets -------------------------------------------------------------------------------------------

    def has_cookie(self, request: Request) -> bool:
        """Tell whether `request` carries a cookie of ours, valid or not."""
        return next(self.jar.tokens(request), None) is not None

    def read_ticket(self, request: Request) -> tuple[Ticket | None, tuple[Refusal, ...]]:
        """Return the ticket in the request's cookie, None if there is none, and what was no ticket of ours.

        That is refused quietly: it is the sender's mistake, or attack.
        """
        tickets = []
        refusals = []
        for token in self.jar.tokens(request):
            try:
                tickets.append(self._ticket_in(token))
            except TokenError as error:
                kind = "malformed" if isinstance(error, MalformedTokenError) else "not authentic"
                refusals.append(Refusal("the cookie cannot be decrypted", kind))
            except TicketError:
                refusals.append(Refusal("the cookie holds no ticket", "malformed"))
        ticket = tickets[0] if len(tickets) == 1 else freshest(tickets)
        return ticket, tuple(refusals)

    def _decrypt_ticket(self, token: str) -> Ticket:
        return Ticket.from_bytes(self._codec.decrypt(token))

    def make_token(self, ticket: Ticket) -> str:
        """Return `ticket` encrypted under the first key."""
        return self._codec.encrypt(ticket.to_bytes())

    # -- the engine ----------------------------------------------------------------------------------------

    def look_at(self, connection: Connection) -> None:
        """Warn, once, of an SQLite engine whose transactions do not isolate.

        Args:
            connection: The application's, which has just read something.
        """
        if connection.dialect.name != "sqlite" or connection.engine in self._looked_at:
            return
        self._looked_at.add(connection.engine)
        # In-memory databases have a single connection, which isolates nobody.
        if isinstance(connection.engine.pool, QueuePool) and not isolates(connection):
            log.warning("%s", SQLITE)

    # -- bookkeeping ---------------------------------------------------------------------------------------

    def bookkeeper(self, dbsession: Session, *, in_test: bool) -> Keeper | None:
        """Return who notes down what is due, None if nobody can.

        Args:
            dbsession: The application's database session.
            in_test: Whether a test holds one doomed transaction around everything: the books are kept in it,
                since nothing that it has written is visible elsewhere.
        """
        bind = dbsession.get_bind(self.settings.model_class)
        keeper = Bookkeeper(self.store, bind.engine)
        if in_test:
            return Keeper(keeper, dbsession.connection(bind_arguments={"mapper": self.settings.model_class}))
        if not isinstance(bind, Engine):
            # The application has bound its session to one connection, in whose transaction everything
            # happens; no other connection would see any of it.
            return None
        return Keeper(keeper)
