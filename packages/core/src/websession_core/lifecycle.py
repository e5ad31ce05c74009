"""All the rules: whether a ticket opens its session, what is to be recorded about it, and when it ends.

Theory of operation
===================

Values in, values out. A request brings a `Ticket`, the store a `SessionState` (or none), the settings are
`Policies`, and `now` is an argument. `judge` says what the ticket is, a `Standing`; what follows from
each is a row of `CONSEQUENCES`. Nothing here reads a clock, draws a number or writes.

A request has two moments. When it **arrives**, `judge` decides. When it **ends** (after the application's
transaction), `bookkeeping` turns the decisions into compare-and-set writes and stamps them with the time
of writing. Each says which columns must still hold what was read, and its cookie may leave only if the
write took effect. A write that did not is forgotten: the next request will see that it is due. Which
columns are compared and written is a table too (`COMPARED`, `WRITTEN`), from which a store can prepare
its statements.

The ticket
----------

Tickets are encrypted and authenticated, so nobody but us makes them, and counters can tell them apart.
The browser never chooses; it only shows the newest cookie it has processed. What it shows is taken as
proof of what reached it.

*Renewal.* When the current ticket ``(generation, attempt)`` is due, we send the candidate ``(generation +
1, tries + 1)`` and note only that we tried. The old ticket stays current: the response may be lost, and
other requests carry it. When the candidate comes back, it is its own acknowledgement, and *fast-forwards*
the row. The ticket before then is good for one grace more, for requests still under way, but it is never
answered with a cookie. Everything else that carries the right epoch is one ticket too many: two cookie
jars hold descendants of one ticket, and one of them is a thief's. The session is revoked.

*G*, the grace, bounds the time from a browser's sending a request to its having processed the response,
differences between the servers' clocks included. A candidate sent at *t* has reached the jar by *t + G*,
or never will. A request with the old ticket that arrives after *t + 2 G* was sent after *t + G*, by a
browser that holds no candidate: now a second one may be sent, and no two can be under way to the same
jar. That is why two candidates, and an acknowledgement and the next candidate, are more than 2 *G* apart.

*Attempts are counted, not drawn.* If the database forgets that a candidate was sent (a fail-over to a
standby that lost the last commits), the same candidate is sent again, under the same name. Were attempts
random, a browser could be on its way with two different ones, and be taken for two browsers.

*Identity.* A login, or ``regenerate()``, moves the epoch (`rotate`), in the application's transaction. A
ticket of an old epoch opens nothing (session fixation, OWASP ASVS 5.0, 7.2.4). If it was a user's: within 2
*G* of the rotation it may be an honest request, sent up to *G* after it, and *G* under way; later it is a
second jar. The new ticket leaps `GENERATION_LEAP` generations ahead. The companion row is not written by the
rotation; the new ticket acknowledges itself at its first use, and no acknowledgement of the old epoch that is
written late can come near it.

*Whose an epoch was* is in the ticket. A row has anonymous epochs, then epochs of one user, until it is ended:
when another user logs in, or nobody is to be logged in any more, the adapter ends the row and begins another.
So a ticket of an old anonymous epoch is no copy of a login, no matter who shows it, or how late: somebody may
have planted it in the user's browser before the login, and now shows his own copy to have her thrown out. It
opens nothing, accuses nobody and, in a cookie of its own, is in nobody's way. Only a ticket of a login's own
old epoch is evidence. A ticket of the present epoch that says otherwise about it than the row is of a
rotation that a fail-over has forgotten, and another took its number: it opens nothing. But a row that shows a
login, and no user, has lost its user to a foreign key (``ON DELETE SET NULL``) when the account was deleted:
nobody's ticket opens it any more, and the login's has it removed.

Where the model knows no users, and in tickets of version 1, which do not say whose, the first epoch counts as
anonymous and all others as somebody's.

*Two cookies.* Where the model knows users, tickets of users and anonymous tickets are in cookies of two
names, so that nothing that is sent late for the one can overwrite or end the other. The user's is judged
first. The visitor's is asked only if the user's is absent or dead: not while the rules say that only a login
may follow (`NewSession.LOGIN`), so that nobody types into a visitor's session what she means for her own, and
not beside a replay, which must be acted upon. A model without users has one cookie for both.

*Forms.* A CSRF token is made of the ticket's `seed` (and of a number in the row, if the
application asks for another token). Nothing is stored to show a form, and a ticket that opens nothing any
more still verifies the form that it has asked for: a login whose answer was lost can be sent again. Every
ticket of an epoch has the same seed, and a rotation draws a new one. A visitor who only looks at forms has a
ticket that names no row (`unstored_ticket`); the row that is begun in its place has an identifier of its own
and inherits the seed.

*An anonymous session* is not renewed: it is not worth stealing. If its cookie is outdated, by a new key for
example, a request that writes it brings another. Where both share one name, a write and a login of one
session exclude each other, so that only a response to the write that is overtaken by the login's own could
still land after it.

*A row that cannot be read*, since something else has written to it or no key at hand decrypts it, opens
nothing, whatever the ticket, and is left as it is: once it can be read again it is judged as ever. The ticket
was ours, so its browser can still end the session, and does so by a login. Nothing but a login may follow a
user's, who would else type into a visitor's session what she means for her own.

*Rows can be older than tickets*: read from a lagging replica, or restored. A higher generation than the
row's is therefore never an alarm. A higher epoch opens nothing, since the row is about another user, but
harms nothing either. All writes compare, so what was decided from an old copy does not take effect.

What looks like a theft
-----------------------

- A browser that loses cookies it has already used (restored after a crash from a copy on disk, a cloned
  virtual machine): that is a second jar.
- A candidate for a session that belongs to a user, still under way when the same browser logs in again: it
  can land after the login's cookie. The user must log in once more. With one cookie name also the cookie of
  an anonymous session, new or brought up to date by a write, that is still under way at the login.
- A rotation of a login whose response never arrives (she has confirmed her password, or ``regenerate()`` was
  called): the old cookie is dead all the same, and the row left behind is revoked if it is shown later than 2
  *G*. The user, whose request failed visibly, logs in again. The first login of a visitor accuses nobody.
- A thief who logs in as himself over the stolen session, or logs out, ends it, and the evidence with it.
- A backup, restored while browsers are active: keep the application closed for 2 *G*, or set `not_before`.
  Activity that the backup does not know of is forgotten.

Time
----

Whole seconds. A duration of *n* seconds has passed when ``now - since >= n``: a session last active *idle
timeout* seconds ago has expired, one second less and it has not; `expires_at` is the first second at
which it has ended. Windows of grace are closed: *G* after the renewal the old ticket is still good, *G +
1* after it is not.

Clocks step back. An age is never negative: a time up to `CLOCK_STEP` ahead of now counts as now, so that
small steps log nobody out, and a recorded activity far ahead is written again, so that a session does not
outlive its timeout by it. A time still further ahead is nonsense, and counts as long ago: nothing lives
forever by a clock that was a year fast.

Timeouts can be switched on, off and changed while rows exist. The settings of now decide and the stored
deadline, whichever is earlier. A model that can record activity does so without an idle timeout, too, so
that switching it on logs out nobody who is active. A column without a value never raises: activity that
was not recorded counts as having ended with the creation or the last rotation, and counters begin with
the first ticket shown.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from ._numbers import COUNTER_MAX
from .renaming import RenamedMember, renamed
from .state import Activity, SessionState, Ticket
from .unchecked import unchecked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from uuid import UUID

    from .policies import Overrides, Policies

__all__ = [
    "CLOCK_STEP",
    "COLUMNS",
    "COMPARED",
    "CONSEQUENCES",
    "GENERATION_LEAP",
    "RULES",
    "WRITTEN",
    "Beginning",
    "Bookkeeping",
    "Consequence",
    "Duty",
    "NewSession",
    "Rotation",
    "Rule",
    "Standing",
    "Transition",
    "Verdict",
    "begin",
    "bookkeeping",
    "deadline",
    "freshest",
    "judge",
    "last_use",
    "ranked",
    "reissue",
    "reschedule",
    "rotate",
    "transitions",
    "unstored_ticket",
]

CLOCK_STEP: Final = 3600
"""Seconds. A stored time no further ahead than this was written before a clock stepped back: it means now."""

GENERATION_LEAP: Final = 2**16
"""How many generations a rotation skips: more than an old epoch's late writes can ever catch up."""

