"""What a framework adapter plugs in: the clock, the codec of the cookie, the store of the rows.

Protocols, so that nothing has to inherit from here. What an implementation must do when things go wrong is
part of each, in prose. Identifiers and random numbers are plain arguments everywhere and need no port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar

if TYPE_CHECKING:
    from typing import Unpack
    from uuid import UUID

    from .state import SessionState

__all__ = ["Changes", "Clock", "OpenedValue", "Store", "StoredRow", "TicketCodec", "ValueCipher"]

_ConnectionT_contra = TypeVar("_ConnectionT_contra", contravariant=True)
_RowT = TypeVar("_RowT", bound="StoredRow")


class Clock(Protocol):
    """A source of the time; only an adapter's outermost code calls it, everything below takes ``now``."""

    def __call__(self) -> int:
        """Return whole seconds since the Unix epoch.

        It may step back (a server's clock is corrected) and may differ between servers by some seconds:
        anyone who compares its values with stored ones has to expect both. It never raises.
        """


class TicketCodec(Protocol):
    """Turns a ticket's bytes into the text of a cookie and back; without the key neither is possible."""

    def encrypt(self, plaintext: bytes, /) -> str:
        """Return the cookie's value, of characters a cookie may have (RFC 6265 section 4.1.1).

        Two calls give two texts. It may raise `ValueError` for more bytes than it takes; a ticket is
        always below a hundred.
        """

    def decrypt(self, token: str, /) -> bytes:
        """Return the bytes that `encrypt` took.

        The text comes from the network and may be anything: empty, long, not ASCII. What was not made by
        `encrypt` with one of our keys and for this purpose (this cookie's name) raises an error of the
        codec's one documented family, at any length and after the same kind of work; it never returns
        other bytes. A token of an unknown key is no attack by itself: a server may not have the newest key
        yet. The adapter treats it as no session, and leaves the cookie alone.
        """


class ValueCipher(Protocol):
    """Encrypts what a store keeps, for the one place where it is kept."""

    def encrypt(self, value: bytes, context: bytes, /) -> str:
        """Return the value encrypted, in letters, digits, ``-`` and ``_``; two calls give two texts.

        The context is the place. It is authenticated and not part of the text.
        """

    def open(self, encrypted: str, context: bytes, /) -> OpenedValue:
        """Return the value that `encrypt` took with this context.

        Anything else, a value from another place included, raises a `ValueError` that shows nothing of it.
        """


class OpenedValue(Protocol):
    """What was encrypted."""

    @property
    def payload(self) -> bytes:
        """The value."""

    @property
    def made_with_current_key(self) -> bool:
        """Whether it would be encrypted with the same key now."""


class StoredRow(Protocol):
    """A session as the store holds it; an immutable value."""

    @property
    def id(self) -> UUID:
        """The primary key."""

    @property
    def created(self) -> int:
        """When the session began, in Unix seconds."""

    @property
    def version(self) -> int:
        """The number of writes so far; an update names the version it read."""

    @property
    def epoch(self) -> int:
        """The number of changes of identity so far."""

    @property
    def data(self) -> str:
        """The data, JSON text for a `Payload`."""

    @property
    def flash(self) -> str:
        """The flash queues, JSON text for `FlashQueues`."""

    @property
    def state(self) -> SessionState:
        """What the rules of :mod:`websession_core.lifecycle` need to know of it."""


class Changes(TypedDict, total=False):
    """What an update can change of a row besides its data; what is not named stays. A store may know more.

    None is a value here: it means that there is none, or, for the timeouts, that the settings decide.
    """

    epoch: int
    rotated_at: int | None
    userid: Any
    csrf_token: str | None
    authenticated_at: int | None
    user_agent: str | None
    client_address: str | None
    session_slot: int | None
    idle_timeout: int | None
    extension_delay: int | None
    absolute_timeout: int | None
    renewal_timeout: int | None
    cookie_max_age: int | None


class Store(Protocol[_ConnectionT_contra, _RowT]):
    """Reads and writes rows, on a connection and in a transaction that belong to the caller.

    A store neither begins nor ends transactions and keeps no state about rows. Errors of the database come
    through as they are: only the caller knows whether the transaction is to be retried. Their messages must
    not show what was stored.
    """

    def load(self, connection: _ConnectionT_contra, session_id: UUID, /) -> _RowT | None:
        """Return the row, and what was recorded about it, as the connection's transaction sees it.

        None if there is none: it was deleted, has expired and was collected, is not visible yet, or never
        existed. These cannot be told apart, and the caller must not treat any of them as an attack.
        """

    def insert(self, connection: _ConnectionT_contra, row: _RowT, /) -> None:
        """Insert a new row, and with it what is recorded about it (the state's `activity`), if anything.

        A row with that identifier is an error of the database, never an update: identifiers are random, so
        it can only mean that this very session was inserted before. `ValueError`: the row has a value for
        something that the store has no place for.
        """

    def update(
        self,
        connection: _ConnectionT_contra,
        session_id: UUID,
        /,
        *,
        version: int,
        data: str | None = None,
        flash: str | None = None,
        **changes: Unpack[Changes],
    ) -> bool:
        """Write the arguments and add one to the version, if the row still has this version.

        `data` and `flash` stay if they are None. False means that the row has another version: somebody else
        wrote or deleted it meanwhile, and nothing was written. The row is never inserted: a session that
        was ended must stay ended. `ValueError`: the store has no place for one of the changes.
        """

    def delete(self, connection: _ConnectionT_contra, session_id: UUID, /) -> bool:
        """Delete the row, whatever its version; False if there is none, which is no error.

        What was recorded about it stays: that is not the business of this transaction.
        """

    def reorders_keys(self, connection: _ConnectionT_contra, /) -> bool:
        """Return whether texts come back with the keys of objects in another order.

        `Payload` and `FlashQueues` are then made with ``reorder=True``.
        """
