"""The databases of the benchmarks: new ones, gone when it is over."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_websession.servers import PostgreSQLServer

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

ENGINES: Final = ("postgresql", "sqlite")


def databases(stack: contextlib.ExitStack, engine: str) -> Callable[[], str]:
    """Return what gives the URL of a new, empty database at each call."""
    if engine == "postgresql":
        return stack.enter_context(PostgreSQLServer()).create_database
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="websession-benchmark-")))
    numbers = iter(range(1000))
    return lambda: f"sqlite:///{folder / str(next(numbers))}.sqlite"
