"""Foreign keys to and from the table of sessions, and how the database compares userids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import CHAR, Enum, String, false, inspect, literal_column, select, text, union

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
        without regard to case, accents or spaces at the end.

    Raises:
        ModelError: The class cannot be a session model.
        sqlalchemy.exc.SQLAlchemyError: The database cannot be asked.
    """
    features = features_of(model)
    return (*_foreign_keys(connection, features), *_comparison(connection, features))


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
                    "be purged: of one that has ended an emptied row stays"
                )
                yield SchemaProblem(name, column, problem, remedy, fatal=False)


def _comparison(connection: Connection, features: ModelFeatures) -> Iterator[SchemaProblem]:
    userid: Any = features.columns.get("userid")
    if userid is None or not isinstance(userid.type, String) or isinstance(userid.type, Enum):
        return
    differences = _overlooked(connection, userid)
    if not differences:
        return
    is_mysql = connection.dialect.name in {"mysql", "mariadb"}
    rule = f"the collation {_collation(connection, features, userid.name)}" if is_mysql else "a collation"
    problem = (
        f"has {rule}, by which userids that differ in {' or '.join(differences)} alone are the same to "
        "queries of the application's own (ours tell them apart)"
    )
    remedy = f"give it an exact collation by a migration: {_EXACT[connection.dialect.name]}"
    yield SchemaProblem(features.table.name, userid.name, problem, remedy, fatal=False)


_EXACT: Final = {
    "mysql": "utf8mb4_0900_bin",
    "mariadb": "utf8mb4_nopad_bin",
    "postgresql": 'a deterministic one, "C" for example, and text in place of citext',
    "sqlite": "BINARY",
}
_DIFFERENCES: Final = (
    ("upper and lower case", "'A'"),
    ("accents", "'\N{LATIN SMALL LETTER A WITH ACUTE}'"),
    ("spaces at the end", "'a '"),
)


def _overlooked(connection: Connection, userid: Any) -> list[str]:
    """Return in what two texts may differ that the database takes for the same in a column."""
    # A text of the column's type and collation, whichever they are in the database. UNION ALL, or the text
    # beside it in place of the column's name, would leave the collation behind on SQLite.
    one = union(select(userid.label("one")).where(false()), select(literal_column("'a'"))).subquery()
    equal = [one.columns.one == literal_column(other) for _, other in _DIFFERENCES]
    (row,) = connection.execute(select(*equal).select_from(one))
    # A CHAR loses spaces at the end, so `login()` refuses them.
    return [
        difference
        for (difference, other), is_equal in zip(_DIFFERENCES, row, strict=True)
        if is_equal and not (isinstance(userid.type, CHAR) and other.endswith(" '"))
    ]


def _collation(connection: Connection, features: ModelFeatures, name: str) -> Any:
    return connection.scalar(
        text(
            "SELECT collation_name FROM information_schema.columns WHERE table_name = :table AND "
            "column_name = :column AND table_schema = COALESCE(:schema, DATABASE())"
        ),
        {
            "table": features.table.name,
            "column": name,
            "schema": connection.schema_for_object(features.table),
        },
    )
