"""Rows that no request will ever accept: written by hand, of a key that is gone, or damaged."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from websession_core.errors import SessionError
from websession_core.payload import FlashQueues, Payload

from .own_transactions import in_turn, reading

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .rows import SessionRow
    from .store import Store

__all__ = ["SAMPLE", "UnusableReport", "find_unusable"]

SAMPLE: Final = 1000
"""How many rows are looked at if not all are."""

_PAGE: Final = 200


@dataclass(frozen=True, slots=True, repr=False)
class UnusableReport:
    """What a search for unusable rows has found.

    Attributes:
        ids: The keys of the unusable rows.
        rows: How many rows were looked at.
        is_complete: Whether these were all rows.
    """

    ids: tuple[uuid.UUID, ...]
    rows: int
    is_complete: bool

    def __repr__(self) -> str:
        return f"<UnusableReport {len(self.ids)} of {self.rows}>"


def find_unusable(
    engine: Engine, store: Store, *, all_rows: bool = False, max_seconds: float | None = None
) -> UnusableReport:
    """Look for rows that cannot be read as sessions: every request with their cookies fails.

    Of a model that encrypts its data, these are also the rows that no key opens.

    Args:
        engine: Where the sessions are.
        store: The model's store, with its cipher.
        all_rows: Look at all rows, and not only at `SAMPLE` at a random place of the table.
        max_seconds: After how many seconds to end the search; None: never.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database cannot be had.
    """
    start = time.monotonic()
    place = uuid.uuid4()
    ids: list[uuid.UUID] = []
    number = 0
    # From a random place to the end, and from the beginning to that place.
    for first, beyond in ((place, None), (None, place)):
        after, ended = first, False
        while not ended:
            if not all_rows and number >= SAMPLE:
                return UnusableReport(tuple(ids), number, is_complete=False)
            if max_seconds is not None and time.monotonic() - start >= max_seconds:
                return UnusableReport(tuple(ids), number, is_complete=False)
            page = in_turn(engine, partial(_page, engine, store, after, beyond))
            number += len(page)
            ids += [session_id for session_id, row in page if not _is_usable(row)]
            ended = len(page) < _PAGE
            after = page[-1][0] if page else after
    return UnusableReport(tuple(ids), number, is_complete=True)


def _page(
    engine: Engine, store: Store, after: uuid.UUID | None, up_to: uuid.UUID | None
) -> list[tuple[uuid.UUID, SessionRow | SessionError]]:
    with reading(engine) as connection:
        return store.scan(connection, after=after, up_to=up_to, limit=_PAGE)


def _is_usable(row: SessionRow | SessionError) -> bool:
    if isinstance(row, SessionError):
        return False
    try:
        _ = row.state, len(Payload(row.data)), FlashQueues(row.flash).is_empty
    except (SessionError, ValueError, TypeError):
        return False
    return True
