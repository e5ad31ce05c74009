"""What an operator can do about an error of the database's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import CompileError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from websession_models.conflicts import number_of, sqlstate_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

__all__ = ["remedy_of"]

_MAY_NOT: Final = (
    "The account may not do this: GRANT SELECT, INSERT, UPDATE, DELETE on the session table and its "
    "companion (on SQLite: see who may write to the file and its folder)."
)

# SQLSTATEs of PostgreSQL, numbers of MySQL's family, words of the drivers that give neither; what to do.
_REMEDIES: Final[Sequence[tuple[AbstractSet[str], AbstractSet[int], Sequence[str], str]]] = (
    (
        {"25006"},
        {1792, 1836},
        ("read-only option", "super-read-only"),
        "Let the URL lead to a server that takes writes, or wait until this one does.",
    ),
    (
        {"42501"},
        # Command, column, access to a database, routine.
        {1142, 1143, 1044, 1370, 1227, 1290},
        ("readonly database",),
        _MAY_NOT,
    ),
    (
        {"28P01", "28000"},
        {1045, 1698},
        ("authentication failed",),
        "See that user and password in the URL in the configuration are right.",
    ),
    (
        {"3D000"},
        {1049},
        (),
        "Create the database, or see that its name in the URL in the configuration is right.",
    ),
    (
        {"53300"},
        {1040, 1203},
        ("too many clients",),
        "It has no connection left: try again, or let it have more.",
    ),
    (
        {"53100"},
        {1021},
        ("disk is full",),
        "Make room on its disk.",
    ),
    (
        {"55P03", "57014", "40001", "40P01"},
        {1205, 1213, 3024},
        ("database is locked",),
        "Somebody else is at work there: try again.",
    ),
    (
        frozenset(),
        frozenset(),
        ("unable to open database file",),
        "See that the folder of the file in the URL exists, and that you may write to it.",
    ),
    (
        frozenset(),
        frozenset(),
        ("file is not a database", "disk image is malformed"),
        "See that the file in the URL is a database of SQLite's, or take one from a backup.",
    ),
)


def remedy_of(error: Exception) -> str:
    """Return what to do about an error of SQLAlchemy's or a driver's, a sentence."""
    if not isinstance(error, (SQLAlchemyError, OSError)):
        return "See that the driver is complete, and what the application's own code does when it connects."
    if isinstance(error, CompileError) or not isinstance(error, (DBAPIError, OSError, PoolTimeoutError)):
        return "See that the URL in the configuration is right."
    cause = getattr(error, "orig", None) or error
    state, number, words = sqlstate_of(cause), number_of(cause), str(cause).lower()
    for states, numbers, texts, remedy in _REMEDIES:
        # An error while connecting has words only, on PostgreSQL.
        if state in states or any(text in words for text in texts) or number in numbers:
            return remedy
    if "database" in words and "does not exist" in words:
        return "Create the database, or see that its name in the URL in the configuration is right."
    return "See that it runs, and that host and port in the URL in the configuration are right."
