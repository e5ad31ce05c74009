"""Users who switch, forms with tokens, visitors without rows, planters and thieves, on the model of browsers.

A `Person` has two cookies: the users' (`jar`) and the visitors'. Every row knows its user and whose data it
holds, a login is sent through a form with a token, and a planter holds every anonymous ticket there
ever was, those of logins of his own, and those of ended ones, and shows them forever. A thief copies one of
the cookies. Nothing is raised: what is not to happen is counted in `IdentityWorld.bad`, and what cannot be
helped in `IdentityWorld.excused`. The traffic hunts for trouble: its counts compare protocols, and are no
rates.

`Protocol` switches the amendments off one by one. Its defaults are the protocol of today.
"""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Any

from websession_core import lifecycle
from websession_core.lifecycle import Duty, NewSession, Standing, Verdict

from . import traffic
from .browsers import Browser, Journey, Request, Truth, World
from .traffic import GRACE, POLICIES, SKEW

if TYPE_CHECKING:
    from websession_core.state import Ticket

HONEST = frozenset({"ada", "bob"})


class Act(Enum):
    """What a request does."""

    PAGE = "page"
    WRITE = "write"
    FORM = "form"
    LOGIN = "login"
    FORGET = "login(None)"
    LOGOUT = "logout"
    REGENERATE = "regenerate"


@dataclass(frozen=True)
class Protocol:
    """What is agreed, each amendment with a switch.

    Attributes:
        names: How many cookies there are: 2, or 1 for visitors and users.
        whose: Whether a ticket knows whose its epoch was, and an anonymous one accuses nobody.
        compares: Whether a ticket of a forgotten rotation opens nothing.
        switch_ends: Whether a login of another user ends the row.
        none_ends: Whether ``login(None)`` ends the row of a user.
        seeds: Whether tokens are made from the ticket; else they are stored in the row.
        unstored: What a visitor who only looks at forms has: a ticket without a row, whose row gets a
            ``fresh`` identifier, or the ``same`` one; or a row (None).
        bars: Whether the visitor's session stays closed while a user's ticket says that only a login may
            follow.
        acts_on_replays: Whether a replay is acted upon; else the visitor's cookie is asked after it, too.
        either_token: Whether both cookies' tokens are accepted while no login is open.
        deletes: Whether login and logout delete the other cookie.
    """

    names: int = 2
    whose: bool = True
    compares: bool = True
    switch_ends: bool = True
    none_ends: bool = True
    seeds: bool = True
    unstored: str | None = "fresh"
    bars: bool = True
    acts_on_replays: bool = True
    either_token: bool = True
    deletes: bool = True


OF_0_2_0 = Protocol(
    names=1,
    whose=False,
    compares=False,
    switch_ends=False,
    none_ends=False,
    seeds=False,
    unstored=None,
    deletes=False,
)


@dataclass(eq=False)
class Person(Browser):
    """Somebody with two cookies.

    Attributes:
        visitor: The cookie of visitors.
        believes: As whom she believes to be logged in.
        form: The token of the form that she has opened last.
        overwritten: What has overwritten her login's cookie.
    """

    visitor: Ticket | None = None
    believes: str | None = None
    form: Any = None
    overwritten: str | None = None


@dataclass(eq=False)
class Visit(Request):
    """One request of a person.

    Attributes:
        visitor: The visitor's cookie that it carries.
        user: Who logs in.
        form: The token that it carries.
        result: What became of its form.
        page_token: The token in the page that comes back.
        others: The verdicts of what was judged before and opened nothing.
        sets: What the response stores, by the cookie's name.
        deletes: Which cookies it deletes.
    """

    visitor: Ticket | None = None
    user: str | None = None
    form: Any = None
    result: str | None = None
    page_token: Any = None
    others: list[Verdict] = field(default_factory=list)
    deletes: set[str] = field(default_factory=set)

    @property
    def barred(self) -> bool:
        return any(verdict.instead is NewSession.LOGIN for verdict in self.judged if not verdict)

    @property
    def judged(self) -> list[Verdict]:
        return [*self.others, *([] if self.verdict is None else [self.verdict])]


