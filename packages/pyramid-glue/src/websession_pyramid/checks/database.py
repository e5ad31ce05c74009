"""The checks that ask the database: connection, tables, isolation, SQLite, MySQL, clocks, purging."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from sqlalchemy import text
from websession_core.durations import DAY, HOUR, rough_duration
from websession_models import check_schema, has_free_connection
from websession_models.engine_faults import mysql_faults, transaction_faults, write_refusal
from websession_models.overview import backlog
from websession_models.own_transactions import reading
from websession_models.purging import outdated_in_sample
from websession_models.references import reference_problems
from websession_models.sqlite import REMEDY
from websession_models.unusable import find_unusable

from ..database_errors import remedy_of
from ..errors import one_line, sentence
from .findings import Finding, Severity, error, info, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine
    from websession_models import SchemaProblem

    from .findings import Deployment

__all__ = [
    "clock",
    "connection",
    "isolation",
    "mysql",
    "purging",
    "references",
    "rows",
    "schema",
    "sqlite",
    "why_not",
    "writing",
]

# A purge every night is not late; a purge every hour is late when most of the table has ended.
_PURGE_OVERDUE: Final = DAY + 2 * HOUR
_PURGE_LATE: Final = 3 * HOUR
_SEARCH_SECONDS: Final = 1
_CLOCK_TOLERANCE: Final = 2

_IN_MEMORY: Final = warning(
    "The sessions are in an in-memory database: they end with the process.",
    "Use a database file or a server.",
)
_NO_SECOND_CONNECTION: Final = warning(
    "The connection pool has no second connection: activity, renewals and revocations are recorded on a "
    "connection of their own, and cannot be.",
    "Give the engine a pool_size of 2 or more, or some max_overflow.",
)


def _is_in_memory(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite" and engine.url.database in {None, "", ":memory:"}


def why_not(deployment: Deployment, *, only: Sequence[str] = (), excluded: Sequence[str] = ()) -> str:
    """Return why a check of certain databases has nothing to look at here; empty: it has."""
    engine = deployment.engine
    name = engine.dialect.name
    if (only and name not in only) or name in excluded:
        return f"the database is {_NAMES.get(name, name)}"
    return ""


_NAMES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}


def connection(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the database answers, and has a connection for our own transactions."""
    engine = deployment.engine
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except Exception as refusal:  # noqa: BLE001 - the driver's, or of the application's creator or listeners
        yield error(f"The database cannot be reached: {one_line(refusal)}.", remedy_of(refusal))
        return
    if not has_free_connection(engine.pool):
        yield _IN_MEMORY if _is_in_memory(engine) else _NO_SECOND_CONNECTION


