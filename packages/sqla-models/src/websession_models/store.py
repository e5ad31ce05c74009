"""Rows in, values out: the statements of one session model, run on the connection that is passed in.

Statements are SQLAlchemy Core, built once per model from its mapped columns, and run on the application's
own connection: inside its transaction, without its ORM session's autoflush, and visible to it at once.
The transaction is the caller's business.

JSON crosses this border as text. The application's engine may have a `json_serializer` or a
`json_deserializer` of its own (`parse_float=Decimal`), a driver may decode JSON by itself: neither
may change what a session holds.
"""

from __future__ import annotations

import weakref
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import BigInteger, Integer, String, Text, bindparam, cast, delete, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import OperationalError, StatementError
from sqlalchemy.orm import defer
from sqlalchemy.types import TypeDecorator
from websession_core.errors import SessionError, UnreadableRowError
from websession_core.policies import LONGEST, NO_OVERRIDES, Overrides
from websession_core.state import COUNTER_MAX, Activity
from websession_core.unchecked import unchecked

from .companion import KEY
from .emptying import ENDED, empty_row, is_no_session
from .envelope import Envelope
from .executing import ID, PREFIX, Prepared, execute, tell_plainly
from .features import ModelFeatures, features_of
from .mixins import EncryptedDataMixin, UseridMixin
from .queries import with_companion
from .rows import OVERRIDES, ROW_COLUMNS, SessionRow, make_row, no_values
from .schema import SchemaError
from .userids import is_of_type, stored_userid

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Column, ColumnElement, Connection, Delete, Dialect, Insert, Select, Update
    from sqlalchemy.orm import Session
    from websession_core import ports

    def _is_the_port(store: Store) -> ports.Store[Connection, SessionRow]:
        return store  # for the type checker: the shapes must agree


__all__ = ["Store"]

_T = TypeVar("_T")