@dataclass
class Info:
    """What the application has put into a row."""

    user: str | None = None
    data: set[str] = field(default_factory=set)
    token: Any = None


def is_anonymous(ticket: Ticket) -> bool:
    return ticket.owned is False


class IdentityWorld(World):
    """Servers that follow a `Protocol`, and what they do to honest people."""

    def __init__(self, protocol: Protocol) -> None:
        timing = lifecycle._Timing(knows_whose=protocol.whose, compares_whose=protocol.compares)
        super().__init__(POLICIES, (0.0, SKEW / 2, -SKEW / 2), timing, promises=False)
        self.protocol = protocol
        self.info: dict[uuid.UUID, Info] = {}
        self.bad: Counter[str] = Counter()
        self.good: Counter[str] = Counter()
        self.inserts = 0
        self.known: set[Any] = set()  # tokens that the planter has seen
        self.planted: list[Ticket] = []
        self.ended: list[Ticket] = []
        self.stolen: set[uuid.UUID] = set()
        self.user_of: dict[tuple[uuid.UUID, int], str | None] = {}
        self._seeds = itertools.count(1)

    def seed(self) -> bytes:
        return next(self._seeds).to_bytes(16, "big")

    def truth_of(self, session_id: uuid.UUID) -> Truth:
        return self.truth.setdefault(session_id, Truth(self.clock, self.clock))

    # --- a request

    def visit(self, browser: Browser, action: Act, journey: Journey | None = None, **rest: Any) -> Visit:
        """Send a request with the cookies of now, or with the ticket that is given."""
        journey = journey or Journey()
        if "ticket" in rest:
            ticket = rest.pop("ticket")
            both = (None, ticket) if self._is_for_visitors(ticket) else (ticket, None)
        else:
            both = browser.jar, getattr(browser, "visitor", None)
        request = Visit(browser, action, journey, both[0], visitor=both[1], **rest)
        browser.under_way += 1
        enters = action in {Act.LOGOUT, Act.FORGET, Act.LOGIN} and isinstance(browser, Person)
        if enters and request.user != browser.believes:
            browser.believes = browser.overwritten = None  # until the answer tells
        self._later(journey.up, self._give_up if journey.lost else self._arrive, request)
        return request

    def _is_for_visitors(self, ticket: Ticket | None) -> bool:
        return ticket is not None and self.protocol.names == 2 and is_anonymous(ticket)

    def _check(self, request, verdict, lag) -> None:
        pass  # `_judge` counts instead

    def _judge(self, request: Visit, lag: float) -> None:
        """Judge the user's cookie first, and the visitor's if that is absent or dead."""
        request.others, request.verdict = [], None
        for ticket in (request.ticket, request.visitor):
            if ticket is None:
                continue
            verdict = self._judge_one(request, ticket, lag)
            if request.verdict is not None:
                request.others.append(request.verdict)
            request.verdict = verdict
            if verdict or (self.protocol.bars and verdict.instead is NewSession.LOGIN):
                return
            if self.protocol.acts_on_replays and verdict.standing is Standing.REPLAYED:
                return

    def _judge_one(self, request: Visit, ticket: Ticket, lag: float) -> Verdict:
        server = self.servers[request.journey.server]
        state = self.store.read(ticket.session_id, self.clock - lag if lag else None)
        verdict = lifecycle.judge(ticket, state, server.policies, self._now(server), _timing=self.timing)
        self.standings[verdict.standing] += 1
        self.decisions += 1
        info = self.info.get(ticket.session_id, Info())
        who = request.browser.name
        if info.user not in HONEST:
            return verdict
        if verdict and who == "planter" and not lag:
            self.bad[f"fixation: a planter's ticket of {whose(ticket)} opens a login"] += 1
        if verdict.standing is Standing.REPLAYED and ticket.session_id in self.stolen:
            self.good["alarms in a stolen session"] += 1
        elif verdict.standing is Standing.REPLAYED:
            excuse = self.truth_of(ticket.session_id).excuse
            if excuse:
                self.excused[f"alarm: {excuse}"] += 1
            else:
                self.bad[f"false alarm: {who} shows {whose(ticket)} of a lower epoch"] += 1
        return verdict

    def _commit(self, request: Visit) -> tuple[bool, bool]:
        server = self.servers[request.journey.server]
        for _ in range(3):
            outcome = self._try(request, server.policies, self._now(server))
            if outcome is not None:
                return outcome
            self._judge(request, 0)  # a conflict: the request is retried, on the primary
        raise AssertionError("retried for ever")

    def _try(self, request: Visit, policies, now: int) -> tuple[bool, bool] | None:
        """Run the transaction; None: another has changed the row since it was read."""
        request.result = request.cookie = None
        request.deletes = set()
        verdict, action = request.verdict, request.action
        if verdict:
            state = self.store.read(verdict.ticket.session_id)
            if action is not Act.PAGE and (state is None or state.epoch != verdict.state.epoch):
                return None
        if action is Act.FORM:
            self._form(request, policies, now)
        elif action is Act.WRITE:
            self._write_data(request, policies, now)
        elif action is Act.LOGOUT:
            return self._log_out(request)
        elif action is not Act.PAGE and self._is_accepted(request):
            return self._change_identity(request, policies, now)
        return False, False

    # --- forms

    def token(self, ticket: Ticket) -> Any:
        if self.protocol.seeds:
            return ticket.seed
        info = self.info.get(ticket.session_id)
        return info and info.token

    def _is_accepted(self, request: Visit) -> bool:
        if request.action is not Act.LOGIN or request.browser.name == "planter":
            return True
        verdict = request.verdict
        if verdict and not (self.protocol.names == 2 and is_anonymous(verdict.ticket)):
            accepted = {self.token(verdict.ticket)}
        elif self.protocol.either_token and self.protocol.seeds:
            accepted = {self.token(each) for each in (request.ticket, request.visitor) if each is not None}
        elif self.protocol.seeds:
            own = self._shown(request)
            accepted = set() if own is None else {self.token(own)}
        else:
            accepted = {self.token(verdict.ticket)} if verdict else set()
        if request.form is None or request.form not in accepted:
            request.result = "bad token"
            return False
        return True

    def _shown(self, request: Visit) -> Ticket | None:
        """Return the ticket whose token a page shows."""
        if request.verdict:
            return request.verdict.ticket
        return request.visitor or request.ticket

    def _form(self, request: Visit, policies, now: int) -> None:
        shown = self._shown(request)
        if not self.protocol.seeds:
            request.page_token = self._stored_token(request, policies, now)
        elif shown is not None:
            request.page_token = self.token(shown)
        elif self.protocol.unstored is None:
            self.bad["a form stores a row"] += 1
            request.page_token = self.token(self._begin_row(request, policies, now, None))
        else:
            identifier = uuid.UUID(int=next(self._ids))
            request.cookie = lifecycle.unstored_ticket(identifier, policies, now, self.seed())
            request.page_token = self.token(request.cookie)
        if request.browser.name == "planter":
            self.known.add(request.page_token)

    def _stored_token(self, request: Visit, policies, now: int) -> Any:
        token = self.seed()
        if request.verdict:
            info = self.info[request.verdict.ticket.session_id]
            info.token = token = info.token or token
        elif not request.barred:
            self.bad["a form stores a row"] += 1
            self.info[self._begin_row(request, policies, now, None).session_id].token = token
        return token

    # --- changes

    def _write_data(self, request: Visit, policies, now: int) -> None:
        verdict = request.verdict
        if not verdict:
            if not request.barred:
                self._begin_row(request, policies, now, None)
            return
        if request.barred or any(other.standing is Standing.REPLAYED for other in request.others):
            self.bad["a user types into a visitor's session"] += 1
        info = self.info[verdict.ticket.session_id]
        who = getattr(request.browser, "believes", None)
        if who and who == info.user:
            info.data.add(who)
        ticket = lifecycle.reissue(verdict, now, written=True)
        if ticket is not None:
            request.cookie, request.candidate = ticket, True

    def _log_out(self, request: Visit) -> tuple[bool, bool]:
        request.result = "ok"
        opened = bool(request.verdict)
        if opened:
            self._end_row(request.verdict.ticket.session_id)
        if self.protocol.deletes:
            if request.visitor is not None:
                state = self.store.read(request.visitor.session_id)
                now = self._now(self.servers[request.journey.server])
                if lifecycle.judge(request.visitor, state, POLICIES, now, _timing=self.timing):
                    self._end_row(request.visitor.session_id)
            self._delete_shown(request)
        elif opened:
            request.deletes.add("visitor" if self._is_for_visitors(request.verdict.ticket) else "jar")
        return False, opened

    def _delete_shown(self, request: Visit) -> None:
        request.deletes |= {"jar"} if request.ticket is not None else set()
        request.deletes |= {"visitor"} if request.visitor is not None else set()

    def _change_identity(self, request: Visit, policies, now: int) -> tuple[bool, bool] | None:
        verdict, action, protocol = request.verdict, request.action, self.protocol
        user = request.user if action is Act.LOGIN else None
        if not verdict:
            if action is Act.LOGIN:
                self._begin_row(request, policies, now, user)
                request.deletes |= {"visitor"} if protocol.deletes and request.visitor else set()
            elif action is Act.FORGET and protocol.deletes:
                self._delete_shown(request)
            request.result = "ok"
            return False, False
        session_id = verdict.ticket.session_id
        info, state = self.info[session_id], self.store.read(session_id)
        if action is Act.REGENERATE:
            user = info.user
        request.result = "ok"
        if info.user not in {None, user} and (protocol.none_ends if user is None else protocol.switch_ends):
            self._end_row(session_id)
            self._begin_row(request, policies, now, user)
            if protocol.deletes:
                request.deletes |= {"visitor"} if user is not None and request.visitor else set()
            if user is None:
                request.deletes.add("jar")
            return True, True
        rotation = lifecycle.rotate(
            verdict.ticket,
            state,
            verdict.policies,
            now,
            next(self._ids),
            owned=user is not None,
            seed=self.seed(),
        )
        rotated = replace(state, epoch=rotation.epoch, rotated_at=rotation.rotated_at, owned=user is not None)
        self.store.put(session_id, rotated, self.clock)
        info.user = self.user_of[session_id, rotation.epoch] = user
        info.token = info.token if action is Act.REGENERATE else None
        if user is not None and info.data - {user}:
            self.bad["leak: a user sees another's data"] += 1
        request.cookie = rotation.ticket
        if user is not None and protocol.deletes and request.visitor is not None:
            request.deletes.add("visitor")
        return True, False

    def _begin_row(self, request: Visit, policies, now: int, user: str | None) -> Ticket:
        session_id, seed = uuid.UUID(int=next(self._ids)), self.seed()
        old = request.visitor if self.protocol.names == 2 else request.ticket
        if user is None and old is not None and is_anonymous(old) and request.action is not Act.FORGET:
            seed = old.seed or seed
            if not old.stored and self.protocol.unstored == "same":
                session_id = old.session_id
        beginning = lifecycle.begin(session_id, policies, now, owned=user is not None, seed=seed)
        self.store.put(session_id, beginning.state, self.clock)
        self.info[session_id] = Info(user)
        self.truth[session_id] = Truth(self.clock, self.clock)
        self.user_of[session_id, 0] = user
        self.inserts += 1
        request.cookie = beginning.ticket
        return beginning.ticket

    def _end_row(self, session_id: uuid.UUID) -> None:
        self.truth_of(session_id).ended = True
        self.store.put(session_id, None, self.clock)
        self.info[session_id] = Info()

    def _end(self, request: Visit) -> None:
        super()._end(request)
        for verdict in request.others:
            if not verdict:
                self._keep_books(request, verdict, rotated=False)

    def _keep_books(self, request: Visit, verdict: Verdict, *, rotated: bool) -> None:
        super()._keep_books(request, verdict, rotated=rotated)
        if self.store.read(verdict.ticket.session_id) is None:
            self.info[verdict.ticket.session_id] = Info()

    # --- what comes back

    def _process(self, request: Visit) -> None:
        browser = request.browser
        browser.under_way -= 1
        if not isinstance(browser, Person):
            if request.cookie is not None and browser.name == "planter":
                self.planted.append(request.cookie)
            elif request.cookie is not None and not self._is_for_visitors(request.cookie):
                browser.jar = request.cookie
            return
        if request.action is Act.FORM:
            browser.form = request.page_token
        if request.result == "bad token":
            browser.form = None
        if request.action is Act.LOGIN and request.result == "ok":
            browser.believes, browser.overwritten = request.user, None
        for name in request.deletes:
            self._take_away(browser, request, name)
        if request.cookie is not None:
            self._give(browser, request, request.cookie)
        if request.action is Act.LOGOUT and self.opened_by(request.visitor):
            self.bad["a logout leaves the visitor's session"] += 1

    def _take_away(self, browser: Person, request: Visit, name: str) -> None:
        held = getattr(browser, name)
        if name == "jar" and held is not None:
            if self._has_ended(held):
                self.ended.append(held)
            if browser.believes and request.action is not Act.LOGIN and self._is_of(held, browser.believes):
                self._note_overwriting(browser, request, "deletes the cookie")
        setattr(browser, name, None)

    def _give(self, browser: Person, request: Visit, cookie: Ticket) -> None:
        if is_anonymous(cookie):
            self.planted.append(cookie)  # the worst case: the planter has planted it, or copied it
        if self._is_for_visitors(cookie):
            browser.visitor = cookie
            return
        before = browser.jar
        if request.candidate and (before is None or self._is_late(cookie, before)):
            for ticket in (cookie, before or cookie):
                self.truth_of(ticket.session_id).excuse = "late candidate"
        is_login = request.action is Act.LOGIN and request.result == "ok"
        was_hers = browser.believes and self._is_of(before, browser.believes)
        if not is_login and was_hers and not self._is_of(cookie, browser.believes):
            self._note_overwriting(browser, request, "brings another session")
        if before is not None and before.owned and self._has_ended(before):
            self.ended.append(before)
        browser.jar = cookie
        browser.cookies += 1
        self.truth_of(cookie.session_id).landed.add(cookie)

    def _note_overwriting(self, browser: Person, request: Visit, what: str) -> None:
        standing = request.verdict.standing.name if request.verdict is not None else "no cookie"
        browser.overwritten = f"{request.action.value}, judged {standing}, {what}"
        rotates = request.action is Act.REGENERATE and request.cookie is not None and request.cookie.owned
        if request.candidate or rotates:
            # Of a login's own session, and still under way when she logged in again: it cannot be helped.
            self.excused[f"login overwritten: {browser.overwritten}"] += 1
        else:
            self.bad[f"login overwritten: {browser.overwritten}"] += 1

    def _has_ended(self, ticket: Ticket) -> bool:
        state, info = self.store.read(ticket.session_id), self.info.get(ticket.session_id)
        user = self.user_of.get((ticket.session_id, ticket.epoch))
        return state is None or info is None or info.user != user

    def _is_of(self, ticket: Ticket | None, user: str | None) -> bool:
        if ticket is None:
            return False
        state, info = self.store.read(ticket.session_id), self.info.get(ticket.session_id)
        return bool(state and info and info.user == user and state.epoch == ticket.epoch)

    def _lose_answer(self, request: Visit) -> None:
        request.browser.under_way -= 1
        ticket = request.verdict and request.verdict.ticket
        cookie = request.cookie
        rotates = cookie and ticket and not request.candidate and cookie.session_id == ticket.session_id
        if rotates and not is_anonymous(ticket):
            self.truth_of(ticket.session_id).excuse = "rotation unanswered"

    def opened_by(self, ticket: Ticket | None) -> Verdict | None:
        if ticket is None:
            return None
        state = self.store.read(ticket.session_id)
        return lifecycle.judge(ticket, state, POLICIES, int(self.clock), _timing=self.timing)

    def look(self, person: Person) -> None:
        """Compare what a person with nothing under way believes with what her cookie opens."""
        if person.under_way or person.believes is None:
            return
        self.good["logins looked at"] += 1
        jar, verdict = person.jar, self.opened_by(person.jar)
        info = self.info.get(jar.session_id, Info()) if jar is not None else Info()
        if verdict and info.user == person.believes:
            if self.token(jar) in self.known:
                self.bad["fixation: the planter knows the token of a login's forms"] += 1
            return
        reason, person.believes, person.overwritten = person.overwritten, None, None
        if verdict and info.user == "mallory" and not reason:
            self.bad["fixation: an honest browser finds itself in the planter's login"] += 1
        elif not reason:
            self._explain(jar, verdict)

    def _explain(self, jar: Ticket | None, verdict: Verdict | None) -> None:
        standing = None if verdict is None else verdict.standing
        if standing in lifecycle_ends:
            self.good["timed out"] += 1
        elif jar is not None and self.truth_of(jar.session_id).ended:
            self.good["ended by her own logout or switch, whose answer was lost"] += 1
        elif jar is not None and jar.session_id in self.stolen:
            self.good["logged out since it was stolen"] += 1
        elif jar is not None and self.truth_of(jar.session_id).excuse:
            self.excused[f"logged out: {self.truth_of(jar.session_id).excuse}"] += 1
        elif standing is Standing.UNKNOWN and jar.session_id not in self.revoked:
            self.good["expired and removed"] += 1
        else:
            self.bad[f"false logout: {standing.name if standing else 'no cookie'}"] += 1


