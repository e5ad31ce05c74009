"""Renewal through the whole stack: a few fixed schedules of what the core's simulation explores at large."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from pyramid.response import Response
from site_under_test import FullSession, Order
from sqlalchemy import text


@pytest.fixture
def site(make_site):
    site = make_site(
        model=FullSession,
        settings={"session.renewal_timeout": 300, "session.renewal_max_tries": 3},
        error_page=lambda exception, request: Response("sorry", status=500),
    )
    site.views["look"] = lambda request: request.session.userid

    @site.view
    def fail(request):
        request.session["a"] = request.session["userid"]

    return site


@pytest.fixture
def browser(site):
    browser = site.browser()
    browser.get("/login")
    return browser


def with_cookie(site, token):
    """Return a browser with that cookie in its jar."""
    browser = site.browser()
    browser.set_cookie("websession", token)
    return browser


def send(site, token, path="/look"):
    """Send one request with a cookie; return what was answered and the new cookie, if there is one."""
    browser = with_cookie(site, token)
    response = browser.get(path, status="*")
    new = browser.cookies["websession"] if "Set-Cookie" in response.headers else None
    return response.json_body if response.status_code == 200 else None, new


def test_the_race_that_logged_honest_users_out_of_the_old_library(site, browser):
    """Two carry the old cookie, one brings the new one, a third acknowledges it, the second is late."""
    old = browser.cookies["websession"]
    site.clock.advance(300)
    userid, new = send(site, old)
    assert userid == 7
    assert new is not None
    assert send(site, old) == (7, None)
    assert send(site, new) == (7, None)
    site.clock.advance(60)
    assert send(site, old) == (7, None)
    assert send(site, new) == (7, None)


def test_a_lost_response_is_made_up_for_later(site, browser):
    old = browser.cookies["websession"]
    site.clock.advance(300)
    _, lost = send(site, old)
    assert lost is not None
    site.clock.advance(120)
    assert send(site, old) == (7, None)
    site.clock.advance(1)
    userid, second = send(site, old)
    assert userid == 7
    assert second is not None
    assert send(site, second) == (7, None)


@pytest.mark.parametrize("meanwhile", ["another renewal", "logout", "login"])
def test_a_candidate_whose_write_took_no_effect_does_not_leave(site, browser, meanwhile):
    """Another request of the same session comes between the request's commit and its bookkeeping."""
    old = browser.cookies["websession"]
    site.clock.advance(300)
    path = {"another renewal": "/look", "logout": "/leave", "login": "/login"}[meanwhile]
    answers = []

    def send_elsewhere():
        return send(site, old, path) if meanwhile == "another renewal" else with_cookie(site, old).get(path)

    def meanwhile_elsewhere(request, response):
        # In a thread of its own, as another worker would: in this one it were a subrequest.
        with ThreadPoolExecutor(1) as worker:
            answers.append(worker.submit(send_elsewhere).result())

    @site.view
    def slow(request):
        request.add_response_callback(meanwhile_elsewhere)
        return request.session.userid

    assert send(site, old, "/slow") == (7, None)
    if meanwhile == "another renewal":
        ((userid, candidate),) = answers
        assert userid == 7
        assert candidate is not None
        assert send(site, candidate) == (7, None)


@pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)
def test_a_candidate_whose_write_failed_does_not_leave(site, browser):
    site.clock.advance(300)
    old = browser.cookies["websession"]
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE full_session_activity ADD CHECK (tries = 0)"))
    assert send(site, old) == (7, None)
    with site.engine.begin() as connection:
        connection.execute(text("DELETE FROM full_session_activity"))


def test_a_candidate_goes_out_with_an_error_page_too(site, browser):
    site.clock.advance(300)
    response = browser.get("/fail", status=500)
    assert "Set-Cookie" in response.headers
    assert browser.get("/look").json_body == 7


def test_an_old_cookie_after_its_grace_revokes_the_session(site, browser):
    stolen = browser.cookies["websession"]
    site.clock.advance(300)
    browser.get("/look")
    browser.get("/look")
    site.clock.advance(61)
    assert send(site, stolen) == (None, None)
    assert browser.get("/look").json_body is None
    assert site.rows() == []
    assert site.activity() == []


@pytest.mark.parametrize("how", ["view", "dead transaction", "doomed before", "hook", "flush"])
def test_the_revocation_stands_though_the_requests_own_transaction_is_rolled_back(
    make_site, site, browser, how
):
    def page(exception, request):
        return Response(f"sorry {request.session.copy()}", status=500)

    failing = make_site(model=FullSession, settings={"session.renewal_timeout": 300}, error_page=page)
    stolen = browser.cookies["websession"]
    site.clock.advance(300)
    browser.get("/look")
    browser.get("/look")
    site.clock.advance(61)

    @failing.view
    def fail(request):
        if how == "dead transaction":
            request.dbsession.execute(text("SELECT * FROM no_such_table"))
        if how == "doomed before":
            request.tm.doom()
        request.session.get("a")
        if how == "view":
            raise ValueError
        if how == "hook":
            request.tm.get().addBeforeCommitHook(lambda: request.no_such_attribute)
        if how == "flush":
            request.dbsession.add(Order(text=None))

    failing.clock.now = site.clock.now
    send(failing, stolen, "/fail")
    assert site.rows() == []
    assert browser.get("/look").json_body is None


def test_two_holders_of_one_cookie_cannot_renew_along_unnoticed(site, browser):
    thief = with_cookie(site, browser.cookies["websession"])
    site.clock.advance(300)
    thief.get("/look")
    thief.get("/look")
    site.clock.advance(61)
    assert browser.get("/look").json_body is None
    assert thief.get("/look").json_body is None


def test_who_swallows_every_candidate_is_ended_by_the_cap(site, browser):
    old = browser.cookies["websession"]
    site.clock.advance(300)
    swallowed = 0
    for _ in range(10):
        userid, candidate = send(site, old)
        swallowed += candidate is not None
        if userid is None:
            break
        site.clock.advance(121)
    assert swallowed == 3
    assert site.rows() == []


def test_a_session_of_nobody_is_not_renewed(site):
    browser = site.browser()
    browser.get("/start")
    site.clock.advance(10**6)
    assert "Set-Cookie" not in browser.get("/look").headers


def test_changed_attributes_reach_the_browser_with_a_candidate(make_site, site, browser):
    site.clock.advance(121)
    assert "Set-Cookie" not in browser.get("/look").headers
    other = make_site(
        model=FullSession,
        settings={"session.renewal_timeout": 300, "session.cookie_samesite": "Strict"},
    )
    other.clock.now = site.clock.now
    other.views.update(site.views)
    browser.app = other.app
    response = browser.get("/look")
    assert "samesite=strict" in response.headers["Set-Cookie"].lower()
    assert "Set-Cookie" not in browser.get("/look").headers


def test_a_logout_leaves_no_companion_row(site, browser):
    browser.get("/leave")
    assert site.rows() == []
    assert site.activity() == []


def test_a_cut_off_refuses_what_was_issued_before(make_site, site, browser):
    after = make_site(
        model=FullSession,
        settings={"session.renewal_timeout": 300, "session.not_before": site.clock.now + 1},
    )
    after.clock.now = site.clock.now + 1
    after.views.update(site.views)
    browser.app = after.app
    response = browser.get("/look")
    assert response.json_body is None
    assert "Set-Cookie" not in response.headers
    browser.get("/login")
    assert browser.get("/look").json_body == 7
