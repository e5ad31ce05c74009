"""An old key is needed as long as the rules come to, whatever a browser does."""

from __future__ import annotations

import dataclasses
import uuid

import pytest
from websession_core import (
    AbsoluteTimeout,
    Activity,
    IdleTimeout,
    Policies,
    Renewal,
    SessionState,
    Ticket,
    bookkeeping,
    judge,
    old_key_lifetime,
    reissue,
    rotate,
)
from websession_core.lifecycle import Duty

START = 10_000
HORIZON = 70
GRACE = 1
IDLE = 15
SESSION = uuid.UUID(int=1)

OLD, NEW = 1, 2  # versions of the cookie: the key is part of them


def sessions(policies, owned, *, counts):
    """Yield every kind of session that was just sent a cookie under the old key: its ticket and row."""
    old = dataclasses.replace(policies, cookie_version=OLD)
    counters = {"generation": 3, "attempt": 1, "renewed_at": START, "tries": 0} if counts else {}
    state = SessionState(created=START, owned=owned, activity=Activity(active_at=START, **counters))
    ticket = Ticket(SESSION, generation=3, attempt=1, cookie_version=OLD, issued_at=START)
    yield ticket, state
    if not counts:
        return
    rotation = rotate(ticket, state, old, START, 12345)
    yield rotation.ticket, dataclasses.replace(state, epoch=rotation.epoch, rotated_at=START)
    if policies.renewal.timeout is not None and owned is not False:
        candidate = Ticket(SESSION, generation=4, attempt=1, cookie_version=OLD, issued_at=START)
        tried = dataclasses.replace(state.activity, renewed_at=START - 100, tries=1, tried_at=START)
        yield candidate, dataclasses.replace(state, created=START - 20, activity=tried)


def step(ticket, state, policies, now):
    """One request with the old cookie: whether it opens, and the row then; None if a new cookie comes."""
    verdict = judge(ticket, state, policies, now)
    if not verdict:
        return False, None
    answered = reissue(verdict, now) is not None
    for entry in bookkeeping(verdict, now):
        if entry.duty is Duty.RECORD:
            state = dataclasses.replace(state, activity=Activity(**entry.values))
            continue
        state = dataclasses.replace(state, activity=dataclasses.replace(state.activity, **entry.values))
        answered = answered or entry.candidate is not None
    return True, None if answered else state


def last_use_of_the_old_key(policies, owned, *, counts):
    """Try every schedule of requests; return the age at which an old cookie last opened its session."""
    latest = -1
    for ticket, begun in sessions(policies, owned, counts=counts):
        states = {begun}
        for age in range(1, HORIZON):
            now = START + age
            if policies.cookie_max_age is not None and age >= policies.cookie_max_age:
                break
            for state in tuple(states):
                opened, after = step(ticket, state, policies, now)
                if opened:
                    latest = age
                if after is not None:
                    states.add(after)
    return latest


NO_RENEWAL = Renewal(None, GRACE)
RENEWAL = Renewal(8, GRACE)
POLICIES = {
    "nothing": Policies(renewal=NO_RENEWAL),
    "idle": Policies(idle=IdleTimeout(IDLE, 0), renewal=NO_RENEWAL),
    "absolute": Policies(absolute=AbsoluteTimeout(40), renewal=NO_RENEWAL),
    "short absolute": Policies(idle=IdleTimeout(IDLE, 0), absolute=AbsoluteTimeout(20), renewal=NO_RENEWAL),
    "max age": Policies(cookie_max_age=45, renewal=NO_RENEWAL),
    "max age and idle": Policies(idle=IdleTimeout(IDLE, 0), cookie_max_age=60, renewal=NO_RENEWAL),
    "renewal": Policies(renewal=RENEWAL),
    "renewal and idle": Policies(idle=IdleTimeout(IDLE, 0), renewal=RENEWAL),
    "seldom renewal and idle": Policies(idle=IdleTimeout(IDLE, 0), renewal=Renewal(1000, GRACE)),
    "renewal, idle, max age": Policies(idle=IdleTimeout(IDLE, 0), renewal=RENEWAL, cookie_max_age=50),
    "renewal and absolute": Policies(absolute=AbsoluteTimeout(40), renewal=RENEWAL),
}


@pytest.mark.parametrize(
    ("name", "owned", "counts"),
    [
        (name, owned, counts)
        for name, policies in POLICIES.items()
        for owned in (True, False, None)
        for counts in (True, False)
        if counts or policies.renewal.timeout is None  # a model without counters has no renewal
    ],
)
def test_no_schedule_of_requests_uses_an_old_key_after_it_is_said_to_be_needed_no_more(name, owned, counts):
    policies = dataclasses.replace(POLICIES[name], cookie_version=NEW)
    needed = old_key_lifetime(policies, owned=owned)
    latest = last_use_of_the_old_key(policies, owned, counts=counts)
    assert latest >= IDLE - 1
    if needed is not None:
        assert latest < needed
        assert needed < HORIZON, "the search has to look beyond it"


def test_a_login_that_acknowledges_itself_late_needs_the_old_key_for_nearly_two_idle_timeouts():
    policies = dataclasses.replace(POLICIES["renewal and idle"], cookie_version=NEW)
    latest = last_use_of_the_old_key(policies, True, counts=True)
    assert latest >= 2 * IDLE + 2 * GRACE - 2


def test_anonymous_sessions_keep_their_cookie_while_renewal_is_on():
    policies = POLICIES["renewal and idle"]
    assert old_key_lifetime(policies, owned=False) is None
    unreplaced = dataclasses.replace(policies, cookie_version=NEW)
    assert last_use_of_the_old_key(unreplaced, False, counts=True) == HORIZON - 1
    assert old_key_lifetime(policies, owned=True) is not None
    assert old_key_lifetime(POLICIES["idle"], owned=False) is not None
