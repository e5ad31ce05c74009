"""The databases of the benchmarks: new ones, gone when it is over."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_websession.servers import MariaDBServer, PostgreSQLServer

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Mapping

ENGINES: Final = ("postgresql", "sqlite")
SERVERS: Final = {"postgresql": PostgreSQLServer, "mariadb": MariaDBServer}


def databases(
    stack: contextlib.ExitStack, engine: str, settings: Mapping[str, str] | None = None
) -> Callable[[], str]:
    """Return what gives the URL of a new, empty database at each call; they go when `stack` ends."""
    if engine in SERVERS:
        return stack.enter_context(SERVERS[engine](settings=settings)).create_database
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="websession-benchmark-")))
    numbers = iter(range(1000))
    return lambda: f"sqlite:///{folder / str(next(numbers))}.sqlite"
