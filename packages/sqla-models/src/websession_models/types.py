"""Column types that mean the same on every engine, and whose migrations run on every engine.

Alembic writes the `repr()` of a type into a migration and decides by the `__module__` of its class which
import and which prefix go with it. The obvious types fail there: a `TypeDecorator` is rendered without
its import, and `JSON().with_variant(JSONB(), …)` with a bare `Text()`, both a `NameError` when the
migration runs. The two types below therefore render as plain SQLAlchemy types: a migration made on one
engine imports nothing of ours and runs on the others.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import BINARY, JSON, LargeBinary, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

__all__ = ["ENCRYPTED_JSON", "SESSION_JSON", "SessionId"]


class SessionId(TypeDecorator[uuid.UUID]):
    """A 128-bit session identifier: `uuid.UUID` in Python, compact in the database.

    Stored as `uuid` on PostgreSQL, `BINARY(16)` on MySQL and MariaDB, and a 16-byte `BLOB` on SQLite
    (`sqlalchemy.Uuid` would take 32 characters outside PostgreSQL). Use it for foreign keys to a session as
    well, or give the foreign key no type at all.

    Raises:
        TypeError: (as the cause of SQLAlchemy's `StatementError`) a bound value is not a `uuid.UUID`.
    """

    impl = LargeBinary
    cache_ok = True

    # Where Alembic believes this class lives: it prefixes the repr with `sa.` and adds no import.
    __module__ = "sqlalchemy.sql.sqltypes"

    def __init__(self) -> None:
        super().__init__(16)

    def __repr__(self) -> str:
        # LargeBinary first, because on SQLite BINARY(16) comes back from reflection as another type for
        # ever, and with the variants, because MariaDB takes no BLOB as a key.
        return (
            "LargeBinary(16).with_variant(sa.BINARY(16), 'mysql', 'mariadb')"
            ".with_variant(sa.Uuid(), 'postgresql')"
        )

    @property
    def python_type(self) -> type[uuid.UUID]:
        """`uuid.UUID`."""
        return uuid.UUID

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that stores identifiers on `dialect`."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Uuid())
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(BINARY(16))
        return dialect.type_descriptor(LargeBinary(16))

    def process_bind_param(self, value: uuid.UUID | None, dialect: Dialect) -> uuid.UUID | bytes | None:
        """Return what the driver gets: the UUID itself on PostgreSQL, else its 16 bytes."""
        if value is None:
            return None
        if not isinstance(value, uuid.UUID):
            # Without the value: it may be an identifier, and this message ends up in a log.
            raise TypeError(f"a session id is a uuid.UUID, not a {type(value).__name__}")
        return value if dialect.name == "postgresql" else value.bytes

    def process_result_value(self, value: Any, dialect: Dialect) -> uuid.UUID | None:
        """Return the identifier as a `uuid.UUID`."""
        if value is None or isinstance(value, uuid.UUID):
            return value
        return uuid.UUID(bytes=bytes(value))

    def literal_processor(self, dialect: Dialect) -> Callable[[uuid.UUID], str]:
        """Return how a literal is written; SQLAlchemy's own would decode the bytes as text."""
        if dialect.name == "postgresql":
            return lambda value: f"'{value}'"
        return lambda value: f"X'{value.hex}'"


class _RenderedJSONB(JSONB):
    """JSONB that Alembic renders so that the migration imports: `postgresql.JSONB()`."""

    # Alembic derives `from sqlalchemy.dialects import postgresql` from the module's name.
    __module__ = JSONB.__module__

    def __repr__(self) -> str:
        # JSONB's own repr names its `astext_type`, as a bare `Text()` that no migration imports.
        return "JSONB()"


def _json() -> JSON:
    return JSON(none_as_null=True).with_variant(_RenderedJSONB(none_as_null=True), "postgresql")


SESSION_JSON: JSON = _json()
"""The type of a session's JSON columns: `JSONB` on PostgreSQL, the engine's `JSON` elsewhere.

`None` is SQL's NULL (and thus refused by a NOT NULL column), never the JSON document `null`.
"""

ENCRYPTED_JSON: JSON = _json()
"""The same type for JSON columns whose contents are encrypted.

An object of its own, so that whatever an application associates with `SESSION_JSON`, a `MutableDict` for
example, leaves these columns alone: what they hold is a string.
"""
