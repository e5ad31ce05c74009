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

PAGE: Final = Path(__file__).parents[3] / "docs" / "explanation" / "performance.md"
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
    return f"{tables}\n\n{_measured(figures)} {sittings} sittings of {rounds} rounds. Peers: {peers}."


SECTIONS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {"peers": peers}


def written(page: str) -> str:
    """Return the page with its sections as they are to be now."""
    for name, section in SECTIONS.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if (results.RECORDED / f"{name}.json").exists():
            text = f"{begin}\n{section(results.load(name))}\n{end}"
            between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
            page = between.sub(lambda _, text=text: text, page)
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
