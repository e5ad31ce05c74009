"""What can be wrong with sessions in a deployment, check by check.

Each check is a small function that takes a `Patient` and yields findings; one that yields none has found
everything well. `CHECKS` is the list of them, in the order of a person's questions: can it work, does it keep
its promises, is it safe, is it looked after. The command line only shows what comes out.
"""

from __future__ import annotations

import logging
import sqlite3
import stat
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pyramid.interfaces import IExecutionPolicy
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from websession_core.outlook import old_key_needed
from websession_core.settings import CookieSecure, SameSite
from websession_core.state import Ticket
from websession_crypto import MAX_TOKEN_LENGTH
from websession_models import check_schema, fresh_session_id, has_free_connection
from websession_models.overview import backlog, reading

from .weaknesses import Finding, Severity, weaknesses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pyramid.registry import Registry
    from sqlalchemy import Connection, Engine
    from websession_core.settings import Settings

    from .factory import SessionFactory

__all__ = ["CHECKS", "Check", "Diagnosis", "Patient", "examine"]

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR

# RFC 6265 section 6.1: browsers keep at least 4096 bytes of a cookie; ASVS 5.0, 3.3.5.
_COOKIE_LIMIT: Final = 4096
# A key more to try for each cookie of an unknown key; and old keys are there to be removed.
_MANY_KEYS: Final = 3
_PURGE_OVERDUE: Final = 2 * _DAY
_CLOCK_TOLERANCE: Final = 2

