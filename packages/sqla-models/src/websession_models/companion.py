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

__all__ = [
    "COLUMNS",
    "KEY",
    "LONGEST_TABLE_NAME",
    "SUFFIX",
    "companion_of",
    "declare_companion",
    "foreign_columns",
    "name_problem",
    "takers_of_name",
]

SUFFIX: Final = "_activity"
"""What the companion table's name has behind the session table's."""

KEY: Final = "id"
"""The companion's primary key, whatever the model calls its own."""

COLUMNS: Final = tuple(field.name for field in dataclasses.fields(Activity))
"""All columns that a companion can have besides its key."""

# How our tables are told from one of the application's that happens to have such a name. Not by an entry in
# the table's `info`: Alembic would write it into migrations.
_companions: weakref.WeakSet[Table] = weakref.WeakSet()


def declare_companion(mapper: Mapper[Any], names: Iterable[str]) -> Table | None:
    """Add the companion table of a model that was just mapped, with some of `COLUMNS`, to its metadata.

    One that was reflected from the database before gives way to it. Nothing is done for a class that cannot
    be a session model: `features_of()` says why.

    Returns:
        The table, if it is new.

    Raises:
        sqlalchemy.exc.InvalidRequestError: The metadata has another table of that name.
    """
    table = mapper.local_table
    key = mapper.columns.get("id")
    if not isinstance(table, Table) or key is None or len(mapper.tables) > 1:
        return None
    existing = companion = companion_of(table)
    if companion is None:
        namesake = _of_its_name(table)
        if namesake is not None and _was_reflected(namesake):
            table.metadata.remove(namesake)
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
    return companion if existing is None else None


def companion_of(table: Table) -> Table | None:
    """Return the companion of a session table, or None if none was declared."""
    companion = _of_its_name(table)
    return companion if companion is not None and companion in _companions else None


def foreign_columns(companion: Table) -> list[str]:
    """Return the names of the columns that are not ours: the application has mapped a class to the table."""
    return [column.name for column in companion.columns if column.name not in {KEY, *COLUMNS}]


def _of_its_name(table: Table) -> Table | None:
    name = table.name + SUFFIX
    return table.metadata.tables.get(f"{table.schema}.{name}" if table.schema else name)


def _was_reflected(table: Table) -> bool:
    """Return whether a table is a companion as it comes from a database, and none of the application's."""
    key, others = table.columns.get(KEY), [column for column in table.columns if column.name != KEY]
    return (
        key is not None
        and list(table.primary_key.columns) == [key]
        and not isinstance(key.type, Integer)
        and not foreign_columns(table)
        and all(isinstance(column.type, Integer) for column in others)
    )


# How long a table's name may be; SQLite does not mind. PostgreSQL counts bytes, and cuts off the rest.
_LONGEST: Final = {"postgresql": 63, "mysql": 64, "mariadb": 64}

LONGEST_TABLE_NAME: Final = min(_LONGEST.values()) - len(SUFFIX)
"""How long a session table's name may be so that every database takes its companion's."""


def _fits(name: str, dialect: str) -> bool:
    return (
        dialect not in _LONGEST
        or len(name.encode() if dialect == "postgresql" else name) <= _LONGEST[dialect]
    )


def takers_of_name(companion: Table) -> str | None:
    """Return, for a message, which databases take a companion's name; None: all of them."""
    if not _fits(companion.name, "mysql"):
        return "only SQLite takes"
    return None if _fits(companion.name, "postgresql") else "PostgreSQL does not take"


def name_problem(table: Table, dialect: str) -> tuple[str, str] | None:
    """Return what is wrong with the length of a table's name in a database, and the remedy; None: nothing."""
    if _fits(table.name, dialect):
        return None
    room = _LONGEST[dialect] - (len(SUFFIX) if table in _companions else 0)
    return (
        f"has a longer name than the {_LONGEST[dialect]} characters that the database takes",
        f"give the model a __tablename__ of at most {room}",
    )
