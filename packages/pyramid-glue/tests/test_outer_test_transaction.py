"""Under the functional-test fixtures of Pyramid's cookiecutter: one doomed transaction, no commit ever."""

from __future__ import annotations

import pytest
import transaction
import zope.sqlalchemy
from pyramid.httpexceptions import HTTPForbidden, HTTPNotFound
from pyramid.response import Response
from pyramid.scripting import prepare
from pyramid.testing import DummyRequest
from site_under_test import FullSession, Order, Session
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError


@pytest.fixture
def tm():
    tm = transaction.TransactionManager(explicit=True)
    tm.begin()
    tm.doom()
    yield tm
    tm.abort()


@pytest.fixture
def site(make_site):
    site = make_site(
        error_page=lambda exception, request: Response("sorry", status=500),
        settings={"tm.commit_veto": None},
    )
    site.views["look"] = lambda request: [request.session.copy(), request.session.peek_flash()]

    @site.view
    def add(request):
        request.session.setdefault("items", []).append(len(request.session["items"]))
        request.session.flash("added")

    return site


@pytest.fixture
def dbsession(site, tm):
    session = site.dbsession_maker()
    zope.sqlalchemy.register(session, transaction_manager=tm)
    return session


@pytest.fixture
def browser(site, tm, dbsession):
    return site.browser(**{"tm.active": True, "tm.manager": tm, "app.dbsession": dbsession})


def stored(dbsession):
    return dbsession.scalar(select(func.count()).select_from(Session))


def test_data_set_by_one_request_is_there_in_the_next(site, browser, dbsession):
    assert "Set-Cookie" in browser.get("/add").headers
    assert "Set-Cookie" not in browser.get("/add").headers
    assert browser.get("/look").json_body == [{"items": [0, 1]}, ["added", "added"]]
    assert stored(dbsession) == 1


def test_the_outer_abort_leaves_nothing_behind(site, browser, tm):
    browser.get("/add")
    tm.abort()
    assert site.rows() == []
    tm.begin()


def test_two_browsers_are_two_sessions(site, browser, tm, dbsession):
    other = site.browser(**browser.extra_environ)
    browser.get("/add")
    other.get("/add")
    other.get("/add")
    assert browser.get("/look").json_body[0] == {"items": [0]}
    assert other.get("/look").json_body[0] == {"items": [0, 1]}
    assert stored(dbsession) == 2


def test_a_logout_is_seen_by_the_next_request(site, browser, dbsession):
    browser.get("/add")
    browser.get("/leave")
    assert browser.cookies == {}
    assert browser.get("/look").json_body == [{}, []]
    assert stored(dbsession) == 0


def test_what_a_failed_request_changed_is_dropped(site, browser, dbsession):
    @site.view
    def fail(request):
        request.session["items"] = "lost"
        raise ValueError

    browser.get("/add")
    assert "Set-Cookie" not in browser.get("/fail", status=500).headers
    assert browser.get("/look").json_body[0] == {"items": [0]}


def test_what_a_vetoed_request_changed_is_dropped(make_site, tm):
    site = make_site(settings={"tm.commit_veto": "pyramid_tm.default_commit_veto"})
    dbsession = site.dbsession_maker()
    zope.sqlalchemy.register(dbsession, transaction_manager=tm)
    browser = site.browser(**{"tm.active": True, "tm.manager": tm, "app.dbsession": dbsession})

    @site.view
    def veto(request):
        request.session["a"] = 1
        return HTTPNotFound()

    assert "Set-Cookie" not in browser.get("/veto", status=404).headers
    assert stored(dbsession) == 0


@pytest.mark.parametrize("how", ["refuse", "fail", "raise"])
def test_the_books_of_a_failed_request_are_kept_here_too(make_site, tm, how):
    site = make_site(
        model=FullSession,
        settings={"session.renewal_timeout": "600"},
        error_page=(lambda exception, request: Response("sorry", status=500)) if how == "fail" else None,
    )
    dbsession = site.dbsession_maker()
    zope.sqlalchemy.register(dbsession, transaction_manager=tm)
    browser = site.browser(**{"tm.active": True, "tm.manager": tm, "app.dbsession": dbsession})
    site.views["enter"] = lambda request: request.session.login(1)
    site.views["whose"] = lambda request: request.session.userid

    @site.view
    def fail(request):
        request.session["seen"] = True
        raise HTTPForbidden if how == "refuse" else LookupError

    browser.get("/enter")
    thief = site.browser(**browser.extra_environ)
    thief.set_cookie("websession", browser.cookies["websession"])
    site.clock.now += 700
    browser.get("/whose")
    browser.get("/whose")
    site.clock.now += 130
    if how == "raise":
        with pytest.raises(LookupError):
            thief.get("/fail")
    else:
        thief.get("/fail", status=403 if how == "refuse" else 500)
    assert browser.get("/whose").json_body is None


def test_no_books_are_kept_where_a_flush_has_failed(make_site, tm, caplog):
    site = make_site(model=FullSession, settings={"session.idle_timeout": "600"})
    dbsession = site.dbsession_maker()
    zope.sqlalchemy.register(dbsession, transaction_manager=tm)
    browser = site.browser(**{"tm.active": True, "tm.manager": tm, "app.dbsession": dbsession})
    site.views["enter"] = lambda request: request.session.login(1)

    @site.view
    def fail(request):
        request.session.get("anything")
        request.dbsession.add(Order(id=None, text=None))
        request.dbsession.flush()

    browser.get("/enter")
    site.clock.now += 300
    with pytest.raises(IntegrityError):
        browser.get("/fail")
    assert not caplog.records


def test_a_subrequest_shares_the_session_here_too(site, browser):
    @site.view
    def outer(request):
        request.session["outer"] = 1
        subrequest = type(request).blank("/look")
        subrequest.environ = {**request.environ, "PATH_INFO": "/look"}
        seen = request.invoke_subrequest(subrequest).json_body
        request.session["seen"] = seen
        return seen

    response = browser.get("/outer")
    assert response.json_body == [{"outer": 1}, []]
    assert len(response.headers.getall("Set-Cookie")) == 1
    assert browser.get("/look").json_body[0] == {"outer": 1, "seen": [{"outer": 1}, []]}


def test_savepoints_work_here_too(site, browser):
    @site.view
    def it(request):
        savepoint = request.dbsession.begin_nested()
        request.session["items"].append("lost")
        savepoint.rollback()
        request.session["after"] = 1

    browser.get("/add")
    browser.get("/it")
    assert browser.get("/look").json_body[0] == {"items": [0], "after": 1}


def test_a_request_made_by_hand_beside_it_has_a_session_of_its_own(site, browser, tm, dbsession):
    with prepare(registry=site.app.registry) as env:
        request = env["request"]
        request.dbsession = dbsession
        request.tm = tm
        request.session["by hand"] = 1
        browser.get("/add")
        assert request.session.copy() == {"by hand": 1}
        assert browser.get("/look").json_body[0] == {"items": [0]}


def test_a_dummy_request_can_have_a_real_session(site, browser, tm, dbsession):
    request = DummyRequest(dbsession=dbsession, tm=tm)
    session = site.factory(request)
    session["a"] = {"b": 1}
    session.flash("x")
    assert session == {"a": {"b": 1}}
    assert session.pop_flash() == ["x"]
    assert session.row().data == {"a": {"b": 1}}
    assert stored(dbsession) == 1


def test_no_dead_manager_is_left_in_the_tests_transaction(site, browser, tm):
    for _ in range(5):
        browser.get("/add")
    # zope.sqlalchemy's own, and nothing of ours.
    assert len(tm.get()._resources) == 1
