"""What the application's ORM objects show of a session's row, which is written without the ORM.

The row is written by statements on the connection. The application may hold it as an object, with a user or
a list of devices that were loaded through its columns, and other objects may list it. What a write has
changed is forgotten here, in all of them, so that the next look loads what is true. The application's own
pending changes stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, inspect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from sqlalchemy.orm import Mapper, RelationshipProperty, Session

__all__ = ["expire_references", "expire_row", "expunge_row"]


def expire_row(dbsession: Session, model: type, session_id: UUID, names: Iterable[str]) -> None:
    """Let everything that hangs on changed columns of a session's row, by attribute, be loaded again."""
    if not dbsession.identity_map:
        return
    mapper: Mapper[Any] = inspect(model)
    instance = dbsession.identity_map.get(mapper.identity_key_from_primary_key((session_id,)))
    if instance is not None:
        columns = {mapper.columns[name] for name in names}
        dbsession.expire(instance, list(_attributes_on(mapper, columns)))


def expunge_row(dbsession: Session, model: type, session_id: UUID) -> None:
    """Let go of the object of a row that is not there any more."""
    mapper: Mapper[Any] = inspect(model)
    instance = dbsession.identity_map.get(mapper.identity_key_from_primary_key((session_id,)))
    if instance is not None:
        dbsession.expunge(instance)


def expire_references(dbsession: Session, model: type, names: Iterable[str]) -> None:
    """Let other objects' relationships to sessions be loaded again, `User.sessions` for example.

    Only those that go by the columns, named by attribute, that were changed in some row.
    """
    if not dbsession.identity_map:
        return  # without a look at the whole registry
    mapper: Mapper[Any] = inspect(model)
    columns = {mapper.columns[name] for name in names}
    references = [
        relationship
        for other in mapper.registry.mappers
        for relationship in other.relationships
        if relationship.mapper.base_mapper is mapper.base_mapper
        and not columns.isdisjoint(relationship.remote_side)
    ]
    for instance in dbsession.identity_map.values() if references else ():
        keys = [reference.key for reference in references if _is_loaded(instance, reference)]
        if keys:
            dbsession.expire(instance, keys)


def _attributes_on(mapper: Mapper[Any], columns: set[Column[Any]]) -> Iterator[str]:
    for attribute in mapper.column_attrs:
        # An expression may use any column.
        if any(not isinstance(column, Column) or column in columns for column in attribute.columns):
            yield attribute.key
    for relationship in mapper.relationships:
        if not columns.isdisjoint(relationship.local_columns):
            yield relationship.key


def _is_loaded(instance: Any, relationship: RelationshipProperty[Any]) -> bool:
    state: Any = inspect(instance)
    if not state.mapper.isa(relationship.parent) or relationship.key not in state.dict:
        return False
    # What the application has put there itself is flushed first.
    return not state.attrs[relationship.key].history.has_changes()
