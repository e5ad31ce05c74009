"""Subrequests have the session of the request that made them."""

from __future__ import annotations

import logging

import pytest
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import INGRESS
from site_under_test import FullSession, Order, cookie_of
from websession_core.errors import NoTransactionError
from websession_pyramid import StaleSessionError
from websession_pyramid.errors import UnsupportedSetupError

THREAD_LOCAL = {"tm.manager_hook": None}
EXPLICIT: dict[str, object] = {}
PYRAMID_TM = "pyramid_tm.tm_tween_factory"
ONE_CONNECTION = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 3}


@pytest.fixture(params=[THREAD_LOCAL, EXPLICIT], ids=["thread-local manager", "explicit manager"])
def manager(request):
    """The settings of each kind of transaction manager."""
    return request.param


def with_inner(site):
    """Give a site a view that changes the session and tells what it has seen."""

    @site.view
    def inner(request):
        request.session["inner"] = request.session.get("outer", "nothing")
        return request.session.copy()

    return site


@pytest.fixture
def site(make_site, manager):
    """A site that has one connection: a second one for the same request is never to be had."""
    return with_inner(make_site(model=FullSession, settings=manager, engine_options=ONE_CONNECTION))


@pytest.fixture(params=[False, True], ids=["new session", "known session"])
def known(request):
    """Whether the browser has a session."""
    return request.param


@pytest.fixture
def browser(site, known):
    """A browser, with or without a session."""
    browser = site.browser()
    if known:
        browser.get("/start")
    return browser


def blank(request, path):
    """Make a subrequest that says nothing."""
    return Request.blank(path)


def with_cookies(request, path):
    """Make a subrequest that carries the browser's cookies, as the manual of Pyramid advises."""
    return Request.blank(path, headers={"Cookie": request.headers.get("Cookie", "")})


def with_manager(request, path):
    """Make a subrequest that is given the transaction."""
    subrequest = Request.blank(path, environ={"tm.manager": request.tm})
    subrequest.dbsession = request.dbsession
    return subrequest


def with_environ(request, path):
    """Make a subrequest that has everything."""
    subrequest = Request.blank(path)
    subrequest.environ = {**request.environ, "PATH_INFO": path}
    subrequest.dbsession = request.dbsession
    return subrequest


@pytest.fixture(params=[blank, with_cookies, with_manager, with_environ], ids=lambda made: made.__name__)
def made(request):
    """The ways of making a subrequest."""
    return request.param


class TestHoweverItIsMade:
    """One session, in one transaction."""

    def test_each_sees_what_the_other_changed(self, site, browser, known, made):
        @site.view
        def outer(request):
            request.session["outer"] = "hello"
            seen = request.invoke_subrequest(made(request, "/inner")).json_body
            request.session["later"] = request.session["inner"]
            return [seen["inner"], request.session["inner"]]

        response = browser.get("/outer")
        assert response.json_body == ["hello", "hello"]
        assert len(response.headers.getall("Set-Cookie")) == (0 if known else 1)
        assert len(site.rows()) == 1
        assert browser.get("/look").json_body.items() >= {"inner": "hello", "later": "hello"}.items()

    def test_the_subrequest_may_be_first(self, site, browser, known, made):
        @site.view
        def outer(request):
            inner = request.invoke_subrequest(made(request, "/inner"))
            return ["Set-Cookie" in inner.headers, request.session["inner"]]

        response = browser.get("/outer")
        assert response.json_body == [False, "nothing"]
        assert len(response.headers.getall("Set-Cookie")) == (0 if known else 1)
        assert browser.get("/look").json_body["inner"] == "nothing"
        assert len(site.rows()) == 1

    def test_what_both_changed_is_dropped_together(self, site, browser, known, made):
        @site.view
        def outer(request):
            request.session["outer"] = "hello"
            request.invoke_subrequest(made(request, "/inner"))
            request.tm.doom()

        assert "Set-Cookie" not in browser.get("/outer").headers
        assert browser.get("/look").json_body == ({"a": 1} if known else {})


