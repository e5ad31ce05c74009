"""Subrequests share the session of the transaction they share."""

from __future__ import annotations

import pytest
from pyramid.request import Request


@pytest.fixture
def site(site):

    @site.view
    def inner(request):
        request.session["inner"] = request.session.get("outer", "nothing")
        return request.session.copy()

    return site


def sharing(request, path, *, with_cookies):
    """Make a subrequest in the transaction of `request`."""
    subrequest = Request.blank(path, environ={"tm.manager": request.tm})
    if with_cookies:
        subrequest.environ = {**request.environ, "PATH_INFO": path}
    subrequest.dbsession = request.dbsession
    return subrequest


@pytest.mark.parametrize("with_cookies", [False, True], ids=["blank", "copied environ"])
@pytest.mark.parametrize("known", [False, True], ids=["new session", "known session"])
class TestInOneTransaction:
    """One unit of work serves both."""

    @pytest.fixture
    def browser(self, site, known):
        browser = site.browser()
        if known:
            site.views["start"] = lambda request: request.session.update(start=1)
            browser.get("/start")
        return browser

    def test_each_sees_what_the_other_changed(self, site, browser, known, with_cookies):
        @site.view
        def outer(request):
            request.session["outer"] = "hello"
            seen = request.invoke_subrequest(sharing(request, "/inner", with_cookies=with_cookies)).json_body
            return [seen["inner"], request.session["inner"]]

        response = browser.get("/outer")
        assert response.json_body == ["hello", "hello"]
        assert len(response.headers.getall("Set-Cookie")) == (0 if known else 1)
        assert len(site.rows()) == 1
        assert browser.get("/look").json_body["inner"] == "hello"

    def test_the_cookie_of_a_session_begun_in_a_subrequest_reaches_the_browser(
        self, site, browser, known, with_cookies
    ):
        @site.view
        def outer(request):
            inner = request.invoke_subrequest(sharing(request, "/inner", with_cookies=with_cookies))
            return "Set-Cookie" in inner.headers

        response = browser.get("/outer")
        assert response.json_body is False
        assert len(response.headers.getall("Set-Cookie")) == (0 if known else 1)
        assert browser.get("/look").json_body["inner"] == "nothing"
        assert len(site.rows()) == 1

    def test_what_both_changed_is_dropped_together(self, site, browser, known, with_cookies):
        @site.view
        def outer(request):
            request.session["outer"] = "hello"
            request.invoke_subrequest(sharing(request, "/inner", with_cookies=with_cookies))
            request.tm.doom()

        assert "Set-Cookie" not in browser.get("/outer").headers
        assert browser.get("/look").json_body == ({"start": 1} if known else {})


def test_a_subrequest_with_a_transaction_of_its_own_has_a_session_of_its_own(site):
    browser = site.browser()

    @site.view
    def outer(request):
        inner = request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)
        return [inner.json_body, "Set-Cookie" in inner.headers, request.session.copy()]

    response = browser.get("/outer")
    assert response.json_body == [{"inner": "nothing"}, True, {}]
    assert "Set-Cookie" not in response.headers
    assert len(site.rows()) == 1
