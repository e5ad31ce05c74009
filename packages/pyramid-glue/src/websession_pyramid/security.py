"""Who is logged in, for Pyramid's security system, kept in the session."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.exceptions import ConfigurationError as PyramidConfigurationError
from pyramid.httpexceptions import HTTPForbidden
from pyramid.interfaces import ISecurityPolicy
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyramid.request import Request

__all__ = ["RecentLoginRequired", "SessionSecurityPolicy", "recent_login_view"]


@implementer(ISecurityPolicy)
class SessionSecurityPolicy:
    """A security policy over `request.session.userid`; the model needs `UseridMixin`.

    Logging in is ``remember(request, user.id)``, logging out ``forget(request)``; the headers they return
    are empty, since the session sends its cookie itself, after the commit.

    Args:
        identity: Takes the request and the userid and returns the identity, for example the user's row, or
            None if there is no such user any more, who is then not authenticated. Without it the userid is
            the identity.
        permits: Takes the request, the context, the permission and the identity, and returns what
            `ISecurityPolicy.permits` does. Without it the context's access control lists decide, for the
            principals `Everyone`, `Authenticated`, and the userid.
        session: The attribute of the request that holds the session, if it is one of
            `config.add_web_session`.
    """

    def __init__(
        self,
        identity: Callable[[Request, Any], Any] | None = None,
        permits: Callable[[Request, Any, str, Any], Any] | None = None,
        session: str = "session",
    ) -> None:
        self._session = operator.attrgetter(session)
        self._identity = identity
        self._permits = permits

    def identity(self, request: Request) -> Any:
        """Return who sent the request, None for somebody unknown."""
        userid = self._session(request).userid
        if userid is None or self._identity is None:
            return userid
        return self._identity(request, userid)

    def authenticated_userid(self, request: Request) -> Any:
        """Return the userid of who sent the request, None for somebody unknown."""
        return None if request.identity is None else self._session(request).userid

    def permits(self, request: Request, context: Any, permission: str) -> Any:
        """Tell whether the sender of the request may do something."""
        identity = request.identity
        if self._permits is not None:
            return self._permits(request, context, permission, identity)
        principals = [Everyone]
        if identity is not None:
            principals += [Authenticated, self._session(request).userid]
        return ACLHelper().permits(context, principals, permission)

    def remember(self, request: Request, userid: Any, **_options: Any) -> list[tuple[str, str]]:
        """Log a user in: the session gets a new identity and belongs to them (OWASP ASVS 5.0, 7.2.4)."""
        self._session(request).login(userid)
        return []

    def forget(self, request: Request, **_options: Any) -> list[tuple[str, str]]:
        """Log out: the session ends, with everything in it."""
        self._session(request).invalidate()
        return []


class RecentLoginRequired(HTTPForbidden):
    """The view asks for a login more recent than the session's.

    Register an exception view for it that asks for the password once more::

        @exception_view_config(RecentLoginRequired)
        def confirm(exception, request):
            return HTTPSeeOther(request.route_url("login", _query={"next": request.path_qs}))

    Without one, the application's forbidden view is used.

    Args:
        seconds: How recent the login must be.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"This needs a login within the last {seconds} seconds.")
        self.seconds = seconds


def recent_login_view(view: Any, info: Any) -> Any:
    """Derive a view that wants a recent login: ``@view_config(..., recent_login=300)``.

    For what is worth asking for the password once more (OWASP ASVS 5.0, 7.5.1). The model needs `UseridMixin`
    and `AuthenticatedAtMixin`. It is a view deriver rather than a predicate, since a predicate that does not
    hold makes the view "not found", where no exception view for it could be reached.

    Args:
        view: The view.
        info: What Pyramid knows of it; its option is a number of seconds.
    """
    seconds = info.options.get("recent_login")
    if seconds is None:
        return view
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds <= 0:
        raise PyramidConfigurationError(
            f"recent_login takes a number of seconds above 0, not {seconds!r}; leave it out where any login "
            "will do"
        )

    def wrapper(context: Any, request: Request) -> Any:
        age = request.session.login_age
        if age is None or age > seconds:
            raise RecentLoginRequired(seconds)
        return view(context, request)

    return wrapper


recent_login_view.options = ("recent_login",)  # type: ignore[attr-defined]  # how Pyramid learns of the option
