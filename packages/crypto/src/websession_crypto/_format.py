"""The form that tokens have: version, nonce, ciphertext and tag, in one spelling, for one purpose."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import ClassVar

from ._never_pickled import NeverPickled
from .errors import InvalidTagError, MalformedTokenError, UnauthenticTokenError, UnknownTokenVersionError
from .keys import Keyring
from .xaes import NONCE_LENGTH, TAG_LENGTH

__all__ = ["MAX_PURPOSE_LENGTH", "OVERHEAD", "Codec", "Opened"]

_VERSION = 1
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

OVERHEAD = 1 + NONCE_LENGTH + TAG_LENGTH
MAX_PURPOSE_LENGTH = 255
"""The longest purpose, in bytes of UTF-8."""
_MIN_LENGTH = -(-OVERHEAD * 4 // 3)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a token, and which key opened it.

    Attributes:
        payload: The bytes that were encrypted; not shown by `repr`.
        key_index: The position of the key in the keyring, 0 for the one that encrypts.
    """

    payload: bytes = field(repr=False)
    key_index: int

    @property
    def made_with_current_key(self) -> bool:
        """Whether the key that encrypts now made this token; if not, send a new one before that key goes."""
        return self.key_index == 0


class Codec(NeverPickled):
    """What the codecs have in common: keys, a purpose, and a label that keeps one kind from the other."""

    __slots__ = ("_associated_data", "_keyring", "_nonce_source", "_purpose")

    _label: ClassVar[bytes]

    def __init__(
        self, keyring: Keyring, *, purpose: str, nonce_source: Callable[[int], bytes] = token_bytes
    ) -> None:
        if not isinstance(keyring, Keyring):
            raise TypeError(f"a {type(self).__name__} takes a Keyring, not {type(keyring).__name__}")
        self._keyring = keyring
        self._purpose = purpose
        self._associated_data = _associated_data(self._label, purpose)
        self._nonce_source = nonce_source

    @property
    def keyring(self) -> Keyring:
        """The keys."""
        return self._keyring

    @property
    def purpose(self) -> str:
        """What the tokens are for."""
        return self._purpose

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self._purpose!r} with {self._keyring!r}>"

    def _close(self, payload: bytes, context: bytes = b"") -> str:
        """Make a token with the first key."""
        nonce = self._nonce_source(NONCE_LENGTH)
        sealed = self._keyring.current.aead.encrypt(nonce, payload, self._associated_data + context)
        return _spell(bytes((_VERSION,)) + nonce + sealed).decode("ascii")

    def _open(self, token: object, longest: int | None, context: bytes = b"") -> Opened:
        """Check a token of at most so many characters, and only then decrypt it."""
        raw = _read(token, longest)
        if raw[0] != _VERSION:
            raise UnknownTokenVersionError(f"format version {raw[0]} is not known to this release")
        nonce, sealed = raw[1 : 1 + NONCE_LENGTH], raw[1 + NONCE_LENGTH :]
        associated_data = self._associated_data + context
        for index, key in enumerate(self._keyring):
            try:
                return Opened(key.aead.decrypt(nonce, sealed, associated_data), index)
            except InvalidTagError:
                continue
        raise UnauthenticTokenError(
            "no key of the keyring made this token for this purpose, or it was changed"
        )


def _associated_data(label: bytes, purpose: str) -> bytes:
    if not isinstance(purpose, str):
        raise TypeError(f"a token's purpose is str, not {type(purpose).__name__}")
    try:
        purpose_bytes = purpose.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a token's purpose must not hold lone surrogates") from None
    if not 1 <= len(purpose_bytes) <= MAX_PURPOSE_LENGTH:
        raise ValueError(
            f"a token's purpose has 1 to {MAX_PURPOSE_LENGTH} bytes in UTF-8, not {len(purpose_bytes)}"
        )
    return label + bytes((_VERSION, len(purpose_bytes))) + purpose_bytes


def _spell(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _read(token: object, longest: int | None) -> bytes:
    """Return the bytes of the one spelling of a token; at least as many as an empty payload has."""
    if not isinstance(token, (str, bytes)):
        raise MalformedTokenError(f"a token is str or bytes, not {type(token).__name__}")
    # Before any work, so that a stranger's megabytes cost nothing.
    if len(token) < _MIN_LENGTH or (longest is not None and len(token) > longest):
        bounds = f"{_MIN_LENGTH} to {longest}" if longest is not None else f"at least {_MIN_LENGTH}"
        raise MalformedTokenError(f"a token has {bounds} characters, and this one {len(token)}")
    if isinstance(token, str):
        if not token.isascii():
            raise MalformedTokenError("characters outside URL-safe base64")
        token = token.encode("ascii")
    # Checked before decoding, because the decoder skips what it does not know.
    if token.translate(None, _ALPHABET):
        raise MalformedTokenError("characters outside URL-safe base64")
    if len(token) % 4 == 1:
        raise MalformedTokenError("cut off in the middle of a byte")
    raw = urlsafe_b64decode(token + b"=" * (-len(token) % 4))
    if _spell(raw) != token:
        raise MalformedTokenError("bits after the last byte are not zero")
    return raw
