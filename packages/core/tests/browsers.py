"""A model of browsers, a network and servers that runs the real lifecycle.

A `World` has one store, several servers whose clocks differ, and a heap of events in simulated time. A
`Browser` has a jar with one cookie. A request is sent, arrives, ends, and its response is processed; what
becomes of it on the way is its `Journey`: how long each leg takes, and which of the two messages or the
server is lost.

- The decision falls when the request arrives, from the row as a copy of the store may show it.
- Writes happen when it ends: first the application's transaction, then the bookkeeping.
- The browser has a new cookie once it has processed the response, in whichever order responses come.

The model knows what really happened, so it can tell a false alarm from a right one. A false alarm
is raised as `FalseAlarm`; what is no fault of the rules is counted in `World.excused`.
"""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from websession_core import lifecycle
from websession_core.lifecycle import Duty, NewSession, Standing, Verdict
from websession_core.state import Activity, SessionState, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable

    from websession_core.policies import Policies


class Action(Enum):
    """What a request does with the session, besides reading it."""

    PAGE = "page"
    WRITE = "write"
    START = "start"
    LOGIN = "login"
    LOGOUT = "logout"
    REGENERATE = "regenerate"


@dataclass(frozen=True)
class Journey:
    """What becomes of one request.

    Attributes:
        up, service, down: Seconds from sending to arrival, to the end, to the processed response.
        server: Which server it reaches.
        lag: How many seconds old the copy is that its row is read from; 0: the store itself.
        lost: It never arrives.
        crashed: The server dies between the commit and the bookkeeping; nobody gets a response.
        locked: Bookkeeping that does not insist finds the row locked, and is skipped.
        unanswered: The response never arrives.
    """

    up: float = 0.1
    service: float = 0.1
    down: float = 0.1
    server: int = 0
    lag: float = 0
    lost: bool = False
    crashed: bool = False
    locked: bool = False
    unanswered: bool = False


@dataclass(eq=False)
class Browser:
    """A cookie jar and whoever uses it.

    Attributes:
        jar: The cookie it shows with every request.
        honest: Whether it got its cookies from us; a thief copied the first one.
        keeps: Whether it keeps a cookie that is offered; a thief may swallow candidates.
        logged_in: Whether it has seen a login succeed and nothing to the contrary.
        under_way: How many of its requests are.
        cookies: How many cookies it processed.
    """

    name: str
    jar: Ticket | None = None
    honest: bool = True
    keeps: Callable[[Ticket], bool] = lambda _ticket: True
    logged_in: bool = False
    under_way: int = 0
    cookies: int = 0


@dataclass(eq=False)
class Request:
    """One request on its journey."""

    browser: Browser
    action: Action
    journey: Journey
    ticket: Ticket | None
    verdict: Verdict | None = None
    cookie: Ticket | None = None
    candidate: bool = False


@dataclass
class Truth:
    """What really happened to a session."""

    used_at: float
    created_at: float
    ended: bool = False
    excuse: str | None = None
    landed: set[Ticket] = field(default_factory=set)


class FalseAlarm(AssertionError):  # noqa: N818 - the name of what is looked for
    """An honest browser was taken for a thief, or logged out."""


class BrokenPromise(AssertionError):  # noqa: N818 - likewise
    """A cookie was sent, or a write happened, that the rules exclude."""


class Store:
    """Rows, and all that they ever were: what a lagging replica or a backup would show."""

    def __init__(self) -> None:
        self.rows: dict[uuid.UUID, SessionState] = {}
        self.history: dict[uuid.UUID, list[tuple[float, SessionState | None]]] = {}

    def read(self, session_id: uuid.UUID, at: float | None = None) -> SessionState | None:
        """Return the row as it is, or as it was at some time."""
        if at is None:
            return self.rows.get(session_id)
        for moment, state in reversed(self.history.get(session_id, ())):
            if moment <= at:
                return state
        return None

    def put(self, session_id: uuid.UUID, state: SessionState | None, clock: float) -> None:
        if state is None:
            self.rows.pop(session_id, None)
        else:
            self.rows[session_id] = state
        past = self.history.setdefault(session_id, [])
        past.append((clock, state))
        del past[:-200]

    def apply(self, write: lifecycle.Bookkeeping, clock: float) -> bool:
        """Compare and set; return whether it took effect."""
        state = self.rows.get(write.session_id)
        if state is None:
            return False
        activity = state.activity
        if write.duty is Duty.RECORD:
            if activity is not None:
                return False
            self.put(write.session_id, replace(state, activity=Activity(**write.values)), clock)
            return True
        if write.epoch is not None and write.epoch != state.epoch:
            return False
        if any(getattr(activity, column) != value for column, value in write.expected.items()):
            return False
        if write.duty in {Duty.REMOVE, Duty.REVOKE}:
            self.put(write.session_id, None, clock)
            return True
        if activity is None:
            return False
        self.put(write.session_id, replace(state, activity=replace(activity, **write.values)), clock)
        return True


