"""Who is who: which userids a column holds as they are, and which sessions are a user's, on every engine.

Databases compare text by its collation, by which ``bob``, ``Bob``, ``bób`` and ``bob`` with a space behind it
may be one: as a rule on MySQL and MariaDB, elsewhere where somebody wants it so. They are several users here:
each may be logged in, and no comparison of ours takes one for the other.
"""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BINARY,
    CHAR,
    NCHAR,
    BigInteger,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    Uuid,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    true,
)
from sqlalchemy.types import NullType, TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Dialect
    from sqlalchemy.types import TypeEngine

    from .features import ModelFeatures

__all__ = [
    "exact_userid",
    "is_exactly",
    "is_of_type",
    "is_only_too_large",
    "is_same_user",
    "may_be_same_user",
    "stored_userid",
    "userid_problem",
]

_MYSQL: Final = frozenset({"mysql", "mariadb"})


# --- what a column holds ------------------------------------------------------------------------------------


def userid_problem(features: ModelFeatures, userid: Any, dialect: Dialect) -> str | None:
    """Return why the model's column cannot hold a userid, or not on every engine; None: it can.

    Some engines refuse such a value at the commit, others store another one: MariaDB without strict mode
    has the nearest number and the beginning of a text, SQLite the nearest number to a decimal, and so another
    user. A `TypeDecorator` is the application's own business.

    Args:
        features: The model's, which has `UseridMixin`.
        userid: The value; None: nobody.
        dialect: The database's. SQLite's columns hold nearly anything, so there the others' types count.

    Returns:
        What is wrong, and what to do about it: a clause.
    """
    kind: TypeEngine[Any] = features.columns["userid"].type
    value: Any = userid
    expected = features.userid_type
    if dialect.name != "sqlite":
        # SQLAlchemy has no other way to ask for a variant; what it makes of a CHAR is none any more.
        kind = kind._variant_mapping.get(dialect.name, kind)
    if userid is None or expected is None or isinstance(kind, TypeDecorator):
        return None
    if not is_of_type(userid, expected):
        return f"the column takes {expected.__name__}, not {type(userid).__name__}; convert it first"
    match kind:
        case Integer():
            return _number_problem(kind, value, dialect)
        case Enum():
            return None if userid in (kind.enum_class or kind.enums) else "it is none of the column's values"
        case String():
            return _text_problem(kind, value, dialect)
        case Float():
            return _float_problem(kind, value, dialect)
        case Numeric():
            return _decimal_problem(kind, decimal.Decimal(str(value)), dialect)
        case Uuid() if isinstance(userid, str):
            return _uuid_problem(userid)
        case _ if isinstance(userid, bytes):
            return _bytes_problem(kind, userid, dialect)
        case Date() | DateTime() | Time():
            return _moment_problem(kind, value, dialect)
        case _:
            return None


def is_of_type(value: object, kind: type) -> bool:
    """Return whether a value is of a column's Python type; a truth value is no number."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def is_only_too_large(features: ModelFeatures, userid: Any) -> bool:
    """Return whether a userid is a number that SQLite alone can hold, whose integers have 64 bits."""
    is_number = isinstance(features.columns["userid"].type, Integer) and isinstance(userid, int)
    return is_number and not isinstance(userid, bool) and -(2**63) <= userid < 2**63


# Of types of MySQL's without a length of their own, in bytes.
_LENGTHS: Final = {"TINYTEXT": 2**8 - 1, "TINYBLOB": 2**8 - 1, "TEXT": 2**16 - 1, "BLOB": 2**16 - 1}


def _length(kind: TypeEngine[Any], dialect: Dialect) -> int | None:
    """Return how many bytes a column takes by its type alone; None: any number."""
    if dialect.name not in _MYSQL or getattr(kind, "length", None) is not None:
        return None
    return _LENGTHS.get(kind.compile(dialect).partition(" ")[0])


def _number_problem(kind: Integer, userid: int, dialect: Dialect) -> str | None:
    if isinstance(kind, BigInteger):
        bits, larger = 64, "String"
    elif isinstance(kind, SmallInteger):
        bits, larger = 16, "Integer"
    else:
        bits = {"TINYINT": 8, "MEDIUMINT": 24}.get(kind.__visit_name__, 32)
        larger = "BigInteger"
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if getattr(kind, "unsigned", False) and dialect.name != "postgresql":
        least, most = 0, 2**bits - 1
    if dialect.name == "sqlite":
        most = min(most, 2**63 - 1)
    if least <= userid <= most:
        return None
    return f"the column takes numbers from {least} to {most}; declare it as {larger}"


def _text_problem(kind: String, userid: str, dialect: Dialect) -> str | None:
    if "\0" in userid:
        return "it contains a NUL character, which PostgreSQL cannot store"
    try:
        size = len(userid.encode())
    except UnicodeEncodeError:
        return "it contains a lone surrogate, which is not Unicode text"
    if kind.length is not None and len(userid) > kind.length:
        return f"the column takes {kind.length} characters, and it has {len(userid)}; declare a longer String"
    length = _length(kind, dialect)
    if length is not None and size > length:
        return f"the column takes {length} bytes, and it has {size}"
    if isinstance(kind, (CHAR, NCHAR)) and userid.endswith(" "):
        return "the column is a CHAR, which loses spaces at the end; declare it as String"
    return None


def _bytes_problem(kind: Any, userid: bytes, dialect: Dialect) -> str | None:
    length = _length(kind, dialect) or getattr(kind, "length", None)
    if length is None or len(userid) == length or (len(userid) < length and not isinstance(kind, BINARY)):
        return None
    return f"the column takes {length} bytes, and it has {len(userid)}"


def _float_problem(kind: Float[Any], userid: float, dialect: Dialect) -> str | None:
    if not math.isfinite(userid):
        return "it is no number"
    if not _is_short(kind, dialect) or (abs(userid) < _SHORT_LIMIT and userid == int(userid)):
        return None
    return "the column rounds what is no whole number of six digits; declare it as Numeric"


def _is_short(kind: Float[Any], dialect: Dialect) -> bool:
    """Return whether a column's numbers have single precision."""
    name, has_few_bits = kind.compile(dialect).partition("(")[0], (kind.precision or 0) <= _SHORT
    if dialect.name == "postgresql":
        return name == "REAL" or (name == "FLOAT" and kind.precision is not None and has_few_bits)
    return dialect.name in _MYSQL and name == "FLOAT" and has_few_bits


