"""Reading a session where there is no transaction to read it in.

Error pages after a failed commit, requests for which `pyramid_tm` is switched off and tweens above it still
want to know who is logged in or which theme to use. They get the row through one short connection of its
own, read-only. What cannot be read is an empty session: an error page must never fail because of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool

from .contents import Contents
from .unit import database_session

if TYPE_CHECKING:
    from pyramid.request import Request
    from sqlalchemy.pool import Pool

    from .factory import SessionFactory

__all__ = ["Apart"]

log = logging.getLogger(__name__)


class Apart:
    """A session read outside of the application's transaction. Changes to it reach no database.

    Args:
        contents: What was read.
        ended: Whether the request had a transaction that is over, rather than none so far.
    """

    def __init__(self, contents: Contents, *, ended: bool) -> None:
        self.contents = contents
        self.ended = ended

    @classmethod
    def read(cls, factory: SessionFactory, request: Request, *, ended: bool, patient: bool = True) -> Apart:
        """Read the session that the browser's cookie names.

        Args:
            factory: Whose sessions these are.
            request: The request; its database session tells the engine.
            ended: Whether the request had a transaction that is over.
            patient: Whether to wait for a connection. False where the request still holds one: the pool's
                last connection may be its own.

        Returns:
            The session; an empty one if it cannot be read, which is logged, or does not exist.
        """
        return cls(_read(factory, request, patient=patient), ended=ended)


def _read(factory: SessionFactory, request: Request, *, patient: bool) -> Contents:
    ticket = factory.read_ticket(request)
    if ticket is None:
        return Contents()
    try:
        dbsession = database_session(request, factory.settings.dbsession_name)
        engine = dbsession.get_bind(factory.settings.model_class).engine
    except Exception:
        log.info("The session could not be read: there is no database session here", exc_info=True)
        return Contents()
    if isinstance(engine.pool, (SingletonThreadPool, StaticPool)):
        # In-memory SQLite: a second connection is the same one, and ending ours would roll back its work.
        log.info("The session was not read outside of a transaction: the engine has a single connection")
        return Contents()
    if not patient and not _has_free_connection(engine.pool):
        log.info("The session was not read for an error page: the connection pool has no free connection")
        return Contents()
    try:
        with engine.connect() as connection:
            row = factory.store.load(connection, ticket.session_id)
            reorder = factory.store.reorders_keys(connection)
    except SQLAlchemyError:
        log.info("The session could not be read outside of a transaction", exc_info=True)
        return Contents()
    if row is None or row.epoch != ticket.epoch:
        return Contents()
    return Contents(row, reorder=reorder)


def _has_free_connection(pool: Pool) -> bool:
    if isinstance(pool, NullPool):
        return True
    if not isinstance(pool, QueuePool):
        return False
    if pool.checkedin() > 0:
        return True
    # An overflow below zero means that the pool has not yet opened the connections it keeps.
    most: int = pool._max_overflow
    return most == -1 or pool.overflow() < most
