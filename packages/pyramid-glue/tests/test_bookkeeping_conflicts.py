"""Bookkeeping never makes the application's transaction fail, wait or retry, on any engine, at any isolation.

Each test runs a small round; the same with the figures of the documentation is marked slow, and says what it
counted: ``hatch test -- -n 0 -m slow -rP packages/pyramid-glue/tests/test_bookkeeping_conflicts.py``.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter

import pytest
from pyramid_retry import IBeforeRetry
from site_under_test import FullSession
from sqlalchemy import event

IDLE = 600
SETTINGS = {
    "session.idle_timeout": IDLE,
    "session.absolute_timeout": 10**7,
    "session.renewal_timeout": 3000,
    "retry.attempts": 3,
}
ISOLATIONS = [
    ("sqlite", None, False),
    *(
        (engine, isolation, False)
        for engine in ("postgresql", "mariadb", "mysql")
        for isolation in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
    ),
    ("mariadb", "REPEATABLE READ", True),
    ("mariadb", "SERIALIZABLE", True),
]
SMALL = {"loads": 8, "reads": 8, "brief": 2, "slow": 1}
LARGE = {"loads": 60, "reads": 50, "brief": 50, "slow": 8}

pytestmark = [
    pytest.mark.parametrize(
        ("websession_engine_name", "isolation", "snapshot"),
        [
            pytest.param(*each, id=f"{each[0]}-{each[1]}{'-snapshot' if each[2] else ''}")
            for each in ISOLATIONS
        ],
        indirect=["websession_engine_name"],
    ),
    pytest.mark.parametrize(
        "size", [pytest.param(SMALL, id="small"), pytest.param(LARGE, id="large", marks=pytest.mark.slow)]
    ),
]


class Traffic:
    """Requests of one session, in parallel, and what went wrong with them."""

    def __init__(self, site, retries):
        self.site = site
        self.retries = retries
        self.errors = Counter()
        self.sent = []
        self.out = 0
        self.cookie = None
        self._browser = site.browser()

    def log_in(self):
        self._browser.get("/login")
        self.cookie = self._browser.cookies["websession"]

    def send(self, path):
        self.sent.append(path)
        browser = self.site.browser()
        browser.set_cookie("websession", self.cookie)
        try:
            answer = browser.get(path)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is counted
            self.errors[repr(error)[:200]] += 1
            return
        if answer.json_body != 7:
            self.out += 1
        if "Set-Cookie" in answer.headers:
            self.cookie = browser.cookies["websession"]

    def at_once(self, *paths):
        barrier = threading.Barrier(len(paths))

        def work(path):
            barrier.wait()
            self.send(path)

        threads = [threading.Thread(target=work, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def went_well(self):
        counted = (len(self.sent), len(self.retries), self.errors.total())
        sys.stdout.write("{} requests, {} retries, {} errors\n".format(*counted))
        assert not self.errors
        assert self.retries == []
        assert self.out == 0, "a user who was active was logged out"


@pytest.fixture
def traffic(make_site, websession_engine_name, isolation, snapshot):
    retries = []
    options = {"pool_size": 10}
    if isolation is not None:
        options["isolation_level"] = isolation
    else:
        # Every transaction takes SQLite's one write lock at its beginning: slow views have to queue.
        options["connect_args"] = {"timeout": 60}
    site = make_site(
        model=FullSession,
        settings=SETTINGS,
        engine_options=options,
        configure=lambda config: config.add_subscriber(
            lambda before: retries.append(repr(before.exception)[:200]), IBeforeRetry
        ),
    )
    if snapshot:

        @event.listens_for(site.engine, "connect")
        def _connect(connection, _record):
            cursor = connection.cursor()
            cursor.execute("SET SESSION innodb_snapshot_isolation=ON")
            cursor.close()

        site.engine.dispose()

    @site.view
    def login(request):
        request.session.login(7)
        return 7

    site.views["read"] = lambda request: request.session.userid

    @site.view
    def write(request):
        request.session["n"] = request.session.get("n", 0) + 1
        return request.session.userid

    @site.view
    def brief(request):
        userid = request.session.userid
        time.sleep(0.02)
        return userid

    @site.view
    def slow(request):
        userid = request.session.userid
        time.sleep(1.1)
        return userid

    traffic = Traffic(site, retries)
    traffic.log_in()
    return traffic


def test_page_loads_of_six_requests_one_of_which_writes(traffic, size):
    site = traffic.site
    for load in range(size["loads"]):
        # A pause: a touch is due, now and then one that is so overdue that it has to insist.
        site.clock.advance(400 if load % 3 == 2 else 100)
        traffic.at_once("/write", *["/read"] * 5)
    traffic.went_well()
    assert site.rows()[0].data == {"n": size["loads"]}
    (row,) = site.activity()
    # Within one delay of the truth, at the most one page load late (readers of MySQL's family lock what they
    # read at SERIALIZABLE).
    assert site.clock.now - row["active_at"] <= 400
    assert row["expires_at"] == row["active_at"] + IDLE


def test_many_readers(traffic, size):
    site = traffic.site

    def read():
        for _ in range(size["reads"]):
            # With the requests: however long one takes on a busy machine, the user is not idle meanwhile.
            site.clock.advance(5)
            traffic.send("/read")

    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    traffic.went_well()


@pytest.mark.parametrize("view", ["brief", "slow"])
def test_bursts_of_eight_requests_that_all_find_a_touch_due(traffic, size, view):
    for _ in range(size[view]):
        traffic.site.clock.advance(100)
        traffic.at_once(*[f"/{view}"] * 8)
    traffic.went_well()
    (row,) = traffic.site.activity()
    # The readers of MySQL's family lock what they read: the touch may then be the next burst's.
    assert row["active_at"] >= traffic.site.clock.now - 100
