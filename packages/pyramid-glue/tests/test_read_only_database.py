"""A database that takes no writes for a while: maintenance, a failing disk, another primary.

Pages that only read go on, what is to be recorded besides waits without filling the log, a write is one error
that says what is so, and nobody has to restart anything afterwards.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from site_under_test import FullSession, User
from sqlalchemy import create_engine, insert
from sqlalchemy.exc import DBAPIError
from websession_models.sqlite import prepare_sqlite_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from read_only_database import ReadOnlyDatabase
    from site_under_test import Site

SETTINGS = {
    "session.idle_timeout": 600,
    "session.extension_delay": 60,
    "session.renewal_timeout": 120,
    "session.renewal_grace": 60,
}


@pytest.fixture
def readable(make_site: Callable[..., Site], read_only_database: ReadOnlyDatabase) -> Site:
    """An application whose sessions can be looked at, and written."""
    site = make_site(url=read_only_database.url, model=FullSession, settings=SETTINGS)
    read_only_database.serve(site.engine)

    @site.view
    def count(request: Any) -> None:
        request.session["n"] = request.session.get("n", 0) + 1

    return site


def test_pages_that_only_read_go_on(
    readable: Site, read_only_database: ReadOnlyDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    browser = readable.browser()
    browser.get("/count")
    read_only_database.refuse_writes()
    assert browser.get("/look").json_body == {"n": 1}
    assert caplog.messages == []


def test_what_waits_to_be_recorded_is_one_warning_a_minute(
    readable: Site, read_only_database: ReadOnlyDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    browser, gone = readable.browser(), readable.browser()
    gone.get("/count")
    readable.clock.advance(500)
    for path in ("/login", "/count"):
        browser.get(path)
    read_only_database.refuse_writes()
    readable.clock.advance(200)
    for _ in range(5):
        # A renewal is due, and a touch; of the other session, that it is removed.
        assert browser.get("/look").json_body == {"n": 1}
        assert gone.get("/look").json_body == {}
    (message,) = caplog.messages
    assert message.startswith("Bookkeeping (renew) failed; later requests, or a purge, will see to it")
    readable.clock.advance(59)
    browser.get("/look")
    assert len(caplog.messages) == 1
    readable.clock.advance(1)
    browser.get("/look")
    gone.get("/look")
    assert len(caplog.messages) == 2


def test_what_waited_is_recorded_as_soon_as_writes_are_taken(
    readable: Site, read_only_database: ReadOnlyDatabase
) -> None:
    browser, gone = readable.browser(), readable.browser()
    gone.get("/count")
    readable.clock.advance(500)
    for path in ("/login", "/count"):
        browser.get(path)
    read_only_database.refuse_writes()
    readable.clock.advance(200)
    before = browser.cookies["websession"]
    browser.get("/look")
    gone.get("/look")
    assert browser.cookies["websession"] == before
    read_only_database.take_writes()
    # PostgreSQL's connections are replaced at most once in a second.
    deadline = time.monotonic() + 60
    while browser.cookies["websession"] == before and time.monotonic() < deadline:
        gone.get("/look")
        assert browser.get("/look").json_body == {"n": 1}
    gone.get("/look")
    assert browser.cookies["websession"] != before
    assert [row["active_at"] for row in readable.activity()] == [readable.clock.now]
    assert len(readable.rows()) == 1


def test_a_write_is_one_error_that_says_what_is_so(
    readable: Site, read_only_database: ReadOnlyDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    browser = readable.browser()
    browser.get("/count")

    @readable.view
    def own(request: Any) -> None:
        request.dbsession.execute(insert(User).values(name="ours"))

    read_only_database.refuse_writes()
    for path, visitor in (("/count", browser), ("/count", readable.browser()), ("/own", browser)):
        with pytest.raises(DBAPIError) as refusal:
            visitor.get(path)
        (note,) = refusal.value.__notes__
        assert note.startswith("The database takes no writes now, or not by this connection")
        assert "engines/#when-the-database-is-read-only" in note
    assert caplog.messages == []
    assert browser.get("/look").json_body == {"n": 1}


def test_nothing_has_to_be_restarted_afterwards(readable: Site, read_only_database: ReadOnlyDatabase) -> None:
    browser = readable.browser()
    browser.get("/count")
    read_only_database.refuse_writes()
    # Connections that began meanwhile, as in a pool.
    several = [readable.engine.connect() for _ in range(3)]
    for connection in several:
        connection.close()
    read_only_database.take_writes()
    for _ in range(6):
        browser.get("/count", status=200)
    assert browser.get("/look").json_body == {"n": 7}


@pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
def test_a_file_that_is_opened_for_reading_only_can_be_read(
    make_site: Callable[..., Site], websession_database_url: str
) -> None:
    writing = make_site(recipe=False)  # no write-ahead logging, which could not be switched on any more
    browser = writing.browser()
    browser.get("/start")
    name = writing.engine.url.database
    reading = prepare_sqlite_engine(create_engine(f"sqlite:///file:{name}?mode=ro&uri=true"))
    try:
        with reading.begin() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM session").scalar() == 1
            with pytest.raises(DBAPIError, match="readonly"):
                connection.exec_driver_sql("DELETE FROM session")
    finally:
        reading.dispose()


@pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)
def test_what_the_application_has_made_read_only_by_itself_keeps_its_connections(
    readable: Site, read_only_database: ReadOnlyDatabase
) -> None:
    attempts = []

    @readable.view
    def by_mistake(request: Any) -> None:
        attempts.append(request)
        own = readable.engine.execution_options(postgresql_readonly=True)
        with own.begin() as connection:
            connection.execute(insert(User).values(name="ours"))

    with pytest.raises(DBAPIError, match="read-only"):
        readable.browser().get("/by_mistake")
    assert len(attempts) == 1