# While there is no idle timeout, a model that has the column records activity so often (seconds): when the
# timeout is switched on, anyone who is active must not be logged out.
_UNTIMED_DELAY: Final = 60


class Standing(StrEnum):
    """What a ticket is, seen from its session's row; the value is the reason shown to people."""

    CURRENT = "current"
    ACKNOWLEDGEMENT = "acknowledges a renewal"
    IN_FLIGHT = "still under way"
    REFUSED = "issued before the cut-off"
    UNSTORED = "nothing was stored yet"
    UNKNOWN = "no such session"
    UNREADABLE = "cannot be read"
    STALE_READ = "newer than the row"
    OUTLIVED = "anonymous, and identity has changed since"
    SUPERSEDED = "identity has changed"
    OWNERLESS = "its user is gone"
    MISMATCHED = "of an identity that the database has forgotten"
    EXPIRED_IDLE = "idle timeout"
    EXPIRED_ABSOLUTE = "absolute timeout"
    EXPIRED_DEADLINE = "stored deadline"
    UNACKNOWLEDGED = "renewals never acknowledged"
    REPLAYED = "replayed"


class Duty(StrEnum):
    """What is to be recorded, each duty in a single compare-and-set write."""

    RECORD = "record"
    """Insert the companion row, which a session from before that table has not."""
    TOUCH = "touch"
    """Activity: the session ends later."""
    RENEW = "renew"
    """A candidate is sent; its cookie leaves only if this took effect."""
    ACKNOWLEDGE = "acknowledge"
    """A candidate has come back and becomes the current ticket."""
    RESCHEDULE = "reschedule"
    """The session's own timeouts were changed: the deadline follows."""
    REDATE = RenamedMember("REDATE", "RESCHEDULE")
    REMOVE = "remove"
    """The session has ended: delete its rows."""
    REVOKE = "revoke"
    """The session was stolen: delete its rows, whatever they hold."""


