"""What large payloads cost: ``hatch run bench:payloads``.

Reads one key, or changes one, of payloads of growing size, beside the floor's `get()` of a row that holds the
same, and says what Python's `json` takes for it. Times are those that processors work, server's included.
"""

from __future__ import annotations

import contextlib
import json
import time
import timeit

import page
from contenders import payload
from databases import ENGINES, databases
from measuring import in_turn
from processes import Process

SIZES = (100, 10_000, 100_000)


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


def measure(engine: str, size: int, rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Return the microseconds of a read and a write, of the floor and of ours, by kind and contender."""
    with contextlib.ExitStack() as stack:
        make_url = databases(stack, engine)
        processes = {
            name: stack.enter_context(Process(module, {"url": make_url(), "size": size}, warm_up=50))
            for name, module in (("floor", "floor"), ("ours", "ours"))
        }
        least = {}
        for kind in ("read", "write"):
            contenders = {name: (process, kind) for name, process in processes.items()}
            all_times = in_turn(contenders, rounds=rounds, seconds=seconds, base="floor", processor=True)
            # The least of all rounds: what nothing else on the machine has disturbed.
            least[kind] = {name: min(times) * 1e6 for name, times in all_times.items()}
    return least


if __name__ == "__main__":
    main()
