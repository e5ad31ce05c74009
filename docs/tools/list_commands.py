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
composites around the application are fine. For an application without an ini file, give `--app module:name`
instead of CONFIG_URI: the WSGI application, a `Configurator`, or a function that creates it, which is called
without arguments or, if it needs some or there is a `--var`, as PasteDeploy calls it,
`main({{}}, **settings)` with the values of `--var`.

| exit status | |
|---|---|
| 0 | done |
| 1 | the answer is no: `doctor` has found errors, there is no such session |
| 2 | a mistake on the command line: an option, a file, a section |
| 3 | the application does not start, or lacks what the command needs |
| 4 | the database cannot be used |
| 5 | the output cannot be written: the disk is full |
| 130 | interrupted, by Ctrl-C; what was done by then stays done |
| 141 | the output was closed, for example by a pipe to `head` |

An error is one sentence with a remedy, on standard error. `--json` prints JSON on standard output. Only
`keygen` and `rotate-key` ever print a secret, and nothing prints a full identifier: a session is named by the
first eight hexadecimal digits of its identifier, as in events and logs.

Durations are written as `90`, `90s`, `30min` (or `30m`), `12h`, `14d`, `2w`, here and in the settings. A
terminal shows as many columns as fit, and no control characters, whatever a user id contains.

## When it fails

An ellipsis stands for what differs between applications. Findings of `doctor` are not failures; it reports
an unusable database like its other findings, with exit status 1.

{{failures}}

## Numbers for programs

Every `--json` prints one object. Its `format_version` is {FORMAT_VERSION}; it changes if a name is removed
or changes its meaning, but not if one is added. [This JSON Schema](command-line.schema.json) describes what
`list`, `show` and `stats` print: names that end in `_seconds` or `_bytes` give the unit, and null means that
the model does not record the value.
`stats --format prometheus` prints the same numbers for [Prometheus](../how-to/metrics.md).

## Completion

The shell completes subcommands, options and file names. For bash, add this line to `~/.bashrc`:

```console
eval "$(_PYRAMID_SESSIONS_COMPLETE=bash_source pyramid-sessions)"
```

For zsh, in `~/.zshrc`, below `autoload -Uz compinit && compinit`:

```console
eval "$(_PYRAMID_SESSIONS_COMPLETE=zsh_source pyramid-sessions)"
```

For fish, in `~/.config/fish/config.fish`:

```console
_PYRAMID_SESSIONS_COMPLETE=fish_source pyramid-sessions | source
```

