"""Bookkeeping that fails never makes the request fail, and the log says what comes of it."""

from __future__ import annotations

import logging

import pytest
import zope.sqlalchemy
from site_under_test import FullSession
from sqlalchemy import NullPool, event, text
from sqlalchemy.orm import Session as DatabaseSession
from sqlalchemy.pool import AssertionPool, QueuePool, SingletonThreadPool, StaticPool
from websession_pyramid import OwnTransactionBegun

SETTINGS = {"session.idle_timeout": "600", "session.extension_delay": "60"}
ON_SERVERS = pytest.mark.parametrize(
    "websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True
)
ON_POSTGRESQL = pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)


@pytest.fixture
def messages(caplog):
    """Returns what the library has logged, warnings and errors."""

    def messages():
        return [
            (record.levelname, record.getMessage())
            for record in caplog.records
            if record.name.startswith("websession") and record.levelno >= logging.WARNING
        ]

    return messages


@pytest.fixture
def make(make_site):
    """Makes sites of which each request has something to record."""

    def make(**options):
        return make_site(**{"model": FullSession, "settings": SETTINGS, **options})

    return make


@pytest.fixture
def trouble(make):
    """A site, and a list: an exception in it is raised in what is done beside the request's transaction."""
    waiting = []

    def begun(_event):
        if waiting:
            raise waiting[0]

    site = make(configure=lambda config: config.add_subscriber(begun, OwnTransactionBegun))
    return site, waiting


def show_an_old_cookie(site):
    """Log in, and let a thief come with a cookie from before; return the victim's browser."""
    browser, thief = site.browser(), site.browser()
    browser.get("/login")
    thief.set_cookie("websession", browser.cookies["websession"])
    browser.get("/login")
    site.clock.advance(121)
    assert thief.get("/who").json_body is None
    return browser


class TestWhatTheApplicationRaises:
    def test_does_not_reach_the_response(self, trouble, messages):
        site, waiting = trouble
        browser = site.browser()
        browser.get("/login")
        waiting.append(RuntimeError("token s3cret"))
        site.clock.advance(100)
        assert browser.get("/who").json_body == 7
        ((level, message),) = messages()
        assert level == "WARNING"
        assert message.startswith("Bookkeeping (touch) failed")
        assert "RuntimeError" in message
        assert "s3cret" not in message

        waiting.clear()
        browser.get("/who")
        assert [row["active_at"] for row in site.activity()] == [site.clock.now]

    def test_does_not_reach_the_response_of_a_logout(self, trouble, messages):
        site, waiting = trouble
        browser = site.browser()
        browser.get("/login")
        waiting.append(RuntimeError("token s3cret"))
        assert browser.get("/leave").status_int == 200
        assert site.rows() == []
        assert [level for level, _ in messages()] == ["WARNING"]

    @pytest.mark.parametrize("name", ["do_connect", "engine_connect", "begin"])
    def test_in_a_listener_of_the_engine_does_not_reach_the_response(self, make, messages, name):
        site = make(engine_options={"poolclass": NullPool})
        counted, fails = [], []

        @event.listens_for(site.engine, name)
        def listen(*_):
            counted.append(1)
            if fails and len(counted) == 2:  # the request's own is the first
                raise RuntimeError("token s3cret")

        browser = site.browser()
        browser.get("/login")
        counted.clear()
        fails.append(1)
        site.clock.advance(100)
        assert browser.get("/who").json_body == 7
        assert len(counted) == 2
        assert [(level, "s3cret" in message) for level, message in messages()] == [("WARNING", False)]

    def test_does_not_keep_an_error_page_from_rendering(self, make):
        def error_page(_error, request):
            request.response.text = f"{request.session.userid}"
            return request.response

        site = make(error_page=error_page, engine_options={"poolclass": NullPool})
        fails = []

        @event.listens_for(site.engine, "do_connect")
        def connect(*_):
            if fails:
                raise RuntimeError("token s3cret")

        @site.view
        def fail(request):
            request.tm.get().addBeforeCommitHook(lambda: 1 / 0)

        browser = site.browser()
        browser.get("/login")
        fails.append(1)
        assert browser.get("/fail").text == "None"

    def test_about_a_revocation_is_an_error(self, trouble, messages):
        site, waiting = trouble
        waiting.append(RuntimeError("token s3cret"))
        browser = show_an_old_cookie(site)
        # The victim's own logins have recorded nothing either, which is worth a warning.
        ((level, message),) = [each for each in messages() if "revoked" in each[1]]
        assert level == "ERROR"
        assert "RuntimeError" in message
        assert browser.get("/who").json_body == 7


