"""What a session model offers: checked and computed once per class, and kept outside of it.

Nothing is written to the model class, so two applications in one process cannot change each other's sessions.
Nothing here configures mappers either: a model's relationships may name classes that are imported later.
"""

from __future__ import annotations

import weakref
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import JSON, BigInteger, Column, Integer, SmallInteger, String, Table
from sqlalchemy.orm import Mapper

from websession_models import mixins
from websession_models.companion import SUFFIX, companion_of
from websession_models.types import SessionId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement

__all__ = ["ModelError", "ModelFeatures", "features_of"]

BASE_ATTRIBUTES = ("id", "created", "version", "epoch", "rotated_at", "data", "flash")

# The attributes that each feature has in the model's row.
_MIXINS: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {
        mixins.UseridMixin: ("userid",),
        mixins.CSRFMixin: ("csrf_token",),
        mixins.AuthenticatedAtMixin: ("authenticated_at",),
        mixins.IdleMixin: (),
        mixins.AbsoluteMixin: (),
        mixins.RenewalMixin: (),
        mixins.ConfigIdleMixin: ("idle_timeout", "extension_delay"),
        mixins.ConfigAbsoluteMixin: ("absolute_timeout",),
        mixins.ConfigRenewalMixin: ("renewal_timeout",),
        mixins.ConfigCookieMixin: ("cookie_max_age",),
        mixins.ClientInfoMixin: ("user_agent", "client_address"),
        mixins.SessionLimitMixin: ("session_slot",),
        mixins.EncryptedDataMixin: (),
    }
)
_NULLABLE = frozenset({"rotated_at", *(name for names in _MIXINS.values() for name in names)})

# What `secrets.token_hex(32)` needs: 256 bits in hexadecimal digits.
_CSRF_LENGTH = 64

# The ways of loading that fetch a relationship together with its owner.
_EAGER_LOADING = frozenset({"joined", "selectin", "subquery", "immediate", False})


