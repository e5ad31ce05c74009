"""Views that want a recent login: re-authentication.

Which session they ask is decided once, for the application: the one that its security policy reads. Where
that cannot be told the view has to name one, or the application does not start.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from pyramid.exceptions import ConfigurationError as PyramidConfigurationError
from pyramid.httpexceptions import HTTPForbidden
from pyramid.interfaces import IRequestExtensions, ISecurityPolicy
from websession_core.errors import ConfigurationError, Mistake
from websession_models.features import feature_of_column

from .factory import web_session_factories
from .security import policy_sessions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyramid.registry import Registry
    from pyramid.request import Request

__all__ = ["RecentLoginRequired", "login_session", "recent_login_mistakes", "recent_login_view"]

# Where the registry has the names of the views, by the session that they ask for; None: by none.
_VIEWS = "websession_pyramid.recent_login_views"


class RecentLoginRequired(HTTPForbidden):
    """The view asks for a login more recent than the session's.

    Register an exception view for it that asks for the password again::

        from pyramid.httpexceptions import HTTPSeeOther
        from pyramid.view import exception_view_config
        from pyramid_sqlalchemy_sessions import RecentLoginRequired

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

    For what is worth asking for the password once more (OWASP ASVS 5.0, 7.5.1). The login is that of the
    session which the security policy reads. ``recent_login=(300, "admin_session")`` names another, or the one
    that is meant where it cannot be told. If there is a security policy the request must have an identity,
    too: a user who was disabled after the login is refused. The session's model needs `UseridMixin` and
    `AuthenticatedAtMixin`.

    It is a view deriver rather than a predicate, since a predicate that does not hold makes the view "not
    found", where no exception view for it could be reached.

    Args:
        view: The view.
        info: What Pyramid knows of it; its option is a number of seconds, or that and the name of a session.

    Raises:
        pyramid.exceptions.ConfigurationError: The option is something else.
    """
    option = info.options.get("recent_login")
    if option is None:
        return view
    seconds, name = option if isinstance(option, tuple) and len(option) == 2 else (option, None)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds <= 0:
        raise PyramidConfigurationError(
            f"recent_login takes a number of seconds above 0, not {seconds!r}; leave it out where any login "
            "will do"
        )
    if not (name is None or isinstance(name, str)):
        raise PyramidConfigurationError(
            f"recent_login takes the name of a session beside the seconds, not {name!r}: "
            f'recent_login=({seconds}, "admin_session")'
        )
    info.registry.setdefault(_VIEWS, {}).setdefault(name, []).append(_view_name(info.original_view))

    def wrapper(context: Any, request: Request) -> Any:
        registry = request.registry
        session = operator.attrgetter(name or login_session(registry))(request)
        age = session.login_age
        if age is None or age > seconds:
            raise RecentLoginRequired(seconds)
        if registry.queryUtility(ISecurityPolicy) is not None and request.identity is None:
            raise RecentLoginRequired(seconds)
        return view(context, request)

    return wrapper


recent_login_view.options = ("recent_login",)  # type: ignore[attr-defined]  # how Pyramid learns of the option


def login_session(registry: Registry) -> str:
    """Return the attribute of the request whose session tells of logins: the one the security policy reads.

    Where the policy does not show which, or there is none, it is the application's only session.

    Raises:
        ConfigurationError: There are several, and nothing tells which is meant.
    """
    names = policy_sessions(registry) or web_session_factories(registry).keys() or {"session"}
    if len(names) == 1:
        (name,) = names
        return name
    raise ConfigurationError([_ambiguous(names, ["a view"])])


def recent_login_mistakes(registry: Registry) -> Iterator[Mistake]:
    """Yield what is wrong with the views of the complete application that want a recent login."""
    factories = web_session_factories(registry)
    for name, views in registry.get(_VIEWS, {}).items():
        try:
            attribute = name or login_session(registry)
        except ConfigurationError:
            yield _ambiguous(policy_sessions(registry) or factories.keys(), views)
            continue
        where = f"recent_login of {', '.join(dict.fromkeys(views))}"
        factory = factories.get(attribute)
        if factory is not None:
            columns = ("userid", "authenticated_at")
            mixins = [feature_of_column(column).name for column in columns if not factory.has(column)]
            if mixins:
                model: Any = factory.settings.model_class
                yield Mistake(
                    where,
                    None,
                    f"asks request.{attribute}, whose model {model.__name__} lacks {' and '.join(mixins)}, "
                    "so no login can be recent",
                    "add it to the bases of the model, and a migration; or leave recent_login out",
                )
        elif not _is_made_by_the_application(registry, attribute):
            yield Mistake(
                where,
                repr(attribute),
                f"names a session that requests do not have; they have {', '.join(factories) or 'none'}",
                f"name one of these, or add it: config.add_web_session({attribute!r})",
            )


def _ambiguous(names: Iterable[str], views: list[str]) -> Mistake:
    # Pyramid's own last: it would be the one that is asked anyway, if there were no other.
    sessions = sorted(names, key=lambda name: (name == "session", name))
    return Mistake(
        f"recent_login of {', '.join(dict.fromkeys(views))}",
        None,
        f"does not say which session's login must be recent, and it may be that of {' or '.join(sessions)}: "
        "the security policy does not show that it reads one of them alone",
        f'name it: recent_login=(300, "{sessions[0]}")',
    )


def _is_made_by_the_application(registry: Registry, attribute: str) -> bool:
    first = attribute.partition(".")[0]
    extensions = registry.queryUtility(IRequestExtensions)
    if first in ("session", "context", "root"):
        return True
    return extensions is not None and (first in extensions.methods or first in extensions.descriptors)


def _view_name(view: Any) -> str:
    name = getattr(view, "__qualname__", None) or type(view).__qualname__
    return f"{getattr(view, '__module__', None) or type(view).__module__}.{name}"