class NewSession(Enum):
    """What may take the place of a session that a ticket did not open."""

    ANY = "any"
    """A new session as soon as the application puts something into one."""
    LOGIN = "login"
    """Only a login starts a new session; all else that is put into one is dropped and sends no cookie. The
    browser's newest cookie may be under way to it or be good elsewhere, and must not be overwritten."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """What follows from a standing.

    Attributes:
        opens: Whether the request runs with the session.
        instead: What may take its place if it does not (or if the application ends it).
        instead_of_a_users: What may take its place if the ticket says that it is a user's; None: the same.
        duty: What is to be recorded in any case.
        becomes: The standing of the same ticket once that took effect.
    """

    opens: bool
    instead: NewSession = NewSession.ANY
    instead_of_a_users: NewSession | None = None
    duty: Duty | None = None
    becomes: Standing | None = None


_REMOVED: Final = Consequence(opens=False, duty=Duty.REMOVE, becomes=Standing.UNKNOWN)

CONSEQUENCES: Final[Mapping[Standing, Consequence]] = MappingProxyType(
    {
        Standing.CURRENT: Consequence(opens=True),
        Standing.ACKNOWLEDGEMENT: Consequence(opens=True, duty=Duty.ACKNOWLEDGE, becomes=Standing.CURRENT),
        Standing.IN_FLIGHT: Consequence(opens=True),
        Standing.REFUSED: Consequence(opens=False),
        Standing.UNSTORED: Consequence(opens=False),
        Standing.UNKNOWN: Consequence(opens=False),
        Standing.UNREADABLE: Consequence(opens=False, instead_of_a_users=NewSession.LOGIN),
        Standing.STALE_READ: Consequence(opens=False, instead=NewSession.LOGIN),
        Standing.OUTLIVED: Consequence(opens=False),
        Standing.SUPERSEDED: Consequence(opens=False, instead=NewSession.LOGIN),
        Standing.OWNERLESS: _REMOVED,
        Standing.MISMATCHED: Consequence(opens=False, instead=NewSession.LOGIN),
        Standing.EXPIRED_IDLE: _REMOVED,
        Standing.EXPIRED_ABSOLUTE: _REMOVED,
        Standing.EXPIRED_DEADLINE: _REMOVED,
        Standing.UNACKNOWLEDGED: _REMOVED,
        Standing.REPLAYED: Consequence(opens=False, duty=Duty.REVOKE, becomes=Standing.UNKNOWN),
    }
)
"""What follows from each standing."""

COLUMNS: Final = tuple(column.name for column in fields(Activity))
"""All columns of the companion row, besides its key: the fields of `Activity`."""

_DATES: Final = ("active_at", "expires_at")
# A login that is committed meanwhile makes these meaningless.
_BOUND_TO_EPOCH: Final = frozenset({Duty.RENEW, Duty.REMOVE})
_TRIES: Final = ("tries", "tried_at")

COMPARED: Final[Mapping[Duty, tuple[str, ...]]] = MappingProxyType(
    {
        Duty.RECORD: (),
        Duty.TOUCH: _DATES,
        Duty.RENEW: ("generation", "attempt", *_TRIES),
        Duty.ACKNOWLEDGE: ("generation", "attempt"),
        Duty.RESCHEDULE: (),
        Duty.REMOVE: (*_DATES, "generation", "attempt", *_TRIES),
        Duty.REVOKE: (),
    }
)
"""The columns of the companion row that must still hold what was read (null equals null)."""

WRITTEN: Final[Mapping[Duty, tuple[str, ...]]] = MappingProxyType(
    {
        Duty.RECORD: COLUMNS,
        Duty.TOUCH: _DATES,
        Duty.RENEW: _TRIES,
        Duty.ACKNOWLEDGE: ("generation", "attempt", "previous_attempt", "renewed_at", *_TRIES),
        Duty.RESCHEDULE: _DATES,
        Duty.REMOVE: (),
        Duty.REVOKE: (),
    }
)
"""The columns of the companion row that are written; those a model does not have are left out."""


# --- judging ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Timing:
    """The windows, in graces, and the rules about whose an epoch was.

    A parameter only for the tests that show what shorter ones would do, and what would be without the rules.
    """

    in_flight: int = 1
    superseded: int = 2
    gap: int = 2
    knows_whose: bool = True
    compares_whose: bool = True


_TIMING: Final = _Timing()


def _age(now: int, since: int) -> int:
    """Return the seconds from `since` to `now`: never negative, and endless if `since` is nonsense."""
    if since <= now:
        return now - since
    return 0 if since - now <= CLOCK_STEP else COUNTER_MAX


def last_use(state: SessionState) -> int:
    """Return when a session was last used, as far as it was recorded, in Unix seconds.

    Args:
        state: The session; without a recorded activity it counts as used when it began or was last rotated.
    """
    if state.activity is not None and state.activity.active_at is not None:
        return state.activity.active_at
    return max(state.created, state.rotated_at or 0)


class _Case:
    """One ticket before the judge.

    Attributes:
        row: The session's row. Missing, an `AttributeError`, where there is none: a rule that needs it comes
            after the one for unknown sessions.
        counters: The companion row if it has counters: the model may have none, or the row may be older.
    """

    __slots__ = ("counters", "is_known", "now", "policies", "row", "ticket", "timing")

    def __init__(
        self, ticket: Ticket, state: SessionState | None, policies: Policies, now: int, timing: _Timing
    ) -> None:
        self.ticket = ticket
        self.policies = policies
        self.now = now
        self.timing = timing
        self.is_known = state is not None
        # Once, since nearly every rule asks: as properties they took a third of the judge's time.
        self.counters: Activity | None = None
        if state is not None:
            self.row = state
            if state.activity is not None and state.activity.generation is not None:
                self.counters = state.activity

    @property
    def last_active(self) -> int:
        return last_use(self.row)

    def age(self, since: int) -> int:
        return _age(self.now, since)

    def within(self, since: int, graces: int) -> bool:
        return self.age(since) <= graces * self.policies.renewal.grace


def _is_refused(case: _Case) -> bool:
    return case.ticket.issued_at < case.policies.not_before


def _is_unstored(case: _Case) -> bool:
    return not case.ticket.stored


def _is_unknown(case: _Case) -> bool:
    return not case.is_known


def _is_unreadable(case: _Case) -> bool:
    return not case.row.is_readable


def _is_stale_read(case: _Case) -> bool:
    return case.ticket.epoch > case.row.epoch


def _is_past_absolute(case: _Case) -> bool:
    absolute = case.policies.absolute
    return absolute is not None and case.age(case.row.created) >= absolute.timeout


def _is_past_idle(case: _Case) -> bool:
    idle, absolute = case.policies.idle, case.policies.absolute
    if idle is None or case.age(case.last_active) < idle.timeout:
        return False
    # Both may be over by now: the reason is the one that came first.
    return (
        absolute is None
        or not _is_past_absolute(case)
        or case.last_active + idle.timeout < case.row.created + absolute.timeout
    )


def _is_past_deadline(case: _Case) -> bool:
    activity = case.row.activity
    return activity is not None and activity.expires_at is not None and case.now >= activity.expires_at


def _is_outlived(case: _Case) -> bool:
    ticket, row = case.ticket, case.row
    if ticket.epoch >= row.epoch or not case.timing.knows_whose:
        return False
    if ticket.owned is not None:
        return not ticket.owned
    # It does not say. The first epoch is anonymous as a rule; but its cookie is shared with users.
    return ticket.epoch == 0 and (
        row.rotated_at is None or not case.within(row.rotated_at, case.timing.superseded)
    )


def _is_superseded(case: _Case) -> bool:
    row = case.row
    if case.ticket.epoch == row.epoch:
        return False
    # A rotation of unknown time accuses nobody.
    return row.rotated_at is None or case.within(row.rotated_at, case.timing.superseded)


def _is_of_an_old_epoch(case: _Case) -> bool:
    return case.ticket.epoch < case.row.epoch


def _is_ownerless(case: _Case) -> bool:
    return case.ticket.owned is True and case.row.is_ownerless


def _is_mismatched(case: _Case) -> bool:
    owners = {case.ticket.owned, case.row.owned}
    return case.timing.compares_whose and owners == {True, False}


def _is_acknowledgement(case: _Case) -> bool:
    counters = case.counters
    if counters is None:
        # Counting begins with this ticket, if it is to begin at all.
        return case.policies.renewal.timeout is not None
    return case.ticket.generation > (counters.generation or 0)


def _is_current(case: _Case) -> bool:
    counters = case.counters
    return counters is None or (
        case.ticket.generation == counters.generation and case.ticket.attempt == (counters.attempt or 0)
    )


def _is_unacknowledged(case: _Case) -> bool:
    counters = case.counters
    return (
        counters is not None
        and _is_current(case)
        and (counters.tries or 0) >= case.policies.renewal.max_tries
        and _is_renewal_due(case)
    )


def _is_in_flight(case: _Case) -> bool:
    counters = case.counters
    return (
        counters is not None
        and case.ticket.generation + 1 == counters.generation
        and case.ticket.attempt == counters.previous_attempt
        and case.within(_renewed_at(case, counters), case.timing.in_flight)
    )


def _is_anything(_case: _Case) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the judge's table: the first that holds decides.

    Attributes:
        standing: What the ticket is.
        meaning: When it is that, in words.
        holds: When it is that, in code (not public).
    """

    standing: Standing
    meaning: str
    holds: Callable[[_Case], bool]


