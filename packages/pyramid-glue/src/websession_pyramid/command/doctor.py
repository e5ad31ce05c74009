"""`doctor`: shows what `websession_pyramid.checks` finds."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import plaster

from ..checks import Deployment, Severity, run_checks
from .application import setting_of
from .options import configured, json_option
from .output import as_json

if TYPE_CHECKING:
    from ..checks import CheckResult
    from .application import Application
    from .options import Opener

__all__ = ["doctor"]

_MARKS: Final = {
    Severity.ERROR: click.style("ERROR", fg="red", bold=True),
    Severity.WARNING: click.style("warn ", fg="yellow"),
    Severity.INFO: click.style("info ", fg="cyan"),
}
_WELL: Final = click.style("ok   ", fg="green")
_INDENT: Final = " " * 7


@click.command
@json_option
@configured
def doctor(open_application: Opener, json_: bool) -> None:
    """Look for what is wrong with the sessions of a deployment.

    Connects to the database and changes nothing. Each finding comes with its severity, the reason and a
    remedy. Exit status 0: no errors (there may be warnings); 1: errors were found.
    """
    results = []
    with open_application() as application:
        for result in run_checks(_deployment(application)):
            results.append(result)
            if not json_:
                _show(result)
    errors, warnings = (
        sum(result.count(severity) for result in results) for severity in (Severity.ERROR, Severity.WARNING)
    )
    if json_:
        checks = [_as_dict(result) for result in results]
        as_json({"checks": checks, "errors": errors, "warnings": warnings})
    else:
        click.echo(f"\nErrors: {errors}, warnings: {warnings}.")
    if errors:
        raise click.exceptions.Exit(1)


def _deployment(application: Application) -> Deployment:
    setting = setting_of(application)
    return Deployment(
        application.registry,
        application.factory,
        application.engine(),
        prefix="session." if setting is None else setting.removesuffix("secret_key"),
        configuration=Path(plaster.parse_uri(application.uri).path),
    )


def _show(result: CheckResult) -> None:
    title = result.check.title
    if result.findings is None:
        click.echo(f"-      {title}: not looked at, because the database or the table cannot be used")
    elif not result.findings:
        click.echo(f"{_WELL}  {title}")
    for finding in result.findings or ():
        click.echo(f"{_MARKS[finding.severity]}  {title}")
        _say(finding.problem)
        if finding.remedy:
            _say(f"-> {finding.remedy}")


def _say(paragraph: str) -> None:
    width = min(shutil.get_terminal_size().columns, 100)
    click.echo(click.wrap_text(paragraph, width, initial_indent=_INDENT, subsequent_indent=_INDENT))


def _as_dict(result: CheckResult) -> dict[str, object]:
    return {
        "check": result.check.name,
        "title": result.check.title,
        "looked_at": result.findings is not None,
        "findings": [
            {
                "name": finding.name or result.check.name,
                "severity": finding.severity.value,
                "problem": finding.problem,
                "remedy": finding.remedy,
            }
            for finding in result.findings or ()
        ],
    }
