"""Whether bookkeeping looks where the sessions are: rows that it has not found, though they are there.

A row that is not found has been deleted meanwhile, as a rule: by a logout, a purge, another revocation. Or it
is where only the request's own connection looks, because of what that connection was told: a `search_path`, a
variable that row-level security goes by. The two cannot be told apart at that moment, but by the next request
that reads the row: what it finds was not deleted.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from websession_core.lifecycle import Duty
from websession_core.state import short_name

if TYPE_CHECKING:
    from uuid import UUID

    from websession_models import SessionRow

__all__ = ["REMEDY", "MissingRows"]

log = logging.getLogger(__name__)

_MOST: Final = 1000
REMEDY: Final = (
    "What the application tells the database on its own connections, such as a search_path or a variable for "
    "row-level security, say on ours in a subscriber to OwnTransactionBegun."
)
"""What to do where bookkeeping does not look where the sessions are."""


class MissingRows:
    """The sessions of one factory whose rows bookkeeping has not found lately, in this process."""

    def __init__(self) -> None:
        self._missing: dict[UUID, tuple[Duty, int]] = {}
        self._reported: set[Duty] = set()
        self._lock = threading.Lock()

    def add(self, session_id: UUID, duty: Duty, now: int) -> None:
        """Take note that a row was not found."""
        with self._lock:
            earlier, _ = self._missing.pop(session_id, (None, 0))
            # A revocation matters more than anything that comes after it.
            self._missing[session_id] = (Duty.REVOKE if earlier is Duty.REVOKE else duty, now)
            while len(self._missing) > _MOST:
                del self._missing[next(iter(self._missing))]

    def duty(self, session_id: UUID, before: int | None) -> Duty | None:
        """Return for which duty a row was not found; to be asked before it is read.

        Args:
            session_id: Whose row.
            before: The latest time that counts, since the reader may see what was there then; None: any.
        """
        duty, at = self._missing.get(session_id, (None, 0))
        return duty if before is None or at <= before else None

    def tell(self, row: SessionRow, duty: Duty) -> None:
        """Log that a row is there that was not found before: a revocation each time, others once each."""
        if row.activity is None and duty not in {Duty.RECORD, Duty.REMOVE, Duty.REVOKE}:
            return  # what was recorded of it really is gone
        with self._lock:
            is_news = self._missing.pop(row.id, None) is not None
            if duty is not Duty.REVOKE:
                is_news = is_news and duty not in self._reported
                self._reported.add(duty)
        if not is_news:
            return
        if duty is Duty.REVOKE:
            log.error(
                "Session %s is still there after its revocation, which found no row where it looked: anyone "
                "who has a copy of its cookie can use it. %s",
                short_name(row.id),
                REMEDY,
            )
        else:
            log.warning(
                "Bookkeeping (%s) found no row where it looked, and the session is there: what is due for it "
                "is never done. %s",
                duty,
                REMEDY,
            )
