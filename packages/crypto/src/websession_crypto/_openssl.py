"""AES by OpenSSL, through the package `cryptography`."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from .errors import InvalidTagError

__all__ = ["Aes"]


class Aes:
    """AES-256, as `_libraries.Aes` describes it."""

    __slots__ = ("_cmac",)

    def __init__(self, key: bytes) -> None:
        # Only ever copied, which is what threads may do with one and the same.
        self._cmac = CMAC(AES(key))

    def cmac_of_blocks(self, first: bytes, second: bytes) -> bytes:
        one, other = self._cmac.copy(), self._cmac.copy()
        one.update(first)
        other.update(second)
        return one.finalize() + other.finalize()

    @staticmethod
    def gcm_encrypt(key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        return AESGCM(key).encrypt(nonce, plaintext, associated_data)

    @staticmethod
    def gcm_decrypt(key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes:
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, associated_data)
        except InvalidTag:
            raise InvalidTagError("the authentication tag does not match") from None
