"""Who is logged in, and what that allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyramid.security import Allowed, Denied
from pyramid_sqlalchemy_sessions import SessionSecurityPolicy

from .models import User

if TYPE_CHECKING:
    from typing import Any

    from pyramid.config import Configurator
    from pyramid.request import Request


def load_user(request: Request, userid: int) -> User | None:
    """Return the logged-in user. Loaded only once: the database session remembers its objects."""
    user: User | None = request.dbsession.get(User, userid)
    return user


def permits(request: Request, context: Any, permission: str, user: User | None) -> Allowed | Denied:
    """Let every user see their own account; the rest is for administrators."""
    if user is None:
        return Denied("nobody is logged in")
    if permission == "account" or user.is_admin:
        return Allowed("logged in")
    return Denied("for administrators only")


def includeme(config: Configurator) -> None:
    """Set the policy, and ask every form for a token.

    `remember(request, user.id)` lets a visitor's session go on with all it holds, under a new identifier.
    That is what defeats session fixation: anyone who knew the one from before the login (on a shared
    computer, say) does not know the one after it. The form token changes as well. The session of another
    user who is still logged in ends, and nothing of it goes on: their cart, address and orders are theirs.
    """
    config.set_security_policy(SessionSecurityPolicy(identity=load_user, permits=permits))
    config.set_default_csrf_options(require_csrf=True)