_SHORT: Final = 24
"""Bits of the numbers in a column of single precision."""

_SHORT_LIMIT: Final = 10**6
"""MySQL and MariaDB hand out six digits of them."""


def _decimal_problem(kind: Numeric[Any], userid: decimal.Decimal, dialect: Dialect) -> str | None:
    if not userid.is_finite():
        return "it is no number"
    if dialect.name == "sqlite" and decimal.Decimal(f"{float(userid):.10f}") != userid:
        return "SQLite rounds it to about 15 digits; declare the column as String"
    precision, scale = kind.precision, kind.scale or 0
    if precision is None:
        if dialect.name not in _MYSQL:
            return None
        precision = 10
    whole = abs(userid) < decimal.Decimal(10) ** (precision - scale)
    if whole and userid == round(userid, scale):
        return None
    return f"the column takes {precision} digits, {scale} of them behind the point"


def _moment_problem(kind: TypeEngine[Any], userid: Any, dialect: Dialect) -> str | None:
    if isinstance(kind, Date):
        is_day = not isinstance(userid, datetime.datetime)
        return None if is_day else "the column holds a day without the time; convert it first"
    if dialect.name not in _MYSQL or not userid.microsecond or getattr(kind, "fsp", None) == _MICROSECONDS:
        return None
    return "the column holds whole seconds; convert it first"


_MICROSECONDS: Final = 6


def _uuid_problem(userid: str) -> str | None:
    with suppress(ValueError):
        if str(uuid.UUID(userid)) == userid:
            return None
    return "the column takes a UUID in lower case with hyphens; convert it by str(uuid.UUID(…))"


# --- whose a session is -------------------------------------------------------------------------------------


def may_be_same_user(features: ModelFeatures, userid: Any) -> ColumnElement[bool]:
    """Return the condition that the database itself takes a session's userid for this one: by its index.

    Among them are all of the user's, and what a unique index takes for them.
    """
    column: ColumnElement[Any] = features.columns["userid"]
    kind = column.type
    is_plain_text = isinstance(kind, String) and not isinstance(kind, Enum) and not kind._variant_mapping
    value = bindparam(None, userid, type_=_Untyped() if is_plain_text else kind)
    condition: ColumnElement[bool] = column == value
    return condition


class _Untyped(TypeDecorator[str]):
    """A text that PostgreSQL compares by the type that the column has there, which may be citext."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return a type for which no cast is sent to PostgreSQL."""
        return NullType() if dialect.name == "postgresql" else dialect.type_descriptor(String())


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


def stored_userid(features: ModelFeatures) -> ColumnElement[Any]:
    """Return the column as it is read: PostgreSQL fills a CHAR with spaces, which are no part of a userid."""
    column = features.columns["userid"]
    return cast(column, Text) if isinstance(column.type, (CHAR, NCHAR)) else column


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
