"""Whether the database's tables are those of the model, and what to do if they are not.

The tables are the application's, made by its migrations, and a migration can be forgotten. Nothing is looked
at when the application starts. A statement that fails because of it raises `SchemaError`, which says what to
do; `check_schema()` compares everything, for a command or a test.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import JSON, BigInteger, Integer, LargeBinary, String, Uuid, inspect
from sqlalchemy.dialects.mysql import BINARY, LONGTEXT
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError
from sqlalchemy.types import BINARY as GENERIC_BINARY
from sqlalchemy.types import TypeDecorator
from websession_core.errors import SessionError

from .conflicts import number_of, sqlstate_of
from .features import features_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Column, Connection, Dialect, Engine, Table
    from sqlalchemy.engine.interfaces import ReflectedColumn
    from sqlalchemy.exc import StatementError
    from sqlalchemy.types import TypeEngine

__all__ = ["SchemaError", "SchemaProblem", "check_schema", "is_schema_error"]

REMEDY: Final = (
    "make a migration and run it (alembic revision --autogenerate, alembic upgrade head); tables that are "
    "missing altogether can also be made by Base.metadata.create_all(engine)"
)


class SchemaError(SessionError, SQLAlchemyError):
    """The database's tables are not those of the session model: a migration is missing.

    The driver's own error is the cause.

    Attributes:
        tables: The names of the tables of the statement that failed.
    """

    def __init__(self, tables: Iterable[str], problem: str) -> None:
        self.tables = tuple(tables)
        names = " and ".join(map(repr, self.tables))
        what = "the tables {} are" if len(self.tables) > 1 else "the table {} is"
        super().__init__(f"{what.format(names)} not what the session model needs: {problem}; {REMEDY}")


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """One difference between a model and the database.

    Attributes:
        table: The table's name.
        column: The column's name; None: it is about the whole table.
        problem: What is wrong, a clause: ``is missing``.
        remedy: What to do about it, an instruction.
        fatal: Whether sessions fail because of it; else something is only slow.
    """

    table: str
    column: str | None
    problem: str
    remedy: str
    fatal: bool = True

    def __str__(self) -> str:
        what = f"the table {self.table!r}" if self.column is None else f"{self.table}.{self.column}"
        return f"{what} {self.problem}; {self.remedy}"


def check_schema(bind: Engine | Connection, model: type) -> tuple[SchemaProblem, ...]:
    """Compare the tables of a session model with those in the database.

    Args:
        bind: Where the sessions are stored. A few statements read the database's catalogue.
        model: The session model.

    Returns:
        Every difference that matters, the table's before its companion's; nothing if all is well.

    Raises:
        ModelError: The class cannot be a session model.
        sqlalchemy.exc.SQLAlchemyError: The database cannot be asked.
    """
    features = features_of(model)
    tables = [features.table] if features.companion is None else [features.table, features.companion]
    return tuple(problem for table in tables for problem in _differences(bind, table))


# --- an error that a statement has raised -------------------------------------------------------------------

# Undefined table, column, function (an operator for these types), wrong type, no cast, NOT NULL, no schema.
_SQLSTATES: Final = frozenset({"42P01", "42703", "42883", "42804", "42846", "23502", "3F000"})
# No such table, unknown column, wrong number of columns, no default value, column cannot be null.
_NUMBERS: Final = frozenset({1146, 1054, 1364, 1048})
_SQLITE: Final = ("no such table", "no such column", "has no column named", "NOT NULL constraint failed")


def is_schema_error(error: StatementError) -> bool:
    """Return whether one of our statements failed because a table or column is not there or of another type.

    Args:
        error: SQLAlchemy's error about a statement that names our columns only.
    """
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return any(words in str(cause) for words in _SQLITE)
    return sqlstate_of(cause) in _SQLSTATES or number_of(cause) in _NUMBERS


def schema_error(error: StatementError, tables: Iterable[str]) -> SchemaError:
    """Return what to raise instead of an error of which `is_schema_error()` holds.

    Args:
        error: SQLAlchemy's error.
        tables: The names of the statement's tables.
    """
    cause: Any = error.orig
    if number_of(cause) is not None:
        words = str(cause.args[1]) if len(cause.args) > 1 else str(cause)
    else:
        # Later lines show the statement, or the row that was refused.
        words = str(cause).partition("\n")[0]
    return SchemaError(tables, words)


# --- the comparison -----------------------------------------------------------------------------------------


def _differences(bind: Engine | Connection, table: Table) -> Iterator[SchemaProblem]:
    inspector, problem = inspect(bind), partial(SchemaProblem, table.name)
    try:
        columns = {column["name"]: column for column in inspector.get_columns(table.name, table.schema)}
    except NoSuchTableError:
        columns = {}
    if not columns:
        yield problem(None, "is missing", REMEDY)
        return
    for column in table.columns:
        actual = columns.get(column.name)
        if actual is None:
            yield problem(column.name, "is missing", REMEDY)
        else:
            for what, remedy in _column_differences(column, actual, bind.dialect):
                yield problem(column.name, what, remedy)
    for name, actual in columns.items():
        if name not in table.columns and not actual["nullable"] and actual.get("default") is None:
            what = "is not in the model and must not be NULL, so no session can be inserted"
            yield problem(name, what, "give it a default, make it nullable, or remove it")
    key = inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]
    wanted = [column.name for column in table.primary_key.columns]
    if key != wanted:
        yield problem(None, f"has another primary key than {', '.join(wanted)}", "make it the primary key")
    indexed: list[Sequence[str | None]] = [key, *_indexed(inspector, table)]
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        names = [column.name for column in index.columns]
        if names and not any(others[: len(names)] == names for others in indexed):
            what = "has no index, so looking for it reads the whole table"
            yield problem(names[0], what, REMEDY, fatal=False)


def _indexed(inspector: Any, table: Table) -> Iterable[list[str | None]]:
    for index in inspector.get_indexes(table.name, table.schema):
        yield index["column_names"]
    for constraint in inspector.get_unique_constraints(table.name, table.schema):
        yield constraint["column_names"]


def _column_differences(
    column: Column[Any], actual: ReflectedColumn, dialect: Dialect
) -> Iterator[tuple[str, str]]:
    expected, kind = column.type.dialect_impl(dialect), actual["type"]
    if isinstance(expected, TypeDecorator):
        expected = expected.type_engine(dialect)
    change = f"change its type to {expected.compile(dialect)} by a migration"
    if _family(expected, dialect) != _family(kind, dialect):
        remedy = "change its type by a migration; alembic's compare_type finds such differences"
        yield f"is {kind!r} and should be {expected.compile(dialect)}", remedy
    elif isinstance(expected, BigInteger) and not isinstance(kind, BigInteger) and dialect.name != "sqlite":
        yield "has 32 bits, which end in the year 2038", change
    elif isinstance(expected, String) and _length(kind) < (expected.length or 0):
        yield f"holds {_length(kind):.0f} characters and should hold {expected.length}", change
    if column.nullable and not actual["nullable"]:
        yield "must be nullable", "drop its NOT NULL by a migration"


def _length(kind: TypeEngine[Any]) -> float:
    length = getattr(kind, "length", None)
    return float("inf") if length is None else float(length)


def _family(kind: TypeEngine[Any], dialect: Dialect) -> str:
    """Return what a type is of, so that spellings of the same one compare as equal."""
    if isinstance(kind, JSON) or (isinstance(kind, LONGTEXT) and dialect.name in {"mysql", "mariadb"}):
        return "JSON"  # MariaDB's JSON is a LONGTEXT
    if isinstance(kind, Integer):
        return "integer"
    if isinstance(kind, (LargeBinary, BINARY, GENERIC_BINARY)):
        return "binary"
    if isinstance(kind, Uuid):
        return "uuid" if dialect.name == "postgresql" else "text"
    if isinstance(kind, String):
        return "text"
    return kind.__visit_name__
