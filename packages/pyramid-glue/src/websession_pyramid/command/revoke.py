"""`revoke`: end sessions, one or many, at once."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from websession_models import revoke
from websession_models.overview import list_sessions
from websession_models.own_transactions import reading
from websession_models.unusable import find_unusable

from ..events import announce_emptied
from .application import CommandLineError, DeclinedError
from .options import DURATION, Subcommand, configured, json_option
from .output import as_json, counted
from .sessions import filters_of, the_one

if TYPE_CHECKING:
    from uuid import UUID

    from websession_models import Bookkeeper

    from .application import Application
    from .options import Opener

__all__ = ["revoke_command"]

_MANY = 10


@click.command("revoke", cls=Subcommand, example="revoke --unused-for 30d --anonymous production.ini")
@click.option("--user", help="All sessions of this user, by the userid.")
@click.option("--anonymous", is_flag=True, help="Only anonymous sessions.")
@click.option("--older-than", type=DURATION, help="Only sessions that began longer ago: 12h, 30d.")
@click.option("--unused-for", type=DURATION, help="Only sessions that were not used for so long.")
@click.option("--active", is_flag=True, help="Only sessions that have not ended.")
@click.option("--expired", is_flag=True, help="Only sessions that have ended.")
@click.option("--unusable", is_flag=True, help="All rows that cannot be read as sessions.")
@click.option("--all", "all_", is_flag=True, help="All sessions of all users and visitors.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--dry-run", is_flag=True, help="Only count the sessions; end none.")
@json_option
@configured
@click.argument("session", required=False)
def revoke_command(
    *,
    open_application: Opener,
    session: str | None,
    all_: bool,
    unusable: bool,
    yes: bool,
    dry_run: bool,
    json_: bool,
    **filters: Any,
) -> None:
    """End sessions.

    SESSION is the beginning of one session's identifier, as pyramid-sessions list shows it. Several options
    together end only the sessions that match all of them. Asks for confirmation if there are more than ten.
    Users whose session is ended have to log in again.
    """
    criteria = {name: value for name, value in filters.items() if value not in (None, False)}
    if sum((session is not None, all_, unusable, bool(criteria))) != 1:
        raise click.UsageError(
            "Say which: SESSION, or --all, or --unusable, or one or several of the other options."
        )
    with open_application() as application:
        ids = _unusable(application) if unusable else _ids(application, session, criteria)
        if dry_run:
            if json_:
                as_json({"would_end": len(ids)})
            else:
                click.echo(f"{counted(len(ids))} would be ended.")
            return
        if len(ids) > _MANY and not yes:
            _ask(len(ids))
        emptied = _EmptiedRows(application)
        run = partial(
            revoke, application.engine(), application.factory.store, ids, on_emptied=emptied.announce
        )
        if sys.stderr.isatty() and not json_ and len(ids) > _MANY:
            with click.progressbar(length=len(ids), label="Ending", file=sys.stderr) as bar:
                report = run(progress=bar.update)
        else:
            report = run()
    if json_:
        numbers = {"ended": report.ended, "emptied": report.emptied}
        as_json({**numbers, "gone": report.gone, "held": len(report.held)})
    elif report.emptied:
        click.echo(
            f"{counted(report.ended)} ended; {report.emptied} of the rows emptied and not deleted, because a "
            "foreign key refers to them (give it ON DELETE CASCADE or ON DELETE SET NULL)."
        )
    else:
        click.echo(f"{counted(report.ended)} ended.")
    if emptied.failures:
        raise DeclinedError(
            f"A subscriber of SessionEmptied has failed ({', '.join(sorted(emptied.failures))}): columns of "
            "the application's own are as they were in rows that were emptied.",
            "The sessions are ended all the same; clear those columns by hand.",
        )
    if report.held:
        raise DeclinedError(
            f"{counted(len(report.held))} could not be ended: somebody keeps their rows locked.", "Try again."
        )


class _EmptiedRows:
    """Lets the application clear its own columns in rows that were emptied, as in a request.

    Args:
        application: Whose subscribers are told.

    Attributes:
        failures: What subscribers have raised, by the names of the types.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self.failures: set[str] = set()

    def announce(self, session_id: UUID, bookkeeper: Bookkeeper) -> None:
        """Send the event; the session is ended whatever a subscriber does."""
        request, attribute = self._application.request, self._application.name
        try:
            announce_emptied(request, attribute, session_id, bookkeeper)
        except Exception as error:  # noqa: BLE001 - the application's code: whatever it raises is told
            self.failures.add(type(error).__name__)


def _ids(application: Application, session: str | None, criteria: dict[str, Any]) -> list[UUID]:
    with reading(application.tables()) as connection:
        if session is not None:
            return [the_one(connection, application, session)]
        filters = filters_of(application, **criteria)
        return [row.id for row in list_sessions(connection, application.model, limit=None, **filters)]


def _unusable(application: Application) -> list[UUID]:
    return list(find_unusable(application.tables(), application.factory.store, all_rows=True).ids)


def _ask(number: int) -> None:
    try:
        sure = click.confirm(f"End {counted(number)}?", err=True)
    except click.Abort as abort:
        click.echo(err=True)  # the question has no line end
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise DeclinedError("Nothing was ended.") from None
        raise CommandLineError(
            "Nobody is there to be asked.", "Say --yes to end them all the same."
        ) from None
    if not sure:
        raise DeclinedError("Nothing was ended.")
