"""A browser for tests: WebTest's, with what tests of sessions do to a browser and ask about it."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, Self

import webtest
from pyramid.interfaces import ISecurityPolicy
from pyramid.security import forget, remember
from websession_core.payload import FlashQueues, Payload
from websession_core.session_types import DEFAULT_TYPES
from websession_pyramid import web_session_factories
from websession_pyramid.opening import judge_cookies

from . import requests
from .usage import usage_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.cookies import Morsel
    from uuid import UUID

    from websession_core import SessionTypes
    from websession_models import SessionRow
    from websession_pyramid import SessionFactory

    from .clock import ManualClock

__all__ = ["Browser", "StoredSession"]

HTTPS = {"wsgi.url_scheme": "https", "SERVER_PORT": "443", "HTTP_HOST": "example.com"}

_ANY: Any = object()

_NOTHING_STORED = (
    "no session is stored for this browser: {}. Let a request store something before, or assert that there "
    "is none by assert_no_session_stored()."
)


@dataclass(frozen=True)
class StoredSession:
    """A session as stored in the database; a copy, whose changes have no effect.

    Attributes:
        id: The primary key of its row.
        created: When it began, Unix seconds.
        userid: Who is logged in; None also for a model without `UseridMixin`.
        data: The application's data.
    """

    id: UUID
    created: int
    userid: Any
    data: dict[str, Any]
    _flash: FlashQueues = field(repr=False, compare=False)

    @classmethod
    def from_row(cls, row: SessionRow, types: SessionTypes = DEFAULT_TYPES) -> Self:
        """Return what a row of the store says.

        Args:
            row: The row.
            types: The types of values that the application's sessions can hold.
        """
        data = Payload(row.data, types=types).copy()
        return cls(row.id, row.created, row.userid, data, FlashQueues(row.flash, types=types))

    def flash(self, queue: str = "") -> list[Any]:
        """Return the messages of a flash queue, oldest first."""
        return self._flash.peek(queue)


class Browser(webtest.TestApp):
    """A browser with its own cookies. It sends its requests over https, to example.com.

    Args:
        app: What `config.make_wsgi_app()` has returned.
        extra_environ: What every request has in its WSGI environment; the scheme and the host, too.
        clock: The clock by which cookies with a `Max-Age` expire; None: the real time.
        options: What `webtest.TestApp` takes.
    """

    def __init__(
        self,
        app: Any,
        extra_environ: Mapping[str, Any] | None = None,
        *,
        clock: ManualClock | None = None,
        **options: Any,
    ) -> None:
        super().__init__(app, extra_environ={**HTTPS, **(extra_environ or {})}, **options)
        self._options = options
        self._clock = clock
        self._looked_at = 0 if clock is None else clock()

    def do_request(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request as WebTest does, without cookies that have expired by the manual clock."""
        self._age_cookies()
        return super().do_request(*args, **kwargs)

    # -- other browsers ------------------------------------------------------------------------------------

    def thief(self) -> Self:
        """Return another browser with a copy of the cookies that this one has now."""
        other = type(self)(self.app, self.extra_environ, clock=self._clock, **self._options)
        for cookie in self.cookiejar:
            other.cookiejar.set_cookie(copy.copy(cookie))
        return other

    # -- without a view ------------------------------------------------------------------------------------

    def login(self, userid: Any, session: str = "session") -> None:
        """Log a user in, as a login view does after it has checked the password: no form is needed.

        It calls `remember` of the application's security policy; without a policy, and for sessions added
        with `config.add_web_session`, it calls the session's `login(userid)`.

        Args:
            userid: The userid that the application's login view passes.
            session: The attribute of the request that holds the session.
        """
        with self._ask() as (request, headers):
            if session == "session" and request.registry.queryUtility(ISecurityPolicy) is not None:
                headers.extend(remember(request, userid))
            else:
                self._session_of(request, session).login(userid)

    def logout(self, session: str = "session") -> None:
        """Log out, as a logout view does: by `pyramid.security.forget`, or `invalidate()` of the session."""
        with self._ask() as (request, headers):
            if session == "session" and request.registry.queryUtility(ISecurityPolicy) is not None:
                headers.extend(forget(request))
            else:
                self._session_of(request, session).invalidate()

    @contextmanager
    def session(self, session: str = "session") -> Iterator[Any]:
        """Yield `request.session` as a view of this browser's next request would have it, to read and change.

        It is stored at the end of the block, and the browser gets the cookie: a request like any other,
        except that no view is called. An error that comes out of the block rolls everything back.

        Args:
            session: The attribute of the request that holds the session.
        """
        with self._ask() as (request, _headers):
            yield self._session_of(request, session)

    def stored_session(self, session: str = "session") -> StoredSession:
        """Return the stored session that the browser's cookies open now.

        This only looks: it does not count as activity, and renews nothing.

        Args:
            session: The attribute of the request that holds the session.

        Raises:
            AssertionError: They open none; the message says why. If that is expected, use
                `assert_no_session_stored()`.
        """
        __tracebackhide__ = True
        row, reason = self._look(session)
        if row is None:
            raise AssertionError(_NOTHING_STORED.format(reason))
        return StoredSession.from_row(row, self._factory(session).types)

    @property
    def authenticated_userid(self) -> Any:
        """The userid that the application's security policy returns for this browser's next request."""
        with (
            requests.bare_request(self.app.registry, self._environ()) as request,
            requests.in_transaction(request, keep=False),
        ):
            userid = request.authenticated_userid
            # There is no response, so there is no bookkeeping.
            request.response_callbacks.clear()
            request.finished_callbacks.clear()
        return userid

    # -- assertions ----------------------------------------------------------------------------------------

    def assert_session_stored(self, data: Mapping[str, Any] = _ANY, session: str = "session") -> None:
        """Assert that the browser's cookies open a stored session.

        Args:
            data: What the session must hold, exactly; left out: anything.
            session: The attribute of the request that holds the session.
        """
        __tracebackhide__ = True
        contents = self.stored_session(session).data
        if data is not _ANY:
            assert contents == data  # noqa: S101 - rewritten by pytest, which shows the difference

    def assert_no_session_stored(self, session: str = "session") -> None:
        """Assert that the browser has no cookies that open a stored session."""
        __tracebackhide__ = True
        row, _reason = self._look(session)
        if row is not None:
            record = StoredSession.from_row(row, self._factory(session).types)
            raise AssertionError(
                f"a session is stored for this browser, of user {record.userid!r}, with data {record.data!r} "
                f"and flash messages {record.flash()!r}"
            )

    def assert_session_cookie(
        self,
        response: Any,
        *,
        secure: bool = _ANY,
        httponly: bool = _ANY,
        samesite: str = _ANY,
        path: str = _ANY,
        domain: str | None = _ANY,
        max_age: int | None = _ANY,
        session: str = "session",
    ) -> None:
        """Assert that a response stores the session's cookie in the browser, with these attributes.

        If visitors have a separate cookie, it is that or the users', whichever is set.

        Args:
            response: What a request of this browser has returned.
            secure: Whether it is sent over https only.
            httponly: Whether it is hidden from scripts.
            samesite: `Strict`, `Lax` or `None`, in any case.
            path: For which paths it is sent.
            domain: For which domain; None: for the host that sent it.
            max_age: For how long the browser keeps it, seconds; None: until it is closed.
            session: The attribute of the request that holds the session.
        """
        __tracebackhide__ = True
        cookie = self._sent_cookie(response, session)
        if cookie is None or not cookie["value"]:
            what = "deletes" if cookie else "does not set"
            raise AssertionError(f"the response {what} the session's cookie; it sets {_names(response)}")
        expected = {
            "secure": secure,
            "httponly": httponly,
            "samesite": samesite,
            "path": path,
            "domain": domain,
            "max_age": max_age,
        }
        wrong = [
            f"{name} is {cookie[name]!r}, not {value!r}"
            for name, value in expected.items()
            if value is not _ANY and _fold(cookie[name]) != _fold(value)
        ]
        if wrong:
            raise AssertionError(f"the session's cookie: {'; '.join(wrong)}")

    def assert_session_cookie_deleted(self, response: Any, session: str = "session") -> None:
        """Assert that a response deletes the session's cookie from the browser, and sets no other."""
        __tracebackhide__ = True
        cookie = self._sent_cookie(response, session)
        if cookie is None or cookie["value"]:
            what = "stores" if cookie else "says nothing about"
            raise AssertionError(f"the response {what} the session's cookie; it sets {_names(response)}")

    def assert_no_session_cookie(self, response: Any, session: str = "session") -> None:
        """Assert that a response says nothing about the session's cookies."""
        __tracebackhide__ = True
        cookie = self._sent_cookie(response, session)
        if cookie is not None:
            what = "stores" if cookie["value"] else "deletes"
            raise AssertionError(f"the response {what} the session's cookie")

    # -- private -------------------------------------------------------------------------------------------

    @contextmanager
    def _ask(self) -> Iterator[tuple[Any, list[tuple[str, str]]]]:
        """Make a bare request, with the browser's cookies, and store the cookies that come back."""
        headers: list[tuple[str, str]] = []
        with requests.bare_request(self.app.registry, self._environ()) as request:
            with requests.in_transaction(request, keep=True):
                yield request, headers
            response = requests.respond(request, headers)
        # A response is a WSGI application: WebTest takes the cookies out of it.
        webtest.TestApp(response, self.extra_environ, cookiejar=self.cookiejar).get("/")

    def _environ(self) -> dict[str, Any]:
        self._age_cookies()
        environ = dict(webtest.TestRequest.blank("/", environ=self.extra_environ).environ)
        # All of them, whatever their path: this request has no address.
        if self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return environ

    def _age_cookies(self) -> None:
        """Let the cookies age by what the manual clock has moved: the jar goes by the real time."""
        if self._clock is None:
            return
        seconds, self._looked_at = self._clock() - self._looked_at, self._clock()
        for cookie in self.cookiejar:
            if cookie.expires is not None:
                cookie.expires -= seconds
        self.cookiejar.clear_expired_cookies()

    def _factory(self, name: str) -> SessionFactory:
        factories = web_session_factories(self.app.registry)
        if name not in factories:
            names = ", ".join(f"request.{attribute}" for attribute in factories) or "none of this library's"
            usage_error(f"The application has no sessions at request.{name}; it has {names}.")
        return factories[name]

    def _session_of(self, request: Any, name: str) -> Any:
        self._factory(name)
        return getattr(request, name)

    def _look(self, name: str) -> tuple[SessionRow | None, str]:
        """Return the row that the browser's cookie opens now, None if it opens none; and why."""
        factory = self._factory(name)
        with (
            requests.bare_request(self.app.registry, self._environ()) as request,
            requests.in_transaction(request, keep=False),
        ):
            presented = factory.tickets.presented(request)
            dbsession = requests.database_session(request, factory)
            connection = dbsession.connection(bind_arguments={"mapper": factory.settings.model_class})

            def read(session_id: UUID) -> tuple[SessionRow | None, bool]:
                return factory.store.load(connection, session_id), False

            opening = judge_cookies(factory, presented, read)
        if opening.row is not None:
            return opening.row, opening.verdicts[-1].reason
        if opening.verdict is not None:
            cookies = " and ".join(
                f"{factory.tickets.jar_for(verdict.ticket).name!r} opens nothing ({verdict.reason})"
                for verdict in opening.verdicts
            )
            return None, f"its cookie {cookies}"
        if opening.refusals:
            return None, opening.refusals[0].reason
        names = ", ".join(sorted(self.cookies)) or "none"
        return None, f"it has no cookie {factory.settings.cookie_name!r} (its cookies: {names})"

    def _sent_cookie(self, response: Any, name: str) -> dict[str, Any] | None:
        """Return the attributes of the session's cookie in a response, None if neither is there."""
        names = {jar.name for jar in self._factory(name).tickets.jars}
        sent = [
            _attributes(morsel)
            for header in response.headers.getall("Set-Cookie")
            for cookie_name, morsel in SimpleCookie(header).items()
            if cookie_name in names
        ]
        # A login stores the users' and may take the visitors' away, for example.
        return max(sent, key=lambda attributes: bool(attributes["value"]), default=None)


def _attributes(morsel: Morsel[str]) -> dict[str, Any]:
    return {
        "value": morsel.value,
        "secure": bool(morsel["secure"]),
        "httponly": bool(morsel["httponly"]),
        "samesite": morsel["samesite"],
        "path": morsel["path"],
        "domain": morsel["domain"] or None,
        "max_age": int(morsel["max-age"]) if morsel["max-age"] else None,
    }


def _names(response: Any) -> str:
    """Return the names of the cookies that a response sets, for a message: values are secrets."""
    names = [name for header in response.headers.getall("Set-Cookie") for name in SimpleCookie(header)]
    return ", ".join(names) or "no cookie"


def _fold(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value
