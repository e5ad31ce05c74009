"""What a session model offers: checked and computed once per class, and recorded outside of it.

Nothing is written to the model class, so two applications in one process cannot change each other's sessions.
Nothing here configures mappers either: a model's relationships may name classes that are imported later.
"""

from __future__ import annotations

import dataclasses
import warnings
import weakref
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy
from sqlalchemy import JSON, BigInteger, Column, Integer, SmallInteger, String, Table, event, true
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Mapper, declared_attr
from websession_core.errors import SessionError

from . import mixins
from .companion import (
    LONGEST_TABLE_NAME,
    SUFFIX,
    companion_of,
    declare_companion,
    foreign_columns,
    takers_of_name,
)
from .types import SessionId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement

__all__ = [
    "FEATURES",
    "Feature",
    "ModelError",
    "ModelFeatures",
    "feature_of_column",
    "features_for_setting",
    "features_of",
]

# --- the table ----------------------------------------------------------------------------------------------


def _declared_by(mixin: type) -> dict[str, Column[Any]]:
    declared = {name: value for name, value in vars(mixin).items() if isinstance(value, declared_attr)}
    return {name: value.fget(mixin).column for name, value in declared.items()}


_BASE: Final[Mapping[str, Column[Any]]] = MappingProxyType(_declared_by(mixins.BaseMixin))


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """What one mixin brings.

    Attributes:
        mixin: The class.
        activity: The columns that it needs in the companion table.
        settings: The application's settings that have no effect without it.
        is_typed: Whether its columns must be of the types that it declares; else the application chooses.
        columns: The columns that it adds to the model's row, as it declares them, by name.
    """

    mixin: type
    activity: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    is_typed: bool = True
    columns: Mapping[str, Column[Any]] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        columns = {name: column for name, column in _declared_by(self.mixin).items() if name not in _BASE}
        object.__setattr__(self, "columns", MappingProxyType(columns))

    @property
    def name(self) -> str:
        """The mixin's name."""
        return self.mixin.__name__


FEATURES: Final = (
    # Whatever the application's users are known by.
    Feature(mixins.UseridMixin, settings=("max_per_user",), is_typed=False),
    Feature(mixins.CSRFMixin),
    Feature(mixins.AuthenticatedAtMixin),
    Feature(mixins.IdleMixin, ("active_at", "expires_at"), settings=("idle_timeout",)),
    Feature(mixins.AbsoluteMixin, ("expires_at",), settings=("absolute_timeout",)),
    Feature(
        mixins.RenewalMixin,
        ("generation", "attempt", "previous_attempt", "renewed_at", "tries", "tried_at"),
        settings=("renewal_timeout",),
    ),
    Feature(mixins.ConfigIdleMixin),
    Feature(mixins.ConfigAbsoluteMixin),
    Feature(mixins.ConfigRenewalMixin),
    Feature(mixins.ConfigCookieMixin),
    # Whatever takes text.
    Feature(mixins.ClientInfoMixin, is_typed=False),
    Feature(mixins.SessionLimitMixin, settings=("max_per_user",)),
    Feature(mixins.EncryptedDataMixin, settings=("data_secret_key",)),
)
"""What each mixin brings: everything else that knows a column or a mixin by name derives it from here."""


def feature_of_column(name: str) -> Feature:
    """Return the feature that adds a column to the model's row.

    Args:
        name: The column's name in the mixin, `userid` for example.

    Raises:
        KeyError: No feature adds such a column.
    """
    for feature in FEATURES:
        if name in feature.columns:
            return feature
    raise KeyError(name)


def features_for_setting(name: str) -> tuple[Feature, ...]:
    """Return the features without which a setting has no effect.

    Args:
        name: The setting's name without its prefix, `idle_timeout` for example.

    Returns:
        All that a model needs for it; of a setting that has nothing to do with the model, none.
    """
    return tuple(feature for feature in FEATURES if name in feature.settings)


def _features_in(model: type) -> Iterator[Feature]:
    return (feature for feature in FEATURES if issubclass(model, feature.mixin))


def _activity_in(model: type) -> frozenset[str]:
    return frozenset(name for feature in _features_in(model) for name in feature.activity)


