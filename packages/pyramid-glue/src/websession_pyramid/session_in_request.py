"""The session of one request: which holder has it, and who answers for it when the request ends.

`WebSession` is its face. The holder changes with the request's transaction: `SessionInRequest.open` finds
the one of now. Subrequests share it or have one of their own, and each is answered with the request that
the browser sent, by whose callbacks the cookies leave.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import ref

from websession_core.errors import NoTransactionError

from .bookkeeping import will_be_retried
from .earlier_attempts import earlier_attempt, pass_on
from .forms_ticket import send_ticket_for_forms
from .read_only import ReadOnlySession
from .request_transaction import (
    Sharing,
    TransactionState,
    is_error_page,
    is_within_another,
    is_within_pyramid_tm,
    manager_of,
    sharing,
    transaction_state,
)
from .unit_of_work import Phase, UnitOfWork

if TYPE_CHECKING:
    from weakref import ReferenceType

    from pyramid.request import Request
    from pyramid.response import Response
    from transaction import Transaction, TransactionManager

    from .earlier_attempts import EarlierAttempt
    from .kit import SessionKit

__all__ = ["Holder", "SessionInRequest"]

log = logging.getLogger(__name__)

Holder: TypeAlias = UnitOfWork | ReadOnlySession
"""What has the working copy."""

_ATTRIBUTE = "_in_request"  # where the face has it


class SessionInRequest:
    """The session of one request, behind its face.

    Args:
        kit: Whose sessions these are.
        request: The request.
        face: What the application sees of it, which is to have this one as ``_in_request``.
    """

    __slots__ = (
        "_answered",
        "_earlier",
        "_face",
        "_holder",
        "_kit",
        "_lender",
        "_past",
        "_request",
        "_seen_active",
        "_shared",
    )

    def __init__(self, kit: SessionKit, request: Request, face: Any) -> None:
        self._kit = kit
        # None after the request's end, when weak references take its place: the request holds its session,
        # and two that hold each other stay, with all that the request has, for the garbage collector. So
        # would the session and its face.
        self._request: Request | None = request
        self._face: ReferenceType[Any] = ref(face)
        self._past: tuple[ReferenceType[Request], ...] | None = None
        self._shared: Sharing | None = None
        self._lender: SessionInRequest | None = None
        self._holder: Holder | None = None
        self._earlier: EarlierAttempt | None = None
        self._seen_active = False
        # Those that are answered with the browser's request, if that is this one: its own, and those of
        # subrequests with transactions of their own.
        self._answered: list[SessionInRequest] = []

    @property
    def holder(self) -> Holder | None:
        """What holds the session, None as long as nobody has looked at it."""
        return self._holder if self._lender is None else self._lender.holder

    def open(self) -> Holder:
        """Return what holds the session now; the first time it is read.

        Raises:
            NoTransactionError: The request has ended, and the session was never looked at.
        """
        holder = self._find_holder()
        copy = holder.working_copy
        if copy.may_be_deleted and not (self._request is not None and is_error_page(self._request)):
            copy.notice_deletions()
        return holder

    def _find_holder(self) -> Holder:
        """Return what holds the session now.

        ================  ==================  ===================================  ===================
        the transaction   nothing opened yet  a unit of work                       a read-only session
        ================  ==================  ===================================  ===================
        has not begun     read-only           stays                                stays
        is live           a unit of work      stays if it is of this transaction,  a unit of work
                                              not aborted; else the next one,
                                              which goes on with its ticket
        being committed   read-only, through  stays                                stays
                          its connection
        has ended         read-only           stays                                stays, to the end
        ================  ==================  ===================================  ===================

        An error page in a live transaction whose database is dead reads beside it, and stays with that.
        """
        holder, shared = self._holder, self._shared
        if holder is not None and holder.joined is not None and shared is not None:
            # As a rule: a unit of work that will be told of the end.
            if transaction_state(shared.transaction, joined=holder.joined)[0] is TransactionState.LIVE:
                return holder
            holder.drop_changes()
        lender = self._look_for_lender()
        if lender is not None:
            return lender.open()
        try:
            shared, home = self._requests()
        except NoTransactionError:
            if holder is None:
                raise
            return holder
        request = shared.transaction
        state, transaction = transaction_state(request, seen_active=self._seen_active)
        if transaction is not None:
            if not self._seen_active:
                self._seen_active = is_within_pyramid_tm(request)
            if holder is None or not holder.belongs_to(transaction):
                holder = self._open_in(transaction, shared, home)
        elif holder is None:
            # Another connection may wait for what the request's own holds.
            patient = state is not TransactionState.COMMITTING and not is_within_another(request)
            holder = ReadOnlySession(self._kit, shared, state, patient=patient)
        elif state is TransactionState.ENDED:
            holder.see_the_end()
        before, self._holder = self._holder, holder
        if holder is not before:
            holder.announce(None if before is None else before.working_copy.opening)
            if self._kit.take_over is not None and transaction is not None:
                self._take_over(holder, shared.browser, transaction)
        return holder

    def _take_over(self, holder: Holder, request: Request, transaction: Transaction) -> None:
        """Take over the session that another library has kept for the browser."""
        take_over, face = self._kit.take_over, self._face()
        if take_over is None or face is None or not isinstance(holder, UnitOfWork) or is_error_page(request):
            return
        if not take_over.is_wanted(request):
            return
        is_known = holder.working_copy.opening.verdict is not None
        take_over.apply(face, request, transaction, is_known=is_known)

    def _open_in(self, transaction: Transaction, shared: Sharing, home: SessionInRequest) -> Holder:
        # On the transaction, and not on the request, since subrequests share it; by the request the browser
        # sent, since a test's transaction goes through many requests.
        try:
            units = transaction.data(self._kit)
        except KeyError:
            units = {}
            transaction.set_data(self._kit, units)
        unit: UnitOfWork | None = units.get(shared.browser)
        if unit is not None and unit.phase is not Phase.ABORTED:
            return unit
        manager: TransactionManager = manager_of(shared.transaction)
        previous, earlier = home._last_committed(), home._earlier
        if earlier is not None and previous is earlier.last and not earlier.is_seen_by(shared, manager):
            previous = None
        unit = UnitOfWork(
            self._kit, shared, transaction, manager, previous=previous, last_committed=home._last_committed
        )
        try:
            unit.load()
        except Exception as error:
            if not is_error_page(shared.transaction):
                raise
            # Whatever it is, the page shall render. It is an error page inside a transaction whose database
            # side is dead, or whose database session the application cannot make. The request's connection is
            # still checked out, so another one is taken only if the pool has one to spare.
            kind = type(error).__name__  # what it says repeats the values of the application's statement
            log.debug("An error page could not read the session in its transaction (%s)", kind)
            return ReadOnlySession(self._kit, shared, TransactionState.ENDED, patient=False)
        units[shared.browser] = unit
        return unit

    def _last_committed(self) -> UnitOfWork | None:
        """Return what the browser's request, if it is this one's, or its subrequests have committed last."""
        for session in reversed(self._answered):
            unit = None if session._holder is None else session._holder.last_committed
            if unit is not None:
                return unit
        return None if self._earlier is None else self._earlier.last

    def _look_for_lender(self) -> SessionInRequest | None:
        """Return the session that this one is, in a subrequest that shares it; None: it is one of its own."""
        request = self._request
        if request is None or self._seen_active:
            return self._lender
        shared = sharing(request, self._kit.tickets.named_session)
        if shared is not None:
            lender = self._session_of(shared.session)
            if lender is self:
                self._lender, self._shared = None, shared
            elif self._lender is None:
                self._lender = lender
                request.add_finished_callback(self._let_go)
        return self._lender

    def _session_of(self, request: Request) -> SessionInRequest:
        """Return the session of the same kind that another request has; this one, if it has none."""
        if request is self._request:
            return self
        session = getattr(getattr(request, self._kit.attribute, None), _ATTRIBUTE, None)
        return session if isinstance(session, SessionInRequest) and session._kit is self._kit else self

    def _requests(self) -> tuple[Sharing, SessionInRequest]:
        """Return the requests concerned, and the session of the browser's, which answers for this one.

        Raises:
            NoTransactionError: They have ended, and nobody has them any more.
        """
        if self._past is not None:
            session, transaction, browser = (request() for request in self._past)
            if session is None or transaction is None or browser is None:
                raise NoTransactionError("the request that this session belonged to has ended")
            return Sharing(session, transaction, browser), self._session_of(browser)
        shared = self._shared
        if shared is None:
            shared = self._shared = Sharing(self._request, self._request, self._request)
        home = self._session_of(shared.browser)
        home._expect_answer(self, shared)
        return shared, home

    def _expect_answer(self, session: SessionInRequest, shared: Sharing) -> None:
        """Answer for a session, when the browser's request ends, which is this one's."""
        if not self._answered:
            self._earlier = earlier_attempt(shared.browser, self._kit)
            shared.browser.add_response_callback(self._respond)
            shared.browser.add_finished_callback(self._finish)
        elif any(one is session for one in self._answered):
            return
        self._answered.append(session)
        if not shared.is_answered:
            shared.transaction.add_finished_callback(self._finish)

    def _respond(self, request: Request, response: Response) -> None:
        self._kit.jar.vary(response)
        if not will_be_retried(request, getattr(request, "exception", None)):
            self._answer(request, response)

    def _answer(self, request: Request, response: Response | None) -> None:
        if self._earlier is not None:
            self._earlier.last.answer(request, response)
        for session in self._answered:
            holder = session._holder
            if holder is None:
                continue
            if not session._goes_on:
                holder.answer(request, response)
            if response is not None and self._kit.visitor_jar is not None:
                copy = holder.working_copy
                presented = None if copy.pending.forgets_cookies else copy.opening.presented
                send_ticket_for_forms(self._kit, request, response, presented)

    @property
    def _goes_on(self) -> bool:
        """Whether the transaction is that of a request around the browser's.

        It is for a subrequest with another session's cookie, whose response is made before the commit and can
        tell nothing of it.
        """
        holder, shared = self._holder, self._shared
        return (
            holder is not None
            and shared is not None
            and holder.working_copy.is_writable
            and not shared.is_answered
        )

    def _finish(self, request: Request) -> None:
        # An error may have gone out without a response: activity counts all the same. It is under way here;
        # where there was a response it is somebody else's, whose handler has called us, and all is done.
        if not will_be_retried(request, getattr(request, "exception", None) or sys.exc_info()[1]):
            self._answer(request, None)
        elif request is self._request:
            pass_on(request, self._kit, self._last_committed())
        going_on = []
        for session in self._answered:
            if session._goes_on:
                going_on.append(session)
            else:
                session._let_go(request)
        self._answered = going_on

    def _let_go(self, _request: Request) -> None:
        """Forget the request, whose end this was."""
        if self._request is not None and self._lender is None:
            shared = self._shared or Sharing(self._request, self._request, self._request)
            self._past = tuple(map(ref, shared))
        self._request = self._shared = self._earlier = None
        if self._holder is not None:
            self._holder.detach()
