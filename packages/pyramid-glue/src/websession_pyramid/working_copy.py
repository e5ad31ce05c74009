"""The session in memory, as a request has read and changed it.

What holds it, a unit of work or a read-only session, decides who may change it and when it is written, by
`write_back`.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

from websession_core.errors import NoTransactionError
from websession_core.state import SEED_LENGTH, short_name

from .contents import Contents
from .errors import LateChangeError
from .events import SessionInvalidated, SessionRegenerated, announce
from .forms_ticket import made_ticket, ticket_for_forms
from .opening import judge_ticket
from .pending import NOTHING
from .row_removal import delete_all
from .row_watch import forget, takes_along, watch
from .row_writer import RowWriter
from .savepoints import SavepointStack
from .user_limit import sessions_in_the_way

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pyramid.request import Request
    from sqlalchemy import Table
    from sqlalchemy.orm import Session
    from transaction import TransactionManager
    from websession_core.state import Ticket

    from .contents import ContentsSnapshot
    from .kit import SessionKit
    from .opening import Opening
    from .pending import Pending

__all__ = ["WorkingCopy"]

log = logging.getLogger(__name__)

Snapshot = tuple[Contents, "ContentsSnapshot", "Pending"]


class WorkingCopy:
    """One session in memory.

    Args:
        kit: Whose session it is.
        browser_request: The request that the browser sent.
        opening: What became of the browser's cookie.
        writer: What has read the row; None: nothing was read.
        is_writable: Whether a change can reach the database.

    Attributes:
        opening: As given; or that the row cannot be read.
        contents: What the session holds.
        pending: What the transaction will do to the row, and has done.
        writer: What reads and writes the row; None: it was not needed so far.
        is_writable: As given; False from the transaction's end on.
        manager: The manager of the transaction that has to commit what is written; None: a test's, which
            never does.
        is_sealed: Whether the transaction is being committed.
        is_only_token: Whether nothing was changed but that a form was given its token against forgery.
        may_be_deleted: Whether the application has deleted something that can have taken the row along.
    """

    __slots__ = (
        "_had_full_queue",
        "_has_warned",
        "_kit",
        "_request",
        "contents",
        "is_only_token",
        "is_sealed",
        "is_writable",
        "manager",
        "may_be_deleted",
        "opening",
        "pending",
        "writer",
    )

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
        self._has_warned = self._had_full_queue = False
        self.opening = opening
        self.contents = opening.contents(kit)
        if opening.row is not None and (problem := self.contents.problem):
            # At once, and not when somebody looks at it: the same request would have a user, and then none.
            self.opening = opening.as_unreadable(problem)
            self.contents = self.opening.contents(kit)
        self.pending = NOTHING
        self.writer = writer
        self.is_writable = is_writable
        self.manager: TransactionManager | None = None
        self.is_only_token = self.may_be_deleted = self.is_sealed = False
        if writer is not None:
            # Not before: the rollback of a savepoint that is open already goes back to what was just read.
            self._follow(writer)

    # -- what it says ----------------------------------------------------------------------------------------

    @property
    def began_here(self) -> bool:
        """Whether the session begins with this request."""
        return self.opening.row is None or self.pending.starts_over

    @property
    def is_barred(self) -> bool:
        """Whether only a login may begin a session.

        Not any more if the cookie that says so is deleted; but where visitors share it with users, one that
        is under way would be lost with it.
        """
        deletes_it = self.pending.starts_over and self._kit.separates_visitors
        return self.opening.only_a_login_may_follow and not deletes_it

    @property
    def ticket(self) -> Ticket | None:
        """The ticket of the row as it is now; None: there is none."""
        verdict = self.opening.verdict
        return self.pending.ticket or (None if verdict is None else verdict.ticket)

    @property
    def ticket_left(self) -> Ticket | None:
        """The ticket that the browser has, or gets with the response, when this is committed."""
        is_logged_out = self.contents.row is None and self.pending.starts_over and not self.is_barred
        return self.pending.ticket if is_logged_out else self.ticket

    @property
    def has_written(self) -> bool:
        """Whether the session's row is another one than was read, or none."""
        return self.contents.row is not self.opening.row or bool(self.pending.deleted)

    @property
    def has_begun(self) -> bool:
        """Whether there was no session, and now there is one."""
        return self.opening.row is None and self.contents.row is not None

    @property
    def is_untouched(self) -> bool:
        """Whether there cannot be anything to write, as at each step of most commits."""
        return self.pending is NOTHING and self.contents.is_untouched

    @property
    def has_work(self) -> bool:
        """Whether something is to be written."""
        if self.is_untouched:
            return False
        return bool(self.pending.to_delete) or self.stores(changed=self.contents.is_changed)

    @property
    def may_have_work(self) -> bool:
        """Whether something would be written, or would have been refused."""
        try:
            return self.has_work
        except ValueError:  # something in it cannot be serialized: it was changed, then
            return True

    # -- the seed of its forms' tokens -----------------------------------------------------------------------

    @property
    def seed(self) -> bytes | None:
        """The seed of the session, or of the one that would begin here; None: it is not known, or has none.

        A new anonymous session inherits that of the visitor's ticket that it takes the place of. With the
        setting `alongside_0_2` only a ticket that was made without it has one.
        """
        if self.pending.seed is not None or self.pending.starts_over or self.contents.rotating:
            return self.pending.seed
        presented = self.opening.presented
        if self.contents.row is not None:
            return presented.seed_of(self.ticket)
        visitors = None
        if not self._kit.settings.alongside_0_2:
            visitors = presented.anonymous_ticket(separate=self._kit.separates_visitors)
        return None if visitors is None else visitors.seed

    @property
    def seed_of_forms(self) -> bytes | None:
        """The seed of the ticket that was made for the forms of this request, None if none was."""
        if self._request is None or not self._kit.separates_visitors:
            return None
        ticket = made_ticket(self._kit, self._request)
        return None if ticket is None else ticket.seed

    def ticket_for_forms(self) -> Ticket:
        """Return the ticket without a row that the response brings, for the forms of this request.

        Raises:
            NoTransactionError: The request has ended.
        """
        if self._request is None:
            raise NoTransactionError("the request that this session belonged to has ended")
        return ticket_for_forms(self._kit, self._request, self.pending.seed)

    def certain_seed(self, seed: bytes | None = None) -> bytes | None:
        """Return the seed of the session, drawn now if need be; None: it has none.

        Args:
            seed: What to take instead of drawing one.
        """
        own = self.seed
        if own is None and self.contents.row is None and not self._kit.settings.alongside_0_2:
            own = secrets.token_bytes(SEED_LENGTH) if seed is None else seed
            self.pending = self.pending._replace(seed=own)
        return own

    @property
    def is_new(self) -> bool:
        """Whether there was no session, none has ended, and none is stored yet."""
        return self.opening.row is None and self.contents.row is None and not self.pending.starts_over

    # -- changes in memory -----------------------------------------------------------------------------------

    def attach(self, dbsession: Session) -> None:
        """Take the database session through which the row will be written."""
        self.writer = RowWriter(self._kit, dbsession, self._request)
        self._follow(self.writer)

    def note_change(self, *, is_token: bool) -> None:
        """Note that a change comes, and whether it is only a token for a form that the page shows."""
        self.is_only_token = is_token and (self.is_only_token or not self.contents.is_changed)

    def start_over(self, contents: Contents, reason: str) -> None:
        """Let the present row be deleted, and go on with `contents` under a new identifier."""
        row, self.contents = self.contents.row, contents
        if self.is_writable:
            self.pending = self.pending.starting_over(row, self._kit.fresh_seed())
            if row is not None:
                self._announce(SessionInvalidated, row.id, reason)
            self.end_unreadable(reason)

    def go_on_with(self, opening: Opening) -> None:
        """Let what was put in a new session be changes of one that was begun meanwhile."""
        self.opening, contents = opening, opening.contents(self._kit)
        contents.add(self.contents)
        self.contents = contents

    def rotate(self, reason: str) -> None:
        """Let the next write give the session a new identity; old cookies are dead once it commits."""
        row = self.contents.row
        if not self.is_writable:
            return
        self.pending = self.pending._replace(seed=self._kit.fresh_seed())
        self.contents.rotating = True
        if row is not None:
            self._announce(SessionRegenerated, row.id, reason)

    def forget_cookies(self) -> None:
        """Let the browser forget each cookie that it came with and is not sent again."""
        if self.is_writable:
            self.pending = self.pending._replace(forgets_cookies=True)

    def end_visitors_session(self, reason: str) -> None:
        """End the session that the visitors' cookie opens, if it is not the present one."""
        ticket = self.opening.presented.visitors.first
        row = self.opening.row
        if ticket is None or not ticket.stored or not self.is_writable:
            return
        if row is not None and row.id == ticket.session_id:
            return
        if judge_ticket(self._kit, ticket, self.attached.read(ticket.session_id)[0]):
            self.end(ticket.session_id, reason)

    def end(self, session_id: UUID, reason: str) -> None:
        """Let another session's row be deleted with what this one writes."""
        self._delete_later([session_id])
        self._announce(SessionInvalidated, session_id, reason)

    def end_unreadable(self, reason: str) -> None:
        """Let the rows be deleted that the browser's tickets name and nobody can read."""
        for session_id, _ in self.opening.problems if self.is_writable else ():
            if session_id not in self.pending.ended:
                self.end(session_id, reason)

    def check_userid(self, userid: Any) -> None:
        """Refuse a userid that the model's column cannot hold.

        Raises:
            UnstorableValueError: It cannot.
        """
        if self.writer is not None:  # else the change reaches no database
            self._kit.check_userid(userid, self.writer.dialect)

    def end_excess_sessions(self, userid: Any) -> None:
        """Keep a user within the number of sessions that they may have, before they log in once more.

        Raises:
            TooManySessionsError: They have so many, and the settings say that the new one is refused.
        """
        if userid is None or self._kit.settings.max_per_user is None or not self.is_writable:
            return
        connection, ended = self.attached.connection(), self.pending.ended
        # A login whose answer was lost is repeated with the ticket of before: if there is no room, it goes.
        shown_ids = {verdict.ticket.session_id for verdict in self.opening.verdicts if not verdict}
        expired, excess = sessions_in_the_way(
            self._kit, connection, self.contents, ended, userid, shown_ids=shown_ids
        )
        self._delete_later(expired)
        for session_id in excess:
            self.end(session_id, "its user has logged in elsewhere, and may have no more sessions")

    def warn_of_dropped_change(self, reason: str) -> None:
        """Log, once, that a change reaches no database."""
        if not self._has_warned:
            self._has_warned = True
            log.warning("A change of the session was dropped, because %s", reason)

    def warn_of_full_queue(self, queue: str) -> None:
        """Log, once, that a flash queue is full."""
        if not self._had_full_queue:
            self._had_full_queue = True
            most = self._kit.settings.max_flash_messages
            log.warning(
                "The flash queue %a is full and drops its oldest messages (max_flash_messages = %d)",
                queue,
                most,
            )

    def reset(self) -> None:
        """Be what was read again."""
        self.contents, self.pending = self.opening.contents(self._kit), NOTHING
        self.may_be_deleted = False

    def close(self) -> None:
        """Take no more changes, and follow no more savepoints: the transaction is over."""
        self.is_writable = False
        if self.writer is not None:
            self.writer.savepoints.forget()
            forget(self.writer.dbsession, self)

    def detach(self) -> None:
        """Forget the request, whose end this was."""
        if self.writer is not None:
            self.writer.end_kept_transaction()
        self._request = self.writer = None

    # -- to the row ------------------------------------------------------------------------------------------

    @property
    def attached(self) -> RowWriter:
        """What writes the row."""
        if self.writer is None:  # cannot be: anyone who needs it has prepared a change
            raise LateChangeError("the session has no database session")
        return self.writer

    def delete_all(self, but: UUID | None) -> int:
        """Delete all sessions of the model at once, but one if it is given; return how many there were."""
        writer = self.attached
        count, deleted = delete_all(writer, but)
        self.pending = self.pending._replace(deleted=(*self.pending.deleted, *deleted))
        if self.manager is not None:
            writer.mark_changed(self.manager)
        return count

    def stores(self, *, changed: bool) -> bool:
        """Return whether the row is to be inserted or updated, its contents having changed or not."""
        pending, contents = self.pending, self.contents
        if contents.row is not None:
            return pending.updates(changed=changed)
        return pending.inserts(contents, barred=self.is_barred)

    # -- what the application does to the row by itself ------------------------------------------------------

    @property
    def table(self) -> Table:
        """The table of the row."""
        return self._kit.store.features.table

    def after_flush(self) -> None:
        """Take note of columns of the application's own that were written in the row.

        Other requests may have changed them meanwhile: so the version grows, and tells. Once it has grown in
        this transaction nobody else can write the row.
        """
        row = self.contents.row
        if row is None:
            return
        if row is self.opening.row and self.attached.is_modified(row.id):
            self.pending = self.pending._replace(own_columns=True)
        # So the ORM does with a deleted user's sessions, if no cascade says otherwise.
        self.may_be_deleted |= self.attached.has_lost_user(row.id)

    def expect_deletions(self) -> None:
        """Before a change: let what the application is about to delete be deleted, if the row can go along.

        What is put into the session afterwards shall be told from what was in it before.
        """
        writer = self.writer
        if writer is None or self.contents.row is None or not writer.dbsession.autoflush:
            return
        if any(takes_along(instance, self.table) for instance in writer.dbsession.deleted):
            writer.flush()

    def notice_deletions(self) -> None:
        """Let the session be ended if the application has deleted its row, or the user whose row it was."""
        writer, row = self.writer, self.contents.row
        if not (self.may_be_deleted and self.is_writable) or writer is None:
            return
        if not writer.dbsession.in_transaction():
            return
        self.may_be_deleted = False
        ids = (*self.pending.to_delete, *(() if row is None else (row.id,)))
        users = writer.users_of(ids) if ids else {}
        self.pending = self.pending.without(set(ids).difference(users))
        if row is None:
            return
        is_there = row.id in users
        if is_there and (row.userid is None or users[row.id] is not None):
            return
        self.contents = Contents(rules=self._kit.rules)
        self.pending = self.pending.starting_over(row if is_there else None, self._kit.fresh_seed())
        reason = f"the application has deleted its {'user' if is_there else 'row'}"
        self._announce(SessionInvalidated, row.id, reason)

    def want_row(self) -> None:
        """Let the session be stored even if it is empty."""
        self.pending = self.pending._replace(is_wanted=True)

    # -- private ---------------------------------------------------------------------------------------------

    def _announce(self, event: Any, session_id: UUID, reason: str) -> None:
        announce(self._request, self._kit.attribute, event, short_name(session_id), reason)

    def _delete_later(self, session_ids: Sequence[UUID]) -> None:
        to_delete = (*self.pending.to_delete, *session_ids)
        self.pending = self.pending._replace(to_delete=to_delete)

    def _follow(self, writer: RowWriter) -> None:
        writer.savepoints = SavepointStack(self.snapshot, self.restore)
        writer.savepoints.follow(writer.dbsession)
        if self.is_writable:
            watch(writer.dbsession, self)

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
