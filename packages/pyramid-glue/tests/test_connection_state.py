"""What the application tells the database on its connections it can say on the library's own ones, too."""

from __future__ import annotations

import logging
import secrets

import pytest
import zope.sqlalchemy
from site_under_test import FullSession
from sqlalchemy import create_engine, delete, event, text
from sqlalchemy.orm import Session as DatabaseSession
from websession_models import purge
from websession_pyramid import OwnTransactionBegun, ReplayDetected

ON_POSTGRESQL = pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)
SETTINGS = {"session.idle_timeout": "600", "session.extension_delay": "60"}


@pytest.fixture
def messages(caplog):
    """Returns what the library has logged of a level or above."""
    caplog.set_level(logging.INFO)

    def messages(level=logging.WARNING):
        return [
            (record.levelname, record.getMessage())
            for record in caplog.records
            if record.name.startswith("websession") and record.levelno >= level
        ]

    return messages


@pytest.fixture(params=["search_path", "row-level security"])
def make_tenants_site(make_site, request):
    """An application that tells each of its transactions which tenant it is for."""
    engines = []

    def tell(connection):
        connection.execute(text(TELLING[request.param]))

    def dbsession(request_of_a_tenant):
        session = DatabaseSession(engines[-1])
        zope.sqlalchemy.register(session, transaction_manager=request_of_a_tenant.tm)
        event.listen(session, "after_begin", lambda _session, _transaction, connection: tell(connection))
        return session

    def make(*subscribers, is_prepared=True, **options):
        def configure(config):
            if is_prepared:
                config.add_subscriber(lambda begun: tell(begun.connection), OwnTransactionBegun)
            for subscriber, kind in subscribers:
                config.add_subscriber(subscriber, kind)

        site = make_site(
            model=FullSession,
            settings=SETTINGS,
            dbsession_factory=dbsession,
            configure=configure,
            **options,
        )
        engines.append(SET_UP[request.param](site.engine))
        return site

    yield make
    for engine in engines:
        assert engine.pool.checkedout() == 0
        engine.dispose()


TELLING = {
    "search_path": "SET LOCAL search_path TO tenant",
    "row-level security": "SELECT set_config('app.tenant', 'a', true)",
}


