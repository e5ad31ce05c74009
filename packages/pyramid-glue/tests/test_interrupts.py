"""A worker's timeout, which is no `Exception`, goes through what we do and leaves no connection out."""

from __future__ import annotations

import gc
import itertools

from site_under_test import FullSession, Order
from sqlalchemy import event


class WorkerTimeout(BaseException):
    """As `gevent.Timeout` is one, and what a server's signal handler raises."""


class Interruption:
    """Interrupts one of a site's statements.

    Attributes:
        after: How many statements there are before that one; None: none is interrupted.
    """

    def __init__(self, site):
        self.after = None
        event.listen(site.engine, "before_cursor_execute", self._look)

    def _look(self, *_):
        if self.after == 0:
            self.after = None
            raise WorkerTimeout
        if self.after is not None:
            self.after -= 1


def is_interrupted(browser, path):
    """Ask for a page, and return whether the worker's timeout came out of that."""
    try:
        browser.get(path)
    except WorkerTimeout:
        return True
    return False


def test_one_at_any_statement_of_the_bookkeeping_goes_on(make_site):
    site = make_site(model=FullSession, settings={"session.idle_timeout": 1800})
    browser, interruption = site.browser(), Interruption(site)
    browser.get("/start")
    for count in itertools.count():
        site.clock.advance(600)

        @site.view
        def read(request, count=count):
            request.session.get("a")
            interruption.after = count

        if not is_interrupted(browser, "/read"):
            break
        assert site.engine.pool.checkedout() == 0
        assert browser.get("/look").json_body == {"a": 1}
        assert site.activity()[0]["active_at"] == site.clock()
    assert count > 1


def test_one_while_an_error_page_reads_the_session_goes_on(make_site):
    site = make_site(error_page=lambda error, request: request.session["a"])
    browser, interruption = site.browser(), Interruption(site)
    browser.get("/start")

    @site.view
    def fail(request):
        request.dbsession.add_all([Order(id=1, text="1"), Order(id=1, text="2")])
        try:
            request.dbsession.flush()
        finally:
            interruption.after = 0

    assert is_interrupted(browser, "/fail")
    gc.collect()  # an interrupted request has its transaction for as long as it is there
    assert site.engine.pool.checkedout() == 0
    assert browser.get("/look").json_body == {"a": 1}
