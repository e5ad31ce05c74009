"""The page in the documentation that shows what was measured: ``docs/explanation/performance.md``.

Each section between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` is made of ``recorded/NAME.json`` and
of nothing else. ``hatch run bench:page`` writes them all again; a test checks that they are up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

PAGE: Final = Path(__file__).parents[2] / "docs" / "explanation" / "performance.md"
ENGINES: Final = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "mariadb": "MariaDB"}
KINDS: Final = ("untouched", "read", "write", "new")
PAYLOAD_KINDS: Final = {
    "read": "read a small value",
    "take": "take the large one out",
    "write": "change a small value",
    "change": "change an item of the large one",
    "new": "new session",
}


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["|" + "".join(f" {cell} |" if cell else " |" for cell in cells) for cells in [heads, *rows]]
    return "\n".join([lines[0], "|---" * len(heads) + "|", *lines[1:]])


def _ratio(spread: dict[str, float] | None) -> str:
    if spread is None:
        return ""
    return f"{spread['median']:.2f} ({spread['low']:.2f}-{spread['high']:.2f})"


def _measured(figures: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    return f"Measured on {figures['date']} ({figures['machine']}; {versions})."


def peers_on(engine: str, contenders: dict[str, Any]) -> str:
    """Return the table of one engine, of what `run.measure()` returned: ratios with their quartiles."""
    kinds = [kind for kind in KINDS if kind in contenders["floor"]["ratios"]]
    rows = []
    for name, contender in contenders.items():
        ratios = contender["ratios"]
        if contender["failed"]:
            cells = [f"not measured: {contender['failed']}", *[""] * (len(kinds) - 1)]
        elif name == "floor":
            cells = [f"{contender['microseconds'][kind]:.0f} µs" for kind in kinds]
        else:
            cells = [_ratio(ratios.get(kind)) for kind in kinds]
        rows.append([contender["title"], *cells])
        if "touch" in ratios:
            cells = [_ratio(ratios["touch"]) if kind == "read" else "" for kind in kinds]
            rows.append(["… when a touch is due", *cells])
    return _table([ENGINES[engine], *kinds], rows)


def peers(figures: dict[str, Any]) -> str:
    """Return the tables of all contenders, and the versions of the peers."""
    sittings, rounds = figures["rounds"]
    own = {"pyramid-sqlalchemy-sessions", *figures["versions"]}
    libraries = {
        f"{name} {version}"
        for contenders in figures["engines"].values()
        for contender in contenders.values()
        for name, version in contender["versions"].items()
        if name not in own
    }
    tables = "\n\n".join(peers_on(engine, contenders) for engine, contenders in figures["engines"].items())
    clock = " Times are those of the processors." if figures.get("processor") else ""
    about = f"{sittings} sittings of {rounds} rounds.{clock}"
    return f"{tables}\n\n{_measured(figures)} {about} Peers: {', '.join(sorted(libraries))}."


def instructions(figures: dict[str, Any]) -> str:
    """Return how many instructions a request takes."""
    tables = []
    for engine, contenders in figures["engines"].items():
        rows = [
            [one["title"], *(_thousands(one["counts"].get(kind)) for kind in KINDS)]
            for one in contenders.values()
        ]
        tables.append(_table([f"{ENGINES[engine]}, thousands of instructions", *KINDS], rows))
    return "\n\n".join([*tables, _measured(figures)])


def _thousands(number: float | None) -> str:
    return "" if number is None else f"{number / 1000:,.0f}"


def growth(figures: dict[str, Any]) -> str:
    """Return what a read takes as the table grows."""
    few, many = (f"{rows:,}" for rows in figures["rows"])
    small, large = figures["microseconds"]
    rows = [[few, f"{small:.0f} µs"], [many, f"{large:.0f} µs, {_ratio(figures['ratio'])} of the first"]]
    return (
        f"{_table(['sessions in the table', 'a read'], rows)}\n\n"
        f"{_measured(figures)} {figures['sessions']} sessions from all over the table; "
        f"{many} of them take {figures['bytes'] / 2**30:.1f} GiB with the companion table and the indexes."
    )


def payloads(figures: dict[str, Any]) -> str:
    """Return what large payloads cost."""
    heads = ("", "`json.loads`", "`json.dumps`", *PAYLOAD_KINDS.values())
    parts = []
    for engine, sizes in figures["engines"].items():
        rows = []
        for size, kinds in sizes.items():
            json_times = (f"{figures['json'][size][name]:.0f} µs" for name in ("loads", "dumps"))
            floors = (f"{kinds[kind]['microseconds']:.0f} µs" for kind in PAYLOAD_KINDS)
            rows.append([f"{int(size):,} bytes", "floor", *json_times, *floors])
            rows.append(["", "ours", "", "", *(_ratio(kinds[kind]["ratio"]) for kind in PAYLOAD_KINDS)])
            multiples = (
                " / ".join(f"{kinds[kind]['bytes'][name] / int(size):.1f}" for name in ("ours", "floor"))
                for kind in PAYLOAD_KINDS
            )
            rows.append(["", "memory, ours / floor", "", "", *multiples])
        parts.append(_table([ENGINES[engine], *heads], rows))
    return "\n\n".join([*parts, _measured(figures)])


def touches(figures: dict[str, Any]) -> str:
    """Return what touches do to the companion table on PostgreSQL."""
    heads = "", "HOT", "touches a second", "log per touch", "table", "key", "index", "to find expired ones"
    rows = []
    for variant in figures["variants"]:
        before, after = variant["before"], variant["after"]
        sizes = [
            f"{before[part] / 2**20:.1f} → {after[part] / 2**20:.1f} MiB" if after[part] else ""
            for part in ("table", "key", "index")
        ]
        speed = f"{variant['hot']:.0%}", f"{variant['per_second']:,.0f}", f"{variant['wal']:.0f} bytes"
        rows.append([variant["title"], *speed, *sizes, f"{variant['look_ms']:.1f} ms"])
    about = f"{figures['touches']:,} touches of {figures['sessions']:,} sessions."
    return f"{_table(heads, rows)}\n\n{_measured(figures)} {about}"


def keys(figures: dict[str, Any]) -> str:
    """Return what a random primary key costs in InnoDB."""
    heads = "key", "memory", "inserts a second", "of these, the last tenth", "page splits", "pages written"
    numbers = "per_second", "last_per_second", "splits", "pages_written"
    rows = [
        [name, memory, *(f"{run[number]:,.0f}" for number in numbers), f"{run['bytes'] / 2**20:,.0f} MiB"]
        for name, runs in figures["keys"].items()
        for memory, run in runs.items()
    ]
    return f"{_table([*heads, 'size'], rows)}\n\n{_measured(figures)} {figures['rows']:,} sessions."


def purge(figures: dict[str, Any]) -> str:
    """Return how fast expired sessions are purged, and what the application notices of it."""
    heads = (
        *("", "sessions purged a second", "requests a second, before", "while it purges"),
        *("retries", "errors"),
    )
    rows, sentences = [], []
    for name, run in figures["engines"].items():
        beside = run["beside"]
        speeds = run["deleted"] / run["seconds"], run["alone"]["per_second"], beside["per_second"]
        counts = str(beside["retries"]), str(beside["errors"])
        rows.append([ENGINES[name], *(f"{speed:,.0f}" for speed in speeds), *counts])
        speed = f"{run['deleted']:,} in {run['seconds']:.0f} s"
        sentences.append(f"{ENGINES[name]}: {speed}, beside {beside['requests']:,} requests")
    about = f"{figures['rows']:,} sessions, {figures['expired']:,} of them expired"
    about += f"; {figures['workers']} workers. {'; '.join(sentences)}."
    return f"{_table(heads, rows)}\n\n{_measured(figures)} {about}"


def operate(figures: dict[str, Any]) -> str:
    """Return what an operator's commands take."""
    engines = figures["engines"]
    heads = [
        "",
        *(f"{ENGINES[name]}, {what}" for name in engines for what in ("processor", "time", "memory")),
    ]
    rows = []
    for words in next(iter(engines.values())):
        cells = [f"`{words}`"]
        for commands in engines.values():
            took = commands[words]
            processor = f"{took['processor']:.1f} s"
            if took["server"] >= 0.05:
                processor += f" + {took['server']:.1f} s"
            cells += [processor, f"{took['seconds']:.1f} s", f"{took['bytes'] / 2**20:.0f} MiB"]
        rows.append(cells)
    about = f"{figures['rows']:,} sessions, {figures['expired']:,} of them expired."
    return f"{_table(heads, rows)}\n\n{_measured(figures)} {about}"


