"""Purging sessions from before a timeout was switched on: ``hatch run bench:deadlines``.

On each engine a small table of sessions and one of 10,000,000, filled by the server itself, of which none has
a recorded deadline. Then a timeout is switched on. The first purge gives all of them their deadlines, page by
page, each in a transaction of its own, and deletes those that have ended; with ``--seconds`` it is stopped
before it has given all, and the database makes up for the rest by itself. Two later purges find as many
sessions as an hour's in a quiet shop: one with the policies of now, as `pyramid-sessions purge` has them, and
one without, which goes by the recorded deadlines alone. What the first looks for beyond those is the
difference. The plans of the database show by which indexes.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import page
import sqlalchemy as sa
from contenders.database import make_engine
from contenders.ours import ACTIVITY, Full
from databases import databases
from purging import ENGINES, LIFE, SETTINGS, fill
from websession_core.policies import IdleTimeout, Policies
from websession_models import purge

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL: Final = 10_000
ENDING: Final = 1000
"""How many sessions end before each of the later purges."""

POLICIES: Final = Policies(idle=IdleTimeout(LIFE))


class Watched:
    """An engine whose statements and transactions are looked at.

    Attributes:
        longest: For how many seconds the longest transaction that was committed took.
        commits: How many were committed.
        queries: What was asked, with the parameters of the last time, in the order of the first.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.longest, self.commits = 0.0, 0
        self.queries: dict[str, Any] = {}
        begun: dict[int, float] = {}

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            begun[id(connection)] = time.perf_counter()

        @sa.event.listens_for(engine, "commit")
        def _commit(connection: sa.Connection) -> None:
            self.commits += 1
            self.longest = max(self.longest, time.perf_counter() - begun[id(connection)])

        @sa.event.listens_for(engine, "before_cursor_execute")
        def _execute(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if statement.startswith("SELECT"):
                self.queries[statement] = parameters

    def forget(self) -> None:
        """Begin to look again."""
        self.longest, self.commits, self.queries = 0.0, 0, {}

    def indexes(self) -> list[str]:
        """Return the indexes of the companion table by which it was searched for deadlines, or the plans."""
        explain = "EXPLAIN QUERY PLAN" if self.engine.dialect.name == "sqlite" else "EXPLAIN"
        names = sorted(str(index.name) for index in ACTIVITY.indexes)
        with self.engine.connect() as connection:
            plans = [
                "; ".join(
                    str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {query}", parameters)
                )
                for query, parameters in self.queries.items()
                if "expires_at" in query.rpartition("WHERE")[2]
            ]
        return [next((name for name in names if name in plan), plan) for plan in plans]


def take(watched: Watched, action: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """Do something; return what it returned, and what that took."""
    watched.forget()
    start = time.perf_counter()
    result = action()
    seconds = time.perf_counter() - start
    return result, {"seconds": seconds, "transactions": watched.commits, "longest": watched.longest}


def measure(name: str, rows: int, *, expired: int, seconds: float | None) -> dict[str, Any]:
    """Purge a table of one engine; return what that took.

    Raises:
        ArithmeticError: A purge did not find what it was to find.
    """
    with contextlib.ExitStack() as stack:
        engine = make_engine(databases(stack, name, SETTINGS.get(name))())
        sys.stderr.write(f"{name}: filling in {rows:,} sessions\n")
        now = int(time.time())
        fill(engine, rows, expired, now, scheduled=False)
        watched = Watched(engine)

        def timed(step: str, **options: Any) -> tuple[Any, dict[str, Any]]:
            sys.stderr.write(f"{name}: {step}\n")
            return take(watched, lambda: purge(engine, Full, **options))

        # No row is deleted, so that the two halves of the first purge are told apart.
        given, scheduling = timed(
            "giving deadlines", now=now, policies=POLICIES, max_rows=0, max_seconds=seconds
        )
        finish(engine)
        deleted, deleting = timed("purging", now=now, policies=POLICIES)
        # Seconds are sessions here, one began in each.
        later, by_policies = timed("purging later", now=now + ENDING, policies=POLICIES)
        indexes = watched.indexes()
        last, by_deadlines = timed("purging later, without policies", now=now + 2 * ENDING)
        engine.dispose()
    counts = deleted.sessions, later.sessions, last.sessions
    if counts != (expired, ENDING, ENDING) or (seconds is None and given.rescheduled != rows):
        raise ArithmeticError(f"{name}: {counts} of {rows}, {given.rescheduled} given a deadline")
    return {
        "given": {"sessions": given.rescheduled, **scheduling},
        "deleted": {"sessions": deleted.sessions, **deleting},
        "later": by_policies,
        "without policies": by_deadlines,
        "indexes": indexes,
    }


def finish(engine: sa.Engine) -> None:
    """Let the database give deadlines to sessions that have none yet, and look at its table again."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(f"UPDATE {ACTIVITY.name} SET expires_at = active_at + {LIFE} WHERE expires_at IS NULL")
        )
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"ANALYZE {ACTIVITY.name}")  # as autovacuum does within minutes


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = page.parser("deadlines", __doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["sqlite"])
    parser.add_argument("--rows", type=int, default=10_000_000, help="how many sessions the large table has")
    parser.add_argument("--seconds", type=float, help="for how long the first purge gives deadlines at most")
    args = parser.parse_args()
    amounts = ((SMALL, SMALL // 5), (args.rows, min(200_000, args.rows // 5)))
    engines = {
        name: {rows: measure(name, rows, expired=expired, seconds=args.seconds) for rows, expired in amounts}
        for name in args.engines
    }
    page.publish("deadlines", {"ending": ENDING, "engines": engines}, record=args.record)


if __name__ == "__main__":
    main()
