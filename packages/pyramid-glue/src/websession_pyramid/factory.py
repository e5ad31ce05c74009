"""The session factory: what Pyramid calls to make ``request.session``."""

from __future__ import annotations

import operator
import warnings
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pyramid.interfaces import ISessionFactory
from zope.interface import implementer

from .kit import SessionKit
from .session import WebSession

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyramid.registry import Registry
    from pyramid.request import Request

__all__ = ["SessionFactory", "web_session_factories"]


class _Renamed:
    """An old public name of 0.2.0, with the way to what has taken its place."""

    # No `__getattr__`: it would slow each look at a factory's other attributes, of which requests make many.

    def __init__(self, new: str) -> None:
        self._new = new

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, factory: SessionFactory | None, _owner: type) -> Any:
        if factory is None:
            return self
        message = f"SessionFactory.{self._name} is called {self._new} now"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return operator.attrgetter(self._new)(factory)


@implementer(ISessionFactory)
class SessionFactory(SessionKit):
    """Makes ``request.session``; pass it to ``config.set_session_factory``.

    Several factories, in one application or in several applications of one process, share nothing. Arguments
    and attributes are those of `SessionKit`.
    """

    has_cookie = _Renamed("tickets.has_cookie")
    read_ticket = _Renamed("tickets.read")
    make_token = _Renamed("tickets.token")
    look_at = _Renamed("warn_of_engine_faults")

    def __call__(self, request: Request) -> WebSession:
        """Return the session of `request`. Nothing happens before its first use."""
        return WebSession(self, request)

    def __repr__(self) -> str:
        model: Any = self.settings.model_class
        return f"<SessionFactory of {model.__name__}, cookie {self.jar.name!r}>"


def web_session_factories(registry: Registry) -> Mapping[str, SessionFactory]:
    """Return the application's session factories by request attribute.

    Args:
        registry: The registry of an application whose configuration is committed.

    Returns:
        The default one under ``session``, if it is of this library, and those added with
        ``config.add_web_session``.
    """
    factories = {name or "session": factory for name, factory in registry.getUtilitiesFor(ISessionFactory)}
    ours = {name: factory for name, factory in factories.items() if isinstance(factory, SessionFactory)}
    return MappingProxyType(dict(sorted(ours.items(), key=lambda item: (item[0] != "session", item[0]))))
