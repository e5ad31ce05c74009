"""An application that counts for each browser, as servers load it: `application` is made by the import.

It uses its database while it is loaded, before any worker is forked, as the deployment guide says how to.
"""

from __future__ import annotations

import os
from typing import Any

import pyramid_tm
import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.response import Response
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import DeclarativeBase, sessionmaker
from websession_models import FullyFeaturedSession
from websession_models.sqlite import prepare_sqlite_engine


class Base(DeclarativeBase):
    """The declarative base."""


class Session(FullyFeaturedSession, Base):
    """The session model."""

    __tablename__ = "session"


def make_engine(url: str) -> Engine:
    """Return an engine as the documentation advises."""
    if url.startswith("sqlite"):
        return prepare_sqlite_engine(create_engine(url))
    return create_engine(url, isolation_level="SERIALIZABLE")


def count(request: Any) -> Response:
    """Count this browser's requests."""
    request.session["n"] = request.session.get("n", 0) + 1
    return Response(json_body={"n": request.session["n"], "process": os.getpid()})


def scheme(request: Any) -> Response:
    """Tell by what scheme the request came."""
    return Response(json_body=request.scheme)


def process(_request: Any) -> Response:
    """Tell which process answers."""
    return Response(json_body=os.getpid())


def make_application(engine: Engine, secret_key: str) -> Any:
    """Return the application on its engine."""
    make_session = sessionmaker(engine)

    def dbsession(request: Any) -> Any:
        session = make_session()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    config = Configurator(
        settings={
            "tm.manager_hook": pyramid_tm.explicit_manager,
            "retry.attempts": 50,
            "session.secret_key": secret_key,
            "session.model_class": Session,
            "session.idle_timeout": 1800,
        }
    )
    config.include("pyramid_tm")
    config.include("pyramid_retry")
    config.include("websession_pyramid")
    config.add_request_method(dbsession, "dbsession", reify=True)
    config.add_route("count", "/count")
    config.add_view(count, route_name="count")
    config.add_route("process", "/process")
    config.add_view(process, route_name="process")
    config.add_route("scheme", "/scheme")
    config.add_view(scheme, route_name="scheme")
    return config.make_wsgi_app()


if "WORKERS_URL" in os.environ:
    _engine = make_engine(os.environ["WORKERS_URL"])
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _engine.dispose(close=False))
    with _engine.connect() as _connection:
        _connection.execute(select(Session.id)).all()
    application = make_application(_engine, os.environ["WORKERS_KEY"])