class ModelError(ValueError):
    """A class cannot serve as a session model.

    Attributes:
        problems: every reason, one sentence each.
    """

    def __init__(self, model: object, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__(f"{_name_of(model)} cannot be a session model: {'; '.join(problems)}")


class ModelFeatures:
    """What one session model offers. Made by `features_of()`.

    Attributes:
        name: the model's dotted name, for messages.
        table: the one table that holds the sessions.
        columns: the table's columns by the names of the mixins' attributes, whatever their own names are.
        mixins: which of our feature mixins the model has.
        companion: the companion table, or None if no mixin of the model's needs one.
        activity: the companion's columns that this model uses, by name and without the key.
        identity: the discriminator column and the value in it that marks the model's rows, or None if the
            model has no polymorphic identity.
    """

    __slots__ = (
        "__weakref__",
        "_eager",
        "_model",
        "activity",
        "columns",
        "companion",
        "identity",
        "mixins",
        "name",
        "table",
    )

    def __init__(self, model: type) -> None:
        """Check `model` and take down what it offers.

        Raises:
            ModelError: the class cannot be a session model; its `problems` has every reason.
        """
        mapper = _mapper_of(model)
        problems = tuple(_problems(model, mapper))
        if problems:
            raise ModelError(model, problems)
        # A strong reference from here to the class would keep it, and so this very entry of the
        # weak dictionary, alive for ever.
        self._model = weakref.ref(model)
        self._eager: bool | None = None
        self.name = _name_of(model)
        table = mapper.local_table
        if not isinstance(table, Table):  # pragma: no cover - among the problems
            raise TypeError(table)
        self.table = table
        self.mixins = _mixins_of(model)
        self.columns: Mapping[str, Column[Any]] = {
            name: mapper.columns[name] for name in _attributes_of(self.mixins)
        }
        used = mixins.activity_columns(model)
        self.companion: Table | None = companion_of(table) if used else None
        self.activity: Mapping[str, Column[Any]] = (
            {}
            if self.companion is None
            else {column.name: column for column in self.companion.columns if column.name in used}
        )
        self.identity = _identity(mapper)

    def __repr__(self) -> str:
        return f"<ModelFeatures of {self.name}>"

    @property
    def eager(self) -> bool:
        """Whether loading the model as an object also loads related ones.

        Configures the mappers at its first use, as any query does: not before all models are imported.
        """
        if self._eager is None:
            relationships = self.mapper().relationships
            self._eager = any(relationship.lazy in _EAGER_LOADING for relationship in relationships)
        return self._eager

    def refuse_unknown(self, names: Sequence[str]) -> None:
        """Refuse to write what the model has no column for.

        Args:
            names: the attributes in question; none: all is well.

        Raises:
            ValueError: it names them.
        """
        if names:
            raise ValueError(f"{self.name} has no column for {', '.join(map(repr, names))}")

    @property
    def userid_type(self) -> type | None:
        """The Python type of a userid; None: the model knows no users, or the column's type does not tell."""
        column = self.columns.get("userid")
        try:
            return None if column is None else column.type.python_type
        except NotImplementedError:  # how a type of the application's own does not tell
            return None

    def offers(self, mixin: type) -> bool:
        """Return whether the model has a feature.

        Args:
            mixin: the feature's mixin, `IdleMixin` for example.
        """
        return mixin in self.mixins

    def criterion(self) -> ColumnElement[bool] | None:
        """Return the condition that keeps out other classes' rows, or None if the table has none."""
        mapper = self.mapper()
        if mapper.polymorphic_on is None or mapper.inherits is None or mapper.concrete:
            return None
        # Descendants' rows are also rows of the model: the ORM's own rule.
        identities = [each.polymorphic_identity for each in mapper.self_and_descendants]
        return mapper.polymorphic_on.in_(identities)

    def mapper(self) -> Mapper[Any]:
        """Return the model's mapper.

        Raises:
            ReferenceError: the class does not exist any more.
        """
        model = self._model()
        if model is None:
            raise ReferenceError(f"the model class {self.name} does not exist any more")
        return _mapper_of(model)


_features: weakref.WeakKeyDictionary[type, ModelFeatures] = weakref.WeakKeyDictionary()


def features_of(model: type) -> ModelFeatures:
    """Return what the session model offers, computed at its first use.

    Args:
        model: a class mapped by SQLAlchemy with the columns of `BaseMixin`.

    Raises:
        ModelError: the class cannot be a session model; its `problems` has every reason.
    """
    _require_class(model)
    known = _features.get(model)
    if known is None:
        known = _features[model] = ModelFeatures(model)
    return known


def _name_of(model: object) -> str:
    # Of what is no class the type alone: settings bring in anything, a key that got into the wrong line too.
    return (
        f"{model.__module__}.{model.__qualname__}" if isinstance(model, type) else f"a {type(model).__name__}"
    )


def _require_class(model: object) -> None:
    # Settings bring in anything, a dotted name that nobody resolved for example.
    if not isinstance(model, type):
        raise ModelError(model, ("it is not a class",))


def _mapper_of(model: type) -> Mapper[Any]:
    _require_class(model)
    mapper: object = sqlalchemy.inspect(model, raiseerr=False)
    if not isinstance(mapper, Mapper):
        raise ModelError(model, ("SQLAlchemy has not mapped it to a table",))
    return mapper


def _identity(mapper: Mapper[Any]) -> tuple[Column[Any], Any] | None:
    discriminator = mapper.polymorphic_on
    if not isinstance(discriminator, Column) or mapper.polymorphic_identity is None:
        return None
    return discriminator, mapper.polymorphic_identity


def _mixins_of(model: type) -> frozenset[type]:
    return frozenset(mixin for mixin in _MIXINS if issubclass(model, mixin))


def _attributes_of(features: frozenset[type]) -> tuple[str, ...]:
    return (
        *BASE_ATTRIBUTES,
        *(name for mixin, names in _MIXINS.items() if mixin in features for name in names),
    )


def _problems(model: type, mapper: Mapper[Any]) -> Iterator[str]:
    table = mapper.local_table
    if not isinstance(table, Table):
        yield "it is mapped to a join or a query: sessions need a table"
        return
    if len(mapper.tables) > 1:
        yield (
            "joined inheritance spreads a session over several tables, and a session is read and "
            "written with one statement: map it to a single table"
        )
        return
    missing = [name for name in BASE_ATTRIBUTES if name not in mapper.columns]
    if missing:
        yield f"it has no column for {', '.join(map(repr, missing))}: inherit from BaseMixin"
        return
    yield from _feature_problems(model, mapper, table)
    if mapper.polymorphic_abstract:
        yield "it is polymorphic_abstract: name the class whose rows the sessions are"
    if mapper.single and mapper.polymorphic_on is not None and not isinstance(mapper.polymorphic_on, Column):
        yield "polymorphic_on is an expression: a new row could not be marked as this class's"
    columns = {
        name: mapper.columns[name] for name in _attributes_of(_mixins_of(model)) if name in mapper.columns
    }
    if list(table.primary_key.columns) != [columns["id"]]:
        yield "the primary key must be 'id' alone"
    if mapper.version_id_col is columns["version"]:
        yield "'version' must not be the mapper's version_id_col: the store counts its own writes in it"
    for name, column in columns.items():
        yield from _column_problems(name, column)
    ours = [*columns.values(), mapper.polymorphic_on]
    for column in table.columns:
        if not any(column is each for each in ours) and _needs_a_value(column):
            yield f"column {column.name!r} is NOT NULL without a default: no new session could be inserted"


def _feature_problems(model: type, mapper: Mapper[Any], table: Table) -> Iterator[str]:
    features = _mixins_of(model)
    for mixin in _MIXINS:
        gone = [name for name in _MIXINS[mixin] if mixin in features and name not in mapper.columns]
        if gone:
            yield f"it has {mixin.__name__} but no column for {', '.join(map(repr, gone))}"
    if mixins.activity_columns(model) and companion_of(table) is None:
        yield (
            f"the table {table.name + SUFFIX!r} is missing from the metadata: "
            "declare the mixins before the class is mapped, and leave the table there"
        )


def _column_problems(name: str, column: Column[Any]) -> Iterator[str]:
    if column.nullable != (name in _NULLABLE):
        yield f"{name!r} must be {'NOT NULL (nullable=False)' if column.nullable else 'nullable'}"
    kind = column.type
    match name:
        case "id":
            # Not even sqlalchemy.Uuid: MariaDB's UUID refuses values whose version and variant bits are
            # random (error 1292), as they are in ours.
            if not isinstance(kind, SessionId):
                yield f"'id' must be a SessionId, not {_type_name(kind)}"
        case "data" | "flash":
            # A decorated type would be bypassed: the store writes and reads JSON text itself.
            if not isinstance(kind, JSON):
                yield f"{name!r} must be a JSON column (SESSION_JSON), not {_type_name(kind)}"
        case "created" | "rotated_at" | "authenticated_at":
            if not isinstance(kind, BigInteger):
                yield f"{name!r} must be a BigInteger (32 bits end in 2038), not {_type_name(kind)}"
        case "csrf_token":
            if not isinstance(kind, String) or (kind.length or _CSRF_LENGTH) < _CSRF_LENGTH:
                yield f"'csrf_token' must be a String of {_CSRF_LENGTH} characters, not {kind!r}"
        case "userid" | "user_agent" | "client_address":
            pass  # whatever the application's users are known by, and whatever takes text
        case _:
            if not isinstance(kind, Integer) or isinstance(kind, SmallInteger):
                yield f"{name!r} must be an Integer, not {_type_name(kind)}"


def _needs_a_value(column: Column[Any]) -> bool:
    return not column.nullable and column.default is None and column.server_default is None


def _type_name(kind: object) -> str:
    return type(kind).__name__
