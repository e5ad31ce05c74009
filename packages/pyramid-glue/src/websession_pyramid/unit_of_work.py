"""The unit of work: one session row, in one transaction.

A unit is made at the first touch of ``request.session`` and kept on the transaction, so that subrequests
which share the transaction share it too. Its phases, and what moves it from one to the next::

    OPEN ──tpc_begin──▶ SEALED ──tpc_vote──▶ VOTED ──tpc_finish──▶ COMMITTED
      │                    │                   │
      └──────abort─────────┴───────────────────┴─────────────────▶ ABORTED

- **OPEN**: the application reads and changes the session in memory. Nothing is written.
- **SEALED**: the transaction is being committed. Each step of the two-phase commit writes what has changed
  since the step before: hooks, flush listeners and other data managers may still change the session.
- **VOTED**: nothing more will be written. A change is refused as long as that stops the commit; once the
  database has committed it is logged and dropped.
- **COMMITTED**: what the unit says is in the database. Only now may a cookie leave.
- **ABORTED**: the unit shows the row as it was read, as if the request had done nothing.

The data manager sorts just before zope.sqlalchemy's and does the writing, where an error aborts everything
cleanly. Before the commit it only sees to it that zope.sqlalchemy's is there: `taking_part`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from transaction.interfaces import ISavepointDataManager
from websession_core.errors import NoTransactionError
from websession_core.state import short_name
from zope.interface import implementer

from .answering import KEEP, Answer, CookieOrder, prepare_answer
from .bookkeeping import after_transaction
from .dropped_changes import explain_drop, warn_of_error_page, warn_of_subrequest
from .errors import LateChangeError
from .events import SessionCreated, announce
from .opening import announce_opening, judge_cookies
from .request_transaction import (
    abort_left_open,
    database_session,
    is_error_page,
    is_outer_test_transaction,
    is_within_pyramid_tm,
    is_within_subrequest_of,
    would_abort,
)
from .row_writer import RowWriter
from .savepoints import TransactionSavepoint
from .succession import go_on_from
from .taking_part import TimelyJoin, has_committed, take_part
from .tickets import Presented
from .working_copy import WorkingCopy
from .write_back import write_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from pyramid.request import Request
    from pyramid.response import Response
    from sqlalchemy.orm import Session
    from transaction import Transaction, TransactionManager
    from websession_models import SessionRow

    from .cookies import CookieJar
    from .kit import SessionKit
    from .opening import Opening
    from .request_transaction import Sharing

__all__ = ["Phase", "UnitOfWork"]


class Phase(enum.Enum):
    """Where a unit is in its life; see the module's text."""

    OPEN = "open"
    SEALED = "sealed"
    VOTED = "voted"
    COMMITTED = "committed"
    ABORTED = "aborted"


