"""OWASP ASVS 5.0, V7.4: ends. docs/explanation/asvs.md says what each requirement is."""

from __future__ import annotations

import pytest
from pyramid.security import forget, remember
from site_under_test import FullSession, User
from sqlalchemy import delete
from websession_pyramid import SessionSecurityPolicy, active_sessions

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)


def who(request):
    return request.authenticated_userid


def disable(request):
    """Delete a user, and their sessions with them."""
    request.dbsession.execute(delete(User).where(User.id == 7))
    return active_sessions(request).end_all(7)


@pytest.fixture
def make(make_site):
    def make(**settings):
        policy = SessionSecurityPolicy(identity=lambda request, userid: request.dbsession.get(User, userid))
        site = make_site(
            model=FullSession,
            settings={f"session.{name}": value for name, value in settings.items()},
            configure=lambda config: config.set_security_policy(policy),
        )
        site.views.update(
            login=lambda request: remember(request, int(request.params["id"])),
            logout=forget,
            who=who,
            end_others=lambda request: active_sessions(request).end_others(),
            end_all=lambda request: active_sessions(request).end_all(7),
            end_everybodys=lambda request: active_sessions(request).end_everybodys(),
            disable=disable,
        )
        if site.count(User) == 0:
            with site.dbsession_maker.begin() as dbsession:
                dbsession.add_all([User(id=7, name="Anna"), User(id=8, name="Berta")])
        return site

    return make


@pytest.fixture
def site(make):
    return make()


def logged_in(site, userid=7):
    """Return a browser in which that user has logged in."""
    browser = site.browser()
    browser.get(f"/login?id={userid}")
    assert browser.get("/who").json_body == userid
    return browser


def test_7_4_1_after_a_logout_no_cookie_of_the_session_resumes_it(site):
    browser = site.browser()
    kept = []
    for path in ("/login?id=7", "/login?id=7", "/who"):
        browser.get(path)
        kept.append(browser.cookies["websession"])
    browser.get("/logout")
    assert browser.cookies == {}
    assert site.rows() == []
    for token in kept:
        browser.set_cookie("websession", token)
        assert browser.get("/who").json_body is None


@pytest.mark.parametrize("timeout", ["idle_timeout", "absolute_timeout"])
def test_7_4_1_after_its_end_by_a_timeout_neither(make, timeout):
    site = make(**{timeout: 600})
    browser = logged_in(site)
    site.clock.advance(600)
    for _ in range(2):
        assert browser.get("/who").json_body is None
    assert site.rows() == []


def test_7_4_2_a_user_who_is_deleted_is_logged_out_everywhere(site):
    browsers = [logged_in(site) for _ in range(2)]
    other = logged_in(site, 8)
    assert other.get("/disable").json_body == 2
    assert [browser.get("/who").json_body for browser in browsers] == [None, None]
    with site.dbsession_maker.begin() as dbsession:
        dbsession.add(User(id=7, name="Somebody new"))
    assert [browser.get("/who").json_body for browser in browsers] == [None, None]
    assert other.get("/who").json_body == 8


def test_7_4_3_all_other_sessions_of_the_user_can_be_ended(site):
    here, *elsewhere = (logged_in(site) for _ in range(3))
    other = logged_in(site, 8)
    assert here.get("/end_others").json_body == 2
    assert [browser.get("/who").json_body for browser in elsewhere] == [None, None]
    assert here.get("/who").json_body == 7
    assert other.get("/who").json_body == 8


def test_7_4_4_a_logout_is_one_call_that_works_on_every_page(site):
    browser = logged_in(site)
    for _ in range(2):  # and for whoever is logged out already
        browser.get("/logout")
        assert browser.get("/who").json_body is None


def test_7_4_5_an_administrator_can_end_the_sessions_of_one_user(site):
    one, administrator = logged_in(site), logged_in(site, 8)
    assert administrator.get("/end_all").json_body == 1
    assert one.get("/who").json_body is None
    assert administrator.get("/who").json_body == 8


def test_7_4_5_and_of_everybody(site):
    one, administrator = logged_in(site), logged_in(site, 8)
    assert administrator.get("/end_everybodys").json_body == 2
    assert [browser.get("/who").json_body for browser in (one, administrator)] == [None, None]
    assert site.rows() == []


def test_7_4_5_and_of_everybody_by_a_setting(make, site):
    browsers = [logged_in(site), logged_in(site, 8)]
    site.clock.advance(1)
    after = make(not_before=site.clock.now)
    after.clock.now = site.clock.now
    for browser in browsers:
        browser.app = after.app
        assert browser.get("/who").json_body is None
        browser.get("/login?id=7")
        assert browser.get("/who").json_body == 7
