"""Whether the application's database session takes part in the request's transaction.

`zope.sqlalchemy.register` listens to the beginning of the database session's transaction and joins it to the
one of a transaction manager then. Two things go wrong with that, and neither says a word by itself: it may
have been told of another manager, and a database session that its registration keeps
(``keep_session=True``) may still be in the transaction of an earlier request, so that nothing begins.

And once the managers of a transaction are being committed no further one can join it, so a database session
that is not used before the session's row is written would come too late: see `TimelyJoin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transaction.interfaces import NoTransaction
from zope.sqlalchemy import ZopeTransactionEvents

from .errors import UnsupportedSetupError
from .registration import SharedRegistration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session
    from transaction import Transaction, TransactionManager

__all__ = ["TimelyJoin", "has_committed", "is_kept", "take_part"]


def take_part(dbsession: Session, name: str, manager: TransactionManager, transaction: Transaction) -> None:
    """See to it that a registered database session takes part in `transaction`.

    Nothing is opened for that. One that is not registered is told when it is to be written through: the
    application may join it by itself until then.

    Args:
        dbsession: The database session.
        name: The attribute of the request that holds it.
        manager: The manager of the transaction.
        transaction: The transaction, which is live.

    Raises:
        UnsupportedSetupError: It is registered with another transaction manager.
    """
    registrations = list(_registrations(dbsession))
    for registration in registrations:
        if _has(registration.transaction_manager, manager, transaction):
            if dbsession.in_transaction():
                registration.join_transaction(dbsession)
            return
    if registrations:
        raise UnsupportedSetupError(
            f"request.{name} is registered with another transaction manager than the request's, so nothing "
            f"written through it would be committed, and its connection would never be given back; register "
            "it with zope.sqlalchemy.register(dbsession, transaction_manager=request.tm)"
        )


class TimelyJoin:
    """Makes a database session join before the managers of the transaction are committed, in a hook.

    Args:
        join: Uses the database session if something is to be written through it, so that it joins.
    """

    __slots__ = ("_error", "_is_expected", "_join")

    def __init__(self, join: Callable[[], None]) -> None:
        self._join = join
        self._is_expected = False
        self._error: Exception | None = None

    def expect(self, transaction: Transaction) -> None:
        """Join before the commit of `transaction`.

        To be called with every change: a hook that runs after this one's may make another.
        """
        if not self._is_expected:
            self._is_expected = True
            transaction.addBeforeCommitHook(self._run)

    def raise_error(self) -> None:
        """Raise what the database session has raised instead of joining, if it did."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None

    def _run(self) -> None:
        self._is_expected = False
        try:
            self._join()
        except Exception as error:  # noqa: BLE001 - pyramid_tm does not abort where a hook has raised
            self._error = error  # the data manager raises it, where that aborts everything


def has_committed(dbsession: Session) -> bool:
    """Return whether the database session, in the commit of the request's transaction, has done its part."""
    transaction = dbsession.get_transaction()
    return transaction is None or not transaction.is_active


def is_kept(dbsession: Session) -> bool:
    """Return whether the database session's registration keeps it, and its transaction, after the request."""
    return any(registration.keep_session for registration in _registrations(dbsession))


def _registrations(dbsession: Session) -> Iterator[ZopeTransactionEvents]:
    for listener in dbsession.dispatch.after_begin:
        registration = getattr(listener, "__self__", None)
        if isinstance(registration, SharedRegistration):
            registration = registration.of(dbsession)
        if isinstance(registration, ZopeTransactionEvents):
            yield registration


def _has(other: TransactionManager, manager: TransactionManager, transaction: Transaction) -> bool:
    if other is manager:
        return True
    try:
        return other.get() is transaction
    except NoTransaction:
        return False
