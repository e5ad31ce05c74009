"""Savepoints of the database session, followed in memory.

A session's changes are kept in memory until the commit, so `dbsession.begin_nested()` with a rollback would
undo the application's rows and leave the session's changes standing. These listeners take a snapshot when a
savepoint begins and bring it back when it is rolled back.

They are registered once, on SQLAlchemy's `Session` class (about half a microsecond for a transaction
without sessions of ours), because registering listeners on every database session of every request costs
more than reading the session. Who listens is recorded in the database session's own `info`.

`after_soft_rollback` cannot serve: it is not called for every savepoint. A savepoint that ended without a
commit before was rolled back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.orm import Session
from transaction.interfaces import IDataManagerSavepoint
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import SessionTransaction

__all__ = ["SavepointStack", "TransactionSavepoint", "install_listeners"]

_FOLLOWERS = "websession_pyramid.savepoint_followers"


class SavepointStack:
    """The open savepoints of one database session, each with the state to go back to.

    Args:
        take: Returns the present state.
        restore: Brings a state back; may be called more than once with the same one.
    """

    def __init__(self, take: Callable[[], Any], restore: Callable[[Any], None]) -> None:
        self._take = take
        self._restore = restore
        self._open: list[tuple[SessionTransaction, Any]] = []
        self._dbsession: Session | None = None

    def follow(self, dbsession: Session) -> None:
        """Follow the savepoints of `dbsession` from now on.

        Savepoints that are open already go back to the present state: nothing has been changed so far.
        """
        self._dbsession = dbsession
        dbsession.info.setdefault(_FOLLOWERS, []).append(self)
        outer: SessionTransaction | None = dbsession.get_nested_transaction()
        already_open = []
        while outer is not None:
            if outer.nested:
                already_open.append((outer, self._take()))
            outer = outer.parent
        self._open = already_open[::-1]

    def forget(self) -> None:
        """Stop following."""
        if self._dbsession is not None:
            followers = self._dbsession.info.get(_FOLLOWERS, [])
            if self in followers:
                followers.remove(self)
            self._dbsession = None
        self._open.clear()

    def begin(self, savepoint: SessionTransaction) -> None:
        """Note that `savepoint` has begun."""
        self._open.append((savepoint, self._take()))

    def end(self, savepoint: SessionTransaction, *, released: bool) -> None:
        """Note that `savepoint`, and every later one, is over; if `released`, what happened in it stays."""
        for index, (other, state) in enumerate(self._open):
            if other is savepoint:
                del self._open[index:]
                if not released:
                    self._restore(state)
                return


@implementer(IDataManagerSavepoint)
class TransactionSavepoint:
    """A savepoint of the whole transaction, as far as a session is concerned: the state to go back to."""

    def __init__(self, state: Any, restore: Callable[[Any], None]) -> None:
        self._state = state
        self._restore = restore

    def rollback(self) -> None:
        """Bring the session back to what it was at the savepoint."""
        self._restore(self._state)


def _followers(dbsession: Session) -> tuple[SavepointStack, ...]:
    return tuple(dbsession.info.get(_FOLLOWERS, ()))


def _after_create(dbsession: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        for follower in _followers(dbsession):
            follower.begin(transaction)


def _after_commit(dbsession: Session) -> None:
    savepoint = dbsession.get_nested_transaction()
    if savepoint is not None:
        for follower in _followers(dbsession):
            follower.end(savepoint, released=True)


def _after_end(dbsession: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        for follower in _followers(dbsession):
            follower.end(transaction, released=False)


def install_listeners() -> None:
    """Register the listeners, once in a process however often it is called."""
    for name, listener in (
        ("after_transaction_create", _after_create),
        ("after_commit", _after_commit),
        ("after_transaction_end", _after_end),
    ):
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)
