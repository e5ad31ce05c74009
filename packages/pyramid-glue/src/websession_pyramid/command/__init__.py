"""``pyramid-sessions``: see, end, limit and clean up the sessions of an application.

Each subcommand is in the module that its subject names; what they do is in `websession_models` and
`websession_pyramid.checks`, and none of it is here. The exit statuses are in `application`.
"""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Final

import click

from .doctor import doctor
from .encryption import encrypt
from .keys import keygen, rotate_key
from .options import Program, run_script
from .purge import purge_command
from .revoke import revoke_command
from .sessions import list_, show, stats

__all__ = ["main", "run"]

_PRODUCT: Final = "pyramid-sqlalchemy-sessions"
_MEMBERS: Final = ("websession-core", "websession-crypto", "websession-models", "websession-pyramid")
_OTHERS: Final = (("pyramid", "Pyramid"), ("SQLAlchemy", "SQLAlchemy"))


def _show_versions(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    members = ", ".join(f"{name} {_version(name)}" for name in _MEMBERS)
    others = ", ".join(f"{label} {_version(name)}" for name, label in _OTHERS)
    click.echo(f"{_PRODUCT} {_version(_PRODUCT)} ({members}, {others}, Python {platform.python_version()})")
    ctx.exit()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_versions,
    help="Show the versions of all packages involved, and exit.",
)
def main() -> None:
    """See, end and clean up the web sessions of a Pyramid application.

    CONFIG_URI is the application's configuration as Pyramid's own scripts take it, for example production.ini
    or production.ini#section. In its place, --app module:name names the application itself.

    Exit status: 0 done; 1 the answer is no (errors were found, there is no such session, not confirmed);
    2 a mistake on the command line; 3 the application does not start; 4 the database cannot be used; 5 the
    output cannot be written; 130 interrupted; 141 nobody reads on (a pipe to head).

    Example: pyramid-sessions doctor production.ini
    """


for _command in (doctor, encrypt, keygen, list_, purge_command, revoke_command, rotate_key, show, stats):
    main.add_command(_command)


def run() -> None:
    """Be the script `pyramid-sessions`."""
    run_script(main)