class TestOneSession:
    """What becomes of it in one is so for both."""

    def test_only_one_connection_is_taken(self, site, browser):
        @site.view
        def inner(request):
            request.session["inner"] = 1
            request.session.row()
            return site.engine.pool.checkedout()

        @site.view
        def outer(request):
            request.session.row()
            before = request.invoke_subrequest(blank(request, "/inner")).json_body
            return [before, site.engine.pool.checkedout()]

        assert browser.get("/outer").json_body == [1, 1]

    def test_a_subrequest_of_a_subrequest_is_no_different(self, site, browser):
        @site.view
        def between(request):
            request.session["between"] = request.session["outer"]
            return request.invoke_subrequest(blank(request, "/inner")).json_body

        @site.view
        def outer(request):
            request.session["outer"] = "hello"
            return request.invoke_subrequest(blank(request, "/between")).json_body

        assert browser.get("/outer").json_body.items() >= {"between": "hello", "inner": "hello"}.items()
        assert browser.get("/look").json_body["inner"] == "hello"
        assert len(site.rows()) == 1

    def test_one_that_raises_leaves_the_session_at_hand(self, site, browser):
        @site.view
        def inner(request):
            request.session["inner"] = 1
            raise ValueError("inner")

        @site.view
        def outer(request):
            request.session["outer"] = 1
            with pytest.raises(ValueError, match="inner"):
                request.invoke_subrequest(blank(request, "/inner"))
            request.session["later"] = 1

        browser.get("/outer")
        assert browser.get("/look").json_body.items() >= {"outer": 1, "inner": 1, "later": 1}.items()
        assert len(site.rows()) == 1

    def test_a_login_in_one_is_one_for_both(self, site, browser):
        @site.view
        def outer(request):
            request.session["outer"] = 1
            request.invoke_subrequest(blank(request, "/login"))
            request.session["for"] = request.session.userid
            return request.session.userid

        before = browser.cookies.get("websession")
        assert browser.get("/outer").json_body == 7
        assert browser.cookies["websession"] != before
        assert browser.get("/who").json_body == 7
        assert browser.get("/look").json_body["for"] == 7
        assert len(site.rows()) == 1

    def test_a_logout_in_one_is_one_for_both(self, site, browser):
        @site.view
        def outer(request):
            request.session["outer"] = 1
            request.invoke_subrequest(blank(request, "/leave"))
            seen = request.session.copy()
            request.session["later"] = 1
            return seen

        assert browser.get("/outer").json_body == {}
        assert browser.get("/look").json_body == {"later": 1}
        assert len(site.rows()) == 1

    def test_a_savepoint_goes_across(self, site, browser):
        @site.view
        def outer(request):
            request.session["outer"] = "hello"
            savepoint = request.dbsession.begin_nested()
            request.invoke_subrequest(blank(request, "/inner"))
            savepoint.rollback()
            return request.session.get("inner")

        assert browser.get("/outer").json_body is None
        assert "inner" not in browser.get("/look").json_body
        assert len(site.rows()) == 1

    def test_the_session_of_one_that_is_over_is_still_the_session(self, site, browser):
        kept = []

        @site.view
        def inner(request):
            kept.append(request.session)
            return request.session.get("outer")

        @site.view
        def outer(request):
            request.session["outer"] = 1
            request.invoke_subrequest(blank(request, "/inner"))
            kept[0]["later"] = 1
            return request.session["later"]

        assert browser.get("/outer").json_body == 1
        assert browser.get("/look").json_body["later"] == 1

    def test_an_attempt_that_is_repeated_stores_nothing(self, site, browser):
        attempts = []

        @site.view
        def outer(request):
            request.session["outer"] = "hello"
            request.invoke_subrequest(blank(request, "/inner"))
            attempts.append(request.session.copy())
            if len(attempts) == 1:
                raise StaleSessionError
            return len(attempts)

        response = browser.get("/outer")
        assert response.json_body == 2
        assert attempts[0] == attempts[1]
        assert len(response.headers.getall("Set-Cookie")) <= 1
        assert len(site.rows()) == 1


