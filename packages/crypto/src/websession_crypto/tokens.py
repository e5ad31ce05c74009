"""Tokens: bytes, encrypted and authenticated for one purpose, in a form that a cookie can carry.

A token is the URL-safe base64, without padding, of

    version (1 byte) ‖ nonce (24 bytes) ‖ ciphertext (as long as the payload) ‖ tag (16 bytes)

encrypted with XAES-256-GCM. The associated data is the label ``websession-crypto token``, the version byte,
the length of the purpose in one byte, and the purpose in UTF-8: every part has a fixed length or its length
before it, so two different pairs of version and purpose never give the same associated data.

Every token has exactly one spelling. A second spelling of the same bytes would be a second token to whatever
keeps a list of those it has seen.
"""

from ._format import MAX_PURPOSE_LENGTH, OVERHEAD, Codec, Opened
from .errors import PayloadTooLongError

__all__ = ["MAX_PAYLOAD_LENGTH", "MAX_PURPOSE_LENGTH", "MAX_TOKEN_LENGTH", "Opened", "TokenCodec"]

# Browsers need not keep a cookie of more than 4096 bytes (RFC 6265, section 6.1, which counts the attributes,
# too; today's browsers count name and value). With the longest purpose as its name, name and value are 4095
# bytes long; with a name of usual length some 200 bytes are left for attributes.
MAX_TOKEN_LENGTH = 3840
"""The longest token that is made or accepted, in characters."""
MAX_PAYLOAD_LENGTH = MAX_TOKEN_LENGTH * 3 // 4 - OVERHEAD
"""The longest payload that `TokenCodec.encrypt` takes, in bytes: 2839."""


class TokenCodec(Codec):
    """Makes and opens tokens for one purpose.

    Stateless, and may be used by several threads at once. Make one per cookie, at start-up.

    Args:
        keyring: Its first key encrypts, all of them decrypt, tried in order.
        purpose: What the tokens are for, usually the cookie's name; 1 to 255 bytes of UTF-8. A token made for
            one purpose is refused by the codec of any other.
        nonce_source: For tests only. Takes a number of bytes, returns that many; the default is the operating
            system's random generator. Two equal nonces under one key break the encryption.

    Raises:
        TypeError: `keyring` is no `Keyring`, or `purpose` is no `str`.
        ValueError: `purpose` is empty, too long, or holds lone surrogates.
    """

    __slots__ = ()

    _label = b"websession-crypto token"

    def encrypt(self, payload: bytes) -> str:
        """Make a token with the first key of the keyring.

        Args:
            payload: At most `MAX_PAYLOAD_LENGTH` bytes, possibly none.

        Returns:
            ASCII letters, digits, ``-`` and ``_``: four characters for every three bytes of the payload, and
            55 more. What is visible of the payload is its length.

        Raises:
            TypeError: `payload` is not `bytes`.
            PayloadTooLongError: The token would not fit into a cookie.
        """
        if not isinstance(payload, bytes):
            raise TypeError(f"a token's payload is bytes, not {type(payload).__name__}")
        if len(payload) > MAX_PAYLOAD_LENGTH:
            raise PayloadTooLongError(len(payload), MAX_PAYLOAD_LENGTH)
        return self._close(payload)

    def decrypt(self, token: str | bytes) -> bytes:
        """Return the payload of a token; as `open`, without the key's position.

        Raises:
            TokenError: As `open` does.
        """
        return self.open(token).payload

    def open(self, token: str | bytes) -> Opened:
        """Check a token, and only then decrypt it.

        Args:
            token: Whatever the browser sent. Any value of any type gets a result or a `TokenError`.

        Raises:
            MalformedTokenError: This is no token, or one with more than `MAX_TOKEN_LENGTH` characters.
            UnknownTokenVersionError: Its format is of a version this release does not know.
            UnauthenticTokenError: No key of this keyring made it for this purpose, or it was changed.
        """
        return self._open(token, MAX_TOKEN_LENGTH)
