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
from websession_pyramid.command.options import Subcommand
from websession_pyramid.command.output import FORMAT_VERSION

PAGE = Path(__file__).parents[1] / "reference" / "command-line.md"

INTRODUCTION = f"""\
# The command line

`pyramid-sessions SUBCOMMAND CONFIG_URI` comes with the library. CONFIG_URI is the application's configuration
as Pyramid's own scripts take it: `production.ini`, `production.ini#section`. Filters, pipelines and
composites around the application are no obstacle. An application without an ini file is named by
`--app module:name` in place of CONFIG_URI: the WSGI application, a `Configurator`, or a function that makes
it, called with nothing or as PasteDeploy calls it, `main({{}}, **settings)` with what `--var` says.

| exit status | |
|---|---|
| 0 | done |
| 1 | the answer is no: `doctor` has found errors, there is no such session |
| 2 | a mistake on the command line: an option, a file, a section |
| 3 | the application does not start, or lacks what the command needs |
| 4 | the database cannot be used |
| 141 | nobody reads on: a pipe to `head` |

What goes wrong is said in a sentence with a remedy, on standard error. `--json` prints JSON on standard
output. Nothing but `keygen` and `rotate-key` ever prints a secret, and nothing a whole identifier: a session
is called by the first eight hexadecimal digits of its identifier, as in events and logs.

Durations are written as `90`, `90s`, `30min` (or `30m`), `12h`, `14d`, `2w`, here and in the settings. A
terminal is shown as much as it has room for, and no control characters, whatever a user id has in it.

## Numbers for programs

Every `--json` prints one object. Its `format_version` is {FORMAT_VERSION}; it changes if a name goes or means
something else, and not if one comes. [This JSON Schema](command-line.schema.json) describes what `list`,
`show` and `stats` print: a number that ends in `_seconds` or `_bytes` counts these, and null is what the
model does not tell.
`stats --format prometheus` prints the same numbers for [Prometheus](../how-to/metrics.md).

## Completion

click brings the completion of subcommands and options: for bash, this line in `~/.bashrc`; zsh and fish
likewise.

```console
eval "$(_PYRAMID_SESSIONS_COMPLETE=bash_source pyramid-sessions)"
```
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
    if isinstance(command, Subcommand) and command.example:
        parts.append(f"Example: `pyramid-sessions {command.example}`")
    if command.name == "doctor":
        rows = [f"| `{check.name}` | {check.title} |" for check in CHECKS]
        parts += [CHECKED.strip(), "\n".join(["| check | |", "|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
