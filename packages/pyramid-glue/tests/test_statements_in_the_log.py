"""What a request costs as the database itself has logged it: with BEGIN, COMMIT and whatever a driver adds.

PostgreSQL's `log_statement`, the general log of MariaDB and MySQL, SQLite's trace callback. Connections are
warm: what a driver says once, when it connects, is no part of a request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from site_under_test import FullSession, Session
from sqlalchemy import create_engine, event, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from site_under_test import Site

TIMEOUTS = {"session.idle_timeout": 600, "session.extension_delay": 60, "session.absolute_timeout": 6000}

# MariaDB and MySQL are told once, when they are connected to, that every statement is in a transaction; none
# is sent to begin one. And their driver sends the ROLLBACK with which the pool takes a connection back in any
# case.
BEGIN = {"postgresql": ["BEGIN"], "sqlite": ["BEGIN"], "mariadb": [], "mysql": []}
RETURN = {"postgresql": [], "sqlite": [], "mariadb": ["ROLLBACK"], "mysql": ["ROLLBACK"]}

# One UPDATE in a transaction of its own, and what keeps it from waiting for anybody's lock.
TOUCH = {
    "postgresql": ["BEGIN", "SET", "SET", "UPDATE", "COMMIT"],
    "sqlite": ["PRAGMA", "PRAGMA", "BEGIN", "UPDATE", "COMMIT", "PRAGMA"],
    "mariadb": ["SET", "SET", "SELECT", "UPDATE", "COMMIT", "SET", "ROLLBACK"],
    "mysql": ["SET", "SET", "SELECT", "UPDATE", "COMMIT", "SET", "ROLLBACK"],
}


@pytest.fixture
def url(websession_engine_name: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a new database on a server whose log can be changed and read."""
    if websession_engine_name == "sqlite":
        yield request.getfixturevalue("websession_database_url")
        return
    if request.config.getoption("--websession-db-url") is not None:
        pytest.skip("what the server of --websession-db-url logs is not for a test to change")
    server = request.getfixturevalue(f"websession_{websession_engine_name}")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def log(url: str, websession_engine_name: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Returns all statements that were logged so far, whole, in their order."""
    if websession_engine_name == "sqlite":
        yield request.getfixturevalue("traced").copy
        return
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if websession_engine_name == "postgresql":
            server = request.getfixturevalue("websession_postgresql")
            connection.execute(text(f"ALTER DATABASE {engine.url.database} SET log_statement = 'all'"))
            yield lambda: re.findall(r"LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)", server.log())
        else:
            logged = text(
                "SELECT CAST(argument AS CHAR) FROM mysql.general_log "
                "WHERE command_type IN ('Query', 'Execute') AND thread_id <> CONNECTION_ID()"
            )
            connection.execute(text("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = ON"))
            yield lambda: connection.scalars(logged).all()
            connection.execute(text("SET GLOBAL log_output = DEFAULT, GLOBAL general_log = OFF"))
            connection.execute(text("TRUNCATE mysql.general_log"))
    engine.dispose()


@pytest.fixture
def traced() -> list[str]:
    """What SQLite's connections have said to their trace callback."""
    return []


@pytest.fixture
def make(url: str, log: Any, traced: list[str], make_site: Callable[..., Site]) -> Callable[..., Site]:
    """Make an application on the database, with a warm connection."""

    def made(model: type, **settings: Any) -> Site:
        site = make_site(url=url, model=model, settings=settings)
        if site.engine.dialect.name == "sqlite":
            site.engine.dispose()  # there is a connection already that is not traced

            @event.listens_for(site.engine, "connect")
            def _trace(connection: Any, _record: object) -> None:
                connection.set_trace_callback(traced.append)

        site.views["untouched"] = lambda request: "hello"
        site.views["read"] = lambda request: [request.session.get("a"), request.session.peek_flash()]

        @site.view
        def write(request: Any) -> None:
            request.session["a"] = request.session.get("a", 0) + 1

        site.browser().get("/write")
        return site

    return made


@pytest.fixture
def minimal(make: Callable[..., Site]) -> Site:
    """An application whose sessions have nothing but data."""
    return make(Session)


@pytest.fixture
def full(make: Callable[..., Site]) -> Site:
    """An application whose sessions have every feature."""
    return make(FullSession, **TIMEOUTS)


def words(statements: list[str]) -> list[str]:
    return [statement.split(None, 1)[0] for statement in statements]


@pytest.fixture
def get(log: Any) -> Callable[..., list[str]]:
    """Make a request and return the statements that it took."""

    def got(browser: Any, path: str) -> list[str]:
        before = len(log())
        browser.get(path)
        return log()[before:]

    return got


@pytest.mark.parametrize("kind", ["minimal", "full"])
def test_an_untouched_request_takes_none(kind, request, get):
    browser = request.getfixturevalue(kind).browser()
    assert words(get(browser, "/write")) != []
    assert get(browser, "/untouched") == []


@pytest.mark.parametrize("kind", ["minimal", "full"])
def test_a_read_takes_one_select_with_one_join_if_there_is_a_companion(
    kind, request, get, websession_engine_name
):
    browser = request.getfixturevalue(kind).browser()
    browser.get("/write")
    made = get(browser, "/read")
    assert words(made) == [
        *BEGIN[websession_engine_name],
        "SELECT",
        "ROLLBACK",
        *RETURN[websession_engine_name],
    ]
    assert "".join(made).count(" JOIN ") == (kind == "full")


@pytest.mark.parametrize("kind", ["minimal", "full"])
def test_a_write_takes_one_update_more(kind, request, get, websession_engine_name):
    browser = request.getfixturevalue(kind).browser()
    browser.get("/write")
    made = get(browser, "/write")
    assert words(made) == [
        *BEGIN[websession_engine_name],
        "SELECT",
        "UPDATE",
        "COMMIT",
        *RETURN[websession_engine_name],
    ]


@pytest.mark.parametrize("kind", ["minimal", "full"])
def test_a_new_session_takes_an_insert_and_one_for_its_companion(kind, request, get, websession_engine_name):
    browser = request.getfixturevalue(kind).browser()
    made = get(browser, "/write")
    inserts = ["INSERT"] if kind == "minimal" else ["INSERT", "INSERT"]
    if kind == "full" and websession_engine_name == "postgresql":
        inserts = ["WITH"]  # both in one
    assert words(made) == [
        *BEGIN[websession_engine_name],
        *inserts,
        "COMMIT",
        *RETURN[websession_engine_name],
    ]
    assert "".join(made).count("INSERT INTO") == (1 if kind == "minimal" else 2)


def test_a_due_touch_takes_one_update_more_in_a_transaction_of_its_own(full, get, websession_engine_name):
    browser = full.browser()
    browser.get("/write")
    read = words(get(browser, "/read"))

    full.clock.advance(TIMEOUTS["session.extension_delay"])
    made = get(browser, "/read")

    assert words(made) == [*read, *TOUCH[websession_engine_name]]
    (update,) = (statement for statement in made if statement.startswith("UPDATE"))
    assert set(re.findall(r"\bfull_session\w*", update)) == {"full_session_activity"}
    assert words(get(browser, "/read")) == read
