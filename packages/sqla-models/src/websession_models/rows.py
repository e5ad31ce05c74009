"""A session's row as a value."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from websession_core.policies import Overrides
from websession_core.state import SessionState, short_name
from websession_core.unchecked import unchecked

from .features import FEATURES

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Mapping

    from websession_core.state import Activity

__all__ = ["OVERRIDES", "ROW_COLUMNS", "SessionRow", "make_row", "no_values"]

OVERRIDES: Final = tuple(field.name for field in dataclasses.fields(Overrides))
"""The columns of a session's own timeouts: a row has them as one value."""

_state = unchecked(SessionState)

_NO_VALUES: Final[Mapping[str, Any]] = {
    name: None for feature in FEATURES for name in feature.columns if name not in OVERRIDES
}


@dataclasses.dataclass(init=False, frozen=True, slots=True, repr=False)
class SessionRow:
    """One row of a session table with its companion, as read or to be inserted.

    The values of the features' other columns (`userid`, `csrf_token`, …) are attributes and arguments, too.
    They are None if the model does not have the feature.

    Attributes:
        id: The primary key.
        created: When the session began, in Unix seconds.
        version: The number of writes so far; an update names the version it read.
        epoch: The number of changes of identity so far.
        data: The session's data, the text of a JSON object.
        flash: The flash queues, the text of a JSON object.
        rotated_at: When the epoch last moved, in Unix seconds; None: never, or not known.
        overrides: The session's own settings; None: the model has no `Config…` mixin.
        activity: What was recorded about it; None: nothing (no companion table, or no row in it yet).
        knows_users: Whether the model has `UseridMixin`.
        problem: Why the row cannot be read; empty if it can. See `unreadable()`.
        values: The values of the features' other columns, by name.
    """

    id: uuid.UUID
    created: int
    version: int
    epoch: int
    data: str
    flash: str
    rotated_at: int | None
    overrides: Overrides | None
    activity: Activity | None
    knows_users: bool
    problem: str
    values: Mapping[str, Any] = dataclasses.field(hash=False)

    def __init__(  # noqa: PLR0917 - as they always were
        self,
        id: uuid.UUID,  # noqa: A002 - the column's name
        created: int,
        version: int,
        epoch: int,
        data: str,
        flash: str,
        rotated_at: int | None = None,
        *,
        overrides: Overrides | None = None,
        activity: Activity | None = None,
        knows_users: bool = False,
        problem: str = "",
        values: Mapping[str, Any] = MappingProxyType({}),
        **columns: Any,
    ) -> None:
        if values or columns:
            values = {**_NO_VALUES, **values, **columns}
            if len(values) > len(_NO_VALUES):
                raise TypeError(f"no feature has a column {', '.join(map(repr, values.keys() - _NO_VALUES))}")
        else:
            values = dict(_NO_VALUES)
        put = object.__setattr__  # one by one, since a loop over the names takes longer than the rest
        put(self, "id", id)
        put(self, "created", created)
        put(self, "version", version)
        put(self, "epoch", epoch)
        put(self, "data", data)
        put(self, "flash", flash)
        put(self, "rotated_at", rotated_at)
        put(self, "overrides", overrides)
        put(self, "activity", activity)
        put(self, "knows_users", knows_users)
        put(self, "problem", problem)
        put(self, "values", values)

    @classmethod
    def unreadable(cls, session_id: uuid.UUID, problem: str) -> SessionRow:
        """Return a placeholder for an existing row that cannot be read: it opens nothing.

        Args:
            session_id: Its primary key.
            problem: Why.
        """
        return cls(session_id, created=0, version=0, epoch=0, data="{}", flash="{}", problem=problem)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return a value; what does it are the properties below, which slow no other attribute."""

    def written(self, data: str | None, flash: str | None, changes: Mapping[str, Any]) -> SessionRow:
        """Return the row as an update leaves it, which lets the version grow by one.

        Args:
            data: The text of its data; None: as before.
            flash: The text of its flash queues; None: as before.
            changes: What else has changed, by the names of the arguments, those of values included.
        """
        own = {name: value for name, value in changes.items() if name in _NO_VALUES}
        return make_row(
            self.id,
            self.created,
            self.version + 1,
            changes.get("epoch", self.epoch),
            self.data if data is None else data,
            self.flash if flash is None else flash,
            changes.get("rotated_at", self.rotated_at),
            changes.get("overrides", self.overrides),
            self.activity,
            self.knows_users,
            "",
            {**self.values, **own} if own else self.values,
        )

    @property
    def owned(self) -> bool | None:
        """Whether it belongs to a user; None: the model knows no users."""
        return self.values["userid"] is not None if self.knows_users else None

    @property
    def state(self) -> SessionState:
        """What the rules need to know of it."""
        owned = self.owned
        return _state(
            self.created,
            self.epoch,
            self.rotated_at,
            owned,
            self.activity,
            self.overrides,
            not self.problem,
            owned is False and self.values["authenticated_at"] is not None,
        )

    def __repr__(self) -> str:
        # Enough to tell rows apart in a debugger; neither a full identifier nor anybody's data.
        return (
            f"<SessionRow {short_name(self.id)}… created={self.created} version={self.version} "
            f"epoch={self.epoch} data={len(self.data)} flash={len(self.flash)} characters>"
        )


make_row: Final[Callable[..., SessionRow]] = unchecked(SessionRow)
"""Makes a row of all its fields, in their order, among which ``values`` has a value for each name."""


no_values: Final[Callable[[], dict[str, Any]]] = dict(_NO_VALUES).copy
"""Returns a new dictionary of the features' columns, each with None."""


def _value(name: str) -> property:
    return property(lambda row: row.values[name], doc=f"The value of the column {name}.")


for _name in _NO_VALUES:
    setattr(SessionRow, _name, _value(_name))

ROW_COLUMNS: Final = (
    *("id", "created", "version", "epoch", "data", "flash", "rotated_at"),
    *_NO_VALUES,
)
"""The columns that a row has one by one, in the order in which they are read."""
