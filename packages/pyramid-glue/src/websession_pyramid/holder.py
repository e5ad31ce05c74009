"""What `WebSession` needs of what holds the session: a unit of work, or a read-only session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyramid.request import Request
    from pyramid.response import Response
    from transaction import Transaction

    from .answering import Answer
    from .opening import Opening
    from .unit_of_work import UnitOfWork
    from .working_copy import WorkingCopy

__all__ = ["Holder"]


class Holder(Protocol):
    """Holds one session for one request.

    Attributes:
        working_copy: The session in memory.
        answer_ready: What the browser is told with the response.
        bookkeeping_log: What was recorded at the end of the request, for a person to read.
    """

    working_copy: WorkingCopy
    answer_ready: Answer
    bookkeeping_log: Sequence[str]

    @property
    def joined(self) -> Transaction | None:
        """The transaction that it takes part in and whose end it is told of, None if there is none."""

    @property
    def last_committed(self) -> UnitOfWork | None:
        """The last unit of work of the request that was committed, None if none was."""

    @property
    def description(self) -> str:
        """Where it is in its life, for a person to read."""

    def belongs_to(self, transaction: Transaction) -> bool:
        """Return whether this is still the session to look at in a transaction that is live."""

    def see_the_end(self) -> None:
        """Take note that the request's transaction has ended."""

    def announce(self, before: Opening | None) -> None:
        """Tell the subscribers what was found in the browser's cookie, if that is news."""

    def prepare_change(self, requests: Callable[[], tuple[Request, Request]]) -> WorkingCopy:
        """Return the session, about to be changed.

        Raises:
            NoTransactionError: There is no transaction to store the change in.
        """

    def for_writing(self) -> UnitOfWork:
        """Return the unit of work.

        Raises:
            NoTransactionError: Nothing can be written any more.
        """

    def drop_changes(self) -> None:
        """Take note that the transaction is over without a commit."""

    def answer(self, request: Request, response: Response | None) -> None:
        """Put the cookie into the response, if there is one to send, and do the bookkeeping."""

    def detach(self) -> None:
        """Forget the request, whose end this was."""
