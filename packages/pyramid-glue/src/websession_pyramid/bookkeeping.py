"""Bookkeeping of one request: what we note down about its session once its transaction is over.

It must never get in the way of the application, and is not undone with its transaction: each entry is one
compare-and-set statement on a connection of its own, after the request's has gone back to the pool. What
could not be done is done by the next request. Attempts that `pyramid_retry` will repeat keep no books: the
next attempt judges anew.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from websession_core.lifecycle import Duty, bookkeeping

if TYPE_CHECKING:
    from uuid import UUID

    from pyramid.request import Request
    from sqlalchemy import Connection
    from websession_core.lifecycle import Bookkeeping, Verdict
    from websession_core.state import Ticket
    from websession_models import Bookkeeper

try:
    from pyramid_retry import is_error_retryable
except ImportError:  # without it nothing is ever retried

    def is_error_retryable(request: Request, exc: BaseException) -> bool:
        """Stand in for pyramid_retry's."""
        return False


__all__ = ["Keeper", "keep_books", "will_be_retried"]

log = logging.getLogger(__name__)


def will_be_retried(request: Request) -> bool:
    """Tell whether this attempt failed so that pyramid_retry will run the request again.

    To be asked in a response or finished callback: the error is the one an exception view has rendered, or
    the one that is on its way out.
    """
    error = getattr(request, "exception", None) or sys.exc_info()[1]
    return error is not None and is_error_retryable(request, error)


class Keeper:
    """Notes down what is due, and never lets the request suffer from it.

    Args:
        bookkeeper: Who knows the statements.
        within: The connection of a test that holds one transaction around everything; None: each entry has a
            connection and a transaction of its own.

    Attributes:
        done: What was done, and what was due and turned out not to be needed any more, for a person to read.
    """

    def __init__(self, bookkeeper: Bookkeeper, within: Connection | None = None) -> None:
        self._bookkeeper = bookkeeper
        self._within = within
        self.done: list[str] = []

    def perform(self, entry: Bookkeeping) -> bool:
        """Do one entry; return whether it took effect."""
        try:
            took_effect = self._bookkeeper.perform(entry, within=self._within)
        except SQLAlchemyError as error:
            self.done.append(f"{entry.duty} (failed)")
            # Without a traceback: it would show the request's own error, and what that shows, as its context.
            log.warning("Bookkeeping (%s) failed; the next request will try again: %s", entry.duty, error)
            return False
        self.done.append(entry.duty if took_effect else f"{entry.duty} (somebody else was first)")
        return took_effect

    def forget(self, session_id: UUID) -> None:
        """Delete what was noted down about a session that the application has deleted."""
        try:
            self._bookkeeper.forget(session_id, within=self._within)
            self.done.append("forget")
        except SQLAlchemyError as error:
            log.warning("Bookkeeping of a logout failed; cleaning up will see to it: %s", error)


def keep_books(
    keeper: Keeper,
    verdict: Verdict,
    now: int,
    *,
    rotated: bool,
    can_send: bool,
) -> Ticket | None:
    """Write what is due.

    Args:
        keeper: Who does it.
        verdict: What was decided when the request arrived.
        now: Unix seconds.
        rotated: Whether the request has given the session a new identity.
        can_send: Whether there is a response that can carry a cookie; without one no renewal begins.

    Returns:
        The renewed ticket to send, None if there is none.
    """
    candidate = None
    for entry in bookkeeping(verdict, now, rotated=rotated):
        if entry.duty is Duty.RENEW and not can_send:
            continue
        if keeper.perform(entry) and entry.candidate is not None:
            candidate = entry.candidate
    return candidate
