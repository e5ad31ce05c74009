"""Bookkeeping of one request: what is recorded about its session once its transaction is over.

It must never get in the way of the application, and is not undone with its transaction: each entry is one
compare-and-set statement on a connection of its own, after the request's has gone back to the pool. It goes
where the row is: to the engine, with the execution options, of the connection that read or wrote it. For
what only that connection's own state told the database the application is asked (`OwnTransactionBegun`). What
could not be done is done by the next request. Attempts that `pyramid_retry` will repeat record nothing: the
next attempt judges again.
"""

from __future__ import annotations

import logging
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from websession_core.errors import SessionError
from websession_core.lifecycle import Duty, bookkeeping, reschedule
from websession_core.state import short_name
from websession_models import Bookkeeper, Outcome, SchemaError, engine_like, shares_connections
from websession_models.conflicts import number_of

from .answering import Answer, CookieOrder
from .contents import OVERRIDES
from .events import SessionRenewed, announce, announce_emptied, announce_own_transaction
from .missing_rows import REMEDY
from .rate_limit import RateLimit
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

_WARNING: Final = RateLimit(60)


def will_be_retried(request: Request, error: BaseException | None) -> bool:
    """Return whether this attempt failed so that pyramid_retry will run the request again.

    Args:
        request: The request.
        error: What an exception view has rendered, or what is on its way out; None: nothing.
    """
    return error is not None and is_error_retryable(request, error)


class BestEffortBookkeeper:
    """Records what is due, and never lets the request suffer from it.

    Args:
        kit: Whose sessions these are.
        request: The request.
        origin: The connection that read or wrote the row.
        within: The connection of a test that holds one transaction around everything; None: each entry has a
            connection and a transaction of its own.

    Attributes:
        entries: What was done, and what was due but not needed any more, for a person to read.
    """

    def __init__(
        self, kit: SessionKit, request: Request, origin: Connection, within: Connection | None = None
    ) -> None:
        self._kit = kit
        self._origin = origin
        self._within = within
        self._request = request
        self._prepare = partial(announce_own_transaction, request, kit.attribute)
        self.entries: list[str] = []

    @cached_property
    def _bookkeeper(self) -> Bookkeeper:
        return Bookkeeper(self._kit.store, engine_like(self._origin), prepare=self._prepare)

    def perform(self, entry: Bookkeeping) -> bool:
        """Do one entry; return whether it took effect."""
        try:
            outcome = self._bookkeeper.attempt(entry, within=self._within)
        except Exception as error:  # noqa: BLE001 - the answer is on its way
            self.entries.append(f"{entry.duty} (failed)")
            self._log_failure(entry, error)
            return False
        if outcome is Outcome.EMPTIED:
            self._announce_emptied(entry.session_id)
        took_effect = outcome in {Outcome.DONE, Outcome.EMPTIED}
        self.entries.append(entry.duty if took_effect else f"{entry.duty} ({outcome.value})")
        if outcome is Outcome.NO_ROW:
            self._kit.missing_rows.add(entry.session_id, entry.duty, self._kit.clock())
        elif outcome is Outcome.NO_CONNECTION:
            engine = self._origin.engine
            if shares_connections(engine):
                self._kit.warn_once(_SHARED.format(type(engine.pool).__name__))
            if entry.duty is Duty.REVOKE:
                self._log_failure(entry, "no connection was free")
        return took_effect

    def _announce_emptied(self, session_id: UUID) -> None:
        """Let the application clear its own columns; the revocation stands whatever comes of it."""
        try:
            announce_emptied(
                self._request, self._kit.attribute, session_id, self._bookkeeper, within=self._within
            )
        except Exception as error:  # noqa: BLE001 - the answer is on its way
            self._warn("the columns of an emptied row", error)

    def _log_failure(self, entry: Bookkeeping, cause: Exception | str) -> None:
        # Without a traceback: it would show the request's own error, and what that shows, as its context.
        why = cause if isinstance(cause, str) else _described(cause)
        if entry.duty is Duty.REVOKE:
            name = short_name(entry.session_id)
            log.error("Session %s could not be revoked, %s: %s", name, _STILL_OPEN, why)
        elif isinstance(cause, SchemaError):
            self._kit.warn_once(f"Bookkeeping ({entry.duty}) fails each time: {why}")
        else:
            self._warn(f"{entry.duty}", cause)

    def forget(self, session_id: UUID) -> None:
        """Delete what was recorded about a session that the application has deleted."""
        try:
            self._bookkeeper.forget(session_id, within=self._within)
            self.entries.append("forget")
        except Exception as error:  # noqa: BLE001 - the answer is on its way
            self._warn("forget", error)

    def _warn(self, what: str, cause: Exception | str) -> None:
        """Log a failure, unless one of its kind just was: while no writes are taken, each request has one."""
        original = getattr(cause, "orig", None) or cause
        kind = original if isinstance(original, str) else f"{type(original).__name__} {number_of(original)}"
        if _WARNING.allows(self._origin.engine.pool, self._kit.clock(), kind):
            log.warning(
                "Bookkeeping (%s) failed; later requests, or a purge, will see to it. Others like it are not "
                "logged for a minute: %s",
                what,
                cause if isinstance(cause, str) else _described(cause),
            )


