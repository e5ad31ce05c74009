"""Purging beside an application that works: ``hatch run bench:purge``.

On each engine a table of 1,000,000 sessions, of which 200,000 are past their deadline, filled by the server
itself. Worker processes use sessions of their own meanwhile, through the whole stack at SERIALIZABLE: they
begin some, read, write and end them, and each request records its use. A worker compares what it reads
with what it wrote, so a session that got lost is an error. First the workers are alone for a while; then they
go on beside `purge()`. Transactions that pyramid_retry ran again, and requests that failed, are counted.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import random
import sys
import time
from typing import Any, Final

import page
import sqlalchemy as sa
from contenders import payload, session_views
from contenders.database import make_engine
from contenders.ours import ACTIVITY, SESSIONS, Base, Full
from contenders.pyramid_app import make_app
from databases import databases
from growth import without_indexes
from pyramid_sqlalchemy_sessions import generate_secret_key
from sqlalchemy.orm import sessionmaker
from websession_models import purge
from websession_models.purging import MARGIN
from worker import Client

ENGINES: Final = ("postgresql", "mariadb", "sqlite")
BROWSERS: Final = 10
"""How many sessions each worker has."""

SERIES: Final = {
    "postgresql": "generate_series(1, {rows}) AS numbers(n)",
    "mariadb": "(SELECT seq AS n FROM seq_1_to_{rows}) AS numbers",
    "sqlite": "(WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows}) "
    "SELECT n FROM numbers) AS numbers",
}
IDENTIFIER: Final = {
    "postgresql": "gen_random_uuid()",
    "mariadb": "RANDOM_BYTES(16)",
    "sqlite": "randomblob(16)",
}
SETTINGS: Final = {
    "postgresql": {"maintenance_work_mem": "512MB", "max_wal_size": "8GB"},
    "mariadb": {"innodb-buffer-pool-size": "1G", "innodb-log-file-size": "512M"},
}
COUNTS: Final = ("requests", "retries", "errors")


LIFE: Final = 86400
"""How many seconds a session lives."""


def fill(engine: sa.Engine, rows: int, expired: int, now: int, *, scheduled: bool = True) -> None:
    """Make the tables, and sessions under random identifiers, the oldest of them ready to be purged.

    `expired` of the `rows` are longer past their deadline than the purge's margin. It is recorded if they are
    `scheduled`, and otherwise follows from their age.
    """
    Base.metadata.create_all(engine)
    dialect = engine.dialect.name
    deadline = f"created + {LIFE}" if scheduled else "NULL"
    data = "CAST(:data AS JSON)" if dialect == "postgresql" else ":data"
    indexes = without_indexes if dialect == "postgresql" else lambda *_: contextlib.nullcontext()
    with engine.begin() as connection, indexes(connection, SESSIONS, ACTIVITY):
        if dialect == "sqlite" and rows > 1_000_000:
            # Random keys: without a cache for their index, each row reads and writes pages of it.
            connection.execute(sa.text("PRAGMA cache_size = -1000000"))
        connection.execute(
            sa.text(
                f"INSERT INTO {SESSIONS.name} (id, created, version, epoch, data, flash) SELECT "
                f"{IDENTIFIER[dialect]}, :first + n, 1, 0, {data}, '{{}}' FROM "
                + SERIES[dialect].format(rows=rows)
            ),
            {"data": json.dumps(payload(300)), "first": now - MARGIN - expired - LIFE},
        )
        connection.execute(
            sa.text(
                f"INSERT INTO {ACTIVITY.name} (id, active_at, expires_at, generation, attempt, tries) "
                f"SELECT id, created, {deadline}, 0, 0, 0 FROM {SESSIONS.name}"
            )
        )
    if dialect == "sqlite":
        engine.dispose()  # the cache goes with its connection
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in (SESSIONS.name, ACTIVITY.name):
            connection.exec_driver_sql(
                f"VACUUM (ANALYZE) {table}" if dialect == "postgresql" else f"ANALYZE TABLE {table}"
            )


def work(url: str, seed: int, counts: Any, stop: Any) -> None:
    """Use sessions until the event `stop`, and count as `COUNTS` says; runs in a process of its own."""
    views = session_views(300)

    def login(request: Any) -> str:
        request.session.login(request.session["counter"])
        return ""

    def logout(request: Any) -> str:
        request.session.invalidate()
        return ""

    def retrying(_event: object) -> None:
        counts[1] += 1

    def configure(config: Any) -> None:
        config.include("pyramid_retry")
        config.include("pyramid_sqlalchemy_sessions")
        config.add_subscriber(retrying, "pyramid_retry.IBeforeRetry")

    app = make_app(
        views | {"login": login, "logout": logout},
        settings={
            "session.secret_key": generate_secret_key(),
            "session.model_class": Full,
            "session.idle_timeout": 1800,
            "session.extension_delay": 0,  # each request is recorded
            "session.absolute_timeout": 86400,
        },
        configure=configure,
        make_dbsession=sessionmaker(make_engine(url)),
    )
    chance = random.Random(seed)
    browsers: list[tuple[Client, int]] = [(Client(app), 0) for _ in range(BROWSERS)]
    while not stop.is_set():
        number = chance.randrange(BROWSERS)
        client, counter = browsers[number]
        try:
            if not counter:
                client.get("new")
                client.get("login")
                counter = 1
            elif (draw := chance.random()) < 0.05:
                client.get("logout")
                client, counter = Client(app), 0
            elif draw < 0.3:
                client.get("write")
                counter += 1
            elif client.get("read") != str(counter):
                counts[2] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is counted
            counts[2] += 1
            sys.stderr.write(f"{type(error).__name__}: {str(error)[:300]}\n")
            client, counter = Client(app), 0
        counts[0] += 1
        browsers[number] = client, counter


def measure(name: str, *, rows: int, expired: int, workers: int, alone: float) -> dict[str, Any]:
    """Purge on one engine; return what it did, and what became of the workers."""
    now = int(time.time())
    spawning = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        url = databases(stack, name, SETTINGS.get(name))()
        engine = make_engine(url)
        sys.stderr.write(f"{name}: filling in {rows:,} sessions\n")
        fill(engine, rows, expired, now)
        counts = [spawning.Array("q", len(COUNTS)) for _ in range(workers)]
        stop = spawning.Event()
        processes = [
            spawning.Process(target=work, args=(url, seed, own, stop)) for seed, own in enumerate(counts)
        ]
        for process in processes:
            process.start()
        try:
            while not all(own[0] > BROWSERS for own in counts):
                if not all(process.is_alive() for process in processes):
                    raise ChildProcessError("a worker ended")
                time.sleep(0.1)
            sys.stderr.write(f"{name}: workers are alone\n")
            before = _during(counts, lambda: time.sleep(alone))
            sys.stderr.write(f"{name}: purging\n")
            beside = _during(counts, lambda: purge(engine, Full, now=now))
        finally:
            stop.set()
            for process in processes:
                process.join()
        report = beside.pop("result")
        before.pop("result")
        with engine.connect() as connection:
            remaining = connection.scalar(
                sa.select(sa.func.count()).select_from(ACTIVITY).where(ACTIVITY.c.expires_at <= now - MARGIN)
            )
        engine.dispose()
    return {
        "deleted": report.sessions,
        "left": report.left + report.refused,
        "remaining": remaining,
        "seconds": report.seconds,
        "alone": before,
        "beside": beside,
    }


def _during(counts: list[Any], action: Any) -> dict[str, Any]:
    """Return what the workers did while an action ran, and what that returned."""
    first = [sum(own[place] for own in counts) for place in range(len(COUNTS))]
    start = time.perf_counter()
    result = action()
    seconds = time.perf_counter() - start
    last = [sum(own[place] for own in counts) for place in range(len(COUNTS))]
    differences = {name: after - before for name, before, after in zip(COUNTS, first, last, strict=True)}
    return {**differences, "per_second": differences["requests"] / seconds, "result": result}


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = page.parser("purge", __doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many sessions there are")
    parser.add_argument("--expired", type=int, default=200_000, help="how many of them are to be purged")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--alone", type=float, default=20, help="for how many seconds the workers are alone")
    args = parser.parse_args()
    amounts = {name: getattr(args, name) for name in ("rows", "expired", "workers")}
    engines = {name: measure(name, alone=args.alone, **amounts) for name in args.engines}
    page.publish("purge", {**amounts, "engines": engines}, record=args.record)


if __name__ == "__main__":
    main()
