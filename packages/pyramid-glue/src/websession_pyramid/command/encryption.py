"""`encrypt`: encrypt what is in the table of sessions with the key that encrypts now."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from websession_models import EncryptedDataMixin, encrypt_all

from .application import ApplicationError, DeclinedError
from .options import configured, json_option
from .output import as_json

if TYPE_CHECKING:
    from .options import Opener

__all__ = ["encrypt"]


@click.command
@click.option("--dry-run", is_flag=True, help="Only count what would be written.")
@json_option
@configured
def encrypt(*, open_application: Opener, dry_run: bool, json_: bool) -> None:
    """Encrypt all sessions' data with the first data_secret_key.

    For a model that has just been given EncryptedDataMixin, and before an old key goes. Rows that are
    encrypted with the first key already are left alone, so it can be run again.
    """
    with open_application() as application:
        store = application.factory.store
        if not store.features.offers(EncryptedDataMixin):
            raise ApplicationError(
                "The session model does not encrypt its data.",
                "Add EncryptedDataMixin to its bases, and the setting data_secret_key.",
            )
        report = encrypt_all(application.tables(), store, dry_run=dry_run)
    if json_:
        as_json(asdict(report))
    else:
        would = "would be " if dry_run else ""
        click.echo(f"{report.rows} sessions: {report.written} {would}encrypted, {report.refused} refused")
    if report.refused:
        raise DeclinedError(
            f"No key of data_secret_key opens the data of {report.refused} sessions; they were left alone.",
            "Put their key into data_secret_key behind the others, or end these sessions.",
        )
