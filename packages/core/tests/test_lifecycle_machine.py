"""Hypothesis looks for the schedule that logs an honest browser out, and would show the shortest one.

A step is a request that reaches a server and is judged there. The examples are derived from the code of the
test (``derandomize``), so every run is the same. The long run alone::

    pytest packages/core/tests/test_lifecycle_machine.py -m slow
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from websession_core.lifecycle import _Timing

from .browsers import Action, Browser, FalseAlarm, Journey, World
from .traffic import GRACE, POLICIES, SKEW

LONGEST = GRACE - SKEW


def one_leg(leg: str, **rest: object) -> Journey:
    """A journey that takes nearly all the time there is, in one of its three legs."""
    return Journey(**{"up": 0.05, "service": 0.05, "down": 0.05, leg: LONGEST - 0.2, **rest})  # type: ignore[arg-type]


servers = st.integers(0, 2)
rotations = st.sampled_from((Action.LOGIN, Action.REGENERATE))
slow = st.builds(one_leg, st.sampled_from(("up", "service", "down")), server=servers)
journeys = st.one_of(
    st.builds(Journey, server=servers),
    slow,
    st.builds(Journey, server=servers, lag=st.sampled_from((0.5, 3.0))),
    st.sampled_from((Journey(unanswered=True), Journey(crashed=True), Journey(locked=True))),
)
# Around the borders of one and of two graces, where a window too short would show.
pauses = st.sampled_from((0.02, 1.0, 3.0, LONGEST - 0.1, GRACE + 0.1, 2 * GRACE + SKEW + 1))
rushes = st.lists(st.tuples(pauses, journeys), min_size=1, max_size=8)
# On a bad day everything is slow.
slow_rushes = st.lists(st.tuples(pauses, slow), min_size=3, max_size=5)


class HonestBrowser(RuleBasedStateMachine):
    """One browser of an honest user; `World` raises `FalseAlarm` if the rules fail her."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(POLICIES, offsets=(0.0, SKEW / 2, -SKEW / 2))
        self.user = Browser("user")
        self._visit()

    def _visit(self) -> None:
        # The first page and the login go well; otherwise nothing would begin.
        self.world.settle()
        self.user.jar = None
        for action in (Action.START, Action.LOGIN):
            self.world.send(self.user, action)
            self.world.settle()

    def _has_lost_session(self) -> bool:
        if self.user.jar is None:
            return True
        truth = self.world.truth[self.user.jar.session_id]
        return bool(truth.excuse or truth.ended)

    @rule(rush=rushes)
    def load_pages(self, rush: list[tuple[float, Journey]]) -> None:
        for pause, journey in rush:
            self.world.advance(pause)
            self.world.send(self.user, Action.PAGE, journey)

    @rule(rush=slow_rushes | rushes)
    def load_pages_when_a_renewal_is_due(self, rush: list[tuple[float, Journey]]) -> None:
        self.world.send(self.user)
        self.world.advance(2 * GRACE + SKEW + 1)
        self.load_pages(rush)

    @rule(
        action=st.sampled_from((Action.LOGIN, Action.REGENERATE)), journey=journeys, rush=slow_rushes | rushes
    )
    def rotate(self, action: Action, journey: Journey, rush: list[tuple[float, Journey]]) -> None:
        self.world.send(self.user, action, journey)
        self.load_pages(rush)

    @rule(version=st.integers(1, 3), server=st.none() | servers)
    def change_cookies(self, version: int, server: int | None) -> None:
        self.world.change_cookies(version, server)

    @rule(seconds=st.sampled_from((0.3, 3.0)), rush=rushes)
    def fail_over(self, seconds: float, rush: list[tuple[float, Journey]]) -> None:
        self.world.fail_over(seconds)
        self.load_pages(rush)

    @rule(seconds=st.sampled_from((1.0, 5.0 * GRACE)))
    def restore(self, seconds: float) -> None:
        self.world.restore(seconds, outage=2 * GRACE)

    @rule(journey=journeys)
    def log_out(self, journey: Journey) -> None:
        self.world.send(self.user, Action.LOGOUT, journey)
        self._visit()

    @precondition(lambda self: self._has_lost_session())
    @rule()
    def log_in_again(self) -> None:
        self._visit()

    @invariant()
    def cookie_opens_session(self) -> None:
        self.world.check_settled(self.user)

    def teardown(self) -> None:
        self.world.settle()
        self.world.check_settled(self.user)


EVERY_RUN = settings(
    max_examples=200,
    stateful_step_count=50,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def explore(settings: settings, timing: _Timing | None = None) -> int:
    """Let Hypothesis drive the machine; return how many tickets were judged on the way."""
    worlds: list[World] = []

    class Machine(HonestBrowser):
        def __init__(self) -> None:
            super().__init__()
            worlds.append(self.world)
            if timing is not None:
                self.world.timing, self.world.promises = timing, False

    run_state_machine_as_test(Machine, settings=settings)
    return sum(world.decisions for world in worlds)


def test_no_schedule_in_20_000_steps_logs_an_honest_browser_out() -> None:
    assert explore(EVERY_RUN) >= 20_000


@pytest.mark.slow
def test_no_schedule_in_1_000_000_steps_logs_an_honest_browser_out() -> None:
    assert explore(settings(EVERY_RUN, max_examples=10_000)) >= 1_000_000


@pytest.mark.parametrize(
    "timing",
    [
        pytest.param(_Timing(gap=1, superseded=1), id="1 G for 2 G"),
        pytest.param(_Timing(gap=-1), id="no gap between renewals"),
    ],
)
def test_with_shorter_windows_a_schedule_is_found(timing: _Timing) -> None:
    # A bound, not a wish: it ends with the first one, which is among the first hundred or so. But what
    # Hypothesis draws depends on all modules that the test run has imported by then.
    without_shrinking = settings(
        EVERY_RUN, max_examples=5000, phases=[Phase.generate], report_multiple_bugs=False
    )
    with pytest.raises(FalseAlarm):
        explore(without_shrinking, timing)
