"""Executing the statements of ours, so that an error shows no value and tells a missing migration plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Table
from sqlalchemy.exc import StatementError
from sqlalchemy.sql.util import find_tables

from .schema import is_schema_error, schema_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, CursorResult

__all__ = ["ID", "PREFIX", "ask", "execute", "hide_values", "tell_plainly"]

PREFIX: Final = "websession_"
"""What the names of bound parameters begin with: not like a column of the application's."""

ID: Final = PREFIX + "id"
"""The parameter for the session's key."""


def execute(connection: Connection, statement: Any, parameters: Mapping[str, object]) -> CursorResult[Any]:
    """Execute a statement of ours; an error's message does not show the parameters."""
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
