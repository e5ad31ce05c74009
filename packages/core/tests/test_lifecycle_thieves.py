"""Thieves: whoever copied a cookie is noticed, or ended, whatever they do with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from websession_core.lifecycle import Duty, Standing

from .browsers import Action, BrokenPromise, Browser, Journey, World
from .traffic import GRACE, POLICIES, SKEW, Traffic

if TYPE_CHECKING:
    from websession_core.state import Ticket

MAX_TRIES = POLICIES.renewal.max_tries
FLIGHT = GRACE - SKEW


def a_theft(seed: int) -> tuple[Traffic, Browser]:
    """Return a user with a session of some age, and a thief with a copy of the cookie."""
    traffic = Traffic(Random(seed))
    world, user = traffic.world, traffic.user
    for action in (Action.START, Action.LOGIN, Action.PAGE):
        world.send(user, action)
        world.settle()
    for _ in range(traffic.random.randrange(20)):
        world.send(user, Action.PAGE, replace(traffic.journey(), crashed=False))
        world.advance(traffic.random.uniform(0, 2 * GRACE))
    world.settle()
    assert user.jar is not None
    # From here on it is right that the user loses the session.
    world.truth[user.jar.session_id].excuse = "stolen"
    return traffic, Browser("thief", jar=user.jar, honest=False)


def is_revoked(world: World, browser: Browser) -> bool:
    assert browser.jar is not None
    return browser.jar.session_id in world.revoked


def is_exhausted(world: World, browser: Browser) -> bool:
    assert browser.jar is not None
    return browser.jar.session_id in world.exhausted


def is_renewed(world: World, ticket: Ticket | None) -> bool:
    """Return whether the session has gone on to a later ticket, or is gone for good."""
    assert ticket is not None
    state = world.store.read(ticket.session_id)
    return state is None or (
        state.activity is not None and (state.activity.generation or 0) > ticket.generation
    )


@pytest.mark.parametrize("seed", range(300))
def test_a_copied_cookie_is_detected_once_both_were_active_after_a_renewal(seed: int) -> None:
    traffic, thief = a_theft(seed)
    world, user, random = traffic.world, traffic.user, traffic.random
    stolen = thief.jar
    for _ in range(200):
        world.send(random.choice((user, thief)), Action.PAGE, traffic.journey())
        world.advance(random.uniform(0, GRACE))
        if is_renewed(world, stolen):
            break
    else:
        pytest.fail("no renewal was acknowledged")
    world.settle()
    world.advance(GRACE + SKEW + 1)
    both = [user, thief]
    random.shuffle(both)
    for browser in both:
        request = world.send(browser)
        world.settle()
    assert is_revoked(world, user)
    assert request.verdict is not None
    for browser in both:
        request = world.send(browser)
        world.settle()
        assert request.verdict is not None
        assert request.verdict.standing is Standing.UNKNOWN


def swallowing(seed: int, longest_pause: float) -> str:
    """Let a thief poll every 0.05 s and drop every candidate while the user goes on; return how it ended."""
    traffic, thief = a_theft(seed)
    world, user, random = traffic.world, traffic.user, traffic.random
    thief.keeps = lambda _ticket: False
    poll = Journey(up=0.01, service=0.01, down=0.01)
    begun = next_page = world.clock
    while not is_revoked(world, thief) and not is_exhausted(world, thief):
        world.send(thief, Action.PAGE, poll)
        if world.clock >= next_page:
            world.send(user, Action.PAGE, Journey(up=0.02, service=0.005, down=0.02))
            next_page = world.clock + random.uniform(0.1, longest_pause)
        world.advance(0.05)
        # The first candidate is due at once, and the session ends when one more than the last would be.
        assert world.clock - begun < (MAX_TRIES + 2) * (2 * GRACE + 1) + 4 * GRACE, "it lives on"
    return "detected" if is_revoked(world, thief) else "capped"


@pytest.mark.parametrize("seeds", [range(10), pytest.param(range(10, 210), marks=pytest.mark.slow)])
def test_a_thief_who_swallows_candidates_is_detected_or_ended_by_the_cap(seeds: range) -> None:
    ends = Counter(swallowing(seed, longest_pause=0.3 + seed % 2 * 3 * GRACE) for seed in seeds)
    assert ends["detected"]  # by users who click a lot
    assert ends["capped"]
    assert ends.total() == len(seeds)


def test_a_thief_alone_who_swallows_candidates_is_ended_by_the_cap() -> None:
    traffic, thief = a_theft(0)
    world = traffic.world
    thief.keeps = lambda _ticket: False
    begun = world.clock
    while not is_exhausted(world, thief):
        world.send(thief)
        world.advance(0.5)
        assert world.clock - begun < (MAX_TRIES + 2) * (2 * GRACE + 1.5)
    assert not is_revoked(world, thief)


@pytest.mark.parametrize("seed", range(50))
def test_a_thief_who_regenerates_is_detected_by_the_honest_request_after_2_graces(seed: int) -> None:
    traffic, thief = a_theft(seed)
    world, user, random = traffic.world, traffic.user, traffic.random
    world.send(thief, Action.REGENERATE)
    world.settle()
    rotated = world.clock
    early = world.send(user)
    world.settle()
    assert early.verdict is not None
    assert early.verdict.standing is Standing.SUPERSEDED
    assert early.cookie is None
    while world.clock < rotated + 2 * GRACE + SKEW + 1:
        world.send(thief, Action.PAGE, traffic.journey())
        world.advance(random.uniform(0, GRACE))
    late = world.send(user)
    world.settle()
    assert late.verdict is not None
    assert late.verdict.standing is Standing.REPLAYED
    assert is_revoked(world, user)
    last = world.send(thief)
    world.settle()
    assert last.verdict is not None
    assert last.verdict.standing is Standing.UNKNOWN


@pytest.mark.parametrize("seed", range(20))
def test_no_cookie_makes_the_server_write_more_than_once_in_2_graces(seed: int) -> None:
    # `World` raises BrokenPromise; here is somebody who tries: with every cookie ever sent, all the time.
    traffic, thief = a_theft(seed)
    world, random = traffic.world, traffic.random
    cookies = []
    for _ in range(2_000):
        thief.jar = random.choice([*cookies, thief.jar, thief.jar])
        request = world.send(thief)
        world.advance(random.choice((0.2, 0.5)))
        if request.cookie is not None:
            cookies.append(request.cookie)
        if not world.store.rows:
            break
    assert world.done[Duty.RENEW] > 0


def test_the_model_notices_two_writes_for_one_cookie() -> None:
    traffic, thief = a_theft(0)
    world = traffic.world
    world.timing = replace(world.timing, gap=-1)
    thief.keeps = lambda _ticket: False
    for second in range(5 * GRACE):
        world.send(thief, Action.PAGE, Journey(up=float(second)))
    with pytest.raises(BrokenPromise, match="twice"):
        world.settle()
