"""`doctor`: shows what `websession_pyramid.doctor` finds."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import plaster

from ..doctor import Patient, examine
from ..weaknesses import Severity
from .options import Configured, configured, json_option
from .output import as_json
from .target import setting_of

if TYPE_CHECKING:
    from ..doctor import Diagnosis
    from .target import Target

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
def doctor(configured: Configured, json_: bool) -> None:
    """Look for what is wrong with the sessions of a deployment.

    Connects to the database and changes nothing. Each finding comes with its severity, the reason and a
    remedy. Exit status 0: no errors (there may be warnings); 1: errors were found.
    """
    with configured.opened() as target:
        diagnoses = []
        for diagnosis in examine(_patient(target)):
            diagnoses.append(diagnosis)
            if not json_:
                _show(diagnosis)
    counts = {
        severity: sum(each.severity is severity for one in diagnoses for each in one.findings or ())
        for severity in Severity
    }
    if json_:
        as_json(
            {
                "checks": [_described(diagnosis) for diagnosis in diagnoses],
                "errors": counts[Severity.ERROR],
                "warnings": counts[Severity.WARNING],
            }
        )
    else:
        click.echo(f"\nErrors: {counts[Severity.ERROR]}, warnings: {counts[Severity.WARNING]}.")
    if counts[Severity.ERROR]:
        raise click.exceptions.Exit(1)


def _patient(target: Target) -> Patient:
    setting = setting_of(target)
    return Patient(
        target.registry,
        target.factory,
        target.engine(),
        prefix="session." if setting is None else setting.removesuffix("secret_key"),
        configuration=Path(plaster.parse_uri(target.uri).path),
    )


def _show(diagnosis: Diagnosis) -> None:
    title = diagnosis.check.title
    if diagnosis.findings is None:
        click.echo(f"-      {title}: not looked at, because the database or the table cannot be used")
    elif not diagnosis.findings:
        click.echo(f"{_WELL}  {title}")
    for finding in diagnosis.findings or ():
        click.echo(f"{_MARKS[finding.severity]}  {title}")
        _say(finding.problem)
        if finding.remedy:
            _say(f"-> {finding.remedy}")


def _say(said: str) -> None:
    width = min(shutil.get_terminal_size().columns, 100)
    click.echo(click.wrap_text(said, width, initial_indent=_INDENT, subsequent_indent=_INDENT))


def _described(diagnosis: Diagnosis) -> dict[str, object]:
    findings = diagnosis.findings
    return {
        "check": diagnosis.check.name,
        "title": diagnosis.check.title,
        "looked_at": findings is not None,
        "findings": [
            {
                "name": finding.check,
                "severity": finding.severity.value,
                "problem": finding.problem,
                "remedy": finding.remedy,
            }
            for finding in findings or ()
        ],
    }
