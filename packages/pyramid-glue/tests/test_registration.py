"""Database sessions that are registered once, by their sessionmaker, in place of each by itself."""

from __future__ import annotations

import pytest
import transaction
from pyramid.request import Request
from site_under_test import Order
from sqlalchemy import create_engine, delete, insert, select, text
from sqlalchemy.orm import sessionmaker
from transaction.interfaces import TransientError
from websession_pyramid import UnsupportedSetupError, register_sessionmaker

EXPLICIT: dict[str, object] = {}
THREAD_LOCAL = {"tm.manager_hook": None}


@pytest.fixture
def make_database_session(websession_database_url):
    """Return the application's sessionmaker, registered, and its engine's tables."""
    engine = create_engine(websession_database_url)
    Order.metadata.create_all(engine)
    made = sessionmaker(engine)
    register_sessionmaker(made)
    yield made
    engine.dispose()


@pytest.fixture(params=[EXPLICIT, THREAD_LOCAL], ids=["explicit manager", "thread-local manager"])
def site(request, make_site, make_database_session):
    """Return a site that makes its database sessions as the page says."""
    return make_site(
        settings=request.param,
        dbsession_factory=lambda request: make_database_session(info={"transaction_manager": request.tm}),
    )


def texts(site):
    with site.engine.connect() as connection:
        return sorted(connection.scalars(select(Order.text)))


class TestInRequests:
    """Each request's database session takes part in the transaction of that request."""

    def test_what_a_request_has_written_is_committed_with_its_session(self, site):
        @site.view
        def it(request):
            request.session["cart"] = "apples"
            request.dbsession.add(Order(text="apples"))

        site.browser().get("/it")
        assert texts(site) == ["apples"]
        assert len(site.rows()) == 1

    def test_of_a_request_that_fails_nothing_stays(self, site):
        @site.view
        def it(request):
            request.session["cart"] = "apples"
            request.dbsession.add(Order(text="apples"))
            request.dbsession.flush()
            raise LookupError("no apples")

        with pytest.raises(LookupError):
            site.browser().get("/it")
        assert texts(site) == []
        assert site.rows() == []

    def test_statements_of_the_orm_are_noticed(self, site):
        views = {
            "add": lambda request: request.dbsession.execute(insert(Order), [{"text": "a"}, {"text": "b"}]),
            "cut": lambda request: request.dbsession.execute(delete(Order).where(Order.text == "a")),
        }
        site.views.update({name: lambda request, do=do: do(request) and None for name, do in views.items()})
        site.browser().get("/add")
        assert texts(site) == ["a", "b"]
        site.browser().get("/cut")
        assert texts(site) == ["b"]

    def test_a_retry_has_a_database_session_of_its_own_and_stores_once(self, site):
        seen = []

        @site.view
        def it(request):
            seen.append(request.dbsession)
            request.session["tries"] = len(seen)
            request.dbsession.add(Order(text=f"try {len(seen)}"))
            request.dbsession.flush()
            if len(seen) < 3:
                raise TransientError

        site.browser().get("/it")
        assert texts(site) == ["try 3"]
        assert len(set(map(id, seen))) == 3
        assert len(site.rows()) == 1

    def test_a_subrequest_without_tweens_is_part_of_the_transaction(self, site):
        @site.view
        def inner(request):
            request.session["inner"] = request.session["outer"]
            request.dbsession.add(Order(text="inner"))

        @site.view
        def outer(request):
            request.session["outer"] = "yes"
            request.dbsession.add(Order(text="outer"))
            request.dbsession.flush()
            subrequest = Request.blank("/inner")
            subrequest.dbsession = request.dbsession
            request.invoke_subrequest(subrequest, use_tweens=False)
            return request.session.copy()

        assert site.browser().get("/outer").json == {"outer": "yes", "inner": "yes"}
        assert texts(site) == ["inner", "outer"]


