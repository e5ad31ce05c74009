"""A server of MySQL's family that takes no writes: for a while, or because another one is the primary now.

One real server plays both: it is made read-only under a running application, and where a test is about
another primary, it takes writes again when the application connects, as if a router had led it there.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pyramid.response import Response
from read_only_database import MySQLServer
from site_under_test import FullSession, Site, User, of_driver, with_driver
from sqlalchemy import create_engine, event, insert, text
from sqlalchemy.exc import DBAPIError
from websession_pyramid import retries

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

pytestmark = pytest.mark.parametrize("websession_engine_name", ["mariadb", "mysql"], indirect=True)
DRIVERS = ("pymysql", "mysqlconnector", "mysqldb")
PLACES = ("a statement of the view", "a flush of the commit", "the COMMIT")
TIMEOUTS = {"session.idle_timeout": 600, "session.extension_delay": 60}


@pytest.fixture
def server(request: pytest.FixtureRequest) -> MySQLServer:
    """A server that takes writes, until it is told otherwise."""
    database = request.getfixturevalue("read_only_database")
    assert isinstance(database, MySQLServer)
    return database


@pytest.fixture
def make_readable(make_site: Callable[..., Site], server: MySQLServer) -> Callable[..., Site]:
    """Make an application whose sessions can be looked at, and written."""

    def make(**options: Any) -> Site:
        site = make_site(url=server.url, model=FullSession, settings=TIMEOUTS, **options)
        site.views["look"] = lambda request: request.session.copy()

        @site.view
        def count(request: Any) -> None:
            request.session["n"] = request.session.get("n", 0) + 1

        return site

    return make


def lead_to_a_primary(engine: Engine, server: MySQLServer) -> list[str]:
    """Let whatever connects anew find a server that takes writes; return the connections so far."""
    connected: list[str] = []

    @event.listens_for(engine, "do_connect")
    def connect(*_: object) -> None:
        connected.append("one more")
        server.take_writes()

    return connected


@pytest.mark.parametrize("error_page", [False, True], ids=["no error page", "catch-all error page"])
@pytest.mark.parametrize("place", PLACES)
def test_a_write_finds_the_new_primary_by_itself(
    make_readable: Callable[..., Site], server: MySQLServer, place: str, error_page: bool
) -> None:
    page = (lambda exception, request: Response("sorry", status=500)) if error_page else None
    site = make_readable(error_page=page, engine_options={"pool_pre_ping": True})
    attempts: list[str] = []

    @site.view
    def it(request: Any) -> None:
        attempts.append(place)
        request.session["n"] += 1
        request.dbsession.add(User(name="ours"))
        if len(attempts) > 1:
            return
        if place == "the COMMIT":
            request.dbsession.flush()
        server.refuse_writes()
        if place == "a statement of the view":
            request.dbsession.flush()
        elif place == "the COMMIT":
            # What the session writes at the commit goes first, to a server that still takes it.
            server.take_writes()
            event.listen(site.engine, "commit", lambda connection: server.refuse_writes(), once=True)

    browser = site.browser()
    browser.get("/count")
    connected = lead_to_a_primary(site.engine, server)
    browser.get("/it", status=200)
    assert (len(attempts), len(connected)) == (2, 1)
    assert browser.get("/look").json_body == {"n": 2}
    assert site.count(User) == 1


@pytest.mark.parametrize("driver", [pytest.param(name, marks=of_driver(name)) for name in DRIVERS])
def test_every_driver_finds_the_new_primary(
    make_readable: Callable[..., Site], server: MySQLServer, driver: str
) -> None:
    server.url = with_driver(server.url, driver)
    site = make_readable()
    browser = site.browser()
    browser.get("/count")
    lead_to_a_primary(site.engine, server)
    server.refuse_writes()
    browser.get("/count", status=200)
    assert browser.get("/look").json_body == {"n": 2}


def test_one_refusal_replaces_all_connections_of_the_pool(
    make_readable: Callable[..., Site], server: MySQLServer
) -> None:
    site = make_readable()
    browser = site.browser()
    browser.get("/count")
    several = [site.engine.connect() for _ in range(4)]
    for connection in several:
        connection.close()
    lead_to_a_primary(site.engine, server)
    old = {connection_id(site.engine) for _ in several}
    server.refuse_writes()
    browser.get("/count")
    several = [site.engine.connect() for _ in range(4)]
    try:
        new = {connection.scalar(text("SELECT connection_id()")) for connection in several}
    finally:
        for connection in several:
            connection.close()
    assert old.isdisjoint(new)


def connection_id(engine: Engine) -> int:
    with engine.connect() as connection:
        number: int = connection.scalar(text("SELECT connection_id()"))
        return number


def test_while_there_is_no_primary_not_every_refusal_replaces_them(
    make_readable: Callable[..., Site], server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 1000.0
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=lambda: seconds))
    site = make_readable()
    browser = site.browser()
    browser.get("/count")
    connected: list[str] = []
    event.listen(site.engine, "connect", lambda *_: connected.append("one more"))
    server.refuse_writes()
    site.clock.advance(100)
    for number in range(1, 4):
        for _ in range(20):
            browser.get("/look")  # which cannot be noted
        # Once in a second: that of the page, and that of what was to be noted, if they are two.
        assert number <= len(connected) <= 2 * number
        seconds += 1


def test_bookkeeping_leads_later_requests_to_the_new_primary(
    make_readable: Callable[..., Site], server: MySQLServer
) -> None:
    site = make_readable()
    browser = site.browser()
    browser.get("/count")
    lead_to_a_primary(site.engine, server)
    server.refuse_writes()
    site.clock.advance(100)
    browser.get("/look")
    browser.get("/look")
    assert site.activity()[0]["active_at"] == site.clock.now


def test_an_application_that_does_not_retry_has_one_error_and_goes_on(
    make_site: Callable[..., Site], server: MySQLServer
) -> None:
    site = make_site(url=server.url, settings={"session.retry_conflicts": "false"})
    attempts = []

    @site.view
    def it(request: Any) -> None:
        attempts.append("it")
        request.session["n"] = len(attempts)

    browser = site.browser()
    browser.get("/it")
    lead_to_a_primary(site.engine, server)
    server.refuse_writes()
    with pytest.raises(DBAPIError, match="read-only"):
        browser.get("/it")
    browser.get("/it")
    assert len(attempts) == 3


def test_a_replica_keeps_its_connections_when_it_refuses_a_write(
    make_readable: Callable[..., Site], server: MySQLServer
) -> None:
    site = make_readable()
    replica = create_engine(server.url, execution_options={"websession_replica": True})
    attempts = []

    @site.view
    def by_mistake(request: Any) -> None:
        attempts.append(connection_id(replica))
        with replica.begin() as connection:
            connection.execute(insert(User).values(name="ours"))

    try:
        server.refuse_writes()
        for _ in range(2):
            with pytest.raises(DBAPIError, match="read-only"):
                site.browser().get("/by_mistake")
        assert len(attempts) == 2
        assert len(set(attempts)) == 1
    finally:
        replica.dispose()
