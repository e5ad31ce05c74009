"""Columns of the application's own in the session's row lose no update, at any isolation level."""

from __future__ import annotations

import contextlib
import threading

import pytest
from site_under_test import copy_cookies
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from websession_models import BaseMixin, UseridMixin

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


class Base(DeclarativeBase):
    """Of this file alone: no other test has to create these tables."""


class CountedSession(UseridMixin, BaseMixin, Base):
    """Counts visits in a column."""

    __tablename__ = "counted_session"
    visits: Mapped[int] = mapped_column(default=0)


@pytest.fixture(params=LEVELS)
def site(make_site, request, websession_engine_name):
    if websession_engine_name == "sqlite":
        if request.param != "SERIALIZABLE":
            pytest.skip("SQLite has one level")
        site = make_site(model=CountedSession, settings={"retry.attempts": 50})
    else:
        options = {"isolation_level": request.param}
        site = make_site(model=CountedSession, settings={"retry.attempts": 50}, engine_options=options)
    site.views["visits"] = lambda request: request.session.row().visits
    return site


def at_once(site, browser, path, number):
    """Let some browsers with the same cookie ask for a path; return the statuses of the answers."""
    answers = []

    def ask():
        other = site.browser()
        copy_cookies(browser, other)
        answers.append(other.get(path).status_code)

    threads = [threading.Thread(target=ask) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def meeting(number):
    """Return a function that lets the first attempts of some requests wait for one another."""
    barrier = threading.Barrier(number)

    def meet():
        # SQLite lets only one request in, and so does a retry.
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(2)

    return meet


@pytest.mark.parametrize("how", ["row()", "get", "flushed before", "in a savepoint", "with data"])
def test_two_requests_that_count_in_a_column_count_two(site, how):
    if how == "in a savepoint" and site.engine.dialect.name in ("mariadb", "mysql"):
        pytest.skip("a deadlock ends the transaction, which the context manager of a savepoint hides")
    browser = site.browser()
    browser.get("/start")
    meet = meeting(2)

    @site.view
    def count(request):
        if how == "get":
            row = request.dbsession.get(CountedSession, request.session.id)
        else:
            row = request.session.row()
        visits = row.visits
        meet()
        if how == "in a savepoint":
            with request.dbsession.begin_nested():
                row.visits = visits + 1
        else:
            row.visits = visits + 1
        if how == "flushed before":
            request.dbsession.flush()
        if how == "with data":
            request.session["n"] = request.session.get("n", 0) + 1

    assert at_once(site, browser, "/count", 2) == [200, 200]
    assert browser.get("/visits").json_body == 2


def test_the_version_grows_once_for_a_change_and_not_for_a_look(site):
    browser = site.browser()
    browser.get("/start")
    site.views["look"] = lambda request: request.session.row().visits

    def version():
        return site.rows()[0].version

    before = version()
    browser.get("/look")
    assert version() == before

    @site.view
    def count(request):
        request.session.row().visits += 1
        request.dbsession.flush()
        request.session.row().visits += 1

    browser.get("/count")
    assert version() == before + 1

    @site.view
    def undone(request):
        savepoint = request.dbsession.begin_nested()
        request.session.row().visits += 1
        request.dbsession.flush()
        savepoint.rollback()

    browser.get("/undone")
    assert (version(), browser.get("/visits").json_body) == (before + 1, 2)


def test_a_new_session_is_inserted_and_its_own_columns_written_without_a_further_version(site):
    browser = site.browser()

    @site.view
    def it(request):
        request.session.row().visits = 3

    browser.get("/it")
    (row,) = site.rows()
    assert (row.visits, row.version) == (3, 1)
