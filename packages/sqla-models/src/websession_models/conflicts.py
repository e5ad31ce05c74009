"""Which of a driver's errors mean that somebody else's transaction was in the way.

Such a transaction has done nothing wrong and may simply be run again: it was chosen to end a deadlock, could
not be serialized, waited too long for a lock, or had read what has changed since. The drivers agree on
nothing but that their errors carry the database's code somewhere.

Beside them is the refusal of a database that takes no writes: what it refused has done as little.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

__all__ = [
    "has_ended_transaction",
    "is_conflict",
    "is_read_only_refusal",
    "is_sqlite_read_only",
    "number_of",
    "sqlstate_of",
]

# Lock not available (NOWAIT, lock_timeout), and the class of transactions that were rolled back:
# serialization failure, deadlock. PostgreSQL's documentation, appendix A.
_POSTGRESQL_LOCKED: Final = "55P03"
# Not the whole class 40: with 40003 nobody knows whether the statement has taken effect.
_POSTGRESQL_ROLLED_BACK: Final = ("40001", "40P01")
# A write in a transaction that is read-only: by default, or on a standby.
_POSTGRESQL_READ_ONLY: Final = "25006"

# Record changed since it was read (MariaDB's snapshot isolation), deadlock, which is also what Galera calls a
# conflict, and what Group Replication calls one: the server has rolled the whole transaction back.
_MYSQL_ENDED: Final = frozenset({1020, 1213, 3101})
# A COMMIT that failed; why, only the text knows. Group Replication's other name for a conflict is "error
# 149", a deadlock. The rest of the text is in the server's language.
_MYSQL_COMMIT_FAILED: Final = 1180
_MYSQL_DEADLOCK: Final = re.compile(r"\b149\b")
# Lock wait timeout and NOWAIT: only the statement was rolled back.
_MYSQL_LOCKED: Final = frozenset({1205, 3572})

# An option prevents it, which the text names, and a server that is read-only as a whole.
_MYSQL_OPTION_PREVENTS: Final = 1290
_MYSQL_READ_ONLY: Final = 1836

# SQLITE_BUSY and SQLITE_LOCKED, and SQLITE_READONLY; the higher bits say more.
_SQLITE_LOCKED: Final = frozenset({5, 6})
_SQLITE_READ_ONLY: Final = 8

_MYSQL: Final = frozenset({"mysql", "mariadb"})


def is_conflict(error: DBAPIError, dialect: str) -> bool:
    """Return whether the database refused because of another transaction.

    False for everything else, including a lost connection: nobody knows whether its last statement, perhaps a
    COMMIT, has taken effect, so running it again might do it twice.

    Args:
        error: SQLAlchemy's error.
        dialect: The name of the dialect: `postgresql`, `mysql`, `mariadb` or `sqlite`; for others the
            answer is always False.
    """
    if dialect == "postgresql":
        state = sqlstate_of(error.orig)
        return state == _POSTGRESQL_LOCKED or state.startswith(_POSTGRESQL_ROLLED_BACK)
    if dialect in _MYSQL:
        return _has_mysql_ended(error.orig) or number_of(error.orig) in _MYSQL_LOCKED
    if dialect == "sqlite":
        code: int = getattr(error.orig, "sqlite_errorcode", None) or 0
        return code & 0xFF in _SQLITE_LOCKED
    return False


def has_ended_transaction(error: DBAPIError, dialect: str) -> bool:
    """Return whether the server has rolled back the whole transaction: the next statement begins another.

    MySQL and MariaDB do; on PostgreSQL a failed transaction waits for its ROLLBACK.

    Args:
        error: SQLAlchemy's error.
        dialect: The name of the dialect.
    """
    return dialect in _MYSQL and _has_mysql_ended(error.orig)


def _has_mysql_ended(cause: Any) -> bool:
    number = number_of(cause)
    return number in _MYSQL_ENDED or (
        number == _MYSQL_COMMIT_FAILED and _MYSQL_DEADLOCK.search(str(cause)) is not None
    )


def is_read_only_refusal(error: DBAPIError, dialect: str) -> bool:
    """Return whether the database refused a statement or a COMMIT because it is read-only.

    What it refused has had no effect. Another connection may be able to write: on MySQL and MariaDB, another
    server may have become the primary while this connection still leads to the old one; on PostgreSQL, a
    connection may still be read-only by default when others no longer are.

    Args:
        error: SQLAlchemy's error.
        dialect: The name of the dialect: `postgresql`, `mysql`, `mariadb` or `sqlite`; for others the
            answer is always False.
    """
    if dialect == "postgresql":
        return sqlstate_of(error.orig) == _POSTGRESQL_READ_ONLY
    if dialect == "sqlite":
        return is_sqlite_read_only(error.orig)
    if dialect not in _MYSQL:
        return False
    number = number_of(error.orig)
    return number == _MYSQL_READ_ONLY or (number == _MYSQL_OPTION_PREVENTS and "read-only" in str(error.orig))


def is_sqlite_read_only(cause: Any) -> bool:
    """Return whether an error of SQLite's driver says that the database takes no writes."""
    code: int = getattr(cause, "sqlite_errorcode", None) or 0
    return code & 0xFF == _SQLITE_READ_ONLY


def sqlstate_of(cause: Any) -> str:
    """Return the SQLSTATE of a PostgreSQL driver's error, empty if it has none."""
    # psycopg and asyncpg; psycopg2; pg8000 has a dictionary of the protocol's fields.
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state is None and cause is not None and cause.args and isinstance(cause.args[0], dict):
        state = cause.args[0].get("C")
    return state if isinstance(state, str) else ""


def number_of(cause: Any) -> int | None:
    """Return the number of an error of MySQL's family, None if it has none."""
    # MySQL's and MariaDB's connectors; mysqlclient, PyMySQL and asyncmy have it first among the arguments.
    number = getattr(cause, "errno", None)
    if number is None and cause is not None and cause.args:
        number = cause.args[0]
    return number if isinstance(number, int) else None
