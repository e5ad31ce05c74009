"""Sessions end when they should, and activity counts, through the whole stack."""

from __future__ import annotations

import contextlib
import gc
import weakref

import pytest
import transaction
import zope.sqlalchemy
from pyramid.response import Response
from site_under_test import FullSession, Session
from sqlalchemy import delete
from websession_core.errors import ConfigurationError
from websession_pyramid import InvalidPreferenceError

TIMEOUTS = {
    "session.idle_timeout": 600,
    "session.absolute_timeout": 3600,
}


@pytest.fixture
def make(make_site):
    def make(settings=None, **options):
        return make_site(model=FullSession, settings=TIMEOUTS if settings is None else settings, **options)

    return make


@pytest.fixture
def site(make):
    return make()


@pytest.fixture
def browser(site):
    browser = site.browser()
    browser.get("/start")
    return browser


def wish(session, **wishes):
    """Set some of a session's own settings."""
    with session.settings as settings:
        for name, value in wishes.items():
            setattr(settings, name, value)


def is_alive(browser):
    return browser.get("/look").json_body == {"a": 1}


def test_an_idle_session_ends_to_the_second(site, browser):
    site.clock.advance(599)
    assert is_alive(browser)
    site.clock.advance(600)
    assert not is_alive(browser)


def test_its_rows_are_removed_at_the_next_use(site, browser):
    site.clock.advance(600)
    response = browser.get("/look")
    assert "Set-Cookie" not in response.headers
    assert site.rows() == []
    assert site.activity() == []


def test_activity_keeps_it_alive_until_the_absolute_timeout(site, browser):
    for _ in range(7):
        site.clock.advance(500)
        assert is_alive(browser)
    site.clock.advance(99)
    assert is_alive(browser)
    site.clock.advance(1)
    assert not is_alive(browser)


def test_activity_is_noted_down_once_in_a_delay(site, browser):
    began = site.clock.now
    site.clock.advance(59)
    browser.get("/look")
    assert site.activity()[0]["active_at"] == began
    site.clock.advance(1)
    browser.get("/look")
    (row,) = site.activity()
    assert row["active_at"] == site.clock.now
    assert row["expires_at"] == site.clock.now + 600


def test_a_touch_is_one_statement_more_after_the_commit(site, browser):
    site.clock.advance(60)
    site.statements.clear()
    browser.get("/look")
    # What takes the lock without waiting for it is a SELECT of its own on MariaDB and MySQL.
    locking = ["SELECT"] if site.engine.dialect.name in {"mariadb", "mysql"} else []
    made = [each for each in site.statements if each in ("SELECT", "UPDATE", "INSERT", "DELETE")]
    assert made == ["SELECT", *locking, "UPDATE"]


def test_a_new_session_is_two_inserts_which_postgresql_takes_as_one_statement(site):
    site.statements.clear()
    site.browser().get("/start")
    inserts = ["WITH"] if site.engine.dialect.name == "postgresql" else ["INSERT", "INSERT"]
    assert [each for each in site.statements if each != "BEGIN"] == [*inserts, "COMMIT"]


@pytest.mark.parametrize("how", ["error page", "no error page", "doomed", "doomed before"])
def test_activity_counts_whatever_became_of_the_request(make, how):
    page = (lambda exception, request: Response("sorry", status=500)) if how == "error page" else None
    site = make(error_page=page)
    browser = site.browser()
    browser.get("/start")

    @site.view
    def fail(request):
        if how == "doomed before":
            request.tm.doom()
        request.session["a"] = 2
        if how == "doomed":
            request.tm.doom()
        elif how != "doomed before":
            raise ValueError

    site.clock.advance(599)
    if how == "no error page":
        with pytest.raises(ValueError, match=r"^$"):
            browser.get("/fail")
    else:
        browser.get("/fail", status="*")
    site.clock.advance(599)
    assert is_alive(browser)


def test_activity_counts_where_pyramid_tm_is_switched_off(make):
    site = make({**TIMEOUTS, "tm.activate_hook": lambda request: "off" not in request.path})
    browser = site.browser()
    browser.get("/start")
    site.views["off"] = lambda request: request.session.copy()
    site.clock.advance(599)
    browser.get("/off")
    site.clock.advance(599)
    assert is_alive(browser)


