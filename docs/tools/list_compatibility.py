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

TRIED = [
    ("Linux on x86-64 (Debian 12)", "All tests, with each change."),
    (
        "Windows, macOS",
        "Not tried by hand. The workflow of each change runs the packages' tests there, on SQLite.",
    ),
    (
        "other processors, 32 bits",
        "Not tried. Nothing in the packages is compiled; PyCryptodome and SQLAlchemy are.",
    ),
    ("free-threaded Python (3.13t and later)", "Not tried."),
    ("PyPy", "Not tried: none that speaks Python 3.11 was at hand."),
    (
        "`python -O` and `-OO`",
        (
            "Tried with an application's requests, and with forged cookies. The packages have no `assert`;"
            " the linter refuses them."
        ),
    ),
    ("threads: waitress, gunicorn", "Tests with each change."),
    (
        "processes, forks, greenlets: gunicorn, gevent, uWSGI",
        "`hatch run workers:run`, on each engine: [Run several workers](../how-to/workers.md).",
    ),
    (
        "gunicorn behind nginx",
        "Tried by hand, as [the page on deployment](../how-to/deploy.md) has it, with a browser.",
    ),
    (
        "mod_wsgi, eventlet, asyncio",
        "Not tried. Pyramid is WSGI; a test runs the file for mod_wsgi, without Apache.",
    ),
    ("PgBouncer", "Tests of the weekly run: [Behind PgBouncer](../how-to/engines.md#behind-pgbouncer)."),
    (
        "FIPS 140",
        (
            "Not tried. With `cipher_library = openssl` all encryption is OpenSSL's AES (CMAC and GCM), but"
            " XAES-256-GCM, which is made of these, is no mode that NIST names. PyCryptodome is not"
            " validated."
        ),
    ),
]
"""What somebody may run it on, and what is known of that."""


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


def tried() -> list[str]:
    """Return the section on systems and servers."""
    head = ["## What was tried, and what was not", "", "| on | |", "|---|---|"]
    return [*head, *(f"| {what} | {known} |" for what, known in TRIED)]


def ranges(specifier: str) -> str:
    """Write a range with its lower end first."""
    return ", ".join(sorted(specifier.split(","), key=lambda part: not part.startswith(">")))


def page() -> str:
    """Return the page."""
    *versions, newest = pythons()
    named = f"Python {', '.join(versions)} and {newest} are the versions they name.\n"
    head = ["| distribution | version | Python | of ours | of others |", "|---|---|---|---|---|"]
    return "\n".join([INTRODUCTION, named, *head, *rows(), "", *tried(), ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