def deadlines(figures: dict[str, Any]) -> str:
    """Return what purges take after a timeout was switched on."""
    tables = []
    for name, sizes in figures["engines"].items():
        runs = list(sizes.values())
        given = [run["given"] for run in runs]
        firsts = [
            f"{one['sessions']:,} in {one['seconds']:,.1f} s, {one['transactions']:,} transactions, "
            f"the longest {one['longest'] * 1000:.0f} ms"
            for one in given
        ]
        deletions = [f"{run['deleted']['sessions']:,} in {run['deleted']['seconds']:,.1f} s" for run in runs]
        later = [f"{run['later']['seconds'] * 1000:.0f} ms" for run in runs]
        plain = [f"{run['without policies']['seconds'] * 1000:.0f} ms" for run in runs]
        indexes = [", ".join(f"`{index}`" for index in dict.fromkeys(run["indexes"])) for run in runs]
        rows = [
            ["the first gives deadlines to", *firsts],
            ["and deletes", *deletions],
            [f"a later one deletes {figures['ending']:,}", *later],
            ["the same by recorded deadlines alone", *plain],
            ["how a later one looks for deadlines", *indexes],
        ]
        tables.append(_table([ENGINES[name], *(f"{int(size):,} sessions" for size in sizes)], rows))
    return "\n\n".join([*tables, _measured(figures)])


