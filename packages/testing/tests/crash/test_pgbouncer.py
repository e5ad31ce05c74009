"""Sessions behind PgBouncer in transaction mode: each transaction may be on another connection to the server.

``hatch test packages/testing/tests/crash/test_pgbouncer.py -m slow -n 0`` (Debian: pgbouncer; another one is
named by the environment variable ``WEBSESSION_PGBOUNCER``).

More connections than PgBouncer has to the server read, write, touch, renew and log in, while another purges.
Nothing fails, and nothing is lost.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyramid_tm
import pytest
import webtest
import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.interfaces import ISessionFactory
from pyramid.response import Response
from pytest_websession.clock import ManualClock
from pytest_websession.servers import PostgreSQLServer, ServerUnavailableError
from pytest_websession.servers._process import Account, Supervised
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.orm import DeclarativeBase, sessionmaker
from websession_core.state import Activity
from websession_models import FullyFeaturedSession, SessionRow, Store, purge
from websession_pyramid import SessionRenewed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

pytestmark = pytest.mark.slow

SECONDS = 15
CLIENTS = 12
TO_THE_SERVER = 4  # connections of PgBouncer's, for all of the clients
PATIENCE = 60.0
BEGINNING = 1_800_000_000
# Since 1.21 it takes note of the statements that clients have prepared.
PREPARES = (1, 21)


class Base(DeclarativeBase):
    """The declarative base."""


class Session(FullyFeaturedSession, Base):
    """The session."""

    __tablename__ = "session"


# --- PgBouncer ----------------------------------------------------------------------------------------------


class Bouncer:
    """PgBouncer in front of a server; a context manager.

    Args:
        program: What to run.
        server: The URL of the database behind it.
        settings: Of PgBouncer's, over those of every test.

    Attributes:
        url: That of the database, through PgBouncer.
    """

    def __init__(self, program: Path, server: URL, settings: dict[str, str]) -> None:
        self._process = Supervised("pgbouncer", account := Account.for_servers())
        directory = self._process.directory
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.url = server.set(port=port)
        account.write_private(directory / "users.txt", f'"{server.username}" "{server.password}"\n')
        options = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(port),
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": str(directory / "users.txt"),
            "pool_mode": "transaction",
            "default_pool_size": str(TO_THE_SERVER),
            **settings,
        }
        lines = ["[databases]", f"* = host=127.0.0.1 port={server.port}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in options.items()]
        account.write_private(directory / "pgbouncer.ini", "\n".join([*lines, ""]))
        self._command = [program, directory / "pgbouncer.ini"]

    def __enter__(self) -> Bouncer:
        self._process.start(self._command, ends_by=signal.SIGKILL)
        waited, engine = threading.Event(), create_engine(self.url)
        try:
            for _ in range(int(PATIENCE / 0.1)):
                try:
                    engine.connect().close()
                except Exception:  # noqa: BLE001 - it does not answer yet, or never will
                    waited.wait(0.1)
                else:
                    return self
        finally:
            engine.dispose()
        self._process.close()
        raise self._process.failure("PgBouncer did not start")

    def __exit__(self, *_: object) -> None:
        self._process.close()


@pytest.fixture(scope="module")
def program() -> Path:
    """PgBouncer's program."""
    places = [os.environ.get("WEBSESSION_PGBOUNCER"), shutil.which("pgbouncer"), "/usr/sbin/pgbouncer"]
    for place in places:
        if place is not None and Path(place).is_file():
            return Path(place)
    pytest.skip("PgBouncer is not installed (apt-get install pgbouncer)")


@pytest.fixture(scope="module")
def version(program: Path) -> tuple[int, ...]:
    """PgBouncer's version."""
    printed = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    numbers = re.search(r"PgBouncer (\d+)\.(\d+)", printed)
    assert numbers is not None
    return tuple(map(int, numbers.groups()))


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQLServer]:
    """The server behind it."""
    try:
        server = PostgreSQLServer()
    except ServerUnavailableError as error:
        pytest.skip(str(error))
    with server:
        yield server


# --- the application ----------------------------------------------------------------------------------------


