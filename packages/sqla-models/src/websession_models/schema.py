"""Whether the database's tables are those of the model, and what to do if they are not.

The tables are the application's, made by its migrations, and a migration can be forgotten. Nothing is looked
at when the application starts. A statement that fails because of it raises `SchemaError`, which says what to
do; `check_schema()` compares everything, for a command or a test.
"""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Integer,
    SmallInteger,
    UniqueConstraint,
    Uuid,
    inspect,
    sql,
)
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError, StatementError
from sqlalchemy.types import BINARY, VARBINARY, Enum, LargeBinary, NullType, String, TypeDecorator
from websession_core.errors import SessionError

from .companion import name_problem
from .conflicts import number_of, sqlstate_of
from .features import features_of
from .mixins import EncryptedDataMixin, slots_index, slots_index_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Dialect, Engine, Inspector, Table
    from sqlalchemy.engine.interfaces import ReflectedColumn
    from sqlalchemy.types import TypeEngine

    from .features import ModelFeatures

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
        problem: What is wrong, in the driver's words if it was the driver.
    """

    def __init__(self, tables: Iterable[str], problem: str) -> None:
        self.tables = tuple(tables)
        self.problem = problem
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
        fatal: Whether sessions fail because of it, or can lose data; otherwise something is slower or weaker
            than it could be.
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
        bind: The database in which the sessions are stored. A few statements read its catalogue.
        model: The session model.

    Returns:
        Every difference that matters, the table's before its companion's; empty if there are none.

    Raises:
        ModelError: The class cannot be a session model.
        sqlalchemy.exc.SQLAlchemyError: The database cannot be asked.
    """
    features = features_of(model)
    ours = [*features.columns.values(), *([] if features.identity is None else [features.identity[0]])]
    tables = {features.table: ours}
    if features.companion is not None:
        tables[features.companion] = list(features.companion.columns)
    differences = [
        problem
        for table, columns in tables.items()
        for problem in _differences(bind, table, {column.name for column in columns})
    ]
    return (*differences, *_narrow_columns(bind, features))


# --- an error that a statement has raised -------------------------------------------------------------------

# Undefined table, column, function (an operator for these types), wrong type, no cast, NOT NULL, no schema.
_SQLSTATES: Final = frozenset({"42P01", "42703", "42883", "42804", "42846", "23502", "3F000"})
# No such table, unknown column, wrong number of columns, no default value, column cannot be null.
_NUMBERS: Final = frozenset({1146, 1054, 1364, 1048})
# MySQL's "no such schema" of a statement; of a connection it says that the URL is wrong.
_UNKNOWN_DATABASE: Final = 1049
_SQLITE: Final = ("no such table", "no such column", "has no column named", "NOT NULL constraint failed")


def is_schema_error(error: BaseException) -> bool:
    """Return whether one of our statements failed because a table or column is not there or of another type.

    The statement names our columns only; its error is a `SchemaError`, or SQLAlchemy's that has the driver's.
    """
    if isinstance(error, SchemaError):
        return True
    cause = error.orig if isinstance(error, StatementError) else None
    if isinstance(cause, sqlite3.Error):
        return any(words in str(cause) for words in _SQLITE)
    if number_of(cause) == _UNKNOWN_DATABASE:
        return isinstance(error, StatementError) and error.statement is not None
    return sqlstate_of(cause) in _SQLSTATES or number_of(cause) in _NUMBERS


def schema_error(error: StatementError, tables: Iterable[str]) -> SchemaError:
    """Return what to raise for a statement with these tables instead of an error that `is_schema_error()`."""
    cause: Any = error.orig
    if number_of(cause) is not None:
        words = str(cause.args[1]) if len(cause.args) > 1 else str(cause)
    else:
        # Later lines show the statement, or the row that was refused.
        words = str(cause).partition("\n")[0]
    return SchemaError(tables, words)


# --- the comparison -----------------------------------------------------------------------------------------


