"""The way of a working copy into the row: what is due, in which order, and when it is too late.

`row_writer` and `row_removal` have the statements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import LateChangeError
from .row_removal import delete_rows

if TYPE_CHECKING:
    from .working_copy import WorkingCopy

__all__ = ["write_back", "write_back_now"]


def write_back(copy: WorkingCopy) -> None:
    """Write what has changed since the last write.

    Raises:
        LateChangeError: It is too late for that.
    """
    if copy.may_be_deleted:
        copy.notice_deletions()
    if copy.is_untouched:
        return
    writer, manager = copy.writer, copy.manager
    if copy.pending.deleted and manager is not None and writer is not None:
        # The browser is going to be told. zope.sqlalchemy may not have heard of it: a statement on tables
        # marks nothing.
        writer.mark_changed(manager)
    due = _due(copy)
    if due is None:
        return
    if writer is None or (copy.is_sealed and not writer.dbsession.in_transaction()):
        raise LateChangeError(
            "the session was changed when the database session had already left the commit (it closes in "
            "its `commit` step if it has nothing to write); change the session earlier, or write "
            "something through the database session as well"
        )
    if manager is not None:
        writer.mark_changed(manager)
    if (copy.is_sealed or writer.dbsession.autoflush) and writer.flush():
        # Its listeners may have changed the session, and it may have deleted the row.
        copy.notice_deletions()
        due = _due(copy)
        if due is None:
            return
    is_stored, data, flash = due
    contents = copy.contents
    if copy.pending.to_delete:
        copy.pending = delete_rows(writer, copy.pending)
    if is_stored:
        is_new = contents.row is None
        # Only for a new ticket: not where data has changed.
        seed = (
            copy.certain_seed(copy.seed_of_forms if is_new else None) if is_new or contents.rotating else None
        )
        copy.pending = writer.store(contents, copy.pending, copy.ticket, data, flash, seed=seed)
    contents.changes, contents.rotating = {}, False
    if data is not None:
        contents.payload.rebase(data)
    if flash is not None:
        contents.flash.rebase(flash)


def write_back_now(copy: WorkingCopy) -> Any:
    """Write the session at once, even an empty new one; return the row as an object of the model's class.

    Raises:
        LateChangeError: There can be no row in this request.
    """
    copy.want_row()
    write_back(copy)
    row = copy.contents.row
    if row is None:
        raise LateChangeError(
            "the session cannot be stored in this request: its cookie is older than the session's "
            "present identity, and only a login starts a new one"
        )
    return copy.attached.instance(row.id)


def _due(copy: WorkingCopy) -> tuple[bool, str | None, str | None] | None:
    """Return whether the row is to be stored, and its new texts; None: nothing is to be written.

    Everything is checked and serialized before the first statement, so nothing half-written stays.
    """
    contents = copy.contents
    data, flash = contents.payload.serialize_changed(), contents.changed_flash()
    is_changed = data is not None or flash is not None or contents.rotating or bool(contents.changes)
    is_stored = copy.stores(changed=is_changed)
    return (is_stored, data, flash) if is_stored or copy.pending.to_delete else None