def _declare_companion(mapper: Mapper[Any], model: type) -> None:
    table = mapper.local_table
    try:
        companion = declare_companion(mapper, _activity_in(model))
    except InvalidRequestError as error:
        raise ModelError(model, (_namesake_problem(table, model),)) from error
    if companion is not None and (where := takers_of_name(companion)) is not None:
        # SQLAlchemy's own error speaks of a table that the application has never heard of.
        warnings.warn(
            f"{_name_of(model)} needs a table {companion.name!r}, too, a name that {where}: give the model "
            f"a __tablename__ of at most {LONGEST_TABLE_NAME} bytes for any database",
            stacklevel=2,
        )


def _namesake_problem(table: Any, model: type) -> str:
    recorders = " and ".join(feature.name for feature in _features_in(model) if feature.activity)
    return (
        f"what is recorded for {recorders} goes to a table {table.name + SUFFIX!r}, and the application has "
        "one of that name: give one of the two another __tablename__"
    )


for _feature in FEATURES:
    if _feature.activity:
        event.listen(_feature.mixin, "after_mapper_constructed", _declare_companion, propagate=True)


# --- one model ----------------------------------------------------------------------------------------------

# The ways of loading that fetch a relationship together with its owner.
_EAGER_LOADING = frozenset({"joined", "selectin", "subquery", "immediate", False})


