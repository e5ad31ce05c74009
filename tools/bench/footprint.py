"""How many bytes a session takes: ``hatch run bench:footprint``.

Stored: 20,000 copies of one session with the benchmark's small payload, each under a random identifier and a
second later than the one before, are inserted as an application inserts them. What the tables have grown by,
the companion table and all indexes included, is divided by their number.

Open: what Python's objects take when the view has answered and the request is not over, beyond what they take
in a request of the same application that does not look at the session. The transaction and SQLAlchemy's
session are among it, ours and the floor's. The floor keeps no reference to its row then, ours does.
"""

from __future__ import annotations

import contextlib
import gc
import statistics
import sys
import tracemalloc
import uuid
from dataclasses import dataclass
from typing import Any, Final

import page
import sqlalchemy as sa
import worker
from contenders import floor, ours
from contenders.database import make_engine
from databases import ENGINES, databases
from pyramid.interfaces import INewResponse


@dataclass(frozen=True)
class Entry:
    """A contender in the table.

    Attributes:
        title: What the table calls it.
        module: Its module in `contenders`.
        options: For the module's `make`.
        tables: Where its session is stored; all have the column `id`.
    """

    title: str
    module: str
    options: dict[str, Any]
    tables: tuple[sa.Table, ...]


CONTENDERS: Final = (
    Entry("the floor: a row of the ORM", "floor", {}, (floor.Base.metadata.tables["stored"],)),
    Entry("**ours, minimal**", "ours", {}, (ours.Base.metadata.tables["minimal"],)),
    Entry("**ours, all features**", "ours", {"full": True}, (ours.SESSIONS, ours.ACTIVITY)),
)
TIMES: Final = {"created", "active_at", "expires_at"}
BATCH: Final = 1000
WARM_UP: Final = 20
REQUESTS: Final = 9


def stored(engine: sa.Engine, tables: tuple[sa.Table, ...], sessions: int) -> float:
    """Insert copies of a session that is there; return the bytes that each takes."""
    with engine.connect() as connection:
        identifier = connection.scalars(sa.select(tables[0].c.id)).first()
        models = {
            table: connection.execute(sa.select(table).where(table.c.id == identifier)).mappings().one()
            for table in tables
        }
    before = size(engine, tables)
    for first in range(0, sessions, BATCH):
        numbers = range(first, min(first + BATCH, sessions))
        identifiers = [uuid.uuid4() for _ in numbers]
        with engine.begin() as connection:
            for table, model in models.items():
                # A NULL that is not named stays one, where JSON has a null of its own.
                values = {name: value for name, value in model.items() if value is not None}
                rows = [
                    values
                    | {name: value + number for name, value in values.items() if name in TIMES}
                    | {"id": identifier}
                    for number, identifier in zip(numbers, identifiers, strict=True)
                ]
                connection.execute(table.insert(), rows)
    return (size(engine, tables) - before) / sessions


def size(engine: sa.Engine, tables: tuple[sa.Table, ...]) -> int:
    """Return how many bytes tables take with their indexes; on SQLite, what the database takes."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())
        names = [table.name for table in tables]
        return sum(
            connection.scalars(sa.select(sa.func.pg_total_relation_size(name))).one() for name in names
        )


class Scales:
    """Weighs what Python's objects take in a request whose view has answered."""

    def __init__(self, app: Any) -> None:
        self._bytes = 0
        # pyramid_tm ends the transaction, and with it the session, when this has been called.
        app.registry.registerHandler(self._weigh, (INewResponse,))

    def _weigh(self, _event: object) -> None:
        if tracemalloc.is_tracing():
            gc.collect()
            self._bytes = tracemalloc.get_traced_memory()[0]

    def weigh(self, client: worker.Client, kind: str) -> float:
        """Return the median of some requests of one kind, in bytes."""
        for _ in range(WARM_UP):
            client.get(kind, keep=True)
        # What is there already need not be looked through for garbage each time.
        gc.collect()
        gc.freeze()
        weights = []
        for _ in range(REQUESTS):
            gc.collect()  # empties Python's lists of free objects, too: what comes from them is not traced
            tracemalloc.start()
            try:
                client.get(kind, keep=True)
            finally:
                tracemalloc.stop()
            weights.append(self._bytes)
        gc.unfreeze()
        return statistics.median(weights)


def measure(url: str, entry: Entry, sessions: int) -> dict[str, float]:
    """Return the bytes that a contender's session takes, stored and open."""
    contender = worker.load(entry.module, {"url": url, **entry.options})
    client = worker.Client(contender.app)
    for kind in contender.prepare:
        client.get(kind)
    scales = Scales(contender.app)
    opened = scales.weigh(client, "read") - scales.weigh(client, "untouched")
    engine = make_engine(url)
    taken = stored(engine, entry.tables, sessions)
    engine.dispose()
    return {"stored": taken, "open": opened}


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = page.parser("footprint", __doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--sessions", type=int, default=20_000)
    args = parser.parse_args()
    figures: dict[str, dict[str, dict[str, float]]] = {entry.title: {} for entry in CONTENDERS}
    for engine in args.engines:
        with contextlib.ExitStack() as stack:
            make_url = databases(stack, engine)
            sys.stderr.write(f"{engine}\n")
            for entry in CONTENDERS:
                figures[entry.title][engine] = measure(make_url(), entry, args.sessions)
    page.publish("footprint", {"sessions": args.sessions, "contenders": figures}, record=args.record)


if __name__ == "__main__":
    main()
