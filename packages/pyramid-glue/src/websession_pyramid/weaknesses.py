"""What is weak about an application's set-up, as far as it shows without a database.

Said in the log when the application starts, and by ``pyramid-sessions doctor`` together with what only shows
in a deployment. In a weak set-up sessions work, but cannot keep all their promises.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pyramid.interfaces import ITweens
from pyramid.settings import asbool
from websession_models.sqlite import NOT_ISOLATED, REMEDY

from .security import policy_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyramid.registry import Registry

__all__ = ["SQLITE", "Finding", "Severity", "tween_names", "weaknesses"]

_TM_TWEEN = "pyramid_tm.tm_tween_factory"


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Sessions do not work, or lose what they promise: mend it before users come."""
    WARNING = "warning"
    """Sessions work, but something is weaker, slower or less safe than it could be."""
    INFO = "info"
    """Good to know; nothing has to be done."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        check: Which check found it, a short name for machines: ``transaction-manager``.
        severity: How much it matters.
        problem: What is so, and what comes of it: one or more sentences, without secrets.
        remedy: What to do about it, a sentence; empty if there is nothing to do.
    """

    check: str
    severity: Severity
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}".rstrip()


def weaknesses(registry: Registry) -> Iterator[Finding]:
    """Yield what is weak about how an application uses `pyramid_tm`.

    Args:
        registry: The registry of the complete application.
    """
    settings = registry.settings
    if _TM_TWEEN not in tween_names(registry):
        yield Finding(
            "transactions",
            Severity.ERROR,
            "pyramid_tm is not included: sessions are stored in the request's transaction, so without it "
            "they can be read, but not written.",
            "Add config.include('pyramid_tm').",
        )
        return
    if not settings.get("tm.manager_hook"):
        yield Finding(
            "transaction-manager",
            Severity.WARNING,
            "pyramid_tm uses the implicit, thread-local transaction manager, which begins a transaction for "
            "anybody who asks, also after the request's own has ended: a change made then is committed with "
            "another request or never.",
            "Set tm.manager_hook = pyramid_tm.explicit_manager.",
        )
    if asbool(settings.get("tm.annotate_user", True)) and policy_sessions(registry):
        yield Finding(
            "annotate-user",
            Severity.WARNING,
            "tm.annotate_user is on, and the security policy reads the session: every request, also one for "
            "a static file, will read it from the database to note the user on the transaction.",
            "Set tm.annotate_user = false.",
        )


SQLITE = Finding(
    "sqlite-transactions",
    Severity.WARNING,
    NOT_ISOLATED,
    REMEDY,
)
"""What is said of an SQLite engine whose transactions do not isolate."""


def tween_names(registry: Registry) -> tuple[str, ...]:
    """Return the names of the tweens that an application's requests go through.

    Args:
        registry: The registry of the complete application.
    """
    tweens = registry.queryUtility(ITweens)
    return () if tweens is None else tuple(name for name, _ in (tweens.explicit or tweens.implicit()))
