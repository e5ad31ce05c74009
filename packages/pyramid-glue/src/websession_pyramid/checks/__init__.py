"""What can be wrong with the sessions of a deployment: one list of checks.

``pyramid-sessions doctor`` makes them all and shows what they find; the log repeats at start-up what a mark
says. A check is a small function that takes a `Deployment` and yields findings: none if all is well.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from ..database_errors import remedy_of
from ..errors import one_line
from . import application, database
from .findings import Check, CheckResult, Deployment, Finding, Severity, error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyramid.registry import Registry

__all__ = [
    "CHECKS",
    "Check",
    "CheckResult",
    "Deployment",
    "Finding",
    "Severity",
    "run_checks",
    "start_up_findings",
]

CHECKS: Final = (
    # Can it work?
    Check("connection", "the database answers", database.connection, needs_database=True),
    Check(
        "schema",
        "tables, columns, types and indexes are those of the model",
        database.schema,
        needs_database=True,
    ),
    Check("writing", "the account may write sessions", database.writing, needs_database=True),
    Check(
        "references",
        "sessions and users can be deleted, and told apart",
        database.references,
        needs_database=True,
        at_start=application.foreign_keys,
    ),
    Check("rows", "the rows can be read as sessions", database.rows, needs_database=True),
    # Does it keep its promises?
    Check("transactions", "pyramid_tm", application.transactions, at_start=application.transaction_manager),
    Check("retries", "pyramid_retry", application.retries),
    Check(
        "isolation",
        "isolation level",
        database.isolation,
        needs_database=True,
        why_not=partial(database.why_not, excluded=("sqlite",)),
    ),
    Check(
        "sqlite",
        "SQLite's set-up",
        database.sqlite,
        needs_database=True,
        why_not=partial(database.why_not, only=("sqlite",)),
    ),
    Check(
        "mysql",
        "MySQL's and MariaDB's set-up",
        database.mysql,
        needs_database=True,
        why_not=partial(database.why_not, only=("mysql", "mariadb")),
    ),
    Check(
        "clock",
        "clock difference to the database server",
        database.clock,
        needs_database=True,
        why_not=partial(database.why_not, excluded=("sqlite",)),
    ),
    # Is it safe?
    Check("cookie", "cookie attributes (OWASP ASVS 5.0, 3.3)", application.cookie),
    Check("timeouts", "timeouts (NIST SP 800-63B-4)", application.timeouts),
    Check("keys", "secret keys", application.keys),
    Check("logins", "a login rotates the session", application.logins, at_start=application.means_of_login),
    Check("logging", "nothing secret in the log", application.logging_of_statements),
    # Is it looked after?
    Check("purging", "expired sessions are purged", database.purging, needs_database=True),
)
"""Every check, in the order in which they are made."""

# Where one of these finds an error, the other checks of the database would only repeat it.
_FIRST: Final = frozenset({"connection", "schema", "writing"})


def run_checks(deployment: Deployment) -> Iterator[CheckResult]:
    """Make every check and yield what it found, one by one. Nothing is changed in the deployment."""
    is_usable = True
    for check in CHECKS:
        if check.needs_database and not is_usable:
            yield CheckResult(check, None, "the database or the table cannot be used")
            continue
        if why_not := check.why_not(deployment):
            yield CheckResult(check, None, why_not)
            continue
        result = CheckResult(check, tuple(_findings(check, deployment)))
        if check.name in _FIRST and result.count(Severity.ERROR):
            is_usable = False
        yield result


def _findings(check: Check, deployment: Deployment) -> Iterable[Finding]:
    try:
        return tuple(check.look(deployment))
    except SQLAlchemyError as refusal:
        return [
            error(
                f"The database did not answer this: {one_line(refusal)}.",
                remedy_of(refusal),
            )
        ]


def start_up_findings(registry: Registry) -> Iterator[Finding]:
    """Yield what the log says when an application, now complete, starts."""
    for check in CHECKS:
        if check.at_start is not None:
            yield from check.at_start(registry)
