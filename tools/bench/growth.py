"""Does a read become slower as the table grows? ``hatch run bench:growth``.

Two PostgreSQL databases, one with few sessions and one with many, filled by the server itself; then one
process on each reads sessions from all over its table, in turns. All features are on, so that each read
joins two tables. 10,000,000 sessions take about 6 GB of disk and some minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING

import page
import results
import sqlalchemy as sa
from contenders.ours import Base, Full
from environments import interpreter
from measuring import Spread
from processes import Process
from pytest_websession.servers import PostgreSQLServer
from websession_models.companion import companion_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS_TO_WARM_UP = 3


def fill(url: str, rows: int) -> int:
    """Make a database hold `rows` sessions, copies of one of those in it but for their random identifiers.

    Returns:
        How many bytes the tables take, with their indexes.
    """
    session = Base.metadata.tables[Full.__tablename__]
    activity = companion_of(session)
    if activity is None:  # cannot be: the model has timeouts
        raise TypeError("the model has no companion table")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        model = connection.scalar(sa.select(session.c.id).where(session.c.epoch == 0).limit(1))
        for table in (session, activity):
            connection.execute(table.delete().where(table.c.id != model))
        _copy(connection, session, "gen_random_uuid()", f"generate_series(2, {rows})")
        _copy(connection, activity, "new.id", f"{session.name} AS new WHERE new.id <> old.id")
        size = "pg_total_relation_size(:one) + pg_total_relation_size(:other)"
        names = {"one": session.name, "other": activity.name}
        taken: int = connection.scalar(sa.text(f"SELECT {size}"), names) or 0
    engine.dispose()
    return taken


@contextlib.contextmanager
def without_indexes(connection: sa.Connection, *tables: sa.Table) -> Iterator[None]:
    """Take the indexes of tables away while they are filled, on PostgreSQL.

    Those that are made when the rows are there take a fraction of the time.
    """
    for table in tables:
        connection.exec_driver_sql(f"ALTER TABLE {table.name} DROP CONSTRAINT {table.name}_pkey")
        for index in table.indexes:
            index.drop(connection)
    yield
    for table in tables:
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD PRIMARY KEY (id)")
        for index in table.indexes:
            index.create(connection)


def _copy(connection: sa.Connection, table: sa.Table, identifier: str, source: str) -> None:
    columns = [column.name for column in table.columns if column.name != "id"]
    old = ", ".join(f"old.{name}" for name in columns)
    with without_indexes(connection, table):
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} (id, {', '.join(columns)}) SELECT {identifier}, {old} "
            f"FROM (SELECT * FROM {table.name}) AS old, {source}"
        )
    connection.exec_driver_sql(f"VACUUM (FREEZE, ANALYZE) {table.name}")


def main(arguments: list[str]) -> None:
    """Measure, print, and record if that is asked for."""
    parser = argparse.ArgumentParser(prog="hatch run bench:growth", description=__doc__)
    parser.add_argument("--rows", nargs=2, type=int, default=[10_000, 10_000_000], metavar=("FEW", "MANY"))
    parser.add_argument("--sessions", type=int, default=100, help="how many are read in each round")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--record", action="store_true", help="write the figures into the docs")
    chosen = parser.parse_args(arguments)
    settings = {"maintenance_work_mem": "512MB", "max_wal_size": "8GB"}
    with PostgreSQLServer(settings=settings) as server:
        urls = {rows: server.create_database() for rows in chosen.rows}
        options = {"full": True}
        for rows, url in urls.items():
            with Process(interpreter(None), "ours", {"url": url, **options}):
                pass  # it makes the tables and a session
            sys.stderr.write(f"filling in {rows:,} sessions\n")
            size = fill(url, rows)
        processes = {
            rows: Process(interpreter(None), "ours", {"url": url, **options}) for rows, url in urls.items()
        }
        try:
            taken: dict[int, list[float]] = {rows: [] for rows in processes}
            for number in range(ROUNDS_TO_WARM_UP + chosen.rounds):
                turns = list(processes.items())
                for rows, process in turns if number % 2 else reversed(turns):
                    taken[rows].append(process.sample("read", chosen.sessions) / chosen.sessions)
        finally:
            for process in processes.values():
                process.close()
    few, many = (values[ROUNDS_TO_WARM_UP:] for values in taken.values())
    figures = {
        "rows": chosen.rows,
        "sessions": chosen.sessions,
        "bytes": size,
        "microseconds": [Spread.of(values).median * 1e6 for values in (few, many)],
        "ratio": vars(Spread.of([large / small for small, large in zip(few, many, strict=True)])),
    }
    if chosen.record:
        results.record("growth", figures)
        page.write()
    sys.stdout.write(page.growth({**figures, **results.context()}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