def _differences(
    bind: Engine | Connection, table: Table, our_names: Collection[str]
) -> Iterator[SchemaProblem]:
    """Yield what is wrong with a table of which the store itself writes the columns of these names."""
    problem = name_problem(table, bind.dialect.name)
    if problem is not None:
        yield SchemaProblem(table.name, None, *problem)
        return
    inspector = inspect(bind)
    try:
        actual = {column["name"]: column for column in inspector.get_columns(table.name, table.schema)}
    except (NoSuchTableError, StatementError) as error:
        if isinstance(error, StatementError) and not is_schema_error(error):
            raise
        actual = {}
    if not actual:
        yield SchemaProblem(table.name, None, "is missing", REMEDY)
        return
    if table.name in _views(inspector, table.schema):
        yield SchemaProblem(table.name, None, "is a view, and sessions need a table", REMEDY)
        return
    for column in table.columns:
        if column.name not in actual:
            yield SchemaProblem(table.name, column.name, "is missing", REMEDY)
        elif column.name in our_names:
            yield from _column_differences(table, column, actual[column.name], bind.dialect)
    for name, column_info in actual.items():
        own = table.columns.get(name)
        if name not in our_names and _needs_a_value(column_info) and (own is None or own.default is None):
            yield SchemaProblem(
                table.name,
                name,
                f"{'is not in the model, ' if own is None else ''}must not be NULL and has no default, so no "
                "session can be inserted",
                "give it a default, make it nullable, or remove it",
            )
    key = inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]
    names = [column.name for column in table.primary_key.columns]
    if key != names:
        yield SchemaProblem(
            table.name, None, f"has another primary key than {', '.join(names)}", "make it the primary key"
        )
    indexes = list(_indexes(inspector, table))
    by_key = _Index("", tuple(key), is_unique=True)
    yield from _index_differences(table, [by_key, *indexes], bind.dialect)
    yield from _unique_by_mistake(table, indexes, our_names)


def _views(inspector: Inspector, schema: str | None) -> list[str]:
    views = inspector.get_view_names(schema)
    if inspector.dialect.name == "postgresql":
        views += inspector.get_materialized_view_names(schema)
    return views


def _needs_a_value(column: ReflectedColumn) -> bool:
    if column["nullable"] or column.get("default") is not None:
        return False
    return not (column.get("identity") or column.get("computed") or column.get("autoincrement") is True)


# --- columns ------------------------------------------------------------------------------------------------


def _column_differences(
    table: Table, column: Column[Any], actual: ReflectedColumn, dialect: Dialect
) -> Iterator[SchemaProblem]:
    expected, kind = column.type.dialect_impl(dialect), actual["type"]
    if isinstance(expected, TypeDecorator):
        expected = expected.type_engine(dialect)
    type_name = expected.compile(dialect)
    remedy = f"change its type to {type_name} by a migration; alembic's compare_type finds such differences"
    if not _is_of_the_kind(expected, kind, dialect):
        yield SchemaProblem(table.name, column.name, f"is {kind!r} and should be {type_name}", remedy)
    elif shortage := _shortage(expected, kind, dialect):
        # SQLite takes no notice of lengths.
        yield SchemaProblem(table.name, column.name, shortage, remedy, fatal=dialect.name != "sqlite")
    if column.nullable and not actual["nullable"]:
        yield SchemaProblem(table.name, column.name, "must be nullable", "drop its NOT NULL by a migration")
    if actual.get("computed"):
        yield SchemaProblem(table.name, column.name, "is computed by the database", "make it a plain column")


_BINARY: Final = (LargeBinary, BINARY, VARBINARY)
# By what a model has, what a database may have for it: MariaDB's JSON is a LONGTEXT.
_KINDS: Final[Sequence[tuple[type | tuple[type, ...], tuple[type, ...]]]] = (
    (JSON, (JSON, LONGTEXT)),
    (Integer, (Integer,)),
    (_BINARY, _BINARY),
    (Uuid, (Uuid, String)),
    (String, (String,)),
)
# A type that SQLAlchemy does not know, and one that is another by an agreement of the database's.
_ANYTHING: Final = (NullType, DOMAIN)


def _is_of_the_kind(expected: TypeEngine[Any], kind: TypeEngine[Any], dialect: Dialect) -> bool:
    """Return whether a column's type may hold what it should, as far as can be told."""
    if isinstance(kind, _ANYTHING):
        return True
    if isinstance(expected, Uuid) and dialect.name == "postgresql":
        return isinstance(kind, Uuid)
    for ours, theirs in _KINDS:
        if isinstance(expected, ours):
            return isinstance(kind, theirs)
    return True  # the userid's, of a type that we do not know


def _shortage(expected: TypeEngine[Any], kind: TypeEngine[Any], dialect: Dialect) -> str | None:
    """Return what is wrong with the size of a type of the right kind, a clause; None: nothing."""
    if isinstance(kind, _ANYTHING):
        return None
    if isinstance(expected, Integer):
        bits, target_bits = _bits(kind), _bits(expected)
        if bits >= target_bits or dialect.name == "sqlite":  # whose integers are all alike
            return None
        return f"has {bits} bits and should have {target_bits}"
    length, target = getattr(kind, "length", None), getattr(expected, "length", None)
    if length is None or isinstance(expected, (JSON, Uuid, Enum)):
        return None
    unit = "bytes" if isinstance(expected, _BINARY) else "characters"
    if target is None or length == target or (length > target and not isinstance(kind, BINARY)):
        return None
    if length > target:
        return f"fills everything up to {length} {unit} and should have {target}"
    return f"holds {length} {unit} and should hold {target}"


