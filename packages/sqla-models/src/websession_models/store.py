"""Rows in, values out: the statements of one session model, run on the connection that is passed in.

Statements are SQLAlchemy Core, built once per model from its mapped columns, and run on the application's
own connection: inside its transaction, without its ORM session's autoflush, and visible to it at once.
Whoever calls takes care of the transaction.

JSON crosses this border as text. The application's engine may have a `json_serializer` or a
`json_deserializer` of its own (`parse_float=Decimal`), a driver may decode JSON by itself: neither
may change what a session holds.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, bindparam, cast, delete, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import StatementError

from websession_models.features import ModelFeatures, features_of

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from sqlalchemy import Column, ColumnElement, Connection, CursorResult, Delete, Insert, Select, Update
    from websession_core import ports

    def _is_the_port(store: Store) -> ports.Store[Connection]:
        return store  # for the type checker: the shapes must agree


__all__ = ["SessionRow", "Store"]


@dataclass(frozen=True, slots=True, repr=False)
class SessionRow:
    """One row of a session table, as read.

    Attributes:
        id: the primary key.
        created: when the session began, in Unix seconds.
        version: the number of writes so far; an update names the version it read.
        epoch: the number of changes of identity so far.
        data: the session's data, the text of a JSON object.
        flash: the flash queues, the text of a JSON object.
    """

    id: uuid.UUID
    created: int
    version: int
    epoch: int
    data: str
    flash: str

    def __repr__(self) -> str:
        # Enough to tell rows apart in a debugger; neither a full identifier nor anybody's data.
        return (
            f"<SessionRow {self.id.hex[:8]}… created={self.created} version={self.version} "
            f"epoch={self.epoch} data={len(self.data)} flash={len(self.flash)} characters>"
        )


class Store:
    """Reads and writes the rows of one session model: the implementation of `websession_core.ports.Store`.

    A store has no state but its statements; threads share it. Every method runs exactly one statement.
    SQLAlchemy's and the driver's errors come through, with the bound values taken out of their messages.

    Attributes:
        features: what the model offers.
    """

    __slots__ = ("__weakref__", "_statements", "features")

    def __init__(self, model: type) -> None:
        """Make a store of its own for `model`; `for_model()` gives the shared one.

        Raises:
            ModelError: the class cannot be a session model; its `problems` has every reason.
        """
        self.features = features_of(model)
        self._statements: dict[str, _Statements] = {}

    @classmethod
    def for_model(cls, model: type) -> Store:
        """Return the store of `model`, made at its first use.

        Raises:
            ModelError: the class cannot be a session model; its `problems` has every reason.
        """
        features_of(model)  # refuses what is no class before it is looked up
        known = _stores.get(model)
        if known is None:
            known = _stores[model] = cls(model)
        return known

    def __repr__(self) -> str:
        return f"<Store of {self.features.name}>"

    def load(self, connection: Connection, session_id: uuid.UUID) -> SessionRow | None:
        """Return the row with that key as the connection's transaction sees it, or None."""
        # Any, because rows are generic in SQLAlchemy 2.1 in another way than in 2.0.
        row: Any = _execute(connection, self._for(connection).select, {_ID: session_id}).first()
        return None if row is None else SessionRow(*row)

    def insert(
        self,
        connection: Connection,
        *,
        session_id: uuid.UUID,
        created: int,
        epoch: int,
        data: str,
        flash: str,
    ) -> None:
        """Insert a new row at version 1; the model's own columns take their defaults.

        Args:
            connection: where to run the statement.
            session_id: the primary key, from `fresh_session_id()`.
            created: when the session begins, in Unix seconds.
            epoch: the generation of its identity.
            data: the text of a JSON object.
            flash: the text of a JSON object.

        Raises:
            sqlalchemy.exc.IntegrityError: a row with that key exists, or a constraint of the
                application's is violated.
        """
        values = {_ID: session_id, _CREATED: created, _EPOCH: epoch, _DATA: data, _FLASH: flash}
        _execute(connection, self._for(connection).insert, values)

    def update(
        self,
        connection: Connection,
        session_id: uuid.UUID,
        *,
        version: int,
        data: str | None = None,
        flash: str | None = None,
        epoch: int | None = None,
    ) -> bool:
        """Write what is given and let the version grow by one, unless somebody else wrote since.

        Args:
            connection: where to run the statement.
            session_id: the row's primary key.
            version: the version that was read; the row must still have it.
            data: the text of a JSON object, or None to leave the column alone.
            flash: the text of a JSON object, or None to leave the column alone.
            epoch: the new generation of the identity, or None to leave it alone.

        Returns:
            Whether the row was written: False if it is gone or has another version.
        """
        given = {_DATA: data, _FLASH: flash, _EPOCH: epoch}
        values = {name: value for name, value in given.items() if value is not None}
        statement = self._for(connection).update(tuple(values))
        result = _execute(connection, statement, {_ID: session_id, _VERSION: version, **values})
        # The version always changes, so this holds for drivers that count changed rows, too.
        return result.rowcount == 1

    def delete(self, connection: Connection, session_id: uuid.UUID) -> bool:
        """Delete the row with that key.

        Returns:
            Whether there was one.
        """
        return _execute(connection, self._for(connection).delete, {_ID: session_id}).rowcount == 1

    def reorders_keys(self, connection: Connection) -> bool:
        """Return whether the engine keeps JSON objects' keys in an order of its own.

        PostgreSQL's `jsonb` and MySQL's native JSON do; MariaDB, SQLite and PostgreSQL's `json` keep it.
        """
        dialect = connection.dialect
        if dialect.name == "postgresql":
            columns = (self.features.columns["data"], self.features.columns["flash"])
            return any(isinstance(column.type.dialect_impl(dialect), JSONB) for column in columns)
        return dialect.name == "mysql" and not getattr(dialect, "is_mariadb", False)

    def _for(self, connection: Connection) -> _Statements:
        name = connection.dialect.name
        known = self._statements.get(name)
        if known is None:
            known = self._statements[name] = _Statements(self.features, name)
        return known