_STILL_OPEN: Final = "and anyone who has a copy of its cookie can use it until the next try succeeds"
_SHARED: Final = (
    "Nothing can be recorded about sessions, neither that they are used nor that they are revoked: with {} "
    "requests share a connection to the database. Let the engine have its usual pool, or NullPool."
)


def _described(error: Exception) -> str:
    """Return what a log may show of an error of bookkeeping."""
    if isinstance(error, SchemaError):
        return f"{error.problem}, though the request has read the session. {REMEDY}"
    if isinstance(error, IntegrityError):
        return (
            f"{error}; a foreign key of the application's, most likely: give it ON DELETE CASCADE or "
            "ON DELETE SET NULL"
        )
    # The library's errors and the database's, in which no values are; what others say may be secret.
    is_known = isinstance(error, (SQLAlchemyError, SessionError))
    return str(error) if is_known else type(error).__name__


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
    is_resettled = bool(pending.written) and not pending.written.isdisjoint(OVERRIDES)
    is_due = pending.deleted or is_resettled or opening.has_duties
    if not is_due or copy.writer is None or origin is None:
        return ()  # as in most requests: do not touch the engine for nothing
    if within_test:
        if not copy.writer.dbsession.is_active:
            return ()  # a flush has failed in the test's transaction, where nothing more can be written
        within = copy.writer.connection()
        keeper = BestEffortBookkeeper(kit, request, within, within)
    elif not origin.closed and not copy.writer.dbsession.in_transaction():
        # The application has bound its session to one connection, in whose transaction everything happens;
        # no other connection would see any of it.
        return ()
    else:
        keeper = BestEffortBookkeeper(kit, request, origin)
    for session_id in pending.deleted:
        keeper.forget(session_id)
    ticket = copy.ticket
    if is_resettled and row is not None and ticket is not None:
        # Before anything that was decided by the settings from before.
        keeper.perform(reschedule(ticket, row.state, kit.policies(row.overrides), kit.clock()))
    for verdict in opening.verdicts:
        if verdict.ticket.session_id in pending.deleted:
            continue
        rotated = pending.ticket is not None
        for entry in bookkeeping(verdict, kit.clock(), rotated=rotated, seed=kit.fresh_seed()):
            if entry.duty is Duty.RENEW and (response is None or not can_renew):
                continue
            if keeper.perform(entry) and entry.candidate is not None and response is not None:
                token, jar = kit.tickets.token(entry.candidate), kit.tickets.jar_for(entry.candidate)
                max_age, replaced = verdict.policies.cookie_max_age, kit.tickets.replaced(request, jar)
                Answer(CookieOrder.SET, token, max_age, jar, replaced).send(request, response)
                name = short_name(entry.candidate.session_id)
                announce(request, kit.attribute, SessionRenewed, name, "a renewal was due")
    return keeper.entries
