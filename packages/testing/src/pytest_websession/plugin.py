"""The pytest plugin: databases for tests of applications that keep sessions in a database.

pytest imports this module in every run of every project it is installed beside, so it imports pytest
and nothing else; what a fixture needs is imported in the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_websession.servers import DatabaseServer, MariaDBServer, PostgreSQLServer

__all__ = [
    "websession_database_url",
    "websession_engine_name",
    "websession_mariadb",
    "websession_postgresql",
]

ENGINES = ("sqlite", "postgresql", "mariadb")
ENGINE_FIXTURE = "websession_engine_name"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the two options."""
    group = parser.getgroup("websession", "databases for web session tests")
    group.addoption(
        "--websession-engines",
        metavar="NAMES",
        default=",".join(ENGINES),
        help="database engines to run on, separated by commas (default: %(default)s); tests on an engine that "
        "is not installed are skipped",
    )
    group.addoption(
        "--websession-db-url",
        metavar="URL",
        default=None,
        help="SQLAlchemy URL of a PostgreSQL or MariaDB server of your own, the only engine then; each test "
        "gets a new database on it if the account may create one, else the URL's own, which must be empty",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that name no engine we know."""
    unknown = [name for name in _engines(config) if name not in (*ENGINES, "mysql")]
    if unknown:
        raise pytest.UsageError(
            f"--websession-engines: unknown {', '.join(unknown)}; known are {', '.join(ENGINES)}"
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses a database once per engine, unless it names its engines itself."""
    named = any(
        ENGINE_FIXTURE in str(mark.args[0])
        for mark in metafunc.definition.iter_markers("parametrize")
        if mark.args
    )
    if ENGINE_FIXTURE in metafunc.fixturenames and not named:
        metafunc.parametrize(ENGINE_FIXTURE, _engines(metafunc.config), indirect=True, scope="session")


@pytest.fixture(scope="session")
def websession_engine_name(request: pytest.FixtureRequest) -> str:
    """The engine of this run of the test: `sqlite`, `postgresql` or `mariadb`."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def websession_postgresql() -> Iterator[PostgreSQLServer]:
    """A throw-away PostgreSQL server, one per test process; skips where it cannot run."""
    from pytest_websession.servers import PostgreSQLServer, ServerUnavailable  # noqa: PLC0415 - late, see above

    try:
        server = PostgreSQLServer()
    except ServerUnavailable as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def websession_mariadb() -> Iterator[MariaDBServer]:
    """A throw-away MariaDB server, one per test process; skips where it cannot run."""
    from pytest_websession.servers import MariaDBServer, ServerUnavailable  # noqa: PLC0415 - late, see above

    try:
        server = MariaDBServer()
    except ServerUnavailable as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def websession_database_url(websession_engine_name: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The SQLAlchemy URL of a new empty database, dropped after the test; once per engine."""
    if websession_engine_name == "sqlite":
        tmp_path = request.getfixturevalue("tmp_path")
        yield f"sqlite:///{tmp_path / 'websession.sqlite'}"
        return
    server: DatabaseServer = request.getfixturevalue(f"websession_{websession_engine_name}")
    url = server.create_database()
    yield url
    server.drop_database(url)


def _engines(config: pytest.Config) -> list[str]:
    return [name.strip() for name in config.getoption("--websession-engines").split(",") if name.strip()]
