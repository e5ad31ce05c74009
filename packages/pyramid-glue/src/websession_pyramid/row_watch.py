"""What the application itself does to the session's row, through its database session.

It may write columns of its own in it, which is to lose no update, and it may delete the row: as an object,
with a user whose sessions go along (by the ORM or by ``ON DELETE CASCADE``), or by a `DELETE` of many. The
listeners only take note; what follows from it is the working copy's business.

They are registered once, on SQLAlchemy's `Session` class, as those of `savepoints`, and find who is
concerned in the database session's `info`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Table, event, inspect
from sqlalchemy.exc import NoReferenceError
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import ORMExecuteState

__all__ = ["RowWatcher", "forget", "install_row_listeners", "takes_along", "watch"]

_WATCHERS = "websession_pyramid.row_watchers"


class RowWatcher(Protocol):
    """Who hears what becomes of a row."""

    may_be_deleted: bool

    @property
    def table(self) -> Table:
        """The table of the row."""

    def after_flush(self) -> None:
        """Take note of what the flush has written."""


def watch(dbsession: Session, watcher: RowWatcher) -> None:
    """Let `watcher` hear what happens through `dbsession` from now on."""
    dbsession.info.setdefault(_WATCHERS, []).append(watcher)


def forget(dbsession: Session, watcher: RowWatcher) -> None:
    """Let `watcher` hear no more."""
    watchers = dbsession.info.get(_WATCHERS, [])
    if watcher in watchers:
        watchers.remove(watcher)


def takes_along(instance: Any, table: Table) -> bool:
    """Return whether the deletion of an object can take a row of `table` along."""
    return not _above(table).isdisjoint(inspect(instance).mapper.tables)


def _above(table: Table) -> set[Table]:
    """Return the table and those to which it refers, directly or by way of others."""
    tables: set[Table] = set()
    ahead = [table]
    while ahead:
        present = ahead.pop()
        if present not in tables:
            tables.add(present)
            ahead += _references(present)
    return tables


def _references(table: Table) -> Iterable[Table]:
    for key in table.foreign_keys:
        try:
            yield key.column.table
        except NoReferenceError:
            continue  # to a table of which this process knows nothing, so it deletes nothing from it


def _after_flush(dbsession: Session, _context: Any) -> None:
    for watcher in dbsession.info.get(_WATCHERS, ()):
        watcher.after_flush()


def _persistent_to_deleted(dbsession: Session, instance: Any) -> None:
    for watcher in dbsession.info.get(_WATCHERS, ()):
        if takes_along(instance, watcher.table):
            watcher.may_be_deleted = True


def _do_orm_execute(state: ORMExecuteState) -> None:
    # Before the statement runs, so this cannot look yet.
    watchers = state.session.info.get(_WATCHERS)
    if watchers and state.is_delete:
        table = getattr(state.statement, "table", None)
        for watcher in watchers:
            if table in _above(watcher.table):
                watcher.may_be_deleted = True


def install_row_listeners() -> None:
    """Register the listeners, once in a process however often it is called."""
    for name, listener in (
        ("after_flush", _after_flush),
        ("persistent_to_deleted", _persistent_to_deleted),
        ("do_orm_execute", _do_orm_execute),
    ):
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)