RULES: Final[tuple[Rule, ...]] = (
    Rule(Standing.REFUSED, "issued before not_before", _is_refused),
    Rule(Standing.UNSTORED, "it never named a row", _is_unstored),
    Rule(Standing.UNKNOWN, "there is no row", _is_unknown),
    Rule(Standing.UNREADABLE, "the row cannot be read", _is_unreadable),
    Rule(Standing.STALE_READ, "a higher epoch than the row's", _is_stale_read),
    Rule(Standing.EXPIRED_IDLE, "unused for the idle timeout", _is_past_idle),
    Rule(Standing.EXPIRED_ABSOLUTE, "as old as the absolute timeout", _is_past_absolute),
    Rule(Standing.EXPIRED_DEADLINE, "the stored deadline has come", _is_past_deadline),
    Rule(Standing.OUTLIVED, "a lower epoch, an anonymous one", _is_outlived),
    Rule(Standing.SUPERSEDED, "any other lower epoch, within 2 G of the rotation", _is_superseded),
    Rule(Standing.REPLAYED, "any other lower epoch, later", _is_of_an_old_epoch),
    Rule(
        Standing.OWNERLESS,
        "the same epoch, somebody's, and the row shows a login without a user",
        _is_ownerless,
    ),
    Rule(Standing.MISMATCHED, "the same epoch, but anonymous for somebody's or the reverse", _is_mismatched),
    Rule(Standing.ACKNOWLEDGEMENT, "a higher generation, or nothing was counted yet", _is_acknowledgement),
    Rule(Standing.UNACKNOWLEDGED, "current, due for renewal, and no try is left", _is_unacknowledged),
    Rule(Standing.CURRENT, "this generation and the attempt that won it", _is_current),
    Rule(Standing.IN_FLIGHT, "the previous one of both, within G of the renewal", _is_in_flight),
    Rule(Standing.REPLAYED, "anything else", _is_anything),
)
"""How a ticket is judged: the first rule that holds decides."""


