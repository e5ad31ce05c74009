"""Who is who: which userids a column holds as they are, and which sessions are a user's, on every engine.

Databases compare text by its collation, by which ``bob``, ``Bob``, ``bób`` and ``bob`` with a space behind it
may be one: as a rule on MySQL and MariaDB, elsewhere where somebody wants it so. They are several users here:
each may be logged in, and no comparison of ours takes one for the other.
"""

from __future__ import annotations

import decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BINARY,
    CHAR,
    BigInteger,
    Enum,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    true,
)
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Dialect
    from sqlalchemy.types import TypeEngine

    from .features import ModelFeatures

__all__ = [
    "exact_userid",
    "is_exactly",
    "is_only_too_large",
    "is_same_user",
    "may_be_same_user",
    "userid_problem",
]

_MYSQL: Final = frozenset({"mysql", "mariadb"})


# --- what a column holds ------------------------------------------------------------------------------------


def userid_problem(features: ModelFeatures, userid: Any) -> str | None:
    """Return why the model's column cannot hold a userid, or not on every engine; None: it can.

    Some engines refuse such a value at the commit, others store another one: MariaDB without strict mode
    has the nearest number and the beginning of a text, and so another user. A `TypeDecorator` is the
    application's own business.

    Args:
        features: The model's, which has `UseridMixin`.
        userid: The value; None: nobody.

    Returns:
        What is wrong, and what to do about it: a clause.
    """
    kind: TypeEngine[Any] = features.columns["userid"].type
    value: Any = userid
    expected = features.userid_type
    if userid is None or expected is None or isinstance(kind, TypeDecorator):
        return None
    if not isinstance(userid, expected) or (isinstance(userid, bool) and expected is not bool):
        return f"the column takes {expected.__name__}, not {type(userid).__name__}; convert it first"
    match kind:
        case Integer():
            return _number_problem(kind, value)
        case Enum():
            return None if userid in (kind.enum_class or kind.enums) else "it is none of the column's values"
        case String():
            return _text_problem(kind, value)
        case LargeBinary() | BINARY():
            return _bytes_problem(kind, value)
        case Numeric() if isinstance(userid, (decimal.Decimal, float)):
            return _decimal_problem(kind, decimal.Decimal(userid))
        case _:
            return None


def is_only_too_large(features: ModelFeatures, userid: Any) -> bool:
    """Return whether a userid is a number that SQLite alone can hold, whose integers have 64 bits."""
    is_number = isinstance(features.columns["userid"].type, Integer) and isinstance(userid, int)
    return is_number and not isinstance(userid, bool) and -(2**63) <= userid < 2**63


def _number_problem(kind: Integer, userid: int) -> str | None:
    if isinstance(kind, BigInteger):
        bits, larger = 64, "Numeric or text"
    elif isinstance(kind, SmallInteger):
        bits, larger = 16, "Integer"
    else:
        bits = {"TINYINT": 8, "MEDIUMINT": 24}.get(kind.__visit_name__, 32)
        larger = "BigInteger"
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if getattr(kind, "unsigned", False):
        least, most = 0, 2**bits - 1
    if least <= userid <= most:
        return None
    return f"the column takes numbers from {least} to {most}; declare it as {larger}"


def _text_problem(kind: String, userid: str) -> str | None:
    if "\0" in userid:
        return "it contains a NUL character, which PostgreSQL cannot store"
    try:
        userid.encode()
    except UnicodeEncodeError:
        return "it contains a lone surrogate, which is not Unicode text"
    if kind.length is not None and len(userid) > kind.length:
        return f"the column takes {kind.length} characters, and it has {len(userid)}; declare a longer String"
    if isinstance(kind, CHAR) and userid.endswith(" "):
        return "the column is a CHAR, which loses spaces at the end; declare it as String"
    return None


def _bytes_problem(kind: LargeBinary | BINARY, userid: bytes) -> str | None:
    length = kind.length
    if length is None or len(userid) == length or (len(userid) < length and not isinstance(kind, BINARY)):
        return None
    return f"the column takes {length} bytes, and it has {len(userid)}"


def _decimal_problem(kind: Numeric[Any], userid: decimal.Decimal) -> str | None:
    if not userid.is_finite():
        return "it is no number"
    if kind.precision is None:
        return None
    scale = kind.scale or 0
    whole = abs(userid) < decimal.Decimal(10) ** (kind.precision - scale)
    if whole and userid == round(userid, scale):
        return None
    return f"the column takes {kind.precision} digits, {scale} of them behind the point"


# --- whose a session is -------------------------------------------------------------------------------------


def may_be_same_user(features: ModelFeatures, userid: Any) -> ColumnElement[bool]:
    """Return the condition that the database itself takes a session's userid for this one: by its index.

    Among them are all of the user's, and what a unique index takes for them.
    """
    column: ColumnElement[Any] = features.columns["userid"]
    condition: ColumnElement[bool] = column == userid
    return condition


def is_same_user(features: ModelFeatures, userid: Any, dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a session is a user's, and no other's whose userid looks like theirs.

    Args:
        features: The model's, which has `UseridMixin`.
        userid: Whose.
        dialect: Where it will be asked.
    """
    # Both: the first goes by the index.
    return and_(may_be_same_user(features, userid), is_exactly(features, userid, dialect))


def is_exactly(features: ModelFeatures, userid: Any, dialect: Dialect) -> ColumnElement[bool]:
    """Return the second half of `is_same_user()`, for sessions that `may_be_same_user()` has found."""
    column = features.columns["userid"]
    if not _is_collated(column.type, dialect):
        return true()
    return _exact(column, dialect) == _exact(bindparam(None, userid, type_=column.type), dialect)


def exact_userid(features: ModelFeatures, dialect: Dialect) -> ColumnElement[Any]:
    """Return what tells users apart where sessions are grouped by them."""
    column = features.columns["userid"]
    return _exact(column, dialect) if _is_collated(column.type, dialect) else column


def _is_collated(kind: TypeEngine[Any], dialect: Dialect) -> bool:
    stored = kind.dialect_impl(dialect)
    if isinstance(stored, TypeDecorator):
        stored = stored.type_engine(dialect)
    return isinstance(stored, String)


def _exact(value: ColumnElement[Any], dialect: Dialect) -> ColumnElement[Any]:
    """Return what is equal for two texts only if each of their characters is."""
    if dialect.name in _MYSQL:
        # In one character set, whichever the column's is.
        return cast(func.convert(value.op("USING")(literal_column("utf8mb4"))), LargeBinary)
    if dialect.name == "postgresql":
        return cast(value, Text).collate("C")
    return cast(value, LargeBinary)
