"""What a transaction will do to a session's row, and has done to it so far: one value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from uuid import UUID

    from websession_core.state import Ticket
    from websession_models import SessionRow

    from .contents import Contents

__all__ = ["NOTHING", "Pending"]


class Pending(NamedTuple):
    """What a transaction will do, and has done.

    It never changes: a savepoint keeps the one of its moment, a rollback brings that back, and an aborted
    transaction has `NOTHING`.

    Attributes:
        to_delete: The rows that the next write deletes.
        deleted: The rows that were deleted.
        starts_over: Whether the application has ended the session that the browser came with.
        is_wanted: Whether a new session is stored even if it is empty.
        ticket: The ticket of the row as it was written, if that needs a new one.
        seed: The seed of the session's next identity; None: it stays, or workers of version 0.2 have to read
            its ticket.
        forgets_cookies: Whether the browser forgets each cookie that it came with and is not sent again.
        written: The columns that were written beside data and flash messages, by their attributes.
        own_columns: Whether the application has written columns of its own in the row, whose version is yet
            to grow.
        by_error_page: Whether an error page has changed something.
    """

    to_delete: tuple[UUID, ...] = ()
    deleted: tuple[UUID, ...] = ()
    starts_over: bool = False
    is_wanted: bool = False
    ticket: Ticket | None = None
    seed: bytes | None = None
    forgets_cookies: bool = False
    written: frozenset[str] = frozenset()
    own_columns: bool = False
    by_error_page: bool = False

    def __repr__(self) -> str:
        return (
            f"<Pending: {len(self.to_delete)} rows to delete, {len(self.deleted)} deleted>"  # no identifiers
        )

    @property
    def ended(self) -> frozenset[UUID]:
        """The sessions that the transaction deletes, or has deleted already."""
        return frozenset((*self.to_delete, *self.deleted))

    def starting_over(self, row: SessionRow | None, seed: bytes | None) -> Pending:
        """Return this for a session that the application has ended, with the row that it had.

        The seed is that of what may take its place.
        """
        to_delete = self.to_delete if row is None else (*self.to_delete, row.id)
        return Pending(
            to_delete,
            self.deleted,
            starts_over=True,
            seed=seed,
            forgets_cookies=True,
            by_error_page=self.by_error_page,
        )

    def without(self, deleted: AbstractSet[UUID]) -> Pending:
        """Return this after the application's own statements have deleted some rows."""
        to_delete = tuple(session_id for session_id in self.to_delete if session_id not in deleted)
        return self._replace(to_delete=to_delete, deleted=(*self.deleted, *deleted))

    def updates(self, *, changed: bool) -> bool:
        """Return whether the session's row is to be updated.

        Args:
            changed: Whether the contents differ from what was read or last written.
        """
        return changed or self.own_columns

    def inserts(self, contents: Contents, *, barred: bool) -> bool:
        """Return whether a session without a row is to be inserted.

        Args:
            contents: What it holds.
            barred: Whether only a login may begin a session.
        """
        if not self.is_wanted and contents.is_empty:
            return False
        # The browser's newest cookie may be under way to it: only a login may take its place.
        return not barred or contents.value("userid") is not None


NOTHING: Final = Pending()
"""What most transactions do to a session's row."""
