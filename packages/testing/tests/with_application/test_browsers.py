"""Browsers that log in without a form, show and prepare their sessions, and steal one another's cookies."""

from __future__ import annotations

import threading

import diary
import pytest
from sqlalchemy import func, select

TWO_WAYS = [
    pytest.param(id="in one transaction"),
    pytest.param(id="committing", marks=pytest.mark.websession_commits),
]
in_both_ways = pytest.mark.parametrize((), TWO_WAYS)


def rows(engine):
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(diary.Session))


class TestBrowser:
    @in_both_ways
    def test_keeps_its_session_from_request_to_request(self, websession_browser):
        websession_browser.get("/write?page=a")
        assert websession_browser.get("/write?page=b").json == ["a", "b"]

    def test_asks_by_https(self, websession_browser):
        response = websession_browser.get("/write?page=a")
        assert response.request.scheme == "https"
        websession_browser.assert_session_cookie(response, secure=True)

    @in_both_ways
    def test_two_have_two_sessions(self, websession_new_browser):
        one, other = websession_new_browser(), websession_new_browser()
        one.get("/write?page=a")
        assert other.get("/write?page=b").json == ["b"]

    def test_leaves_nothing_behind_unless_the_test_commits(self, websession_browser, dbengine, websession_tm):
        websession_browser.get("/write?page=a")
        websession_browser.login(1)
        websession_tm.abort()
        assert rows(dbengine) == 0
        websession_tm.begin()

    @pytest.mark.websession_commits
    def test_commits_where_the_test_says_so(self, websession_browser, dbengine, websession_dbsession):
        websession_browser.get("/write?page=a")
        assert rows(dbengine) == 1
        assert websession_dbsession.scalar(select(func.count()).select_from(diary.Session)) == 1

    @pytest.mark.websession_commits
    def test_forgets_a_cookie_whose_time_has_passed_by_the_clock(
        self, settings, dbengine, websession_browser_class
    ):
        from pytest_websession.clock import ManualClock

        app = diary.main({}, dbengine=dbengine, **settings, **{"session.cookie_max_age": "3600"})
        clock = ManualClock()
        clock.govern(app)
        browser = websession_browser_class(app, clock=clock)
        browser.get("/write?page=a")
        clock.advance(minutes=59)
        browser.get("/nothing")
        assert browser.cookies
        clock.advance(minutes=2)
        browser.get("/nothing")
        assert not browser.cookies


class TestLogin:
    @in_both_ways
    def test_needs_no_form(self, websession_browser):
        websession_browser.get("/me", status=403)
        websession_browser.login(7)
        assert websession_browser.get("/me").json == 7
        assert websession_browser.authenticated_userid == 7

    @in_both_ways
    def test_gives_the_session_a_new_identity(self, websession_browser):
        websession_browser.get("/write?page=a")
        thief = websession_browser.thief()
        websession_browser.login(7)
        assert websession_browser.get("/read").json == ["a"]
        assert thief.get("/read").json == []

    @in_both_ways
    def test_is_undone_by_a_logout(self, websession_browser):
        websession_browser.login(7)
        websession_browser.logout()
        assert websession_browser.authenticated_userid is None
        assert not websession_browser.cookies

    @in_both_ways
    def test_into_another_session_of_the_application(self, websession_browser):
        websession_browser.login(7, session="admin_session")
        assert websession_browser.stored_session("admin_session").userid == 7
        websession_browser.assert_no_session_stored()
        websession_browser.logout(session="admin_session")
        websession_browser.assert_no_session_stored(session="admin_session")


