"""Reading a session where there is no transaction to read it in.

Error pages after a failed commit, requests for which `pyramid_tm` is switched off, tweens above it and flush
listeners that look at the session for the first time during the commit still want to know who is logged in
or which theme to use. They get the row through one short connection of its own, read-only (during the commit
through the request's own). If it cannot be read, the session is empty: an error page must never fail because
of it.
"""

from __future__ import annotations

import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import SingletonThreadPool, StaticPool
from websession_core.errors import NoTransactionError, SessionError
from websession_models import has_free_connection

from .answering import KEEP
from .bookkeeping import after_transaction
from .events import announce_own_transaction
from .opening import Opening, announce_opening, judge_cookies
from .request_transaction import TransactionState, database_session
from .row_writer import RowWriter, read_row
from .taking_part import has_committed
from .working_copy import WorkingCopy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from pyramid.request import Request
    from pyramid.response import Response
    from sqlalchemy import Connection
    from transaction import Transaction
    from websession_models import SessionRow

    from .kit import SessionKit
    from .request_transaction import Sharing
    from .tickets import CookieTickets, Presented

__all__ = ["ReadOnlySession"]

log = logging.getLogger(__name__)


class ReadOnlySession:
    """A session read outside of the application's transaction. Changes to it reach no database.

    Args:
        kit: Whose sessions these are.
        requests: Whose cookies and whose database session, which tells the engine.
        state: Where the request is in the life of its transaction. While that is being committed it is too
            late to take part in it, but its connection can still be read from.
        patient: Whether to wait for a connection. False where the request still holds one: the pool's last
            connection may be its own.

    Attributes:
        working_copy: The session in memory; nothing is in it if it could not be read, which is logged.
        state: As given, or seen later.
        joined: None: it takes part in no transaction.
        last_committed: None, likewise.
        answer_ready: The browser is told nothing.
        description: For a person to read.
        bookkeeping_log: What was recorded at the end of the request, for a person to read.
    """

    bookkeeping_log: Sequence[str] = ()
    answer_ready = KEEP
    joined = None
    last_committed = None
    description = "read-only"

    def __init__(
        self, kit: SessionKit, requests: Sharing, state: TransactionState, *, patient: bool = True
    ) -> None:
        self.state = state
        self._kit = kit
        self._patient = patient
        self._requests: Sharing | None = requests
        self._writer: RowWriter | None = None
        self._answered = False
        self.working_copy = WorkingCopy(kit, requests.browser, self._read(requests))
        self.working_copy.writer = self._writer

    def belongs_to(self, transaction: Transaction) -> bool:
        """Return whether this is still the session to look at in a transaction that is live."""
        # What an error page has read beside a dead transaction stays; what was read before the transaction
        # began may be out of date in it and is read again.
        return self.state is TransactionState.ENDED

    def see_the_end(self) -> None:
        """Take note that the request's transaction has ended."""
        self.state = TransactionState.ENDED

    def announce(self, before: Opening | None) -> None:
        """Tell the subscribers what was found in the browser's cookie and was not `before`."""
        request = None if self._requests is None else self._requests.browser
        announce_opening(request, self._kit.attribute, self.working_copy.opening, before)

    def prepare_change(self, *, is_token: bool = False) -> WorkingCopy:
        """Return the session, about to be changed for nothing.

        Args:
            is_token: As for the unit of work.

        Raises:
            NoTransactionError: No transaction has begun, or it is being committed.
        """
        requests = self._requests
        if self.state is TransactionState.COMMITTING and requests is not None:
            dbsession = database_session(requests.database, self._kit.settings.dbsession_name)
            if has_committed(dbsession):
                self.see_the_end()
        if self.state is TransactionState.ENDED:
            self.working_copy.note_change(is_token=is_token)
            if not is_token:
                self.working_copy.warn_of_dropped_change("the transaction of this request has ended")
            return self.working_copy
        if self.state is TransactionState.COMMITTING:
            raise NoTransactionError(
                "the session cannot be changed here: the transaction is being committed, and what has not "
                "been looked at before can take part in that no more. Touch request.session earlier in the "
                "request, or change it in a before-commit hook"
            )
        raise NoTransactionError(
            "the session cannot be changed here: it is stored in the request's transaction, and no "
            "transaction is active. Include pyramid_tm; see that tm.activate_hook does not switch it off "
            "for this request; in a script, a test or a tween above pyramid_tm begin one yourself: "
            "request.tm.begin()"
        )

    def drop_changes(self) -> None:
        """Do nothing: there are none that could be stored."""

    def answer(self, request: Request, response: Response | None) -> None:
        """Do the bookkeeping: activity counts whatever became of the request."""
        copy = self.working_copy
        if copy.contents.is_changed and not copy.is_only_token:
            copy.warn_of_dropped_change("no transaction is active")
        if not self._answered:
            self._answered = True
            self.bookkeeping_log = after_transaction(self._kit, copy, request, response)

    def detach(self) -> None:
        """Forget the request, whose end this was."""
        self._requests = None
        self.working_copy.detach()

    def _read(self, requests: Sharing) -> Opening:
        kit = self._kit
        presented = kit.tickets.presented(requests.browser)
        if not (_names_a_row(presented.users) or _names_a_row(presented.visitors)):
            return judge_cookies(kit, presented, _no_row)
        nothing = Opening(refusals=presented.refusals, presented=presented)
        try:
            dbsession = database_session(requests.database, kit.settings.dbsession_name)
            bind = dbsession.get_bind(kit.settings.model_class)
            engine = bind.engine
        except Exception as error:  # noqa: BLE001 - the application's code: this page shall render
            # What it says may show anything, and so may the error that this page is for, which a traceback
            # would show as its context.
            log.info("The session could not be read: no database session here (%s)", type(error).__name__)
            return nothing
        # An application that has bound its session to one connection has everything happen on that; no other
        # connection would see any of it.
        self._writer = RowWriter(kit, dbsession, requests.browser) if isinstance(bind, Engine) else None
        if self.state is TransactionState.COMMITTING and dbsession.in_transaction():
            # Its own connection, which may hold the lock that another one would wait for. A database session
            # that has just committed refuses, and holds no lock any more.
            with contextlib.suppress(SQLAlchemyError):
                mapper = {"mapper": kit.settings.model_class}
                return self._load(dbsession.connection(bind_arguments=mapper), presented)
        if isinstance(engine.pool, (SingletonThreadPool, StaticPool)):
            # In-memory SQLite: a second connection is the same one, and ending ours would roll back its work.
            log.info("The session was not read outside of a transaction: the engine has a single connection")
            return nothing
        if not self._patient and not has_free_connection(engine.pool):
            log.info("The session was not read for an error page: the connection pool has no free connection")
            return nothing
        try:
            with engine.connect() as connection, _patience(connection, patient=self._patient):
                announce_own_transaction(requests.browser, kit.attribute, connection)
                return self._load(connection, presented)
        except Exception as error:  # noqa: BLE001 - the application's listeners: this page shall render
            why = error if isinstance(error, (SQLAlchemyError, SessionError)) else type(error).__name__
            log.info("The session could not be read outside of a transaction: %s", why)
            return nothing

    def _load(self, connection: Connection, presented: Presented) -> Opening:
        store = self._kit.store
        if self._writer is not None:
            self._writer.origin = connection

        def read(session_id: UUID) -> tuple[SessionRow | None, bool]:
            row = read_row(session_id, partial(store.load, connection, session_id))
            return row, store.reorders_keys(connection)

        return judge_cookies(self._kit, presented, read)


def _names_a_row(tickets: CookieTickets) -> bool:
    return any(ticket.stored for ticket in tickets.all)


def _no_row(_session_id: UUID) -> tuple[None, bool]:
    return None, False


@contextlib.contextmanager
def _patience(connection: Connection, *, patient: bool) -> Iterator[None]:
    """Keep an impatient reader from waiting for a lock that its own request may hold: SQLite has only one."""
    if patient or connection.dialect.name != "sqlite":
        yield
        return
    # On the driver's connection: SQLAlchemy's would begin a transaction first, and wait there.
    driver: Any = connection.connection.dbapi_connection
    (usual,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute("PRAGMA busy_timeout=0").close()
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.rollback()
            driver.execute(f"PRAGMA busy_timeout={usual}").close()
