"""The Pyramid application that the contenders under Pyramid have in common, as the cookiecutter makes it.

pyramid_tm with an explicit manager, and a database session per request that is registered with
zope.sqlalchemy; that is the application's and in every contender's time as far as the view uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable


def make_app(
    views: dict[str, Callable[[Any], str]],
    *,
    configure: Callable[[Configurator], None] | None = None,
    settings: dict[str, Any] | None = None,
    make_dbsession: Callable[[], Any] | None = None,
) -> Any:
    """Return the WSGI application.

    Args:
        views: Answers by the path's one segment.
        configure: What a contender adds.
        settings: More settings.
        make_dbsession: Makes the database session; None: the application has none.
    """
    views = {"untouched": lambda _request: "", **views}
    config = Configurator(settings={"tm.manager_hook": "pyramid_tm.explicit_manager", **(settings or {})})
    config.include("pyramid_tm")
    if make_dbsession is not None:
        import zope.sqlalchemy  # noqa: PLC0415 - not in every contender's environment

        def dbsession(request: Any) -> Any:
            session = make_dbsession()
            zope.sqlalchemy.register(session, transaction_manager=request.tm)
            return session

        config.add_request_method(dbsession, "dbsession", reify=True)
    if configure is not None:
        configure(config)
    for name, view in views.items():
        config.add_route(name, f"/{name}")
        config.add_view(lambda request, view=view: Response(view(request)), route_name=name)
    return config.make_wsgi_app()