_stores: weakref.WeakKeyDictionary[type, Store] = weakref.WeakKeyDictionary()

# Bound parameters must not be called like a column of the table, and the application names those.
_ID = "websession_id"
_CREATED = "websession_created"
_VERSION = "websession_version"
_EPOCH = "websession_epoch"
_DATA = "websession_data"
_FLASH = "websession_flash"


class _Statements:
    """The statements of one model for one dialect; kept, so that SQLAlchemy compiles each of them once."""

    __slots__ = ("_columns", "_dialect", "_table", "_updates", "_where", "delete", "insert", "select")

    def __init__(self, features: ModelFeatures, dialect: str) -> None:
        columns = features.columns
        self._columns = columns
        self._dialect = dialect
        self._table = features.table
        self._updates: dict[tuple[str, ...], Update] = {}
        self._where: list[ColumnElement[bool]] = [columns["id"] == bindparam(_ID, type_=columns["id"].type)]
        criterion = features.criterion()
        if criterion is not None:
            self._where.append(criterion)
        self.select: Select[Any] = select(
            columns["id"],
            columns["created"],
            columns["version"],
            columns["epoch"],
            # As text on every engine. Drivers decode by the column's type (psycopg) or its declared
            # type (sqlite3 with a registered converter), which an expression does not have.
            cast(columns["data"], Text()).label("data"),
            cast(columns["flash"], Text()).label("flash"),
        ).where(*self._where)
        self.insert: Insert = insert(features.table).values(self._inserted(features))
        self.delete: Delete = delete(features.table).where(*self._where)

    def update(self, names: tuple[str, ...]) -> Update:
        """Return the statement that writes the parameters with these names."""
        known = self._updates.get(names)
        if known is None:
            version = self._columns["version"]
            values: dict[Column[Any], Any] = {version: version + 1}
            for name in names:
                column = self._columns[name.removeprefix("websession_")]
                values[column] = self._value(name, column)
            known = self._updates[names] = (
                update(self._table)
                .where(*self._where, version == bindparam(_VERSION, type_=version.type))
                .values(values)
            )
        return known

    def _inserted(self, features: ModelFeatures) -> Mapping[Column[Any], Any]:
        columns = self._columns
        values: dict[Column[Any], Any] = {columns["version"]: 1}
        for name in (_ID, _CREATED, _EPOCH, _DATA, _FLASH):
            column = columns[name.removeprefix("websession_")]
            values[column] = self._value(name, column)
        if features.identity is not None:
            discriminator, mark = features.identity
            values[discriminator] = mark
        return values

    def _value(self, name: str, column: Column[Any]) -> ColumnElement[Any]:
        if name not in {_DATA, _FLASH}:
            return bindparam(name, type_=column.type)
        text = bindparam(name, type_=Text())
        # Bound as text, so that no serializer sees it. PostgreSQL assigns no text to jsonb without a
        # cast; elsewhere the column takes the text as it is (and SQLite's CAST AS JSON makes a number of it).
        return cast(text, column.type) if self._dialect == "postgresql" else text


def _execute(connection: Connection, statement: Any, parameters: Mapping[str, object]) -> CursorResult[Any]:
    try:
        return connection.execute(statement, parameters)
    except StatementError as error:
        # The message would list the bound values: an identifier and somebody's data, in every log.
        error.hide_parameters = True
        raise
