"""``pyramid-sessions``: see, end, limit and clean up the sessions of an application.

Each subcommand is in the module that its subject names; what they do is in `websession_models` and
`websession_pyramid.checks`, and none of it is here. The exit statuses are in `application`.
"""

from __future__ import annotations

import click

from ..__about__ import __version__
from .doctor import doctor
from .encryption import encrypt
from .keys import keygen, rotate_key
from .purge import purge_command
from .revoke import revoke_command
from .sessions import list_, show, stats

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pyramid-sessions")
def main() -> None:
    """See, end and clean up the web sessions of a Pyramid application.

    CONFIG_URI is the application's configuration as Pyramid's own scripts take it, for example production.ini
    or production.ini#section.

    Exit status: 0 done; 1 the answer is no (errors were found, there is no such session, not confirmed);
    2 a mistake on the command line; 3 the application does not start; 4 the database cannot be used.
    """


for _command in (doctor, encrypt, keygen, list_, purge_command, revoke_command, rotate_key, show, stats):
    main.add_command(_command)
