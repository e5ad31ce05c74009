"""Bookkeeping of one request: what is recorded about its session once its transaction is over.

It must never get in the way of the application, and is not undone with its transaction: each entry is one
compare-and-set statement on a connection of its own, after the request's has gone back to the pool. It goes
where the row is: to the engine, with the execution options, of the connection that read or wrote it. What
could not be done is done by the next request. Attempts that `pyramid_retry` will repeat record nothing: the
next attempt judges again.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from websession_core.lifecycle import Duty, bookkeeping, reschedule
from websession_core.state import short_name
from websession_models import Bookkeeper, engine_like

from .contents import OVERRIDES
from .events import SessionRenewed, announce
from .retries import is_error_retryable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pyramid.request import Request
    from pyramid.response import Response
    from sqlalchemy import Connection
    from websession_core.lifecycle import Bookkeeping

    from .kit import SessionKit
    from .working_copy import WorkingCopy

__all__ = ["after_transaction", "will_be_retried"]

log = logging.getLogger(__name__)


def will_be_retried(request: Request) -> bool:
    """Return whether this attempt failed so that pyramid_retry will run the request again.

    To be asked in a response or finished callback: the error is the one an exception view has rendered, or
    the one that is on its way out.
    """
    error = getattr(request, "exception", None) or sys.exc_info()[1]
    return error is not None and is_error_retryable(request, error)


class BestEffortBookkeeper:
    """Records what is due, and never lets the request suffer from it.

    Args:
        kit: Whose sessions these are.
        origin: The connection that read or wrote the row.
        within: The connection of a test that holds one transaction around everything; None: each entry has a
            connection and a transaction of its own.

    Attributes:
        entries: What was done, and what was due but not needed any more, for a person to read.
    """

    def __init__(self, kit: SessionKit, origin: Connection, within: Connection | None = None) -> None:
        self._bookkeeper = Bookkeeper(kit.store, engine_like(origin))
        self._within = within
        self.entries: list[str] = []

    def perform(self, entry: Bookkeeping) -> bool:
        """Do one entry; return whether it took effect."""
        try:
            took_effect = self._bookkeeper.perform(entry, within=self._within)
        except SQLAlchemyError as error:
            self.entries.append(f"{entry.duty} (failed)")
            # Without a traceback: it would show the request's own error, and what that shows, as its context.
            log.warning("Bookkeeping (%s) failed; the next request will try again: %s", entry.duty, error)
            return False
        self.entries.append(entry.duty if took_effect else f"{entry.duty} (somebody else was first)")
        return took_effect

    def forget(self, session_id: UUID) -> None:
        """Delete what was recorded about a session that the application has deleted."""
        try:
            self._bookkeeper.forget(session_id, within=self._within)
            self.entries.append("forget")
        except SQLAlchemyError as error:
            log.warning("Bookkeeping of a logout failed; cleaning up will see to it: %s", error)


def after_transaction(
    kit: SessionKit,
    copy: WorkingCopy,
    request: Request,
    response: Response | None,
    *,
    can_renew: bool = True,
    within_test: bool = False,
) -> Sequence[str]:
    """Record what is due; a renewed cookie goes out only if its entry took effect.

    Args:
        kit: Whose session it is.
        copy: The session, as it was read or as it was written.
        request: The request that the browser sent.
        response: The response; None: there is none.
        can_renew: Whether the response has room for a renewed cookie; else no renewal begins.
        within_test: Whether a test holds one doomed transaction around everything: the bookkeeping is done in
            it, since nothing that it has written is visible elsewhere.

    Returns:
        What was done, for a person to read.
    """
    opening, pending, row = copy.opening, copy.pending, copy.contents.row
    origin = None if copy.writer is None else copy.writer.origin
    verdict = opening.verdict
    is_resettled = not pending.written.isdisjoint(OVERRIDES)
    has_duties = verdict is not None and bool(verdict.duties)
    if copy.writer is None or origin is None or not (pending.deleted or is_resettled or has_duties):
        return ()  # as in most requests: do not touch the engine for nothing
    if within_test:
        if not copy.writer.dbsession.is_active:
            return ()  # a flush has failed in the test's transaction, where nothing more can be written
        within = copy.writer.connection()
        keeper = BestEffortBookkeeper(kit, within, within)
    elif not origin.closed and not copy.writer.dbsession.in_transaction():
        # The application has bound its session to one connection, in whose transaction everything happens;
        # no other connection would see any of it.
        return ()
    else:
        keeper = BestEffortBookkeeper(kit, origin)
    for session_id in pending.deleted:
        keeper.forget(session_id)
    ticket = copy.ticket
    if is_resettled and row is not None and ticket is not None:
        # Before anything that was decided by the settings from before.
        keeper.perform(reschedule(ticket, row.state, kit.policies(row.overrides), kit.clock()))
    if verdict is not None and (opening.row is None or opening.row.id not in pending.deleted):
        for entry in bookkeeping(verdict, kit.clock(), rotated=pending.ticket is not None):
            if entry.duty is Duty.RENEW and (response is None or not can_renew):
                continue
            if keeper.perform(entry) and entry.candidate is not None and response is not None:
                token = kit.tickets.token(entry.candidate)
                kit.jar.set(request, response, token, verdict.policies.cookie_max_age)
                name = short_name(entry.candidate.session_id)
                announce(request, kit.attribute, SessionRenewed, name, "a renewal was due")
    return keeper.entries
