"""Measure sessions against the floor and against other libraries: ``hatch run bench:run``.

Sets up its own databases and the peers' environments, prints a table of ratios with their spread, and with
``--record`` writes it, with a plot, into the documentation.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import page
import plot
import results
from databases import ENGINES, databases
from environments import interpreter
from measuring import Spread, in_turn
from processes import ContenderFailedError, Process
from pytest_websession.servers import ServerError, ServerUnavailableError
from redis_server import redis_server
from wheels import CommandError

if TYPE_CHECKING:
    import argparse

KINDS: Final = ("untouched", "read", "write", "new", "touch")
_STORING: Final = ("read", "write", "new")
FLOOR: Final = "floor"


@dataclass(frozen=True)
class Entry:
    """A contender in the table.

    Attributes:
        title: What the table calls it.
        module: Its module in `contenders`.
        requirements: What its own environment has; with none, it runs in this one. Each peer is held at the
            version that was measured, and its dependencies come as they are.
        options: For the module's `make`.
        needs: What it stores in: `database`, `redis` or nothing.
        kinds: The kinds of request that it has.
    """

    title: str
    module: str
    requirements: tuple[str, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    needs: str = "database"
    kinds: tuple[str, ...] = KINDS[:-1]


CONTENDERS: Final = {
    FLOOR: Entry("the floor: one ORM `get`, change, `add`", "floor"),
    "again": Entry("the floor once more (what noise looks like)", "floor"),
    "core": Entry("the same by SQLAlchemy Core", "floor", options=(("core", True),)),
    "sends": Entry(
        "the floor, with a signed cookie and headers for caches",
        "floor",
        (),
        (("cookie", True),),
        kinds=("new",),
    ),
    "minimal": Entry("**ours, minimal**", "ours"),
    "minimal-openssl": Entry("… with OpenSSL", "ours", options=(("library", "openssl"),), kinds=("new",)),
    "full": Entry("**ours, all features**", "ours", options=(("full", True),), kinds=KINDS),
    "cold": Entry(
        "… a cookie not seen by this worker", "ours", (), (("full", True), ("cold", True)), kinds=("read",)
    ),
    "full-openssl": Entry(
        "… with OpenSSL", "ours", options=(("full", True), ("library", "openssl")), kinds=("new",)
    ),
    "cold-openssl": Entry(
        "… with OpenSSL, a cookie not seen by this worker",
        "ours",
        options=(("full", True), ("cold", True), ("library", "openssl")),
        kinds=("read",),
    ),
    "client": Entry("… and client info", "ours", options=(("more", "client info"),), kinds=_STORING),
    "limit": Entry(
        "… and a limit to a user's sessions", "ours", options=(("more", "limit"),), kinds=_STORING
    ),
    "encrypted": Entry("… and encryption at rest", "ours", options=(("more", "encrypted"),), kinds=_STORING),
    "flask": Entry(
        "Flask-Session (SQLAlchemy)",
        "flask_sessions",
        ("flask-session==0.8.0", "flask-sqlalchemy==3.1.1", "psycopg[binary]"),
    ),
    "beaker": Entry(
        "Beaker (database)",
        "beaker_sessions",
        ("beaker==1.14.1", "pyramid-beaker==0.9", "pyramid-tm>=2.6", "sqlalchemy>=2.0", "psycopg[binary]"),
    ),
    "django": Entry(
        "Django `sessions.backends.db`", "django_sessions", ("django>=5.2,<5.3", "psycopg[binary]")
    ),
    "redis": Entry(
        "pyramid_session_redis",
        "redis_sessions",
        ("pyramid-session-redis==1.8.1", "pyramid-tm>=2.6"),
        needs="redis",
    ),
    "cookie": Entry("Pyramid's signed cookie", "signed_cookie", needs="nothing"),
}


def main() -> None:
    """Do what the command line asks for."""
    args = _parser().parse_args()
    names = [FLOOR, *(name for name in args.contenders if name != FLOOR)]
    amounts = {name: getattr(args, name) for name in ("sittings", "rounds", "seconds", "processor")}
    engines: dict[str, Any] = {}
    for engine in args.engines:
        engines[engine] = measure(engine, names, args.kinds, **amounts)
        sys.stdout.write(f"\n{page.peers_on(engine, engines[engine])}\n")
    if args.record:
        rounds = [args.sittings, args.rounds]
        figures = {"engines": engines, "rounds": rounds, "processor": args.processor}
        results.record("peers", figures)
        plot.draw(results.load("peers"))
        page.write()
    if args.plot:
        plot.draw({"engines": engines}, args.plot)


def measure(
    engine: str,
    names: list[str],
    kinds: list[str],
    *,
    sittings: int,
    rounds: int,
    seconds: float,
    processor: bool = False,
) -> dict[str, Any]:
    """Measure contenders on one engine.

    Returns:
        By contender: its title, versions and, by kind of request, the spread of its ratios to the floor and
        its time in microseconds; or the reason why there are none.
    """
    ratios: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    times: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    failures: dict[str, str] = {}
    versions: dict[str, dict[str, str]] = {}
    for sitting in range(sittings):
        sys.stderr.write(f"{engine}: sitting {sitting + 1} of {sittings}\n")
        with contextlib.ExitStack() as stack:
            processes = _start(stack, engine, [name for name in names if name not in failures], failures)
            versions.update({name: process.versions for name, process in processes.items()})
            for kind in kinds:
                turns = _turns(processes, kind, rounds=rounds, seconds=seconds, processor=processor)
                for name, (own, floors) in turns.items():
                    times[name].setdefault(kind, []).extend(own)
                    ratios[name].setdefault(kind, []).extend(map(truediv, own, floors))
    return {
        name: {
            "title": CONTENDERS[name].title,
            "versions": versions.get(name, {}),
            "failed": failures.get(name),
            "ratios": {kind: vars(Spread.of(values)) for kind, values in ratios[name].items()},
            "microseconds": {kind: Spread.of(values).median * 1e6 for kind, values in times[name].items()},
        }
        for name in names
    }


def _turns(
    processes: dict[str, Process], kind: str, *, rounds: int, seconds: float, processor: bool
) -> dict[str, tuple[list[float], list[float]]]:
    """Measure one kind of request; return each contender's times and the floor's in the same rounds."""
    # The floor has no touch: it is something that a read costs now and then.
    kinds = {name: kind for name in processes if kind in CONTENDERS[name].kinds}
    kinds.setdefault(FLOOR, "read")
    all_times = in_turn(
        {name: (processes[name], its) for name, its in kinds.items()},
        rounds=rounds,
        seconds=seconds,
        base=FLOOR,
        processor=processor,
    )
    return {name: (times, all_times[FLOOR]) for name, times in all_times.items() if kinds[name] == kind}


def _start(
    stack: contextlib.ExitStack, engine: str, names: list[str], failures: dict[str, str]
) -> dict[str, Process]:
    """Start servers and contenders; why one cannot be had is recorded in `failures`."""
    make_url = databases(stack, engine)
    processes = {}
    for name in names:
        entry = CONTENDERS[name]
        options = dict(entry.options)
        try:
            if entry.needs == "database":
                options["url"] = make_url()
            elif entry.needs == "redis":
                options["redis_url"] = stack.enter_context(redis_server())
            python = interpreter(name, entry.requirements)
            processes[name] = stack.enter_context(Process(entry.module, options, python=python))
        except (CommandError, ContenderFailedError, ServerError, ServerUnavailableError) as error:
            if name == FLOOR:
                raise
            failures[name] = " ".join(str(error.args[-1]).split())[:500]
            sys.stderr.write(f"{name}: {error}\n")
    return processes


def _parser() -> argparse.ArgumentParser:
    parser = page.parser("run", __doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="of request")
    parser.add_argument("--sittings", type=int, default=3, help="how often all processes are started afresh")
    parser.add_argument("--rounds", type=int, default=20, help="rounds in each sitting, of each kind")
    parser.add_argument("--seconds", type=float, default=0.05, help="length of the floor's turn in a round")
    parser.add_argument(
        "--processor",
        action="store_true",
        help="take the time that processors work, in the contender and in its server, instead of the time "
        "that goes by: for a machine that has much else to do (Linux only)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="write a plot")
    return parser


if __name__ == "__main__":
    main()
