"""AES by PyCryptodome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InvalidTagError

if TYPE_CHECKING:
    from Crypto.Cipher import AES
else:
    try:
        from Crypto.Cipher import AES
    except ImportError as error:
        # Where a distribution of Linux also has the older PyCrypto, PyCryptodome goes by its other name.
        try:
            from Cryptodome.Cipher import AES
        except ImportError:
            raise error from None

__all__ = ["Aes"]

_BLOCK = bytes(16)
_TAG_LENGTH = 16


class Aes:
    """AES-256, as `_libraries.Aes` describes it."""

    __slots__ = ("_block_cipher", "_subkeys")

    def __init__(self, key: bytes) -> None:
        # Building a PyCryptodome object costs more than encrypting with it, so this one is kept. Threads may
        # share it: in ECB mode it is a key schedule that is only read, with no chaining state.
        self._block_cipher = AES.new(key, AES.MODE_ECB)
        subkey = _double(int.from_bytes(self._block_cipher.encrypt(_BLOCK), "big"))
        # For two blocks at once, in one 256-bit integer.
        self._subkeys = subkey << 128 | subkey

    def cmac_of_blocks(self, first: bytes, second: bytes) -> bytes:
        # PyCryptodome's own CMAC takes twenty times as long. For a message of one full block it is this.
        masked = self._subkeys ^ int.from_bytes(first + second, "big")
        return self._block_cipher.encrypt(masked.to_bytes(32, "big"))

    @staticmethod
    def gcm_encrypt(key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        message = AES.new(key, AES.MODE_GCM, nonce=nonce)
        if associated_data:
            message.update(associated_data)
        return message.encrypt(plaintext) + message.digest()

    @staticmethod
    def gcm_decrypt(key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes:
        message = AES.new(key, AES.MODE_GCM, nonce=nonce)
        if associated_data:
            message.update(associated_data)
        plaintext = message.decrypt(ciphertext[:-_TAG_LENGTH])
        # Only the comparison of the tags is guarded: PyCryptodome says ValueError for other troubles, too,
        # and they must not pass for a forged message. The comparison takes constant time.
        try:
            message.verify(ciphertext[-_TAG_LENGTH:])
        except ValueError:
            raise InvalidTagError("the authentication tag does not match") from None
        return plaintext


def _double(block: int) -> int:
    """Multiply by x in the field of CMAC, without a branch that depends on the key."""
    return ((block << 1) & (2**128 - 1)) ^ (0x87 * (block >> 127))
