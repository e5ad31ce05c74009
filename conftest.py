"""Lets the tests find the MySQL server that `hatch run mysql:get` has brought, and bounds their number."""

from __future__ import annotations

import os
import re
import zlib
from collections import defaultdict
from pathlib import Path

import pytest

server = Path(__file__).parent / ".mysql" / "mysqld"
if server.exists():
    os.environ.setdefault("WEBSESSION_MYSQLD", str(server))

ENGINE = re.compile(r"(?<=[\[-])(sqlite|postgresql|mariadb|mysql)(?=[]-])")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave two thirds of a test's cases on MariaDB and MySQL to the slow run, the same on both.

    It is about tests with several cases that run on every engine, and only where all engines are tested:
    SQLite and PostgreSQL have all the cases in every run.
    """
    names = {item.nodeid for item in items}
    cases = defaultdict(list)
    for item in items:
        engine = ENGINE.search(item.nodeid)
        if engine and engine[1] in {"mariadb", "mysql"}:
            others = [ENGINE.sub(other, item.nodeid) for other in ("sqlite", "postgresql")]
            if names.issuperset(others):
                cases[engine[1], item.nodeid.partition("[")[0]].append((zlib.crc32(others[0].encode()), item))
    for cases_of_one in cases.values():
        by_chance = [item for _, item in sorted(cases_of_one, key=lambda case: case[0])]
        for item in by_chance[-(-len(by_chance) // 3) :]:
            item.add_marker(pytest.mark.slow)