def test_a_subrequest_with_tweens_commits_its_own_database_session(make_site, make_database_session):
    site = make_site(
        dbsession_factory=lambda request: make_database_session(info={"transaction_manager": request.tm})
    )

    @site.view
    def inner(request):
        request.dbsession.add(Order(text="inner"))

    @site.view
    def outer(request):
        assert request.dbsession.in_transaction() is False
        request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)
        request.dbsession.add(Order(text="outer"))
        request.dbsession.flush()
        raise LookupError("too late for the inner one")

    with pytest.raises(LookupError):
        site.browser().get("/outer")
    assert texts(site) == ["inner"]


def test_another_manager_than_the_requests_is_refused(make_site, make_database_session):
    other = transaction.TransactionManager(explicit=True)
    site = make_site(
        dbsession_factory=lambda _request: make_database_session(info={"transaction_manager": other})
    )
    with pytest.raises(UnsupportedSetupError, match="another transaction manager"):
        site.browser().get("/start")


class TestInScripts:
    """Outside of requests."""

    def test_a_manager_commits_and_rolls_back(self, make_database_session):
        tm = transaction.TransactionManager(explicit=True)

        def add(what):
            with tm:
                dbsession = make_database_session(info={"transaction_manager": tm})
                dbsession.add(Order(text=what))
                dbsession.flush()
                if what == "lost":
                    raise LookupError

        add("kept")
        with pytest.raises(LookupError):
            add("lost")
        with make_database_session() as dbsession:
            assert list(dbsession.scalars(select(Order.text))) == ["kept"]

    def test_a_database_session_of_a_manager_is_not_committed_by_hand(self, make_database_session):
        tm = transaction.TransactionManager(explicit=True)
        tm.begin()
        dbsession = make_database_session(info={"transaction_manager": tm})
        dbsession.add(Order(text="by hand"))
        with pytest.raises(AssertionError, match="committed using the transaction manager"):
            dbsession.commit()
        tm.abort()

    def test_one_without_a_manager_is_its_owners(self, make_database_session):
        with make_database_session() as dbsession:
            dbsession.add(Order(text="plain"))
            dbsession.commit()
        with make_database_session.begin() as dbsession:
            dbsession.execute(insert(Order), [{"text": "bulk"}])
        with make_database_session() as dbsession:
            assert sorted(dbsession.scalars(select(Order.text))) == ["bulk", "plain"]

    def test_the_manager_that_is_named_last_holds(self, make_database_session):
        dbsession = make_database_session()
        for what in ("first", "second"):
            tm = dbsession.info["transaction_manager"] = transaction.TransactionManager(explicit=True)
            with tm:
                dbsession.add(Order(text=what))
        with make_database_session() as dbsession:
            assert sorted(dbsession.scalars(select(Order.text))) == ["first", "second"]


def test_a_tests_database_session_is_rolled_back_in_the_end(make_site, make_database_session):
    site = make_site()
    site.views["it"] = lambda request: request.dbsession.add(Order(text="of a test"))
    with site.engine.connect() as connection:
        outer = connection.begin()
        tm = transaction.TransactionManager(explicit=True)
        tm.begin()
        dbsession = make_database_session(bind=connection, info={"transaction_manager": tm})
        environ = {"app.dbsession": dbsession, "tm.active": True, "tm.manager": tm}
        site.browser(**environ).get("/it")
        dbsession.flush()
        assert list(dbsession.scalars(select(Order.text))) == ["of a test"]
        tm.abort()
        outer.rollback()
    assert texts(site) == []


@pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("initial_state", "kept"), [("active", 0), ("changed", 1)])
def test_reads_that_end_with_commit_keep_their_statements_prepared(
    make_site, websession_database_url, initial_state, kept
):
    engine = create_engine(websession_database_url, pool_size=1, max_overflow=0)
    make_database_session = sessionmaker(engine)
    register_sessionmaker(make_database_session, initial_state)
    site = make_site(
        dbsession_factory=lambda request: make_database_session(info={"transaction_manager": request.tm})
    )

    @site.view
    def look(request):
        return request.session.get("cart")

    browser = site.browser()
    browser.get("/start")
    for _ in range(10):
        browser.get("/look")
    with engine.connect() as connection:
        prepared = connection.scalars(text("SELECT statement FROM pg_prepared_statements")).all()
    assert len([statement for statement in prepared if "FROM session" in statement]) == kept
    engine.dispose()