def test_a_clock_that_steps_back_a_little_logs_nobody_out(site, browser):
    site.clock.advance(-1800)
    assert is_alive(browser)
    site.clock.advance(599)
    assert is_alive(browser)


def test_an_engine_that_was_made_for_one_request_is_not_kept(make):
    engines = []

    def dbsession(request):
        engine = site.engine.execution_options(compiled_cache=None)
        engines.append(weakref.ref(engine))
        session = site.dbsession_maker(bind=engine)
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    site = make(dbsession_factory=dbsession)
    browser = site.browser()
    browser.get("/start")
    site.clock.advance(599)
    for _ in range(3):
        browser.get("/look")
    gc.collect()
    assert len(engines) == 4
    assert [engine() for engine in engines[:-1]] == [None] * 3


class TestSettingsThatChange:
    """Global timeouts may be switched on, off, up and down with rows in place."""

    @pytest.mark.parametrize(
        "after",
        [
            {},
            {"session.idle_timeout": 100},
            {"session.idle_timeout": 6000},
            {"session.absolute_timeout": 50},
            {"session.renewal_timeout": 300},
            TIMEOUTS,
        ],
        ids=lambda after: ",".join(after) or "none",
    )
    @pytest.mark.parametrize(
        "before", [{}, TIMEOUTS, {"session.idle_timeout": 100}], ids=["none", "all", "idle"]
    )
    def test_nothing_raises_and_the_stricter_one_decides(self, make, before, after):
        old = make(before)
        browser = old.browser()
        browser.get("/start")
        new = make(after)
        new.clock.now = old.clock.now
        browser.app = new.app
        assert is_alive(browser)
        limits = [
            settings.get(f"session.{kind}_timeout")
            for settings in (before, after)
            for kind in ("idle", "absolute")
        ]
        limits = [limit for limit in limits if limit is not None]
        new.clock.advance(min(limits, default=10**6) - 1)
        alive = is_alive(browser)
        # What was written under the old timeouts is rewritten by the touch of the first request.
        assert alive
        new.clock.advance(10**7)
        assert is_alive(browser) is not any(
            after.get(f"session.{kind}_timeout") for kind in ("idle", "absolute")
        )

    def test_a_minimal_model_has_no_companion_table(self, make_site):
        site = make_site()
        assert "session_activity" not in Session.metadata.tables
        site.browser().get("/start")
        assert len(site.rows()) == 1

    @pytest.mark.parametrize(
        ("setting", "mixin"),
        [
            ("idle_timeout", "IdleMixin"),
            ("absolute_timeout", "AbsoluteMixin"),
            ("renewal_timeout", "RenewalMixin"),
        ],
    )
    def test_a_timeout_without_its_mixin_stops_the_start(self, make_site, setting, mixin):
        with pytest.raises(ConfigurationError, match=mixin):
            make_site(settings={f"session.{setting}": 600})


