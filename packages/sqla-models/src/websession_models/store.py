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
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Table, Text, bindparam, cast, delete, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import defer
from sqlalchemy.sql.util import find_tables
from websession_core.policies import LONGEST, NO_OVERRIDES, Overrides
from websession_core.state import COUNTER_MAX, Activity, SessionState

from websession_models.companion import KEY
from websession_models.encryption import Envelope
from websession_models.features import ModelFeatures, features_of
from websession_models.mixins import EncryptedDataMixin, UseridMixin
from websession_models.schema import SchemaError, is_schema_error, schema_error

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from sqlalchemy import (
        Column,
        ColumnElement,
        Connection,
        CursorResult,
        Delete,
        Dialect,
        FromClause,
        Insert,
        Select,
        Update,
    )
    from sqlalchemy.orm import Session
    from websession_core import ports

    def _is_the_port(store: Store) -> ports.Store[Connection, SessionRow]:
        return store  # for the type checker: the shapes must agree


__all__ = ["SessionRow", "Store"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, repr=False)
class SessionRow:
    """One row of a session table with its companion, as read or as it is to be inserted.

    What belongs to a feature that the model does not have is None.

    Attributes:
        id: the primary key.
        created: when the session began, in Unix seconds.
        version: the number of writes so far; an update names the version it read.
        epoch: the number of changes of identity so far.
        data: the session's data, the text of a JSON object.
        flash: the flash queues, the text of a JSON object.
        rotated_at: when the epoch last moved, in Unix seconds; None: never, or not known.
        userid: whose session it is; None: nobody's.
        csrf_token: the token against cross-site request forgery; None: none was asked for yet.
        authenticated_at: when the user last proved who they are, in Unix seconds; None: never.
        user_agent: what the browser calls itself; None: not known.
        client_address: where it came from; None: not known.
        session_slot: its number among the user's sessions; None: there is no limit.
        overrides: what this session wants otherwise than the settings say; None: the model has no
            `Config…` mixin.
        activity: what was noted down about it; None: nothing (no companion table, or no row in it yet).
        knows_users: whether the model has `UseridMixin`.
    """

    id: uuid.UUID
    created: int
    version: int
    epoch: int
    data: str
    flash: str
    rotated_at: int | None = None
    userid: Any = None
    csrf_token: str | None = None
    authenticated_at: int | None = None
    user_agent: str | None = None
    client_address: str | None = None
    session_slot: int | None = None
    overrides: Overrides | None = None
    activity: Activity | None = None
    knows_users: bool = False

    @property
    def state(self) -> SessionState:
        """What the rules need to know of it."""
        return SessionState(
            created=self.created,
            epoch=self.epoch,
            rotated_at=self.rotated_at,
            owned=self.userid is not None if self.knows_users else None,
            activity=self.activity,
            overrides=self.overrides,
        )

    def __repr__(self) -> str:
        # Enough to tell rows apart in a debugger; neither a full identifier nor anybody's data.
        return (
            f"<SessionRow {self.id.hex[:8]}… created={self.created} version={self.version} "
            f"epoch={self.epoch} data={len(self.data)} flash={len(self.flash)} characters>"
        )


