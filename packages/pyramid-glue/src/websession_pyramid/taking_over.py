"""The move from another session library: old sessions are taken over, each at its first use.

`take_over_sessions` puts a `TakeOver` on the kit. Opening a session in a live transaction asks it once; it
does something only for a browser that brings the old cookie.

- Without a ticket of ours what the old session holds is put into the new one, in the request's transaction.
- After the commit, and never without it, the old session is ended and its cookie deleted.
- With a ticket of ours the old session is not even read: whatever became of ours, a logout perhaps, holds.
  Its cookie goes.

The old library is called with a copy of the request, so that what it wants to add to the response, its own
cookie above all, is added to nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pyramid.config import PHASE3_CONFIG
from pyramid.request import Request, apply_request_extensions
from websession_core.errors import ConfigurationError, Mistake, UnstorableValueError

from .cookies import keep_out_of_caches
from .factory import web_session_factories

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pyramid.config import Configurator
    from pyramid.response import Response
    from transaction import Transaction

    from .session import WebSession

__all__ = ["TakeOver", "take_over_sessions"]

log = logging.getLogger(__name__)

_FLASH: Final = "_f_"
_NO_DATA: Final = frozenset(
    {
        "_csrft_",  # the token of Pyramid's sessions, and of those that follow them
        "auth.userid",  # of Pyramid's SessionAuthenticationHelper and SessionAuthenticationPolicy
        # What Beaker keeps beside the data.
        *("_accessed_time", "_creation_time", "_domain", "_expires", "_id", "_path", "_user_id"),
    }
)


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Takes over the sessions of another library; attributes as the arguments of `take_over_sessions`."""

    factory: Callable[[Request], Any]
    cookie_name: str
    cookie_path: str = "/"
    cookie_domain: str | None = None
    leave_out: Collection[str] = ()
    login: Callable[[Request, Any], Any] | None = None
    login_until: int = 0
    _warned: list[str] = field(default_factory=list)

    def is_wanted(self, request: Request) -> bool:
        """Return whether `request` carries an old cookie."""
        header = request.environ.get("HTTP_COOKIE")
        if header is None or self.cookie_name not in header:
            return False
        pair = f"{self.cookie_name}="
        return any(part.strip().startswith(pair) for part in header.split(";"))

    def apply(
        self, session: WebSession, request: Request, transaction: Transaction, *, is_known: bool
    ) -> None:
        """Fill `session` from the old one, which ends when the transaction commits.

        Args:
            session: The session, as it was opened.
            request: The browser's request.
            transaction: What must commit first.
            is_known: Whether the browser has a ticket of ours.
        """
        old, items = None, []
        if is_known:
            self._warn_of_a_cookie_that_stays()
        else:
            try:
                old = self.factory(_copy_of(request))
                items = [] if old.new else list(old.items())
            except Exception as error:  # noqa: BLE001 - the old library's, whose store may not answer
                # It may show the session's name in its store, so the kind alone.
                log.warning("An old session could not be taken over: %s", type(error).__name__)
                return
            if old.new:
                old = None
            else:
                self._fill(session, request, old, items)
        committed: list[bool] = []

        def end(success: bool) -> None:
            committed.append(success)
            if success and old is not None:
                _end(old)

        def delete_cookie(_request: Request, response: Response) -> None:
            if committed == [True]:
                response.delete_cookie(self.cookie_name, self.cookie_path, self.cookie_domain)
                keep_out_of_caches(response)

        transaction.addAfterCommitHook(end)
        request.add_response_callback(delete_cookie)

    def _fill(self, session: WebSession, request: Request, old: Any, items: list[tuple[Any, Any]]) -> None:
        userid = None
        if self.login is not None and session.kit.clock() < self.login_until:
            userid = self.login(request, old)
        problems = list(self._copy_data(session, items))
        if problems:
            log.warning("Of an old session, what cannot be stored was left behind: %s", "; ".join(problems))
        if userid is not None:
            session.login(userid)

    def _copy_data(self, session: WebSession, items: list[tuple[Any, Any]]) -> Iterator[str]:
        """Copy data and flash messages; yield what cannot be stored."""
        for key, value in items:
            if key in _NO_DATA or key in self.leave_out:
                continue
            try:
                if isinstance(key, str) and key.startswith(_FLASH) and isinstance(value, list):
                    for message in value:
                        session.flash(message, key.removeprefix(_FLASH))
                else:
                    session[key] = value
            except UnstorableValueError as error:
                yield str(error)

    def _warn_of_a_cookie_that_stays(self) -> None:
        if not self._warned:
            self._warned.append(self.cookie_name)
            log.warning(
                "A browser with a session of ours has brought the old cookie %r, too. It is deleted now. If "
                "this goes on, it was set with another path or domain: give these to "
                "config.take_over_sessions. This is said once.",
                self.cookie_name,
            )