class ModelError(SessionError, ValueError):
    """A class cannot serve as a session model.

    Attributes:
        problems: Every reason, one sentence each.
    """

    def __init__(self, model: object, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__(f"{_name_of(model)} cannot be a session model: {'; '.join(problems)}")


class ModelFeatures:
    """What one session model offers. Made by `features_of()`.

    Attributes:
        name: The model's dotted name, for messages.
        table: The one table that holds the sessions.
        columns: The table's columns by the names of the mixins' attributes, whatever their own names are.
        mixins: Which of our feature mixins the model has.
        companion: The companion table, or None if no mixin of the model needs one.
        activity: The companion's columns that this model uses, by name and without the key.
        identity: The discriminator column and the value in it that marks the model's rows, or None if the
            model has no polymorphic identity.
    """

    name: str
    table: Table
    columns: Mapping[str, Column[Any]]
    mixins: frozenset[type]
    companion: Table | None
    activity: Mapping[str, Column[Any]]
    identity: tuple[Column[Any], Any] | None

    def __init__(self, model: type) -> None:
        """Check a class and record what it offers.

        Args:
            model: The class.

        Raises:
            ModelError: The class cannot be a session model; its `problems` has every reason.
        """
        mapper = _mapper_of(model)
        problems = tuple(_problems(model, mapper))
        if problems:
            raise ModelError(model, problems)
        # A strong reference from here to the class would keep it, and so this very entry of the
        # weak dictionary, alive forever.
        self._model = weakref.ref(model)
        self._eager: bool | None = None
        self.name = _name_of(model)
        table = mapper.local_table
        if not isinstance(table, Table):  # pragma: no cover - among the problems
            raise TypeError(table)
        self.table = table
        self.mixins = frozenset(feature.mixin for feature in _features_in(model))
        self.columns = {name: mapper.columns[name] for name, *_ in _declared_columns(model)}
        names = _activity_in(model)
        self.companion = companion_of(table) if names else None
        columns = () if self.companion is None else self.companion.columns
        self.activity = {column.name: column for column in columns if column.name in names}
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
        """Raise an error for attributes for which the model has no column.

        Args:
            names: The attributes in question; none: all is well.

        Raises:
            ValueError: There are any; it names them.
        """
        if names:
            raise ValueError(f"{self.name} has no column for {', '.join(map(repr, names))}")

    @property
    def userid_type(self) -> type | None:
        """The Python type of a userid; None: the model has no users, or the column's type does not say."""
        column = self.columns.get("userid")
        try:
            return None if column is None else column.type.python_type
        except NotImplementedError:  # SQLAlchemy: a type that does not say
            return None

    def offers(self, mixin: type) -> bool:
        """Return whether the model has a feature.

        Args:
            mixin: The feature's mixin, `IdleMixin` for example.
        """
        return mixin in self.mixins

    def criterion(self) -> ColumnElement[bool]:
        """Return the condition that excludes other classes' rows; true if the table has none."""
        mapper = self.mapper()
        if mapper.polymorphic_on is None or mapper.inherits is None or mapper.concrete:
            return true()
        # Descendants' rows are also rows of the model: the ORM's own rule.
        identities = [descendant.polymorphic_identity for descendant in mapper.self_and_descendants]
        return mapper.polymorphic_on.in_(identities)

    def mapper(self) -> Mapper[Any]:
        """Return the model's mapper.

        Raises:
            ReferenceError: The class does not exist any more.
        """
        model = self._model()
        if model is None:
            raise ReferenceError(f"the model class {self.name} does not exist any more")
        return _mapper_of(model)


_features: weakref.WeakKeyDictionary[type, ModelFeatures] = weakref.WeakKeyDictionary()


def features_of(model: type) -> ModelFeatures:
    """Return what the session model offers, computed at its first use.

    Args:
        model: A class mapped by SQLAlchemy with the columns of `BaseMixin`.

    Raises:
        ModelError: The class cannot be a session model; its `problems` has every reason.
    """
    _require_class(model)
    features = _features.get(model)
    if features is None:
        features = _features[model] = ModelFeatures(model)
    return features


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


def _declared_columns(model: type) -> Iterator[tuple[str, Column[Any], bool]]:
    """Yield each column that a model must have: its name, its declaration, and whether the type is fixed."""
    for name, declaration in _BASE.items():
        yield name, declaration, True
    for feature in _features_in(model):
        for name, declaration in feature.columns.items():
            yield name, declaration, feature.is_typed


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
    missing = [name for name in _BASE if name not in mapper.columns]
    if missing:
        yield f"it has no column for {', '.join(map(repr, missing))}: inherit from BaseMixin"
        return
    yield from _feature_problems(model, mapper, table)
    if mapper.polymorphic_abstract:
        yield "it is polymorphic_abstract: name the class whose rows the sessions are"
    if mapper.single and mapper.polymorphic_on is not None and not isinstance(mapper.polymorphic_on, Column):
        yield "polymorphic_on is an expression: a new row could not be marked as this class's"
    if list(table.primary_key.columns) != [mapper.columns["id"]]:
        yield "the primary key must be 'id' alone"
    if mapper.version_id_col is mapper.columns["version"]:
        yield "'version' must not be the mapper's version_id_col: the store counts its own writes in it"
    ours = [mapper.columns.get(name) for name, *_ in _declared_columns(model)]
    for column, (name, declaration, is_typed) in zip(ours, _declared_columns(model), strict=True):
        if column is not None:
            yield from _column_problems(name, column, declaration, is_typed=is_typed)
    for column in table.columns:
        if not any(column is our for our in (*ours, mapper.polymorphic_on)) and _needs_a_value(column):
            yield f"column {column.name!r} is NOT NULL without a default: no new session could be inserted"


def _feature_problems(model: type, mapper: Mapper[Any], table: Table) -> Iterator[str]:
    for feature in _features_in(model):
        missing = [name for name in feature.columns if name not in mapper.columns]
        if missing:
            yield f"it has {feature.name} but no column for {', '.join(map(repr, missing))}"
    companion = companion_of(table)
    if companion is not None and (foreign := foreign_columns(companion)):
        yield f"{_namesake_problem(table, model)} (it has {', '.join(map(repr, foreign))})"
    if _activity_in(model) and companion is None:
        yield (
            f"the table {table.name + SUFFIX!r} is missing from the metadata: "
            "declare the mixins before the class is mapped, and leave the table there"
        )


def _column_problems(
    name: str, column: Column[Any], declaration: Column[Any], *, is_typed: bool
) -> Iterator[str]:
    if column.nullable != declaration.nullable:
        yield f"{name!r} must be {'NOT NULL (nullable=False)' if column.nullable else 'nullable'}"
    if not is_typed:
        return
    kind, fits = column.type, False
    match declaration.type:
        case SessionId():
            # Not even sqlalchemy.Uuid: MariaDB's UUID refuses values whose version and variant bits are
            # random (error 1292), as they are in ours.
            expected, fits = "a SessionId", isinstance(kind, SessionId)
        case JSON():
            # A decorated type would be bypassed: the store writes and reads JSON text itself.
            expected, fits = "a JSON column (SESSION_JSON)", isinstance(kind, JSON)
        case BigInteger():
            expected, fits = "a BigInteger (32 bits end in 2038)", isinstance(kind, BigInteger)
        case String(length=int(length)):
            expected = f"a String of {length} characters"
            fits = isinstance(kind, String) and (kind.length or length) >= length
        case _:
            expected, fits = "an Integer", isinstance(kind, Integer) and not isinstance(kind, SmallInteger)
    if not fits:
        actual = repr(kind) if isinstance(declaration.type, String) else type(kind).__name__
        yield f"{name!r} must be {expected}, not {actual}"


def _needs_a_value(column: Column[Any]) -> bool:
    return not column.nullable and column.default is None and column.server_default is None