def with_schemas(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA tenant"))
        connection.execute(text("SET LOCAL search_path TO tenant"))
        FullSession.metadata.create_all(connection)
    return create_engine(engine.url)


def with_policies(engine):
    role, tables = f"tenant_{secrets.token_hex(4)}", ("full_session", "full_session_activity")
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'x'"))
        for table in tables:
            connection.execute(text(f"GRANT ALL ON {table} TO {role}"))
            connection.execute(text(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))
            rule = "current_setting('app.tenant', true) = 'a'"
            connection.execute(text(f"CREATE POLICY tenants ON {table} USING ({rule})"))
    return create_engine(engine.url.set(username=role, password="x"))


SET_UP = {"search_path": with_schemas, "row-level security": with_policies}


def show_an_old_cookie(site):
    """Log in, and let a thief come with a cookie from before; return the browsers of both."""
    browser, thief = site.browser(), site.browser()
    browser.get("/login")
    thief.set_cookie("websession", browser.cookies["websession"])
    browser.get("/login")
    site.clock.advance(121)
    assert thief.get("/who").json_body is None
    return browser, thief


@ON_POSTGRESQL
class TestWhereAnApplicationPreparesOurConnections:
    def test_a_session_stays_as_long_as_it_is_used(self, make_tenants_site, messages):
        site = make_tenants_site()
        browser = site.browser()
        browser.get("/login")
        for _ in range(6):
            site.clock.advance(200)
            assert browser.get("/who").json_body == 7
        assert messages() == []

    def test_a_session_is_revoked_when_an_old_cookie_of_it_is_shown(self, make_tenants_site, messages):
        found = []
        site = make_tenants_site((found.append, ReplayDetected))
        browser, _ = show_an_old_cookie(site)

        assert len(found) == 1
        assert browser.get("/who").json_body is None
        assert messages() == []

    def test_an_error_page_after_a_failed_commit_knows_who_is_logged_in(self, make_tenants_site):
        def error_page(_error, request):
            request.response.text = f"{request.session.userid}"
            return request.response

        site = make_tenants_site(error_page=error_page)

        @site.view
        def fail(request):
            request.tm.get().addBeforeCommitHook(lambda: 1 / 0)

        browser = site.browser()
        browser.get("/login")
        assert browser.get("/fail").text == "7"

    def test_the_event_tells_of_the_request_and_of_the_session(self, make_tenants_site):
        begun = []
        site = make_tenants_site((begun.append, OwnTransactionBegun))
        browser = site.browser()
        browser.get("/login")
        assert begun == []
        site.clock.advance(200)
        browser.get("/who")
        assert [(event.request.path, event.attribute) for event in begun] == [("/who", "session")]


@ON_POSTGRESQL
class TestWhereAnApplicationDoesNot:
    @pytest.fixture
    def site(self, make_tenants_site):
        return make_tenants_site(is_prepared=False)

    def test_it_is_told_once_what_is_never_done_and_how_to_help_it(self, site, messages):
        for _ in range(2):
            browser = site.browser()
            browser.get("/login")
            for _ in range(3):
                site.clock.advance(100)
                assert browser.get("/who").json_body == 7

        ((level, message),) = messages()
        assert level == "WARNING"
        assert "touch" in message
        assert "OwnTransactionBegun" in message

    def test_a_revocation_after_which_the_session_opens_is_an_error(self, site, messages):
        browser, thief = show_an_old_cookie(site)
        assert messages() == []  # the row may have been deleted by somebody else

        assert browser.get("/who").json_body == 7
        ((level, message),) = messages()
        assert level == "ERROR"
        assert "OwnTransactionBegun" in message

        thief.get("/who")
        browser.get("/who")
        assert [level for level, _ in messages() if level == "ERROR"] == ["ERROR"] * 2

    def test_a_row_that_the_transaction_may_still_see_from_before_is_no_evidence_yet(self, site, messages):
        browser, _ = show_an_old_cookie(site)

        def look(request):
            request.dbsession.execute(text("SELECT 1"))
            return request.session.userid

        site.views["late"] = look
        assert browser.get("/late").json_body == 7
        assert messages() == []
        site.clock.advance(61)
        assert browser.get("/late").json_body == 7
        assert [level for level, _ in messages()] == ["ERROR"]


class TestARowThatIsGone:
    """What a logout, a purge or another revocation has taken in between is as it should be."""

    @pytest.fixture
    def site(self, make_site):
        site = make_site(model=FullSession, settings=SETTINGS)

        def meanwhile(path):
            def view(request):
                request.add_response_callback(lambda *_: site.views["meanwhile"]())
                return site.views[path](request)

            return view

        site.views["slow"] = meanwhile("who")
        return site

    def log_out(self, site, _browser):
        with site.engine.begin() as connection:
            connection.execute(delete(FullSession.__table__))

    def purge(self, site, _browser):
        assert purge(site.engine, FullSession, now=site.clock.now + 10**6).sessions == 1

    def revoke(self, site, browser):
        other = site.browser()
        other.set_cookie("websession", browser.cookies["websession"])
        other.get("/who")

    @pytest.mark.parametrize("meanwhile", ["log_out", "purge"])
    @pytest.mark.parametrize("seconds", [200, 700])
    def test_is_nothing_to_tell_when_something_is_due(self, site, messages, meanwhile, seconds):
        browser = site.browser()
        browser.get("/login")
        site.views["meanwhile"] = lambda: getattr(self, meanwhile)(site, browser)
        site.clock.advance(seconds)
        browser.get("/slow")
        assert site.rows() == []
        site.clock.advance(200)
        assert browser.get("/who").json_body is None
        assert messages() == []

    @pytest.mark.parametrize("meanwhile", ["log_out", "purge", "revoke"])
    def test_is_nothing_to_tell_when_it_is_to_be_revoked(self, site, messages, meanwhile):
        browser, thief = site.browser(), site.browser()
        browser.get("/login")
        thief.set_cookie("websession", browser.cookies["websession"])
        browser.get("/login")
        site.clock.advance(121)
        site.views["meanwhile"] = lambda: getattr(self, meanwhile)(site, thief)
        thief.get("/slow")
        assert site.rows() == []
        assert browser.get("/who").json_body is None
        assert messages() == []
