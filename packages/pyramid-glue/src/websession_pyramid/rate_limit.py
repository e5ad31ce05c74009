"""What a fault of a database would have every request do, and is done now and then instead."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from sqlalchemy.pool import Pool

__all__ = ["RateLimit"]


class RateLimit:
    """Allows something once in so many seconds, in this process and for each connection pool.

    Args:
        seconds: How long it is not allowed again.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._allowed_at: WeakKeyDictionary[Pool, dict[str, float]] = WeakKeyDictionary()

    def allows(self, pool: Pool, now: float, kind: str = "") -> bool:
        """Return whether it is to be done now; if so, it is not for a while.

        Args:
            pool: Of the engine that it is about.
            now: The time in seconds, always by the same clock.
            kind: What else tells one such thing from another.
        """
        with self._lock:
            allowed_at = self._allowed_at.setdefault(pool, {})
            if kind in allowed_at and 0 <= now - allowed_at[kind] < self._seconds:
                return False
            allowed_at[kind] = now
            return True
