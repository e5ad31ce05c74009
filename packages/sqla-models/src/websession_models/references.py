"""Foreign keys to and from the table of sessions, and how the database compares userids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import String, inspect, text

from .features import features_of
from .schema import SchemaProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from .features import ModelFeatures

__all__ = ["reference_problems"]

_LETS_GO: Final = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


def reference_problems(connection: Connection, model: type) -> tuple[SchemaProblem, ...]:
    """Return what the database refuses, or confuses, when users and sessions are deleted or compared.

    Args:
        connection: Where the sessions are stored; its catalogue is read.
        model: The session model, whose tables exist.

    Returns:
        Foreign keys of other tables and of the userid without ON DELETE, and a userid that is compared
        without regard to case.

    Raises:
        ModelError: The class cannot be a session model.
        sqlalchemy.exc.SQLAlchemyError: The database cannot be asked.
    """
    features = features_of(model)
    return (*_foreign_keys(connection, features), *_collation(connection, features))


def _foreign_keys(connection: Connection, features: ModelFeatures) -> Iterator[SchemaProblem]:
    table = features.table
    schema = connection.schema_for_object(table)
    if connection.dialect.name == "sqlite" and not connection.scalar(text("PRAGMA foreign_keys")):
        return  # which does not look at them
    remedy = "make it ON DELETE CASCADE or ON DELETE SET NULL by a migration"
    keys = inspect(connection).get_multi_foreign_keys(schema=schema)
    for (_, name), foreign_keys in sorted(keys.items(), key=lambda item: item[0][1]):
        for key in foreign_keys:
            if str(key["options"].get("ondelete", "")).upper() in _LETS_GO:
                continue
            column = ", ".join(key["constrained_columns"])
            if name == table.name:
                problem = (
                    f"refers to {key['referred_table']} without ON DELETE, so no row of it that a session "
                    "belongs to can be deleted"
                )
                yield SchemaProblem(name, column, problem, remedy, fatal=False)
            elif key["referred_table"] == table.name and key["referred_schema"] in {None, schema}:
                problem = (
                    f"refers to {table.name} without ON DELETE, so no session that a row of it refers to can "
                    "be purged, revoked or logged out"
                )
                yield SchemaProblem(name, column, problem, remedy, fatal=False)


def _collation(connection: Connection, features: ModelFeatures) -> Iterator[SchemaProblem]:
    userid: Any = features.columns.get("userid")
    if connection.dialect.name not in {"mysql", "mariadb"} or userid is None:
        return
    if not isinstance(userid.type, String):
        return
    collation = connection.scalar(
        text(
            "SELECT collation_name FROM information_schema.columns WHERE table_name = :table AND "
            "column_name = :column AND table_schema = COALESCE(:schema, DATABASE())"
        ),
        {
            "table": features.table.name,
            "column": userid.name,
            "schema": connection.schema_for_object(features.table),
        },
    )
    if collation is not None and collation.endswith("_ci"):
        yield SchemaProblem(
            features.table.name,
            userid.name,
            f"has the collation {collation}, by which userids that differ in upper and lower case alone are "
            "one user's: a login of BOB may end the sessions of bob",
            "give it a binary collation (utf8mb4_bin) by a migration",
            fatal=False,
        )