def profile(figures: dict[str, Any]) -> str:
    """Return what each microsecond of a request goes to."""
    columns = figures["columns"]
    heads = [f"{ENGINES[figures['engine']]}, µs", *(f"{one['contender']}: {one['kind']}" for one in columns)]
    rows = [
        [part, *(f"{one['parts'][part]:.0f}" if one["parts"][part] >= 0.5 else "" for one in columns)]
        for part in columns[0]["parts"]
    ]
    rows.append(["**together**", *(f"**{sum(one['parts'].values()):.0f}**" for one in columns)])
    return f"{_table(heads, rows)}\n\n{_measured(figures)}"


def memory(figures: dict[str, Any]) -> str:
    """Return what a worker's memory did in the course of many requests."""
    looks = figures["looks"]
    rows = [
        [f"{look['requests']:,}", f"{look['bytes'] / 2**20:.1f} MiB", f"{look['blocks']:,}"]
        for look in looks[:: -max(1, len(looks) // 5)][::-1]
    ]
    table = _table(["requests", "memory of the process", "blocks that Python has allocated"], rows)
    about = f"{ENGINES[figures['engine']]}, {figures['sessions']:,} different sessions."
    if caches := sorted(figures.get("caches", {}).items()):
        sizes = ", ".join(f"`{name}` {size} of {limit}" for name, (size, limit) in caches)
        about += f" Caches at the end, with their limits: {sizes}."
    if (goal := figures.get("wanted")) is not None:
        about += f" This run was ended before its {goal:,} requests were made."
    return f"{table}\n\n{_measured(figures)} {about}"


def visits(figures: dict[str, Any]) -> str:
    """Return what visits cost before, in 0.2.0, and now."""
    rows = []
    for visit, costs in figures["visits"].items():
        before, now = costs["before"], costs["now"]
        counts = [f"{cost['instructions'] / 1000:,.0f}" for cost in (before, now)]
        rows.append([visit, *(_statements(cost["statements"]) for cost in (before, now)), *counts])
    heads = "", "statements in 0.2.0", "statements now", "thousand instructions in 0.2.0", "now"
    return f"{_table(heads, rows)}\n\n{_measured(figures)} SQLite, the model with every feature."


def _statements(statements: list[str]) -> str:
    return ", ".join(statement.lower() for statement in statements) or "none"


SECTIONS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "peers": peers,
    "instructions": instructions,
    "growth": growth,
    "payloads": payloads,
    "memory": memory,
    "touches": touches,
    "keys": keys,
    "purge": purge,
    "deadlines": deadlines,
    "operate": operate,
    "profile": profile,
    "visits": visits,
}


def rewrite(page: str) -> str:
    """Return the page with its sections as they are to be now."""
    for name, section in SECTIONS.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{section(results.load(name))}\n{end}{rest.partition(end)[2]}"
    return page


def write() -> None:
    """Write the page's sections again."""
    PAGE.write_text(rewrite(PAGE.read_text("utf-8")), "utf-8")


def parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """Return a parser for the command line of a command whose figures are a section of the page."""
    parser = argparse.ArgumentParser(prog=f"hatch run bench:{name}", description=about)
    parser.add_argument("--record", action="store_true", help="write the figures into the docs")
    return parser


def publish(name: str, figures: dict[str, Any], *, record: bool) -> None:
    """Print the section that figures make, and record them and write the page if that is asked for."""
    if record:
        results.record(name, figures)
        write()
    figures = json.loads(json.dumps({**results.context(), **figures}, default=float))
    sys.stdout.write(SECTIONS[name](figures) + "\n")


def main() -> str | None:
    """Write the page, or with ``--check`` only say whether it is up to date."""
    if sys.argv[1:] == ["--check"]:
        page = PAGE.read_text("utf-8")
        stale = f"{PAGE.name} is not what was recorded; run: hatch run bench:page"
        return None if rewrite(page) == page else stale
    write()
    return None


if __name__ == "__main__":
    sys.exit(main())
