"""What large payloads cost: ``hatch run bench:payloads``.

Payloads of growing size, beside the floor's row that holds the same: reads or changes a small value beside
the large one, takes the large one out or changes an item of it, and stores it all in a new session. Says what
Python's `json` takes for it, too, and how much memory a request takes at its peak. Times are those that
processors work, server's included.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import statistics
import time
import timeit
from typing import Any

import page
from contenders import payload
from databases import ENGINES, databases
from measuring import Spread, in_turn
from processes import Process

SIZES = (10_000, 100_000, 1_000_000)
WARM_UP = 20


def serializing(size: int) -> dict[str, float]:
    """Return how many microseconds `json` takes to read and to write a payload."""
    data = payload(size)
    text = json.dumps(data)
    clock = time.process_time
    times = max(10, 20_000_000 // (size * 50))
    return {
        "loads": min(timeit.repeat(lambda: json.loads(text), number=times, timer=clock)) / times * 1e6,
        "dumps": min(timeit.repeat(lambda: json.dumps(data), number=times, timer=clock)) / times * 1e6,
    }


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = page.parser("payloads", __doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.05, help="length of the floor's turn in a round")
    args = parser.parse_args()
    figures = {
        "json": {size: serializing(size) for size in SIZES},
        "engines": {
            engine: {size: measure(engine, size, args.rounds, args.seconds) for size in SIZES}
            for engine in args.engines
        },
    }
    page.publish("payloads", figures, record=args.record)


def measure(engine: str, size: int, rounds: int, seconds: float) -> dict[str, dict[str, Any]]:
    """Return, by kind of request, the floor's microseconds, our ratio to it, and the bytes that both take."""
    with contextlib.ExitStack() as stack:
        make_url = databases(stack, engine)
        processes = {
            name: stack.enter_context(
                Process(name, {"url": make_url(), "size": size, **options}, warm_up=WARM_UP)
            )
            for name, options in (("floor", {}), ("ours", {"full": True}))
        }
        kinds = {}
        for kind in page.PAYLOAD_KINDS:
            contenders = {name: (process, kind) for name, process in processes.items()}
            times = in_turn(contenders, rounds=rounds, seconds=seconds, base="floor", processor=True)
            ratios = [ours / floor for ours, floor in zip(times["ours"], times["floor"], strict=True)]
            kinds[kind] = {
                "microseconds": statistics.median(times["floor"]) * 1e6,
                "ratio": dataclasses.asdict(Spread.of(ratios)),
                "bytes": {name: process.peak(kind) for name, process in processes.items()},
            }
    return kinds


if __name__ == "__main__":
    main()