class Store:
    """Reads and writes the rows of one session model: the implementation of `websession_core.ports.Store`.

    A store has no state but its statements; threads share it. Every method runs exactly one statement, but
    for `insert`, which may run a second one where the model has a companion table. SQLAlchemy's and the
    driver's errors come through, with the bound values taken out of their messages; `SchemaError` takes their
    place where the table is not what the model needs.

    Attributes:
        features: what the model offers.
        envelope: encrypts and decrypts the data, where the model has `EncryptedDataMixin`.
    """

    __slots__ = ("__weakref__", "_is_encrypted", "_statements", "envelope", "features")

    def __init__(self, model: type, *, cipher: ports.ValueCipher | None = None) -> None:
        """Make a store of its own for `model`; `for_model()` gives the shared one.

        Args:
            model: the session model.
            cipher: for models with `EncryptedDataMixin`, a `websession_crypto.ValueCodec` for example.
                Without it their rows can be deleted, but neither read nor written: `EncryptedDataError`.

        Raises:
            ModelError: the class cannot be a session model; its `problems` has every reason.
            ValueError: there is a cipher, and the model has no `EncryptedDataMixin`.
        """
        self.features = features_of(model)
        self.envelope = Envelope(self.features, cipher)
        self._is_encrypted = self.features.offers(EncryptedDataMixin)
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
        """Return the row with that key as the connection's transaction sees it, or None.

        Raises:
            EncryptedDataError: its data cannot be decrypted.
        """
        statements = self._for(connection.dialect)
        # Any, because rows are generic in SQLAlchemy 2.1 in another way than in 2.0.
        found: Any = execute(connection, statements.select, {ID: session_id}).first()
        return None if found is None else self._opened(statements.row(session_id, found))

    def load_with_instance(self, dbsession: Session, session_id: uuid.UUID) -> tuple[Any, SessionRow] | None:
        """Return the row with that key as an object of the model's class, too; None if there is none.

        For models whose relationships are loaded eagerly (`features.eager`): they come with the same
        query, which is the only one if they are loaded by a join. Nothing is flushed before. `data` and
        `flash` come with the row, as text, and are deferred in the object: they are loaded if somebody
        looks at them there.

        Args:
            dbsession: the application's SQLAlchemy session, in whose transaction the row is read and to which
                the object belongs. An object that it holds already is given as it is.
            session_id: the primary key.
        """
        mapper = self.features.mapper()
        statements = self._for(dbsession.get_bind(mapper).dialect)
        # The statement refers to the class. Kept here it would keep the class alive, hence with the class.
        kept = mapper.class_manager.info
        statement = kept.get(_INSTANCE)
        if statement is None:
            statement = kept[_INSTANCE] = statements.select_instance(self.features)
        try:
            with dbsession.no_autoflush:
                # A joined collection gives several lines, with one and the same object.
                found: Any = dbsession.execute(statement, {ID: session_id}).unique().all()
        except StatementError as error:
            _tell_plainly(error, statement)
            raise
        if not found:
            return None
        instance, *values = found[0]
        return instance, self._opened(statements.row(session_id, values))

    def insert(self, connection: Connection, row: SessionRow) -> None:
        """Insert a new row, and its companion if `row` has an activity; other columns take their defaults.

        Args:
            connection: where to run the statements.
            row: what to insert, under a key from `fresh_session_id()`. What an activity has and the model
                has no column for is left out.

        Raises:
            ValueError: the row has a value for something that the model has no column for.
            sqlalchemy.exc.IntegrityError: a row with that key exists, or a constraint of the
                application's is violated.
        """
        if self._is_encrypted:
            row = self.envelope.closed(row)
        statements = self._for(connection.dialect)
        parameters = statements.parameters(row)
        if row.activity is None or statements.insert_companion is None:
            execute(connection, statements.insert, parameters)
            return
        noted = {PREFIX + name: getattr(row.activity, name) for name in self.features.activity}
        if statements.insert_both is not None:
            execute(connection, statements.insert_both, {**parameters, **noted})
        else:
            execute(connection, statements.insert, parameters)
            execute(connection, statements.insert_companion, {ID: row.id, **noted})

    def update(
        self,
        connection: Connection,
        session_id: uuid.UUID,
        *,
        version: int,
        data: str | None = None,
        flash: str | None = None,
        **changes: Unpack[ports.Changes],
    ) -> bool:
        """Write what is given and let the version grow by one, unless somebody else wrote since.

        Args:
            connection: where to run the statement.
            session_id: the row's primary key.
            version: the version that was read; the row must still have it.
            data: the text of a JSON object, or None to leave the column alone.
            flash: the text of a JSON object, or None to leave the column alone.
            changes: new values by attribute, among which None is a value: `epoch`, `rotated_at`, `userid`,
                `csrf_token`, `authenticated_at`, `user_agent`, `client_address`, `session_slot`,
                `idle_timeout`, `extension_delay`, `absolute_timeout`, `renewal_timeout`, `cookie_max_age`.

        Returns:
            Whether the row was written: False if it is gone or has another version.

        Raises:
            ValueError: the model has no column for one of the changes.
        """
        self.features.refuse_unknown([name for name in changes if name not in self.features.columns])
        texts = {name: text for name, text in (("data", data), ("flash", flash)) if text is not None}
        if self._is_encrypted:
            texts = {name: self.envelope.close(session_id, name, text) for name, text in texts.items()}
        values = {PREFIX + name: value for name, value in {**texts, **changes}.items()}
        # In one order, so that there are not more statements to keep than there are sets of columns.
        statement = self._for(connection.dialect).update(tuple(sorted(values)))
        result = execute(connection, statement, {ID: session_id, _VERSION: version, **values})
        # The version always changes, so this holds for drivers that count changed rows, too.
        return result.rowcount == 1

    def rewrite(
        self, connection: Connection, session_id: uuid.UUID, *, version: int, data: str, flash: str
    ) -> bool:
        """Write what the row holds already in another form: encrypted, or with another key.

        Its version stays, since nothing has changed for anybody who has read it.

        Args:
            connection: where to run the statement.
            session_id: the row's primary key.
            version: the version that was read.
            data: the text that was read from `data`.
            flash: the text that was read from `flash`.

        Returns:
            Whether the row was written: False if it is gone or has another version.
        """
        texts = {"data": data, "flash": flash}
        if self._is_encrypted:
            texts = {name: self.envelope.close(session_id, name, text) for name, text in texts.items()}
        values = {PREFIX + name: text for name, text in texts.items()}
        statement = self._for(connection.dialect).rewrite
        return execute(connection, statement, {ID: session_id, _VERSION: version, **values}).rowcount == 1

    def delete(self, connection: Connection, session_id: uuid.UUID) -> bool:
        """Delete the row with that key, in the application's transaction.

        Its companion row is no part of that transaction, or a logout could conflict with bookkeeping; it
        goes afterwards, by `Bookkeeper.forget()` or with the next cleaning.

        Returns:
            Whether there was one.
        """
        return execute(connection, self._for(connection.dialect).delete, {ID: session_id}).rowcount == 1

    def reorders_keys(self, connection: Connection) -> bool:
        """Return whether the engine keeps JSON objects' keys in an order of its own.

        PostgreSQL's `jsonb` and MySQL's native JSON do; MariaDB, SQLite and PostgreSQL's `json` keep it, and
        so does data that is encrypted.
        """
        if self._is_encrypted:
            return False
        dialect = connection.dialect
        if dialect.name == "mysql":
            return not getattr(dialect, "is_mariadb", False)
        return self._for(dialect).has_jsonb

    def _opened(self, row: SessionRow) -> SessionRow:
        return self.envelope.opened(row) if self._is_encrypted else row

    def _for(self, dialect: Dialect) -> _Statements:
        known = self._statements.get(dialect.name)
        if known is None:
            known = self._statements[dialect.name] = _Statements(self.features, dialect)
        return known


