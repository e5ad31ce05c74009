"""Database sessions of every kind: kept ones, wrongly registered ones, those that begin nothing."""

from __future__ import annotations

import pytest
import transaction
import zope.sqlalchemy
from pyramid.response import Response
from site_under_test import Order, Session
from sqlalchemy import select
from sqlalchemy.orm import Session as DatabaseSession
from sqlalchemy.orm import scoped_session, sessionmaker


class BrokenError(Exception):
    """What the tests' views raise."""


@pytest.fixture
def make_with(make_site):
    """Make a site whose database sessions are made by a function of the engine and the request."""

    def make(factory, **options):
        sites = []
        site = make_site(
            dbsession_factory=lambda request: factory(sites[0].engine, request),
            # The thread-local manager, which a registration without a word goes to.
            **{"settings": {"tm.manager_hook": None}, **options},
        )
        sites.append(site)
        return site

    return make


class TestKeptOnes:
    """A `scoped_session` that zope.sqlalchemy keeps (``keep_session=True``) for a thread's requests."""

    @pytest.fixture
    def site(self, make_with):
        made = []

        def scoped(engine, _request):
            if not made:
                made.append(scoped_session(sessionmaker(engine)))
                zope.sqlalchemy.register(made[0], keep_session=True)
            return made[0]

        site = make_with(scoped, error_page=lambda exception, request: Response("sorry", status=500))
        site.views["start"] = lambda request: request.session.update(balance=1)
        site.views["order"] = lambda request: request.dbsession.add(Order(text="bob's"))

        @site.view
        def add(request):
            request.session["balance"] += 100

        yield site
        for session in made:
            session.remove()
        transaction.abort()

    @pytest.fixture
    def alice(self, site):
        alice = site.browser()
        alice.get("/start")
        return alice

    def test_a_change_after_a_request_that_only_read_is_stored(self, site, alice):
        # One that looks at the session gives back what is left open; one that does not cannot.
        site.views["other"] = lambda request: len(request.dbsession.scalars(select(Order)).all())
        for path, balance in (("/look", 101), ("/other", 201)):
            alice.get(path)
            assert alice.get("/add").status_code == 200
            assert alice.get("/look").json_body == {"balance": balance}

    def test_a_new_visitor_after_a_request_that_only_read_gets_a_session(self, site, alice):
        alice.get("/look")
        bob = site.browser()
        bob.get("/start")
        assert bob.get("/look").json_body == {"balance": 1}

    @pytest.mark.parametrize("before", ["/look", "/order"])
    @pytest.mark.parametrize("how", ["view", "flush", "commit"])
    def test_what_a_failed_request_has_changed_is_committed_by_nobody(self, site, alice, before, how):
        @site.view
        def fail(request):
            request.session["balance"] = 10**6
            request.session.row()
            if how == "view":
                raise BrokenError
            request.dbsession.add(Order(text=None))
            if how == "flush":
                request.dbsession.flush()

        bob = site.browser()
        alice.get(before)
        assert alice.get("/fail", status=500)
        bob.get("/order")
        assert alice.get("/look").json_body == {"balance": 1}
        assert [row.data for row in site.rows()] == [{"balance": 1}]

    def test_a_reader_sees_what_was_committed_since_its_threads_last_request(self, site, alice):
        alice.get("/look")
        with site.dbsession_maker.begin() as elsewhere:
            row = elsewhere.scalars(select(Session)).one()
            row.data = {"balance": 5}
            row.version += 1
        assert alice.get("/look").json_body == {"balance": 5}

    def test_no_request_leaves_a_connection_out(self, site, alice):
        for path in ("/look", "/add", "/order", "/look"):
            alice.get(path)
            assert site.engine.pool.checkedout() == 0


class TestRegisteredWithAnotherManager:
    """It would never be committed; the request would look as if it had been."""

    @pytest.fixture
    def site(self, make_with):
        def wrong(engine, request):
            session = DatabaseSession(engine)
            zope.sqlalchemy.register(session)
            return session

        return make_with(wrong, settings={})

    @pytest.mark.parametrize("change", ["start", "leave", "row"])
    def test_the_first_change_is_refused_with_the_remedy_and_leaks_no_connection(
        self, make_site, site, change
    ):
        site.views["row"] = lambda request: request.session.row() and None
        browser = site.browser()
        with pytest.raises(Exception, match=r"transaction_manager=request\.tm"):
            browser.get(f"/{change}")
        assert site.engine.pool.checkedout() == 0
        assert browser.cookies == {}
        assert site.rows() == []

    def test_so_is_the_first_look(self, make_site, site):
        right = make_site()
        browser = right.browser()
        browser.get("/start")
        browser.app = site.app
        with pytest.raises(Exception, match=r"transaction_manager=request\.tm"):
            browser.get("/look")
        assert site.engine.pool.checkedout() == 0

    def test_an_error_page_about_it_renders(self, make_with):
        def wrong(engine, request):
            session = DatabaseSession(engine)
            zope.sqlalchemy.register(session)
            return session

        def page(exception, request):
            return Response(f"{type(exception).__name__}: {request.session.get('a')}", status=500)

        site = make_with(wrong, settings={}, error_page=page)
        assert site.browser().get("/start", status=500).text == "UnsupportedSetupError: None"

    def test_the_manager_of_the_thread_is_the_requests_however_it_is_named(self, make_with):
        def named(engine, request):
            session = DatabaseSession(engine)
            zope.sqlalchemy.register(session, transaction_manager=transaction.manager.manager)
            return session

        site = make_with(named)
        browser = site.browser()
        browser.get("/start")
        assert browser.get("/look").json_body == {"a": 1}


class TestWithoutAutobegin:
    """The application begins each transaction of its database session."""

    @staticmethod
    def make(engine, request, *, begun):
        session = DatabaseSession(engine, autobegin=False)
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        if begun:
            session.begin()
        return session

    def test_one_that_was_not_begun_is_told(self, make_with):
        site = make_with(lambda *arguments: self.make(*arguments, begun=False), settings={})
        with pytest.raises(Exception, match="Autobegin is disabled"):
            site.browser().get("/start")
        assert site.rows() == []

    def test_one_that_was_begun_works(self, make_with):
        site = make_with(lambda *arguments: self.make(*arguments, begun=True), settings={})
        browser = site.browser()
        browser.get("/start")
        assert browser.get("/look").json_body == {"a": 1}


@pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)
def test_a_database_that_cannot_be_reached_at_the_commit_is_told_by_its_own_error(make_site):
    site = make_site()

    @site.view
    def it(request):
        request.session["a"] = 1
        site.engine.pool._creator = lambda *_: site.no_such_attribute
        site.engine.dispose()

    with pytest.raises(AttributeError, match="no_such_attribute"):
        site.browser().get("/it")
