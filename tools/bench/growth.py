"""Does a read become slower as the table grows? ``hatch run bench:growth``.

Two PostgreSQL databases, one with few sessions and one with many, filled by the server itself; then one
process on each reads sessions from all over its table, in turns. All features are on, so that each read
joins two tables. 10,000,000 sessions take about 6 GB of disk and some minutes.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import page
import sqlalchemy as sa
from contenders.ours import ACTIVITY, SESSIONS
from measuring import Spread
from processes import Process
from pytest_websession.servers import PostgreSQLServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS_TO_WARM_UP = 3


def fill(url: str, rows: int) -> int:
    """Make a database hold `rows` sessions, copies of one of those in it but for their random identifiers.

    Returns:
        How many bytes the tables take, with their indexes.
    """
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        model = connection.scalar(sa.select(SESSIONS.c.id).where(SESSIONS.c.epoch == 0).limit(1))
        for table in (SESSIONS, ACTIVITY):
            connection.execute(table.delete().where(table.c.id != model))
        _copy(connection, SESSIONS, "gen_random_uuid()", f"generate_series(2, {rows})")
        _copy(connection, ACTIVITY, "new.id", f"{SESSIONS.name} AS new WHERE new.id <> old.id")
        size = "pg_total_relation_size(:one) + pg_total_relation_size(:other)"
        names = {"one": SESSIONS.name, "other": ACTIVITY.name}
        count: int = connection.scalar(sa.text(f"SELECT {size}"), names) or 0
    engine.dispose()
    return count


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


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = page.parser("growth", __doc__)
    parser.add_argument("--rows", nargs=2, type=int, default=[10_000, 10_000_000], metavar=("FEW", "MANY"))
    parser.add_argument("--sessions", type=int, default=100, help="how many are read in each round")
    parser.add_argument("--rounds", type=int, default=60)
    args = parser.parse_args()
    settings = {"maintenance_work_mem": "512MB", "max_wal_size": "8GB"}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(PostgreSQLServer(settings=settings))
        processes = []
        for rows in args.rows:
            url = server.create_database()
            options = {"url": url, "full": True}
            with Process("ours", options):
                pass  # it makes the tables and a session
            sys.stderr.write(f"filling in {rows:,} sessions\n")
            size = fill(url, rows)
            processes.append(stack.enter_context(Process("ours", options)))
        times: dict[Process, list[float]] = {process: [] for process in processes}
        for number in range(ROUNDS_TO_WARM_UP + args.rounds):
            for process in processes if number % 2 else reversed(processes):
                times[process].append(process.sample("read", args.sessions) / args.sessions)
    few, many = (values[ROUNDS_TO_WARM_UP:] for values in times.values())
    figures = {
        "rows": args.rows,
        "sessions": args.sessions,
        "bytes": size,
        "microseconds": [Spread.of(values).median * 1e6 for values in (few, many)],
        "ratio": vars(Spread.of([large / small for small, large in zip(few, many, strict=True)])),
    }
    page.publish("growth", figures, record=args.record)


if __name__ == "__main__":
    main()
