"""Does a worker's memory stay where it is? ``hatch run bench:memory``.

One process, all features on, makes requests of many different sessions, anonymous ones too: it reads, writes,
begins sessions, leaves them alone and is sent forged cookies. Meanwhile the clock moves on, as if a thousand
requests came a second, so that about half of the reads are due for a touch. Now and then it looks at:

- the memory that the operating system has given to the process,
- how many blocks of memory Python's objects take, after a garbage collection: whatever is kept of a request
  shows here, long before it shows above,
- the caches of this repository's packages: each must have a limit and keep it.

The sessions' cookies, which a browser would keep, are in the same process, all of them from the beginning.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import page
import worker
from budget import OWN
from databases import ENGINES, databases

if TYPE_CHECKING:
    from collections.abc import Iterator

MIX: Final = {"read": 70, "write": 20, "untouched": 5, "new": 4, "forged": 1}
"""How many of a hundred requests are of each kind."""

LOOKS: Final = 20
WARM: Final = 4
"""So many looks are taken, and those from this one on are compared."""

ALLOWED_BLOCKS: Final = 0.005
"""Blocks more for each request: one that is left behind by every two hundredth request is too much."""

NOISE: Final = 500
"""Blocks, however many requests: not every moment is the same."""

ALLOWED_BYTES: Final = 2 * 2**20
"""The heap is not packed the same way at all times."""


class Traffic:
    """Requests of many sessions, which it begins, to one application."""

    def __init__(self, app: Any, sessions: int) -> None:
        self._client = worker.Client(app)
        self._chance = random.Random(1)
        self._between_touches = max(1, sessions * 61 // 100)
        self._count = 0
        self._cookies = [self._begin(app) for _ in range(sessions)]

    @staticmethod
    def _begin(app: Any) -> str:
        browser = worker.Client(app)
        browser.get("new")
        return browser.cookie

    def go_on(self, requests: int) -> None:
        """Make so many requests, each with the cookie of any of the sessions."""
        kinds = self._chance.choices(list(MIX), list(MIX.values()), k=requests)
        for kind in kinds:
            self._count += 1
            cookie = self._chance.choice(self._cookies)
            if self._count % self._between_touches == 0:
                # This view moves the clock on.
                self._client.get("touch", keep=True, cookie=cookie)
            elif kind == "forged":
                name, _, token = cookie.partition("=")
                rest = "".join(self._chance.choices(token[1:], k=len(token) - 1))
                self._client.get("new", keep=True, cookie=f"{name}={token[0]}{rest}")
            else:
                self._client.get(kind, keep=True, cookie="" if kind == "new" else cookie)


def resident() -> int:
    """Return how many bytes of memory the process has from the operating system."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def caches() -> Iterator[tuple[str, int, int | None]]:
    """Yield the name, the size and the limit of each function's cache in our packages."""
    for cache in gc.get_objects():
        if isinstance(cache, functools._lru_cache_wrapper):
            function: Any = cache.__wrapped__
            if function.__module__.partition(".")[0] in OWN:
                info = cache.cache_info()
                yield f"{function.__module__}.{function.__qualname__}", info.currsize, info.maxsize


def measure(url: str, *, sessions: int, requests: int) -> dict[str, Any]:
    """Make the requests and return what was seen at each look.

    To begin each of the sessions takes a request more, which is not counted.
    """
    contender = worker.load("ours", {"url": url, "full": True})
    sys.stderr.write(f"beginning {sessions:,} sessions\n")
    traffic = Traffic(contender.app, sessions)
    looks = []
    for number in range(1, LOOKS + 1):
        traffic.go_on(requests // LOOKS)
        gc.collect()
        count = number * (requests // LOOKS)
        looks.append({"requests": count, "blocks": sys.getallocatedblocks(), "bytes": resident()})
        sys.stderr.write(f"{looks[-1]}\n")
    return {"sessions": sessions, "looks": looks, "caches": {name: rest for name, *rest in caches()}}


def judge(figures: dict[str, Any]) -> list[str]:
    """Return what has grown, a sentence each; with none, memory is flat."""
    first, *_, last = figures["looks"][WARM - 1 :]
    requests = last["requests"] - first["requests"]
    growths = []
    blocks = last["blocks"] - first["blocks"]
    if blocks > NOISE + ALLOWED_BLOCKS * requests:
        growths.append(f"{blocks:,} blocks of memory were left behind by {requests:,} requests")
    growth = last["bytes"] - first["bytes"]
    if growth > ALLOWED_BYTES:
        growths.append(f"the process has grown by {growth / 2**20:.1f} MiB in {requests:,} requests")
    for name, (size, limit) in figures["caches"].items():
        if limit is None:
            growths.append(f"the cache of {name} has no limit")
        elif size > limit:
            growths.append(f"the cache of {name} holds {size}, over its limit of {limit}")
    return growths


def main() -> str | None:
    """Measure, print, and record if that is asked for; fail if memory is not flat."""
    parser = page.parser("memory", __doc__)
    parser.add_argument("--engine", choices=ENGINES, default="sqlite")
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=1_000_000)
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        url = databases(stack, args.engine)()
        figures = measure(url, sessions=args.sessions, requests=args.requests)
    page.publish("memory", {"engine": args.engine, **figures}, record=args.record)
    return "\n".join(judge(figures)) or None


if __name__ == "__main__":
    sys.exit(main())