class Verdict(NamedTuple):
    """What a ticket is, and what follows. True if it opens the session; if not, it knows why.

    Attributes:
        standing: What the ticket is.
        ticket: The ticket that was judged.
        state: The row it was judged by; None: there was none.
        policies: The policies it was judged by, the session's own overrides included.
        duties: What is to be recorded when the request ends, in this order.
        insists: Whether the touch among them has to wait for a lock for a bounded time: it is so overdue
            that a user who is active would be timed out.
    """

    standing: Standing
    ticket: Ticket
    state: SessionState | None
    policies: Policies
    duties: tuple[Duty, ...] = ()
    insists: bool = False

    def __bool__(self) -> bool:
        return CONSEQUENCES[self.standing].opens

    @property
    def reason(self) -> str:
        """Why the ticket opens the session or does not, in a few words without secrets."""
        return self.standing.value

    @property
    def instead(self) -> NewSession:
        """What may take the session's place if the ticket does not open it."""
        consequence = CONSEQUENCES[self.standing]
        of_a_users = consequence.instead_of_a_users if self.ticket.owned else None
        return of_a_users or consequence.instead


def judge(
    ticket: Ticket, state: SessionState | None, policies: Policies, now: int, *, _timing: _Timing = _TIMING
) -> Verdict:
    """Return what a ticket is, by the row as it was read and at the moment the request arrived.

    Args:
        ticket: What the request's cookie carried.
        state: The session's row; None: there is none.
        policies: What the settings say now; the session's own overrides in `state` are applied here.
        now: When the request arrived, Unix seconds.

    Returns:
        The verdict. It never raises, whichever features the row was written with.
    """
    if state is not None:
        policies = policies.effective(state.overrides)
        if _is_plainly_current(ticket, state, policies, now):
            if _is_settled(ticket, state, policies, now):
                return Verdict(Standing.CURRENT, ticket, state, policies)
            return _verdict(_Case(ticket, state, policies, now, _timing), Standing.CURRENT)
    return _by_the_rules(_Case(ticket, state, policies, now, _timing))


def _by_the_rules(case: _Case) -> Verdict:
    for rule in RULES:
        if rule.holds(case):
            break
    return _verdict(case, rule.standing)


def _verdict(case: _Case, standing: Standing) -> Verdict:
    ticket, state, policies = case.ticket, case.row if case.is_known else None, case.policies
    consequence = CONSEQUENCES[standing]
    if not consequence.opens:
        duty = consequence.duty
        return Verdict(standing, ticket, state, policies, () if duty is None else (duty,))
    duties = tuple(_duties_of_open(case, standing))
    return Verdict(standing, ticket, state, policies, duties, _is_touch_overdue(case))


def _is_plainly_current(ticket: Ticket, row: SessionState, policies: Policies, now: int) -> bool:
    """Return whether a ticket is what nearly all are: current, with nothing in sight that it could be else.

    Only to spare these the table, which says the same of each of them; of all others this says nothing.
    """
    activity, idle, absolute = row.activity, policies.idle, policies.absolute
    if (
        ticket.epoch != row.epoch
        or ticket.owned is not row.owned
        or ticket.issued_at < policies.not_before
        or not ticket.stored
        or not row.is_readable
        or row.is_ownerless
        or (absolute is not None and not 0 <= now - row.created < absolute.timeout)
        or (idle is not None and not 0 <= now - last_use(row) < idle.timeout)
    ):
        return False
    if activity is None:
        return policies.renewal.timeout is None
    if activity.expires_at is not None and now >= activity.expires_at:
        return False
    if activity.generation is None:
        return policies.renewal.timeout is None
    return (
        ticket.generation == activity.generation
        and ticket.attempt == (activity.attempt or 0)
        and (activity.tries or 0) < policies.renewal.max_tries
    )


def _is_settled(ticket: Ticket, row: SessionState, policies: Policies, now: int) -> bool:
    """Return whether nothing is due, as for most tickets that are plainly current."""
    activity, idle, renewal = row.activity, policies.idle, policies.renewal
    if activity is None:
        return idle is None and policies.absolute is None and renewal.timeout is None
    if idle is not None and activity.expires_at is None:
        return False
    active_at, renewed_at = activity.active_at, activity.renewed_at
    if active_at is None or not 0 <= now - active_at < (_UNTIMED_DELAY if idle is None else idle.delay):
        return False
    if renewal.timeout is None or activity.generation is None or row.owned is False:
        return True
    return (
        renewed_at is not None
        and 0 <= now - renewed_at < renewal.timeout
        and not _is_cookie_outdated(ticket, policies, now)
    )


def _duties_of_open(case: _Case, standing: Standing) -> Iterable[Duty]:
    policies = case.policies
    if case.row.activity is None:
        # The row that is inserted says all that the other duties would.
        if policies.idle or policies.absolute or policies.renewal.timeout is not None:
            yield Duty.RECORD
        return
    duty = CONSEQUENCES[standing].duty
    if duty is not None:
        yield duty
    if standing is Standing.CURRENT and _is_renewal_due(case):
        yield Duty.RENEW
    if _is_touch_due(case):
        yield Duty.TOUCH