@pytest.mark.parametrize("made", [blank, with_cookies], ids=lambda made: made.__name__)
class TestOnErrorPages:
    """A layout that is put together by subrequests."""

    @pytest.fixture
    def site(self, make_site, manager):
        def error_page(exception, request):
            body = request.invoke_subrequest(self.made(request, "/look")).body
            return Response(body, content_type="application/json", status=500)

        return make_site(settings=manager, error_page=error_page, engine_options=ONE_CONNECTION)

    @pytest.fixture(autouse=True)
    def remember(self, made):
        type(self).made = staticmethod(made)

    def test_a_failed_view(self, site):
        browser = site.browser()
        browser.get("/start")

        @site.view
        def fail(request):
            request.session["fail"] = 1
            raise ValueError

        assert browser.get("/fail", status=500).json_body == {"a": 1, "fail": 1}

    def test_a_failed_flush(self, site):
        browser = site.browser()
        browser.get("/start")

        @site.view
        def fail(request):
            request.dbsession.add_all([Order(id=1, text="1"), Order(id=1, text="2")])
            request.dbsession.flush()

        # The only connection is the dead transaction's, so nothing can be read, but nothing waits for it.
        assert browser.get("/fail", status=500).json_body in ({"a": 1}, {})

    def test_a_failed_commit(self, site):
        browser = site.browser()
        browser.get("/start")

        @site.view
        def fail(request):
            request.dbsession.add_all([Order(id=1, text="1"), Order(id=1, text="2")])

        assert browser.get("/fail", status=500).json_body == {"a": 1}
        assert browser.get("/look").json_body == {"a": 1}


def asking_tween_factory(handler, registry):
    """Make a tween that makes a subrequest first."""
    use_tweens = registry.settings["test.use_tweens"]

    def tween(request):
        if request.path_info == "/outer":
            request.invoke_subrequest(Request.blank("/inner"), use_tweens=use_tweens)
        return handler(request)

    return tween


class TestFromTweens:
    """A tween, above pyramid_tm or below it, makes a subrequest."""

    @pytest.fixture
    def make(self, make_site, manager):
        def make(*, use_tweens, **place):
            site = make_site(
                settings={**manager, "test.use_tweens": use_tweens},
                configure=lambda config: config.add_tween(f"{__name__}.asking_tween_factory", **place),
                engine_options=ONE_CONNECTION,
            )
            site.views["inner"] = lambda request: request.session.update(inner=1)

            @site.view
            def outer(request):
                request.session["outer"] = request.session.get("inner")

            return site

        return make

    def test_below(self, make, known):
        site = make(use_tweens=False, under=PYRAMID_TM)
        browser = site.browser()
        if known:
            browser.get("/start")
        browser.get("/outer")
        assert browser.get("/look").json_body.items() >= {"inner": 1, "outer": 1}.items()
        assert len(site.rows()) == 1

    def test_above_with_a_transaction_of_its_own(self, make, known):
        site = make(over=PYRAMID_TM, under=INGRESS, use_tweens=True)
        browser = site.browser()
        if known:
            browser.get("/start")
        browser.get("/outer")
        assert browser.get("/look").json_body.items() >= {"inner": 1, "outer": 1}.items()
        assert len(site.rows()) == 1

    def test_above_without_any_transaction(self, make):
        site = make(over=PYRAMID_TM, under=INGRESS, use_tweens=False)
        browser = site.browser()
        browser.get("/start")
        with pytest.raises(NoTransactionError):
            browser.get("/outer")
        site.views["inner"] = lambda request: request.session["a"]
        browser.get("/outer")
        assert browser.get("/look").json_body == {"a": 1, "outer": None}


