"""The pytest plugin: databases for tests of applications that keep sessions in a database.

pytest imports this module in every run of every project it is installed beside, so at the top it imports
pytest and nothing else; what a fixture needs is imported in the fixture.
"""

from __future__ import annotations

import contextlib
import importlib.util
from typing import TYPE_CHECKING, TypeVar

import pytest

from .fixtures import (  # noqa: F401 - pytest finds fixtures by their names in this module
    COMMITS,
    MAIN,
    SETTINGS_FILE,
    _websession_app_for_a_test,
    _websession_app_for_many_tests,
    _websession_app_on_mariadb,
    _websession_app_on_mysql,
    _websession_app_on_postgresql,
    _websession_app_on_sqlite,
    _websession_make_app,
    names_asked_for_later,
    websession_app,
    websession_browser,
    websession_browser_class,
    websession_clock,
    websession_dbsession,
    websession_dummy_request,
    websession_environ,
    websession_fill_database,
    websession_main,
    websession_memory_session,
    websession_new_browser,
    websession_settings,
    websession_statements,
    websession_tm,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .servers import DatabaseServer, MariaDBServer, MySQLServer, PostgreSQLServer
    from .servers._own import OwnServer

__all__ = [
    "websession_app",
    "websession_browser",
    "websession_browser_class",
    "websession_clock",
    "websession_database_url",
    "websession_dbsession",
    "websession_dummy_request",
    "websession_engine_name",
    "websession_environ",
    "websession_fill_database",
    "websession_main",
    "websession_mariadb",
    "websession_memory_session",
    "websession_mysql",
    "websession_new_browser",
    "websession_postgresql",
    "websession_settings",
    "websession_statements",
    "websession_tm",
]

# Its asserts are to show what they compare; the plugin's own modules are known to pytest only where they are
# installed from a wheel.
pytest.register_assert_rewrite("pytest_websession.browser", "pytest_websession.contract")

Server = TypeVar("Server", bound="DatabaseServer")

ENGINES = ("sqlite", "postgresql", "mariadb", "mysql")
SERVERS_OF_ONES_OWN = ("postgresql", "mariadb", "mysql")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("websession", "databases for web session tests")
    group.addoption(
        "--websession-engines",
        metavar="NAMES",
        default=",".join(ENGINES),
        help="database engines to run on, separated by commas (default: %(default)s); tests on an engine "
        "that is not installed are skipped",
    )
    group.addoption(
        "--websession-db-url",
        metavar="URL",
        default=None,
        help="SQLAlchemy URL of a PostgreSQL, MariaDB or MySQL server of your own, the only engine then; "
        "each test gets a new database on it if the account may create one, else the URL's own, which must "
        "be empty",
    )
    parser.addini(
        MAIN,
        "where main(global_config, **settings) is that makes the application for tests without a fixture "
        "`app`, as in yourproject:main",
    )
    parser.addini(SETTINGS_FILE, "the ini file of the application with the settings for it")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and refuse options that name no engine we know."""
    config.addinivalue_line(
        "markers",
        f"{COMMITS}: the application's requests commit, instead of sharing one transaction that is rolled "
        "back after the test (pytest-websession)",
    )
    choices = ENGINES if config.getoption("--websession-db-url") is None else SERVERS_OF_ONES_OWN
    unknown = [name for name in _engines(config) if name not in choices]
    if not unknown:
        return
    if choices is ENGINES:
        raise pytest.UsageError(
            f"--websession-engines: unknown {', '.join(unknown)}; known are {', '.join(ENGINES)}"
        )
    # The URL itself is not shown: it has a password in it.
    raise pytest.UsageError(
        "--websession-db-url wants the URL of a PostgreSQL, MariaDB or MySQL server, as in "
        "postgresql+psycopg://user:password@host/database (for SQLite say --websession-engines=sqlite)"
    )


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which engines this run uses, and what is missing for the others."""
    if importlib.util.find_spec("sqlalchemy") is None:
        return []  # the URLs are of no use here
    engines = _engines(config)
    if config.getoption("--websession-db-url") is not None:
        return [f"websession: {engines[0]}, on the server of --websession-db-url"]
    reasons = {name: _lack_of(name) for name in engines}
    usable = [name for name, reason in reasons.items() if reason is None]
    return [
        f"websession: {', '.join(usable) or 'no database engine'}",
        *(
            f"websession: {reason}; its tests are skipped"
            for reason in reasons.values()
            if reason is not None
        ),
    ]


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks that parametrize
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses a database once per engine, unless it names its engines itself."""
    fixture = "websession_engine_name"
    argnames = [
        mark.args[0] if mark.args else mark.kwargs.get("argnames", "")
        for mark in metafunc.definition.iter_markers("parametrize")
    ]
    if fixture not in metafunc.fixturenames and fixture in names_asked_for_later(metafunc):
        metafunc.fixturenames.append(fixture)
    if fixture in metafunc.fixturenames and not any(fixture in names for names in argnames):
        metafunc.parametrize(fixture, _engines(metafunc.config), indirect=True, scope="session")


@pytest.fixture(scope="session")
def websession_engine_name(request: pytest.FixtureRequest) -> str:
    """The engine of this run of the test: `sqlite`, `postgresql`, `mariadb` or `mysql`.

    With `--websession-db-url`, it is the engine of that URL.
    """
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def websession_postgresql() -> Iterator[PostgreSQLServer]:
    """A throw-away PostgreSQL server, one per test process; skips if it cannot run."""
    from .servers import PostgreSQLServer  # noqa: PLC0415 - late, see the module's text

    # PostgreSQL switches two-phase commits off; tests of an application that uses them must not need a
    # server of their own.
    yield from _throw_away(PostgreSQLServer, {"max_prepared_transactions": "16"})


@pytest.fixture(scope="session")
def websession_mariadb() -> Iterator[MariaDBServer]:
    """A throw-away MariaDB server, one per test process; skips if it cannot run."""
    from .servers import MariaDBServer  # noqa: PLC0415 - late, see the module's text

    yield from _throw_away(MariaDBServer)


@pytest.fixture(scope="session")
def websession_mysql() -> Iterator[MySQLServer]:
    """A throw-away MySQL server, one per test process; skips if it cannot run."""
    from .servers import MySQLServer  # noqa: PLC0415 - late, see the module's text

    yield from _throw_away(MySQLServer)


@pytest.fixture(scope="session")
def _websession_own_server(pytestconfig: pytest.Config) -> OwnServer:
    from .servers._own import OwnServer  # noqa: PLC0415 - late, see the module's text

    # pytest-xdist's workers have this attribute.
    shared = hasattr(pytestconfig, "workerinput")
    with _reported_plainly():
        return OwnServer(pytestconfig.getoption("--websession-db-url"), shared=shared)


@pytest.fixture(scope="session")
def _websession_new_database(
    request: pytest.FixtureRequest,
) -> Callable[[str, Path], contextlib.AbstractContextManager[str]]:
    """Make a database, given the name of the engine and the folder for an SQLite file."""

    @contextlib.contextmanager
    def new_database(engine: str, folder: Path) -> Iterator[str]:
        if engine not in _engines(request.config):
            pytest.skip(f"{engine} is not among the engines of this run")
        if engine == "sqlite":
            yield f"sqlite:///{folder / 'websession.sqlite'}"
            return
        own = request.config.getoption("--websession-db-url") is not None
        server: DatabaseServer | OwnServer = request.getfixturevalue(
            "_websession_own_server" if own else f"websession_{engine}"
        )
        with _reported_plainly():
            url = server.create_database()
        yield url
        server.drop_database(url)

    return new_database


@pytest.fixture
def websession_database_url(
    websession_engine_name: str,
    _websession_new_database: Callable[[str, Path], contextlib.AbstractContextManager[str]],
    tmp_path: Path,
) -> Iterator[str]:
    """The SQLAlchemy URL of a new, empty database, dropped after the test; once per engine.

    Create the engine as your application does: on SQLite, the application decides about WAL and BEGIN
    IMMEDIATE.
    """
    with _websession_new_database(websession_engine_name, tmp_path) as url:
        yield url


@contextlib.contextmanager
def _reported_plainly() -> Iterator[None]:
    """Report what a server says as it is: a traceback through this plugin would say nothing more."""
    from .servers import ServerError  # noqa: PLC0415 - late, see the module's text

    try:
        yield
    except ServerError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _throw_away(kind: type[Server], settings: dict[str, str] | None = None) -> Iterator[Server]:
    from .servers import ServerUnavailableError  # noqa: PLC0415 - late, see the module's text

    try:
        server = kind(settings=settings)
        server.start()
    except ServerUnavailableError as error:
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.close()


def _engines(config: pytest.Config) -> list[str]:
    """Return the names of the engines this run uses, in the order asked for."""
    url = config.getoption("--websession-db-url")
    if url is not None:
        return [url.partition(":")[0].partition("+")[0]]
    names = (name.strip() for name in config.getoption("--websession-engines").split(","))
    return list(dict.fromkeys(name for name in names if name))


def _lack_of(engine: str) -> str | None:
    if engine == "sqlite":
        return None
    from . import servers  # noqa: PLC0415 - late, see above

    kinds = (servers.PostgreSQLServer, servers.MariaDBServer, servers.MySQLServer)
    return next(kind.missing() for kind in kinds if kind.engine == engine)
