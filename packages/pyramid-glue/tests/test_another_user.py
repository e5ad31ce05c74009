"""Another user is another session: a login over somebody else's session ends theirs."""

from __future__ import annotations

import logging

import pytest
from pyramid.security import remember
from site_under_test import FullSession
from websession_pyramid import (
    SessionCreated,
    SessionEvent,
    SessionInvalidated,
    SessionRegenerated,
    SessionSecurityPolicy,
)

MONTH = 30 * 24 * 3600
WEEK = 7 * 24 * 3600
MESSAGE = "A message of the first user's."
FILLED = [{"cart": {"tea": 1}}, [MESSAGE], MONTH]
NOTHING = [{}, [], None]


@pytest.fixture
def events():
    return []


@pytest.fixture
def site(make_site, events):
    def configure(config):
        config.set_security_policy(SessionSecurityPolicy())
        config.add_subscriber(events.append, SessionEvent)

    site = make_site(model=FullSession, configure=configure)
    site.views["token"] = lambda request: request.session.get_csrf_token()
    site.views["login"] = lambda request: request.session.login(int(request.params["user"]))
    site.views["keep"] = lambda request: request.session.login(int(request.params["user"]), keep_data=True)

    @site.view
    def fill(request):
        session = request.session
        session["cart"] = {"tea": 1}
        session.flash(MESSAGE)
        with session.settings as settings:
            settings.idle_timeout = WEEK
            settings.absolute_timeout = settings.cookie_max_age = MONTH

    @site.view
    def look(request):
        session = request.session
        return [session.userid, session.copy(), session.peek_flash(), session.settings.cookie_max_age]

    return site


@pytest.fixture
def browser(site):
    """A browser whose user, 7, has filled their session."""
    browser = site.browser()
    browser.get("/login?user=7")
    browser.get("/fill")
    return browser


ENDED = "Another user has logged in: the session {} ended, and with it"


def infos(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]


def cookie_of(response):
    (cookie,) = response.headers.getall("Set-Cookie")
    return cookie


class TestAnotherUser:
    """`login(B)` in a session of A."""

    def test_begins_with_nothing_of_the_first_users(self, browser):
        assert browser.get("/look").json_body == [
            7,
            {"cart": {"tea": 1}},
            ["A message of the first user's."],
            MONTH,
        ]
        browser.get("/login?user=8")
        assert browser.get("/look").json_body == [8, *NOTHING]

    def test_gets_a_row_of_their_own_and_the_first_users_is_gone(self, site, browser):
        (before,) = site.rows()
        browser.get("/login?user=8")
        (after,) = site.rows()
        assert after.id != before.id
        assert [row["id"] for row in site.activity()] == [after.id]

    def test_is_not_remembered_because_the_first_one_was(self, browser):
        assert "Max-Age" in browser.get("/login?user=7").headers["Set-Cookie"]
        assert "Max-Age" not in cookie_of(browser.get("/login?user=8"))

    def test_leaves_the_first_users_cookie_dead_at_once(self, site, browser):
        first = site.browser()
        first.set_cookie("websession", browser.cookies["websession"])
        browser.get("/login?user=8")
        assert first.get("/look").json_body == [None, *NOTHING]
        assert browser.get("/look").json_body[0] == 8

    def test_gets_another_token_against_forgery(self, browser):
        token = browser.get("/token").json_body
        browser.get("/login?user=8")
        assert browser.get("/token").json_body != token

    def test_is_told_to_subscribers_as_an_end_and_a_beginning(self, site, browser, events):
        (before,) = site.rows()
        events.clear()
        browser.get("/login?user=8")
        (after,) = site.rows()
        told = [(type(event), event.session, event.reason) for event in events[1:]]
        assert told == [
            (SessionInvalidated, before.id.hex[:8], "another user has logged in"),
            (SessionCreated, after.id.hex[:8], "first stored"),
        ]

    def test_is_one_line_in_the_log_without_values(self, site, browser, caplog):
        (before,) = site.rows()
        with caplog.at_level(logging.INFO, "websession_pyramid"):
            browser.get("/login?user=8")
        assert infos(caplog) == [
            f"{ENDED.format(before.id.hex[:8])} data, flash messages, settings of its own"
        ]

    @pytest.mark.parametrize(
        "how",
        [
            lambda request: setattr(request.session, "userid", 8),
            lambda request: remember(request, 8),
        ],
        ids=["session.userid = …", "remember()"],
    )
    def test_is_another_session_by_every_way_to_log_in(self, site, browser, how):
        site.views["other"] = lambda request: how(request) and None
        (before,) = site.rows()
        browser.get("/other")
        assert browser.get("/look").json_body == [8, *NOTHING]
        assert site.rows()[0].id != before.id

    def test_in_the_same_request_too(self, site):
        browser = site.browser()

        @site.view
        def twice(request):
            request.session.login(7)
            request.session["cart"] = {"tea": 1}
            if "stored" in request.params:
                request.session.row()
            request.session.login(8)
            return [request.session.userid, request.session.copy(), request.session.new]

        for path in ("/twice", "/twice?stored"):
            assert browser.get(path).json_body == [8, {}, True]
            assert browser.get("/look").json_body == [8, *NOTHING]
            assert len(site.rows()) == 1

    def test_rolled_back_leaves_the_first_users_session_as_it_was(self, site, browser):
        before = browser.get("/look").json_body

        @site.view
        def savepoint(request):
            nested = request.dbsession.begin_nested()
            request.session.login(8)
            request.session["b"] = 2
            request.session.row()
            nested.rollback()
            return [request.session.userid, request.session.copy()]

        @site.view
        def doomed(request):
            request.session.login(8)
            request.tm.doom()

        assert browser.get("/savepoint").json_body == [7, {"cart": {"tea": 1}}]
        browser.get("/doomed")
        assert browser.get("/look").json_body == before
        assert len(site.rows()) == 1