class Store:
    """Reads and writes the rows of one session model: the implementation of `websession_core.ports.Store`.

    A store has no state except its statements, and can be shared by threads. Every method runs exactly one
    statement, except `insert`, which may run a second one if the model has a companion table. SQLAlchemy's
    and the driver's errors are raised as they are, with the bound values removed from their messages; they
    are replaced by `SchemaError` if the table does not match the model.

    Attributes:
        features: What the model offers.
        envelope: Encrypts and decrypts the data, where the model has `EncryptedDataMixin`.
    """

    __slots__ = ("__weakref__", "_is_encrypted", "_statements", "envelope", "features")

    def __init__(self, model: type, *, cipher: ports.ValueCipher | None = None) -> None:
        """Make a store of its own for a model; `for_model()` returns the shared one.

        Args:
            model: The session model.
            cipher: For models with `EncryptedDataMixin`, a `websession_crypto.ValueCodec` for example.
                Without it their rows can be deleted, but neither read nor written: `EncryptedDataError`.

        Raises:
            ModelError: The class cannot be a session model; its `problems` has every reason.
            ValueError: There is a cipher, and the model has no `EncryptedDataMixin`.
        """
        self.features = features_of(model)
        self.envelope = Envelope(self.features, cipher)
        self._is_encrypted = self.features.offers(EncryptedDataMixin)
        self._statements: dict[str, _Statements] = {}

    @classmethod
    def for_model(cls, model: type) -> Store:
        """Return the store of a model, made at its first use.

        Args:
            model: The session model.

        Raises:
            ModelError: The class cannot be a session model; its `problems` has every reason.
        """
        features_of(model)  # refuses what is no class before it is looked up
        store = _stores.get(model)
        if store is None:
            store = _stores[model] = cls(model)
        return store

    def __repr__(self) -> str:
        return f"<Store of {self.features.name}>"

    def load(self, connection: Connection, session_id: uuid.UUID) -> SessionRow | None:
        """Return the row with that key as the connection's transaction sees it, or None.

        Raises:
            UnreadableRowError: Something else has written to it.
            EncryptedDataError: Its data cannot be decrypted.
        """
        statements = self._for(connection.dialect)
        try:
            # Any, because rows are generic in SQLAlchemy 2.1 in another way than in 2.0. There is one at
            # most, so `first()` would only take longer.
            lines: Any = execute(connection, statements.select, {ID: session_id}).all()
        except _MAY_BE_NONSENSE as error:
            if not _is_nonsense(error):
                raise
            raise _nonsense(error) from None
        if not lines or statements.is_ended(lines[0]):
            return None
        return self._open(statements.row(session_id, lines[0]))

    def scan(
        self,
        connection: Connection,
        *,
        after: uuid.UUID | None = None,
        up_to: uuid.UUID | None = None,
        limit: int,
    ) -> list[tuple[uuid.UUID, SessionRow | SessionError]]:
        """Return rows in the order of their keys, each as read, or the error that reading it raises.

        Args:
            connection: Where to run the statement.
            after: Begin after this key; None: with the first.
            up_to: End with this key; None: with the last.
            limit: How many at most.
        """
        statements = self._for(connection.dialect)
        statement = statements.scan(after, up_to, limit)
        lines: Any = execute(connection, statement, {}).all()
        return [(line[0], self._opened(statements, line[0], line[1:])) for line in lines]

    def _opened(
        self, statements: _Statements, session_id: uuid.UUID, line: Sequence[Any]
    ) -> SessionRow | SessionError:
        try:
            return self._open(statements.row(session_id, line))
        except SessionError as error:
            return error

    def load_with_instance(self, dbsession: Session, session_id: uuid.UUID) -> tuple[Any, SessionRow] | None:
        """Return the row with that key as an object of the model's class, too; None if there is none.

        For models whose relationships are loaded eagerly (`features.eager`): they come with the same query,
        which is the only one if they are loaded by a join. Nothing is flushed before. `data` and `flash` come
        with the row, as text, and are deferred in the object: they are loaded when they are accessed there.

        Args:
            dbsession: The application's SQLAlchemy session, in whose transaction the row is read and to which
                the object belongs. An object that it holds already is returned as it is.
            session_id: The primary key.

        Raises:
            UnreadableRowError: As for `load()`.
        """
        mapper = self.features.mapper()
        statements = self._for(dbsession.get_bind(mapper).dialect)
        # The statement refers to the class. Kept here it would keep the class alive, hence with the class.
        info = mapper.class_manager.info
        statement = info.get(_INSTANCE)
        if statement is None:
            statement = info[_INSTANCE] = statements.select_instance()
        try:
            with dbsession.no_autoflush:
                # A joined collection makes several lines, with one and the same object.
                lines: Any = dbsession.execute(statement, {ID: session_id}).unique().all()
        except (StatementError, *_MAY_BE_NONSENSE) as error:
            if isinstance(error, StatementError):
                tell_plainly(error, statement)
            if not isinstance(error, _MAY_BE_NONSENSE) or not _is_nonsense(error):
                raise
            raise _nonsense(error) from None
        if not lines:
            return None
        instance, *values = lines[0]
        if statements.is_ended(values):
            return None
        return instance, self._open(statements.row(session_id, values))

    def insert(self, connection: Connection, row: SessionRow) -> None:
        """Insert a new row, and its companion if `row` has an activity; other columns take their defaults.

        Args:
            connection: Where to run the statements.
            row: What to insert, under a key from `fresh_session_id()`. What an activity has and the model
                has no column for is left out.

        Raises:
            ValueError: The row has a value for something that the model has no column for.
            sqlalchemy.exc.IntegrityError: A row with that key exists, or a constraint of the
                application's is violated.
        """
        if self._is_encrypted:
            row = self.envelope.close_row(row)
        statements = self._for(connection.dialect)
        (insert_row, insert_both), parameters = statements.insertion(row)
        if row.activity is None or statements.insert_companion is None:
            insert_row.execute(connection, parameters)
            return
        activity = statements.recorded(row.activity)
        if insert_both is not None:
            insert_both.execute(connection, {**parameters, **activity})
        else:
            insert_row.execute(connection, parameters)
            statements.insert_companion.execute(connection, {ID: row.id, **activity})

    def update(
        self,
        connection: Connection,
        session_id: uuid.UUID,
        *,
        version: int,
        data: str | None = None,
        flash: str | None = None,
        **changes: Any,
    ) -> bool:
        """Write the arguments and increase the version by one, unless another transaction wrote since.

        Args:
            connection: Where to run the statement.
            session_id: The row's primary key.
            version: The version that was read; the row must still have it.
            data: The text of a JSON object, or None to leave the column alone.
            flash: The text of a JSON object, or None to leave the column alone.
            changes: New values by attribute, where None is a value: `epoch`, `rotated_at`, and the columns of
                the model's mixins, such as `userid`.

        Returns:
            Whether the row was written: False if it is gone or has another version.

        Raises:
            ValueError: The model has no column for one of the changes.
        """
        if changes:
            self.features.refuse_unknown([name for name in changes if name not in self.features.columns])
        texts = {name: text for name, text in (("data", data), ("flash", flash)) if text is not None}
        if self._is_encrypted:
            texts = {name: self.envelope.close(session_id, name, text) for name, text in texts.items()}
        values = {PREFIX + name: value for name, value in {**texts, **changes}.items()}
        # In one order, so that there are not more statements to keep than there are sets of columns.
        statement = self._for(connection.dialect).update(tuple(sorted(values)))
        result = statement.execute(connection, {ID: session_id, _VERSION: version, **values})
        # The version always changes, so this holds for drivers that count changed rows, too.
        return result.rowcount == 1

    def rewrite(
        self, connection: Connection, session_id: uuid.UUID, *, version: int, data: str, flash: str
    ) -> bool:
        """Write the row's existing contents in another form: encrypted, or with another key.

        Its version is not changed, since nothing has changed for anybody who has read it.

        Args:
            connection: Where to run the statement.
            session_id: The row's primary key.
            version: The version that was read.
            data: The text that was read from `data`.
            flash: The text that was read from `flash`.

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

        Its companion row is not part of that transaction, or a logout could conflict with bookkeeping; it is
        deleted afterwards, by `Bookkeeper.forget()` or the next purge.

        Returns:
            Whether there was one.
        """
        return execute(connection, self._for(connection.dialect).delete, {ID: session_id}).rowcount == 1

    def empty(self, connection: Connection, session_id: uuid.UUID) -> bool:
        """End a session whose row a foreign key of the application's keeps from being deleted.

        The row stays, without a user or data, and no ticket opens it. See `emptying`.

        Returns:
            Whether there was one.
        """
        return empty_row(connection, self.features, self.envelope, session_id)

    def reorders_keys(self, connection: Connection) -> bool:
        """Return whether the engine returns the keys of JSON objects in its own order.

        PostgreSQL's `jsonb` and MySQL's native JSON do; MariaDB, SQLite and PostgreSQL's `json` keep it, and
        so does data that is encrypted.
        """
        if self._is_encrypted:
            return False
        dialect = connection.dialect
        if dialect.name == "mysql":
            return not getattr(dialect, "is_mariadb", False)
        return self._for(dialect).has_jsonb

    def _open(self, row: SessionRow) -> SessionRow:
        return self.envelope.open_row(row) if self._is_encrypted else row

    def _for(self, dialect: Dialect) -> _Statements:
        statements = self._statements.get(dialect.name)
        if statements is None:
            statements = self._statements[dialect.name] = _Statements(self.features, dialect)
        return statements


