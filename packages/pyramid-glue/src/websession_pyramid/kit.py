"""The kit: what is made once from one set of settings, for all sessions of it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import logging
import secrets
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, Protocol

from pyramid.authentication import SessionAuthenticationHelper
from websession_core.errors import UnstorableValueError
from websession_core.settings import cookie_names_of_users
from websession_core.state import COUNTER_MAX, SEED_LENGTH
from websession_crypto import ValueCodec
from websession_models import Store, UseridMixin, fresh_session_id
from websession_models.engine_faults import engine_faults
from websession_models.userids import is_only_too_large, userid_problem

from .contents import OVERRIDES, Rules
from .cookies import CookieJar
from .missing_rows import MissingRows
from .retries import install_listener
from .row_watch import install_row_listeners
from .savepoints import install_listeners
from .tickets import TicketReader
from .types import pyramid_types

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from pyramid.request import Request
    from sqlalchemy import Connection, Dialect
    from sqlalchemy.pool import Pool
    from transaction import Transaction
    from websession_core.policies import Overrides, Policies
    from websession_core.session_types import SessionTypes
    from websession_core.settings import Settings

__all__ = ["SessionKit", "knows_users"]

log = logging.getLogger(__name__)


# The helper's default, for policies that make it while they are asked, so that nobody can find it in them.
_LOGIN_KEYS: Final[frozenset[str]] = frozenset({SessionAuthenticationHelper().userid_key})

# Part of what is authenticated, so never to be changed.
_DATA_PURPOSE = "session data"


def _store(settings: Settings) -> Store:
    if settings.data_secret_key is None:
        return Store.for_model(settings.model_class)
    cipher = ValueCodec(settings.data_secret_key, purpose=_DATA_PURPOSE)
    return Store(settings.model_class, cipher=cipher)


def knows_users(model: type) -> bool:
    """Return whether visitors of a model have a cookie of their own: it has `UseridMixin`."""
    return issubclass(model, UseridMixin)


def _system_clock() -> int:
    return int(time.time())


class _TakeOver(Protocol):
    """What is known here of a `taking_over.TakeOver`, which is above sessions."""

    def is_wanted(self, request: Request) -> bool:
        """Return whether `request` carries an old cookie."""

    def apply(self, session: Any, request: Request, transaction: Transaction, *, is_known: bool) -> None:
        """Fill `session` from the old one."""


class SessionKit:
    """What is made once from one set of settings, for all sessions of it.

    Args:
        settings: The validated settings; `secret_key` and, if it is given, `data_secret_key` are
            `websession_crypto.Keyring`, `model_class` the model.
        clock: Returns the time in whole Unix seconds.
        fresh_id: Returns a new random primary key.
        attribute: The attribute of the request that holds the session.
        types: The types of values that sessions can hold; None: the standard ones and Pyramid's.

    Attributes:
        settings: As given.
        attribute: As given.
        store: Reads and writes the model's rows.
        jar: Reads and writes the cookie of the name that is configured.
        visitor_jar: The same for the visitors' cookie; None: the model knows no users, so there is none.
        former_jar: Reads and deletes the cookie that the default name of before has; None: there is none.
        tickets: Decrypts and encrypts what is in the cookie.
        clock: As given. A test may put another in its place: from then on all goes by that one.
        fresh_session_id: As given.
        types: The types of values that sessions can hold; ``types.add(...)`` adds one.
        rules: What sessions may hold.
        own_settings: The settings that a session of this model can have of its own.
        missing_rows: The rows that bookkeeping has not found.
        take_over: Takes over the sessions of another library; None: there are none.
        login_keys: The keys under which Pyramid's `SessionAuthenticationHelper` keeps who is logged in:
            setting one is a login, and rotates the session.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], int] = _system_clock,
        fresh_id: Callable[[], UUID] = fresh_session_id,
        attribute: str = "session",
        types: SessionTypes | None = None,
    ) -> None:
        self.settings = settings
        self.attribute = attribute
        self.store = _store(settings)
        self.jar, *former = (CookieJar(settings, name) for name in settings.cookie_names_of_users)
        self.former_jar = former[0] if former else None
        self.visitor_jar = None
        if knows_users(settings.model_class):
            self.visitor_jar = CookieJar(settings, settings.visitor_cookie_name, self.jar)
        self.tickets = TicketReader(settings, self.jar, self.visitor_jar, self.former_jar)
        self.clock = clock
        self.fresh_session_id = fresh_id
        self.types = pyramid_types() if types is None else types
        storable = self.types.held_back() if settings.alongside_0_2 else self.types
        self.rules = Rules(storable, settings.max_data_size, settings.max_flash_messages)
        self.own_settings = frozenset(name for name in OVERRIDES if self.has(name))
        self.missing_rows = MissingRows()
        self.take_over: _TakeOver | None = None
        self.login_keys = _LOGIN_KEYS
        self._warned: set[str] = set()
        self._examined: weakref.WeakSet[Pool] = weakref.WeakSet()
        self._versioned = functools.lru_cache(maxsize=64)(self._policies_for_cookie)
        install_listeners()
        install_row_listeners()
        install_listener()

    # -- what the model offers -----------------------------------------------------------------------------

    def has(self, column: str) -> bool:
        """Return whether the model has the column of one of the optional mixins."""
        return column in self.store.features.columns

    def check_userid(self, userid: Any, dialect: Dialect) -> None:
        """Refuse a userid that the column cannot hold: engines would differ in what they make of it.

        Args:
            userid: The value; None: nobody.
            dialect: The database's. SQLite's integers have 64 bits, whatever the column says.

        Raises:
            UnstorableValueError: It is of another type, out of range or too long.
        """
        features = self.store.features
        problem = userid_problem(features, userid, dialect)
        if problem is None:
            return
        if dialect.name != "sqlite" or not is_only_too_large(features, userid):
            raise UnstorableValueError("userid", problem)
        self.warn_once(f"A userid is too large for other databases than SQLite: {problem}")

    @property
    def separates_visitors(self) -> bool:
        """Whether visitors who are not logged in get a cookie of their own."""
        return self.visitor_jar is not None and not self.settings.alongside_0_2

    def fresh_seed(self) -> bytes | None:
        """Return a new random seed for a ticket; None: workers of version 0.2 have to read it."""
        return None if self.settings.alongside_0_2 else secrets.token_bytes(SEED_LENGTH)

    # -- what was agreed -----------------------------------------------------------------------------------

    def policies(self, overrides: Overrides | None, owned: bool | None = None) -> Policies:
        """Return what the settings say now, for a session with these overrides of its own.

        They are not applied (the rules do that), but they decide the version of the cookie: one whose
        Max-Age has changed is due to be sent again.

        Args:
            overrides: The session's own; None: it has none.
            owned: Whether it belongs to a user; False may mean another cookie, with settings of its own.
        """
        is_visitors = owned is False and self.separates_visitors
        return self._versioned(None if overrides is None else overrides.cookie_max_age, is_visitors)

    def effective_policies(self, overrides: Overrides | None, owned: bool | None = None) -> Policies:
        """Return what holds for a session with these overrides of its own; arguments as for `policies`."""
        return self.policies(overrides, owned).effective(overrides)

    def _policies_for_cookie(self, override: int | None, is_visitors: bool) -> Policies:
        settings = self.settings
        # The name that version 0.2 has put in the digest.
        name, *_ = cookie_names_of_users(settings.cookie_name, alongside_0_2=True)
        default, samesite = settings.cookie_max_age, settings.cookie_samesite
        if is_visitors:
            own = settings.visitor_cookie_max_age
            name, default = settings.visitor_cookie_name, default if own is None else own or None
            samesite = settings.visitor_cookie_samesite or samesite
        max_age = default if override is None else override or None
        looks = (
            name,
            max_age,
            settings.cookie_path,
            settings.cookie_domain,
            settings.cookie_secure,
            settings.cookie_httponly,
            samesite,
            settings.secret_key.current.fingerprint,
            # Not where it is off: cookies from before there was this setting are of the same version.
            *(["partitioned"] if settings.cookie_partitioned else []),
        )
        # A digest, so that every server and every later process calls the same cookie by the same number.
        digest = hashlib.sha256("\n".join(map(str, looks)).encode()).digest()
        version = int.from_bytes(digest[:8], "big") & COUNTER_MAX
        return dataclasses.replace(settings.policies, cookie_version=version, cookie_max_age=default)

    def warn_once(self, message: str) -> None:
        """Log a warning, unless the same one was logged before."""
        if message not in self._warned:
            self._warned.add(message)
            log.warning("%s", message)

    # -- the engine ----------------------------------------------------------------------------------------

    def warn_of_engine_faults(self, connection: Connection) -> None:
        """Warn, once for each engine, of what breaks a promise.

        Args:
            connection: The application's, which has just read a row, or is about to insert one.
        """
        # By the pool, which all engines share that differ in their execution options only.
        pool = connection.engine.pool
        if pool in self._examined:
            return
        self._examined.add(pool)
        driver: Any = connection.dialect.dbapi
        # Whatever is wrong, the request's own statements will meet it; or a proxy does not answer that.
        with contextlib.suppress(driver.Error):
            for fault in engine_faults(connection, self.settings.model_class):
                log.warning("%s", fault)