class TestDataThatIsKept:
    """`login(B, keep_data=True)`: a guest's account that becomes a real one, "act as"."""

    def test_goes_on_in_a_row_of_its_own_without_the_settings(self, site, browser):
        (before,) = site.rows()
        cookie = cookie_of(browser.get("/keep?user=8"))
        assert "Max-Age" not in cookie
        (after,) = site.rows()
        assert after.id != before.id
        assert browser.get("/look").json_body == [
            8,
            {"cart": {"tea": 1}},
            ["A message of the first user's."],
            None,
        ]

    def test_comes_with_new_tokens(self, site, browser):
        token, old = browser.get("/token").json_body, browser.cookies["websession"]
        browser.get("/keep?user=8")
        assert browser.get("/token").json_body != token
        thief = site.browser()
        thief.set_cookie("websession", old)
        assert thief.get("/look").json_body == [None, *NOTHING]

    def test_can_be_changed_through_values_that_were_taken_out_before(self, site, browser):
        @site.view
        def act_as(request):
            cart = request.session["cart"]
            request.session.login(8, keep_data=True)
            cart["milk"] = 1

        browser.get("/act_as")
        assert browser.get("/look").json_body[:2] == [8, {"cart": {"tea": 1, "milk": 1}}]

    def test_comes_back_with_a_rolled_back_savepoint(self, site, browser):
        @site.view
        def savepoint(request):
            nested = request.dbsession.begin_nested()
            request.session.login(8, keep_data=True)
            request.session["cart"]["milk"] = 1
            request.session.row()
            nested.rollback()

        browser.get("/savepoint")
        assert browser.get("/look").json_body[:2] == [7, {"cart": {"tea": 1}}]

    def test_can_be_asked_for_by_remember(self, site, browser):
        site.views["other"] = lambda request: remember(request, 8, keep_data=True)
        browser.get("/other")
        assert browser.get("/look").json_body[:2] == [8, {"cart": {"tea": 1}}]

    def test_leaves_one_line_in_the_log_about_the_settings(self, site, browser, caplog):
        (before,) = site.rows()
        with caplog.at_level(logging.INFO, "websession_pyramid"):
            browser.get("/keep?user=8")
        assert infos(caplog) == [f"{ENDED.format(before.id.hex[:8])} settings of its own"]


@pytest.mark.parametrize("path", ["/login?user=7", "/keep?user=7"])
def test_the_same_user_again_keeps_everything_but_the_tokens(site, browser, events, path):
    (before,) = site.rows()
    seen, token = browser.get("/look").json_body, browser.get("/token").json_body
    events.clear()
    browser.get(path)
    assert site.rows()[0].id == before.id
    assert browser.get("/look").json_body == seen
    assert browser.get("/token").json_body != token
    assert SessionRegenerated in map(type, events)
    assert SessionInvalidated not in map(type, events)


def test_a_login_from_an_anonymous_session_keeps_its_data(site):
    browser = site.browser()
    browser.get("/fill")
    (before,) = site.rows()
    browser.get("/login?user=7")
    assert browser.get("/look").json_body == [
        7,
        {"cart": {"tea": 1}},
        ["A message of the first user's."],
        MONTH,
    ]
    assert site.rows()[0].id == before.id


def test_login_of_nobody_keeps_the_data(site, browser):
    site.views["nobody"] = lambda request: request.session.login(None)
    browser.get("/nobody")
    assert browser.get("/look").json_body[:2] == [None, {"cart": {"tea": 1}}]


def test_regenerate_replaces_the_token_against_forgery(site, browser):
    token = browser.get("/token").json_body
    site.views["regenerate"] = lambda request: request.session.regenerate()
    browser.get("/regenerate")
    assert browser.get("/token").json_body != token
