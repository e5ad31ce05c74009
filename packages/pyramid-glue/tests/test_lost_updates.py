"""No update is ever lost: at every isolation level, with every driver, whatever the engine would let happen.

``hatch test packages/pyramid-glue/tests/test_lost_updates.py -m slow -n 0`` counts higher and prints
a table.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import Counter

import pytest
from pyramid_retry import IBeforeRetry
from site_under_test import of_driver, with_driver
from sqlalchemy import event

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
DRIVERS = {
    "postgresql": ("psycopg", "psycopg2"),
    "mariadb": ("pymysql", "mysqlconnector"),
    "mysql": ("pymysql", "mysqlconnector", "mysqldb"),
}

# engine, driver, isolation level, innodb_snapshot_isolation
CASES = [
    ("sqlite", "pysqlite", None, None),
    *(
        (engine, driver, level, None)
        for engine in ("postgresql", "mysql")
        for driver in DRIVERS[engine]
        for level in LEVELS
    ),
    *(
        ("mariadb", driver, level, snapshot)
        for driver, level, snapshot in itertools.product(DRIVERS["mariadb"], LEVELS, ("OFF", "ON"))
    ),
]
NAMES = [" ".join(filter(None, case)) for case in CASES]

each_case = pytest.mark.parametrize(
    ("websession_engine_name", "driver", "level", "snapshot"),
    [pytest.param(*case, marks=of_driver(case[1])) for case in CASES],
    indirect=["websession_engine_name"],
    ids=NAMES,
)
sizes = [
    pytest.param((4, 6), id="small"),
    pytest.param((8, 50), id="large", marks=pytest.mark.slow),
]


class Contest:
    """Threads that use one session at the same time, each until all its requests are through."""

    def __init__(self, make_site, url, *, driver, level, snapshot, threads):
        options = {"pool_size": threads}
        if level is not None:
            options["isolation_level"] = level
        else:
            options["connect_args"] = {"timeout": 60}
        self.retries = Counter()
        self.site = make_site(
            url=with_driver(url, driver),
            engine_options=options,
            # However often it takes: what is counted here is what is lost, not how long it takes.
            settings={"retry.attempts": 1000},
            configure=lambda config: config.add_subscriber(self._count, IBeforeRetry),
        )
        if snapshot is not None:

            @event.listens_for(self.site.engine, "connect")
            def configure(connection, _record):
                with contextlib.closing(connection.cursor()) as cursor:
                    cursor.execute(f"SET SESSION innodb_snapshot_isolation = {snapshot}")

            self.site.engine.dispose()
        self.threads = threads
        self.site.views["start"] = lambda request: request.session.update(n=0)
        self.first = self.site.browser()
        self.first.get("/start")

    def _count(self, before_retry):
        self.retries[type(before_retry.exception).__name__] += 1

    def run(self, paths):
        """Let each thread ask for its path, as often as said."""
        token = self.first.cookies["websession"]
        barrier = threading.Barrier(self.threads)
        failures = []

        def work(path, rounds):
            browser = self.site.browser()
            browser.set_cookie("websession", token)
            barrier.wait(60)
            try:
                for _ in range(rounds):
                    browser.get(path)
            except Exception as error:  # noqa: BLE001 - a thread's error is told by the main one
                failures.append(error)

        workers = [threading.Thread(target=work, args=each) for each in paths]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not failures
        return self.first.get("/look").json_body


@pytest.fixture
def make_contest(make_site, websession_database_url, driver, level, snapshot):
    def make(threads):
        return Contest(
            make_site, websession_database_url, driver=driver, level=level, snapshot=snapshot, threads=threads
        )

    return make


@each_case
@pytest.mark.parametrize("size", sizes)
def test_a_counter_that_all_threads_raise_is_exact(make_contest, size, request, capsys):
    threads, rounds = size
    contest = make_contest(threads)

    @contest.site.view
    def count(request):
        request.session["n"] += 1

    found = contest.run([("/count", rounds)] * threads)
    if request.node.get_closest_marker("slow"):
        retries = ", ".join(f"{number} {name}" for name, number in contest.retries.items()) or "none"
        case = request.node.callspec.id
        with capsys.disabled():
            print(f"\n{case}: expected {threads * rounds}, got {found['n']}, retries: {retries}")  # noqa: T201 - the table
    assert found == {"n": threads * rounds}


@each_case
@pytest.mark.parametrize("size", sizes)
def test_changes_of_different_keys_at_the_same_time_all_survive(make_contest, size):
    threads, rounds = size
    contest = make_contest(threads)

    def view(name):
        def change(request):
            request.session[name] = request.session.get(name, 0) + 1

        contest.site.views[name] = change

    for number in range(threads):
        view(f"key{number}")
    found = contest.run([(f"/key{number}", rounds) for number in range(threads)])
    assert found == {"n": 0, **{f"key{number}": rounds for number in range(threads)}}
