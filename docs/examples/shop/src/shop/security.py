"""Who is logged in, and what that allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyramid.authentication import SessionAuthenticationHelper
from pyramid.csrf import SessionCSRFStoragePolicy
from pyramid.request import RequestLocalCache
from pyramid.security import Allowed, Denied

from .models import User

if TYPE_CHECKING:
    from typing import Any

    from pyramid.config import Configurator
    from pyramid.request import Request

CSRF_KEY = "csrf_token"


class SecurityPolicy:
    """The web session knows the user's id; the database knows the rest."""

    def __init__(self) -> None:
        self._helper = SessionAuthenticationHelper()
        self._identities = RequestLocalCache(self._load_identity)

    def _load_identity(self, request: Request) -> User | None:
        userid = self._helper.authenticated_userid(request)
        return None if userid is None else request.dbsession.get(User, userid)

    def identity(self, request: Request) -> User | None:
        """The user who is logged in, if anybody is."""
        identity: User | None = self._identities.get_or_create(request)
        return identity

    def authenticated_userid(self, request: Request) -> int | None:
        """The id of that user."""
        user = self.identity(request)
        return None if user is None else user.id

    def permits(self, request: Request, context: Any, permission: str) -> Allowed | Denied:
        """Whoever is logged in may see their account: there is nothing else to permit in this shop."""
        if self.identity(request) is None:
            return Denied("nobody is logged in")
        return Allowed("logged in")

    def remember(self, request: Request, userid: int, **kw: Any) -> list[tuple[str, str]]:
        """Log a user in: the session goes on with all it holds, under a new identifier.

        The new identifier is what defeats session fixation: whoever knew the one from before the login
        (on a shared computer, say) does not know the one after it. The form token changes as well.
        """
        session = request.session
        kept = {key: value for key, value in session.items() if key != CSRF_KEY}
        session.invalidate()
        session.update(kept)
        headers: list[tuple[str, str]] = self._helper.remember(request, userid)
        return headers

    def forget(self, request: Request, **kw: Any) -> list[tuple[str, str]]:
        """Log out: nothing of the session stays."""
        request.session.invalidate()
        return []


def includeme(config: Configurator) -> None:
    """Set the policy, and ask every form for a token."""
    config.set_security_policy(SecurityPolicy())
    config.set_csrf_storage_policy(SessionCSRFStoragePolicy(key=CSRF_KEY))
    config.set_default_csrf_options(require_csrf=True)
