"""What a random primary key costs in InnoDB: ``hatch run bench:keys``.

InnoDB keeps a table in the order of its primary key. Keys in order of time fill one page after the other;
random ones go anywhere, split full pages and need all of the index in memory. The server itself inserts
sessions, in transactions of 1,000, under both kinds of key.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final

import page
import sqlalchemy as sa
from contenders import payload
from pytest_websession.servers import MariaDBServer

BATCH: Final = 1000
KEYS: Final = {
    # Like UUID version 7: 48 bits of time, and all that is left at random. The sequence stands for the time.
    "in order of time": "CONCAT(UNHEX(LPAD(HEX({first} + seq), 12, '0')), RANDOM_BYTES(10))",
    "random": "RANDOM_BYTES(16)",
}


def measure(connection: sa.Connection, key: str, rows: int) -> dict[str, float]:
    """Insert sessions with such a key and return what became of it."""
    execute = connection.exec_driver_sql
    execute("DROP TABLE IF EXISTS session")
    execute(
        "CREATE TABLE session (id BINARY(16) PRIMARY KEY, created BIGINT NOT NULL, version INT NOT NULL, "
        "epoch INT NOT NULL, rotated_at BIGINT, data JSON NOT NULL, flash JSON NOT NULL) ENGINE=InnoDB"
    )
    splits, pages = _counters(connection)
    rates = []
    data = json.dumps(payload(300))
    beginning = time.perf_counter()
    for first in range(0, rows, BATCH):
        start = time.perf_counter()
        values = f"{key.format(first=first)}, 1800000000, 1, 0, NULL, :data, '{{}}'"
        connection.execute(
            sa.text(f"INSERT INTO session SELECT {values} FROM seq_1_to_{BATCH}"), {"data": data}
        )
        rates.append(BATCH / (time.perf_counter() - start))
    seconds = time.perf_counter() - beginning
    execute("ANALYZE TABLE session").all()
    splits_after, pages_after = _counters(connection)
    size = execute(
        "SELECT FILE_SIZE FROM information_schema.INNODB_SYS_TABLESPACES WHERE NAME LIKE '%%/session'"
    ).scalar()
    return {
        "per_second": rows / seconds,
        "last_per_second": sum(rates[-len(rates) // 10 :]) / (len(rates) // 10),
        "bytes": float(size or 0),
        "splits": splits_after - splits,
        "pages_written": pages_after - pages,
    }


def _counters(connection: sa.Connection) -> tuple[int, int]:
    splits = connection.exec_driver_sql(
        "SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'index_page_splits'"
    ).scalar()
    pages = connection.exec_driver_sql("SHOW GLOBAL STATUS LIKE 'Innodb_pages_written'").one()[1]
    return int(splits or 0), int(pages)


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = page.parser("keys", __doc__)
    parser.add_argument("--rows", type=int, default=3_000_000)
    args = parser.parse_args()
    runs: dict[str, Any] = {}
    for pool in ("128M", "2G"):
        settings = {"innodb-buffer-pool-size": pool, "innodb-monitor-enable": "index_page_splits"}
        settings |= {"innodb-log-file-size": "512M"}
        with MariaDBServer(settings=settings) as server:
            engine = sa.create_engine(server.create_database(), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                for name, key in KEYS.items():
                    sys.stderr.write(f"{name}, with {pool} of memory\n")
                    runs.setdefault(name, {})[pool] = measure(connection, key, args.rows)
            engine.dispose()
    page.publish("keys", {"rows": args.rows, "keys": runs}, record=args.record)


if __name__ == "__main__":
    main()
