"""What the rules look at: the ticket a browser holds and a snapshot of what the store holds.

Both are immutable values that check themselves when they are made, so that the rules in
:mod:`websession_core.lifecycle` never meet an impossible one. Times are whole Unix seconds.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from typing import Final

from ._numbers import COUNTER_MAX, checked_int
from .errors import TicketError
from .policies import Overrides

__all__ = ["COUNTER_MAX", "SHORT_NAME_LENGTH", "Activity", "SessionState", "Ticket", "short_name"]

SHORT_NAME_LENGTH: Final = 8
"""Hexadecimal digits of an identifier by which people know a session: they tell sessions apart in a log."""

# Version byte, identifier, then epoch, generation, attempt, cookie version and issued at.
_WIRE = struct.Struct(">B16sQQQQQ")
_WIRE_VERSION = 1


def short_name(session_id: uuid.UUID) -> str:
    """Return what events, logs and commands call a session; it opens nothing."""
    return session_id.hex[:SHORT_NAME_LENGTH]


@dataclass(frozen=True, slots=True, repr=False)
class Ticket:
    """What the browser's cookie carries, before encryption: which session, and which of its tickets.

    Every number is from 0 to :data:`COUNTER_MAX` (2**63 - 1).

    Args:
        session_id: The identifier of the session's row (128 bits).
        epoch: How often the session's identity had been rotated (login, logout, ``regenerate()``).
        generation: How often the ticket had been renewed; grows with every renewal and every rotation.
        attempt: What tells this ticket from others of its generation: 0 in a session's first ticket, counted
            for the candidates of a renewal, random after a rotation.
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
        for name in self.__slots__[1:]:
            checked_int(name, getattr(self, name))

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


@dataclass(frozen=True, slots=True)
class Activity:
    """What was recorded about a session: a snapshot of its row in the companion table.

    None in a field: the model has no such column, or the row was written before it had. Every number is
    from 0 to :data:`COUNTER_MAX`; times are Unix seconds.

    Args:
        active_at: When the session was last used, as far as it was recorded.
        expires_at: The first second at which the session has ended, by the policies it was last written
            under; None also: they set no end.
        generation: The generation of the current ticket.
        attempt: The attempt of the current ticket.
        previous_attempt: The attempt of the current ticket of the generation before; None also: there
            was none, or it is not known.
        renewed_at: When the current ticket became current.
        tries: How many candidates were sent since then.
        tried_at: When the last of them was sent; None also: none was.

    Raises:
        TypeError: A number is neither None nor an integer.
        ValueError: A number is out of range.
    """

    active_at: int | None = None
    expires_at: int | None = None
    generation: int | None = None
    attempt: int | None = None
    previous_attempt: int | None = None
    renewed_at: int | None = None
    tries: int | None = None
    tried_at: int | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            # What `checked_int` asks first, without the call: eight of them in every request.
            if value is not None and not (type(value) is int and 0 <= value <= COUNTER_MAX):
                checked_int(name, value)


@dataclass(frozen=True, slots=True)
class SessionState:
    """What the rules need to know of a session's row: a snapshot of its policy columns.

    Args:
        created: When the session began, Unix seconds.
        epoch: How often its identity was rotated.
        rotated_at: When that last happened, Unix seconds; None: never, or not known.
        owned: Whether it belongs to a user; None: the model knows no users.
        activity: What was recorded about it; None: nothing (no such table, or no such row yet).
        overrides: What this session has otherwise than the settings say; None: nothing.
        is_readable: Whether all that is stored of it can be read; if not, the rest says nothing.

    Raises:
        TypeError: Something is of a wrong type.
        ValueError: A number is out of range.
    """

    created: int
    epoch: int = 0
    rotated_at: int | None = None
    owned: bool | None = None
    activity: Activity | None = None
    overrides: Overrides | None = None
    is_readable: bool = True

    def __post_init__(self) -> None:
        checked_int("created", self.created)
        checked_int("epoch", self.epoch)
        if self.rotated_at is not None:
            checked_int("rotated_at", self.rotated_at)
        _check_kind("owned", self.owned, bool)
        _check_kind("activity", self.activity, Activity)
        _check_kind("overrides", self.overrides, Overrides)


def _check_kind(name: str, value: object, kind: type) -> None:
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} must be None or {kind.__name__}, not {type(value).__name__}")
