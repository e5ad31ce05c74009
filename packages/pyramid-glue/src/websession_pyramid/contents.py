"""What one session holds in memory: its row, its data, its flash queues and the changes of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from websession_core.errors import UnreadableRowError
from websession_core.payload import FlashQueues, Payload, loads
from websession_core.policies import NO_OVERRIDES, Overrides
from websession_core.session_types import DEFAULT_TYPES, SessionTypes
from websession_models.rows import OVERRIDES

if TYPE_CHECKING:
    from websession_models import SessionRow

__all__ = ["OVERRIDES", "Contents", "ContentsSnapshot", "Rules"]


class Rules(NamedTuple):
    """What sessions may hold.

    Attributes:
        types: The types of values beyond JSON.
        max_data_size: How many bytes the data may take; 0: any number.
        max_flash_messages: How many messages a flash queue may hold; 0: any number.
    """

    types: SessionTypes = DEFAULT_TYPES
    max_data_size: int = 0
    max_flash_messages: int = 0


ANYTHING: Final = Rules()
"""The rules without limits, for the standard types."""


class ContentsSnapshot(NamedTuple):
    """The contents at one moment, opaque to everybody but :meth:`Contents.restore`."""

    row: SessionRow | None
    payload: Any
    flash: Any
    changes: dict[str, Any]
    rotating: bool

    def __repr__(self) -> str:
        return "<ContentsSnapshot>"  # somebody's data, and the CSRF token


class Contents:
    """What one session holds.

    Args:
        row: The row it was read from, None for a session that is not stored.
        reorder: Whether the row's engine gives the keys of JSON objects back in an order of its own.
        rules: What it may hold.

    Attributes:
        row: The row as it is in the database now, as far as this transaction knows.
        payload: The application's data.
        changes: New values of the row's other columns (userid, token, timeouts of its own), by name.
        rotating: Whether the next write gives the session a new identity.
    """

    __slots__ = ("_flash", "_reorder", "_rules", "changes", "payload", "rotating", "row")

    def __init__(
        self, row: SessionRow | None = None, *, reorder: bool = False, rules: Rules = ANYTHING
    ) -> None:
        data = None if row is None else row.data
        self.row = row
        self.payload = Payload(data, reorder=reorder, types=rules.types, limit=rules.max_data_size)
        self._flash: FlashQueues | None = None
        self._reorder = reorder
        self._rules = rules
        self.changes: dict[str, Any] = {}
        self.rotating = False

    @property
    def flash(self) -> FlashQueues:
        """The flash queues, made when somebody looks at them: most requests do not."""
        if self._flash is None:
            text, rules = None if self.row is None else self.row.flash, self._rules
            self._flash = FlashQueues(
                text, reorder=self._reorder, types=rules.types, limit=rules.max_flash_messages
            )
        return self._flash

    @property
    def problem(self) -> str:
        """Why what is stored of it cannot be read, since something else has written to the row; or empty."""
        try:
            _ = len(self.payload), self._has_no_flash
        except UnreadableRowError as error:
            return str(error)
        return ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it that would be worth a row."""
        # None is what a column of a new row has anyway.
        has_value = any(value is not None for value in self.changes.values())
        return not (has_value or self.payload) and self._has_no_flash

    @property
    def _has_no_flash(self) -> bool:
        if self._flash is None and (self.row is None or self.row.flash == "{}"):
            return True
        return self.flash.is_empty

    @property
    def is_untouched(self) -> bool:
        """Whether it cannot differ from what was read or last written."""
        if self.rotating or self.changes or not self.payload.is_untouched:
            return False
        return self._flash is None or self._flash.is_untouched

    @property
    def is_changed(self) -> bool:
        """Whether it differs from what was read or last written."""
        is_changed = self.rotating or bool(self.changes) or self.payload.is_changed
        return is_changed or (self._flash is not None and self._flash.is_changed)

    def changed_flash(self) -> str | None:
        """Return the text of the flash queues to store, None if nothing changed in them."""
        return None if self._flash is None else self._flash.serialize_changed()

    def value(self, name: str) -> Any:
        """Return the present value of one of the row's other columns; None in a new session."""
        if name in self.changes:
            return self.changes[name]
        if self.row is None:
            return None
        if name in OVERRIDES:
            return None if self.row.overrides is None else getattr(self.row.overrides, name)
        return getattr(self.row, name)

    def set_value(self, name: str, value: Any) -> None:
        """Change the value of one of the row's other columns."""
        self.changes.pop(name, None)
        if value != self.value(name) or self.row is None:
            self.changes[name] = value

    @property
    def overrides(self) -> Overrides:
        """The timeouts of the session's own, as they are now."""
        if self.changes.keys().isdisjoint(OVERRIDES):
            own = None if self.row is None else self.row.overrides
            return NO_OVERRIDES if own is None else own
        return Overrides(**{name: self.value(name) for name in OVERRIDES})

    def for_another_row(self) -> Contents:
        """Return the same data and flash messages, for a row that is yet to be stored, and nothing else."""
        contents = Contents()
        contents.payload, contents._flash = self.payload, self.flash
        contents.payload.mark_changed()
        contents.flash.mark_changed()
        return contents

    def add(self, other: Contents) -> None:
        """Put in what is in a session that is not stored yet."""
        self.payload.update(other.payload.copy())
        for queue, messages in loads(other.flash.serialize()).items():
            for message in messages:
                self.flash.push(message, queue)
        for name, value in other.changes.items():
            self.set_value(name, value)
        self.rotating = self.rotating or "userid" in self.changes

    def describe(self, *, with_data: bool) -> str:
        """Return how much of what the user had put here there is, without any of it; empty for nothing.

        Args:
            with_data: Whether data and flash messages count, beside the session's own settings.
        """
        parts = []
        if with_data:
            parts += ["data"] if self.payload else []
            parts += [] if self.flash.is_empty else ["flash messages"]
        if any(self.value(name) is not None for name in OVERRIDES):
            parts.append("settings of its own")
        return ", ".join(parts)

    def snapshot(self) -> ContentsSnapshot:
        """Return what :meth:`restore` needs to bring the present state back."""
        flash = None if self._flash is None else self._flash.snapshot()
        return ContentsSnapshot(self.row, self.payload.snapshot(), flash, dict(self.changes), self.rotating)

    def restore(self, snapshot: ContentsSnapshot) -> None:
        """Bring back the state of `snapshot`; a snapshot can be restored more than once."""
        self.row = snapshot.row
        self.payload.restore(snapshot.payload)
        if snapshot.flash is None:
            self._flash = None
        else:
            self.flash.restore(snapshot.flash)
        self.changes = dict(snapshot.changes)
        self.rotating = snapshot.rotating
