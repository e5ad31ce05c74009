"""Executing the statements of ours, so that an error shows no value and tells a missing migration plainly."""

from __future__ import annotations

import weakref
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Table
from sqlalchemy.engine.interfaces import BindTyping
from sqlalchemy.exc import StatementError
from sqlalchemy.sql.util import find_tables

from .schema import is_schema_error, schema_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, CursorResult, Dialect

    _Maker = Callable[[Mapping[str, object]], Any]

__all__ = ["ID", "PREFIX", "Prepared", "ask", "execute", "hide_values", "tell_plainly"]

PREFIX: Final = "websession_"
"""What the names of bound parameters begin with: not like a column of the application's."""

ID: Final = PREFIX + "id"
"""The parameter for the session's key."""


def execute(
    connection: Connection, statement: Any, parameters: Mapping[str, object] | Sequence[Mapping[str, object]]
) -> CursorResult[Any]:
    """Execute a statement of ours, once or for each of several parameters; an error does not show these."""
    # Without a context manager, which costs as much as a quarter of the execution.
    try:
        return connection.execute(statement, parameters)
    except StatementError as error:
        tell_plainly(error, statement)
        raise


def ask(connection: Connection, statement: str) -> list[Any]:
    """Return the lines that answer a statement, which no listener of the application's sees."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement)
        return list(cursor.fetchall())
    finally:
        cursor.close()


_TEXTS: Final = "_websession_texts"
"""Where a dialect keeps the texts of statements: with it they go, and it is what they refer to."""


class Prepared:
    """An INSERT or UPDATE of ours that is handed to the driver as the text that SQLAlchemy has made of it.

    That takes half the time. It is in the log, and events of cursors tell of it, as of any other. It goes
    SQLAlchemy's usual way where that has more to do: where the connection renames schemas, somebody listens
    to events of statements, or defaults are to be computed.

    Args:
        statement: The statement.
    """

    __slots__ = ("__weakref__", "_statement")

    def __init__(self, statement: Any) -> None:
        self._statement = statement

    def execute(self, connection: Connection, parameters: Mapping[str, object]) -> CursorResult[Any]:
        """Execute it; see `execute`."""
        dialect = connection.dialect
        try:
            text = vars(dialect)[_TEXTS][self]
        except KeyError:
            text = _as_text(self._statement, dialect)
            vars(dialect).setdefault(_TEXTS, weakref.WeakKeyDictionary())[self] = text
        if text is None or _is_of_interest(connection):
            return execute(connection, self._statement, parameters)
        sql, make = text
        try:
            values = make(parameters)
        except Exception:  # noqa: BLE001 - a type's own, and SQLAlchemy knows how to tell of it
            return execute(connection, self._statement, parameters)
        try:
            return connection.exec_driver_sql(sql, values)
        except StatementError as error:
            tell_plainly(error, self._statement)
            raise


def _is_of_interest(connection: Connection) -> bool:
    """Return whether what happens to a statement before it is text matters to somebody."""
    events = connection.dispatch
    return bool(
        events.before_execute
        or events.after_execute
        or connection.get_execution_options().get("schema_translate_map")
    )


def _as_text(statement: Any, dialect: Dialect) -> tuple[str, _Maker] | None:
    """Return the text of a statement, and what makes the driver's parameters; None: it needs SQLAlchemy."""
    if dialect.bind_typing is BindTyping.SETINPUTSIZES:
        return None
    compiled: Any = statement.compile(dialect=dialect)
    computed = compiled.insert_prefetch, compiled.update_prefetch, compiled.effective_returning
    if any(computed) or compiled.post_compile_params or compiled.literal_execute_params:
        return None
    constants = {name: bound.value for bound, name in compiled.bind_names.items() if not bound.required}
    processors = {
        name: processor
        for bound, name in compiled.bind_names.items()
        if (processor := bound.type.dialect_impl(dialect).bind_processor(dialect)) is not None
    }
    # Of one name alone, which no statement of ours has, it would make no tuple.
    pick = itemgetter(*compiled.positiontup) if compiled.positional else None

    def make(parameters: Mapping[str, object]) -> Any:
        values = {**constants, **parameters}
        for name, processor in processors.items():
            values[name] = processor(values[name])
        return values if pick is None else pick(values)

    return str(compiled), make


def hide_values(error: StatementError) -> None:
    """Take what was bound or stored out of an error's message: identifiers and data, which end up in logs."""
    error.hide_parameters = True
    # PostgreSQL's DETAIL, in the lines below, shows the key that somebody still refers to, or the whole row.
    for exception in (error, error.orig):
        if exception is not None and exception.args and isinstance(exception.args[0], str):
            exception.args = (exception.args[0].partition("\n")[0], *exception.args[1:])


def tell_plainly(error: StatementError, statement: Any) -> None:
    """Hide a statement's values in its error; raise `SchemaError` in its place if a migration is missing."""
    hide_values(error)
    if is_schema_error(error):
        tables = find_tables(statement, include_crud=True, check_columns=True)
        # What else has columns, count(*) for example, has no table.
        names = dict.fromkeys(table.name for table in tables if isinstance(table, Table))
        raise schema_error(error, names) from error