_stores: weakref.WeakKeyDictionary[type, Store] = weakref.WeakKeyDictionary()

_ALWAYS: Final = ("created", "version", "epoch", "data", "flash")
"""The columns that every row has a value in, besides its key."""

_CREATED, _VERSION, _EPOCH, _DATA, _FLASH = (PREFIX + name for name in _ALWAYS)
# Where the ORM's statement is found among what others keep with a class's instrumentation.
_INSTANCE: Final = "websession_models.load_with_instance"

_TEXTS: Final = frozenset({"data", "flash"})
_SINGLE: Final = 6
"""How many columns come before those of the features in a line: from `created` to `rotated_at`."""

_OWN_TIMEOUTS: Final = frozenset(OVERRIDES)


class _Statements:
    """The statements of one model for one dialect, built once, so that SQLAlchemy compiles each once."""

    def __init__(self, features: ModelFeatures, dialect: Dialect) -> None:
        columns = features.columns
        key, version = columns["id"], columns["version"]
        self._columns = columns
        self._dialect = dialect.name
        self.has_jsonb = any(isinstance(columns[name].type.dialect_impl(dialect), JSONB) for name in _TEXTS)
        self._updates: dict[tuple[str, ...], Prepared] = {}
        self._inserts: dict[tuple[str, ...], tuple[Prepared, Prepared | None]] = {}
        self._is_session = key == bindparam(ID, type_=key.type)
        self._where: list[ColumnElement[bool]] = [self._is_session, features.criterion()]
        self._is_as_read = [*self._where, version == bindparam(_VERSION, type_=version.type)]
        # Not the key, which is known: to make a UUID of it takes longer than the rest.
        self._plain = tuple(name for name in ROW_COLUMNS if name in columns and name != "id")
        self._epoch = self._plain.index("epoch")
        self._checks = tuple((self._plain.index(name), fits) for name, fits in _checks(features, self._plain))
        self._checked = itemgetter(*(place for place, _ in self._checks))
        # Every model has those that come first.
        self._values = self._plain[_SINGLE:]
        self._end_of_values = len(self._plain)
        self._overrides = tuple(name for name in OVERRIDES if name in columns)
        self._end_of_overrides = self._end_of_values + len(self._overrides)
        # A new session has no value for most columns. Where NULL would be something else, it is named.
        self._defaulted = frozenset(
            name
            for name in (*self._plain, *self._overrides)
            if name not in _ALWAYS and not _is_null_by_itself(columns[name])
        )
        self._features = features
        self._activity = tuple(features.activity)
        self._activity_names = tuple(PREFIX + name for name in self._activity)
        self._knows_users = features.offers(UseridMixin)
        # By the key that is asked for, and not by the other table's column: PostgreSQL then plans faster, and
        # it plans for nearly every read, since psycopg forgets its prepared statements with each ROLLBACK.
        self._source = with_companion(features, bindparam(ID, type_=key.type))
        self.select: Select[Any] = select(*self._selection()).select_from(self._source).where(*self._where)
        self._insert_companion: Insert | None = None
        self.insert_companion: Prepared | None = None
        if features.companion is not None:
            recording = [features.companion.columns[KEY], *features.activity.values()]
            self._insert_companion = insert(features.companion).values(
                {column: bindparam(PREFIX + column.name, type_=column.type) for column in recording}
            )
            self.insert_companion = Prepared(self._insert_companion)
        self.rewrite: Update = (
            update(features.table)
            .where(*self._is_as_read)
            .values({columns[name]: self._value(name) for name in _TEXTS})
        )
        self.delete: Delete = delete(features.table).where(*self._where)

    def _can_insert_both(self) -> bool:
        """Return whether one statement can insert the row and its companion, which saves a round trip."""
        ours = set(self._columns.values())
        # A function that makes a default may want to see the other values: that needs a statement of its own.
        others = [column for column in self._features.table.columns if column not in ours]
        return self._dialect == "postgresql" and all(column.default is None for column in others)

    def is_ended(self, line: Sequence[Any]) -> bool:
        """Return whether one line of `select` is what is left of an ended session."""
        epoch: object = line[self._epoch]
        return epoch == ENDED

    def row(self, session_id: uuid.UUID, line: Sequence[Any]) -> SessionRow:
        """Return what one line of `select` means."""
        line = tuple(line)
        created, version, epoch, data, flash, rotated_at = line[:_SINGLE]
        if not isinstance(created, int) and (self._dialect != "sqlite" or str(created).isdecimal()):
            # A DateTime, most likely. SQLite's columns hold anything, but a number as text only one of text.
            kind = type(created).__name__
            table = self._features.table.name
            raise SchemaError([table], f"{self._columns['created'].name!r} came back as {kind}")
        if created is None or version is None or epoch is None:
            raise UnreadableRowError("one of its columns is NULL")
        if not _are_numbers(self._checked(line), _INTEGER_MAX - 1):
            self._check(line)
        overrides = activity = None
        if self._overrides:
            own = line[self._end_of_values : self._end_of_overrides]
            overrides = NO_OVERRIDES
            if own.count(None) < len(own):
                overrides = _sane(Overrides, dict(zip(self._overrides, own, strict=True)), LONGEST)
        # Whether the outer join found a companion.
        if self._activity and line[self._end_of_overrides]:
            numbers = line[self._end_of_overrides + 1 :]
            recorded = dict(zip(self._activity, numbers, strict=True))
            is_sane = _are_numbers(numbers, COUNTER_MAX)
            activity = _activity(**recorded) if is_sane else _sane(Activity, recorded, COUNTER_MAX)
        values = no_values()
        values.update(zip(self._values, line[_SINGLE : self._end_of_values], strict=True))
        return make_row(
            session_id,
            created,
            version,
            epoch,
            data,
            flash,
            rotated_at,
            overrides,
            activity,
            self._knows_users,
            "",
            values,
        )

    def recorded(self, activity: Activity) -> dict[str, Any]:
        """Return the parameters for the columns of the companion row."""
        values = [getattr(activity, name) for name in self._activity]
        return dict(zip(self._activity_names, values, strict=True))

    def _check(self, line: Sequence[Any]) -> None:
        """Refuse a line with a value that we cannot have written."""
        for place, fits in self._checks:
            if line[place] is not None and not fits(line[place]):
                column = self._columns[self._plain[place]].name
                raise UnreadableRowError(f"there is nonsense in its column {column!r}")

    def insertion(self, row: SessionRow) -> tuple[tuple[Prepared, Prepared | None], dict[str, Any]]:
        """Return the statement that inserts a row, the one that inserts its companion, too, and parameters.

        Where two statements are needed for that, the second one is None.

        Raises:
            ValueError: The row has a value for something that the model has no column for.
        """
        overrides = NO_OVERRIDES if row.overrides is None else row.overrides
        parameters: dict[str, Any] = {
            ID: row.id,
            _CREATED: row.created,
            _VERSION: row.version,
            _EPOCH: row.epoch,
            _DATA: row.data,
            _FLASH: row.flash,
        }
        values = row.values
        for name in self._defaulted:
            parameters[PREFIX + name] = getattr(overrides if name in _OWN_TIMEOUTS else row, name)
        optional = []
        if row.rotated_at is not None:
            values = {"rotated_at": row.rotated_at, **values}
        if overrides is not NO_OVERRIDES:
            values = {**values, **{name: getattr(overrides, name) for name in OVERRIDES}}
        for name, value in values.items():
            if value is not None and name not in self._defaulted:
                parameters[PREFIX + name] = value
                optional.append(name)
        names = tuple(optional)
        statements = self._inserts.get(names)
        if statements is None:
            self._features.refuse_unknown([name for name in names if name not in self._columns])
            statements = self._inserts[names] = self._insert(names)
        return statements, parameters

    def _insert(self, optional: tuple[str, ...]) -> tuple[Prepared, Prepared | None]:
        """Return the statements for rows that have values in these of the optional columns."""
        named = ("id", *_ALWAYS, *self._defaulted, *optional)
        values: dict[Column[Any], Any] = {self._columns[name]: self._value(name) for name in named}
        if self._features.identity is not None:
            discriminator, mark = self._features.identity
            values[discriminator] = mark
        insert_row = insert(self._features.table).values(values)
        if self._insert_companion is None or not self._can_insert_both():
            return Prepared(insert_row), None
        both = self._insert_companion.add_cte(insert_row.cte(PREFIX + "row"))
        return Prepared(insert_row), Prepared(both)

    def update(self, names: tuple[str, ...]) -> Prepared:
        """Return the statement that writes the parameters with these names."""
        statement = self._updates.get(names)
        if statement is None:
            version = self._columns["version"]
            values: dict[Column[Any], Any] = {version: version + 1}
            for name in names:
                attribute = name.removeprefix(PREFIX)
                values[self._columns[attribute]] = self._value(attribute)
            statement = Prepared(update(self._features.table).where(*self._is_as_read).values(values))
            self._updates[names] = statement
        return statement

    def select_instance(self) -> Select[Any]:
        """Return the ORM's statement for an object and its row; the same for every dialect."""
        model = self._features.mapper().class_
        # The ORM itself keeps other classes' rows out.
        return (
            select(model, *self._selection())
            .select_from(self._source)
            .where(self._is_session)
            .options(*(defer(getattr(model, name)) for name in _TEXTS))
        )

    def scan(self, after: uuid.UUID | None, up_to: uuid.UUID | None, limit: int) -> Select[Any]:
        """Return the statement for rows by their keys."""
        key = self._columns["id"]
        bounds = [*([] if after is None else [key > after]), *([] if up_to is None else [key <= up_to])]
        return (
            select(key, *self._selection())
            .select_from(with_companion(self._features))
            .where(~is_no_session(self._features), self._features.criterion(), *bounds)
            .order_by(key)
            .limit(limit)
        )

    def _selection(self) -> list[ColumnElement[Any]]:
        columns, features = self._columns, self._features
        # JSON as text on every engine. Drivers decode by the column's type (psycopg) or its declared type
        # (sqlite3 with a registered converter), which an expression does not have.
        others: dict[str, ColumnElement[Any]] = {
            name: cast(columns[name], Text()).label(PREFIX + name) for name in _TEXTS
        }
        if self._knows_users:
            others["userid"] = stored_userid(features)
        expressions: list[ColumnElement[Any]] = [others.get(name, columns[name]) for name in self._plain]
        expressions += [columns[name] for name in self._overrides]
        if features.companion is not None:
            expressions += [features.companion.columns[KEY].is_not(None), *features.activity.values()]
        return expressions

    def _value(self, name: str) -> ColumnElement[Any]:
        column = self._columns[name]
        if name not in _TEXTS:
            return bindparam(PREFIX + name, type_=column.type)
        text = bindparam(PREFIX + name, type_=Text())
        # Bound as text, so that no serializer sees it. PostgreSQL assigns no text to jsonb without a
        # cast; elsewhere the column takes the text as it is (and SQLite's CAST AS JSON makes a number of it).
        return cast(text, column.type) if self._dialect == "postgresql" else text