_stores: weakref.WeakKeyDictionary[type, Store] = weakref.WeakKeyDictionary()

# Bound parameters must not be called like a column of the table, and the application names those.
PREFIX: Final = "websession_"
ID: Final = PREFIX + "id"
_VERSION: Final = PREFIX + "version"
# Where the ORM's statement is found among what others keep with a class's instrumentation.
_INSTANCE: Final = "websession_models.load_with_instance"

_TEXTS: Final = frozenset({"data", "flash"})

_ROW_FIELDS: Final = (
    "id",
    "created",
    "version",
    "epoch",
    "data",
    "flash",
    "rotated_at",
    "userid",
    "csrf_token",
    "authenticated_at",
    "user_agent",
    "client_address",
    "session_slot",
)
_OVERRIDES: Final = tuple(field.name for field in fields(Overrides))


class _Statements:
    """The statements of one model for one dialect; kept, so that SQLAlchemy compiles each of them once."""

    __slots__ = (
        "_absent",
        "_activity",
        "_columns",
        "_dialect",
        "_features",
        "_inserted",
        "_knows_users",
        "_overrides",
        "_plain",
        "_table",
        "_updates",
        "_where",
        "delete",
        "has_jsonb",
        "insert",
        "insert_both",
        "insert_companion",
        "rewrite",
        "select",
    )

    def __init__(self, features: ModelFeatures, dialect: Dialect) -> None:
        columns = features.columns
        self._columns = columns
        self._dialect = dialect.name
        self.has_jsonb = any(isinstance(columns[name].type.dialect_impl(dialect), JSONB) for name in _TEXTS)
        self._table = features.table
        self._updates: dict[tuple[str, ...], Update] = {}
        self._where: list[ColumnElement[bool]] = [columns["id"] == bindparam(ID, type_=columns["id"].type)]
        criterion = features.criterion()
        if criterion is not None:
            self._where.append(criterion)
        # Not the key, which whoever asks for the row knows: to make a UUID of it takes longer than the rest.
        self._plain = tuple(name for name in _ROW_FIELDS if name in columns and name != "id")
        self._overrides = tuple(name for name in _OVERRIDES if name in columns)
        self._absent = tuple(name for name in (*_ROW_FIELDS, *_OVERRIDES) if name not in columns)
        self._inserted = (*self._plain, "id")
        self._features = features
        self._activity = tuple(features.activity)
        self._knows_users = features.offers(UseridMixin)
        self.select: Select[Any] = (
            select(*self._wanted(features)).select_from(self._joined(features)).where(*self._where)
        )
        self.insert: Insert = insert(features.table).values(self._values(features))
        self.insert_companion: Insert | None = None
        if features.companion is not None:
            noted = [features.companion.columns[KEY], *features.activity.values()]
            self.insert_companion = insert(features.companion).values(
                {column: bindparam(PREFIX + column.name, type_=column.type) for column in noted}
            )
        self.insert_both: Insert | None = None
        if self.insert_companion is not None and self._can_insert_both():
            self.insert_both = self.insert_companion.add_cte(self.insert.cte(PREFIX + "row"))
        self.rewrite: Update = (
            update(features.table)
            .where(*self._where, columns["version"] == bindparam(_VERSION, type_=columns["version"].type))
            .values({columns[name]: self._value(name) for name in _TEXTS})
        )
        self.delete: Delete = delete(features.table).where(*self._where)

    def _can_insert_both(self) -> bool:
        """Return whether one statement can insert the row and its companion, which saves a journey."""
        ours = set(self._columns.values())
        # A function that makes a default may want to see the other values: that needs a statement of its own.
        others = [column for column in self._features.table.columns if column not in ours]
        return self._dialect == "postgresql" and all(column.default is None for column in others)

    def row(self, session_id: uuid.UUID, found: Sequence[Any]) -> SessionRow:
        """Return what one line of `select` means."""
        values = iter(found)
        plain = dict(zip(self._plain, values, strict=False))
        if not isinstance(plain["created"], int):
            # A DateTime, most likely; the rules would stumble over it without saying where it came from.
            kind = type(plain["created"]).__name__
            raise SchemaError([self._table.name], f"{self._columns['created'].name!r} came back as {kind}")
        overrides = activity = None
        if self._overrides:
            wishes = zip(self._overrides, values, strict=False)
            named = {name: value for name, value in wishes if value is not None}
            overrides = _sane(Overrides, named, LONGEST) if named else NO_OVERRIDES
        # Whether the outer join found a companion.
        if self._activity and next(values):
            noted = zip(self._activity, values, strict=True)
            activity = _sane(Activity, dict(noted), COUNTER_MAX)
        return SessionRow(
            session_id, **plain, overrides=overrides, activity=activity, knows_users=self._knows_users
        )

    def parameters(self, row: SessionRow) -> dict[str, Any]:
        """Return the parameters of `insert` for a row.

        Raises:
            ValueError: the row has a value for something that the model has no column for.
        """
        wishes = NO_OVERRIDES if row.overrides is None else row.overrides
        if self._absent:
            held = {name: getattr(wishes if name in _OVERRIDES else row, name) for name in self._absent}
            self._features.refuse_unknown([name for name, value in held.items() if value is not None])
        found = {PREFIX + name: getattr(row, name) for name in self._inserted}
        found.update((PREFIX + name, getattr(wishes, name)) for name in self._overrides)
        return found

    def update(self, names: tuple[str, ...]) -> Update:
        """Return the statement that writes the parameters with these names."""
        known = self._updates.get(names)
        if known is None:
            version = self._columns["version"]
            values: dict[Column[Any], Any] = {version: version + 1}
            for name in names:
                attribute = name.removeprefix(PREFIX)
                values[self._columns[attribute]] = self._value(attribute)
            known = self._updates[names] = (
                update(self._table)
                .where(*self._where, version == bindparam(_VERSION, type_=version.type))
                .values(values)
            )
        return known

    def select_instance(self, features: ModelFeatures) -> Select[Any]:
        """Return the ORM's statement for an object and its row; the same for every dialect."""
        mapper = features.mapper()
        model = mapper.class_
        statement = select(model, *self._wanted(features))
        if features.companion is not None:
            statement = statement.outerjoin(features.companion, self._is_companion(features.companion))
        # The ORM itself keeps other classes' rows out.
        return statement.where(self._where[0]).options(*(defer(getattr(model, name)) for name in _TEXTS))

    def _wanted(self, features: ModelFeatures) -> list[ColumnElement[Any]]:
        columns = features.columns
        # JSON as text on every engine. Drivers decode by the column's type (psycopg) or its declared type
        # (sqlite3 with a registered converter), which an expression does not have.
        texts = {name: cast(columns[name], Text()).label(PREFIX + name) for name in _TEXTS}
        wanted: list[ColumnElement[Any]] = [texts.get(name, columns[name]) for name in self._plain]
        wanted += [columns[name] for name in self._overrides]
        if features.companion is not None:
            wanted += [features.companion.columns[KEY].is_not(None), *features.activity.values()]
        return wanted

    def _joined(self, features: ModelFeatures) -> FromClause:
        companion = features.companion
        if companion is None:
            return features.table
        return features.table.outerjoin(companion, self._is_companion(companion))

    @staticmethod
    def _is_companion(companion: Table) -> ColumnElement[bool]:
        # By the key that is asked for, and not by the other table's column: PostgreSQL then plans faster, and
        # it plans for nearly every read, since psycopg forgets its prepared statements with each ROLLBACK.
        key = companion.columns[KEY]
        return key == bindparam(ID, type_=key.type)

    def _values(self, features: ModelFeatures) -> Mapping[Column[Any], Any]:
        values: dict[Column[Any], Any] = {column: self._value(name) for name, column in self._columns.items()}
        if features.identity is not None:
            discriminator, mark = features.identity
            values[discriminator] = mark
        return values

    def _value(self, name: str) -> ColumnElement[Any]:
        column = self._columns[name]
        if name not in _TEXTS:
            return bindparam(PREFIX + name, type_=column.type)
        text = bindparam(PREFIX + name, type_=Text())
        # Bound as text, so that no serializer sees it. PostgreSQL assigns no text to jsonb without a
        # cast; elsewhere the column takes the text as it is (and SQLite's CAST AS JSON makes a number of it).
        return cast(text, column.type) if self._dialect == "postgresql" else text


