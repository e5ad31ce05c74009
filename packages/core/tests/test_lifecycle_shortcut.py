"""What `judge` decides without the table is what the table says."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest
from websession_core.lifecycle import (
    _TIMING,
    Standing,
    _by_the_rules,
    _Case,
    _is_plainly_current,
    _is_settled,
    judge,
)
from websession_core.policies import AbsoluteTimeout, IdleTimeout, Overrides, Policies, Renewal
from websession_core.state import COUNTER_MAX, SEED_LENGTH, Activity, SessionState, Ticket

NOW = 10_000_000
TIMES = (0, 1, NOW - 121, NOW - 120, NOW - 10, NOW - 9, NOW - 1, NOW, NOW + 1, NOW + 3601, COUNTER_MAX)
LATE = (NOW - 9, NOW - 1, NOW)


def any_of(chance: random.Random, *values: Any) -> Any:
    """Return the first value as often as not, so that most cases are almost plain."""
    return values[0] if chance.random() < 0.8 else chance.choice(values)


def case(chance: random.Random) -> tuple[Ticket, SessionState | None, Policies]:
    """Return a ticket, a row and policies, each of whose values is at some border."""
    number = chance.choice((0, 1, 5))
    owned, seed = any_of(chance, None, True, False), bytes(SEED_LENGTH)
    stored = any_of(chance, True, False)
    ticket = Ticket(
        uuid.UUID(int=1),
        epoch=number,
        generation=number,
        attempt=any_of(chance, number, 0, 2),
        issued_at=any_of(chance, NOW, *TIMES),
        owned=owned,
        stored=stored,
        seed=None if owned is None and stored else seed,
    )
    activity = Activity(
        active_at=any_of(chance, chance.choice(LATE), None, *TIMES),
        expires_at=any_of(chance, NOW + 100, None, *TIMES),
        generation=any_of(chance, number, None, 0, number + 1),
        attempt=any_of(chance, ticket.attempt, None, 0, 7),
        previous_attempt=any_of(chance, None, ticket.attempt),
        renewed_at=any_of(chance, chance.choice(LATE), None, *TIMES),
        tries=any_of(chance, None, 0, 1, 2, 3),
        tried_at=any_of(chance, None, *TIMES),
    )
    state = SessionState(
        created=any_of(chance, chance.choice(LATE), *TIMES),
        epoch=any_of(chance, number, 0, 1, 6),
        rotated_at=any_of(chance, None, *TIMES),
        owned=any_of(chance, owned, None, True, False),
        activity=any_of(chance, activity, None),
        overrides=any_of(chance, None, Overrides(idle_timeout=9, renewal_timeout=0), Overrides(0, 0, 0, 0)),
        is_readable=any_of(chance, True, False),
        is_ownerless=any_of(chance, False, True),
    )
    policies = Policies(
        idle=chance.choice((None, IdleTimeout(10))),
        absolute=chance.choice((None, AbsoluteTimeout(121))),
        renewal=Renewal(chance.choice((None, 120)), max_tries=2),
        not_before=any_of(chance, 0, NOW, NOW + 1),
        cookie_version=any_of(chance, 0, 1),
        cookie_max_age=any_of(chance, None, 20, 10_000),
    )
    return ticket, any_of(chance, state, None), policies


@pytest.mark.parametrize("number", [20_000, pytest.param(3_000_000, marks=pytest.mark.slow)])
def test_a_verdict_is_what_the_table_says(number: int) -> None:
    chance, settled, plain, current = random.Random(number), 0, 0, 0
    for _ in range(number):
        ticket, state, policies = case(chance)
        verdict = judge(ticket, state, policies, NOW)
        expected = _by_the_rules(_Case(ticket, state, verdict.policies, NOW, _TIMING))
        assert verdict == expected, (ticket, state, policies)
        if state is not None and _is_plainly_current(ticket, state, verdict.policies, NOW):
            plain += 1
            settled += _is_settled(ticket, state, verdict.policies, NOW)
        current += verdict.standing is Standing.CURRENT
    # Enough of each, and the shortcuts are some.
    assert number / 20 < settled < plain <= current < number / 2
    assert plain > current * 0.7
