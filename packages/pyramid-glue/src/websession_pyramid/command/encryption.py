"""`encrypt`: encrypt what is in the table of sessions with the key that encrypts now."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from websession_models import EncryptedDataMixin, encrypt_all

from .application import ApplicationError, DeclinedError
from .options import Subcommand, configured, json_option
from .output import as_json, counted

if TYPE_CHECKING:
    from .options import Opener

__all__ = ["encrypt"]


@click.command(cls=Subcommand, example="encrypt --dry-run production.ini")
@click.option(
    "--plaintext",
    is_flag=True,
    help="Encrypt unencrypted rows, too: right after adding EncryptedDataMixin to the model.",
)
@click.option("--dry-run", is_flag=True, help="Only count the rows that would be written.")
@json_option
@configured
def encrypt(*, open_application: Opener, plaintext: bool, dry_run: bool, json_: bool) -> None:
    """Encrypt all sessions' data with the first data_secret_key.

    Run it before removing an old key and, with --plaintext, after adding EncryptedDataMixin to the model.
    Without --plaintext, unencrypted rows are refused: in an encrypted table, something else has written them.
    Rows that are already encrypted with the first key are left alone, so it can be run again.
    """
    with open_application() as application:
        store = application.factory.store
        if not store.features.offers(EncryptedDataMixin):
            raise ApplicationError(
                "The session model does not encrypt its data.",
                "Add EncryptedDataMixin to its bases, and the setting data_secret_key.",
            )
        report = encrypt_all(application.tables(), store, plaintext=plaintext, dry_run=dry_run)
    if json_:
        as_json(asdict(report))
    else:
        would = "would be " if dry_run else ""
        plain = f" ({report.plain} for the first time)" if plaintext else ""
        refused = report.refused + (0 if plaintext else report.plain)
        click.echo(f"{counted(report.rows)}: {report.written} {would}encrypted{plain}, {refused} refused")
    if report.plain and not plaintext:
        raise DeclinedError(
            f"Not encrypted, and left alone: {counted(report.plain)}. Somebody has written that by hand, "
            "unless the model has just been given EncryptedDataMixin.",
            "If it has, say --plaintext; else end them by pyramid-sessions revoke --unusable.",
        )
    if report.refused:
        raise DeclinedError(
            f"No key of data_secret_key opens the data of {counted(report.refused)}, left alone.",
            "Put their key into data_secret_key behind the others, or end what has no key by "
            "pyramid-sessions revoke --unusable.",
        )