class WorkerTimeoutError(BaseException):
    """As a worker's timeout comes: not as an `Exception`."""


class TestAnInterrupt:
    @pytest.mark.parametrize("kind", [WorkerTimeoutError, KeyboardInterrupt, SystemExit])
    def test_passes_and_leaves_no_connection_out(self, trouble, kind):
        site, waiting = trouble
        browser = site.browser()
        browser.get("/login")
        waiting.append(kind())
        site.clock.advance(100)
        with pytest.raises(kind):
            browser.get("/who")
        assert site.engine.pool.checkedout() == 0

        waiting.clear()
        assert browser.get("/who").json_body == 7
        assert [row["active_at"] for row in site.activity()] == [site.clock.now]

    def test_of_an_error_page_passes_and_leaves_no_connection_out(self, make):
        waiting = []

        def error_page(_error, request):
            request.response.text = f"{request.session.userid}"
            return request.response

        def begun(_event):
            if waiting:
                raise waiting[0]

        site = make(
            error_page=error_page,
            configure=lambda config: config.add_subscriber(begun, OwnTransactionBegun),
        )

        @site.view
        def fail(request):
            request.tm.get().addBeforeCommitHook(lambda: 1 / 0)

        browser = site.browser()
        browser.get("/login")
        waiting.append(WorkerTimeoutError())
        with pytest.raises(WorkerTimeoutError):
            browser.get("/fail")
        waiting.clear()
        assert site.engine.pool.checkedout() == 0
        assert browser.get("/fail").text == "7"


class TestPools:
    @pytest.mark.parametrize("pool", [QueuePool, NullPool, AssertionPool])
    def test_that_give_a_connection_keep_a_user_logged_in(self, make, messages, pool):
        site = make(engine_options={"poolclass": pool})
        browser = site.browser()
        browser.get("/login")
        for _ in range(5):
            site.clock.advance(200)
            assert browser.get("/who").json_body == 7
        assert messages() == []

    @pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool])
    @ON_SERVERS
    def test_that_give_everybody_the_same_one_are_warned_of_once(self, make, messages, pool):
        site = make(engine_options={"poolclass": pool})
        browser = site.browser()
        browser.get("/login")
        for _ in range(3):
            site.clock.advance(100)
            assert browser.get("/who").json_body == 7
        ((level, message),) = messages()
        assert level == "WARNING"
        assert pool.__name__ in message

    def test_without_a_free_connection_make_a_revocation_an_error(self, make, messages):
        site = make(engine_options={"poolclass": QueuePool, "pool_size": 2, "max_overflow": 0})
        held = []

        def take(request):
            # Two requests of other threads, which have been quicker.
            request.add_response_callback(lambda *_: held.extend(site.engine.connect() for _ in range(2)))
            return request.session.userid

        browser, thief = site.browser(), site.browser()
        browser.get("/login")
        thief.set_cookie("websession", browser.cookies["websession"])
        browser.get("/login")
        site.clock.advance(121)
        site.views["take"] = take
        thief.get("/take")
        for connection in held:
            connection.close()
        ((level, message),) = messages()
        assert level == "ERROR"
        assert "no connection was free" in message


@ON_POSTGRESQL
class TestASearchPathOfTheRequestsOwn:
    def test_to_tables_that_are_nowhere_else_is_told_once_with_the_remedy(self, make, messages):
        def dbsession(request):
            session = DatabaseSession(site.engine)
            zope.sqlalchemy.register(session, transaction_manager=request.tm)
            tell = text("SET LOCAL search_path TO tenant")
            event.listen(session, "after_begin", lambda _session, _, connection: connection.execute(tell))
            return session

        site = make(dbsession_factory=dbsession)
        with site.engine.begin() as connection:
            FullSession.metadata.drop_all(connection)
            connection.execute(text("CREATE SCHEMA tenant"))
            connection.execute(text("SET LOCAL search_path TO tenant"))
            FullSession.metadata.create_all(connection)
        browser = site.browser()
        browser.get("/login")
        for _ in range(3):
            site.clock.advance(100)
            assert browser.get("/who").json_body == 7
        ((level, message),) = messages()
        assert level == "WARNING"
        assert "OwnTransactionBegun" in message
