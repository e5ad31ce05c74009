"""A user has so many sessions and no more (OWASP ASVS 5.0, 7.1.2), however many logins come at once."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from pyramid.httpexceptions import HTTPConflict
from site_under_test import FullSession, LimitedSession
from sqlalchemy.exc import DBAPIError
from websession_core.errors import ConfigurationError, TooManySessionsError
from websession_pyramid import SessionInvalidated, StaleSessionError, get_session_factory

ADA, BOB = 1, 2


@pytest.fixture
def make(make_site):
    def make(most=2, policy="end_oldest", **options):
        heard = []
        settings = {
            "session.max_per_user": most,
            "session.max_per_user_policy": policy,
            "session.idle_timeout": "1000",
            **options.pop("settings", {}),
        }
        site = make_site(
            model=LimitedSession,
            settings=settings,
            configure=lambda config: config.add_subscriber(heard.append, SessionInvalidated),
            **options,
        )
        site.heard = heard

        def login(request):
            try:
                request.session.login(int(request.params["as"]))
            except TooManySessionsError as error:
                raise HTTPConflict(str(error)) from None

        site.views.update(
            login=login,
            who=lambda request: request.session.userid,
            logout=lambda request: request.session.invalidate(),
            leave=lambda request: request.session.login(None),
            put=lambda request: request.session.update(a=1),
        )
        return site

    return make


def logged_in(site, userid=ADA, **options):
    browser = site.browser()
    browser.get(f"/login?as={userid}", **options)
    site.clock.advance(1)
    return browser


def who(*browsers):
    return [browser.get("/who").json for browser in browsers]


def slots(site):
    return sorted((row.userid, row.session_slot) for row in site.rows())


class TestEndingTheOldest:
    def test_the_one_that_was_logged_in_longest_ago_ends(self, make):
        site = make()
        first, second, other = logged_in(site), logged_in(site), logged_in(site, BOB)
        third = logged_in(site)
        assert who(first, second, third, other) == [None, ADA, ADA, BOB]
        assert slots(site) == [(ADA, 1), (ADA, 2), (BOB, 1)]
        assert [event.reason for event in site.heard] == [
            "its user has logged in elsewhere, and may have no more sessions"
        ]
        assert len(site.activity()) == 3

    def test_a_session_of_nobody_that_logs_in_counts_from_then_on(self, make):
        site = make()
        shopper = site.browser()
        shopper.get("/put")
        first, second = logged_in(site), logged_in(site)
        shopper.get(f"/login?as={ADA}")
        assert who(shopper, first, second) == [ADA, None, ADA]
        assert slots(site) == [(ADA, 1), (ADA, 2)]

    def test_one_that_logs_in_again_ends_no_other(self, make):
        site = make()
        first, second = logged_in(site), logged_in(site)
        for _ in range(3):
            first.get(f"/login?as={ADA}")
        assert who(first, second) == [ADA, ADA]

    def test_a_logout_makes_room(self, make):
        site = make()
        first, second = logged_in(site), logged_in(site)
        first.get("/logout")
        third = logged_in(site)
        assert who(first, second, third) == [None, ADA, ADA]

    def test_so_does_a_session_that_goes_on_without_its_user(self, make):
        site = make()
        first, second = logged_in(site), logged_in(site)
        first.get("/leave")
        third = logged_in(site)
        assert who(first, second, third) == [None, ADA, ADA]
        assert Counter(row.session_slot for row in site.rows()) == {1: 1, 2: 1}

    def test_one_that_has_ended_by_its_timeout_is_in_nobodys_way(self, make):
        site = make(policy="refuse")
        logged_in(site)
        logged_in(site)
        site.clock.advance(1001)
        third = logged_in(site)
        assert who(third) == [ADA]
        assert slots(site) == [(ADA, 1)]
        assert site.heard == []

    def test_a_limit_that_was_lowered_holds_from_the_next_login_on(self, make):
        browsers = [logged_in(make(most=4)) for _ in range(4)]
        site = make(most=2)
        site.clock.advance(10)
        newest = logged_in(site)
        assert len(site.rows()) == 2
        assert sorted(who(newest, *browsers), key=str) == [ADA, ADA, None, None, None]

    def test_sessions_from_before_there_was_a_limit_count(self, make):
        site = make(most=None)
        first, second = logged_in(site), logged_in(site)
        assert [row.session_slot for row in site.rows()] == [None, None]
        limited = make(most=2)
        limited.clock.advance(10)
        third = logged_in(limited)
        assert len(limited.rows()) == 2
        assert who(first, second, third) == [None, ADA, ADA]

    def test_nothing_is_ended_if_the_login_fails(self, make):
        site = make(most=1)
        first = logged_in(site)

        @site.view
        def fail(request):
            request.session.login(ADA)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            site.browser().get("/fail")
        assert who(first) == [ADA]

    def test_a_session_that_starts_over_and_logs_in_takes_its_own_place(self, make):
        site = make(most=1)
        browser = logged_in(site)

        @site.view
        def again(request):
            request.session.invalidate()
            request.session.login(ADA)

        browser.get("/again")
        assert who(browser) == [ADA]
        assert slots(site) == [(ADA, 1)]


class TestRefusingTheNewest:
    def test_the_login_is_refused_and_changes_nothing(self, make):
        site = make(policy="refuse")
        first, second = logged_in(site), logged_in(site)
        third = site.browser()
        answer = third.get(f"/login?as={ADA}", status=409)
        assert "the user has 2 sessions already" in answer.text
        assert who(first, second, third) == [ADA, ADA, None]
        assert len(site.rows()) == 2

    def test_one_that_logs_in_again_is_not_refused(self, make):
        site = make(most=1, policy="refuse")
        browser = logged_in(site)
        browser.get(f"/login?as={ADA}")
        assert who(browser) == [ADA]

    def test_another_user_is_not_refused(self, make):
        site = make(most=1, policy="refuse")
        assert who(logged_in(site), logged_in(site, BOB)) == [ADA, BOB]


@pytest.mark.parametrize("policy", ["end_oldest", "refuse"])
def test_the_limit_is_exact_under_concurrent_logins_at_every_isolation_level(
    make, websession_engine_name, policy
):
    levels = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
    for level in [None] if websession_engine_name == "sqlite" else levels:
        options = {} if level is None else {"isolation_level": level}
        rush(make(policy=policy, engine_options=options, settings={"retry.attempts": 30}), policy)


def rush(site, policy):
    """Let six browsers log in at once, twice."""
    barrier, answers = threading.Barrier(6), []
    before = len(site.rows())

    def log_in():
        browser = site.browser()
        barrier.wait()
        try:
            answers.append(browser.get(f"/login?as={ADA}", status="*").status_int)
        except (StaleSessionError, DBAPIError):  # lost 30 times: an error, and no session
            answers.append(500)

    for _ in range(2):
        threads = [threading.Thread(target=log_in) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert slots(site) == [(ADA, 1), (ADA, 2)]
    counted = Counter(answers)
    if policy == "refuse":
        assert counted[200] == 2 - before
    else:
        assert counted[409] == 0


@pytest.mark.parametrize("websession_engine_name", ["sqlite"])
def test_a_foreign_key_that_is_violated_is_not_taken_for_a_login_elsewhere(make):
    site = make()

    @site.view
    def it(request):
        request.session.login(ADA)
        request.session.row()

    site.browser().get("/it")
    with site.engine.begin() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX just_one ON limited_session (authenticated_at)")
    with pytest.raises(DBAPIError):
        site.browser().get("/it")


class TestConfiguration:
    def test_a_limit_without_the_mixin_stops_the_start(self):
        with pytest.raises(ConfigurationError, match="FullSession lacks SessionLimitMixin"):
            get_session_factory("x", FullSession, max_per_user="3")

    @pytest.mark.parametrize("wrong", ["0", "-1", "many", "10001"])
    def test_a_limit_that_is_none_stops_the_start(self, wrong):
        with pytest.raises(ConfigurationError, match="max_per_user = "):
            get_session_factory("x", LimitedSession, max_per_user=wrong)

    def test_a_policy_that_is_none_stops_the_start(self):
        with pytest.raises(ConfigurationError, match="max_per_user_policy = 'all'"):
            get_session_factory("x", LimitedSession, max_per_user_policy="all")