def _bits(kind: TypeEngine[Any]) -> int:
    if isinstance(kind, BigInteger):
        return 64
    if isinstance(kind, SmallInteger):
        return 16
    return {"TINYINT": 8, "MEDIUMINT": 24}.get(kind.__visit_name__, 32)


def _narrow_columns(bind: Engine | Connection, features: ModelFeatures) -> Iterator[SchemaProblem]:
    """Yield the columns that cannot hold every text: on MySQL and MariaDB, each has a character set."""
    if bind.dialect.name not in {"mysql", "mariadb"}:
        return
    # What is encrypted is ASCII.
    names = ["user_agent"] if features.offers(EncryptedDataMixin) else ["data", "flash", "user_agent"]
    names += ["userid"] if features.userid_type is str else []
    ours = {features.columns[name].name: name for name in names if name in features.columns}
    catalog = sql.table("columns", *map(sql.column, ("table_schema", "table_name", "column_name")))
    catalog.schema = "information_schema"
    character_set: ColumnElement[str] = sql.column("character_set_name")
    schema = features.table.schema
    statement = sql.select(catalog.c.column_name, character_set).where(
        catalog.c.table_schema == (schema or sql.func.database()),
        catalog.c.table_name == features.table.name,
        catalog.c.column_name.in_(ours),
        character_set != "utf8mb4",
    )
    with nullcontext(bind) if isinstance(bind, Connection) else bind.connect() as connection:
        narrow = connection.execute(statement).all()
    for name, character_set_name in narrow:
        yield SchemaProblem(
            features.table.name,
            name,
            f"has the character set {character_set_name}, and text with characters that this does not know "
            "is refused, or changed",
            f"run ALTER TABLE {features.table.name} CONVERT TO CHARACTER SET utf8mb4 by a migration",
            fatal=ours[name] != "user_agent",
        )


# --- indexes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Index:
    """An index or a unique constraint that the database has of whole columns and of all rows."""

    name: str
    columns: tuple[str, ...]
    is_unique: bool


def _indexes(inspector: Inspector, table: Table) -> Iterator[_Index]:
    for index in inspector.get_indexes(table.name, table.schema):
        is_partial = any(option.endswith("_where") for option in index.get("dialect_options", {}))
        columns = [name for name in index["column_names"] if name is not None]
        if len(columns) == len(index["column_names"]) and not is_partial:
            yield _Index(index["name"] or "", tuple(columns), bool(index["unique"]))
    for constraint in inspector.get_unique_constraints(table.name, table.schema):
        yield _Index(constraint["name"] or "", tuple(constraint["column_names"]), is_unique=True)


def _index_differences(table: Table, actual: Sequence[_Index], dialect: Dialect) -> Iterator[SchemaProblem]:
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        columns = tuple(column.name for column in index.expressions if isinstance(column, Column))
        if len(columns) < len(index.expressions):
            continue  # of an expression: the application's own
        if index.name == slots_index(table.name):
            name = slots_index_in(table.name, dialect)
            yield from _limit_differences(table, name, columns, actual, dialect)
        elif not any(other.columns[: len(columns)] == columns for other in actual):
            problem = "has no index, so looking for it reads the whole table"
            yield SchemaProblem(table.name, columns[0], problem, REMEDY, fatal=False)


def _limit_differences(
    table: Table, name: str, columns: tuple[str, ...], actual: Sequence[_Index], dialect: Dialect
) -> Iterator[SchemaProblem]:
    names = [other.name for other in actual if other.is_unique and set(other.columns) == set(columns)]
    if not names:
        problem = f"has no unique index of {' and '.join(columns)}, which keeps a user within the limit"
        yield SchemaProblem(table.name, None, problem, REMEDY)
    elif name not in names and dialect.name != "sqlite":
        # `user_limit.is_slot_taken` knows it by its name; SQLite tells the columns.
        problem = f"has the index {name} by another name, so one of two logins at the same time is an error"
        yield SchemaProblem(table.name, None, problem, f"rename {names[0]}", fatal=False)


def _unique_by_mistake(
    table: Table, actual: Sequence[_Index], our_names: Collection[str]
) -> Iterator[SchemaProblem]:
    """Yield what the database lets no two sessions share, though the model says nothing of it."""
    unique: list[Any] = [table.primary_key, *(index for index in table.indexes if index.unique)]
    unique += [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    expected = [{column.name for column in key.columns} for key in unique]
    for columns in dict.fromkeys(index.columns for index in actual if index.is_unique):
        if set(columns).issubset(our_names) and not any(names <= set(columns) for names in expected):
            yield SchemaProblem(
                table.name,
                None,
                f"lets no two sessions have the same {' and '.join(columns)}",
                "drop the unique index or constraint, or declare it in the model",
            )
