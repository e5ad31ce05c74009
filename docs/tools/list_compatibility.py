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

What the current version of each distribution works with. Each is released separately;
`pip install -U "pyramid-sqlalchemy-sessions>=0.2"` finds versions that go together. The tests run on the
lower ends of the ranges and on the newest versions inside them.

SQLAlchemy 2.0 and 2.1 are both tested. pip keeps a version that is in the range, and replaces an older one by
the newest, 2.1, where `postgresql://` means the driver psycopg instead of psycopg2. To get 2.0, add
`"sqlalchemy>=2.0.36,<2.1"` to the same command.

Within a series `0.N` of a distribution, names and signatures do not change; they can change in the next.

Each change is tested on PostgreSQL 18, MariaDB 10.11, MySQL 9.7 and SQLite 3.40. MariaDB 10.3 and MySQL 8.0
are the oldest versions that know the statements that are used.
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
    (
        "free-threaded Python (3.14t)",
        (
            "Tried once, with 3.14.6 on SQLite: the demo answers, the tests of the rules, the codec and the"
            " models pass, threads counted their requests without a wrong number, and the GIL stays off with"
            " all packages imported. No whole run of the tests."
        ),
    ),
    (
        "PyPy",
        (
            "Tried once, with PyPy 8.0 (Python 3.11) on SQLite: the demo answers, and the tests of the rules,"
            " the models, the codec without OpenSSL, forms, logins and renewal pass, but for a few that"
            " measure what is CPython's own. There, a connection is returned to the pool late if a listener"
            " of `engine_connect` raises an exception."
        ),
    ),
    (
        "`python -O` and `-OO`",
        (
            "Tried with an application's requests and with forged cookies, and the tests of the rules and the"
            " codec run with `-O`. The packages have no `assert`; the linter refuses them. With `-OO`, which"
            " removes docstrings, `pyramid-sessions --help` lists commands and options without descriptions."
        ),
    ),
    ("threads: waitress, gunicorn", "Tests with each change."),
    (
        "processes, forks, greenlets: gunicorn, gevent, uWSGI",
        "`hatch run workers:run`, on each engine: [Run several workers](../how-to/workers.md).",
    ),
    (
        "gunicorn and uWSGI behind nginx; mod_wsgi in Apache",
        (
            "Tried by hand, as in [the page on deployment](../how-to/deploy.md), with nginx 1.22, uWSGI 2.0,"
            " Apache 2.4 and mod_wsgi 4.9. Docker and Heroku: not tried."
        ),
    ),
    ("eventlet, asyncio", "Not tried. Pyramid is WSGI."),
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
    named = f"All distributions are for Python {', '.join(versions)} and {newest}.\n"
    head = ["| distribution | version | Python | of ours | of others |", "|---|---|---|---|---|"]
    return "\n".join([INTRODUCTION, named, *head, *rows(), "", *tried(), ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
