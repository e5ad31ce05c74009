"""The columns of a session: what the application says about it, written in its own transaction.

Mixins declare columns and nothing else. Every column can be declared again in the model, to give it another
name or further arguments, and the model may have columns and relationships of its own.
"""

from __future__ import annotations

import secrets
import time
import uuid
from typing import Any

from sqlalchemy import BigInteger, Integer
from sqlalchemy.orm import Mapped, mapped_column

from websession_models.types import SESSION_JSON, SessionId

__all__ = ["BaseMixin", "fresh_session_id"]


def fresh_session_id() -> uuid.UUID:
    """Return a new identifier: 128 bits from the operating system's generator, all of them random.

    Not a version 4 UUID, which fixes six of its bits. (OWASP ASVS 5.0, 7.2.3: at least 128 bits of
    entropy for a reference token; the cookie that carries it is encrypted besides.)
    """
    return uuid.UUID(bytes=secrets.token_bytes(16))


def _now() -> int:
    """Return the time in whole Unix seconds, for rows that are made outside the store."""
    return int(time.time())


class BaseMixin:
    """The columns that every session model has.

    Use it in front of the application's declarative base:

        class Session(BaseMixin, Base):
            __tablename__ = "session"

    The store reads and writes these columns with statements of its own; the ORM never writes them. Hence
    `version` must **not** be the mapper's `version_id_col`: the ORM would count its own updates of the
    application's columns in it, and the store's next write in the same transaction would take that for a
    foreign change. The application may load rows, follow relationships and write its own columns.
    """

    id: Mapped[uuid.UUID] = mapped_column(
        SessionId(), primary_key=True, default=fresh_session_id, sort_order=-50
    )
    """The random primary key. It never changes while the session lives, whoever logs in."""

    created: Mapped[int] = mapped_column(BigInteger, nullable=False, default=_now, sort_order=-49)
    """When the session began, in Unix seconds."""

    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1, sort_order=-48)
    """Grows by one with every write; a write that read an older one finds no row, and nothing is lost."""

    epoch: Mapped[int] = mapped_column(Integer, nullable=False, default=0, sort_order=-47)
    """Counts changes of identity. A ticket that carries another epoch opens nothing."""

    data: Mapped[dict[str, Any]] = mapped_column(SESSION_JSON, nullable=False, default=dict, sort_order=48)
    """What the application put into the session: a JSON object."""

    flash: Mapped[dict[str, Any]] = mapped_column(SESSION_JSON, nullable=False, default=dict, sort_order=49)
    """The flash queues by their names: a JSON object of arrays."""
