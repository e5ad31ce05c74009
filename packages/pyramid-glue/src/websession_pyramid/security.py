"""Who is logged in, for Pyramid's security system, kept in the session."""

from __future__ import annotations

import logging
import operator
from typing import TYPE_CHECKING, Any

from pyramid.authentication import SessionAuthenticationHelper, SessionAuthenticationPolicy
from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.interfaces import IAuthenticationPolicy, ISecurityPolicy
from websession_core.errors import SessionError
from zope.interface import implementer

from .retries import is_error_retryable
from .session import WebSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyramid.registry import Registry
    from pyramid.request import Request

__all__ = ["SessionSecurityPolicy", "login_keys", "policy_parts", "policy_sessions"]

log = logging.getLogger(__name__)


@implementer(ISecurityPolicy)
class SessionSecurityPolicy:
    """A security policy over `request.session.userid`; the model needs `UseridMixin`.

    Logging in is ``remember(request, user.id)``, logging out ``forget(request)``; the headers they return
    are empty, since the session sends its cookie itself, after the commit.

    Args:
        identity: Takes the request and the userid and returns the identity, for example the user's row, or
            None if the user no longer exists, and is then not authenticated. Without it, the userid is the
            identity. An error page has no identity if it can no longer be loaded: after a failed flush or
            commit, or if the function raises there.
        permits: Takes the request, the context, the permission and the identity, and returns what
            `ISecurityPolicy.permits` does. Without it the context's access control lists decide, for the
            principals `Everyone`, `Authenticated`, and the userid.
        session: The request attribute of the session, if it was added with `config.add_web_session`.

    Attributes:
        session: As given.
    """

    def __init__(
        self,
        identity: Callable[[Request, Any], Any] | None = None,
        permits: Callable[[Request, Any, str, Any], Any] | None = None,
        session: str = "session",
    ) -> None:
        self.session = session
        self._session = operator.attrgetter(session)
        self._identity = identity
        self._permits = permits

    def identity(self, request: Request) -> Any:
        """Return the identity of the logged-in user, or None."""
        session = self._session(request)
        userid = session.userid
        if userid is None or self._identity is None:
            return userid
        if getattr(request, "exception", None) is None:
            return self._identity(request, userid)
        # An error page shall render. Once the transaction is over nobody gives the connection back that
        # loading would take.
        if isinstance(session, WebSession) and not session.is_database_usable:
            return None
        try:
            return self._identity(request, userid)
        except Exception as error:  # noqa: BLE001 - the application's code, after an error of the application's
            log.info(
                "An error page is shown to nobody: the identity cannot be loaded (%s)", type(error).__name__
            )
            return None

    def authenticated_userid(self, request: Request) -> Any:
        """Return the userid of the logged-in user, or None."""
        try:
            return None if request.identity is None else self._session(request).userid
        except Exception as error:
            # Before there is a context no error page could be made of it, whatever the request is for:
            # pyramid_tm asks to note the user on the transaction (tm.annotate_user).
            if "context" in vars(request) or is_error_retryable(request, error):
                raise
            # Of others' errors the kind alone: what they say can show anything.
            reason = error if isinstance(error, SessionError) else type(error).__name__
            log.warning("The user of a request cannot be told to pyramid_tm: %s", reason)
            return None

    def permits(self, request: Request, context: Any, permission: str) -> Any:
        """Return whether the request has a permission in a context."""
        identity = request.identity
        if self._permits is not None:
            return self._permits(request, context, permission, identity)
        principals = [Everyone]
        if identity is not None:
            principals += [Authenticated, self._session(request).userid]
        return ACLHelper().permits(context, principals, permission)

    def remember(
        self, request: Request, userid: Any, *, keep_data: bool = False, **_options: Any
    ) -> list[tuple[str, str]]:
        """Log a user in: the session gets a new identity and belongs to them (OWASP ASVS 5.0, 7.2.4).

        Args:
            request: The request.
            userid: The user, whose password or other proof was checked.
            keep_data: As for `WebSession.login`.
        """
        self._session(request).login(userid, keep_data=keep_data)
        return []

    def forget(self, request: Request, **_options: Any) -> list[tuple[str, str]]:
        """Log out: the session ends, with everything in it."""
        self._session(request).invalidate()
        return []


def policy_sessions(registry: Registry) -> frozenset[str]:
    """Return which sessions the security policy in force reads, by the attributes of the request.

    In a policy of the application's own, its attributes are searched for ours and for Pyramid's helpers over
    ``request.session``. It may read a session in other ways: that nothing was found is no proof.
    """
    return frozenset(name for part in policy_parts(registry) for name in _sessions_of(part))


def login_keys(registry: Registry) -> frozenset[str]:
    """Return the keys under which Pyramid's helpers in the security policy keep who is logged in.

    Args:
        registry: The registry of an application whose configuration is committed.
    """
    parts = tuple(policy_parts(registry))
    helpers = [part for part in parts if isinstance(part, SessionAuthenticationHelper)]
    helpers += [part.helper for part in parts if isinstance(part, SessionAuthenticationPolicy)]
    return frozenset(helper.userid_key for helper in helpers)


def policy_parts(registry: Registry) -> Iterator[Any]:
    """Yield the security policy in force, its attributes, what these hold, and what is in that."""
    for policy in (registry.queryUtility(ISecurityPolicy), registry.queryUtility(IAuthenticationPolicy)):
        yield from _parts(policy, _POLICY_DEPTH)


def _sessions_of(part: Any) -> Iterator[str]:
    if isinstance(part, (SessionAuthenticationHelper, SessionAuthenticationPolicy)):
        yield "session"
    if isinstance(part, SessionSecurityPolicy) and "session" in vars(part):
        yield part.session


def _parts(part: Any, depth: int) -> Iterator[Any]:
    yield part
    if depth == 0 or callable(part):
        return
    if isinstance(part, (list, tuple, set, frozenset)):
        members = list(part)
    elif isinstance(part, dict):
        members = list(part.values())
    else:
        classes = [vars(cls) for cls in type(part).__mro__]
        members = [value for names in (getattr(part, "__dict__", {}), *classes) for value in names.values()]
    for member in members:
        yield from _parts(member, depth - 1)


# The policy, a list or dictionary in it, and what is in that.
_POLICY_DEPTH = 2
