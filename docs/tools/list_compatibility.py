"""Say which versions go together, from the distributions' own metadata.

``python docs/tools/list_compatibility.py`` writes ``docs/reference/compatibility.md``; a test checks that it
is up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from members import members, of_others, pythons  # the line above says where

PAGE = Path(__file__).parents[1] / "reference" / "compatibility.md"

INTRODUCTION = """\
# Compatibility

What each distribution in its present version works with. Each is released alone;
`pip install -U "pyramid-sqlalchemy-sessions>=0.2"` finds versions that go together. The lower ends of the
ranges and the newest versions inside them are what the tests run on.

SQLAlchemy 2.0 and 2.1 are both tested. pip leaves a version alone that is in the range, and replaces an older
one by the newest: to get from there to 2.0 and not to 2.1, where `postgresql://` means the driver psycopg and
no longer psycopg2, name `"sqlalchemy>=2.0.36,<2.1"` in the same command.

Within a series `0.N` of a distribution, names and signatures stay; they can change with the next one.

Each change is tested on PostgreSQL 18, MariaDB 10.11, MySQL 9.7 and SQLite 3.40. MariaDB 10.3 and MySQL 8.0
are the oldest of theirs that know the statements that are used.
"""


def rows() -> list[str]:
    """Return a row for each distribution."""
    written = []
    for member in members():
        needs = sorted(member.requirements, key=lambda requirement: requirement.name.lower())
        others = of_others(needs)
        ours = [need for need in needs if need not in others]
        python = ranges(member.project["requires-python"])
        needed = [
            " <br> ".join(f"{need.name} {ranges(str(need.specifier))}" for need in part)
            for part in (ours, others)
        ]
        cells = [f"`{member.name}`", str(member.version), python, *needed]
        written.append("|" + "".join(f" {cell} |" if cell else " |" for cell in cells))
    return written


def ranges(specifier: str) -> str:
    """Write a range with its lower end first."""
    return ", ".join(sorted(specifier.split(","), key=lambda part: not part.startswith(">")))


def page() -> str:
    """Return the page."""
    *versions, newest = pythons()
    named = f"Python {', '.join(versions)} and {newest} are the versions they name.\n"
    head = ["| distribution | version | Python | of ours | of others |", "|---|---|---|---|---|"]
    return "\n".join([INTRODUCTION, named, *head, *rows(), ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
