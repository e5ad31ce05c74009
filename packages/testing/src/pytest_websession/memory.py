"""Sessions in memory: the same behaviour as the real ones, without a database."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pyramid.interfaces import ISession, ISessionFactory
from websession_core import OPTIONS
from websession_core.payload import FlashQueues, Payload
from websession_pyramid.session import is_attribute
from websession_pyramid.types import pyramid_types, session_types
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from websession_core import SessionTypes

__all__ = ["MemorySession", "MemorySessionFactory"]

_DEFAULTS: Final = {option.name: option.default for option in OPTIONS}


def _system_clock() -> int:
    return int(time.time())


class _Snapshot(NamedTuple):
    """What a session leaves for the next request: as text, as a database would have it."""

    data: str | None = None
    flash: str | None = None
    created: int | None = None
    csrf_token: str | None = None
    userid: Any = None
    authenticated_at: int | None = None


@implementer(ISession)
class MemorySession(Payload):
    """A session for unit tests: ``DummyRequest(session=MemorySession({"cart": []}))``.

    It accepts and refuses the same values as the real session, with its default limits, and notices nested
    changes.

    Args:
        data: The initial data.
        userid: Who is logged in.
        clock: Returns the time in whole Unix seconds.
        snapshot: What an earlier request has left; for the factory.
        types: The types of values that it can hold, ``session_types(registry)`` for those that an application
            has configured; None: the standard ones and Pyramid's.

    Attributes:
        new: Whether it began with this request.
        created: When it began, Unix seconds.
    """

    created: int = 0
    new: bool = True
    is_invalidated: bool = False

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        userid: Any = None,
        clock: Callable[[], int] = _system_clock,
        snapshot: _Snapshot | None = None,
        types: SessionTypes | None = None,
    ) -> None:
        before = _Snapshot() if snapshot is None else snapshot
        types = pyramid_types() if types is None else types
        super().__init__(before.data, types=types, limit=_DEFAULTS["max_data_size"])
        self._clock = clock
        self._messages = FlashQueues(before.flash, types=types, limit=_DEFAULTS["max_flash_messages"])
        self._csrf_token = before.csrf_token
        self._userid = before.userid
        self._authenticated_at = before.authenticated_at
        self.created = clock() if before.created is None else before.created
        self.new = snapshot is None
        if data is not None:
            self.update(data)
        if userid is not None:
            self.login(userid)

    def __setattr__(self, name: str, value: Any) -> None:
        if not is_attribute(type(self), name, value):
            raise AttributeError(f"a session stores keys, and no attributes: request.session[{name!r}] = ...")
        super().__setattr__(name, value)

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def __json__(self, request: Any) -> dict[str, Any]:
        """Return what Pyramid's JSON renderer shows of it."""
        return self.copy()

    def invalidate(self) -> None:
        """End the session; it is usable at once for new data."""
        self.clear()
        self._messages = FlashQueues(types=self._types, limit=_DEFAULTS["max_flash_messages"])
        self._csrf_token = self._userid = self._authenticated_at = None
        self.created = self._clock()
        self.new = self.is_invalidated = True

    def changed(self) -> None:
        """Do nothing: changes are noticed."""

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Add a message to the end of a flash queue, unless it is there and duplicates are not allowed."""
        self._messages.push(msg, queue, allow_duplicate)

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Remove and return the messages of a flash queue, oldest first."""
        return self._messages.pop(queue)

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Return a copy of the messages of a flash queue, oldest first."""
        return self._messages.peek(queue)

    def new_csrf_token(self) -> str:
        """Create, store and return a new CSRF token."""
        self._csrf_token = secrets.token_urlsafe(32)
        return self._csrf_token

    def get_csrf_token(self) -> str:
        """Return the session's CSRF token, made if there is none yet."""
        return self._csrf_token or self.new_csrf_token()

    @property
    def userid(self) -> Any:
        """Who is logged in, None for nobody; setting another value is a login."""
        return self._userid

    @userid.setter
    def userid(self, userid: Any) -> None:
        if userid != self._userid:
            self.login(userid)

    def login(self, userid: Any) -> None:
        """Let the session belong to a user; the CSRF token is replaced."""
        self._userid = userid
        self._authenticated_at = None if userid is None else self._clock()
        self._csrf_token = None

    @property
    def login_age(self) -> int | None:
        """Seconds since the user last logged in; None: never."""
        return None if self._authenticated_at is None else max(0, self._clock() - self._authenticated_at)

    def regenerate(self) -> None:
        """Do nothing: there is no cookie that could be stolen."""

    def keep(self) -> _Snapshot | None:
        """Return what the next request is to have, None where there is nothing worth keeping.

        Raises:
            UnstorableValueError: A nested value cannot be stored.
        """
        if not self and self._messages.is_empty and self._csrf_token is None and self._userid is None:
            return None
        return _Snapshot(
            self.serialize(),
            self._messages.serialize(),
            self.created,
            self._csrf_token,
            self._userid,
            self._authenticated_at,
        )


@implementer(ISessionFactory)
class MemorySessionFactory:
    """Keeps sessions in memory from request to request, for `config.set_session_factory`.

    For tests of an application in which sessions do not matter much. They hold the types that the application
    has configured with ``config.add_session_type``. There is no transaction: the changes of a failed request
    are kept.

    Args:
        cookie_name: The name of the cookie, which holds a random name of the session.
        clock: Returns the time in whole Unix seconds.
    """

    def __init__(self, cookie_name: str = "session", clock: Callable[[], int] = _system_clock) -> None:
        self._cookie_name = cookie_name
        self._clock = clock
        self._snapshots: dict[str, _Snapshot] = {}

    def __call__(self, request: Any) -> MemorySession:
        """Return the session of `request`."""
        name = request.cookies.get(self._cookie_name)
        registry = getattr(request, "registry", None)
        types = None if registry is None else session_types(registry)
        session = MemorySession(clock=self._clock, snapshot=self._snapshots.get(name), types=types)

        def keep(_request: Any, response: Any) -> None:
            nonlocal name
            snapshot = session.keep()
            if session.is_invalidated or snapshot is None:
                if self._snapshots.pop(name, None) is not None and snapshot is None:
                    response.delete_cookie(self._cookie_name)
                name = None
            if snapshot is not None:
                if name not in self._snapshots:
                    name = secrets.token_urlsafe(16)
                    response.set_cookie(self._cookie_name, name, httponly=True, samesite="Lax")
                self._snapshots[name] = snapshot

        request.add_response_callback(keep)
        return session