# NIST SP 800-63B-4, 2.2.3 and 2.3.3: overall and inactivity, in seconds. Revision 3 asked of AAL2 12 hours
# and 30 minutes, and many rules that refer to it still do.
_LEVELS: Final = (
    ("AAL3 (12 h, 15 min)", 12 * _HOUR, 15 * 60),
    ("AAL2 of SP 800-63B-3 (12 h, 30 min)", 12 * _HOUR, 30 * 60),
    ("AAL2 (24 h, 1 h)", 24 * _HOUR, 60 * 60),
)


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined.

    Attributes:
        registry: The application's registry.
        factory: The session factory.
        engine: The engine that keeps the sessions.
        prefix: What the settings of this factory start with, for remedies.
        configuration: The file that the settings come from, if it is one.
    """

    registry: Registry
    factory: SessionFactory
    engine: Engine
    prefix: str = "session."
    configuration: Path | None = None

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
        name: Short, for machines; findings carry it.
        title: What is looked at, in a few words.
        look: Yields what is found.
        asks_database: Whether it needs a database that answers.
    """

    name: str
    title: str
    look: Callable[[Patient], Iterable[Finding]]
    asks_database: bool = True


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a check has found.

    Attributes:
        check: The check.
        findings: What it found; nothing: all is well. None: it could not be made.
    """

    check: Check
    findings: tuple[Finding, ...] | None


def examine(patient: Patient) -> Iterator[Diagnosis]:
    """Make every check and yield what it found, one by one.

    Args:
        patient: What to examine. Nothing is changed in it.
    """
    answers = True
    for check in CHECKS:
        if check.asks_database and not answers:
            yield Diagnosis(check, None)
            continue
        try:
            findings = tuple(check.look(patient))
        except SQLAlchemyError as error:
            findings = (
                Finding(
                    check.name,
                    Severity.ERROR,
                    f"The database did not answer this: {_first_line(error)}.",
                    "See that it runs, that the URL is right, and that the account may read the tables.",
                ),
            )
        if check.name == "connection" and any(each.severity is Severity.ERROR for each in findings):
            answers = False
        if check.name == "schema" and any(each.severity is Severity.ERROR for each in findings):
            # What asks the table would only repeat it.
            answers = False
        yield Diagnosis(check, findings)


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines() or [""]
    return f"{type(cause).__name__}: {lines[0]}".rstrip(".: ")


# --- can it work ------------------------------------------------------------------------------------------


def _connection(patient: Patient) -> Iterator[Finding]:
    engine = patient.engine
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        yield Finding(
            "connection",
            Severity.ERROR,
            f"The database cannot be reached: {_first_line(error)}.",
            "See that it runs, and that the URL in the configuration is right.",
        )
        return
    if not has_free_connection(engine.pool):
        in_memory = engine.dialect.name == "sqlite" and engine.url.database in {None, "", ":memory:"}
        yield Finding(
            "connection",
            Severity.WARNING,
            "The sessions are in an in-memory database: they end with the process."
            if in_memory
            else "The connection pool has no second connection: activity, renewals and revocations are noted "
            "down on a connection of their own, and cannot be.",
            "Use a database file or a server."
            if in_memory
            else "Give the engine a pool_size of 2 or more, or some max_overflow.",
        )


def _schema(patient: Patient) -> Iterator[Finding]:
    for found in check_schema(patient.engine, patient.settings.model_class):
        what = f"table {found.table}" if found.column is None else f"column {found.table}.{found.column}"
        yield Finding(
            "schema",
            Severity.ERROR if found.fatal else Severity.WARNING,
            f"The {what} {found.problem}.",
            f"{found.remedy[0].upper()}{found.remedy[1:]}.",
        )


# --- does it keep its promises ----------------------------------------------------------------------------


def _transactions(patient: Patient) -> Iterator[Finding]:
    yield from weaknesses(patient.registry)
    settings = patient.registry.settings
    veto = settings.get("tm.commit_veto") or settings.get("pyramid_tm.commit_veto")
    if veto:
        yield Finding(
            "transactions",
            Severity.INFO,
            "tm.commit_veto is set: what a view puts into the session is dropped with everything else "
            "whenever the veto aborts (pyramid_tm.default_commit_veto: with every 4xx and 5xx response).",
        )
    if settings.get("tm.activate_hook"):
        yield Finding(
            "transactions",
            Severity.INFO,
            "tm.activate_hook is set: in requests for which it says no, sessions can only be read.",
        )


def _retries(patient: Patient) -> Iterator[Finding]:
    settings = patient.registry.settings
    policy = patient.registry.queryUtility(IExecutionPolicy)
    if not getattr(policy, "__module__", "").startswith("pyramid_retry"):
        yield Finding(
            "retries",
            Severity.WARNING,
            "pyramid_retry is not included: a request that loses a conflict with another one is an error "
            "that the user sees.",
            "Add config.include('pyramid_retry').",
        )
        return
    attempts = int(settings.get("retry.attempts") or 3)
    if attempts < 2:
        yield Finding(
            "retries",
            Severity.WARNING,
            f"retry.attempts is {attempts}: a request that loses a conflict is not made again.",
            "Set retry.attempts = 3, or leave it out.",
        )
    if settings.get("retry.activate_hook"):
        yield Finding(
            "retries",
            Severity.INFO,
            "retry.activate_hook is set: it decides which requests are made again after a conflict.",
        )


def _isolation(patient: Patient) -> Iterator[Finding]:
    engine = patient.engine
    if engine.dialect.name == "sqlite":
        return  # its own check looks deeper
    with engine.connect() as connection:
        level = "AUTOCOMMIT" if _autocommits(connection) else connection.get_isolation_level()
    if level == "AUTOCOMMIT":
        yield Finding(
            "isolation",
            Severity.ERROR,
            "The engine commits every statement by itself: an aborted request leaves half of its changes.",
            'Leave isolation_level="AUTOCOMMIT" out of create_engine.',
        )
    elif level == "READ UNCOMMITTED":
        yield Finding(
            "isolation",
            Severity.ERROR,
            "Transactions are at READ UNCOMMITTED: a request sees sessions that were never committed.",
            "Set isolation_level to READ COMMITTED or higher, best SERIALIZABLE, in create_engine.",
        )
    elif level != "SERIALIZABLE":
        yield Finding(
            "isolation",
            Severity.INFO,
            f"Transactions are at {level}. Sessions lose no update at any level; of your own data, what a "
            "request reads and then writes may have changed in between.",
            'With pyramid_retry, isolation_level="SERIALIZABLE" in create_engine rules that out.',
        )


def _autocommits(connection: Connection) -> bool:
    """Tell whether the driver commits every statement: the server would not know of it."""
    driver: Any = connection.connection.dbapi_connection
    ask = getattr(driver, "get_autocommit", None)
    return bool(ask() if callable(ask) else getattr(driver, "autocommit", False))


def _sqlite(patient: Patient) -> Iterator[Finding]:
    engine = patient.engine
    database = engine.url.database
    if engine.dialect.name != "sqlite" or database in {None, "", ":memory:"}:
        return
    remedy = "Call pyramid_sqlalchemy_sessions.prepare_sqlite_engine(engine) where the engine is created."
    with engine.connect() as connection:
        mode = connection.execute(text("PRAGMA journal_mode")).scalar()
        patience = connection.execute(text("PRAGMA busy_timeout")).scalar() or 0
        locks = _holds_write_lock(str(database))
    if not locks:
        yield Finding(
            "sqlite",
            Severity.ERROR,
            "Transactions do not begin with SQLite's write lock: two requests that read a row and then "
            'write it lose an update or fail with "database is locked".',
            remedy,
        )
    if str(mode).lower() != "wal":
        yield Finding(
            "sqlite",
            Severity.WARNING,
            f"The journal mode is {mode}: whoever reads keeps others from writing.",
            remedy,
        )
    if patience < 1000:
        yield Finding(
            "sqlite",
            Severity.WARNING,
            f"A transaction waits {patience} ms for the one before it: requests fail as soon as two meet.",
            'Leave the driver\'s timeout at 5 seconds, or set connect_args={"timeout": 5}.',
        )


def _holds_write_lock(database: str) -> bool:
    """Tell whether somebody, the caller's open transaction that is, keeps others from writing."""
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        other.execute("ROLLBACK")
        return False