def schema(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the tables are those of the model."""
    yield from map(_finding, check_schema(deployment.engine, deployment.settings.model_class))


def _finding(problem: SchemaProblem) -> Finding:
    subject = f"table {problem.table}"
    if problem.column is not None:
        subject = f"column {problem.table}.{problem.column}"
    return Finding(
        Severity.ERROR if problem.fatal else Severity.WARNING,
        f"The {subject} {problem.problem}.",
        sentence(problem.remedy),
    )


def references(deployment: Deployment) -> Iterator[Finding]:
    """Look at foreign keys without ON DELETE, and at userids that the database takes for the same."""
    with reading(deployment.engine) as connection:
        problems = reference_problems(connection, deployment.settings.model_class)
    for problem in problems:
        yield _finding(problem)


def writing(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the account may write the tables, by statements that change no row."""
    with reading(deployment.engine) as connection:
        refusal = write_refusal(connection, deployment.settings.model_class)
    if refusal is not None:
        yield error(f"No session can be written: {one_line(refusal)}.", remedy_of(refusal))


def rows(deployment: Deployment) -> Iterator[Finding]:
    """Look for rows that no request will ever accept."""
    report = find_unusable(
        deployment.engine,
        deployment.factory.store,
        all_rows=deployment.all_rows,
        max_seconds=None if deployment.all_rows else _SEARCH_SECONDS,
    )
    if not report.ids:
        return
    among = f"{report.rows} rows" if report.is_complete else f"{report.rows} rows of a sample"
    command = "pyramid-sessions revoke --unusable"
    remedy = f"End them by {command}."
    if deployment.settings.data_secret_key is not None:
        remedy = (
            "If a key was taken out, put it back behind the others of "
            f"{deployment.setting('data_secret_key')}; if they are from before EncryptedDataMixin, run "
            f"pyramid-sessions encrypt --plaintext. Otherwise end them by {command}."
        )
    yield warning(
        f"Of {among}, {len(report.ids)} cannot be read as sessions: every request with their cookies fails.",
        remedy,
    )


def isolation(deployment: Deployment) -> Iterator[Finding]:
    """Look at the isolation level of a server's transactions."""
    engine = deployment.engine
    with engine.connect() as connection:
        faults = [error(fault.problem, fault.remedy) for fault in transaction_faults(connection)]
        level = "" if faults else connection.get_isolation_level()
    if faults:
        yield from faults
    elif level == "READ UNCOMMITTED":
        yield error(
            "Transactions are at READ UNCOMMITTED: a request sees sessions that were never committed.",
            "Set isolation_level to READ COMMITTED or higher, best SERIALIZABLE, in create_engine.",
        )
    elif level != "SERIALIZABLE":
        yield info(
            f"Transactions are at {level}. Sessions lose no update at any level; of your own data, what a "
            "request reads and then writes may have changed in between.",
            'With pyramid_retry, isolation_level="SERIALIZABLE" in create_engine rules that out.',
        )


def sqlite(deployment: Deployment) -> Iterator[Finding]:
    """Look at how SQLite's transactions begin and wait."""
    engine = deployment.engine
    if _is_in_memory(engine):
        return
    with engine.connect() as connection:
        mode = connection.execute(text("PRAGMA journal_mode")).scalar()
        patience = connection.execute(text("PRAGMA busy_timeout")).scalar() or 0
        faults = [error(fault.problem, fault.remedy) for fault in transaction_faults(connection)]
        is_locked = _is_locked(str(engine.url.database))
    if faults:
        yield from faults
    elif not is_locked:
        yield error(
            "Transactions do not begin with SQLite's write lock: two requests that read a row and then "
            'write it lose an update or fail with "database is locked".',
            REMEDY,
        )
    if str(mode).lower() != "wal":
        yield warning(f"The journal mode is {mode}: anyone who reads keeps others from writing.", REMEDY)
    if patience < 1000:
        yield warning(
            f"A transaction waits {patience} ms for the one before it: requests fail as soon as two meet.",
            'Leave the driver\'s timeout at 5 seconds, or set connect_args={"timeout": 5}.',
        )


def _is_locked(database: str) -> bool:
    """Return whether an open transaction, the caller's, keeps others from writing."""
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        other.execute("ROLLBACK")
        return False


def mysql(deployment: Deployment) -> Iterator[Finding]:
    """Look at how a server of MySQL's family and the connections to it are set."""
    with deployment.engine.connect() as connection:
        for fault in mysql_faults(connection, deployment.settings.model_class):
            yield error(fault.problem, fault.remedy)


def clock(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether this machine's clock goes with the database server's."""
    expression = _SERVER_TIME[deployment.engine.dialect.name]
    with reading(deployment.engine) as connection:
        apart = _seconds_apart(connection, expression)
    grace = deployment.settings.renewal_grace
    if abs(apart) <= _CLOCK_TOLERANCE:
        return
    direction = "behind" if apart > 0 else "ahead of"
    yield Finding(
        Severity.WARNING if abs(apart) * 2 > grace else Severity.INFO,
        f"This machine's clock is {abs(apart):.0f} s {direction} the database server's. Sessions go by the "
        f"clocks of the web servers, and {deployment.setting('renewal_grace')} ({grace} s) has to cover "
        "their differences.",
        "Synchronize the clocks (NTP, chrony).",
    )


_SERVER_TIME: Final = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM clock_timestamp())",
    "mysql": "SELECT UNIX_TIMESTAMP(NOW(6))",
    "mariadb": "SELECT UNIX_TIMESTAMP(NOW(6))",
}


def _seconds_apart(connection: Connection, expression: str) -> float:
    """Return by how many seconds the server's clock is ahead of this machine's."""
    # The machine's own clock, not a factory's: the two machines are compared.
    before = time.time()
    theirs = float(connection.execute(text(expression)).scalar() or 0)
    return theirs - (before + time.time()) / 2


def purging(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether expired sessions are deleted."""
    now, model = deployment.factory.clock(), deployment.settings.model_class
    with reading(deployment.engine) as connection:
        overdue = backlog(connection, model, now=now)
    if overdue is None:
        yield info(
            "The model has no deadlines (no IdleMixin, no AbsoluteMixin): a purge finds nothing, the table "
            "only grows.",
            "Add one of the mixins, or delete old rows by your own rule.",
        )
        return
    if overdue.since is not None:
        ago = now - overdue.since
        is_late = ago > _PURGE_OVERDUE or (ago > _PURGE_LATE and overdue.expired > overdue.rows // 2)
        yield Finding(
            Severity.WARNING if is_late else Severity.INFO,
            f"Sessions past their deadline: {overdue.expired}; the last complete purge was more than "
            f"{rough_duration(ago)} ago, if there was one.",
            "Let cron or a systemd timer run pyramid-sessions purge every hour." if is_late else "",
        )
    with reading(deployment.engine) as connection:
        outdated, number = outdated_in_sample(
            connection, model, policies=deployment.factory.policies(None), all_rows=deployment.all_rows
        )
    if outdated:
        yield warning(
            f"Of {number} rows that were looked at, {outdated} had no deadline or a later one than by the "
            "settings of now, which a request goes by: from before a timeout, or its mixin.",
            "Run pyramid-sessions purge: it gives them theirs, and deletes those that have ended.",
        )
        return
    ends = deployment.settings.idle_timeout is not None or deployment.settings.absolute_timeout is not None
    if overdue.without_deadline and ends:
        yield info(
            f"Sessions without a deadline: {overdue.without_deadline}; they have settings of their own "
            "without one. No purge finds them.",
        )