_activity = unchecked(Activity)

# What types raise for a value that is none of theirs; and SQLite's driver, as `_is_nonsense()` knows.
_MAY_BE_NONSENSE: Final = (ValueError, TypeError, ArithmeticError, LookupError, OperationalError)


def _is_nonsense(error: BaseException) -> bool:
    """Return whether a row could not be fetched because of what is in one of its columns."""
    return not isinstance(error, OperationalError) or str(error.orig).startswith("Could not decode to UTF-8")


def _nonsense(error: BaseException) -> UnreadableRowError:
    # Without what it says: that repeats the value.
    return UnreadableRowError(f"there is nonsense in one of its columns ({type(error).__name__})")


def _checks(features: ModelFeatures, names: Iterable[str]) -> Iterator[tuple[str, Callable[[Any], bool]]]:
    """Yield the columns with what says of each whether a value can be what we have written there."""
    for name in names:
        if name == "userid":
            kind: Any = features.userid_type
            if kind is not None:
                yield name, partial(is_of_type, kind=kind)
        elif name in _TEXTS or isinstance(features.columns[name].type, TypeDecorator):
            continue  # cast to text; or a type of the application's own
        elif isinstance(features.columns[name].type, String):
            yield name, partial(is_of_type, kind=str)
        elif isinstance(features.columns[name].type, Integer):
            is_big = isinstance(features.columns[name].type, BigInteger)
            # One less than fits: it will be counted on.
            most = (COUNTER_MAX if is_big else _INTEGER_MAX) - 1
            yield name, partial(_fits, most=most)


_INTEGER_MAX: Final = 2**31 - 1
_NUMBERS: Final = frozenset({int, type(None)})


def _are_numbers(values: Sequence[Any], most: int) -> bool:
    """Return whether all values are NULL or an integer from 0 to `most`, as nearly always."""
    # Without a loop of our own: it is asked twice of each row.
    if not _NUMBERS.issuperset(map(type, values)):
        return False
    others = [*filter(None, values)]
    return not others or (min(others) > 0 and max(others) <= most)


def _is_null_by_itself(column: Column[Any]) -> bool:
    """Return whether a column that an INSERT does not name is NULL: neither side has a default for it."""
    return bool(column.nullable) and column.default is None and column.server_default is None


def _sane(kind: type[_T], values: Mapping[str, Any], most: int) -> _T:
    """Return an object of stored numbers; what somebody wrote there by hand must not lock users out."""
    try:
        return kind(**values)
    except (TypeError, ValueError):
        return kind(**{name: value for name, value in values.items() if _fits(value, most)})


def _fits(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
