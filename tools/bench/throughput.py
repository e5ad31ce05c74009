"""How many requests a second a server answers: ``hatch run bench:throughput``.

The floor and ours, with all features, on PostgreSQL, by waitress with 1, 8 and 32 threads and by gunicorn
with 4 synchronous workers, each with a database of its own. `ab` makes the requests, over as many connections
as the server has threads or workers, 8 at least, which it keeps open where the server does. Servers take
turns of some seconds, in another order in every round. A request that fails, or that is not answered with
200, ends it all.

The requests are ``/read``, all of one session, and ``/new``, without a cookie. There is no ``/write``:
parallel writes of one row conflict at SERIALIZABLE, the floor's as well as ours, and that would be what is
measured.

`ab`, the servers and the database share the machine's processors, so the rates say what ours takes beside the
floor, and not what a machine can do.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import page
from databases import databases
from measuring import Spread
from processes import ContenderFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVED: Final = Path(__file__).with_name("served.py")
SERVERS: Final = {
    "waitress, 1 thread": ("waitress", 1),
    "waitress, 8 threads": ("waitress", 8),
    "waitress, 32 threads": ("waitress", 32),
    "gunicorn, 4 processes": ("gunicorn", 4),
}
CONTENDERS: Final[dict[str, dict[str, Any]]] = {"floor": {}, "ours": {"full": True}}
KINDS: Final = ("read", "new")
CONNECTIONS: Final = 8
"""So many at least: with fewer, a server would wait for `ab`."""

WARM_UP: Final = 20
"""Requests for each connection, before anything is measured."""

SETTINGS: Final = {"max_connections": "200"}
"""All servers' pools together have more than PostgreSQL admits by default."""


class WrongAnswerError(Exception):
    """A request failed under load, or `ab` did; the text says how, and has no cookie."""


@dataclass(frozen=True)
class Served:
    """A contender behind a server.

    Attributes:
        name: What the table calls the server, and the contender.
        port: Where it listens, on 127.0.0.1.
        cookie: The cookies of its session; the floor has none.
        connections: How many are used at once.
    """

    name: tuple[str, str]
    port: int
    cookie: str
    connections: int

    def load(self, kind: str, limit: list[str]) -> float:
        """Make requests until `ab`'s `limit`; return how many were answered in a second.

        Raises:
            WrongAnswerError: Not all of them were answered with 200.
        """
        command = [_ab(), "-k", "-q", "-d", "-S", "-c", str(self.connections), *limit]
        if self.cookie and kind != "new":
            command += ["-C", self.cookie]
        url = f"http://127.0.0.1:{self.port}/{kind}"
        ended = subprocess.run([*command, url], capture_output=True, text=True, check=False)
        where = f"{' '.join(self.name)}, /{kind}"
        if ended.returncode:
            raise WrongAnswerError(f"{where}: ab failed: {ended.stderr.strip()[-500:]}")
        return rate(ended.stdout, where)


def rate(report: str, where: str) -> float:
    """Return the requests a second that a report of `ab` says.

    Raises:
        WrongAnswerError: It says that some failed, or were not answered with 200; `where` tells of which.
    """
    facts = dict(re.findall(r"^([\w -]+): +([\d.]+)", report, re.MULTILINE))
    for wrong in ("Failed requests", "Non-2xx responses"):
        if float(facts.get(wrong, 0)):
            raise WrongAnswerError(f"{where}: {wrong}: {facts[wrong]} of {facts['Complete requests']}")
    return float(facts["Requests per second"])


def _ab() -> str:
    path = shutil.which("ab")
    if path is None:
        raise FileNotFoundError("ab is not installed: it comes with the package apache2-utils")
    return path


@contextlib.contextmanager
def serve(server: str, contender: str, url: str) -> Iterator[Served]:
    """Run a contender behind a server, on the database at `url`.

    Raises:
        ContenderFailedError: It did not start; it has said why on standard error.
    """
    program, number = SERVERS[server]
    options = {"url": url, **CONTENDERS[contender]}
    order = {"module": contender, "options": options, "server": program, "number": number}
    # With a session of its own the terminal's Ctrl-C reaches this process only, which ends its children.
    with subprocess.Popen(
        [sys.executable, str(SERVED)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        start_new_session=True,
    ) as child:
        assert child.stdin is not None  # both are pipes
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(order) + "\n")
            line = child.stdout.readline()
            if not line:
                raise ContenderFailedError(f"{server}, {contender}: its process ended")
            yield Served((server, contender), connections=max(CONNECTIONS, number), **json.loads(line))
        finally:
            child.terminate()


def measure(servers: list[str], *, rounds: int, seconds: int) -> dict[str, Any]:
    """Return, by server and kind of request, the requests a second and the spread of their ratios."""
    rates: dict[tuple[str, str, str], list[float]] = {}
    shuffle = random.Random(rounds).shuffle
    with contextlib.ExitStack() as stack:
        make_url = databases(stack, "postgresql", SETTINGS)
        running = {
            (server, contender): stack.enter_context(serve(server, contender, make_url()))
            for server in servers
            for contender in CONTENDERS
        }
        for served in running.values():
            for kind in KINDS:
                served.load(kind, ["-n", str(WARM_UP * served.connections)])
        pair = list(CONTENDERS)
        turns = list(itertools.product(servers, KINDS))
        for number in range(rounds):
            sys.stderr.write(f"round {number + 1} of {rounds}\n")
            shuffle(turns)
            for server, kind in turns:
                # One after the other, so that a slow second is more often both's.
                shuffle(pair)
                for contender in pair:
                    answered = running[server, contender].load(kind, ["-t", str(seconds)])
                    rates.setdefault((server, contender, kind), []).append(answered)
    return {
        server: {
            kind: {
                **{name: statistics.median(rates[server, name, kind]) for name in CONTENDERS},
                "ratio": vars(
                    Spread.of(list(map(truediv, rates[server, "ours", kind], rates[server, "floor", kind])))
                ),
            }
            for kind in KINDS
        }
        for server in servers
    }


def main() -> str | None:
    """Measure, print, and record if that is asked for; fail without `ab`, or if a request does."""
    parser = page.parser("throughput", __doc__)
    parser.add_argument("--servers", nargs="+", choices=list(SERVERS), default=list(SERVERS))
    parser.add_argument("--rounds", type=int, default=4, help="two at least")
    parser.add_argument("--seconds", type=int, default=2, help="length of each turn")
    args = parser.parse_args()
    try:
        _ab()
        figures = measure(args.servers, rounds=args.rounds, seconds=args.seconds)
    except (FileNotFoundError, WrongAnswerError) as error:
        return str(error)
    amounts = {"rounds": args.rounds, "seconds": args.seconds}
    page.publish("throughput", {**amounts, "servers": figures}, record=args.record)
    return None


if __name__ == "__main__":
    sys.exit(main())
