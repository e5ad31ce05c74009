"""Counting the SQL statements that an application sends."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StatementCounter"]


class StatementCounter:
    """Asserts how many SQL statements are sent in a block, whichever thread sends them.

    Args:
        engine: The application's engine.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @contextmanager
    def __call__(self, count: int | None = None) -> Iterator[list[str]]:
        """Count the statements that are sent in the block; COMMIT and ROLLBACK are none.

        Args:
            count: How many there must be; None: any number.

        Returns:
            Their texts, growing while the block runs.

        Raises:
            AssertionError: There were more or fewer; it lists them.
        """
        __tracebackhide__ = True
        statements: list[str] = []

        def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            statements.append(statement)

        sa.event.listen(self._engine, "before_cursor_execute", listen)
        try:
            yield statements
        finally:
            sa.event.remove(self._engine, "before_cursor_execute", listen)
        if count is not None and len(statements) != count:
            lines = "".join(
                f"\n{number}. {' '.join(statement.split())}" for number, statement in enumerate(statements, 1)
            )
            raise AssertionError(f"{count} SQL statements were expected, {len(statements)} were sent:{lines}")
