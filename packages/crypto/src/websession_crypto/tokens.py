"""Tokens: bytes, encrypted and authenticated for one purpose, in a form that a cookie can carry.

A token is the URL-safe base64, without padding, of

    version (1 byte) ‖ nonce (24 bytes) ‖ ciphertext (as long as the payload) ‖ tag (16 bytes)

encrypted with XAES-256-GCM. The associated data is the label ``websession-crypto token``, the version byte,
the length of the purpose in one byte, and the purpose in UTF-8: every part has a fixed length or its length
before it, so two different pairs of version and purpose never give the same associated data.

Every token has exactly one spelling. A second spelling of the same bytes would be a second token to whatever
keeps a list of those it has seen.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_bytes

from ._never_pickled import NeverPickled
from .errors import InvalidTag, MalformedToken, PayloadTooLong, UnauthenticToken, UnknownTokenVersion
from .keys import Keyring
from .xaes import NONCE_LENGTH, TAG_LENGTH

__all__ = ["MAX_PAYLOAD_LENGTH", "MAX_PURPOSE_LENGTH", "MAX_TOKEN_LENGTH", "Opened", "TokenCodec"]

_VERSION = 1
_LABEL = b"websession-crypto token"
_OVERHEAD = 1 + NONCE_LENGTH + TAG_LENGTH
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

# Browsers need not keep a cookie of more than 4096 bytes (RFC 6265, section 6.1, which counts the attributes,
# too; today's browsers count name and value). With the longest purpose as its name, name and value are 4095
# bytes long; with a name of usual length some 200 bytes are left for attributes.
MAX_TOKEN_LENGTH = 3840
"""The longest token that is made or accepted, in characters."""
MAX_PURPOSE_LENGTH = 255
"""The longest purpose, in bytes of UTF-8."""
MAX_PAYLOAD_LENGTH = MAX_TOKEN_LENGTH * 3 // 4 - _OVERHEAD
"""The longest payload that `TokenCodec.encrypt` takes, in bytes: 2839."""

_MIN_TOKEN_LENGTH = -(-_OVERHEAD * 4 // 3)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a token, and which key opened it.

    Attributes:
        payload: the bytes given to `TokenCodec.encrypt`; not shown by `repr`.
        key_index: the position of the key in the keyring, 0 for the one that encrypts.
    """

    payload: bytes = field(repr=False)
    key_index: int

    @property
    def made_with_current_key(self) -> bool:
        """Whether the key that encrypts now made this token; if not, send a new one before that key goes."""
        return self.key_index == 0