class TestOwnSettings:
    """A session's own timeouts, changed at run time."""

    def test_they_hold_from_the_next_second_on(self, site, browser):
        @site.view
        def remember_me(request):
            with request.session.settings as settings:
                settings.idle_timeout = 3000
                settings.absolute_timeout = 10**6
                settings.cookie_max_age = 86400

        response = browser.get("/remember_me")
        assert "Max-Age=86400" in response.headers["Set-Cookie"]
        for _ in range(10):
            site.clock.advance(2999)
            assert is_alive(browser)
        site.clock.advance(3000)
        assert not is_alive(browser)

    def test_they_can_be_set_in_a_new_session(self, site):
        browser = site.browser()

        @site.view
        def it(request):
            request.session["a"] = 1
            with request.session.settings as settings:
                settings.idle_timeout = 10

        browser.get("/it")
        site.clock.advance(9)
        assert is_alive(browser)
        site.clock.advance(10)
        assert not is_alive(browser)

    @pytest.mark.parametrize("before", ["nothing", "a dead cookie", "a session that is ended"])
    def test_they_can_be_set_in_a_new_session_that_is_stored_already(self, site, before):
        browser = site.browser()
        if before != "nothing":
            browser.get("/start")
        if before == "a dead cookie":
            site.clock.advance(600)

        @site.view
        def it(request):
            if before == "a session that is ended":
                request.session.invalidate()
            request.session["a"] = 1
            request.session.row()
            wish(request.session, idle_timeout=3000)

        browser.get("/it")
        site.clock.advance(2999)
        assert is_alive(browser)

    def test_they_can_be_set_in_a_session_from_before_there_was_a_companion_table(self, site, browser):
        with site.engine.begin() as connection:
            connection.execute(delete(FullSession.metadata.tables["full_session_activity"]))
        site.views["it"] = lambda request: wish(request.session, idle_timeout=3000)
        browser.get("/it")
        site.clock.advance(2999)
        assert is_alive(browser)

    def test_they_are_switched_off_by_0_and_back_by_none(self, site, browser):
        @site.view
        def off(request):
            with request.session.settings as settings:
                settings.idle_timeout = 0

        @site.view
        def back(request):
            with request.session.settings as settings:
                settings.idle_timeout = None
            return request.session.settings.idle_timeout

        browser.get("/off")
        site.clock.advance(3000)
        assert is_alive(browser)
        browser.get("/back")
        site.clock.advance(599)
        assert is_alive(browser)
        site.clock.advance(600)
        assert not is_alive(browser)

    def test_all_or_nothing(self, site, browser):
        @site.view
        def it(request):
            session = request.session
            for wrong in ({"idle_timeout": 3600}, {"idle_timeout": -1}, {"idle_timeout": "600"}):
                with pytest.raises(InvalidPreferenceError, match="nothing was changed"):
                    wish(session, cookie_max_age=5, **wrong)
            with contextlib.suppress(KeyError), session.settings as settings:
                settings.cookie_max_age = 5
                raise KeyError
            with pytest.raises(InvalidPreferenceError, match="with block"):
                session.settings.idle_timeout = 5
            with pytest.raises(AttributeError, match="idle_timeout"):
                session.settings.idle_timout = 5
            return [session.settings.cookie_max_age, session.settings.idle_timeout]

        assert browser.get("/it").json_body == [None, None]

    def test_a_savepoint_that_is_rolled_back_undoes_them(self, site, browser):
        @site.view
        def it(request):
            savepoint = request.dbsession.begin_nested()
            with request.session.settings as settings:
                settings.idle_timeout = 5
            savepoint.rollback()

        browser.get("/it")
        site.clock.advance(500)
        assert is_alive(browser)

    def test_a_model_without_the_column_says_which_mixin_is_missing(self, make_site):
        site = make_site()

        @site.view
        def it(request):
            with pytest.raises(InvalidPreferenceError, match="ConfigIdleMixin"):
                wish(request.session, idle_timeout=5)

        site.browser().get("/it")


def test_under_a_tests_doomed_transaction_timeouts_work_too(make):
    site = make()
    tm = transaction.TransactionManager(explicit=True)
    tm.begin()
    tm.doom()
    dbsession = site.dbsession_maker()
    zope.sqlalchemy.register(dbsession, transaction_manager=tm)
    browser = site.browser(**{"tm.active": True, "tm.manager": tm, "app.dbsession": dbsession})
    browser.get("/start")
    site.clock.advance(599)
    assert is_alive(browser)
    site.clock.advance(599)
    assert is_alive(browser)
    site.clock.advance(600)
    assert not is_alive(browser)
    tm.abort()
    assert site.rows() == []
    assert site.activity() == []


class TestPresets:
    """`session.preset`, through the full stack."""

    def test_asvs_7_3_1_aal2_ends_a_session_after_an_hour_without_a_request(self, make_site):
        site = make_site(model=FullSession, settings={"session.preset": "aal2"})
        browser = site.browser()
        browser.get("/start")
        site.clock.advance(3599)
        assert browser.get("/look").json_body == {"a": 1}
        site.clock.advance(3600)
        assert browser.get("/look").json_body == {}

    def test_a_model_that_cannot_keep_it_is_refused(self, make_site):
        with pytest.raises(ConfigurationError, match=r"idle_timeout = 3600 \(by session.preset\).*IdleMixin"):
            make_site(settings={"session.preset": "aal2"})