def _sane(kind: type[_T], stored: Mapping[str, Any], most: int) -> _T:
    """Return an object of stored numbers; what somebody wrote there by hand must not lock users out."""
    try:
        return kind(**stored)
    except (TypeError, ValueError):
        return kind(**{name: value for name, value in stored.items() if _fits(value, most)})


def _fits(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def execute(connection: Connection, statement: Any, parameters: Mapping[str, object]) -> CursorResult[Any]:
    """Execute a statement of ours; an error's message does not show the parameters."""
    # Without a context manager, which costs as much as a quarter of the execution.
    try:
        return connection.execute(statement, parameters)
    except StatementError as error:
        _tell_plainly(error, statement)
        raise


def hide_values(error: StatementError) -> None:
    """Take what was bound or stored out of an error's message: identifiers and data, which end up in logs.

    Args:
        error: an error of a statement of ours, or of its COMMIT.
    """
    error.hide_parameters = True
    # PostgreSQL's DETAIL, in the lines below, shows the key that somebody still refers to, or the whole row.
    for each in (error, error.orig):
        if each is not None and each.args and isinstance(each.args[0], str):
            each.args = (each.args[0].partition("\n")[0], *each.args[1:])


def _tell_plainly(error: StatementError, statement: Any) -> None:
    hide_values(error)
    if is_schema_error(error):
        tables = find_tables(statement, include_crud=True, check_columns=True)
        # What else has columns, count(*) for example, has no table.
        names = dict.fromkeys(table.name for table in tables if isinstance(table, Table))
        raise schema_error(error, names) from error