class TokenCodec(NeverPickled):
    """Makes and opens tokens for one purpose.

    Stateless, and may be used by several threads at once. Make one per cookie, at start-up.

    Args:
        keyring: its first key encrypts, all of them decrypt, tried in order.
        purpose: what the tokens are for, usually the cookie's name; 1 to 255 bytes of UTF-8. A token made for
            one purpose is refused by the codec of any other.
        nonce_source: for tests only. Takes a number of bytes, returns that many; the default is the operating
            system's random generator. Two equal nonces under one key break the encryption.

    Raises:
        TypeError: `keyring` is no `Keyring`, or `purpose` is no `str`.
        ValueError: `purpose` is empty, too long, or holds lone surrogates.
    """

    __slots__ = ("_associated_data", "_keyring", "_nonce_source", "_purpose")

    def __init__(
        self, keyring: Keyring, *, purpose: str, nonce_source: Callable[[int], bytes] = token_bytes
    ) -> None:
        if not isinstance(keyring, Keyring):
            raise TypeError(f"a TokenCodec takes a Keyring, not {type(keyring).__name__}")
        self._keyring = keyring
        self._purpose = purpose
        self._associated_data = _associated_data(purpose)
        self._nonce_source = nonce_source

    @property
    def keyring(self) -> Keyring:
        """The keys, as given."""
        return self._keyring

    @property
    def purpose(self) -> str:
        """What the tokens are for, as given."""
        return self._purpose

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self._purpose!r} with {self._keyring!r}>"

    def encrypt(self, payload: bytes) -> str:
        """Make a token with the first key of the keyring.

        Args:
            payload: at most `MAX_PAYLOAD_LENGTH` bytes, possibly none.

        Returns:
            ASCII letters, digits, ``-`` and ``_``: four characters for every three bytes of the payload, and
            55 more. What is visible of the payload is its length.

        Raises:
            TypeError: `payload` is not `bytes`.
            PayloadTooLong: the token would not fit into a cookie.
        """
        if not isinstance(payload, bytes):
            raise TypeError(f"a token's payload is bytes, not {type(payload).__name__}")
        if len(payload) > MAX_PAYLOAD_LENGTH:
            raise PayloadTooLong(len(payload), MAX_PAYLOAD_LENGTH)
        nonce = self._nonce_source(NONCE_LENGTH)
        sealed = self._keyring.current.aead.encrypt(nonce, payload, self._associated_data)
        return _spell(bytes((_VERSION,)) + nonce + sealed).decode("ascii")

    def decrypt(self, token: str | bytes) -> bytes:
        """Give the payload of a token; as `open`, without the key's position.

        Raises:
            TokenError: as `open` does.
        """
        return self.open(token).payload

    def open(self, token: str | bytes) -> Opened:
        """Check a token, and only then decrypt it.

        Args:
            token: whatever the browser sent. Any value of any type gets a result or a `TokenError`.

        Raises:
            MalformedToken: this is no token, or one with more than `MAX_TOKEN_LENGTH` characters.
            UnknownTokenVersion: its format is of a version this release does not know.
            UnauthenticToken: no key of this keyring made it for this purpose, or it was changed.
        """
        raw = _read(token)
        if raw[0] != _VERSION:
            raise UnknownTokenVersion(f"format version {raw[0]} is not known to this release")
        nonce, sealed = raw[1 : 1 + NONCE_LENGTH], raw[1 + NONCE_LENGTH :]
        for index, key in enumerate(self._keyring):
            try:
                return Opened(key.aead.decrypt(nonce, sealed, self._associated_data), index)
            except InvalidTag:
                continue
        raise UnauthenticToken("no key of the keyring made this token for this purpose, or it was changed")


def _associated_data(purpose: str) -> bytes:
    if not isinstance(purpose, str):
        raise TypeError(f"a token's purpose is str, not {type(purpose).__name__}")
    try:
        encoded = purpose.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a token's purpose must not hold lone surrogates") from None
    if not 1 <= len(encoded) <= MAX_PURPOSE_LENGTH:
        raise ValueError(
            f"a token's purpose has 1 to {MAX_PURPOSE_LENGTH} bytes in UTF-8, not {len(encoded)}"
        )
    return _LABEL + bytes((_VERSION, len(encoded))) + encoded


def _spell(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _read(token: str | bytes) -> bytes:
    """Give the bytes of the one spelling of a token; at least as many as an empty payload has."""
    if not isinstance(token, (str, bytes)):
        raise MalformedToken(f"a token is str or bytes, not {type(token).__name__}")
    # Before any work, so that a stranger's megabytes cost nothing.
    if not _MIN_TOKEN_LENGTH <= len(token) <= MAX_TOKEN_LENGTH:
        raise MalformedToken(
            f"a token has {_MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH} characters, and this one {len(token)}"
        )
    if isinstance(token, str):
        if not token.isascii():
            raise MalformedToken("characters outside URL-safe base64")
        token = token.encode("ascii")
    # Checked before decoding, because the decoder skips what it does not know.
    if token.translate(None, _ALPHABET):
        raise MalformedToken("characters outside URL-safe base64")
    if len(token) % 4 == 1:
        raise MalformedToken("cut off in the middle of a byte")
    raw = urlsafe_b64decode(token + b"=" * (-len(token) % 4))
    if _spell(raw) != token:
        raise MalformedToken("bits after the last byte are not zero")
    return raw
