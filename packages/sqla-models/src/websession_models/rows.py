"""A session's row as a value."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from websession_core.policies import Overrides
from websession_core.state import SessionState, short_name

from .features import FEATURES

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from websession_core.state import Activity

__all__ = ["OVERRIDES", "ROW_COLUMNS", "SessionRow"]

OVERRIDES: Final = tuple(field.name for field in dataclasses.fields(Overrides))
"""The columns of a session's own timeouts: a row has them as one value."""

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

    @property
    def owned(self) -> bool | None:
        """Whether it belongs to a user; None: the model knows no users."""
        return self.values["userid"] is not None if self.knows_users else None

    @property
    def state(self) -> SessionState:
        """What the rules need to know of it."""
        owned = self.owned
        return SessionState(
            created=self.created,
            epoch=self.epoch,
            rotated_at=self.rotated_at,
            owned=owned,
            activity=self.activity,
            overrides=self.overrides,
            is_readable=not self.problem,
            is_ownerless=owned is False and self.values["authenticated_at"] is not None,
        )

    def __repr__(self) -> str:
        # Enough to tell rows apart in a debugger; neither a full identifier nor anybody's data.
        return (
            f"<SessionRow {short_name(self.id)}… created={self.created} version={self.version} "
            f"epoch={self.epoch} data={len(self.data)} flash={len(self.flash)} characters>"
        )


def _value(name: str) -> property:
    return property(lambda row: row.values[name], doc=f"The value of the column {name}.")


for _name in _NO_VALUES:
    setattr(SessionRow, _name, _value(_name))

ROW_COLUMNS: Final = (
    *("id", "created", "version", "epoch", "data", "flash", "rotated_at"),
    *_NO_VALUES,
)
"""The columns that a row has one by one, in the order in which they are read."""