class TestStoredSession:
    @in_both_ways
    def test_can_be_prepared_before_the_first_request(self, websession_browser):
        with websession_browser.session() as session:
            session["pages"] = ["x"]
            session.flash("hello", "greetings")
        assert websession_browser.get("/write?page=y").json == ["x", "y"]
        stored = websession_browser.stored_session()
        assert stored.data == {"pages": ["x", "y"]}
        assert stored.flash("greetings") == ["hello"]
        assert stored.flash() == []

    @in_both_ways
    def test_is_not_changed_by_a_block_that_fails(self, websession_browser):
        websession_browser.get("/write?page=a")

        def fail():
            with websession_browser.session() as session:
                session["pages"].append("lost")
                raise LookupError

        with pytest.raises(LookupError):
            fail()
        assert websession_browser.stored_session().data == {"pages": ["a"]}

    @in_both_ways
    def test_is_a_copy(self, websession_browser):
        websession_browser.get("/write?page=a")
        websession_browser.stored_session().data["pages"].append("b")
        assert websession_browser.get("/read").json == ["a"]

    @in_both_ways
    def test_a_look_is_no_activity(self, websession_browser, websession_clock):
        websession_browser.get("/write?page=a")
        for _ in range(2):
            websession_clock.advance(minutes=10)
            websession_browser.assert_session_stored()
            assert websession_browser.authenticated_userid is None
        websession_clock.advance(minutes=10)
        websession_browser.assert_no_session_stored()

    @in_both_ways
    def test_of_nothing_fails_and_says_why_and_what_to_do(self, websession_browser, websession_clock):
        with pytest.raises(AssertionError, match=r"it has no cookie .* Let a request store something before"):
            websession_browser.stored_session()
        websession_browser.get("/write?page=a")
        websession_clock.advance(days=1)
        with pytest.raises(AssertionError, match=r"opens nothing .* by assert_no_session_stored\(\)"):
            websession_browser.stored_session()


class TestThief:
    @in_both_ways
    def test_has_the_cookies_of_the_moment_and_a_jar_of_its_own(self, websession_browser):
        websession_browser.get("/write?page=a")
        thief = websession_browser.thief()
        assert thief.get("/read").json == ["a"]
        websession_browser.get("/leave")
        assert not websession_browser.cookies
        assert thief.cookies
        assert thief.get("/read").json == []

    @in_both_ways
    def test_is_noticed_once_the_cookie_was_renewed(self, websession_browser, websession_clock):
        websession_browser.login(7)
        thief = websession_browser.thief()
        websession_clock.advance(minutes=15)
        websession_browser.get("/me")
        websession_browser.get("/me")
        websession_clock.advance(minutes=3)
        thief.get("/me", status=403)
        websession_browser.get("/me", status=403)


