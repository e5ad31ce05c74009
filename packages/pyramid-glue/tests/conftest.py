"""A small Pyramid application on a real database, whose views a test writes as plain functions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# pytest's importlib mode, which the workspace uses, puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))

import command_site
from click.testing import CliRunner
from read_only_database import MySQLServer, PostgreSQLDatabase, ReadOnlyDatabase, SQLiteFile
from site_under_test import Site
from websession_pyramid.command import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result


@pytest.fixture
def make_site(websession_database_url: str) -> Iterator[Callable[..., Site]]:
    """Make applications on the test's database; each must have given all its connections back."""
    sites: list[Site] = []

    def make(**options: Any) -> Site:
        site = Site(**{"url": websession_database_url, **options})
        sites.append(site)
        return site

    yield make
    leaked = [site.engine.pool.checkedout() for site in sites if hasattr(site.engine.pool, "checkedout")]
    for site in sites:
        site.engine.dispose()
    assert not any(leaked), "a connection was not given back to the pool"


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """An application with every default."""
    return make_site()


@pytest.fixture
def ini(websession_database_url: str, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Write the ini file of an application on the test's database."""

    def write(**settings: str | None) -> str:
        return command_site.write_ini(tmp_path, websession_database_url, **settings)

    yield write
    while command_site.engines:
        command_site.engines.pop().dispose()


@pytest.fixture
def command() -> Callable[..., Result]:
    """Run `pyramid-sessions` in this process; a traceback fails the test."""

    def run(*arguments: str, answer: str | None = None) -> Result:
        result = CliRunner().invoke(main, arguments, input=answer)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def read_only_database(
    websession_engine_name: str, websession_database_url: str, request: pytest.FixtureRequest
) -> Iterator[ReadOnlyDatabase]:
    """A database that takes writes, until it is told otherwise."""
    if request.config.getoption("--websession-db-url") is not None:
        pytest.skip("the server of --websession-db-url is not a test's to make read-only")
    database: ReadOnlyDatabase
    match websession_engine_name:
        case "sqlite":
            database = SQLiteFile(websession_database_url)
        case "postgresql":
            database = PostgreSQLDatabase(websession_database_url)
        case _:
            option = {"mariadb": "read_only", "mysql": "super_read_only"}[websession_engine_name]
            database = MySQLServer(websession_database_url, option)
    yield database
    database.close()
