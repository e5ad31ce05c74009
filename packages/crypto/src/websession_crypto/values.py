"""Values: bytes that are stored, encrypted and authenticated for the one place where they are.

An encrypted value has the form of a token (see `tokens`), and is as long as it needs to be. Its associated
data is the label ``websession-crypto value``, the version byte, the length of the purpose in one byte, the
purpose in UTF-8, and then the context, to the end: only the last part has neither a fixed length nor its
length before it. The label keeps values and tokens apart: neither passes for the other, under one key.
"""

from ._format import Codec, Opened

__all__ = ["ValueCodec"]


class ValueCodec(Codec):
    """Encrypts values for a database, each for its place there.

    A value that was copied from another place is refused. One that was in the same place before is not:
    anyone who can write to the database can bring it back. Stateless, and may be used by several threads at
    once.

    Args:
        keyring: Its first key encrypts, all of them decrypt, tried in order. Do not use these keys
            to encrypt anything else, so that each can be changed without regard to the other.
        purpose: What the values are; 1 to 255 bytes of UTF-8.
        nonce_source: For tests only, as in `TokenCodec`.

    Raises:
        TypeError: `keyring` is no `Keyring`, or `purpose` is no `str`.
        ValueError: `purpose` is empty, too long, or holds lone surrogates.
    """

    __slots__ = ()

    _label = b"websession-crypto value"

    def encrypt(self, value: bytes, context: bytes) -> str:
        """Encrypt a value with the first key of the keyring.

        Args:
            value: What to encrypt, of any length.
            context: The place: the row's key and the column's name, for example. Parts that vary in length
                need their lengths in it, or two places may be spelled alike.

        Returns:
            ASCII letters, digits, ``-`` and ``_``: four characters for every three bytes of the value, and 55
            more. What is visible of the value is its length.

        Raises:
            TypeError: `value` or `context` is not `bytes`.
        """
        if not isinstance(value, bytes):
            raise TypeError(f"a value is bytes, not {type(value).__name__}")
        return self._close(value, context)

    def decrypt(self, encrypted: str | bytes, context: bytes) -> bytes:
        """Return the value; as `open`, without the key's position.

        Raises:
            TokenError: As `open` does.
        """
        return self.open(encrypted, context).payload

    def open(self, encrypted: str | bytes, context: bytes) -> Opened:
        """Check an encrypted value, and only then decrypt it.

        Args:
            encrypted: What the database holds.
            context: The place where it is.

        Raises:
            MalformedTokenError: This is no encrypted value.
            UnknownTokenVersionError: Its format is of a version this release does not know.
            UnauthenticTokenError: No key of this keyring made it for this purpose and place, or it was
                changed.
        """
        return self._open(encrypted, None, context)
