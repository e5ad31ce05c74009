"""Reading a session where there is no transaction to read it in.

Error pages after a failed commit, requests for which `pyramid_tm` is switched off, tweens above it and flush
listeners that look at the session for the first time during the commit still want to know who is logged in
or which theme to use. They get the row through one short connection of its own, read-only (during the commit
through the request's own). What cannot be read is an empty session: an error page must never fail because of
it.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import SingletonThreadPool, StaticPool
from websession_models import has_free_connection

from .books import keep_books
from .events import SessionRenewed
from .opening import Opening, announce, announce_opening, short_name
from .unit import database_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyramid.request import Request
    from pyramid.response import Response
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session
    from websession_core.state import Ticket

    from .factory import SessionFactory
    from .opening import Refusal

__all__ = ["Apart"]

log = logging.getLogger(__name__)


class Apart:
    """A session read outside of the application's transaction. Changes to it reach no database.

    Args:
        factory: Whose sessions these are.
        request: The request; its database session tells the engine.
        ended: Whether the request had a transaction that is over, rather than none so far.
        committing: Whether the transaction is being committed: too late to take part in it, but its
            connection can still be read from.
        patient: Whether to wait for a connection. False where the request still holds one: the pool's last
            connection may be its own.

    Attributes:
        contents: What the session holds; nothing if it could not be read, which is logged.
        opening: What became of the browser's cookie.
        ended: As given, or found later.
        committing: As given.
        books: What was noted down at the end of the request, for a person to read.
    """

    books: Sequence[str] = ()

    def __init__(
        self,
        factory: SessionFactory,
        request: Request,
        *,
        ended: bool,
        committing: bool = False,
        patient: bool = True,
    ) -> None:
        self.ended = ended
        self.committing = committing
        self._factory = factory
        self._dbsession: Session | None = None
        self._patient = patient
        self._request = request
        self._answered = False
        self.opening = self._read(request)
        self.contents = self.opening.contents()

    def announce(self, before: Opening | None) -> None:
        """Tell the subscribers what was found in the browser's cookie.

        Args:
            before: What was found before, in the same request; None: nothing was looked at.
        """
        announce_opening(self._request, self._factory, self.opening, before)

    def answer(self, request: Request, response: Response | None) -> None:
        """Keep the books: activity counts whatever became of the request."""
        verdict = self.opening.verdict
        if self._answered or verdict is None or self._dbsession is None:
            return
        self._answered = True
        factory = self._factory
        keeper = factory.bookkeeper(self._dbsession, in_test=False)
        if keeper is None:
            return
        self.books = keeper.done
        candidate = keep_books(keeper, verdict, factory.clock(), rotated=False, can_send=response is not None)
        if candidate is not None and response is not None:
            factory.jar.set(request, response, factory.make_token(candidate), verdict.policies.cookie_max_age)
            announce(request, factory, SessionRenewed, short_name(candidate), "a renewal was due")

    def let_go(self) -> None:
        """Forget the request, whose end this was."""
        self._request = None

    def _read(self, request: Request) -> Opening:
        factory = self._factory
        ticket, refusals = factory.read_ticket(request)
        nothing = Opening(refusals=refusals)
        if ticket is None:
            return nothing
        try:
            dbsession = database_session(request, factory.settings.dbsession_name)
            engine = dbsession.get_bind(factory.settings.model_class).engine
        except Exception as error:  # noqa: BLE001 - the application's code: this page shall render
            # What it says may show anything, and so may the error that this page is for, which a traceback
            # would show as its context.
            log.info("The session could not be read: no database session here (%s)", type(error).__name__)
            return nothing
        self._dbsession = dbsession
        if self.committing and dbsession.in_transaction():
            # Its own connection, which may hold the lock that another one would wait for. A database session
            # that has just committed refuses, and holds no lock any more.
            with contextlib.suppress(SQLAlchemyError):
                mapper = {"mapper": factory.settings.model_class}
                return self._load(dbsession.connection(bind_arguments=mapper), ticket, refusals)
        if isinstance(engine.pool, (SingletonThreadPool, StaticPool)):
            # In-memory SQLite: a second connection is the same one, and ending ours would roll back its work.
            log.info("The session was not read outside of a transaction: the engine has a single connection")
            return nothing
        if not self._patient and not has_free_connection(engine.pool):
            log.info("The session was not read for an error page: the connection pool has no free connection")
            return nothing
        try:
            with engine.connect() as connection, _patience(connection, patient=self._patient):
                return self._load(connection, ticket, refusals)
        except SQLAlchemyError as error:
            log.info("The session could not be read outside of a transaction: %s", error)
            return nothing

    def _load(self, connection: Connection, ticket: Ticket, refusals: tuple[Refusal, ...]) -> Opening:
        factory = self._factory
        row = factory.store.load(connection, ticket.session_id)
        reorder = factory.store.reorders_keys(connection)
        return Opening.judged(factory, ticket, row, reorder=reorder, refusals=refusals)


@contextlib.contextmanager
def _patience(connection: Connection, *, patient: bool) -> Iterator[None]:
    """Keep an impatient reader from waiting for a lock that its own request may hold: SQLite has only one."""
    if patient or connection.dialect.name != "sqlite":
        yield
        return
    # On the driver's connection: SQLAlchemy's would begin a transaction first, and wait there.
    cursor = connection.connection.cursor()
    (usual,) = cursor.execute("PRAGMA busy_timeout").fetchone()
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        yield
    finally:
        connection.rollback()
        cursor.execute(f"PRAGMA busy_timeout={usual}")
        cursor.close()
