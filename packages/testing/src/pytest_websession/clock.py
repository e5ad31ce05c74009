"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ManualClock"]


class ManualClock:
    """A `websession_core.ports.Clock` in a test's hand.

    The applications that it governs get their time from it; nothing is patched, so other applications, other
    test processes and the rest of Python use the real time. Threads may read and move it.

    Args:
        now: Where it starts, in whole Unix seconds; None: the current time, which the rest of the application
            uses.

    Attributes:
        now: The time, whole Unix seconds; it may be set.
    """

    def __init__(self, now: int | None = None) -> None:
        self.now = int(time.time()) if now is None else now
        self._lock = threading.Lock()
        self._clocks: list[tuple[Any, Callable[[], int]]] = []

    def __call__(self) -> int:
        """Return the time, whole Unix seconds."""
        return self.now

    def __repr__(self) -> str:
        return f"<ManualClock at {self.now}>"

    def advance(self, seconds: int = 0, *, minutes: int = 0, hours: int = 0, days: int = 0) -> int:
        """Move on, or back where the sum is negative: a server's clock may step back.

        Returns:
            The new time, whole Unix seconds.

        Raises:
            TypeError: An amount is not a whole number.
        """
        for amount in (seconds, minutes, hours, days):
            if not isinstance(amount, int):
                raise TypeError(f"sessions count whole seconds: advance() takes integers, not {amount!r}")
        with self._lock:
            self.now += seconds + 60 * (minutes + 60 * (hours + 24 * days))
            return self.now

    def govern(self, app: Any) -> None:
        """Let every session of an application go by this clock until :meth:`release`.

        Args:
            app: What `config.make_wsgi_app()` has returned.
        """
        from websession_pyramid import web_session_factories  # noqa: PLC0415 - imports Pyramid

        for factory in web_session_factories(app.registry).values():
            if factory.clock is not self:
                self._clocks.append((factory, factory.clock))
                factory.clock = self

    def release(self) -> None:
        """Restore the applications' own clocks."""
        while self._clocks:
            factory, clock = self._clocks.pop()
            factory.clock = clock
