"""Sessions that are there before a test begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from websession_models import SessionRow, fresh_session_id

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection
    from websession_models import Store


def insert_session(store: Store, bind: Engine | Connection, **values: Any) -> UUID:
    """Insert a session, committed at once on an engine, and return its key.

    Args:
        store: The model's.
        bind: Where.
        values: What is to be otherwise than in an empty session.
    """
    empty = {"created": 900, "version": 1, "epoch": 0, "data": "{}", "flash": "{}"}
    row = SessionRow(fresh_session_id(), **{**empty, **values})
    if isinstance(bind, Engine):
        with bind.begin() as connection:
            store.insert(connection, row)
    else:
        store.insert(bind, row)
    return row.id
