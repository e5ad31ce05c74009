"""Lost races are retried from clean state and overwrite nothing."""

from __future__ import annotations

import pytest
import webtest
from pyramid.response import Response
from site_under_test import Session
from websession_pyramid import StaleSessionError


@pytest.fixture(params=[False, True], ids=["no error page", "catch-all error page"])
def error_page(request):
    if not request.param:
        return None
    return lambda exception, request: Response("sorry", status=500)


def meanwhile(site, act):
    """Do something to the session's row in a transaction of its own, once."""
    done = []

    def do():
        if not done:
            done.append(True)
            with site.dbsession_maker.begin() as other:
                act(other, other.query(Session).one())

    return do


def overwrite(_dbsession, row):
    row.data = {**row.data, "other": 1}
    row.version += 1


def delete(dbsession, row):
    dbsession.delete(row)


@pytest.fixture
def site(make_site, error_page, websession_engine_name):
    # READ COMMITTED: the engine itself notices nothing; what is shown here is the version column's doing.
    options = {} if websession_engine_name == "sqlite" else {"isolation_level": "READ COMMITTED"}
    site = make_site(error_page=error_page, engine_options=options)
    site.views["start"] = lambda request: request.session.update(n=0)
    return site


# SQLite's writers queue from their first statement on: nobody can write in between.
in_between = pytest.mark.parametrize(
    "websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True
)


@in_between
def test_a_lost_race_is_retried_and_both_changes_survive(site):
    browser = site.browser()
    browser.get("/start")
    race = meanwhile(site, overwrite)

    @site.view
    def it(request):
        request.session["n"] += 1
        race()

    browser.get("/it", status=200)
    assert browser.get("/look").json_body == {"n": 1, "other": 1}


@in_between
def test_a_session_deleted_meanwhile_is_never_resurrected(site):
    browser = site.browser()
    browser.get("/start")
    race = meanwhile(site, delete)
    seen = []

    @site.view
    def it(request):
        seen.append(request.session.get("n"))
        if "n" in request.session:
            request.session["n"] += 1
        race()

    response = browser.get("/it", status=200)
    assert seen == [0, None]
    assert site.rows() == []
    assert "Set-Cookie" not in response.headers


@in_between
def test_without_pyramid_retry_the_error_says_so(make_site):
    site = make_site(retry=False, engine_options={"isolation_level": "READ COMMITTED"})
    browser = site.browser()
    site.views["start"] = lambda request: request.session.update(n=0)
    browser.get("/start")
    race = meanwhile(site, overwrite)

    @site.view
    def it(request):
        request.session["n"] += 1
        race()

    with pytest.raises(StaleSessionError, match="pyramid_retry"):
        browser.get("/it")
    assert site.rows()[0].data == {"n": 0, "other": 1}


def test_a_retried_request_starts_from_clean_state(site):
    browser = site.browser()
    browser.get("/start")
    seen = []

    @site.view
    def it(request):
        seen.append(request.session.copy())
        request.session["n"] += 1
        request.session.flash("again")
        if len(seen) < 3:
            raise StaleSessionError

    browser.get("/it", status=200)
    assert seen == [{"n": 0}] * 3
    assert browser.get("/look").json_body == {"n": 1}


def test_an_application_that_is_called_while_an_error_is_handled_sends_its_cookie(make_site):
    """The error is another one's, and its own requests would be run again after such a one."""
    site = make_site()

    def other_server():
        raise StaleSessionError

    def wrapper(environ, start_response):
        try:
            other_server()
        except StaleSessionError:
            return site.app(environ, start_response)

    browser = webtest.TestApp(wrapper)
    browser.get("/start")
    assert browser.get("/look").json_body == {"a": 1}
