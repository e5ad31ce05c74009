"""What 1,000,000 touches do to the companion table on PostgreSQL: ``hatch run bench:touches``.

A touch writes the time of the last activity and the deadline of one session, in a transaction of its own.
An update writes a new version of the row. If no indexed column has changed and the page has room, that is
a heap-only tuple ("HOT"): no index is written, and the next look at the page cleans up. The deadline is
indexed, because the clean-up of expired sessions asks for it, so by default no touch is HOT.

Each variant gets its own table with the companion's columns, and the server touches random sessions of it,
one commit each, as if all were in use and touched once a minute. That is some ten times faster than a busy
site, so autovacuum, else at its defaults, looks after the tables each second instead of each minute.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any, Final

import page
import sqlalchemy as sa
from pytest_websession.servers import PostgreSQLServer

IDLE_TIMEOUT: Final = 1800
BEGINNING: Final = 1_800_000_000


@dataclass(frozen=True)
class Variant:
    """One way to store it.

    Attributes:
        title: What the table calls it.
        index: What follows ``CREATE INDEX ... ON table``; None: the deadline has no index.
        storage: Storage parameters of the table.
        deadline: How the deadline is computed from the touch's time, in SQL.
    """

    title: str
    index: str | None = "(expires_at)"
    storage: str = ""
    deadline: str = f"moment + {IDLE_TIMEOUT}"


ROUNDED: Final = f"(moment + {IDLE_TIMEOUT} + 599) / 600 * 600"

VARIANTS: Final = (
    Variant("as it was: index on `expires_at`, pages filled"),
    Variant("pages filled to 90 %", storage="fillfactor = 90"),
    Variant("pages filled to 50 %", storage="fillfactor = 50"),
    Variant("autovacuum at 2 % dead rows", storage="autovacuum_vacuum_scale_factor = 0.02"),
    Variant("partial index, `WHERE expires_at IS NOT NULL`", "(expires_at) WHERE expires_at IS NOT NULL"),
    Variant("deadline rounded up to 10 minutes", deadline=ROUNDED),
    Variant("deadline rounded up to 10 minutes, 90 %", deadline=ROUNDED, storage="fillfactor = 90"),
    Variant("deadline rounded up to 10 minutes, 50 %", deadline=ROUNDED, storage="fillfactor = 50"),
    Variant("BRIN index", index="USING brin (expires_at)"),
    Variant("BRIN index, 50 %", index="USING brin (expires_at)", storage="fillfactor = 50"),
    Variant("no index", index=None),
    Variant("no index, 90 %", index=None, storage="fillfactor = 90"),
    Variant("no index, 50 %", index=None, storage="fillfactor = 50"),
)

PROCEDURE: Final = """
CREATE OR REPLACE PROCEDURE touch(touches int, sessions int) LANGUAGE plpgsql AS $$
DECLARE
    moment bigint;
    chosen int;
BEGIN
    PERFORM setseed(0.5);
    FOR done IN 1..touches LOOP
        moment := {beginning} + done::bigint * 60 / sessions;
        chosen := 1 + floor(random() * sessions);
        UPDATE activity SET active_at = moment, expires_at = {deadline}
        WHERE id = (SELECT known.id FROM known WHERE known.number = chosen);
        COMMIT;
    END LOOP;
END $$
"""


def measure(connection: sa.Connection, variant: Variant, sessions: int, touches: int) -> dict[str, Any]:
    """Touch the sessions of a new table and return what became of it."""
    execute = connection.exec_driver_sql
    execute("DROP TABLE IF EXISTS activity, known")
    execute(
        "CREATE TABLE activity (id uuid PRIMARY KEY, active_at bigint, expires_at bigint, generation bigint, "
        "attempt bigint, previous_attempt bigint, renewed_at bigint, tries integer, tried_at bigint)"
        + (f" WITH ({variant.storage})" if variant.storage else "")
    )
    execute(
        f"INSERT INTO activity SELECT gen_random_uuid(), {BEGINNING}, {BEGINNING + IDLE_TIMEOUT}, 0, 0, "
        f"NULL, {BEGINNING}, 0, NULL FROM generate_series(1, {sessions})"
    )
    if variant.index is not None:
        execute(f"CREATE INDEX activity_expires_at ON activity {variant.index}")
    execute("CREATE TABLE known AS SELECT row_number() OVER ()::int AS number, id FROM activity")
    execute("ALTER TABLE known ADD PRIMARY KEY (number)")
    execute("VACUUM (ANALYZE) activity, known")
    execute("CHECKPOINT")
    execute(PROCEDURE.format(beginning=BEGINNING, deadline=variant.deadline))
    execute("SELECT pg_stat_reset_single_table_counters('activity'::regclass)")
    before, wal = _sizes(connection), execute("SELECT pg_current_wal_insert_lsn()").scalar()
    start = time.perf_counter()
    execute(f"CALL touch({touches}, {sessions})")
    seconds = time.perf_counter() - start
    wal_bytes = execute(f"SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{wal}')").scalar()
    execute("SELECT pg_stat_force_next_flush()")
    updates, hot = execute(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'activity'"
    ).one()
    after = _sizes(connection)
    start = time.perf_counter()
    execute(
        # The few that nobody has touched, among all the others: what a clean-up that runs often finds.
        f"SELECT id FROM activity WHERE expires_at <= {BEGINNING + IDLE_TIMEOUT} "
        "ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED"
    ).all()
    look_seconds = time.perf_counter() - start
    return {
        "title": variant.title,
        "per_second": touches / seconds,
        "hot": hot / updates,
        "wal": float(wal_bytes or 0) / touches,
        "before": before,
        "after": after,
        "look_ms": look_seconds * 1000,
    }


def _sizes(connection: sa.Connection) -> dict[str, int]:
    sizes = connection.exec_driver_sql(
        "SELECT pg_relation_size('activity'), pg_relation_size('activity_pkey'), "
        "coalesce(pg_relation_size(to_regclass('activity_expires_at')), 0)"
    ).one()
    return dict(zip(("table", "key", "index"), sizes, strict=True))


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = page.parser("touches", __doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--touches", type=int, default=1_000_000)
    args = parser.parse_args()
    settings = {"autovacuum_naptime": "1s", "max_wal_size": "8GB"}
    variants = []
    with PostgreSQLServer(settings=settings) as server:
        engine = sa.create_engine(server.create_database(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for variant in VARIANTS:
                sys.stderr.write(f"{variant.title}\n")
                variants.append(measure(connection, variant, args.sessions, args.touches))
        engine.dispose()
    figures = {"sessions": args.sessions, "touches": args.touches, "variants": variants}
    page.publish("touches", figures, record=args.record)


if __name__ == "__main__":
    main()
