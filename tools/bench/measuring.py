"""Rounds in turn, and what is made of them.

Times on a machine that does other things, too, mean nothing by themselves: a slow second slows the contender
that is being measured. So contenders take turns, a fraction of a second each, in another order in every
round, and each one's time is divided by that of the floor in the same round. What is reported is the median
of these ratios and their quartiles. Where a process happens to lie in memory makes a difference of its own of
some per cent, so all processes are started afresh several times; each such time is called a sitting.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processes import Process


@dataclass(frozen=True)
class Spread:
    """A median and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of some values, two at least."""
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, median, high)


def in_turn(
    contenders: Mapping[str, tuple[Process, str]],
    *,
    rounds: int,
    seconds: float,
    base: str,
    processor: bool = False,
) -> dict[str, list[float]]:
    """Measure contenders that take turns.

    Args:
        contenders: Each one's process and kind of request, by its name.
        rounds: How many.
        seconds: About how long a turn of `base` takes; all make the same number of requests.
        base: One of them.
        processor: Take the processors' time instead of the time that went by.

    Returns:
        The seconds per request, of each contender in each round.
    """
    process, kind = contenders[base]
    trial = 5
    number = max(trial, round(seconds / (process.requests(kind, trial, processor=processor) / trial)))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    shuffle = random.Random(rounds).shuffle
    for _ in range(rounds):
        # One that always came after the same neighbour would always meet what that one has left to do:
        # a server's write-ahead log, for example.
        shuffle(order)
        for name in order:
            process, kind = contenders[name]
            times[name].append(process.requests(kind, number, processor=processor) / number)
    return times
