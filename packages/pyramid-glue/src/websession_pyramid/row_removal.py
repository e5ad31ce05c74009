"""How rows are removed on the request's connection: deleted, or emptied where something refers to them.

Where the model has relationships the ORM deletes them, since only it knows how they cascade. A row that a
foreign key of the application's keeps is emptied, and the application hears of it (`SessionEmptied`).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import load_only
from websession_core.state import short_name
from websession_models.emptying import (
    checked_at_once,
    is_kept_at_commit,
    is_no_session,
    keys_checked_at_commit,
    of_row,
)
from websession_models.own_transactions import outlasting_refusal

from .events import KEPT_ROW, SessionEmptied, announce
from .identity_map import expire_references, expunge_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session
    from websession_models.features import ModelFeatures

    from .pending import Pending
    from .row_writer import RowWriter

__all__ = ["delete_all", "delete_rows"]


def delete_rows(writer: RowWriter, pending: Pending) -> Pending:
    """Delete the rows that are to be deleted; return what is pending then."""
    connection = writer.connection()
    for session_id in pending.to_delete:
        _end(writer, connection, session_id)
    # Only now: a deletion that has failed, and whose error the application swallows, is still to do.
    deleted = (*pending.deleted, *pending.to_delete)
    return pending._replace(to_delete=(), deleted=deleted)


def delete_all(writer: RowWriter, but: UUID | None) -> tuple[int, Sequence[UUID]]:
    """Delete all sessions of the model at once, but one if it is given.

    Returns:
        How many there were; and which, if it had to be done one by one.
    """
    if writer.dbsession.autoflush:
        writer.flush()
    features = writer.kit.store.features
    statement = delete(features.table).where(features.criterion())
    if but is not None:
        statement = statement.where(features.columns["id"] != but)
    connection = writer.connection()
    if not keys_checked_at_commit(connection, features):
        # Else one by one: which of them something refers to no error says.
        with suppress(IntegrityError), outlasting_refusal(connection), checked_at_once(connection, features):
            return connection.execute(statement).rowcount, ()
    key = features.columns["id"]
    ids = select(key).where(features.criterion(), ~is_no_session(features))
    if but is not None:
        ids = ids.where(key != but)
    session_ids = connection.execute(ids).scalars().all()
    for session_id in session_ids:
        _end(writer, connection, session_id)
    return len(session_ids), session_ids


def _end(writer: RowWriter, connection: Connection, session_id: UUID) -> None:
    """Delete a row, or empty it where a foreign key of the application's forbids that."""
    kit, model = writer.kit, writer.kit.settings.model_class
    if not is_kept_at_commit(connection, kit.store.features, session_id):
        try:
            _delete(writer, connection, session_id)
        except IntegrityError:
            if not writer.dbsession.is_active:
                raise  # the transaction is over; somebody else's flush has failed
        else:
            return
    kit.store.empty(connection, session_id)
    expunge_row(writer.dbsession, model, session_id)
    expire_references(writer.dbsession, model, kit.store.features.columns)
    update = of_row(kit.store.features, session_id)
    announce(
        writer.browser_request,
        kit.attribute,
        SessionEmptied,
        short_name(session_id),
        KEPT_ROW,
        connection,
        update,
    )


def _delete(writer: RowWriter, connection: Connection, session_id: UUID) -> None:
    """Delete a row, by the ORM where the model has relationships: only it knows how they cascade."""
    kit, model, dbsession = writer.kit, writer.kit.settings.model_class, writer.dbsession
    if writer.mapper.relationships:
        # Nothing but the key: a row that cannot be read can be deleted all the same.
        columns = load_only(writer.mapper.attrs["id"].class_attribute)
        instance: Any = dbsession.get(model, session_id, options=[columns])
        if instance is not None:
            _delete_instance(dbsession, instance, connection, kit.store.features)
    else:
        with outlasting_refusal(connection), checked_at_once(connection, kit.store.features):
            kit.store.delete(connection, session_id)
        expunge_row(dbsession, model, session_id)
    expire_references(dbsession, model, kit.store.features.columns)


def _delete_instance(
    dbsession: Session, instance: Any, connection: Connection, features: ModelFeatures
) -> None:
    """Delete an object so that the transaction goes on if a constraint refuses it."""
    savepoint = dbsession.begin_nested()
    try:
        with checked_at_once(connection, features):
            dbsession.delete(instance)
            dbsession.flush()
    except DBAPIError as error:
        # MySQL and MariaDB: a conflict takes the savepoint along, and to go back to it is another error.
        first: BaseException = error
        while isinstance(first.__context__, DBAPIError):
            first = first.__context__
        if isinstance(first, IntegrityError):
            savepoint.rollback()
        raise first from None
    savepoint.commit()
