"""What the rules look at: the ticket a browser holds and a snapshot of what the store holds.

Both are immutable values that check themselves when they are made, so that the rules in
:mod:`websession_core.lifecycle` never meet an impossible one. Times are whole Unix seconds.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass, fields

from .errors import TicketError

__all__ = ["COUNTER_MAX", "Ticket"]

COUNTER_MAX = 2**63 - 1
"""The largest counter, random attempt or time: what a signed 64-bit column (``BIGINT``) holds."""

# Version byte, identifier, then epoch, generation, attempt, cookie version and issued at.
_WIRE = struct.Struct(">B16sQQQQQ")
_WIRE_VERSION = 1


def checked_int(name: str, value: object, low: int = 0, high: int = COUNTER_MAX) -> int:
    """Return `value` if it is an integer (no boolean) from `low` to `high`.

    Args:
        name: What the value is called in the error message.
        value: What to check.
        low: The smallest allowed value.
        high: The largest allowed value.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is out of range.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}")
    return value


@dataclass(frozen=True, slots=True, repr=False)
class Ticket:
    """What the browser's cookie carries, before encryption: which session, and which of its tickets.

    Every number is from 0 to :data:`COUNTER_MAX` (2**63 - 1).

    Args:
        session_id: The identifier of the session's row (128 bits).
        epoch: How often the session's identity had been rotated (login, logout, ``regenerate()``).
        generation: How often the ticket had been renewed; grows with every renewal and every rotation.
        attempt: The random number that tells this candidate from others of the same generation;
            0 in the first ticket of a session.
        cookie_version: The version of the cookie's attributes and encryption key it was sent with.
        issued_at: When it was issued, Unix seconds.

    Raises:
        TypeError: `session_id` is no UUID, or a number is not an integer.
        ValueError: A number is out of range.
    """

    session_id: uuid.UUID
    epoch: int = 0
    generation: int = 0
    attempt: int = 0
    cookie_version: int = 0
    issued_at: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.session_id, uuid.UUID):
            raise TypeError(f"session_id must be a UUID, not {type(self.session_id).__name__}")
        for field in fields(self)[1:]:
            checked_int(field.name, getattr(self, field.name))

    def __repr__(self) -> str:
        # Four digits tell sessions apart in a log; the whole identifier and the attempt stay out of it.
        return (
            f"<Ticket {self.session_id.hex[:4]}… epoch={self.epoch} generation={self.generation} "
            f"cookie_version={self.cookie_version} issued_at={self.issued_at}>"
        )

    def to_bytes(self) -> bytes:
        """Return the 57 bytes of this ticket: a version byte, then fixed-width big-endian fields."""
        return _WIRE.pack(
            _WIRE_VERSION,
            self.session_id.bytes,
            self.epoch,
            self.generation,
            self.attempt,
            self.cookie_version,
            self.issued_at,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Ticket:
        """Return the ticket that `data` stands for.

        Args:
            data: What :meth:`to_bytes` returned, no byte more or less.

        Raises:
            TicketError: Another length, another version, or a number above :data:`COUNTER_MAX`. The
                message repeats nothing of the content.
        """
        if len(data) != _WIRE.size:
            raise TicketError(f"a ticket is {_WIRE.size} bytes long, not {len(data)}")
        version, session_id, *numbers = _WIRE.unpack(data)
        if version != _WIRE_VERSION:
            raise TicketError(
                f"a ticket of version {version} is unknown here (this is version {_WIRE_VERSION})"
            )
        try:
            return cls(uuid.UUID(bytes=session_id), *numbers)
        except ValueError:
            raise TicketError("a number in the ticket is out of range") from None
