"""The session factory: what Pyramid calls to make ``request.session``."""

from __future__ import annotations

import operator
import warnings
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pyramid.interfaces import ISessionFactory
from zope.interface import implementer

from .kit import SessionKit
from .session import WebSession

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyramid.registry import Registry
    from pyramid.request import Request

__all__ = ["SessionFactory", "web_session_factories"]

# Old public names of 0.2.0, each with the way to what has taken its place.
_RENAMED: Final = {
    "has_cookie": "tickets.has_cookie",
    "read_ticket": "tickets.read",
    "make_token": "tickets.token",
    "look_at": "warn_of_engine_faults",
}


@implementer(ISessionFactory)
class SessionFactory(SessionKit):
    """Makes ``request.session``; what `config.set_session_factory` wants.

    Several factories, in one application or in several of one process, share nothing. Arguments and
    attributes are those of `SessionKit`.
    """

    def __call__(self, request: Request) -> WebSession:
        """Return the session of `request`. Nothing happens before its first use."""
        return WebSession(self, request)

    def __repr__(self) -> str:
        model: Any = self.settings.model_class
        return f"<SessionFactory of {model.__name__}, cookie {self.jar.name!r}>"

    def __getattr__(self, name: str) -> Any:
        new = _RENAMED.get(name)
        if new is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        warnings.warn(f"SessionFactory.{name} is called {new} now", DeprecationWarning, stacklevel=2)
        return operator.attrgetter(new)(self)


def web_session_factories(registry: Registry) -> Mapping[str, SessionFactory]:
    """Return the application's session factories by the attribute of the request that each of them makes.

    Args:
        registry: The registry of an application whose configuration is committed.

    Returns:
        The default one under ``session``, if it is of this library, and those of ``config.add_web_session``.
    """
    factories = {name or "session": factory for name, factory in registry.getUtilitiesFor(ISessionFactory)}
    ours = {name: factory for name, factory in factories.items() if isinstance(factory, SessionFactory)}
    return MappingProxyType(dict(sorted(ours.items(), key=lambda item: (item[0] != "session", item[0]))))