Where the command is in an environment of its own, write its path: `/srv/shop/env/bin/pyramid-sessions`.
"""

FAILURES = (
    (
        "there is no such file",
        "all",
        (
            "There is no file …. Give the configuration as Pyramid's own scripts take it, for example "
            "production.ini or production.ini#main."
        ),
        2,
    ),
    (
        "the file is no ini file",
        "all",
        (
            "… is no configuration that can be read: …. Give an ini file, for example production.ini or "
            "production.ini#main."
        ),
        2,
    ),
    (
        "there is no such section",
        "all",
        "… names no application: …. Name its section behind a #: production.ini#main is [app:main].",
        2,
    ),
    (
        "no session of the application has this name",
        "all",
        (
            "The application of … has no request.other of this library. Give one of its sessions with "
            "--session: session."
        ),
        2,
    ),
    (
        "a setting is wrong",
        "all",
        (
            "The application of … does not start: 1 mistake in the session settings: "
            "session.idle_timeout = 'soon': …"
        ),
        3,
    ),
    (
        "the application's own code fails",
        "all",
        "The application of … does not start: RuntimeError: …. pserve … shows where.",
        3,
    ),
    (
        "the library is not included",
        "all",
        (
            "The application of … has no sessions of this library. Add "
            "config.include('pyramid_sqlalchemy_sessions') to it."
        ),
        3,
    ),
    (
        "the URL is none",
        "all",
        (
            "The application of … does not start: ArgumentError: Could not parse SQLAlchemy URL. See that "
            "the database's URL in the configuration is right (postgresql+psycopg://user:password@host/name)."
        ),
        3,
    ),
    (
        "there is no `request.dbsession`",
        "all but `rotate-key`",
        (
            "request.dbsession gave no database session outside of a request: … otherwise add one with "
            "config.add_request_method(make_session, 'dbsession', reify=True)…."
        ),
        3,
    ),
    (
        "the server does not answer",
        "all but `doctor`, `rotate-key`",
        (
            "The database could not be used: …. See that it runs, and that host and port in the URL in the "
            "configuration are right."
        ),
        4,
    ),
    (
        "user or password are wrong",
        "all but `doctor`, `rotate-key`",
        (
            "The database could not be used: …. See that user and password in the URL in the configuration "
            "are right."
        ),
        4,
    ),
    (
        "the database does not exist",
        "all but `doctor`, `rotate-key`",
        (
            "The database could not be used: …. Create the database, or see that its name in the URL in the "
            "configuration is right."
        ),
        4,
    ),
    (
        "the database's file cannot be opened",
        "all but `doctor`, `rotate-key`",
        (
            "The database could not be used: OperationalError: unable to open database file. See that the "
            "folder of the file in the URL exists, and that you may write to it."
        ),
        4,
    ),
    (
        "a table is missing",
        "all but `doctor`, `rotate-key`",
        (
            "The tables are not those of the session model: …. Run the migrations (alembic upgrade head); "
            "pyramid-sessions doctor says what else is wrong."
        ),
        4,
    ),
    (
        "the account may not write",
        "`purge`, `revoke`",
        (
            "The database could not be used: …. The account may not do this: GRANT SELECT, INSERT, UPDATE, "
            "DELETE on the session table and its companion (on SQLite: see who may write to the file and its "
            "folder)."
        ),
        4,
    ),
    (
        "no identifier begins so",
        "`revoke`, `show`",
        "There is no session whose identifier begins with abcd.",
        1,
    ),
    (
        "several identifiers begin so",
        "`revoke`, `show`",
        "Several sessions begin with abcd. Say more of it: ….",
        1,
    ),
    (
        "it is no userid",
        "`list`, `revoke`",
        "'x' is no userid of this application. Give a value of type int.",
        2,
    ),
    (
        "it is no duration",
        "`list`, `revoke`",
        (
            "Invalid value for '--unused-for': 'soon' is no duration; give seconds, or a number with s, min, "
            "h, d or w, like 30min or 14d"
        ),
        2,
    ),
    (
        "the model knows no users",
        "`list`, `revoke`",
        "The session model knows no users. Add UseridMixin to its bases, and a migration.",
        3,
    ),
    (
        "the model has no deadlines",
        "`purge`",
        (
            "The model … has neither IdleMixin nor AbsoluteMixin: its sessions have no deadline to be purged "
            "by. Add one of the mixins to the model, and a migration."
        ),
        3,
    ),
    (
        "the model does not encrypt",
        "`encrypt`",
        (
            "The session model does not encrypt its data. Add EncryptedDataMixin to its bases, and the "
            "setting data_secret_key."
        ),
        3,
    ),
)
"""What is wrong, which commands say so, how, and their exit status; tests bring each about."""

CHECKED = """\
What it looks at, and how `--json` calls it:
"""


def page() -> str:
    """Return the page."""
    rows = [
        f"| {wrong} | {commands} | {message} | {status} |" for wrong, commands, message, status in FAILURES
    ]
    failures = "\n".join(["| what is wrong | commands | message | exit status |", "|---|---|---|---|", *rows])
    introduction = INTRODUCTION.replace("{failures}", failures)
    return "\n".join([introduction, *(section(main.commands[name]) for name in sorted(main.commands))])


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
