"""What the page about cheaper requests tells people to write does what it says."""

from __future__ import annotations

import pytest
import webtest
from pages import DOCS, run
from pyramid.config import Configurator
from pyramid_sqlalchemy_sessions import FullyFeaturedSession, generate_secret_key
from sqlalchemy import String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

PAGE = DOCS / "how-to" / "faster.md"


class Base(DeclarativeBase):
    """Of this application's models."""


class Session(FullyFeaturedSession, Base):
    """The web sessions."""

    __tablename__ = "session"


class Thing(Base):
    """What the application keeps."""

    __tablename__ = "thing"
    name: Mapped[str] = mapped_column(String(20), primary_key=True)


@pytest.fixture
def engine(websession_database_url):
    engine = create_engine(websession_database_url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def page():
    return run(PAGE)


def names(engine):
    with engine.connect() as connection:
        return sorted(connection.scalars(select(Thing.name)))


@pytest.mark.parametrize("which", ["get_session_factory", "get_session_factory_that_commits"])
def test_requests_commit_what_they_did_and_roll_back_what_failed(engine, page, which):
    session_factory = page[which](engine)
    settings = {
        "tm.manager_hook": "pyramid_tm.explicit_manager",
        "session.secret_key": generate_secret_key(),
        "session.model_class": Session,
    }

    def add(request):
        name = request.matchdict["name"]
        request.session.setdefault("added", []).append(name)
        request.dbsession.add(Thing(name=name))
        request.dbsession.flush()
        if name == "bad":
            raise LookupError
        return request.session["added"]

    with Configurator(settings=settings) as config:
        config.include("pyramid_tm")
        config.include("pyramid_sqlalchemy_sessions")
        config.add_request_method(
            lambda request: page["get_tm_session"](session_factory, request.tm, request),
            "dbsession",
            reify=True,
        )
        config.add_route("add", "/{name}")
        config.add_view(add, route_name="add", renderer="json")
    browser = webtest.TestApp(config.make_wsgi_app())

    assert browser.get("/good").json == ["good"]
    with pytest.raises(LookupError):
        browser.get("/bad")
    assert browser.get("/better").json == ["good", "better"]
    assert names(engine) == ["better", "good"]


def test_scripts_commit_with_their_manager_or_by_hand(engine, page):
    session_factory = page["get_session_factory"](engine)

    page["add_all"](session_factory, [Thing(name="managed")])
    page["add_by_hand"](session_factory, [Thing(name="by hand")])

    assert names(engine) == ["by hand", "managed"]