lifecycle_ends = frozenset(
    {Standing.EXPIRED_IDLE, Standing.EXPIRED_ABSOLUTE, Standing.EXPIRED_DEADLINE, Standing.UNACKNOWLEDGED}
)


def whose(ticket: Ticket) -> str:
    return {True: "a user's ticket", False: "a visitor's ticket", None: "a ticket"}[ticket.owned]


class Identity(traffic.Traffic):
    """A person who logs in, switches and logs out, with a planter and a thief beside her."""

    def __init__(self, random: Random, protocol: Protocol) -> None:
        super().__init__(random)
        self.world: IdentityWorld = IdentityWorld(protocol)
        self.user: Person = Person("user")
        self.planter = Browser("planter", honest=False)
        self.thief = Browser("thief", honest=False)
        self.favourite: Ticket | None = None
        self._entering: Visit | None = None
        self._entering_until = 0.0

    def act(self) -> None:
        """Do one thing, as `Traffic` does."""
        random, world, user = self.random, self.world, self.user
        world.look(user)
        chance = random.random()
        who = user.believes or "ada"
        if random.random() < 0.3:
            who = random.choice(("ada", "bob"))
        for share, deed in (
            (0.25, lambda: world.visit(user, Act.PAGE, self.journey())),
            (0.11, lambda: world.visit(user, Act.WRITE, self.journey())),
            (0.06, lambda: world.visit(user, Act.FORM, self.journey())),
            (0.28, lambda: world.advance(self._pause())),
            (0.02, self._change_cookies),
            (0.005, lambda: world.visit(user, Act.REGENERATE, self.journey())),
            (0.025, lambda: self._log_in_by_double_click(who)),
            (0.015, lambda: self.patient_login(who)),
            (0.01, lambda: self._lost_login(who)),
            (0.01, self._leave),
            (0.005, lambda: world.fail_over(random.uniform(0, 3))),
            (0.01, self._load_many),
            (0.02, lambda: self._busy_login(who)),
            (0.03, self._steal),
        ):
            chance -= share
            if chance < 0:
                deed()
                return
        self._plant()

    def _change_cookies(self) -> None:
        self._version += 1
        self.world.change_cookies(self._version, self.random.choice((None, 0, 1, 2)))

    def _load_many(self) -> None:
        for _ in range(self.random.randrange(2, 6)):
            self.world.visit(self.user, self.random.choice((Act.PAGE, Act.FORM, Act.WRITE)), self.journey())

    def _may_enter(self, who: str | None) -> bool:
        """A person waits for the answer to a logout, or to another's login, before she does either again."""
        last = self._entering
        return (
            last is None or (last.user == who and who is not None) or self.world.clock > self._entering_until
        )

    def _enter(self, action: Act, journey: Journey, **rest: Any) -> Visit:
        self._entering = self.world.visit(self.user, action, journey, **rest)
        self._entering_until = self.world.clock + GRACE
        return self._entering

    def _log_in_by_double_click(self, who: str) -> None:
        if self.user.form is not None and self._may_enter(who):
            for _ in range(self.random.choice((1, 1, 2))):
                self._enter(Act.LOGIN, self.journey(), user=who, form=self.user.form)
                self.world.advance(self.random.uniform(0, 0.5))

    def _leave(self) -> None:
        if self._may_enter(None):
            self._enter(self.random.choice((Act.LOGOUT, Act.FORGET)), self.journey())

    def patient_login(self, who: str) -> None:
        """Nothing under way, the form opened again and sent: it must work."""
        world, user = self.world, self.user
        world.settle()
        calm = Journey(server=self.random.randrange(3))
        world.visit(user, Act.FORM, calm)
        world.settle()
        if self.random.random() < 0.3:
            world.visit(user, Act.WRITE, calm)  # in another tab
            world.settle()
        request = world.visit(user, Act.LOGIN, calm, user=who, form=user.form)
        world.settle()
        world.good["forms opened and sent"] += 1
        if request.result != "ok":
            standing = request.verdict.standing.name if request.verdict is not None else "no cookie"
            world.bad[f"dead form: {standing}"] += 1

    def _lost_login(self, who: str) -> None:
        """A login whose answer does not come, and another try within a while; tabs go on meanwhile."""
        world, user = self.world, self.user
        if user.form is None or not self._may_enter(who):
            return
        self._enter(Act.LOGIN, Journey(unanswered=True), user=who, form=user.form)
        for _ in range(self.random.randrange(4)):
            world.advance(self.random.uniform(0, GRACE))
            world.visit(user, self.random.choice((Act.PAGE, Act.WRITE, Act.FORM)), self.journey())
        self.patient_login(who)

    def _busy_login(self, who: str) -> None:
        """She logs in, in or out of a session, while slow requests of other tabs are under way."""
        random, world, user = self.random, self.world, self.user
        world.settle()
        if random.random() < 0.3:
            user.jar, user.visitor, user.believes = None, None, None  # another day: the browser was closed
        quick = Journey(0.1, 0.1, 0.1, random.randrange(3))
        world.visit(user, Act.FORM, quick)
        world.settle()
        for _ in range(random.randrange(1, 4)):
            world.visit(user, random.choice((Act.PAGE, Act.WRITE, Act.FORM)), self._slow())
            world.advance(random.uniform(0, 1))
        if user.believes and random.random() < 0.4:
            world.visit(user, random.choice((Act.LOGOUT, Act.FORGET)), quick)
            world.advance(0.4)
            world.visit(user, Act.FORM, quick)
            world.advance(0.4)
        self._enter(Act.LOGIN, quick, user=who, form=user.form)
        world.good["busy logins"] += 1
        for _ in range(random.randrange(3)):
            world.advance(random.uniform(0, 2))
            world.visit(user, Act.PAGE, self.journey())

    def _slow(self) -> Journey:
        longest, random = GRACE - SKEW, self.random
        up = random.uniform(0, longest)
        down = random.uniform(0, longest - up - 0.1) if up < longest - 0.2 else 0.0
        return Journey(up, 0.05, down, random.randrange(3))

    def _plant(self) -> None:
        random, world = self.random, self.world
        if world.planted and (random.random() < 0.02 or self.favourite is None):
            self.favourite = world.planted[-1]
        pool = world.planted[-40:] + world.planted[:5] + world.ended[-20:]
        ticket = random.choice(pool) if pool and random.random() < 0.95 else None
        if random.random() < 0.6 and self.favourite is not None:
            same = [each for each in pool if each.session_id == self.favourite.session_id]
            ticket = random.choice([*same, self.favourite])
        if ticket is not None and random.random() < 0.1:
            self._plant_in_browser(ticket)
            return
        actions = (Act.PAGE, Act.WRITE, Act.FORM, Act.FORM, Act.LOGIN, Act.LOGOUT, Act.FORGET, Act.REGENERATE)
        calm = Journey(server=random.randrange(3))
        world.good["requests of the planter"] += 1
        world.visit(self.planter, random.choice(actions), calm, ticket=ticket, user="mallory")

    def _plant_in_browser(self, ticket: Ticket) -> None:
        world, user = self.world, self.user
        if world._is_for_visitors(ticket):
            user.visitor = ticket
            world.good["planted beneath a login" if user.believes else "planted"] += 1
        elif user.believes is None and (is_anonymous(ticket) or self.random.random() < 0.3):
            # Under the name of users; where a visitor has a cookie of her own, beside it.
            user.jar = ticket
            world.good["planted"] += 1

    def _steal(self) -> None:
        """Copy a cookie, or use the copy."""
        random, world, user, thief = self.random, self.world, self.user, self.thief
        if random.random() < 0.03:
            stolen = random.choice((user.jar, user.visitor))
            if stolen is not None and user.believes:
                self.end_theft()
                thief.jar = stolen
                world.good["thefts"] += 1
                if not is_anonymous(stolen):
                    world.stolen.add(stolen.session_id)
        elif thief.jar is not None:
            world.visit(thief, random.choice((Act.PAGE, Act.WRITE)), self.journey(), ticket=thief.jar)

    def end_theft(self) -> None:
        """Count what became of the copy."""
        world, copy = self.world, self.thief.jar
        if copy is not None and copy.session_id in world.revoked:
            world.good["thefts that were noticed"] += 1
        elif copy is not None and not world.opened_by(copy):
            world.good["thefts whose session ended otherwise"] += 1


def run(seed: int, acts: int, protocol: Protocol) -> IdentityWorld:
    """Let chance act so many times, and let everything under way come to its end."""
    identity = Identity(Random(seed), protocol)
    for _ in range(acts):
        identity.act()
    identity.world.settle()
    identity.world.look(identity.user)
    identity.end_theft()
    return identity.world


def totals(worlds: list[IdentityWorld]) -> dict[str, Counter[str]]:
    """Return what happened in several worlds together."""
    return {
        kind: sum((getattr(world, kind) for world in worlds), Counter())
        for kind in ("bad", "good", "excused")
    }


def report(worlds: list[IdentityWorld], acts: int) -> str:
    """Return the figures of several worlds, for the documentation."""
    done = sum((world.done for world in worlds), Counter())
    judged, rows = (sum(getattr(world, name) for world in worlds) for name in ("decisions", "inserts"))
    steps, renewals = len(worlds) * acts, done[Duty.RENEW]
    lines = [f"{steps:,} steps, {judged:,} judged, {renewals:,} renewals, {rows:,} rows"]
    for kind, events in totals(worlds).items():
        lines.append(f"{kind}: {events.total():,}")
        lines += [f"  {count:7,} {event}" for event, count in sorted(events.items())]
    return "\n".join(lines)
