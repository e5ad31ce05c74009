"""Bare requests: the application's own request, in its own transaction, with no view called."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pyramid.interfaces import IRequestFactory
from pyramid.request import Request, apply_request_extensions
from pyramid.response import Response
from pyramid.threadlocal import RequestContext
from sqlalchemy.orm import scoped_session

from .usage import usage_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Engine
    from sqlalchemy.orm import Session
    from websession_pyramid import SessionFactory

__all__ = ["bare_request", "database_session", "engine_of", "in_transaction", "respond"]


@contextmanager
def bare_request(registry: Any, environ: Mapping[str, Any]) -> Iterator[Any]:
    """Make a request as Pyramid's router makes it, with the application's request methods.

    What is to be called at the end of a request is called, unless an error comes out of the block.

    Args:
        registry: The application's.
        environ: The WSGI environment.
    """
    make = registry.queryUtility(IRequestFactory, default=Request)
    request = make(dict(environ))
    request.registry = registry
    context = RequestContext(request)
    context.begin()
    try:
        apply_request_extensions(request)
        yield request
        while request.finished_callbacks:
            request.finished_callbacks.popleft()(request)
    finally:
        context.end()


@contextmanager
def in_transaction(request: Any, *, keep: bool) -> Iterator[None]:
    """Do what `pyramid_tm` does around a view; nothing where a test has begun the transaction already.

    Args:
        request: The request.
        keep: Whether to commit at the end; else, and after an error, everything is rolled back.
    """
    environ = request.environ
    if "tm.active" in environ:
        yield
        return
    manager = getattr(request, "tm", None)
    if manager is None:
        usage_error(
            "The application's requests have no transaction manager (request.tm), so there is nothing to "
            'store a session in: config.include("pyramid_tm").'
        )
    manager.begin()
    environ.update({"tm.active": True, "tm.manager": manager})
    try:
        yield
    except BaseException:
        _leave(environ)
        manager.abort()
        raise
    _leave(environ)
    if keep and not manager.isDoomed():
        manager.commit()
    else:
        manager.abort()


def _leave(environ: dict[str, Any]) -> None:
    # Before the commit, as pyramid_tm does: it is how the session knows that the transaction has ended.
    environ.pop("tm.active", None)
    environ.pop("tm.manager", None)


def respond(request: Any, headers: list[tuple[str, str]]) -> Any:
    """Return the response to a bare request, with the cookies that go out with it."""
    response = Response()
    response.headerlist.extend(headers)
    while request.response_callbacks:
        request.response_callbacks.popleft()(request, response)
    return response


def database_session(request: Any, factory: SessionFactory) -> Session:
    """Return the database session in which a factory's sessions of `request` are stored."""
    name = factory.settings.dbsession_name
    session: Session | scoped_session[Session] | None = getattr(request, name, None)
    if session is None:
        usage_error(f"The application's requests have no request.{name}, where sessions are stored.")
    return session() if isinstance(session, scoped_session) else session


def engine_of(registry: Any, environ: Mapping[str, Any], factory: SessionFactory) -> Engine:
    """Return the engine on which a factory's sessions are stored."""
    with bare_request(registry, environ) as request, in_transaction(request, keep=False):
        bind = database_session(request, factory).get_bind(factory.settings.model_class)
    return bind.engine
