"""What docs/how-to/metrics.md says to write counts what happens to sessions, with the real OpenTelemetry."""

from __future__ import annotations

import logging

import pytest
import webtest
import zope.sqlalchemy
from pages import DOCS, run
from pyramid.config import Configurator
from pyramid_sqlalchemy_sessions import FullyFeaturedSession, generate_secret_key, prepare_sqlite_engine
from pytest_websession.clock import ManualClock
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, sessionmaker

metrics = pytest.importorskip("opentelemetry.metrics", reason="opentelemetry-sdk is not installed")
sdk = pytest.importorskip("opentelemetry.sdk.metrics", reason="opentelemetry-sdk is not installed")
export = pytest.importorskip("opentelemetry.sdk.metrics.export", reason="opentelemetry-sdk is not installed")

BOOKKEEPING = logging.getLogger("websession_pyramid.bookkeeping")


class Base(DeclarativeBase):
    """The declarative base."""


class Session(FullyFeaturedSession, Base):
    """The session model."""

    __tablename__ = "session"


@pytest.fixture
def counts(monkeypatch):
    """Give the page's code a provider of its own; return what was counted, by counter and attributes."""
    reader = export.InMemoryMetricReader()
    provider = sdk.MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    handlers = BOOKKEEPING.handlers[:]

    def count(name, **attributes):
        data = reader.get_metrics_data()
        return sum(
            point.value
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
            if metric.name == f"web_sessions.{name}" and attributes.items() <= dict(point.attributes).items()
        )

    yield count
    BOOKKEEPING.handlers[:] = handlers
    provider.shutdown()


@pytest.fixture
def application(counts, tmp_path):
    """Return an application that includes what the page says, with its engine."""
    engine = prepare_sqlite_engine(create_engine(f"sqlite:///{tmp_path}/site.sqlite"))
    Base.metadata.create_all(engine)
    make_session = sessionmaker(engine)

    def dbsession(request):
        session = make_session()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    views = {
        "start": lambda request: request.session.update(a=1),
        "login": lambda request: request.session.login(7),
        "look": lambda request: request.session.get("a"),
        "leave": lambda request: request.session.invalidate(),
    }
    with Configurator(
        settings={
            "tm.manager_hook": "pyramid_tm.explicit_manager",
            "session.secret_key": generate_secret_key(),
            "session.model_class": Session,
            "session.idle_timeout": "30min",
            "session.renewal_timeout": "10min",
        }
    ) as config:
        for name in ("pyramid_tm", "pyramid_retry", "pyramid_sqlalchemy_sessions"):
            config.include(name)
        run(DOCS / "how-to" / "metrics.md")["includeme"](config)
        config.add_request_method(dbsession, reify=True)
        for name, view in views.items():
            config.add_route(name, f"/{name}")
            config.add_view(view, route_name=name, renderer="json")
    yield config.make_wsgi_app(), engine
    engine.dispose()


@pytest.fixture
def browser(application):
    return webtest.TestApp(application[0])


@pytest.fixture
def clock(application):
    clock = ManualClock()
    clock.govern(application[0])
    return clock


def test_sessions_that_begin_and_end_are_counted(browser, clock, counts):
    browser.get("/start")
    assert counts("created", session="session") == 1
    browser.get("/leave")
    assert counts("ended") == 1
    browser.get("/start")
    clock.advance(minutes=31)
    browser.get("/look")
    assert counts("created") == 2
    assert counts("ended") == 2
    assert counts("ended", reason="idle timeout") == 1


def test_cookies_that_open_nothing_are_counted(browser, counts):
    browser.set_cookie("websession", "nonsense")
    browser.get("/look")
    assert counts("refusals", kind="malformed") == 1


def test_a_stolen_cookie_is_counted(browser, clock, counts):
    browser.get("/login")
    thief = webtest.TestApp(browser.app)
    thief.set_cookie("websession", browser.cookies["websession"])
    clock.advance(minutes=11)
    browser.get("/look")
    browser.get("/look")
    clock.advance(minutes=5)
    thief.get("/look")
    assert counts("replays") == 1
    assert counts("ended", reason="replay") == 1


def test_what_could_not_be_recorded_is_counted(application, browser, clock, counts):
    browser.get("/start")
    with application[1].begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE UPDATE ON session_activity BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    clock.advance(minutes=5)
    browser.get("/look")
    assert counts("bookkeeping_failures") == 1
