"""Say which versions go together, from the distributions' own metadata.

``python docs/tools/list_compatibility.py`` writes ``docs/reference/compatibility.md``; a test checks that it
is up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from members import Member, members  # the line above says where

PAGE = Path(__file__).parents[1] / "reference" / "compatibility.md"

INTRODUCTION = """\
# Compatibility

What each distribution in its present version works with. Each is released alone; `pip install -U
pyramid-sqlalchemy-sessions` finds versions that go together. The lower ends of the ranges and the newest
versions inside them are what the tests run on.

Within a series `0.N` of a distribution, names and signatures stay; they can change with the next one.

Each change is tested on PostgreSQL 18, MariaDB 10.11, MySQL 9.7 and SQLite 3.40. MariaDB 10.3 and MySQL 8.0
are the oldest of theirs that know the statements that are used.
"""


def rows(described: list[Member]) -> list[str]:
    """Return a row for each distribution."""
    ours = {each.name for each in described}
    found = []
    for each in described:
        needs = sorted(each.requirements, key=lambda requirement: requirement.name.lower())
        siblings = [f"{need.name} {ranges(str(need.specifier))}" for need in needs if need.name in ours]
        others = [f"{need.name} {ranges(str(need.specifier))}" for need in needs if need.name not in ours]
        python = ranges(each.project["requires-python"])
        cells = [f"`{each.name}`", str(each.version), python, " <br> ".join(siblings), " <br> ".join(others)]
        found.append(f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |"))
    return found


def ranges(specifier: str) -> str:
    """Write a range with its lower end first."""
    return ", ".join(sorted(specifier.split(","), key=lambda part: not part.startswith(">")))


def pythons(described: list[Member]) -> str:
    """Return the versions of Python that all of them name, in a sentence."""
    named = [
        {line.rpartition(" :: ")[2] for line in each.project["classifiers"] if " :: 3." in line}
        for each in described
    ]
    versions = sorted(set.intersection(*named), key=lambda version: int(version.partition(".")[2]))
    return f"Python {', '.join(versions[:-1])} and {versions[-1]} are the versions they name.\n"


def page() -> str:
    """Return the page."""
    described = members()
    head = ["| distribution | version | Python | of ours | of others |", "|---|---|---|---|---|"]
    return "\n".join([INTRODUCTION, pythons(described), *head, *rows(described), ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
