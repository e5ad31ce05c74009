"""`keygen` and `rotate-key`: secret keys for the configuration.

Both print secrets, on purpose, and on standard output only; everything else is said on standard error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from sqlalchemy.exc import SQLAlchemyError
from websession_core.durations import duration
from websession_core.key_retirement import old_key_lifetime
from websession_crypto import generate_secret_key
from websession_models.overview import distinct_overrides
from websession_models.own_transactions import reading

from .application import ApplicationError, CommandError, setting_of
from .options import Subcommand, configured, json_option
from .output import as_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .application import Application
    from .options import Opener

__all__ = ["keygen", "rotate_key"]

_SUFFIX = "secret_key"


@click.command(cls=Subcommand, example="keygen >> secrets.env")
def keygen() -> None:
    """Print a new secret key.

    43 characters, from the operating system's random generator, on standard output.
    """
    click.echo(generate_secret_key())


@click.command("rotate-key", cls=Subcommand, example="rotate-key production.ini")
@json_option
@configured
def rotate_key(open_application: Opener, json_: bool) -> None:
    """Print the setting with a new key in front of the present ones.

    Put it into the configuration in place of the present one. This command changes nothing, but it prints
    SECRETS on standard output, the new key and the present ones: mind where that goes. On standard error,
    without secrets, it says how long the old keys have to stay.
    """
    with open_application() as application:
        setting, present = _present(application)
        keys = [generate_secret_key(), *present]
        lifetime, table_was_read = _lifetime(application)
        logged_in_only = lifetime is None and _owned_only(application)
    if json_:
        as_json(
            {
                "setting": setting,
                "keys": keys,
                "old_needed_seconds": lifetime,
                "table_was_asked": table_was_read,
            }
        )
    else:
        click.echo("\n".join([f"{setting} =", *(f"    {key}" for key in keys)]))
    for line in _advice(setting, lifetime, table_was_read=table_was_read, logged_in_only=logged_in_only):
        click.echo(line, err=True)


def _present(application: Application) -> tuple[str, list[str]]:
    """Return the name of the setting that holds the factory's keys, and the keys as text."""
    setting = setting_of(application)
    if setting is not None:
        value = application.registry.settings[setting]
        return setting, value.split() if isinstance(value, str) else [text.strip() for text in value]
    raise ApplicationError(
        "The keys of this application are not in its settings as text, so no line can be made of them.",
        "Put what pyramid-sessions keygen prints in front of them, where the application has them from.",
    )


def _lifetime(application: Application) -> tuple[int | None, bool]:
    """Return for how many seconds the old keys are needed (None: forever), and whether the table was read."""
    factory = application.factory
    needs = [
        old_key_lifetime(factory.policies(None, owned), owned=owned)
        for owned in ((True, False) if factory.has("userid") else (None,))
    ]
    table_was_read = True
    if factory.own_settings:
        try:
            with reading(application.tables()) as connection:
                combinations = distinct_overrides(connection, application.model)
        except (SQLAlchemyError, CommandError):
            table_was_read, combinations = False, ()
        needs += [
            old_key_lifetime(factory.effective_policies(own.overrides, own.owned), owned=own.owned)
            for own in combinations
        ]
    bounds = [need for need in needs if need is not None]
    return (max(bounds) if len(bounds) == len(needs) else None), table_was_read


def _owned_only(application: Application) -> bool:
    """Return whether only anonymous sessions keep their cookies forever."""
    policies = application.factory.policies(None)
    return application.factory.has("userid") and old_key_lifetime(policies, owned=True) is not None


def _advice(
    setting: str, lifetime: int | None, *, table_was_read: bool, logged_in_only: bool
) -> Iterator[str]:
    yield ""
    yield (
        f"Put this in place of the present {setting} and restart. It is secret: keep it out of version "
        "control and out of logs."
    )
    yield (
        "With several servers, first give all of them the present keys with the new one BEHIND them, then "
        "all of them this."
    )
    if lifetime is not None:
        wait = duration(lifetime, round_up=True)
        yield f"The old keys can go {wait} after the last server encrypts with the new one."
    else:
        prefix = setting.removesuffix(_SUFFIX)
        whose = "anonymous sessions" if logged_in_only else "some sessions"
        yield (
            f"The old keys can never go by themselves: nothing bounds how long {whose} keep their present "
            f"cookie. Set {prefix}absolute_timeout or {prefix}cookie_max_age; or remove the old keys when "
            "you think fit: anyone who has not come back by then starts with a new session."
        )
    if not table_was_read:
        yield (
            "The table of sessions could not be asked whether any has longer timeouts of its own; this is "
            "what the settings alone come to."
        )
    yield "If an old key has leaked, remove it at once: anyone who has it can make cookies."