def _copy_of(request: Request) -> Request:
    environ = {name: value for name, value in request.environ.items() if not name.startswith("webob.")}
    copy = Request(environ)
    copy.registry = request.registry
    apply_request_extensions(copy)
    return copy


def _end(old: Any) -> None:
    """End an old session in its store, if it has one."""
    try:
        if hasattr(old, "delete") and hasattr(old, "persist"):  # Beaker, whose `invalidate` deletes nothing
            old.delete()
            old.persist()
        else:
            old.invalidate()
    except Exception as error:  # noqa: BLE001 - the old library's: the new session is committed already
        log.warning("An old session was taken over and could not be ended: %s", type(error).__name__)


def take_over_sessions(
    config: Configurator,
    factory: Any,
    *,
    cookie_name: str,
    cookie_path: str = "/",
    cookie_domain: str | None = None,
    leave_out: Collection[str] = (),
    login: Any = None,
    login_until: date | str | None = None,
    session: str = "session",
) -> None:
    """Take over the contents of another library's sessions, each at its first use.

    ``config.take_over_sessions(SignedCookieSessionFactory("old secret"), cookie_name="old")``. The directive
    is available once the library is included. A browser that sends the old cookie, and none of ours, gets a
    new session with the data and flash messages of the old one. In the same response the old cookie is
    deleted, and the old session is ended if its library stores it on a server. The log names what cannot be
    stored.

    Args:
        config: The application's configurator.
        factory: The factory of the old sessions, or its dotted name.
        cookie_name: The old cookie's name; not that of ours.
        cookie_path: The old cookie's path.
        cookie_domain: The old cookie's domain.
        leave_out: Keys that are not taken over; name those that say who is logged in. ``auth.userid``, which
            Pyramid's own helper and policy use, is always left out.
        login: Takes the request and the old session and returns the userid of the user who is logged in
            there, or None; they are logged in to the new session. Without it, nobody is.
        login_until: The last day, UTC, on which ``login`` is called: a ``date``, or text like ``2027-01-31``.
        session: The attribute of the request that holds the new session.

    Raises:
        ConfigurationError: An argument is wrong.
    """
    mistakes = []
    last_day: date | None = None
    if (login is None) is not (login_until is None):
        argument, companion = ("login_until", "login") if login is None else ("login", "login_until")
        mistakes.append(_mistake(argument, f"has no {companion}", "give both or neither"))
    elif login_until is not None:
        try:
            last_day = date.fromisoformat(login_until) if isinstance(login_until, str) else login_until
        except ValueError:
            mistakes.append(_mistake("login_until", "is no date", "write it like 2027-01-31"))
    if isinstance(leave_out, str):
        mistakes.append(_mistake("leave_out", "is a text", "give a list of keys"))
    if mistakes:
        raise ConfigurationError(mistakes)
    take_over = TakeOver(
        config.maybe_dotted(factory),
        cookie_name,
        cookie_path,
        cookie_domain,
        frozenset(leave_out),
        config.maybe_dotted(login),
        0 if last_day is None else _end_of(last_day),
    )

    def register() -> None:
        ours = web_session_factories(config.registry).get(session)
        if ours is None:
            mistake = _mistake("session", f"request.{session} is no session of ours", "add it before")
        elif any(jar is not None and jar.name == cookie_name for jar in (ours.jar, ours.visitor_jar)):
            mistake = _mistake(
                "cookie_name",
                f"{cookie_name!r} is the name of a cookie of the new session as well",
                "give the new one another name, by the setting cookie_name",
            )
        elif login is not None and not ours.has("userid"):
            mistake = _mistake("login", "needs a model with UseridMixin", "add it, and a migration")
        else:
            ours.take_over = take_over
            return
        raise ConfigurationError([mistake])

    config.action(("websession_pyramid.take_over", session), register, order=PHASE3_CONFIG)


def _mistake(argument: str, problem: str, remedy: str) -> Mistake:
    return Mistake("config.take_over_sessions", argument, problem, remedy)


def _end_of(day: date) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return int(midnight.timestamp())
