"""An application as the cookiecutter begins one, with a session, and a security policy that goes by it."""

from __future__ import annotations

from typing import Any

import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden
from pyramid.view import view_config
from pyramid_sqlalchemy_sessions import (
    FullyFeaturedSession,
    SessionSecurityPolicy,
    prepare_sqlite_engine,
)
from sqlalchemy import engine_from_config
from sqlalchemy.orm import DeclarativeBase, sessionmaker


class Base(DeclarativeBase):
    """The declarative base."""


class Session(FullyFeaturedSession, Base):
    """The session model."""

    __tablename__ = "session"


class AdminSession(FullyFeaturedSession, Base):
    """The model of the second session."""

    __tablename__ = "admin_session"


@view_config(route_name="write", renderer="json")
def write(request: Any) -> list[str]:
    request.session.setdefault("pages", []).append(request.params["page"])
    return request.session["pages"]


@view_config(route_name="read", renderer="json")
def read(request: Any) -> list[str]:
    return request.session.get("pages", [])


@view_config(route_name="me", renderer="json")
def me(request: Any) -> int:
    if request.authenticated_userid is None:
        raise HTTPForbidden
    return request.authenticated_userid


@view_config(route_name="leave", renderer="json")
def leave(request: Any) -> None:
    request.session.invalidate()


@view_config(route_name="nothing", renderer="json")
def nothing(request: Any) -> None:
    pass


ROUTES = ("write", "read", "me", "leave", "nothing")


def get_engine(settings: dict[str, Any]) -> Any:
    engine = engine_from_config(settings)
    if engine.dialect.name == "sqlite":
        prepare_sqlite_engine(engine)
    return engine


def main(global_config: Any, **settings: Any) -> Any:
    engine = settings.get("dbengine") or get_engine(settings)
    with Configurator(settings={"tm.manager_hook": "pyramid_tm.explicit_manager", **settings}) as config:
        config.include("pyramid_tm")
        config.include("pyramid_retry")
        factory = sessionmaker(engine)
        config.registry["dbsession_factory"] = factory

        def dbsession(request: Any) -> Any:
            given = request.environ.get("app.dbsession")
            if given is not None:
                return given
            session = factory()
            zope.sqlalchemy.register(session, transaction_manager=request.tm)
            return session

        config.add_request_method(dbsession, reify=True)
        config.include("pyramid_sqlalchemy_sessions")
        config.add_web_session("admin_session")
        config.set_security_policy(SessionSecurityPolicy())
        for name in ROUTES:
            config.add_route(name, f"/{name}")
        config.scan(__name__)
        return config.make_wsgi_app()
