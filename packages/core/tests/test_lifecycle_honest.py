"""An honest browser is never taken for a thief, whatever the network and the servers do.

A step is a request that reaches a server and is judged there. Every run is fixed by its seed: the seeds are
0 to 7 in every run and 1,000 to 1,349 in the long one, which runs alone with::

    pytest packages/core/tests/test_lifecycle_honest.py -m slow

The same traffic shows that shorter windows would not do.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from websession_core.lifecycle import Duty, Standing, _Timing

from .browsers import FalseAlarm, World
from .traffic import run

# What the user or chance does in one world: 5,000 make about 3,100 steps.
ACTS = 5_000

# The only ways to lose a session in this traffic that are no fault of the rules.
EXCUSES = {"late candidate", "late write", "rotation unanswered", "every candidate lost"}


def test_an_honest_browser_is_never_logged_out_in_20_000_steps() -> None:
    worlds = [run(seed, ACTS) for seed in range(8)]
    assert sum(world.decisions for world in worlds) >= 20_000
    assert_everything_happened(worlds)


@pytest.mark.slow
def test_an_honest_browser_is_never_logged_out_in_1_000_000_steps() -> None:
    worlds = [run(seed, ACTS) for seed in range(1_000, 1_350)]
    assert sum(world.decisions for world in worlds) >= 1_000_000
    assert_everything_happened(worlds)


def assert_everything_happened(worlds: list[World]) -> None:
    standings = sum((world.standings for world in worlds), Counter[Standing]())
    duties = sum((world.done for world in worlds), Counter[Duty]())
    excused = sum((world.excused for world in worlds), Counter[str]())
    for standing in (
        Standing.CURRENT,
        Standing.ACKNOWLEDGEMENT,
        Standing.IN_FLIGHT,
        Standing.SUPERSEDED,
        Standing.STALE_READ,
        Standing.UNKNOWN,
        Standing.EXPIRED_IDLE,
    ):
        assert standings[standing], standing
    for duty in (Duty.RENEW, Duty.ACKNOWLEDGE, Duty.TOUCH, Duty.REMOVE):
        assert duties[duty], duty
    assert set(excused) <= EXCUSES
    assert sum(world.reissued for world in worlds)


@pytest.mark.parametrize(
    "timing",
    [
        pytest.param(_Timing(gap=1, superseded=1), id="1 G for 2 G"),
        pytest.param(_Timing(gap=1), id="1 G between candidates"),
        pytest.param(_Timing(gap=-1), id="no gap between renewals"),
        pytest.param(_Timing(superseded=1), id="1 G after a rotation"),
        pytest.param(_Timing(in_flight=0), id="no grace for the ticket before"),
    ],
)
def test_shorter_windows_do_log_honest_browsers_out(timing: _Timing) -> None:
    with pytest.raises(FalseAlarm):
        list(map(partial(run, acts=ACTS, timing=timing), range(40)))
