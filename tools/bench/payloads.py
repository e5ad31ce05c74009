"""What large payloads cost: ``hatch run bench:payloads``.

Reads one key, or changes one, of payloads of growing size, beside the floor's `get()` of a row that holds the
same, and says what Python's `json` takes for it. Times are those that processors work, server's included.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
import timeit

import page
import results
from contenders import payload
from databases import ENGINES, databases
from environments import interpreter
from measuring import in_turn
from processes import Process

SIZES = (100, 10_000, 100_000)


def serializing(size: int) -> dict[str, float]:
    """Return how many microseconds `json` takes to read and to write a payload."""
    held = payload(size)
    text = json.dumps(held)
    clock = time.process_time
    times = max(10, 20_000_000 // (size * 50))
    return {
        "loads": min(timeit.repeat(lambda: json.loads(text), number=times, timer=clock)) / times * 1e6,
        "dumps": min(timeit.repeat(lambda: json.dumps(held), number=times, timer=clock)) / times * 1e6,
    }


def main(arguments: list[str]) -> None:
    """Measure, print, and record if that is asked for."""
    parser = argparse.ArgumentParser(prog="hatch run bench:payloads", description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.05, help="length of the floor's turn in a round")
    parser.add_argument("--record", action="store_true", help="write the figures into the docs")
    chosen = parser.parse_args(arguments)
    figures = {
        "json": {size: serializing(size) for size in SIZES},
        "engines": {
            engine: {size: measure(engine, size, chosen.rounds, chosen.seconds) for size in SIZES}
            for engine in chosen.engines
        },
    }
    if chosen.record:
        results.record("payloads", figures)
        page.write()
    sys.stdout.write(page.payloads(json.loads(json.dumps({**figures, **results.context()}))) + "\n")


def measure(engine: str, size: int, rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Return the microseconds of a read and a write, of the floor and of ours, by kind and contender."""
    with contextlib.ExitStack() as stack:
        make_url = databases(stack, engine)
        processes = {
            name: stack.enter_context(
                Process(interpreter(None), module, {"url": make_url(), "size": size}, warm_up=50)
            )
            for name, module in (("floor", "floor"), ("ours", "ours"))
        }
        found = {}
        for kind in ("read", "write"):
            contenders = {name: (process, kind) for name, process in processes.items()}
            taken = in_turn(contenders, rounds=rounds, seconds=seconds, base="floor", processor=True)
            # The least of all rounds: what nothing else on the machine has disturbed.
            found[kind] = {name: min(times) * 1e6 for name, times in taken.items()}
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