def _renewed_at(case: _Case, counters: Activity) -> int:
    if counters.renewed_at is not None:
        return counters.renewed_at
    return max(case.row.created, case.row.rotated_at or 0)


def _is_renewal_due(case: _Case) -> bool:
    renewal, counters, gap = case.policies.renewal, case.counters, case.timing.gap
    if renewal.timeout is None or counters is None or case.row.owned is False:
        return False
    renewed_at = _renewed_at(case, counters)
    if case.within(renewed_at, gap) or (
        counters.tried_at is not None and case.within(counters.tried_at, gap)
    ):
        return False
    return case.age(renewed_at) >= renewal.timeout or _is_cookie_outdated(
        case.ticket, case.policies, case.now
    )


def _is_cookie_outdated(ticket: Ticket, policies: Policies, now: int) -> bool:
    if ticket.cookie_version != policies.cookie_version:
        return True
    after = policies.reissue_after
    return after is not None and _age(now, ticket.issued_at) >= after


def _is_touch_due(case: _Case) -> bool:
    activity, idle = case.row.activity, case.policies.idle
    if activity is None:
        return False
    delay = _UNTIMED_DELAY if idle is None else idle.delay
    if activity.active_at is None or activity.expires_at is None:
        if idle is not None:
            return True
        if activity.active_at is None:
            # The model records no activity; but the deadline must not outlast the policies it was written by.
            expires_at = deadline(case.policies, case.row.created, case.now)
            return activity.expires_at != expires_at and case.age(case.last_active) >= delay
    if activity.active_at - case.now > max(delay, case.policies.renewal.grace):
        return True  # written by a clock that has stepped back since
    return case.age(activity.active_at) >= delay


def _is_touch_overdue(case: _Case) -> bool:
    idle = case.policies.idle
    return idle is not None and case.age(case.last_active) >= idle.overdue_after


def deadline(policies: Policies, created: int, active_at: int) -> int | None:
    """Return the first second at which a session has ended, if it is not used again.

    Args:
        policies: What holds for the session.
        created: When it began, Unix seconds.
        active_at: When it was last used, Unix seconds.

    Returns:
        Unix seconds; None: by these policies it never ends.
    """
    ends = []
    if policies.idle is not None:
        ends.append(active_at + policies.idle.timeout)
    if policies.absolute is not None:
        ends.append(created + policies.absolute.timeout)
    return min(*ends, COUNTER_MAX) if ends else None


def freshest(tickets: Iterable[Ticket]) -> Ticket | None:
    """Return the ticket to judge if a request carries several cookies of our name.

    A browser sends both when the cookie's domain or path was changed: the old one stays in the jar. To
    judge that one would take an honest browser for a thief.

    Args:
        tickets: All that the request carried and that could be decrypted.

    Returns:
        The one that was issued last, among those of one session the one of the highest epoch and
        generation; None if there is none.
    """
    return next(iter(ranked(tickets)), None)


def ranked(tickets: Iterable[Ticket]) -> tuple[Ticket, ...]:
    """Return the tickets that may be judged if a request carries several cookies of one name.

    One of each session, in the order of :func:`freshest`.

    Args:
        tickets: All that the request carried and that could be decrypted.
    """
    best: dict[UUID, Ticket] = {}
    for ticket in tickets:
        rival = best.get(ticket.session_id)
        if rival is None or _rank(ticket) > _rank(rival):
            best[ticket.session_id] = ticket
    return tuple(sorted(best.values(), key=lambda ticket: -ticket.issued_at))


def _rank(ticket: Ticket) -> tuple[int, int, int]:
    return ticket.epoch, ticket.generation, ticket.issued_at