@dataclass
class Server:
    """A server: what its clock is off by, and the policies it was started with."""

    offset: float
    policies: Policies


class World:
    """Browsers, a network, servers and a store, in simulated time.

    Args:
        policies: What the servers begin with.
        offsets: What each server's clock is off by, in seconds; a request's journey and the largest
            difference of two offsets must together stay within the grace.
        timing: Windows for the lifecycle, for showing what shorter ones do.
        promises: Whether to raise `BrokenPromise`, too.
        epoch: When it begins, Unix seconds.
    """

    def __init__(
        self,
        policies: Policies,
        offsets: tuple[float, ...] = (0.0,),
        timing: lifecycle._Timing = lifecycle._TIMING,
        *,
        promises: bool = True,
        epoch: float = 1_000_000.0,
    ) -> None:
        self.clock = epoch
        self.promises = promises
        self.servers = [Server(offset, policies) for offset in offsets]
        self.store = Store()
        self.timing = timing
        self.truth: dict[uuid.UUID, Truth] = {}
        self.excused: Counter[str] = Counter()
        self.reissued = 0
        self.standings: Counter[Standing] = Counter()
        self.done: Counter[Duty] = Counter()
        self.revoked: set[uuid.UUID] = set()
        self.exhausted: set[uuid.UUID] = set()
        self.decisions = 0
        self.failed_over_at = 0.0
        self._wrote: dict[Ticket, float] = {}
        self._ids = itertools.count(1)
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[Request], None], Request]] = []
        self._outage_until = 0.0

    # --- time

    def advance(self, seconds: float) -> None:
        """Let time pass, and happen what is to happen meanwhile."""
        until = self.clock + seconds
        while self._events and self._events[0][0] <= until:
            self.clock, _, handler, request = heapq.heappop(self._events)
            handler(request)
        self.clock = until

    def settle(self) -> None:
        """Let time pass until nothing is under way."""
        while self._events:
            self.advance(self._events[0][0] - self.clock)

    def _later(self, seconds: float, handler: Callable[[Request], None], request: Request) -> None:
        heapq.heappush(self._events, (self.clock + seconds, next(self._order), handler, request))

    def _now(self, server: Server) -> int:
        return int(self.clock + server.offset)

    @property
    def grace(self) -> int:
        return self.servers[0].policies.renewal.grace

    @property
    def skew(self) -> float:
        offsets = [server.offset for server in self.servers]
        return max(offsets) - min(offsets)

    # --- a request

    def send(self, browser: Browser, action: Action = Action.PAGE, journey: Journey | None = None) -> Request:
        """Send a request with the cookie of now."""
        journey = journey or Journey()
        request = Request(browser, action, journey, browser.jar)
        browser.under_way += 1
        if journey.lost:
            self._later(journey.up, self._give_up, request)
        else:
            self._later(journey.up, self._arrive, request)
        return request

    def _give_up(self, request: Request) -> None:
        request.browser.under_way -= 1

    def _judge(self, request: Request, lag: float) -> None:
        server = self.servers[request.journey.server]
        ticket = request.ticket
        if ticket is None:
            return
        state = self.store.read(ticket.session_id, self.clock - lag if lag else None)
        verdict = lifecycle.judge(ticket, state, server.policies, self._now(server), _timing=self.timing)
        request.verdict = verdict
        self.standings[verdict.standing] += 1
        self.decisions += 1
        if request.browser.honest:
            self._check(request, verdict, lag)

    def _arrive(self, request: Request) -> None:
        if self.clock < self._outage_until:
            self._lose_answer(request)
            return
        self._judge(request, request.journey.lag)
        self._later(request.journey.service, self._end, request)

    def _end(self, request: Request) -> None:
        if self.clock < self._outage_until:
            self._lose_answer(request)
            return
        rotated, deleted = self._commit(request)
        if request.journey.crashed:
            self._lose_answer(request)
            return
        if request.verdict is not None and not deleted:
            self._keep_books(request, request.verdict, rotated=rotated)
        if request.journey.unanswered:
            self._later(request.journey.down, self._lose_answer, request)
        else:
            self._later(request.journey.down, self._process, request)

    def _commit(self, request: Request) -> tuple[bool, bool]:
        """Run the application's transaction; return whether it rotated and whether it deleted the session."""
        verdict, server = request.verdict, self.servers[request.journey.server]
        now = self._now(server)
        if verdict and request.action in {Action.LOGIN, Action.REGENERATE, Action.LOGOUT}:
            state = self.store.read(verdict.ticket.session_id)
            if state is None or verdict.state is None or state.epoch != verdict.state.epoch:
                # The update found no such row: the request is retried.
                self._judge(request, 0)
                verdict, state = request.verdict, self.store.read(verdict.ticket.session_id)
            if verdict and state is not None:
                return self._change(request, verdict, state, now)
        if verdict and request.action is Action.WRITE:
            self._write(request)
            return False, False
        if request.action is Action.LOGIN or (
            request.action in {Action.START, Action.WRITE}
            and not verdict
            and (verdict is None or verdict.instead is NewSession.ANY)
        ):
            self._begin(request, server.policies, now, owned=request.action is Action.LOGIN)
        return False, False

    def _write(self, request: Request) -> None:
        verdict, server = request.verdict, self.servers[request.journey.server]
        state = self.store.read(verdict.ticket.session_id)
        if state is None or verdict.state is None or state.epoch != verdict.state.epoch:
            self._judge(request, 0)  # as above
            verdict = request.verdict
        ticket = lifecycle.reissue(verdict, self._now(server), written=True) if verdict else None
        if ticket is not None:
            request.cookie, request.candidate = ticket, True
            self.reissued += 1

    def _change(self, request: Request, verdict: Verdict, state: SessionState, now: int) -> tuple[bool, bool]:
        session_id = verdict.ticket.session_id
        if request.action is Action.LOGOUT:
            self.store.put(session_id, None, self.clock)
            self.truth[session_id].ended = True
            return False, True
        attempt = next(self._ids)
        rotation = lifecycle.rotate(verdict.ticket, state, verdict.policies, now, attempt)
        owned = True if request.action is Action.LOGIN else state.owned
        changed = replace(state, epoch=rotation.epoch, rotated_at=rotation.rotated_at, owned=owned)
        self.store.put(session_id, changed, self.clock)
        request.cookie = rotation.ticket
        return True, False

    def _begin(self, request: Request, policies: Policies, now: int, *, owned: bool) -> None:
        session_id = uuid.UUID(int=next(self._ids))
        beginning = lifecycle.begin(session_id, policies, now, owned=owned)
        self.store.put(session_id, beginning.state, self.clock)
        self.truth[session_id] = Truth(self.clock, self.clock)
        request.cookie = beginning.ticket

    def _keep_books(self, request: Request, verdict: Verdict, *, rotated: bool) -> None:
        now = self._now(self.servers[request.journey.server])
        for write in lifecycle.bookkeeping(verdict, now, rotated=rotated):
            if request.journey.locked and not write.insists:
                continue
            held = self.store.read(write.session_id)
            if not self.store.apply(write, self.clock):
                continue
            self.done[write.duty] += 1
            self._check_write(write, verdict.ticket, held)
            if write.candidate is not None:
                request.cookie, request.candidate = write.candidate, True
        if verdict and verdict.ticket.session_id in self.truth:
            self.truth[verdict.ticket.session_id].used_at = self.clock

    def _process(self, request: Request) -> None:
        browser = request.browser
        browser.under_way -= 1
        if request.action is Action.LOGOUT and request.verdict:
            browser.logged_in = False
            if browser.jar is not None and browser.jar.session_id == request.verdict.ticket.session_id:
                browser.jar = None
        if request.action is Action.LOGIN:
            browser.logged_in = True
        cookie = request.cookie
        if cookie is None or not browser.keeps(cookie):
            return
        if request.candidate and browser.jar is not None and self._is_late(cookie, browser.jar):
            owned = request.verdict.state.owned
            reason = "late candidate" if owned else "late write"
            self._excuse(cookie.session_id, browser.jar.session_id, reason=reason)
        browser.jar = cookie
        browser.cookies += 1
        self.truth[cookie.session_id].landed.add(cookie)

    def _is_late(self, cookie: Ticket, jar: Ticket) -> bool:
        return cookie.session_id != jar.session_id or cookie.epoch < jar.epoch

    def _lose_answer(self, request: Request) -> None:
        request.browser.under_way -= 1
        cookie, ticket = request.cookie, request.ticket
        if cookie and ticket and cookie.session_id == ticket.session_id and not request.candidate:
            # A rotation was committed and the browser will never know: its login failed visibly.
            self._excuse(ticket.session_id, reason="rotation unanswered")

    def _excuse(self, *session_ids: uuid.UUID, reason: str) -> None:
        self.excused[reason] += 1
        for session_id in session_ids:
            self.truth[session_id].excuse = reason

    # --- what is not to happen

    def _check(self, request: Request, verdict: Verdict, lag: float) -> None:
        truth = self.truth[verdict.ticket.session_id]
        if verdict or truth.excuse or truth.ended:
            return
        if not self._is_right(verdict, truth, lag):
            raise FalseAlarm(f"{verdict.standing} at {self.clock:.2f}: {verdict.ticket} by {verdict.state}")
        if Duty.REMOVE in verdict.duties:
            truth.ended = True
        if verdict.standing is Standing.UNACKNOWLEDGED:
            self.excused["every candidate lost"] += 1

    def _is_right(self, verdict: Verdict, truth: Truth, lag: float) -> bool:
        """Return whether the honest browser's session is rightly not opened."""
        idle, absolute = verdict.policies.idle, verdict.policies.absolute
        slack = self.skew + 1
        match verdict.standing:
            case Standing.SUPERSEDED:
                return True  # sent before the rotation's cookie came
            case Standing.STALE_READ | Standing.UNKNOWN:
                return lag > 0 or self.clock - self.failed_over_at < self.grace
            case Standing.EXPIRED_IDLE | Standing.EXPIRED_DEADLINE | Standing.EXPIRED_ABSOLUTE:
                unused, age = self.clock - truth.used_at, self.clock - truth.created_at
                return (idle is not None and unused >= idle.timeout - idle.overdue_after - slack) or (
                    absolute is not None and age >= absolute.timeout - slack
                )
            case Standing.UNACKNOWLEDGED:
                generation = verdict.ticket.generation + 1
                return not any(ticket.generation == generation for ticket in truth.landed)
        return False

    def _check_write(self, write: lifecycle.Bookkeeping, ticket: Ticket, held: SessionState | None) -> None:
        if write.duty is Duty.REVOKE:
            self.revoked.add(write.session_id)
        if write.duty is Duty.REMOVE and held is not None and held.activity is not None:
            renewal = self.servers[0].policies.renewal
            if (held.activity.tries or 0) >= renewal.max_tries:
                self.exhausted.add(write.session_id)
        if not self.promises:
            return
        if write.candidate is not None:
            activity = None if held is None else held.activity
            current = activity and (held and held.epoch, activity.generation, activity.attempt)
            if current != (ticket.epoch, ticket.generation, ticket.attempt):
                raise BrokenPromise(f"{ticket} was answered with a candidate by {held}")
        if write.duty is Duty.TOUCH:
            return
        last = self._wrote.get(ticket)
        if last is not None and last > self.failed_over_at:
            apart = self.clock - last + self.skew
            if apart <= 2 * self.grace and write.duty not in {Duty.REMOVE, Duty.REVOKE}:
                raise BrokenPromise(f"{ticket} made the server write twice within {apart:.1f} s")
        self._wrote[ticket] = self.clock

    def check_settled(self, browser: Browser) -> None:
        """Raise if a browser with nothing under way holds a cookie that does not open its session."""
        if browser.jar is None or browser.under_way:
            return
        truth = self.truth[browser.jar.session_id]
        for server in self.servers:
            state = self.store.read(browser.jar.session_id)
            verdict = lifecycle.judge(
                browser.jar, state, server.policies, self._now(server), _timing=self.timing
            )
            if verdict or truth.excuse or truth.ended:
                continue
            if verdict.standing is Standing.SUPERSEDED or not self._is_right(verdict, truth, lag=0):
                raise FalseAlarm(f"{browser.jar} does not open its session: {state}")

    # --- what happens to servers and stores

    def change_cookies(self, version: int, server: int | None = None) -> None:
        """Let one server, or all, send cookies with other attributes from now on."""
        for number, each in enumerate(self.servers):
            if server is None or number == server:
                each.policies = replace(each.policies, cookie_version=version)

    def fail_over(self, seconds: float) -> None:
        """Lose what was noted down in the last seconds, as a fail-over to an asynchronous standby does."""
        self.failed_over_at = self.clock
        for session_id, state in list(self.store.rows.items()):
            before = self.store.read(session_id, self.clock - seconds)
            if before is not None and before.epoch == state.epoch:
                self._put_back(session_id, replace(state, activity=before.activity))

    def restore(self, seconds: float, outage: float) -> None:
        """Restore all rows from a backup, some time old, while the application is closed for `outage`."""
        self._outage_until = self.clock + outage
        self.failed_over_at = self._outage_until
        for session_id, state in list(self.store.rows.items()):
            before = self.store.read(session_id, self.clock - seconds)
            if before is not None and before.epoch == state.epoch:
                self._put_back(session_id, before)
        self.advance(outage)

    def _put_back(self, session_id: uuid.UUID, state: SessionState) -> None:
        self.store.put(session_id, state, self.clock)
        if state.activity is not None and state.activity.active_at is not None:
            # Nobody can know of the activity that was lost with the rows.
            truth = self.truth[session_id]
            truth.used_at = min(truth.used_at, state.activity.active_at)