class TestClock:
    @in_both_ways
    def test_an_idle_session_ends_when_the_clock_is_advanced(self, websession_browser, websession_clock):
        websession_browser.login(7)
        websession_clock.advance(minutes=29)
        assert websession_browser.get("/me").json == 7
        websession_clock.advance(minutes=31)
        websession_browser.get("/me", status=403)

    def test_is_given_back_after_the_test(self, app, dbengine, settings):
        from pytest_websession.clock import ManualClock
        from websession_pyramid import web_session_factories

        factories = web_session_factories(app.registry).values()
        before = [factory.clock for factory in factories]
        clock = ManualClock(5)
        clock.govern(app)
        clock.govern(app)
        assert [factory.clock() for factory in factories] == [5, 5]
        other = diary.main({}, dbengine=dbengine, **settings)
        assert web_session_factories(other.registry)["session"].clock() != 5
        clock.release()
        assert [factory.clock for factory in factories] == before

    def test_may_be_moved_by_several_threads(self):
        from pytest_websession.clock import ManualClock

        clock = ManualClock(0)
        barrier = threading.Barrier(4)

        def move():
            barrier.wait()
            for _ in range(10_000):
                clock.advance(1)

        threads = [threading.Thread(target=move) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert clock() == 40_000

    def test_moves_by_whole_seconds(self):
        from pytest_websession.clock import ManualClock

        clock = ManualClock(0)
        assert clock.advance(1, minutes=1, hours=1, days=1) == 90_061
        assert clock.advance(days=-1) == clock() == 3661
        with pytest.raises(TypeError, match=r"whole seconds.*0\.5"):
            clock.advance(0.5)


class TestAssertions:
    def test_pass_where_things_are_as_they_say(self, websession_browser, websession_statements):
        browser = websession_browser
        with websession_statements(0):
            response = browser.get("/nothing")
        browser.assert_no_session_cookie(response)
        browser.assert_no_session_stored()
        response = browser.get("/write?page=a")
        browser.assert_session_cookie(
            response, secure=True, httponly=True, samesite="lax", path="/", domain=None, max_age=None
        )
        browser.assert_session_stored()
        browser.assert_session_stored({"pages": ["a"]})
        with websession_statements(1) as sent:
            browser.get("/read")
        assert sent[0].startswith("SELECT")
        browser.assert_session_cookie_deleted(browser.get("/leave"))

    def test_a_session_that_is_not_stored(self, websession_browser, websession_clock):
        with pytest.raises(AssertionError, match=r"it has no cookie 'websession' \(its cookies: none"):
            websession_browser.assert_session_stored()
        websession_browser.get("/write?page=a")
        with pytest.raises(AssertionError, match="pages"):
            websession_browser.assert_session_stored({"pages": ["b"]})
        websession_clock.advance(days=1)
        with pytest.raises(AssertionError, match=r"its cookie 'websession-visitor' opens nothing \(idle"):
            websession_browser.assert_session_stored()
        websession_browser.set_cookie("websession", "nonsense")
        with pytest.raises(AssertionError, match="no session is stored for this browser: "):
            websession_browser.assert_session_stored()

    def test_a_session_that_is_stored(self, websession_browser):
        websession_browser.get("/write?page=a")
        websession_browser.login(7)
        with pytest.raises(AssertionError, match=r"of user 7, with data {'pages': \['a'\]}"):
            websession_browser.assert_no_session_stored()

    def test_a_cookie_that_is_another(self, websession_browser):
        browser = websession_browser
        nothing, written = browser.get("/nothing"), browser.get("/write?page=a")
        token = browser.cookies["websession-visitor"]
        left = browser.get("/leave")
        wrong = [
            (lambda: browser.assert_session_cookie(nothing), "does not set .* it sets no cookie"),
            (lambda: browser.assert_session_cookie(left), "deletes .* it sets websession"),
            (
                lambda: browser.assert_session_cookie(written, secure=False, max_age=60, samesite="LAX"),
                "secure is True, not False; max_age is None, not 60$",
            ),
            (lambda: browser.assert_session_cookie_deleted(written), "stores the session's cookie"),
            (lambda: browser.assert_session_cookie_deleted(nothing), "says nothing about"),
            (lambda: browser.assert_no_session_cookie(written), "stores"),
            (lambda: browser.assert_no_session_cookie(left), "deletes"),
        ]
        for asserting, message in wrong:
            with pytest.raises(AssertionError, match=message) as caught:
                asserting()
            assert token not in str(caught.value)

    def test_another_number_of_statements(self, websession_browser, websession_statements):
        websession_browser.get("/write?page=a")
        with (
            pytest.raises(AssertionError, match=r"0 SQL statements were expected, 1 were sent:\n1\. SELECT "),
            websession_statements(0),
        ):
            websession_browser.get("/read")


class TestDummyRequest:
    def test_has_a_real_session(self, websession_dummy_request, websession_dbsession):
        request = websession_dummy_request
        request.params["page"] = "a"
        assert diary.write(request) == ["a"]
        assert diary.read(request) == ["a"]
        request.session.login(7)
        request.session.flash("hello")
        row = request.session.row()
        assert websession_dbsession.get(diary.Session, request.session.id) is row
        assert row.userid == 7
        assert diary.me(request) == 7

    def test_goes_by_the_clock(self, websession_dummy_request, websession_clock):
        websession_clock.advance(days=3)
        assert websession_dummy_request.session.created == websession_clock()

    def test_leaves_nothing_behind(self, websession_dummy_request, websession_tm, dbengine):
        websession_dummy_request.session.row()
        websession_tm.abort()
        assert rows(dbengine) == 0
        websession_tm.begin()