class TestWithAnotherSessionsCookie:
    """A subrequest that names another session has that one."""

    @pytest.fixture
    def other(self, site):
        other = site.browser()
        site.views["other"] = lambda request: request.session.update(whose="other")
        other.get("/other")
        return other.cookies["websession-visitor"]

    def test_in_the_same_transaction(self, site, browser, known, other):
        @site.view
        def outer(request):
            request.session["outer"] = "hello"
            subrequest = Request.blank("/inner", headers={"Cookie": f"websession-visitor={other}"})
            seen = request.invoke_subrequest(subrequest).json_body
            return [seen, request.session.get("inner"), site.engine.pool.checkedout()]

        assert browser.get("/outer").json_body == [{"whose": "other", "inner": "nothing"}, None, 1]
        assert "inner" not in browser.get("/look").json_body
        browser.set_cookie("websession-visitor", other)
        assert browser.get("/look").json_body == {"whose": "other", "inner": "nothing"}
        assert len(site.rows()) == 2

    def test_its_activity_is_recorded(self, site, browser, other):
        site.views["inner"] = lambda request: request.session["whose"]

        @site.view
        def outer(request):
            subrequest = Request.blank("/inner", headers={"Cookie": f"websession-visitor={other}"})
            return request.invoke_subrequest(subrequest).json_body

        before = {row["id"]: row for row in site.activity()}
        site.clock.advance(1000)
        assert browser.get("/outer").json_body == "other"
        assert any(row != before[row["id"]] for row in site.activity())

    def test_a_subrequest_of_it_goes_with_it(self, site, browser, other):
        @site.view
        def between(request):
            return request.invoke_subrequest(Request.blank("/inner")).json_body

        @site.view
        def outer(request):
            request.session["outer"] = 1
            subrequest = Request.blank("/between", headers={"Cookie": f"websession-visitor={other}"})
            return request.invoke_subrequest(subrequest).json_body

        assert browser.get("/outer").json_body == {"whose": "other", "inner": "nothing"}

    def test_in_a_transaction_of_its_own(self, make_site, manager):
        site = with_inner(make_site(settings=manager))
        site.views["other"] = lambda request: request.session.update(whose="other")
        stranger, browser = site.browser(), site.browser()
        stranger.get("/other")

        @site.view
        def outer(request):
            headers = {"Cookie": f"websession={stranger.cookies['websession']}"}
            return request.invoke_subrequest(
                Request.blank("/leave", headers=headers), use_tweens=True
            ).headers["Set-Cookie"]

        assert "Max-Age=0" in browser.get("/outer").json_body
        assert stranger.get("/look").json_body == {}
        assert "websession" not in browser.cookies


class TestWithTweensAndTheThreadLocalManager:
    """`pyramid_tm` ends the transaction under way to begin the subrequest's."""

    @pytest.fixture
    def manager(self):
        return THREAD_LOCAL

    @pytest.mark.parametrize("made", [blank, with_cookies], ids=lambda made: made.__name__)
    def test_the_session_goes_on(self, site, browser, known, made):
        @site.view
        def outer(request):
            seen = request.invoke_subrequest(made(request, "/inner"), use_tweens=True)
            request.session["outer"] = request.session["inner"]
            return "Set-Cookie" in seen.headers

        response = browser.get("/outer")
        assert response.json_body is False
        assert len(response.headers.getall("Set-Cookie")) == (0 if known else 1)
        assert browser.get("/look").json_body.items() >= {"inner": "nothing", "outer": "nothing"}.items()
        assert len(site.rows()) == 1

    @pytest.mark.parametrize("made", [blank, with_cookies], ids=lambda made: made.__name__)
    def test_what_was_changed_before_it_is_dropped_with_a_warning(self, site, browser, made, caplog):
        @site.view
        def outer(request):
            request.session["before"] = 1
            request.invoke_subrequest(made(request, "/inner"), use_tweens=True)
            request.session["after"] = 1

        browser.get("/outer")
        seen = browser.get("/look").json_body
        assert seen.items() >= {"inner": "nothing", "after": 1}.items()
        assert "before" not in seen
        assert len(site.rows()) == 1
        assert any("use_tweens=True" in record.message for record in caplog.records)

    def test_nothing_is_said_where_nothing_is_lost(self, site, browser, caplog):
        @site.view
        def outer(request):
            request.session.get("before")
            request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)
            request.tm.abort()

        browser.get("/outer")
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

    def test_one_after_another(self, site, browser):
        site.views["count"] = lambda request: request.session.update(n=request.session.get("n", 0) + 1)

        @site.view
        def outer(request):
            for _ in range(3):
                request.invoke_subrequest(Request.blank("/count"), use_tweens=True)
            request.session["outer"] = request.session["n"]

        browser.get("/outer")
        assert browser.get("/look").json_body["outer"] == 3
        assert len(site.rows()) == 1

    def test_one_that_fails_leaves_the_session_at_hand(self, site, browser):
        @site.view
        def inner(request):
            request.session["inner"] = 1
            raise ValueError("inner")

        @site.view
        def outer(request):
            with pytest.raises(ValueError, match="inner"):
                request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)
            request.session["later"] = request.session.get("inner")

        browser.get("/outer")
        seen = browser.get("/look").json_body
        assert seen["later"] is None
        assert "inner" not in seen
        assert len(site.rows()) == 1