class Site:
    """An application on an engine, which counts what it does.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._make_session = sessionmaker(engine)
        event.listen(engine, "after_cursor_execute", self._executed)
        config = Configurator(
            settings={
                "tm.manager_hook": pyramid_tm.explicit_manager,
                "tm.annotate_user": "false",
                "retry.attempts": 10,
                "session.secret_key": "vF1cIyDmbFL1L9gkN0r5lNwCjBmG5cGmkIuTY4TXVAk",
                "session.model_class": Session,
                "session.idle_timeout": 3600,
                "session.extension_delay": 1,
                "session.renewal_timeout": 4,
                "session.renewal_grace": 2,
            }
        )
        for name in ("pyramid_tm", "pyramid_retry", "websession_pyramid"):
            config.include(name)
        config.add_request_method(self._dbsession, "dbsession", reify=True)
        config.add_subscriber(lambda _: self.count("renewals"), SessionRenewed)
        for view in (self.login, self.add, self.look):
            config.add_route(view.__name__, f"/{view.__name__}")
            config.add_view(view, route_name=view.__name__, renderer="json")
        self.app = config.make_wsgi_app()
        self.clock = ManualClock(BEGINNING)
        self.clock.govern(self.app)
        self.store = Store.for_model(config.registry.getUtility(ISessionFactory).settings.model_class)

    def count(self, what: str) -> None:
        """Count one."""
        with self._lock:
            self.counts[what] += 1

    def _executed(self, _connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE session_activity"):
            self.count("recorded activities")

    def _dbsession(self, request: Any) -> Any:
        session = self._make_session()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    @staticmethod
    def login(context: Any, request: Any) -> Response:
        """Log in."""
        request.session.login(7)
        return Response("in")

    @staticmethod
    def add(context: Any, request: Any) -> int:
        """Add one."""
        number: int = request.session.get("number", 0) + 1
        request.session["number"] = number
        return number

    @staticmethod
    def look(context: Any, request: Any) -> list[Any]:
        """Show what is there."""
        return [request.session.userid, request.session.get("number", 0)]


class Load:
    """Browsers and purges that go on until the time is up.

    Args:
        site: The application.
        engine: For the purges.
    """

    def __init__(self, site: Site, engine: Engine) -> None:
        self._site, self._engine = site, engine
        self._until = time.monotonic() + SECONDS
        self.errors: list[BaseException] = []

    def run(self) -> None:
        """Make it."""
        work = [*([self._browse] * CLIENTS), self._purge, self._let_time_pass]
        threads = [threading.Thread(target=self._guarded, args=(one,)) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            self.errors.append(error)

    def _goes_on(self) -> bool:
        return time.monotonic() < self._until

    def _browse(self) -> None:
        site = self._site
        browser = webtest.TestApp(site.app, extra_environ={"HTTP_HOST": "localhost:80"})
        number = 0
        browser.get("/login")
        while self._goes_on():
            for _ in range(3):
                assert browser.get("/look").json_body == [7, number]
                site.count("reads")
            number += 1
            assert browser.get("/add").json_body == number
            site.count("writes")
            if number % 5 == 0:
                browser.get("/login")  # a new identity, and the data stay
                site.count("logins")
        assert browser.get("/look").json_body == [7, number]

    def _purge(self) -> None:
        pause = threading.Event()
        while self._goes_on():
            with self._engine.begin() as connection:
                for _ in range(20):
                    over = Activity(active_at=BEGINNING - 7200, expires_at=BEGINNING - 3600)
                    row = SessionRow(
                        uuid.uuid4(), BEGINNING - 7200, 1, 0, data="{}", flash="{}", activity=over
                    )
                    self._site.store.insert(connection, row)
            report = purge(self._engine, Session, now=self._site.clock.now)
            assert (report.sessions, report.left, report.refused) == (20, 0, 0)
            self._site.counts["purged"] += report.sessions
            pause.wait(0.2)

    def _let_time_pass(self) -> None:
        pause = threading.Event()
        while self._goes_on():
            pause.wait(0.5)
            self._site.clock.advance(1)


WAYS = {
    "psycopg, nothing prepared": ("psycopg", {"prepare_threshold": None}, {}),
    "psycopg, max_prepared_statements": ("psycopg", {}, {"max_prepared_statements": "200"}),
    "psycopg2": ("psycopg2", {}, {}),
}


@pytest.fixture(params=WAYS)
def through_pgbouncer(
    request: pytest.FixtureRequest, program: Path, version: tuple[int, ...], server: PostgreSQLServer
) -> Iterator[Callable[[str], Engine]]:
    """Make an engine that connects to an empty database through PgBouncer."""
    driver, arguments, settings = WAYS[request.param]
    if settings and version < PREPARES:
        pytest.skip(f"PgBouncer {'.'.join(map(str, version))} does not know max_prepared_statements")
    database = make_url(server.create_database()).set(drivername=f"postgresql+{driver}")
    engines = []
    with Bouncer(program, database, settings) as bouncer:

        def make(level: str) -> Engine:
            engine = create_engine(
                bouncer.url,
                isolation_level=level,
                pool_size=CLIENTS,
                max_overflow=CLIENTS,
                connect_args=arguments,
            )
            engines.append(engine)
            return engine

        yield make
        for engine in engines:
            engine.dispose()


@pytest.mark.parametrize("level", ["READ COMMITTED", "SERIALIZABLE"])
def test_nothing_fails_and_nothing_is_lost(
    through_pgbouncer: Callable[[str], Engine],
    level: str,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = through_pgbouncer(level)
    Base.metadata.create_all(engine)
    site = Site(engine)
    load = Load(site, engine)
    with caplog.at_level(logging.WARNING):
        load.run()
    with engine.connect() as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        to_the_server = connection.scalar(text(others))
    connections = engine.pool.checkedin()  # type: ignore[attr-defined]
    with capsys.disabled():
        counted = f"{dict(site.counts)}; {connections} connections on {to_the_server}"
        print(f"\n{request.node.callspec.id}: {counted}")  # noqa: T201 - the figures
    assert load.errors == []
    assert caplog.messages == []
    assert to_the_server <= TO_THE_SERVER < connections
    assert all(site.counts[what] > CLIENTS for what in ("reads", "writes", "recorded activities", "renewals"))
    assert site.counts["purged"] > 0
