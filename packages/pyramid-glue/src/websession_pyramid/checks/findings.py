"""What a check is, what it looks at, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pyramid.registry import Registry
    from sqlalchemy import Engine
    from websession_core.settings import Settings

    from ..factory import SessionFactory

__all__ = ["Check", "CheckResult", "Deployment", "Finding", "Severity", "error", "info", "warning"]


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Sessions do not work, or lose what they promise: fix it before users come."""
    WARNING = "warning"
    """Sessions work, but something is weaker, slower or less safe than it could be."""
    INFO = "info"
    """Good to know; nothing has to be done."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has found.

    Attributes:
        severity: How much it matters.
        problem: What is so, and what comes of it: one or more sentences, without secrets.
        remedy: What to do about it, a sentence; empty if there is nothing to do.
        name: Its own short name for machines, where a check finds several things; empty: the check's.
    """

    severity: Severity
    problem: str
    remedy: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}".rstrip()


error: Final = partial(Finding, Severity.ERROR)
warning: Final = partial(Finding, Severity.WARNING)
info: Final = partial(Finding, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is looked at: an application with its settings and its database.

    Attributes:
        registry: The application's registry.
        factory: The session factory.
        engine: The engine on which the sessions are stored.
        prefix: What the settings of this factory start with, for remedies.
        configuration: The files that the settings come from; the first one is what was named.
        all_rows: Whether to look at all rows of the table, and not at a sample.
    """

    registry: Registry
    factory: SessionFactory
    engine: Engine
    prefix: str = "session."
    configuration: tuple[Path, ...] = ()
    all_rows: bool = False

    @property
    def settings(self) -> Settings:
        """The factory's settings."""
        return self.factory.settings

    def setting(self, name: str) -> str:
        """Return a setting's name as the operator writes it."""
        return f"{self.prefix}{name}"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.

    Attributes:
        name: Short, for machines.
        title: What is looked at, in a few words.
        look: Yields what is wrong.
        needs_database: Whether it needs a database that answers.
        why_not: Says why a deployment has nothing to look at here, a clause; empty: it has.
        at_start: The part of it that the log repeats at start-up; it needs the registry alone.
    """

    name: str
    title: str
    look: Callable[[Deployment], Iterable[Finding]]
    needs_database: bool = False
    why_not: Callable[[Deployment], str] = lambda _deployment: ""
    at_start: Callable[[Registry], Iterable[Finding]] | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of a check.

    Attributes:
        check: The check.
        findings: What it found; nothing: all is well. None: it was not made.
        why_not: Why it was not made, a clause.
    """

    check: Check
    findings: tuple[Finding, ...] | None
    why_not: str = ""

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings or ())