@implementer(ISavepointDataManager)
class UnitOfWork:
    """One session row in one transaction; also the data manager that writes it.

    Args:
        kit: Whose sessions these are: settings, store, tickets.
        requests: Whose transaction it is, and which request the browser sent; that one's response carries
            the cookie.
        transaction: The live transaction.
        manager: The manager of that transaction.
        previous: The unit that the same browser's request has committed last, None if there is none: in a
            transaction that the view has ended by itself or in that of a subrequest. This one goes on with
            the ticket that it has left.
        last_committed: Returns which it is later.

    Attributes:
        working_copy: The session in memory; made by :meth:`load`.
        phase: Where the unit is in its life.
        transaction: The transaction it belongs to.
        joined: The same while the unit takes part in it and will be told of its end; else None.
        answer_ready: What the browser is told with the response.
        bookkeeping_log: What was recorded at the end of the request, for a person to read.
    """

    bookkeeping_log: Sequence[str] = ()
    working_copy: WorkingCopy

    def __init__(
        self,
        kit: SessionKit,
        requests: Sharing,
        transaction: Transaction,
        manager: TransactionManager,
        *,
        previous: UnitOfWork | None,
        last_committed: Callable[[], UnitOfWork | None],
    ) -> None:
        self.phase = Phase.OPEN
        self.transaction = transaction
        self.transaction_manager = manager  # the name is IDataManager's
        self.joined: Transaction | None = None
        self.answer_ready: Answer = KEEP
        self._kit = kit
        self._requests: Sharing | None = requests
        self._last_committed: Callable[[], UnitOfWork | None] | None = last_committed
        self._previous = previous
        self._managed = is_within_pyramid_tm(requests.transaction)
        self._announced = self._answered = self._dropped = False
        self._timely_join: TimelyJoin | None = None

    # -- made at the first touch ---------------------------------------------------------------------------

    def load(self) -> None:
        """Read the session that the browser's cookies name, if any: one SELECT, or none without a ticket.

        Raises:
            SQLAlchemyError: The row could not be read.
            UnsupportedSetupError: The database session belongs to another transaction manager.
        """
        kit, requests, writer = self._kit, self._under_way, None

        def read(session_id: UUID) -> tuple[SessionRow | None, bool]:
            nonlocal writer
            if writer is None:
                writer = RowWriter(kit, self._database_session(requests.database), requests.browser)
            return writer.read(session_id)

        if self._previous is None:
            presented = kit.tickets.presented(requests.browser)
        else:
            presented = Presented.left(self._previous.working_copy.ticket_left)
        opening = judge_cookies(kit, presented, read)
        self.working_copy = WorkingCopy(kit, requests.browser, opening, writer, is_writable=True)
        if not self.transaction.isDoomed():
            # A doomed transaction never commits: there is nothing to take part in. Tests that hold one
            # doomed transaction around many requests would only gather dead managers in it.
            self.transaction.join(self)
            self.joined = self.transaction
            self.working_copy.manager = self.transaction_manager

    def announce(self, before: Opening | None) -> None:
        """Tell the subscribers, once, what was found in the browser's cookie and was not `before`."""
        opening = self.working_copy.opening
        if not self._announced:
            self._announced = True
            if self._previous is None or not opening.verdict:
                announce_opening(self._under_way.browser, self._kit.attribute, opening, before)

    # -- for `WebSession`, as `ReadOnlySession` has it, too --------------------------------------------------

    @property
    def last_committed(self) -> UnitOfWork | None:
        """The last unit of this request that was committed: this one or one before, if there is any."""
        return self if self.phase is Phase.COMMITTED else self._previous

    @property
    def jars_given(self) -> frozenset[CookieJar]:
        """The cookies that the browser gets by this unit and those before."""
        before = frozenset() if self._previous is None else self._previous.jars_given
        return before if self.answer_ready.jar is None else before | {self.answer_ready.jar}

    @property
    def has_news(self) -> bool:
        """Whether this unit, or one before, has something to tell the browser."""
        return self.answer_ready is not KEEP or (self._previous is not None and self._previous.has_news)

    @property
    def description(self) -> str:
        """Where it is in its life, for a person to read."""
        return self.phase.value

    def belongs_to(self, transaction: Transaction) -> bool:
        """Return whether this is still the session to look at in a transaction that is live."""
        return self.transaction is transaction and self.phase is not Phase.ABORTED

    def see_the_end(self) -> None:
        """Do nothing: its transaction tells it."""

    def prepare_change(self, *, is_token: bool = False) -> WorkingCopy:
        """Return the session, about to be changed, and see to it that the change is noticed at commit.

        Args:
            is_token: Whether the change is only a token for a form: nobody needs to hear if it is dropped.

        Raises:
            LateChangeError: It is too late, and the commit can still be stopped.
            NoTransactionError: The request has gone, and the transaction goes on without it.
            UnsupportedSetupError: The database session belongs to another transaction manager.
        """
        copy = self.working_copy
        if self.phase is Phase.VOTED and copy.is_writable:
            if copy.writer is not None and not has_committed(copy.writer.dbsession):
                raise LateChangeError(
                    "the session was changed after its part of the commit, just before the COMMIT; change it "
                    "earlier: before or in `tpc_begin` or `commit` of a data manager, or in `before_flush`"
                )
            copy.close()
        copy.note_change(is_token=is_token)
        if not copy.is_writable:
            if not is_token:
                copy.warn_of_dropped_change("the transaction of this request has ended")
            return copy
        shared = self._under_way
        if copy.writer is None:
            copy.attach(self._database_session(shared.database))
        if not is_error_page(shared.transaction):
            copy.expect_deletions()
            copy.notice_deletions()
        elif not is_token:
            copy.pending = copy.pending._replace(by_error_page=True)
        if self.joined is not None and self.phase is Phase.OPEN:
            self._timely_join = self._timely_join or TimelyJoin()
            self._timely_join.expect(self.transaction, self._join)
        return copy

    # -- the data manager (transaction.interfaces.ISavepointDataManager) -----------------------------------

    def sortKey(self) -> str:  # noqa: N802 - the interface's name
        """Sort just before zope.sqlalchemy's manager of the same database session.

        Several sessions of one request are written in the order of their tables, whichever it has touched
        first: two requests that write the same rows wait for each other but cannot deadlock.
        """
        writer = self.working_copy.writer
        twophase = writer is not None and writer.dbsession.twophase
        before = "sqlalchemy.twophase" if twophase else "~sqlalchemy"
        # zope.sqlalchemy goes on with a colon.
        return f"{before}!{self._kit.store.features.table.fullname}"

    def tpc_begin(self, transaction: Transaction) -> None:
        """Write what the application changed. An error here aborts the transaction cleanly."""
        self.phase, self.working_copy.is_sealed = Phase.SEALED, True
        if self._timely_join is not None:
            self._timely_join.raise_error()
        last = None if self._last_committed is None else self._last_committed()
        if last is not None and last.transaction_manager is not self.transaction_manager:
            # A subrequest's, with a transaction of its own.
            is_known = last is self._previous
            if go_on_from(self._kit, self.working_copy, last.working_copy, is_known=is_known):
                self._previous = last
        write_back(self.working_copy)

    def commit(self, transaction: Transaction) -> None:
        """Write what flush listeners and other managers changed since; zope.sqlalchemy's turn is next."""
        write_back(self.working_copy)

    def tpc_vote(self, transaction: Transaction) -> None:
        """Write the last changes and encrypt the cookie, while a failure can still abort everything."""
        write_back(self.working_copy)
        self._prepare_answer()
        self.phase = Phase.VOTED

    def tpc_finish(self, transaction: Transaction) -> None:
        """Note that it is true now: zope.sqlalchemy has committed in its vote, which came after ours."""
        self.joined, self.phase = None, Phase.COMMITTED
        copy = self.working_copy
        if copy.pending.own_columns:
            # Those that a listener of the COMMIT has changed are in the row.
            copy.pending = copy.pending._replace(own_columns=False)
        if copy.may_have_work:
            copy.warn_of_dropped_change("the transaction of this request has ended")
        copy.close()

    def abort(self, transaction: Transaction) -> None:
        """Forget every change. Comes for an abort, a failed commit, and a rolled-back savepoint."""
        # After-commit hooks abort all managers of a committed transaction for tidiness: that is not news.
        if self.phase is not Phase.COMMITTED:
            self.joined = None
            requests = self._requests
            if requests and is_within_subrequest_of(requests.transaction) and self.working_copy.may_have_work:
                warn_of_subrequest()
            self.drop_changes()

    tpc_abort = abort

    def savepoint(self) -> TransactionSavepoint:
        """Return the present state, for ``request.tm.savepoint()``."""
        return TransactionSavepoint(self.working_copy.snapshot(), self.working_copy.restore)

    # -- after the transaction -----------------------------------------------------------------------------

    def answer(self, request: Request, response: Response | None) -> None:
        """Put the cookie into the response, if the commit made one true, and do the bookkeeping.

        Called from a response callback, after `pyramid_tm` is done, or from a finished callback, if an error
        went out without a response. Under a test's own doomed transaction no commit ever comes: the row is
        written here instead, for the test's next request to see.

        Args:
            request: The request that the browser sent.
            response: The response; None: there is none.
        """
        if self._answered:
            return
        self._answered = True
        if self._previous is not None:
            self._previous.answer(request, response)
        in_test = self.phase is not Phase.COMMITTED and self._end(request, response)
        if self.working_copy.is_writable:
            return
        if self._dropped and response is not None and response.status_int < 400:
            explain_drop(request, self.transaction)
        committed = self.phase is Phase.COMMITTED
        if response is not None and committed and self.answer_ready is not KEEP:
            self.answer_ready.send(request, response)
        copy = self.working_copy
        can_renew = self.answer_ready.order is CookieOrder.KEEP
        self.bookkeeping_log = after_transaction(
            self._kit, copy, request, response, can_renew=can_renew, within_test=in_test
        )
        row = copy.contents.row
        if response is not None and committed and row is not None and copy.began_here:
            announce(request, self._kit.attribute, SessionCreated, short_name(row.id), "first stored")

    def detach(self) -> None:
        """Forget the request, whose end this was, unless the transaction goes on without it."""
        if not self.working_copy.is_writable:
            # What is over does not look at them again, and the session holds its unit: two that hold each
            # other stay for the garbage collector.
            self._requests = self._last_committed = None
            self.working_copy.detach()
        if self._previous is not None:
            self._previous.detach()

    def drop_changes(self) -> None:
        """Take note that the transaction is over without a commit."""
        if self.phase is Phase.ABORTED:
            return
        if self.working_copy.pending.by_error_page and self.working_copy.may_have_work:
            warn_of_error_page()
        elif self._managed and not (self._requests and is_within_pyramid_tm(self._requests.transaction)):
            # Not what the application itself has aborted or rolled back.
            self._dropped = not self.working_copy.is_only_token and self.working_copy.may_have_work
        self.phase = Phase.ABORTED
        self.working_copy.close()
        self.working_copy.reset()
        self.answer_ready = KEEP

    # -- private -------------------------------------------------------------------------------------------

    def _database_session(self, request: Request) -> Session:
        name = self._kit.settings.dbsession_name
        dbsession = database_session(request, name)
        take_part(dbsession, name, self.transaction_manager, self.transaction)
        return dbsession

    @property
    def _under_way(self) -> Sharing:
        if self._requests is None:  # cannot be: nobody asks after the end
            raise NoTransactionError("the request that this session belonged to has ended")
        return self._requests

    def _join(self) -> None:
        copy = self.working_copy
        if copy.has_work and copy.writer is not None:
            copy.writer.connection()

    def _prepare_answer(self) -> None:
        jars = frozenset() if self._previous is None else self._previous.jars_given
        browser_request = self._under_way.browser
        self.answer_ready = prepare_answer(self._kit, self.working_copy, browser_request, jars_given=jars)

    def _end(self, request: Request, response: Response | None) -> bool:
        """Take note of the end where the transaction has not told of it; return whether a test holds that."""
        inside = self._under_way.transaction
        if self._managed and not is_within_pyramid_tm(inside):
            if self.joined is not None:
                abort_left_open(self.transaction)
            if self.phase is Phase.OPEN:
                # Doomed before the session was touched, so there was nothing to take part in.
                self.drop_changes()
        in_test = self.phase is Phase.OPEN and is_outer_test_transaction(inside, self.transaction_manager)
        if in_test and response is not None and not would_abort(request, response):
            self.working_copy.manager = None
            write_back(self.working_copy)
            self._prepare_answer()
            self.phase = Phase.COMMITTED
            self.working_copy.close()
        elif in_test:
            self.drop_changes()
        return in_test