def _clock(patient: Patient) -> Iterator[Finding]:
    expression = _SERVER_TIME.get(patient.engine.dialect.name)
    if expression is None:
        return  # the database is in this very process
    with reading(patient.engine) as connection:
        apart = _seconds_apart(connection, expression)
    grace = patient.settings.renewal_grace
    if abs(apart) <= _CLOCK_TOLERANCE:
        return
    direction = "behind" if apart > 0 else "ahead of"
    yield Finding(
        "clock",
        Severity.WARNING if abs(apart) * 2 > grace else Severity.INFO,
        f"This machine's clock is {abs(apart):.0f} s {direction} the database server's. Sessions go by the "
        f"clocks of the web servers, and {patient.setting('renewal_grace')} ({grace} s) has to cover their "
        "differences.",
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


# --- is it safe -------------------------------------------------------------------------------------------


def _cookie(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    yield from _secure_cookie(patient)
    if settings.cookie_samesite is SameSite.NONE:
        yield Finding(
            "cookie",
            Severity.WARNING,
            "The cookie comes along with requests that any other site starts (ASVS 5.0, 3.3.2).",
            f"Unless the application is embedded in other sites, set {patient.setting('cookie_samesite')} to "
            "Lax.",
        )
    if not settings.cookie_httponly:
        yield Finding(
            "cookie",
            Severity.WARNING,
            "Scripts in the page can read the cookie, and so can one that is injected (ASVS 5.0, 3.3.4).",
            f"Leave {patient.setting('cookie_httponly')} out: no script needs this cookie.",
        )
    length = len(settings.cookie_name) + len(patient.factory.make_token(Ticket(fresh_session_id())))
    if length > _COOKIE_LIMIT or length > MAX_TOKEN_LENGTH + len(settings.cookie_name):
        yield Finding(
            "cookie",
            Severity.ERROR,
            f"The cookie's name and value have {length} bytes, more than browsers keep (ASVS 5.0, 3.3.5).",
            f"Choose a shorter {patient.setting('cookie_name')}.",
        )


def _secure_cookie(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    name = settings.cookie_name.lower()
    prefix = next((each for each in ("__host-", "__secure-") if name.startswith(each)), "")
    if settings.cookie_secure is CookieSecure.NEVER:
        yield Finding(
            "cookie",
            Severity.WARNING,
            "The cookie is sent over plain http as well, where anybody on the way can read it (ASVS 5.0, "
            "3.3.1).",
            f"Serve by https, and set {patient.setting('cookie_secure')} = true.",
        )
    elif settings.cookie_secure is CookieSecure.AUTO:
        yield Finding(
            "cookie",
            Severity.INFO,
            "The cookie is Secure only if the request that sets it came by https (ASVS 5.0, 3.3.1).",
            f"In production, set {patient.setting('cookie_secure')} = true.",
        )
    if not prefix:
        yield Finding(
            "cookie",
            Severity.INFO,
            f"The cookie's name, {settings.cookie_name}, has no prefix that makes browsers refuse one which "
            "a neighbouring host or plain http has planted (ASVS 5.0, 3.3.1 and 3.3.3).",
            f"In production, set {patient.setting('cookie_name')} = __Host-{settings.cookie_name} (and "
            f"{patient.setting('cookie_secure')} = true).",
        )
    elif prefix == "__secure-":
        yield Finding(
            "cookie",
            Severity.INFO,
            "The cookie is shared with other hosts or paths by its __Secure- prefix (ASVS 5.0, 3.3.3 allows "
            "that where it is meant).",
            "Use __Host- unless it is.",
        )


def _timeouts(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    idle, absolute = settings.idle_timeout, settings.absolute_timeout
    if idle is None and absolute is None:
        yield Finding(
            "timeouts",
            Severity.WARNING,
            "Sessions never end by themselves: no purge will find any (ASVS 5.0, 7.3.1 and 7.3.2).",
            f"Set {patient.setting('idle_timeout')} and {patient.setting('absolute_timeout')}; the model "
            "needs IdleMixin and AbsoluteMixin.",
        )
        return
    met = [
        name
        for name, overall, inactivity in _LEVELS
        if absolute is not None and absolute <= overall and idle is not None and idle <= inactivity
    ]
    yield Finding(
        "timeouts",
        Severity.INFO,
        f"Idle timeout {_told(idle)}, absolute timeout {_told(absolute)}. By NIST SP 800-63B-4 that is "
        f"within the limits of {', '.join(met)}."
        if met
        else f"Idle timeout {_told(idle)}, absolute timeout {_told(absolute)}. NIST SP 800-63B-4 asks for "
        f"less: {'; '.join(name for name, _, _ in _LEVELS)}.",
        "" if met else "Where the application has to meet one of these levels, shorten them.",
    )
    own = sorted(name for name in patient.factory.own_settings if name.endswith("timeout"))
    if own:
        yield Finding(
            "timeouts",
            Severity.INFO,
            f"Sessions can have settings of their own ({', '.join(own)}), to which this does not apply.",
        )


def _told(seconds: int | None) -> str:
    if seconds is None:
        return "none"
    for unit, length in (("h", _HOUR), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _keys(patient: Patient) -> Iterator[Finding]:
    # Strength needs no check: a key that is not of 256 bits, or visibly made up, stops the start.
    count = len(patient.settings.secret_key)
    if count > 1:
        needed = old_key_needed(patient.factory.policies(None), owned=None)
        yield Finding(
            "keys",
            Severity.WARNING if count > _MANY_KEYS else Severity.INFO,
            f"There are {count} secret keys: the first one encrypts, the others still open cookies.",
            "Remove the old ones when they are needed no more (pyramid-sessions rotate-key says how to tell)."
            if needed is None
            else f"By these settings an old one can go {_told(needed)} after the new one came first.",
        )
    file = patient.configuration
    if file is None or not file.is_file():
        return
    mode = file.stat().st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH) and _holds_key(patient, file):
        yield Finding(
            "keys",
            Severity.WARNING,
            f"Everybody on this machine can read the secret key in {file.name}.",
            f"chmod o-rwx {file.name}",
        )


def _holds_key(patient: Patient, file: Path) -> bool:
    value = patient.registry.settings.get(patient.setting("secret_key"))
    try:
        content = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return isinstance(value, str) and any(key in content for key in value.split())


def _logging(patient: Patient) -> Iterator[Finding]:
    logs = logging.getLogger("sqlalchemy.engine").isEnabledFor(logging.INFO)
    if logs and not patient.engine.hide_parameters:
        yield Finding(
            "logging",
            Severity.WARNING,
            "SQLAlchemy logs its statements with their values, and so users' data and identifiers.",
            "Set the logger sqlalchemy.engine to WARN, or create the engine with hide_parameters=True.",
        )


# --- is it looked after -----------------------------------------------------------------------------------


def _purging(patient: Patient) -> Iterator[Finding]:
    now = patient.factory.clock()
    with reading(patient.engine) as connection:
        found = backlog(connection, patient.settings.model_class, now=now)
    if found is None:
        yield Finding(
            "purging",
            Severity.INFO,
            "The model has no deadlines (no IdleMixin, no AbsoluteMixin): a purge finds nothing, the table "
            "only grows.",
            "Add one of the mixins, or delete old rows by your own rule.",
        )
        return
    if found.since is not None:
        ago = now - found.since
        yield Finding(
            "purging",
            Severity.WARNING if ago > _PURGE_OVERDUE else Severity.INFO,
            f"{found.expired} sessions are past their deadline; the last complete purge was more than "
            f"{_ago(ago)} ago, if there was one.",
            "Let cron or a systemd timer run pyramid-sessions purge." if ago > _PURGE_OVERDUE else "",
        )
    ends = patient.settings.idle_timeout is not None or patient.settings.absolute_timeout is not None
    if found.without_deadline and ends:
        yield Finding(
            "purging",
            Severity.INFO,
            f"{found.without_deadline} sessions have no deadline: they have settings of their own without "
            "one, or were not used since the timeouts were switched on. No purge finds them.",
        )


def _ago(seconds: int) -> str:
    for unit, length in (("days", _DAY), ("hours", _HOUR), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"


CHECKS: Final = (
    Check("connection", "the database answers", _connection),
    Check("schema", "tables, columns, types and indexes are those of the model", _schema),
    Check("transactions", "pyramid_tm", _transactions, asks_database=False),
    Check("retries", "pyramid_retry", _retries, asks_database=False),
    Check("isolation", "isolation level", _isolation),
    Check("sqlite", "SQLite's set-up", _sqlite),
    Check("clock", "clock difference to the database server", _clock),
    Check("cookie", "cookie attributes (OWASP ASVS 5.0, 3.3)", _cookie, asks_database=False),
    Check("timeouts", "timeouts (NIST SP 800-63B-4)", _timeouts, asks_database=False),
    Check("keys", "secret keys", _keys, asks_database=False),
    Check("logging", "nothing secret in the log", _logging, asks_database=False),
    Check("purging", "expired sessions are purged", _purging),
)
"""Every check, in the order in which they are made."""
