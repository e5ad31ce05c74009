"""`purge`: delete the sessions that have ended, from cron or a timer."""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from websession_models import PurgeReport, UnpurgeableModelError, purge
from websession_models.purging import MARGIN

from ..errors import sentence
from .application import ApplicationError
from .options import DURATION, Subcommand, configured, json_option, run_script
from .output import as_json, counted

if TYPE_CHECKING:
    from .options import Opener

__all__ = ["gc", "purge_command", "run_gc"]


@click.command("purge", cls=Subcommand, example="purge --max-seconds 10min production.ini")
@click.option("--max-rows", type=click.IntRange(0), help="Delete at most this many sessions.")
@click.option("--max-seconds", type=DURATION, help="Start no batch after this time: seconds, or 5min, 1h.")
@click.option(
    "--margin",
    type=DURATION,
    default=f"{MARGIN}s",
    show_default=True,
    help="Leave alone sessions that ended less than this long ago.",
)
@click.option(
    "--batch", type=click.IntRange(1), default=500, show_default=True, help="Sessions per transaction."
)
@click.option(
    "--all-rows",
    is_flag=True,
    help="Compare the deadlines of all rows, not only of a sample, with the current settings.",
)
@click.option("--dry-run", is_flag=True, help="Only count the sessions; delete none.")
@json_option
@configured
def purge_command(
    *,
    open_application: Opener,
    max_rows: int | None,
    max_seconds: int | None,
    margin: int,
    batch: int,
    all_rows: bool,
    dry_run: bool,
    json_: bool,
) -> None:
    """Delete the sessions that are past their deadline.

    The current settings decide, as in a request: sessions from before a timeout was switched on get a
    deadline first. Deletes the oldest first, in short transactions that do not disturb the running
    application; several purges at the same time share the work. Suitable for cron: it prints one line and
    asks nothing.
    """
    is_watched = sys.stderr.isatty() and not (json_ or dry_run)
    with open_application() as application:
        run = partial(
            purge,
            application.tables(),
            application.model,
            now=application.factory.clock(),
            policies=application.factory.policies(None),
            all_rows=all_rows,
            margin=margin,
            max_rows=max_rows,
            max_seconds=max_seconds,
            batch=batch,
        )
        try:
            if not is_watched:
                report = run(dry_run=dry_run)
            else:
                # Counting goes by the index alone.
                with click.progressbar(
                    length=run(dry_run=True).sessions, label="Purging", file=sys.stderr
                ) as bar:
                    report = run(progress=partial(_advance, bar))
        except UnpurgeableModelError as error:
            raise ApplicationError(
                sentence(str(error)), "Add one of the mixins to the model, and a migration."
            ) from None
    if json_:
        as_json({**asdict(report), "seconds": round(report.seconds, 3), "dry_run": dry_run})
    else:
        click.echo(_summary(report, dry_run=dry_run))


def _advance(bar: Any, report: PurgeReport) -> None:
    bar.update(report.sessions - bar.pos)


def _summary(report: PurgeReport, *, dry_run: bool) -> str:
    if dry_run:
        line = f"{counted(report.sessions)} would be deleted"
        if report.rescheduled:
            line += f", {report.rescheduled} of them by the settings of now, not by a recorded deadline"
        return f"{line}."
    parts = [f"{counted(report.sessions)} deleted in {report.seconds:.1f} s"]
    if report.rescheduled:
        parts.append(f"{report.rescheduled} given a deadline by the settings of now")
    if report.orphans:
        parts.append(f"{counted(report.orphans, 'leftover')} of deleted sessions")
    if report.left:
        parts.append(f"{report.left} left for the next time, somebody was at work with them")
    if report.refused:
        parts.append(
            f"{report.refused} not deleted because a foreign key refers to them (give it ON DELETE CASCADE)"
        )
    if not report.finished:
        parts.append("there are more")
    return f"{'; '.join(parts)}."


gc = Subcommand(
    "pyramid_session_gc",
    example="production.ini",
    params=purge_command.params,
    callback=purge_command.callback,
    help=purge_command.help,
)
"""The same under the name that the release of 2017 gave it."""


def run_gc() -> None:
    """Be the script `pyramid_session_gc`."""
    run_script(gc)
