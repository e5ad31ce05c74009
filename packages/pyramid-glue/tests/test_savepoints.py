"""Savepoints with rollback keep the session in memory and the rows in the database in step."""

from __future__ import annotations

import contextlib

import pytest
import transaction
import zope.sqlalchemy
from site_under_test import Order
from sqlalchemy.orm import scoped_session


@contextlib.contextmanager
def rolled_back(dbsession):
    """Open a savepoint that is rolled back at the end."""
    savepoint = dbsession.begin_nested()
    yield
    savepoint.rollback()


@pytest.fixture
def site(site):
    site.views["start"] = lambda request: request.session.update(cart=["apples"], n=1)
    site.views["look"] = lambda request: [request.session.copy(), request.session.peek_flash()]
    return site


@pytest.fixture
def browser(site):
    browser = site.browser()
    browser.get("/start")
    return browser


def change(request):
    request.session["n"] = 2
    request.session["new"] = True
    request.session["cart"].append("pears")
    request.session.flash("changed")
    request.dbsession.add(Order(text="inside"))


def test_a_rolled_back_savepoint_undoes_the_sessions_changes(site, browser):
    @site.view
    def it(request):
        request.session["before"] = 1
        request.session["cart"].append("before")
        with rolled_back(request.dbsession):
            change(request)
        inside = request.session.copy()
        request.session["after"] = 1
        return inside

    kept = {"cart": ["apples", "before"], "n": 1, "before": 1}
    assert browser.get("/it").json_body == kept
    assert browser.get("/look").json_body == [{**kept, "after": 1}, []]
    assert site.count(Order) == 0


def test_a_released_savepoint_keeps_them(site, browser):
    @site.view
    def it(request):
        with request.dbsession.begin_nested():
            change(request)

    browser.get("/it")
    assert browser.get("/look").json_body == [
        {"cart": ["apples", "pears"], "n": 2, "new": True},
        ["changed"],
    ]
    assert site.count(Order) == 1


def test_a_session_first_touched_inside_a_rolled_back_savepoint_is_as_read(site, browser):
    @site.view
    def it(request):
        with rolled_back(request.dbsession):
            change(request)

    browser.get("/it")
    assert browser.get("/look").json_body == [{"cart": ["apples"], "n": 1}, []]


def test_a_session_begun_inside_a_rolled_back_savepoint_never_was(site):
    browser = site.browser()

    @site.view
    def it(request):
        with rolled_back(request.dbsession):
            request.session["a"] = 1

    assert "Set-Cookie" not in browser.get("/it").headers
    assert site.rows() == []


def test_savepoints_nest(site, browser):
    @site.view
    def it(request):
        session, dbsession = request.session, request.dbsession
        with dbsession.begin_nested():
            session["outer"] = 1
            with rolled_back(dbsession):
                session["inner"] = 1
                with dbsession.begin_nested():
                    session["innermost"] = 1
            session["outer again"] = 1
        with rolled_back(dbsession):
            session.clear()
            with dbsession.begin_nested():
                session["lost with the outer one"] = 1

    browser.get("/it")
    assert browser.get("/look").json_body[0] == {
        "cart": ["apples"],
        "n": 1,
        "outer": 1,
        "outer again": 1,
    }


def test_a_rolled_back_logout_was_none(site, browser):
    @site.view
    def it(request):
        with rolled_back(request.dbsession):
            request.session.invalidate()
            request.session["other"] = 1
        request.session["n"] = 3

    assert "Set-Cookie" not in browser.get("/it").headers
    assert browser.get("/look").json_body[0] == {"cart": ["apples"], "n": 3}
    assert len(site.rows()) == 1


def test_a_row_written_inside_a_rolled_back_savepoint_is_written_at_the_commit(site):
    browser = site.browser()

    @site.view
    def it(request):
        request.session["a"] = 1
        with rolled_back(request.dbsession):
            request.session.row()

    browser.get("/it")
    assert browser.get("/look").json_body[0] == {"a": 1}


def test_an_update_written_inside_a_rolled_back_savepoint_is_written_at_the_commit(site, browser):
    @site.view
    def it(request):
        request.session["n"] = 5
        with rolled_back(request.dbsession):
            request.session.row().note = "lost"

    browser.get("/it")
    assert browser.get("/look").json_body[0] == {"cart": ["apples"], "n": 5}
    assert site.rows()[0].note is None


@pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True)
class TestSavepointsOfTheTransactionPackage:
    """`request.tm.savepoint()`; zope.sqlalchemy has none on SQLite."""

    def test_a_rollback_undoes_the_sessions_changes(self, site, browser):
        @site.view
        def it(request):
            request.session["before"] = 1
            savepoint = request.tm.savepoint()
            change(request)
            savepoint.rollback()
            request.session["after"] = 1

        browser.get("/it")
        kept = {"cart": ["apples"], "n": 1, "before": 1, "after": 1}
        assert browser.get("/look").json_body == [kept, []]
        assert site.count(Order) == 0

    def test_a_session_first_touched_after_it_is_read_again_after_the_rollback(self, site, browser):
        @site.view
        def it(request):
            savepoint = request.tm.savepoint()
            change(request)
            savepoint.rollback()
            request.session["after"] = 1

        browser.get("/it")
        assert browser.get("/look").json_body == [{"cart": ["apples"], "n": 1, "after": 1}, []]

    def test_a_session_begun_after_it_never_was(self, site):
        browser = site.browser()

        @site.view
        def it(request):
            savepoint = request.tm.savepoint()
            request.session["a"] = 1
            savepoint.rollback()

        assert "Set-Cookie" not in browser.get("/it").headers
        assert site.rows() == []


@pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
def test_without_a_database_session_in_it_a_savepoint_works_on_sqlite_too(site):
    browser = site.browser()

    @site.view
    def it(request):
        request.session.get("a")
        savepoint = request.tm.savepoint()
        request.session["a"] = 1
        savepoint.rollback()
        request.session["b"] = 1

    browser.get("/it")
    assert browser.get("/look").json_body[0] == {"b": 1}


def test_a_database_session_that_outlives_its_request_keeps_nothing_of_it(make_site):
    sessions = []

    def dbsession(request):
        if not sessions:
            sessions.append(scoped_session(site.dbsession_maker))
            zope.sqlalchemy.register(sessions[0], transaction_manager=transaction.manager)
        return sessions[0]

    site = make_site(dbsession_factory=dbsession, settings={"tm.manager_hook": None})
    site.views["write"] = lambda request: request.session.update(n=1)

    @site.view
    def doomed(request):
        request.tm.doom()
        return request.session.copy()

    browser = site.browser()
    for path in ("/write", "/look", "/doomed", "/doomed"):
        browser.get(path)
    assert not any(sessions[0]().info.values())
