"""The page in the documentation that shows what was measured: ``docs/explanation/performance.md``.

Each section between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` is made of ``recorded/NAME.json`` and
of nothing else. ``hatch run bench:page`` writes them all anew; a test checks that they are up to date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import results

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE: Final = Path(__file__).parents[2] / "docs" / "explanation" / "performance.md"
ENGINES: Final = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "mariadb": "MariaDB"}
KINDS: Final = ("untouched", "read", "write", "new")


def table(contenders: dict[str, Any], engine: str) -> str:
    """Return the table of one engine, in Markdown: ratios to the floor with their quartiles.

    Args:
        contenders: What `run.measure()` returned.
        engine: Its name.
    """
    kinds = [kind for kind in KINDS if kind in contenders["floor"]["ratios"]]
    lines = [f"| {ENGINES[engine]} | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for name, each in contenders.items():
        if each["failed"]:
            lines.append(f"| {each['title']} | not measured: {each['failed']}" + " |" * len(kinds))
            continue
        if name == "floor":
            cells = [f"{each['microseconds'][kind]:.0f} µs" for kind in kinds]
        else:
            cells = [_ratio(each["ratios"].get(kind)) for kind in kinds]
        lines.append(f"| {each['title']} | {' | '.join(cells)} |")
        if "touch" in each["ratios"]:
            cells = [_ratio(each["ratios"]["touch"]) if kind == "read" else "" for kind in kinds]
            lines.append(f"| … when a touch is due | {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratio(spread: dict[str, float] | None) -> str:
    if spread is None:
        return ""
    return f"{spread['median']:.2f} ({spread['low']:.2f}-{spread['high']:.2f})"


def _measured(figures: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    return f"Measured on {figures['date']} ({figures['machine']}; {versions})."


def peers(figures: dict[str, Any]) -> str:
    """Return the tables of all contenders, and the versions of the peers."""
    sittings, rounds = figures["rounds"]
    own = {"pyramid-sqlalchemy-sessions", *figures["versions"]}
    libraries: dict[str, str] = {}
    for contenders in figures["engines"].values():
        for each in contenders.values():
            libraries |= {name: version for name, version in each["versions"].items() if name not in own}
    peers = ", ".join(f"{name} {version}" for name, version in sorted(libraries.items()))
    tables = "\n\n".join(table(contenders, engine) for engine, contenders in figures["engines"].items())
    clock = " Times are those of the processors." if figures.get("processor") else ""
    about = f"{sittings} sittings of {rounds} rounds.{clock}"
    return f"{tables}\n\n{_measured(figures)} {about} Peers: {peers}."


def growth(figures: dict[str, Any]) -> str:
    """Return what a read takes as the table grows."""
    few, many = (f"{rows:,}" for rows in figures["rows"])
    small, large = figures["microseconds"]
    return (
        f"| sessions in the table | a read |\n|---|---|\n| {few} | {small:.0f} µs |\n"
        f"| {many} | {large:.0f} µs, {_ratio(figures['ratio'])} of the first |\n\n"
        f"{_measured(figures)} {figures['sessions']} sessions from all over the table; "
        f"{many} of them take {figures['bytes'] / 2**30:.1f} GiB with the companion table and the indexes."
    )


def payloads(figures: dict[str, Any]) -> str:
    """Return what large payloads cost."""
    lines = []
    for engine, sizes in figures["engines"].items():
        heads = ("floor, read", "ours, read", "floor, write", "ours, write", "`json.loads`", "`json.dumps`")
        lines += [f"| {ENGINES[engine]} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
        for size, kinds in sizes.items():
            cells = [kinds[kind][name] for kind in ("read", "write") for name in ("floor", "ours")]
            cells += [figures["json"][size][name] for name in ("loads", "dumps")]
            listed = " | ".join(f"{cell:.0f} µs" for cell in cells)
            lines.append(f"| {int(size):,} bytes | {listed} |")
        lines.append("")
    return "\n".join([*lines, _measured(figures)])


def touches(figures: dict[str, Any]) -> str:
    """Return what touches do to the companion table on PostgreSQL."""
    lines = [
        "| | HOT | touches a second | log per touch | table | key | index | to find expired ones |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in figures["variants"]:
        before, after = each["before"], each["after"]
        sizes = [
            f"{before[part] / 2**20:.1f} → {after[part] / 2**20:.1f} MiB" if after[part] else ""
            for part in ("table", "key", "index")
        ]
        lines.append(
            f"| {each['title']} | {each['hot']:.0%} | {each['per_second']:,.0f} | {each['wal']:.0f} bytes | "
            f"{' | '.join(sizes)} | {each['look_ms']:.1f} ms |"
        )
    about = f"{figures['touches']:,} touches of {figures['sessions']:,} sessions."
    return "\n".join([*lines, "", f"{_measured(figures)} {about}"])


def keys(figures: dict[str, Any]) -> str:
    """Return what a random primary key costs in InnoDB."""
    lines = [
        "| key | memory | inserts a second | of these, the last tenth | page splits | pages written | size |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {memory} | {each['per_second']:,.0f} | {each['last_per_second']:,.0f} | "
        f"{each['splits']:,.0f} | {each['pages_written']:,.0f} | {each['bytes'] / 2**20:,.0f} MiB |"
        for name, memories in figures["keys"].items()
        for memory, each in memories.items()
    ]
    return "\n".join([*lines, "", f"{_measured(figures)} {figures['rows']:,} sessions."])


def purge(figures: dict[str, Any]) -> str:
    """Return how fast expired sessions are purged, and what the application notices of it."""
    lines = [
        "| | sessions purged a second | requests a second, before | while it purges | retries | errors |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in figures["engines"].items():
        alone, beside = each["alone"], each["beside"]
        lines.append(
            f"| {ENGINES[name]} | {each['deleted'] / each['seconds']:,.0f} | {alone['per_second']:,.0f} | "
            f"{beside['per_second']:,.0f} | {beside['retries']} | {beside['errors']} |"
        )
    purged = "; ".join(
        f"{ENGINES[name]}: {each['deleted']:,} in {each['seconds']:.0f} s, beside "
        f"{each['beside']['requests']:,} requests"
        for name, each in figures["engines"].items()
    )
    about = f"{figures['rows']:,} sessions, {figures['expired']:,} of them expired"
    return "\n".join([*lines, "", f"{_measured(figures)} {about}; {figures['workers']} workers. {purged}."])


def profile(figures: dict[str, Any]) -> str:
    """Return what each microsecond of a request goes to."""
    columns = figures["columns"]
    heads = [f"{each['contender']}: {each['kind']}" for each in columns]
    lines = [f"| {ENGINES[figures['engine']]}, µs | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for part in columns[0]["parts"]:
        cells = [f"{each['parts'][part]:.0f}" if each["parts"][part] >= 0.5 else "" for each in columns]
        lines.append(f"| {part} | {' | '.join(cells)} |")
    sums = [f"**{sum(each['parts'].values()):.0f}**" for each in columns]
    lines.append(f"| **together** | {' | '.join(sums)} |")
    return "\n".join([*lines, "", _measured(figures)])


def memory(figures: dict[str, Any]) -> str:
    """Return what a worker's memory did in the course of many requests."""
    looks = figures["looks"]
    lines = ["| requests | memory of the process | blocks that Python has allocated |", "|---|---|---|"]
    lines += [
        f"| {each['requests']:,} | {each['bytes'] / 2**20:.1f} MiB | {each['blocks']:,} |"
        for each in looks[:: -max(1, len(looks) // 5)][::-1]
    ]
    about = f"{ENGINES[figures['engine']]}, {figures['sessions']:,} different sessions."
    caption = f"{_measured(figures)} {about}"
    if caches := sorted(figures.get("caches", {}).items()):
        sizes = ", ".join(f"`{name}` {size} of {limit}" for name, (size, limit) in caches)
        caption += f" Caches at the end, with their limits: {sizes}."
    if (wanted := figures.get("wanted")) is not None:
        caption += f" This run was ended before its {wanted:,} requests were made."
    return "\n".join([*lines, "", caption])


SECTIONS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "peers": peers,
    "growth": growth,
    "payloads": payloads,
    "memory": memory,
    "touches": touches,
    "keys": keys,
    "purge": purge,
    "profile": profile,
}


def written(page: str) -> str:
    """Return the page with its sections as they are to be now."""
    for name, section in SECTIONS.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if (results.RECORDED / f"{name}.json").exists():
            text = f"{begin}\n{section(results.load(name))}\n{end}"
            between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
            page = between.sub(text.replace("\\", r"\\"), page)
    return page


def write() -> None:
    """Write the page's sections anew."""
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")


def main(arguments: list[str]) -> str | None:
    """Write the page, or with ``--check`` only say whether it is up to date."""
    if arguments == ["--check"]:
        page = PAGE.read_text("utf-8")
        stale = f"{PAGE.name} is not what was recorded; run: hatch run bench:page"
        return None if written(page) == page else stale
    write()
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