# --- writing ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """One compare-and-set write, for a transaction of its own.

    It takes effect as a whole or not at all. RECORD takes effect only if there is a session row and no
    companion row; REMOVE and REVOKE delete both rows; the others update the companion row.

    Attributes:
        duty: What it is.
        session_id: Whose rows.
        expected: What the companion row must still hold, by column (null equals null).
        values: What it is to hold, by column; columns the model does not have are left out.
        insists: Whether it has to wait for a lock for a bounded time, rather than not at all.
        epoch: What the session row's epoch must still be, compared in the same statement without locking
            that row; None: it does not matter. It keeps a candidate from following a login that was
            committed meanwhile, and an expired session that a user has just logged into from being removed.
        candidate: The ticket to send, only if the write took effect.
    """

    duty: Duty
    session_id: UUID
    expected: Mapping[str, int | None]
    values: Mapping[str, int | None]
    insists: bool = False
    epoch: int | None = None
    candidate: Ticket | None = None

    def __repr__(self) -> str:
        # Neither the whole identifier nor the attempts, as in the repr of `Ticket`.
        return f"<Bookkeeping {self.duty} of {self.session_id.hex[:4]}…: {', '.join(self.values)}>"


def bookkeeping(
    verdict: Verdict, now: int, *, rotated: bool = False, seed: bytes | None = None
) -> tuple[Bookkeeping, ...]:
    """Return what is to be written when the request has ended.

    Args:
        verdict: What was decided when it arrived.
        now: The time of writing, Unix seconds.
        rotated: Whether the request rotated the session's identity meanwhile: its cookie is the new one, and
            nothing more is to be said of the old ticket.
        seed: 128 fresh random bits, for the candidate of a ticket that has none yet; None: the candidate has
            to have none, either.

    Returns:
        The writes, independent of each other; at most one carries a candidate. If the application has
        deleted the session, write none of them.
    """
    excluded_duties = {Duty.RENEW, Duty.ACKNOWLEDGE} if rotated else set()
    return tuple(_write(verdict, duty, now, seed) for duty in verdict.duties if duty not in excluded_duties)


def _write(verdict: Verdict, duty: Duty, now: int, seed: bytes | None = None) -> Bookkeeping:
    ticket, state, policies = verdict.ticket, verdict.state, verdict.policies
    activity = (state and state.activity) or Activity()
    tries = (activity.tries or 0) + 1
    counters: dict[str, int | None]
    if duty is Duty.RENEW:
        counters = {"tries": tries, "tried_at": now}
    else:
        one_behind = activity.generation is not None and ticket.generation == activity.generation + 1
        counters = {
            "generation": ticket.generation,
            "attempt": ticket.attempt,
            "previous_attempt": (activity.attempt or 0) if one_behind else None,
            "renewed_at": now,
            "tries": 0,
            "tried_at": None,
        }
    ends = None if state is None else deadline(policies, state.created, now)
    available = {"active_at": now, "expires_at": ends, **counters}
    return Bookkeeping(
        duty,
        ticket.session_id,
        expected=_as_read(state, duty),
        values={column: available[column] for column in WRITTEN[duty]},
        insists=duty is Duty.REVOKE or (duty is Duty.TOUCH and verdict.insists),
        epoch=state.epoch if state is not None and duty in _BOUND_TO_EPOCH else None,
        candidate=_successor(verdict, tries, now, seed) if duty is Duty.RENEW else None,
    )


def _as_read(state: SessionState | None, duty: Duty) -> dict[str, int | None]:
    if state is None or state.activity is None:
        return {}
    return {column: getattr(state.activity, column) for column in COMPARED[duty]}


def _successor(verdict: Verdict, attempt: int, now: int, seed: bytes | None) -> Ticket:
    ticket = _sent_again(verdict, now, seed)
    return replace(ticket, generation=ticket.generation + 1, attempt=attempt)


def _sent_again(verdict: Verdict, now: int, seed: bytes | None) -> Ticket:
    """Return the ticket as it is sent now; one of version 1 with a seed, if there is one for it."""
    ticket, state = verdict.ticket, verdict.state
    if ticket.seed is None and seed is not None:
        ticket = replace(ticket, seed=seed, owned=None if state is None else state.owned)
    return replace(ticket, cookie_version=verdict.policies.cookie_version, issued_at=now)


def reschedule(ticket: Ticket, state: SessionState, policies: Policies, now: int) -> Bookkeeping:
    """Return the write that is due after a session's own timeouts were changed.

    It insists and compares nothing: a touch prepared before must not win over it, and the user may not come
    back before the old deadline.

    Args:
        ticket: The session's ticket.
        state: The session with its new overrides.
        policies: What the settings say now.
        now: The time of writing, Unix seconds.
    """
    policies = policies.effective(state.overrides)
    duty = Duty.RECORD if state.activity is None else Duty.RESCHEDULE
    verdict = Verdict(Standing.CURRENT, ticket, state, policies)
    return replace(_write(verdict, duty, now), insists=True)


def reissue(verdict: Verdict, now: int, *, written: bool = False, seed: bytes | None = None) -> Ticket | None:
    """Return the ticket to send again because its cookie is outdated; None if it is not.

    For sessions that are not renewed: the attributes or the key of the cookie have changed, or a persistent
    cookie has used up a tenth of its Max-Age. Nothing is written. (With renewal, a candidate does this for a
    session that belongs to a user, and is the only cookie ever sent for it; an anonymous one gets another
    cookie from a request that writes it.)

    Args:
        verdict: What was decided when the request arrived.
        now: The time of sending, Unix seconds.
        written: Whether the request has written the session, in a transaction that compared its version.
        seed: As for :func:`bookkeeping`.
    """
    state, policies = verdict.state, verdict.policies
    if verdict.standing is not Standing.CURRENT or state is None:
        return None
    if policies.renewal.timeout is not None and (state.owned is not False or not written):
        return None
    if not _is_cookie_outdated(verdict.ticket, policies, now):
        return None
    return _sent_again(verdict, now, seed)


class Beginning(NamedTuple):
    """A new session.

    Attributes:
        state: What its rows hold; the companion row is inserted with the session's.
        ticket: Its first ticket.
    """

    state: SessionState
    ticket: Ticket


_activity, _state, _ticket = unchecked(Activity), unchecked(SessionState), unchecked(Ticket)


def begin(
    session_id: UUID,
    policies: Policies,
    now: int,
    *,
    owned: bool | None = None,
    overrides: Overrides | None = None,
    epoch: int = 0,
    seed: bytes | None = None,
) -> Beginning:
    """Return a new session and its first ticket.

    Args:
        session_id: A fresh identifier of 128 random bits.
        policies: What the settings say now.
        now: When it begins, Unix seconds.
        owned: Whether it belongs to a user; None: the model knows no users.
        overrides: What this session has otherwise than the settings say.
        epoch: 1 for one that begins with a change of identity, where the model knows no users: a ticket of
            its first epoch would count as anonymous.
        seed: 128 random bits: fresh ones, or for an anonymous session those of the anonymous ticket that it
            takes the place of; None: the ticket is one of version 1.
    """
    policies = policies.effective(overrides)
    ends = deadline(policies, now, now)
    activity = _activity(now, ends, 0, 0, None, now, 0)  # in the order of its fields
    return Beginning(
        _state(now, epoch, None, owned, activity, overrides),
        _ticket(
            session_id, epoch, 0, 0, policies.cookie_version, now, None if seed is None else owned, True, seed
        ),
    )


def unstored_ticket(session_id: UUID, policies: Policies, now: int, seed: bytes) -> Ticket:
    """Return the ticket of a visitor for whom nothing is stored: it verifies the forms shown to her.

    Args:
        session_id: A fresh identifier, that no row will have.
        policies: What the settings say now.
        now: The time, Unix seconds.
        seed: 128 fresh random bits.
    """
    version = policies.cookie_version
    return Ticket(session_id, cookie_version=version, issued_at=now, owned=False, stored=False, seed=seed)


@dataclass(frozen=True, slots=True)
class Rotation:
    """A session's new identity, to be written in the application's transaction with the change of user.

    Attributes:
        epoch: The row's new epoch.
        rotated_at: When it was rotated, Unix seconds.
        ticket: Its ticket, to be sent once that is committed.
    """

    epoch: int
    rotated_at: int
    ticket: Ticket


def rotate(
    ticket: Ticket,
    state: SessionState,
    policies: Policies,
    now: int,
    attempt: int,
    *,
    owned: bool | None = None,
    seed: bytes | None = None,
) -> Rotation:
    """Return a session's next identity; every earlier ticket is worthless once it is committed.

    The companion row is not written: the new ticket is of a higher generation than any before, and
    acknowledges itself at its first use.

    Args:
        ticket: The ticket that opened the session.
        state: The session as it was read.
        policies: What the settings say now.
        now: When it is rotated, Unix seconds.
        attempt: A fresh random number from 0 to `COUNTER_MAX`: if a fail-over forgets this rotation and
            another one takes its place, their tickets still differ.
        owned: Whether the new epoch is somebody's; None: the model knows no users.
        seed: 128 fresh random bits; None: the ticket is one of version 1.
    """
    generation = state.activity.generation if state.activity is not None else None
    epoch = state.epoch + 1
    return Rotation(
        epoch,
        now,
        Ticket(
            ticket.session_id,
            epoch=epoch,
            generation=max(ticket.generation, generation or 0) + GENERATION_LEAP,
            attempt=attempt,
            cookie_version=policies.effective(state.overrides).cookie_version,
            issued_at=now,
            owned=None if seed is None else owned,
            seed=seed,
        ),
    )


# --- the diagram --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transition:
    """How a ticket comes from one standing to another.

    Attributes:
        source: What it was.
        event: What happened, in a few words.
        target: What it is then.
    """

    source: Standing
    event: str
    target: Standing


_OPEN: Final = tuple(standing for standing, consequence in CONSEQUENCES.items() if consequence.opens)

# What befalls a ticket without a duty of its own: the doings of others, and time.
_PASSAGES: Final[tuple[Transition, ...]] = (
    Transition(Standing.CURRENT, "a candidate is acknowledged", Standing.IN_FLIGHT),
    Transition(Standing.ACKNOWLEDGEMENT, "another attempt is acknowledged", Standing.REPLAYED),
    Transition(Standing.IN_FLIGHT, "G passes", Standing.REPLAYED),
    Transition(Standing.SUPERSEDED, "2 G pass", Standing.REPLAYED),
    Transition(Standing.STALE_READ, "the row is read again", Standing.CURRENT),
    Transition(Standing.UNREADABLE, "its key comes back", Standing.CURRENT),
    Transition(Standing.CURRENT, "max_tries candidates are lost", Standing.UNACKNOWLEDGED),
    *(Transition(source, "identity rotated", Standing.SUPERSEDED) for source in _OPEN),
    *(Transition(source, "a visitor logs in", Standing.OUTLIVED) for source in _OPEN),
    *(Transition(source, "its user is deleted", Standing.OWNERLESS) for source in _OPEN),
    *(Transition(source, "a rotation is forgotten", Standing.MISMATCHED) for source in _OPEN),
    *(Transition(source, "not_before is set", Standing.REFUSED) for source in _OPEN),
    *(Transition(source, "idle timeout passes", Standing.EXPIRED_IDLE) for source in _OPEN),
    *(Transition(source, "absolute timeout passes", Standing.EXPIRED_ABSOLUTE) for source in _OPEN),
    *(Transition(source, "stored deadline passes", Standing.EXPIRED_DEADLINE) for source in _OPEN),
    *(Transition(source, "session ends", Standing.UNKNOWN) for source in _OPEN),
    *(Transition(source, "its key is taken away", Standing.UNREADABLE) for source in _OPEN),
)


def transitions() -> tuple[Transition, ...]:
    """Return the state diagram of a ticket: the effect of each duty, and of all other events."""
    duties = (
        Transition(standing, consequence.duty.value, consequence.becomes)
        for standing, consequence in CONSEQUENCES.items()
        if consequence.duty is not None and consequence.becomes is not None
    )
    return (*duties, *_PASSAGES)


__getattr__ = renamed(__name__, redate=reschedule)
