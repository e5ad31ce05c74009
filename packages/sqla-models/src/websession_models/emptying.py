"""What becomes of an ended session whose row a foreign key of the application's keeps from being deleted.

The row is emptied: it belongs to nobody, holds nothing, and has an epoch that no ticket has, by which it is
known. It is no session any more: requests do not find it, and nothing counts or lists it. Of its companion
only a deadline stays that has passed, so that the next purge tries to delete it. The columns of the
application's own are the application's.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, case, cast, delete, exists, insert, literal, select, update

from .companion import KEY
from .executing import ID, ask, execute

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, ForeignKey, Update

    from .envelope import Envelope
    from .features import ModelFeatures

__all__ = [
    "ENDED",
    "checked_at_once",
    "close_companion",
    "empty_row",
    "is_kept_at_commit",
    "is_no_session",
    "keeping_columns",
    "keys_checked_at_commit",
    "of_row",
]

ENDED: Final = 2**31 - 1
"""The epoch of a row that is no session any more: the highest that the column holds."""

_FIRST_VERSION: Final = 1

_LETS_GO: Final = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


def keeping_columns(features: ModelFeatures) -> Iterator[str]:
    """Yield the columns of the application, as its metadata has them, that keep a row from being deleted."""
    for key in _keeping_keys(features):
        yield f"{key.parent.table.name}.{key.parent.name}"


def _keeping_keys(features: ModelFeatures) -> Iterator[ForeignKey]:
    table = features.table
    for other in table.metadata.tables.values():
        for key in other.foreign_keys:
            # By the name: what a key refers to may not be declared yet, and then cannot be asked for.
            refers = (
                key.target_fullname.rpartition(".")[0] == table.fullname and other is not features.companion
            )
            if refers and str(key.ondelete or "").upper() not in _LETS_GO:
                yield key


def keys_checked_at_commit(connection: Connection, features: ModelFeatures) -> list[ForeignKey]:
    """Return the foreign keys that keep a row, and of which SQLite says so at the COMMIT only.

    There it is the model that has to know of them; on PostgreSQL `checked_at_once()` finds them.
    """
    if connection.dialect.name != "sqlite":
        return []
    return [key for key in _keeping_keys(features) if str(key.initially or "").upper() == "DEFERRED"]


def is_kept_at_commit(connection: Connection, features: ModelFeatures, session_id: uuid.UUID) -> bool:
    """Return whether the COMMIT would refuse the deletion of a row: something refers to it."""
    key = features.columns["id"]
    of_this_row = key == bindparam(ID, session_id, type_=key.type)
    return any(
        connection.execute(
            select(literal(1)).where(other.parent == other.column, of_this_row).limit(1)
        ).first()
        for other in keys_checked_at_commit(connection, features)
    )


@contextmanager
def checked_at_once(connection: Connection, features: ModelFeatures) -> Iterator[None]:
    """Let PostgreSQL check at the end of the block, and not at the COMMIT, what refers to the model's rows.

    Within a savepoint: going back to it makes the checks what they were.
    """
    names = _deferred_keys(connection, features)
    yield
    if names:
        connection.exec_driver_sql(f"SET CONSTRAINTS {names} IMMEDIATE")
        connection.exec_driver_sql(f"SET CONSTRAINTS {names} DEFERRED")


def _deferred_keys(connection: Connection, features: ModelFeatures) -> str:
    """Return the names of the foreign keys, anybody's, that PostgreSQL checks at the COMMIT; empty: none."""
    if connection.dialect.name != "postgresql":
        return ""
    preparer = connection.dialect.identifier_preparer
    schema = connection.schema_for_object(features.table)
    parts = [preparer.quote(part) for part in (schema, features.table.name) if part]
    name = literal(".".join(parts)).compile(
        dialect=connection.dialect, compile_kwargs={"literal_binds": True}
    )
    rows = ask(
        connection,
        # S608: a literal that SQLAlchemy has quoted.
        "SELECT quote_ident(n.nspname) || '.' || quote_ident(k.conname) FROM pg_constraint k "  # noqa: S608
        "JOIN pg_namespace n ON n.oid = k.connamespace "
        f"WHERE k.condeferred AND k.contype = 'f' AND k.confrelid = to_regclass({name})",
    )
    return ", ".join(key for (key,) in rows)


def is_no_session(features: ModelFeatures) -> ColumnElement[bool]:
    """Return the condition that a row is what is left of an ended session."""
    return features.columns["epoch"] == ENDED


def of_row(features: ModelFeatures, session_id: uuid.UUID) -> Update:
    """Return the statement that updates one row, without values."""
    key = features.columns["id"]
    return update(features.table).where(
        key == bindparam(ID, session_id, type_=key.type), features.criterion()
    )


def empty_row(
    connection: Connection, features: ModelFeatures, envelope: Envelope, session_id: uuid.UUID
) -> bool:
    """Empty a session's row; return whether there was one.

    Its version moves, so that a request at work with it loses.
    """
    columns = features.columns
    version = columns["version"]
    untouched = {"id", "created", "version", "epoch", "data", "flash"}
    values: dict[Any, Any] = {column: None for name, column in columns.items() if name not in untouched}
    values[columns["epoch"]] = ENDED
    values[version] = case((version < ENDED, version + 1), else_=_FIRST_VERSION)
    for name in ("data", "flash"):
        # As text, so that no serializer of the application's sees it; PostgreSQL wants it cast.
        text = literal(envelope.empty(session_id, name))
        is_postgresql = connection.dialect.name == "postgresql"
        values[columns[name]] = cast(text, columns[name].type) if is_postgresql else text
    statement = of_row(features, session_id).values(values)
    return execute(connection, statement, {}).rowcount == 1


def close_companion(connection: Connection, features: ModelFeatures, session_id: uuid.UUID) -> bool:
    """Leave of the companion of an emptied row nothing but a deadline that has passed.

    Returns:
        Whether the row has been emptied; if not, nothing happens.
    """
    companion, key = features.companion, features.columns["id"]
    if companion is None:
        return False
    is_emptied = [
        key == bindparam(ID, session_id, type_=key.type),
        is_no_session(features),
        features.criterion(),
    ]
    deletion = delete(companion).where(
        companion.columns[KEY] == session_id, exists(select(key).where(*is_emptied))
    )
    count = execute(connection, deletion, {}).rowcount
    deadline = features.activity.get("expires_at")
    if deadline is None:
        return count == 1
    source = select(key, cast(literal(0), deadline.type)).where(*is_emptied)
    statement = insert(companion).from_select([KEY, deadline.name], source)
    return execute(connection, statement.execution_options(preserve_rowcount=True), {}).rowcount == 1
