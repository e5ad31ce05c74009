"""zope.sqlalchemy's registration of all database sessions of a sessionmaker, once.

`zope.sqlalchemy.register` adds seven listeners. Done for each request's database session, that is a quarter
of a small request. On a sessionmaker it is done once, but then all its database sessions have one transaction
manager. Here each names its own, in its `Session.info`; what is done with it is zope.sqlalchemy's own code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from zope.sqlalchemy import ZopeTransactionEvents

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

__all__ = ["SharedRegistration", "register_sessionmaker"]

_MANAGER: Final = "transaction_manager"
_OWN: Final = "websession_pyramid.registration"


def register_sessionmaker(session_factory: sessionmaker[Any], initial_state: str = "active") -> None:
    """Let each database session of a sessionmaker join the transactions of the manager in its `info`.

    ::

        session_factory = sessionmaker(engine)
        register_sessionmaker(session_factory)
        dbsession = session_factory(info={"transaction_manager": request.tm})

    It replaces `zope.sqlalchemy.register` for each of them, which does the same and takes longer. A database
    session without a manager in its `info` is a plain one, which you commit yourself.

    Args:
        session_factory: What makes the database sessions. Register it once.
        initial_state: As for `zope.sqlalchemy.register`: with ``changed``, each transaction is committed,
            whether something was written or not.
    """
    registration = SharedRegistration(initial_state)
    for name in (
        "after_begin",
        "after_attach",
        "after_flush",
        "after_bulk_update",
        "after_bulk_delete",
        "before_commit",
        "do_orm_execute",
    ):
        event.listen(session_factory, name, getattr(registration, name))


class SharedRegistration:
    """The listeners; each asks the registration of the database session that it is about."""

    def __init__(self, initial_state: str) -> None:
        self._initial_state = initial_state

    def of(self, dbsession: Session) -> ZopeTransactionEvents | None:
        """Return what `zope.sqlalchemy.register` returns for one of its own; None: it has no manager."""
        info = dbsession.info
        manager = info.get(_MANAGER)
        if manager is None:
            return None
        own = info.get(_OWN)
        if own is None or own.transaction_manager is not manager:
            own = info[_OWN] = ZopeTransactionEvents(self._initial_state, manager)
        return own

    def after_begin(self, session: Session, transaction: Any, connection: Any) -> None:
        """Join."""
        if own := self.of(session):
            own.after_begin(session, transaction, connection)

    def after_attach(self, session: Session, instance: Any) -> None:
        """Join."""
        if own := self.of(session):
            own.after_attach(session, instance)

    def after_flush(self, session: Session, flush_context: Any) -> None:
        """Note a change."""
        if own := self.of(session):
            own.after_flush(session, flush_context)

    def after_bulk_update(self, update_context: Any) -> None:
        """Note a change."""
        if own := self.of(update_context.session):
            own.after_bulk_update(update_context)

    def after_bulk_delete(self, delete_context: Any) -> None:
        """Note a change."""
        if own := self.of(delete_context.session):
            own.after_bulk_delete(delete_context)

    def before_commit(self, session: Session) -> None:
        """Refuse a commit that is not the manager's."""
        if own := self.of(session):
            own.before_commit(session)

    def do_orm_execute(self, execute_state: Any) -> None:
        """Note a change."""
        if own := self.of(execute_state.session):
            own.do_orm_execute(execute_state)
