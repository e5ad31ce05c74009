"""A session's row as a value."""

from __future__ import annotations

import dataclasses
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
    """One row of a session table with its companion, as read or as it is to be inserted.

    The values of the features' other columns (`userid`, `csrf_token`, …) are attributes and arguments, too.
    What belongs to a feature that the model does not have is None.

    Attributes:
        id: The primary key.
        created: When the session began, in Unix seconds.
        version: The number of writes so far; an update names the version it read.
        epoch: The number of changes of identity so far.
        data: The session's data, the text of a JSON object.
        flash: The flash queues, the text of a JSON object.
        rotated_at: When the epoch last moved, in Unix seconds; None: never, or not known.
        overrides: What this session wants otherwise than the settings say; None: the model has no
            `Config…` mixin.
        activity: What was recorded about it; None: nothing (no companion table, or no row in it yet).
        knows_users: Whether the model has `UseridMixin`.
        problem: Why the row cannot be read; empty: it can be. See `unreadable()`.
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
        values: Mapping[str, Any] = _NO_VALUES,
        **columns: Any,
    ) -> None:
        values = {**_NO_VALUES, **values, **columns}
        if len(values) > len(_NO_VALUES):
            raise TypeError(f"no feature has a column {', '.join(map(repr, values.keys() - _NO_VALUES))}")
        single = id, created, version, epoch, data, flash, rotated_at, overrides, activity, knows_users
        for name, value in zip(self.__slots__, (*single, problem, values), strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def unreadable(cls, session_id: uuid.UUID, problem: str) -> SessionRow:
        """Return what stands for a row that is there and cannot be read: it opens nothing.

        Args:
            session_id: Its primary key.
            problem: Why.
        """
        return cls(session_id, created=0, version=0, epoch=0, data="{}", flash="{}", problem=problem)

    def __getattr__(self, name: str) -> Any:
        if name not in _NO_VALUES:
            raise AttributeError(f"a session's row has no {name!r}")
        return self.values[name]

    @property
    def state(self) -> SessionState:
        """What the rules need to know of it."""
        owned = self.values["userid"] is not None if self.knows_users else None
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


ROW_COLUMNS: Final = (
    *("id", "created", "version", "epoch", "data", "flash", "rotated_at"),
    *_NO_VALUES,
)
"""The columns that a row has one by one, in the order in which they are read."""
