"""While an upgrade rolls out, workers of 0.2.0 and of today serve the same browsers from the same tables.

0.2.0 is installed from its commit, and has made the tables. Which of the two answers a request is drawn; so
is what a browser does, and when. (Journeys with the same seed are the same, but for what happens at once.)
"""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import witness_app
from kinds import EVERY_KIND
from pyramid_sqlalchemy_sessions import generate_secret_key
from pytest_websession.clock import ManualClock
from sqlalchemy import create_engine, inspect
from witness_app import QUEUES, SETTINGS
from workers import (
    THIS_PYTHON,
    Answer,
    Application,
    Browser,
    HistoryError,
    Server,
    Worker,
    install_0_2_0,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NEW_SETTINGS = {f"{name}.alongside_0_2": "true" for name in ("session", "visit", "staff")}
"""Settings of the new workers as long as there are old ones: they hold back what these cannot read."""

DAY = 86400
OLD, NEW = 0, 1
PAUSES = (0, 0, 1, 5, 30, 59, 61, 119, 121, 300, 610, 900, 1300)
"""Seconds between two requests; the idle timeout is 1800, a renewal is due after 600, and the grace is 60."""


@pytest.fixture(scope="session")
def python_with_0_2_0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install 0.2.0, once for all tests."""
    try:
        return install_0_2_0(tmp_path_factory.mktemp("0.2.0"))
    except HistoryError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def settings_for(url: str) -> dict[str, str]:
    """Return the settings of workers that share a database."""
    keys = ("session.secret_key", "visit.secret_key", "staff.secret_key", "session.data_secret_key")
    return {
        **SETTINGS,
        **{name: generate_secret_key() for name in keys},
        "session.absolute_timeout": str(60 * DAY),
        "sqlalchemy.url": url,
        "witness.clock": "0",
    }


@pytest.fixture
def workers(
    python_with_0_2_0: Path, websession_database_url: str, tmp_path: Path
) -> Iterator[tuple[Worker, Worker]]:
    """Serve one database by 0.2.0, which makes the tables, and by what is here; both have nothing to log."""
    settings = settings_for(websession_database_url)
    logs = tmp_path / "old.log", tmp_path / "new.log"
    with ExitStack() as stack:
        old = stack.enter_context(
            Worker(python_with_0_2_0, {**settings, "witness.make_tables": True}, logs[OLD])
        )
        new = stack.enter_context(Worker(THIS_PYTHON, {**settings, **NEW_SETTINGS}, logs[NEW]))
        yield old.started(), new.started()
    assert [log.read_text() for log in logs] == ["", ""]
    engine = create_engine(websession_database_url)
    names = inspect(engine).get_table_names()
    engine.dispose()
    assert sorted(names) == ["session", "session_activity", "staff_session", "visit"]


class Journey:
    """One browser's long way through the shop, and what it must find there at every step.

    Args:
        servers: The old one and the new one.
        seed: For everything that is drawn.

    Attributes:
        handed_over: How often a renewal was begun by the first of a pair, and acknowledged by the second.
    """

    def __init__(self, servers: tuple[Server, Server], seed: int) -> None:
        self._servers = servers
        self._chance = random.Random(seed)
        self._clock = ManualClock(1_800_000_000 + self._chance.randrange(DAY))
        self._browser = Browser(self, self._clock)
        self._steps: list[str] = []
        self._renewing: int | None = None
        self.handed_over: Counter[tuple[int, int]] = Counter()
        # What the sessions hold.
        self._userid: int | None = None
        self._remembered = False
        self._data: dict[str, Any] = {}
        self._flash: dict[str, list[Any]] = {queue: [] for queue in QUEUES}
        self._visit: dict[str, Any] = {}
        self._staff: tuple[str | None, dict[str, Any]] = (None, {})

    def ask(self, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Let one of the two answer."""
        which = self._chance.choice((OLD, NEW))
        answer = self._servers[which].ask(path, headers, body)
        self._note(which, path, answer)
        return answer

    def _note(self, which: int, path: str, answer: Answer) -> None:
        self._steps.append(
            f"{('old', 'new')[which]} {path} {answer.status} {'cookie' * bool(answer.cookies)}"
        )
        if path.startswith("/session"):
            if self._renewing is not None:
                self.handed_over[self._renewing, which] += 1
            # What else sends a cookie to a user is a login, which is sent at once with another request.
            self._renewing = which if self._userid is not None and answer.cookies else None

    def _check(self, shown: Any, expected: Any) -> None:
        assert shown == expected, "\n".join(self._steps[-30:])

    # -- what it does --------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Let time pass."""
        further = (DAY, 3 * DAY) if self._remembered else ()
        self._steps.append(f"at {self._clock.advance(self._chance.choice(PAUSES + further))}")

    def look(self) -> None:
        """Find everything as it was left."""
        shown = self._browser.get("/session/look")
        self._check((shown["userid"], shown["authenticated_userid"]), (self._userid, self._userid))
        self._check(shown["data"], self._data)
        self._check(shown["flash"], self._flash)

    def put(self) -> None:
        """Change one thing."""
        key = self._chance.choice(list(EVERY_KIND))
        value = self._chance.choice([EVERY_KIND[key], self._chance.randrange(1000), {"in": [EVERY_KIND[""]]}])
        self._browser.post("/session/put", {key: value})
        self._data[key] = value

    def flash(self) -> None:
        """Get a message, or read those of a queue."""
        queue = self._chance.choice(QUEUES)
        if self._flash[queue] and self._chance.random() < 0.5:
            self._check(self._browser.post("/session/pop_flash", queue), self._flash[queue])
            self._flash[queue] = []
        else:
            message = self._chance.choice(EVERY_KIND["tagged"])
            self._browser.post("/session/flash", [queue, message])
            self._flash[queue].append(message)

    def buy(self) -> None:
        """Open a form, and send it some time later."""
        token = self._browser.get("/session/form")
        self.pause()
        item = self._chance.randrange(1000)
        self._browser.post("/session/buy", item, token=token)
        self._data.setdefault("cart", []).append(item)

    def buy_in_two_tabs(self) -> None:
        """Send two forms at once, one to each worker; a session of a visitor begins before."""
        if not self._data:
            self.put()
        token = self._browser.get("/session/form")
        self.pause()
        items = self._chance.sample(range(1000), 2)
        self._at_once(*(("/session/buy", item, token) for item in items))
        before = self._data.setdefault("cart", [])
        after = self._browser.get("/session/look")["data"]["cart"]
        self._check((after[:-2], sorted(after[-2:])), (before, sorted(items)))
        self._data["cart"] = after

    def look_in_two_tabs(self) -> None:
        """Look at two pages at once, one from each worker."""
        answers = self._at_once("/session/look", "/session/look")
        self._check([answer.json["data"] for answer in answers], [self._data, self._data])

    def visit(self) -> None:
        """Use the session that has nothing but the base."""
        key = self._chance.choice(list(EVERY_KIND))
        self._browser.post("/visit/put", {key: EVERY_KIND[key]})
        self._visit[key] = EVERY_KIND[key]
        self._check(self._browser.get("/visit/look")["data"], self._visit)

    def staff(self) -> None:
        """Use the session that has users and no timeouts."""
        userid, data = self._staff
        if userid is not None and self._chance.random() < 0.2:
            self._browser.post("/staff/logout")
            self._staff = None, {}
        elif self._chance.random() < 0.5:
            self._browser.post("/staff/login", {"userid": userid or "jürgen"})
            self._staff = userid or "jürgen", data
        else:
            self._browser.post("/staff/put", {"n": self._chance.randrange(1000)})
            data["n"] = self._browser.get("/staff/look")["data"]["n"]
        shown = self._browser.get("/staff/look")
        self._check((shown["userid"], shown["data"]), self._staff)

    def wander(self, steps: int) -> None:
        """Do this and that."""
        everything = [
            *(self.look, self.look, self.put, self.flash, self.buy, self.visit, self.staff),
            *(self.buy_in_two_tabs, self.look_in_two_tabs),
        ]
        for _ in range(steps):
            self.pause()
            self._chance.choice(everything)()
            self.look()

    # -- who it is -----------------------------------------------------------------------------------------

    def login(self, userid: int, **wishes: int) -> None:
        """Log in, from nobody or once more, while another tab is loading."""
        self._settle()
        self._at_once(
            ("/session/login", {"userid": userid, "settings": wishes or None}, None), "/session/look"
        )
        self._userid, self._remembered = userid, bool(wishes) or self._remembered
        self.look()

    def login_elsewhere(self) -> None:
        """Log in with more browsers than a user may have: the one that was logged in longest ago is ended."""
        first, *others = browsers = [Browser(self, self._clock) for _ in range(3)]
        first.post("/session/login", {"userid": self._userid})
        self._clock.advance(1)
        self.login(self._userid)
        for browser in others:
            self._clock.advance(1)
            browser.post("/session/login", {"userid": self._userid})
        self._renewing = None
        users = [browser.get("/session/look")["userid"] for browser in browsers]
        self._check(users, [None, self._userid, self._userid])
        self.look()

    def login_as_another(self, userid: int) -> None:
        """Log another user in; whether that one finds what the first has left is not for this test to say."""
        self._browser.post("/session/login", {"userid": userid})
        self._userid, self._remembered, self._renewing = userid, False, None
        shown = self._browser.get("/session/look")
        self._check(shown["userid"], userid)
        self._check(shown["data"] in ({}, self._data), True)
        self._data, self._flash = shown["data"], shown["flash"]
        self.look()

    def logout(self) -> None:
        """Log out while another tab is loading."""
        self._settle()
        self._at_once(("/session/logout", None, None), "/session/look")
        self._check("session" in self._browser.cookies, False)
        self._userid, self._remembered, self._data = None, False, {}
        self._flash = {queue: [] for queue in QUEUES}
        self.look()

    # -- private -------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Come to where no renewal is under way: its cookie may land after the login's, as documented."""
        self.look()
        self.look()

    def _at_once(self, *requests: Any) -> list[Answer]:
        """Send two requests with the same cookies, and receive what comes back in any order."""
        order = self._chance.sample((OLD, NEW), 2)
        self._renewing = None

        def send(which: int, request: Any) -> Answer:
            worker = self._servers[which]
            if isinstance(request, str):
                return self._browser.send(request, server=worker)
            path, content, token = request
            return self._browser.send(path, content, token=token, method="POST", server=worker)

        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(send, order, requests))
        for which, request, answer in zip(order, requests, answers, strict=True):
            self._note(which, f"at once: {request if isinstance(request, str) else request[0]}", answer)
            self._check(answer.status, 200)
        for answer in self._chance.sample(answers, 2):
            self._browser.receive(answer)
        return answers


