"""The session in memory, as a request has read and changed it, and its way back into the row.

What holds it, a unit of work or a read-only session, decides who may change it and when it is written.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

from websession_core.state import short_name

from .errors import LateChangeError
from .events import SessionInvalidated, SessionRegenerated, announce
from .pending import Pending
from .row_writer import RowWriter
from .savepoints import SavepointStack
from .user_limit import sessions_in_the_way

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pyramid.request import Request
    from sqlalchemy.orm import Session
    from transaction import TransactionManager
    from websession_core.state import Ticket

    from .contents import Contents, ContentsSnapshot
    from .kit import SessionKit
    from .opening import Opening

__all__ = ["WorkingCopy"]

log = logging.getLogger(__name__)

Snapshot = tuple["Contents", "ContentsSnapshot", Pending]


class WorkingCopy:
    """One session in memory.

    Args:
        kit: Whose session it is.
        browser_request: The request that the browser sent.
        opening: What became of the browser's cookie.
        writer: What has read the row; None: nothing was read.
        is_writable: Whether a change can reach the database.

    Attributes:
        opening: As given.
        contents: What the session holds.
        pending: What the transaction will do to the row, and has done.
        writer: What reads and writes the row; None: it was not needed so far.
        is_writable: As given; False from the transaction's end on.
    """

    __slots__ = ("_has_warned", "_kit", "_request", "contents", "is_writable", "opening", "pending", "writer")

    def __init__(
        self,
        kit: SessionKit,
        browser_request: Request,
        opening: Opening,
        writer: RowWriter | None = None,
        *,
        is_writable: bool = False,
    ) -> None:
        self._kit = kit
        self._request: Request | None = browser_request
        self._has_warned = False
        self.opening = opening
        self.contents = opening.contents()
        self.pending = Pending()
        self.writer = writer
        self.is_writable = is_writable
        if writer is not None:
            # Not before: the rollback of a savepoint that is open already goes back to what was just read.
            self._follow_savepoints(writer)

    # -- what it says ----------------------------------------------------------------------------------------

    @property
    def began_here(self) -> bool:
        """Whether the session begins with this request."""
        return self.opening.row is None or self.pending.starts_over

    @property
    def is_logged_out(self) -> bool:
        """Whether the application has ended the session, and nothing has taken its place."""
        starts_over = self.pending.starts_over and not self.opening.only_a_login_may_follow
        return self.contents.row is None and starts_over

    @property
    def ticket(self) -> Ticket | None:
        """The ticket of the row as it is now; None: there is none."""
        verdict = self.opening.verdict
        return self.pending.ticket or (None if verdict is None else verdict.ticket)

    @property
    def has_work(self) -> bool:
        """Whether something is to be written."""
        contents, pending = self.contents, self.pending
        return bool(pending.to_delete) or pending.stores(contents, self.opening, changed=contents.is_changed)

    @property
    def is_new(self) -> bool:
        """Whether there was no session, none has ended, and none is stored yet."""
        return self.opening.row is None and self.contents.row is None and not self.pending.starts_over

    # -- changes in memory -----------------------------------------------------------------------------------

    def attach(self, dbsession: Session) -> None:
        """Take the database session through which the row will be written."""
        self.writer = RowWriter(self._kit, dbsession, self._request)
        self._follow_savepoints(self.writer)

    def start_over(self, contents: Contents, reason: str) -> None:
        """Let the present row be deleted, and go on with `contents` under a new identifier."""
        row, self.contents = self.contents.row, contents
        if self.is_writable:
            self.pending = self.pending.starting_over(row)
            if row is not None:
                self._announce(SessionInvalidated, row.id, reason)

    def go_on_with(self, opening: Opening) -> None:
        """Let what was put in a new session be changes of one that was begun meanwhile."""
        self.opening, contents = opening, opening.contents()
        contents.add(self.contents)
        self.contents = contents

    def rotate(self, reason: str) -> None:
        """Let the next write give the session a new identity; old cookies are dead once it commits."""
        row = self.contents.row
        if row is not None and self.is_writable:
            self.contents.rotating = True
            self._announce(SessionRegenerated, row.id, reason)

    def end(self, session_id: UUID, reason: str) -> None:
        """Let another session's row be deleted with what this one writes."""
        self._delete_later([session_id])
        self._announce(SessionInvalidated, session_id, reason)

    def end_excess_sessions(self, userid: Any) -> None:
        """Keep a user within the number of sessions that they may have, before they log in once more.

        Raises:
            TooManySessionsError: They have so many, and the settings say that the new one is refused.
        """
        if userid is None or self._kit.settings.max_per_user is None or not self.is_writable:
            return
        connection, ended = self.attached.connection(), self.pending.ended
        expired, excess = sessions_in_the_way(self._kit, connection, self.contents, ended, userid)
        self._delete_later(expired)
        for session_id in excess:
            self.end(session_id, "its user has logged in elsewhere, and may have no more sessions")

    def warn_of_dropped_change(self, reason: str) -> None:
        """Log, once, that a change reaches no database."""
        if not self._has_warned:
            self._has_warned = True
            log.warning("A change of the session was dropped, because %s", reason)

    def reset(self) -> None:
        """Be what was read again."""
        self.contents, self.pending = self.opening.contents(), Pending()

    def close(self) -> None:
        """Take no more changes, and follow no more savepoints: the transaction is over."""
        self.is_writable = False
        if self.writer is not None:
            self.writer.savepoints.forget()

    def detach(self) -> None:
        """Forget the request, whose end this was."""
        self._request = self.writer = None

    # -- to the row ------------------------------------------------------------------------------------------

    @property
    def attached(self) -> RowWriter:
        """What writes the row."""
        if self.writer is None:  # cannot be: anyone who needs it has prepared a change
            raise LateChangeError("the session has no database session")
        return self.writer

    def write(self, manager: TransactionManager | None, *, sealed: bool) -> None:
        """Write what has changed since the last write.

        Args:
            manager: The manager of the transaction that has to commit it; None: a test's, which never does.
            sealed: Whether the transaction is being committed.

        Raises:
            LateChangeError: It is too late for that.
        """
        contents, pending, writer = self.contents, self.pending, self.writer
        # Everything is checked and serialized before the first statement, so nothing half-written stays.
        data, flash = contents.payload.serialize_changed(), contents.flash.serialize_changed()
        is_changed = data is not None or flash is not None or contents.rotating or bool(contents.changes)
        is_due = pending.stores(contents, self.opening, changed=is_changed)
        if not (is_due or pending.to_delete):
            return
        if writer is None or (sealed and not writer.dbsession.in_transaction()):
            raise LateChangeError(
                "the session was changed when the database session had already left the commit (it closes in "
                "its `commit` step if it has nothing to write); change the session earlier, or write "
                "something through the database session as well"
            )
        if pending.to_delete:
            self.pending = pending = writer.delete_rows(pending)
        if is_due:
            self.pending = writer.store(contents, pending, self.ticket, data, flash)
        contents.changes, contents.rotating = {}, False
        if data is not None:
            contents.payload.rebase(data)
        if flash is not None:
            contents.flash.rebase(flash)
        if manager is not None:
            writer.mark_changed(manager)

    def want_row(self) -> None:
        """Let the session be stored even if it is empty."""
        self.pending = dataclasses.replace(self.pending, is_wanted=True)

    # -- private ---------------------------------------------------------------------------------------------

    def _announce(self, event: Any, session_id: UUID, reason: str) -> None:
        announce(self._request, self._kit.attribute, event, short_name(session_id), reason)

    def _delete_later(self, session_ids: Sequence[UUID]) -> None:
        to_delete = (*self.pending.to_delete, *session_ids)
        self.pending = dataclasses.replace(self.pending, to_delete=to_delete)

    def _follow_savepoints(self, writer: RowWriter) -> None:
        writer.savepoints = SavepointStack(self.snapshot, self.restore)
        writer.savepoints.follow(writer.dbsession)

    def snapshot(self) -> Snapshot:
        """Return what :meth:`restore` brings back."""
        return self.contents, self.contents.snapshot(), self.pending

    def restore(self, snapshot: Snapshot) -> None:
        """Be what it was at a savepoint."""
        if not self.is_writable:
            return
        newer = self.contents.row
        self.contents, state, self.pending = snapshot
        self.contents.restore(state)
        if self.writer is not None:
            self.writer.undo(newer, self.contents.row)
