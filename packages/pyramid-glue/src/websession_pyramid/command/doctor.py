"""`doctor`: shows what `websession_pyramid.checks` finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from ..checks import Deployment, Severity, run_checks
from .application import setting_of
from .options import Subcommand, configured, json_option
from .output import as_json, printable, terminal_width, wrapped

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
_NOTHING: Final = "-    "
_WELL: Final = click.style("ok   ", fg="green")
_INDENT: Final = " " * 7


@click.command(cls=Subcommand, example="doctor --fail-on warning production.ini")
@click.option(
    "--fail-on",
    type=click.Choice([Severity.ERROR.value, Severity.WARNING.value]),
    default=Severity.ERROR.value,
    show_default=True,
    help="The lowest severity for which the exit status is 1.",
)
@click.option("--all-rows", is_flag=True, help="Check all rows of the table, not only a sample of 1000.")
@json_option
@configured
def doctor(*, open_application: Opener, fail_on: str, all_rows: bool, json_: bool) -> None:
    """Look for what is wrong with the sessions of a deployment.

    Connects to the database and changes nothing. Each finding has a severity, a reason and a remedy; checks
    that do not apply to the deployment are marked with a hyphen. Only a sample of 1000 rows of the table is
    checked. Exit status 0: no errors (there may be warnings); 1: errors were found.
    """
    results = []
    with open_application() as application:
        for result in run_checks(_deployment(application, all_rows=all_rows)):
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
    if errors or (warnings and fail_on == Severity.WARNING):
        raise click.exceptions.Exit(1)


def _deployment(application: Application, *, all_rows: bool) -> Deployment:
    setting = setting_of(application)
    return Deployment(
        application.registry,
        application.factory,
        application.engine(),
        prefix="session." if setting is None else setting.removesuffix("secret_key"),
        configuration=application.configuration,
        all_rows=all_rows,
    )


def _show(result: CheckResult) -> None:
    title = result.check.title
    if result.findings is None:
        _say(f"{title}: not looked at, {result.why_not}", mark=_NOTHING)
    elif not result.findings:
        _say(title, mark=_WELL)
    for finding in result.findings or ():
        _say(title, mark=_MARKS[finding.severity])
        _say(finding.problem)
        if finding.remedy:
            _say(f"-> {finding.remedy}")


def _say(paragraph: str, *, mark: str = "") -> None:
    width = min(terminal_width() or 100, 100)
    text = wrapped(printable(paragraph), width, _INDENT)
    click.echo(f"{mark}  {text[len(_INDENT) :]}" if mark else text)


def _as_dict(result: CheckResult) -> dict[str, object]:
    return {
        "check": result.check.name,
        "title": result.check.title,
        "looked_at": result.findings is not None,
        "why_not": result.why_not or None,
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