@pytest.fixture
def todays_workers(websession_database_url: str) -> Iterator[tuple[Application, Application]]:
    """Serve one database by two that are here, of which the first still holds back what 0.2.0 cannot read."""
    settings = settings_for(websession_database_url)
    first, second = witness_app.main({}, **settings, **NEW_SETTINGS), witness_app.main({}, **settings)
    witness_app.Base.metadata.create_all(witness_app.engines[0])
    yield Application(first), Application(second)
    for engine in witness_app.engines:
        engine.dispose()
    witness_app.engines.clear()


def handed_over_in_a_journey(servers: tuple[Server, Server], seed: int) -> Counter[tuple[int, int]]:
    """Return how often each of the two has acknowledged a renewal that each of them had begun."""
    journey = Journey(servers, seed)
    user, another = 10 * seed, 10 * seed + 1
    journey.put()
    journey.wander(10)
    journey.login(user)
    journey.wander(20)
    journey.login(user)
    journey.wander(10)
    journey.login(user, cookie_max_age=30 * DAY, idle_timeout=14 * DAY)
    journey.wander(10)
    journey.login_as_another(another)
    journey.wander(10)
    journey.logout()
    journey.wander(5)
    journey.login(user)
    journey.login_elsewhere()
    journey.wander(5)
    return journey.handed_over


def test_nobody_is_logged_out_and_nothing_is_lost(workers: tuple[Worker, Worker]) -> None:
    handed_over: Counter[tuple[int, int]] = Counter()
    for seed in (1, 2, 3):
        handed_over += handed_over_in_a_journey(workers, seed)
    # In all four ways: what one has begun the other goes on with.
    assert set(handed_over) == {(OLD, OLD), (OLD, NEW), (NEW, OLD), (NEW, NEW)}


@pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
def test_nor_while_the_setting_is_taken_out_of_one_worker_after_the_other(
    todays_workers: tuple[Application, Application],
) -> None:
    assert handed_over_in_a_journey(todays_workers, seed=1)
