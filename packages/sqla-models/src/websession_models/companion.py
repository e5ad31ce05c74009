"""The companion table: what we record about a session, apart from what the application says about it.

A request that only reads must be able to record that the session was used, while another request of the same
browser writes that session's row. In one row the two would conflict: at REPEATABLE READ and SERIALIZABLE
the application's transaction would fail because of our bookkeeping. So it has a table of its own,
``<table>_activity``, with one row per session under the same key, and transactions of its own.

It is made as soon as the model's class is mapped, because a migration tool or `create_all` may look at the
metadata at once. (SQLAlchemy's event is the one moment that all ways of mapping have in common; a metaclass,
as `declarative_base()` uses, maps only after `__init_subclass__`.)
"""

from __future__ import annotations

import dataclasses
import weakref
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, Integer, Table
from websession_core.state import Activity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Mapper

__all__ = ["COLUMNS", "KEY", "SUFFIX", "companion_of", "declare_companion"]

SUFFIX: Final = "_activity"
"""What the companion table's name has behind the session table's."""

KEY: Final = "id"
"""The companion's primary key, whatever the model calls its own."""

COLUMNS: Final = tuple(field.name for field in dataclasses.fields(Activity))
"""All columns that a companion can have besides its key."""

# How our tables are told from one of the application's that happens to have such a name. Not by an entry in
# the table's `info`: Alembic would write it into migrations.
_companions: weakref.WeakSet[Table] = weakref.WeakSet()


def declare_companion(mapper: Mapper[Any], names: Iterable[str]) -> None:
    """Add the companion table of a model that was just mapped, with some of `COLUMNS`, to its metadata.

    Nothing is done for a class that cannot be a session model: `features_of()` says why.

    Raises:
        sqlalchemy.exc.InvalidRequestError: The metadata has another table of that name.
    """
    table = mapper.local_table
    key = mapper.columns.get("id")
    if not isinstance(table, Table) or key is None or len(mapper.tables) > 1:
        return
    companion = companion_of(table)
    if companion is None:
        # No foreign key to the session's row, on purpose. With one, deleting a session or changing its
        # row's lock would reach into rows that bookkeeping writes (a cascade at SERIALIZABLE makes the
        # application's logout conflict with a touch), and inserting one would lock the session's row.
        companion = Table(
            table.name + SUFFIX,
            table.metadata,
            Column(KEY, key.type, primary_key=True),
            schema=table.schema,
            # Tools that spread tables over databases decide by it (`bind_key`); both tables go together.
            info=dict(table.info),
        )
        _companions.add(companion)
    for name in COLUMNS:
        # The class at the top of a single-table hierarchy may need fewer of them than one below.
        if name in names and name not in companion.columns:
            kind = Integer() if name == "tries" else BigInteger()
            companion.append_column(Column(name, kind, nullable=True, index=name == "expires_at"))


def companion_of(table: Table) -> Table | None:
    """Return the companion of a session table, or None if none was declared."""
    name = table.name + SUFFIX
    companion = table.metadata.tables.get(f"{table.schema}.{name}" if table.schema else name)
    return companion if companion is not None and companion in _companions else None
