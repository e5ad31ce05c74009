"""An application that imports this distribution alone has working sessions."""

from __future__ import annotations

import pyramid_sqlalchemy_sessions
import transaction
import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid_sqlalchemy_sessions import BaseMixin, generate_secret_key, prepare_sqlite_engine
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Session
from webtest import TestApp


class Base(DeclarativeBase):
    pass


class WebSession(BaseMixin, Base):
    __tablename__ = "session"


def count(request):
    request.session["views"] = request.session.get("views", 0) + 1
    return request.session["views"]


def test_what_a_view_puts_in_the_session_is_there_in_the_next_request(websession_database_url):
    engine = prepare_sqlite_engine(create_engine(websession_database_url))
    Base.metadata.create_all(engine)

    def dbsession(request):
        session = Session(engine)
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    settings = {
        "session.secret_key": generate_secret_key(),
        "session.model_class": WebSession,
        "tm.manager_hook": lambda _: transaction.TransactionManager(explicit=True),
    }
    with Configurator(settings=settings) as config:
        config.include("pyramid_tm")
        config.include("pyramid_sqlalchemy_sessions")
        config.add_request_method(dbsession, reify=True)
        config.add_route("count", "/")
        config.add_view(count, route_name="count", renderer="json")
    browser = TestApp(config.make_wsgi_app())

    assert [browser.get("/").json for _ in range(3)] == [1, 2, 3]
    engine.dispose()


def test_every_name_that_it_exports_is_there():
    missing = [
        name for name in pyramid_sqlalchemy_sessions.__all__ if not hasattr(pyramid_sqlalchemy_sessions, name)
    ]
    assert missing == []
