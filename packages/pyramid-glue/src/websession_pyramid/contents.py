"""What one session holds in memory: the row it was read from, its data and its flash queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from websession_core.payload import FlashQueues, Payload

if TYPE_CHECKING:
    from websession_models.store import SessionRow

__all__ = ["Contents", "ContentsSnapshot"]


class ContentsSnapshot(NamedTuple):
    """The contents at one moment, opaque to everybody but :meth:`Contents.restore`."""

    row: SessionRow | None
    payload: Any
    flash: Any


class Contents:
    """What one session holds.

    Args:
        row: The row it was read from, None for a session that is not stored.
        reorder: Whether the row's engine gives the keys of JSON objects back in an order of its own.

    Attributes:
        row: The row as it is in the database now, as far as this transaction knows.
        payload: The application's data.
        flash: The flash queues.
    """

    __slots__ = ("flash", "payload", "row")

    def __init__(self, row: SessionRow | None = None, *, reorder: bool = False) -> None:
        self.row = row
        self.payload = Payload(None if row is None else row.data, reorder=reorder)
        self.flash = FlashQueues(None if row is None else row.flash, reorder=reorder)

    @property
    def is_empty(self) -> bool:
        """Whether there is neither data nor a flash message."""
        return not self.payload and self.flash.is_empty

    @property
    def is_changed(self) -> bool:
        """Whether data or flash messages differ from what was read or last written."""
        return self.payload.is_changed or self.flash.is_changed

    def snapshot(self) -> ContentsSnapshot:
        """Return what :meth:`restore` needs to bring the present state back."""
        return ContentsSnapshot(self.row, self.payload.snapshot(), self.flash.snapshot())

    def restore(self, snapshot: ContentsSnapshot) -> None:
        """Bring back the state of `snapshot`; a snapshot can be restored more than once."""
        self.row = snapshot.row
        self.payload.restore(snapshot.payload)
        self.flash.restore(snapshot.flash)
