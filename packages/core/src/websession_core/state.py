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

__all__ = [
    "COUNTER_MAX",
    "SEED_LENGTH",
    "SHORT_NAME_LENGTH",
    "Activity",
    "SessionState",
    "Ticket",
    "short_name",
]

SHORT_NAME_LENGTH: Final = 8
"""Hexadecimal digits of an identifier by which people know a session: they tell sessions apart in a log."""

SEED_LENGTH: Final = 16
"""Bytes of a ticket's seed."""

# Version byte, identifier, then epoch, generation, attempt, cookie version and issued at.
_WIRE_1 = struct.Struct(">B16sQQQQQ")
# The same, then a byte of flags and the seed.
_WIRE_2 = struct.Struct(f">B16sQQQQQB{SEED_LENGTH}s")
_WIRES = {1: _WIRE_1, 2: _WIRE_2}

_UNSTORED_FLAG = 4
_OWNED_FLAGS: Final = {None: 0, False: 1, True: 2}
_FLAGS: Final = {
    flag | (0 if stored else _UNSTORED_FLAG): (owned, stored)
    for owned, flag in _OWNED_FLAGS.items()
    for stored in (True, False)
}


def short_name(session_id: uuid.UUID) -> str:
    """Return what events, logs and commands call a session; it opens nothing."""
    return session_id.hex[:SHORT_NAME_LENGTH]


@dataclass(frozen=True, slots=True, repr=False)
class Ticket:
    """What the browser's cookie carries, before encryption: which session, and which of its tickets.

    Every number is from 0 to :data:`COUNTER_MAX` (2**63 - 1). A ticket without a seed is one of version 1, of
    websession-core 0.2: it does not know whose its epoch was, and names a row.

    Args:
        session_id: The identifier of the session's row (128 bits).
        epoch: How often the session's identity had been rotated (login, logout, ``regenerate()``).
        generation: How often the ticket had been renewed; grows with every renewal and every rotation.
        attempt: What tells this ticket from others of its generation: 0 in a session's first ticket, counted
            for the candidates of a renewal, random after a rotation.
        cookie_version: The version of the cookie's attributes and encryption key it was sent with.
        issued_at: When it was issued, Unix seconds.
        owned: Whether its epoch was somebody's; None: the model knows no users, or it is of version 1.
        stored: Whether it names a row; False: nothing was stored for the visitor, and its identifier will
            never be that of a row.
        seed: 128 random bits, from which the tokens of forms are made; None: it is of version 1.

    Raises:
        TypeError: `session_id` is no UUID, a number is not an integer, or something else is of a wrong type.
        ValueError: A number is out of range, the seed is of another length, or a ticket of version 1 is to
            say what it has no place for.
    """

    session_id: uuid.UUID
    epoch: int = 0
    generation: int = 0
    attempt: int = 0
    cookie_version: int = 0
    issued_at: int = 0
    owned: bool | None = None
    stored: bool = True
    seed: bytes | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.session_id, uuid.UUID):
            raise TypeError(f"session_id must be a UUID, not {type(self.session_id).__name__}")
        for name in _NUMBERS:
            value = getattr(self, name)
            # What `checked_int` asks first, without the call: several tickets are made in every request.
            if not (type(value) is int and 0 <= value <= COUNTER_MAX):
                checked_int(name, value)
        if self.owned is not None:
            _check_kind("owned", self.owned, bool)
        if self.seed is not None:
            _check_kind("seed", self.seed, bytes)
        if not isinstance(self.stored, bool):
            raise TypeError(f"stored must be bool, not {type(self.stored).__name__}")
        if self.seed is None:
            if self.owned is not None or not self.stored:
                raise ValueError("a ticket without a seed has no place for `owned` and `stored`")
        elif len(self.seed) != SEED_LENGTH:
            raise ValueError(f"seed must be {SEED_LENGTH} bytes long")

    def __repr__(self) -> str:
        # Four digits tell sessions apart in a log; the whole identifier, attempt and seed stay out of it.
        return (
            f"<Ticket {self.session_id.hex[:4]}… epoch={self.epoch} generation={self.generation} "
            f"cookie_version={self.cookie_version} issued_at={self.issued_at}>"
        )

    def to_bytes(self) -> bytes:
        """Return the 74 bytes of this ticket, or the 57 of one without a seed: a version byte, then fields.

        They are of fixed width, numbers big-endian.
        """
        numbers = self.epoch, self.generation, self.attempt, self.cookie_version, self.issued_at
        if self.seed is None:
            return _WIRE_1.pack(1, self.session_id.bytes, *numbers)
        flags = _OWNED_FLAGS[self.owned] | (0 if self.stored else _UNSTORED_FLAG)
        return _WIRE_2.pack(2, self.session_id.bytes, *numbers, flags, self.seed)

    @classmethod
    def from_bytes(cls, data: bytes) -> Ticket:
        """Return the ticket that `data` stands for, of this version or the one before.

        Args:
            data: What :meth:`to_bytes` returned, no byte more or less.

        Raises:
            TicketError: Another length, another version, or a number above :data:`COUNTER_MAX`. The
                message repeats nothing of the content.
        """
        version = data[0] if data else 0
        wire = _WIRES.get(version)
        if wire is None:
            raise TicketError(f"a ticket of version {version} is unknown here (1 and 2 are known)")
        if len(data) != wire.size:
            raise TicketError(f"a ticket of version {version} is {wire.size} bytes long, not {len(data)}")
        _, session_id, epoch, generation, attempt, cookie_version, issued_at, *rest = wire.unpack(data)
        flags, seed = rest or (0, None)
        try:
            owned, stored = _FLAGS[flags]
            return cls(
                uuid.UUID(bytes=session_id),
                epoch,
                generation,
                attempt,
                cookie_version,
                issued_at,
                owned,
                stored,
                seed,
            )
        except KeyError:
            raise TicketError("the flags in the ticket are unknown here") from None
        except ValueError:
            raise TicketError("a number in the ticket is out of range") from None


_NUMBERS: Final = ("epoch", "generation", "attempt", "cookie_version", "issued_at")


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
        overrides: The session's own settings; None: it has none.
        is_readable: Whether all that is stored of it can be read; if not, the rest says nothing.
        is_ownerless: Whether a user has logged in to it, but it no longer has one.

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
    is_ownerless: bool = False

    def __post_init__(self) -> None:
        created, epoch, rotated_at = self.created, self.epoch, self.rotated_at
        # All of it without a call where nothing is wrong: one is made in every request.
        if not (type(created) is int and 0 <= created <= COUNTER_MAX):
            checked_int("created", created)
        if not (type(epoch) is int and 0 <= epoch <= COUNTER_MAX):
            checked_int("epoch", epoch)
        if rotated_at is not None and not (type(rotated_at) is int and 0 <= rotated_at <= COUNTER_MAX):
            checked_int("rotated_at", rotated_at)
        if self.owned is not None:
            _check_kind("owned", self.owned, bool)
        if self.activity is not None and type(self.activity) is not Activity:
            _check_kind("activity", self.activity, Activity)
        if self.overrides is not None and type(self.overrides) is not Overrides:
            _check_kind("overrides", self.overrides, Overrides)


def _check_kind(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be None or {kind.__name__}, not {type(value).__name__}")