class TestWithTweensAndAnExplicitManager:
    """Two transactions, since the application has asked for them."""

    @pytest.fixture
    def site(self, make_site):
        # As many changes of one row as there are transactions, which higher levels would not let see it.
        return with_inner(make_site(model=FullSession))

    @pytest.mark.parametrize("made", [blank, with_cookies], ids=lambda made: made.__name__)
    def test_what_the_subrequest_began_is_the_browsers(self, site, browser, known, made):
        @site.view
        def outer(request):
            return "Set-Cookie" in request.invoke_subrequest(made(request, "/inner"), use_tweens=True).headers

        response = browser.get("/outer")
        assert response.json_body is False
        assert len(response.headers.getall("Set-Cookie")) == (0 if known else 1)
        assert browser.get("/look").json_body["inner"] == "nothing"
        assert len(site.rows()) == 1

    @pytest.mark.parametrize("made", [blank, with_cookies], ids=lambda made: made.__name__)
    def test_the_request_goes_on_from_there(self, site, browser, made):
        @site.view
        def outer(request):
            request.invoke_subrequest(made(request, "/inner"), use_tweens=True)
            request.session["outer"] = request.session["inner"]

        browser.get("/outer")
        assert browser.get("/look").json_body.items() >= {"inner": "nothing", "outer": "nothing"}.items()
        assert len(site.rows()) == 1

    @pytest.mark.parametrize("made", [blank, with_cookies], ids=lambda made: made.__name__)
    def test_a_new_visitor_has_one_session_with_what_both_put_in_it(self, site, made):
        browser = site.browser()

        @site.view
        def outer(request):
            request.session["outer"] = "hello"
            request.session.flash("from the request")
            request.invoke_subrequest(made(request, "/inner"), use_tweens=True)
            request.session["later"] = 1

        @site.view
        def inner(request):
            request.session["inner"] = request.session.get("outer")
            request.session.flash("from the subrequest")

        assert len(browser.get("/outer").headers.getall("Set-Cookie")) == 1
        assert browser.get("/look").json_body == {"outer": "hello", "inner": None, "later": 1}
        site.views["pop"] = lambda request: request.session.pop_flash()
        assert browser.get("/pop").json_body == ["from the subrequest", "from the request"]
        assert len(site.rows()) == 1

    def test_a_login_of_the_request_is_one_of_the_session_that_the_subrequest_began(self, site):
        browser = site.browser()

        @site.view
        def outer(request):
            request.session.login(7)
            request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)

        browser.get("/outer")
        assert browser.get("/who").json_body == 7
        assert browser.get("/look").json_body == {"inner": "nothing"}
        assert len(site.rows()) == 1

    def test_a_failed_request_takes_only_its_own_with_it(self, site):
        browser = site.browser()

        @site.view
        def outer(request):
            request.session["outer"] = 1
            request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)
            request.tm.doom()

        browser.get("/outer")
        assert browser.get("/look").json_body == {"inner": "nothing"}
        assert len(site.rows()) == 1

    def test_a_failed_subrequest_takes_only_its_own_with_it(self, site):
        browser = site.browser()

        @site.view
        def inner(request):
            request.session["inner"] = 1
            request.tm.doom()

        @site.view
        def outer(request):
            request.session["outer"] = 1
            request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)

        browser.get("/outer")
        assert browser.get("/look").json_body == {"outer": 1}
        assert len(site.rows()) == 1

    def test_plain_subrequests_of_it_have_its_session(self, site):
        browser = site.browser()

        @site.view
        def between(request):
            request.session["between"] = 1
            return request.invoke_subrequest(Request.blank("/inner")).json_body

        @site.view
        def outer(request):
            request.session["outer"] = 1
            return request.invoke_subrequest(Request.blank("/between"), use_tweens=True).json_body

        assert browser.get("/outer").json_body == {"between": 1, "inner": "nothing"}
        assert browser.get("/look").json_body == {"outer": 1, "between": 1, "inner": "nothing"}

    def test_two_that_begin_a_session_begin_the_same(self, site):
        browser = site.browser()
        site.views["count"] = lambda request: request.session.update(n=request.session.get("n", 0) + 1)

        @site.view
        def outer(request):
            for _ in range(3):
                request.invoke_subrequest(Request.blank("/count"), use_tweens=True)

        browser.get("/outer")
        assert browser.get("/look").json_body == {"n": 3}
        assert len(site.rows()) == 1

    @pytest.mark.parametrize("writes", ["before", "after", "never"])
    def test_a_new_visitor_whose_request_is_repeated_has_one_session(self, site, writes):
        browser, attempts = site.browser(), []

        @site.view
        def inner(request):
            request.session["n"] = request.session.get("n", 0) + 1

        @site.view
        def outer(request):
            attempts.append(1)
            if writes == "before":
                request.session["outer"] = 1
            request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)
            if writes == "after":
                request.session["outer"] = 1
            if len(attempts) < 3:
                raise StaleSessionError

        assert len(browser.get("/outer").headers.getall("Set-Cookie")) == 1
        assert browser.get("/look").json_body == {"n": 3, **({} if writes == "never" else {"outer": 1})}
        assert len(site.rows()) == 1

    def test_what_only_the_first_attempt_has_begun_is_the_browsers_all_the_same(self, site):
        browser, attempts = site.browser(), []

        @site.view
        def outer(request):
            attempts.append(1)
            request.session["outer"] = 1
            if len(attempts) == 1:
                request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)
                raise StaleSessionError
            request.tm.doom()

        assert len(browser.get("/outer").headers.getall("Set-Cookie")) == 1
        assert browser.get("/look").json_body == {"inner": "nothing"}
        assert len(site.rows()) == 1

    def test_a_login_that_a_repeated_request_has_made_in_a_subrequest_lasts(self, site):
        browser, attempts = site.browser(), []
        browser.get("/start")
        before = browser.get("/look").json_body
        site.views["inner"] = lambda request: request.session.userid or request.session.login(7)

        @site.view
        def outer(request):
            request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)
            attempts.append(request.session.userid)
            if len(attempts) == 1:
                raise StaleSessionError

        browser.get("/outer")
        assert attempts == [7, 7]
        assert browser.get("/who").json_body == 7
        assert browser.get("/look").json_body == before
        assert len(site.rows()) == 1

    def test_another_sessions_subrequest_of_a_repeated_request_has_its_own(self, site):
        other, attempts = site.browser(), []
        other.get("/start")
        cookie = "=".join(cookie_of(other))

        @site.view
        def outer(request):
            request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)
            attempts.append(1)
            if len(attempts) == 1:
                raise StaleSessionError
            subrequest = with_environ(request, "/look")
            subrequest.environ["HTTP_COOKIE"] = cookie
            return request.invoke_subrequest(subrequest).json_body

        assert site.browser().get("/outer").json_body == {"a": 1}

    def test_a_row_of_the_request_that_the_subrequest_cannot_see_is_told(
        self, make_site, websession_database_url
    ):
        site = with_inner(make_site(model=FullSession, settings={"retry.attempts": 1}))
        if site.engine.dialect.name == "sqlite":
            pytest.skip("SQLite has one writer, so that the subrequest waits for its own request")
        browser = site.browser()

        @site.view
        def outer(request):
            request.session.row()
            request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)
            request.session["outer"] = 1

        with pytest.raises(UnsupportedSetupError, match="use_tweens=False"):
            browser.get("/outer")
