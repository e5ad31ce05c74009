"""Describe the command line, from the commands themselves.

``python docs/tools/list_commands.py`` writes ``docs/reference/command-line.md``; a test checks that it is up
to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from websession_pyramid.checks import CHECKS
from websession_pyramid.command import main

PAGE = Path(__file__).parents[1] / "reference" / "command-line.md"

INTRODUCTION = """\
# The command line

`pyramid-sessions SUBCOMMAND CONFIG_URI` comes with the library. CONFIG_URI is the application's configuration
as Pyramid's own scripts take it: `production.ini`, `production.ini#section`.

| exit status | |
|---|---|
| 0 | done |
| 1 | the answer is no: `doctor` has found errors, there is no such session |
| 2 | a mistake on the command line: an option, a file, a section |
| 3 | the application does not start, or lacks what the command needs |
| 4 | the database cannot be used |

What goes wrong is told in a sentence with a remedy on standard error. `--json` prints JSON on standard
output. Nothing but `keygen` and `rotate-key` ever prints a secret, and nothing a whole identifier: a session
is called by the first eight hexadecimal digits of its identifier, as in events and logs.
"""

CHECKED = """\
What it looks at, and how `--json` calls it:
"""


def page() -> str:
    """Return the page."""
    return "\n".join([INTRODUCTION, *(section(main.commands[name]) for name in sorted(main.commands))])


def section(command: click.Command) -> str:
    """Return the section of one subcommand."""
    context = click.Context(command, info_name=command.name)
    usage = " ".join(["pyramid-sessions", command.name or "", *command.collect_usage_pieces(context)])
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    options = [
        record
        for option in command.params
        if isinstance(option, click.Option) and (record := option.get_help_record(context)) is not None
    ]
    parts = [f"## `{command.name}`", f"    {usage}", *paragraphs]
    if options:
        rows = [f"| `{name}` | {text} |" for name, text in options]
        parts.append("\n".join(["| option | |", "|---|---|", *rows]))
    if command.name == "doctor":
        rows = [f"| `{check.name}` | {check.title} |" for check in CHECKS]
        parts += [CHECKED.strip(), "\n".join(["| check | |", "|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
