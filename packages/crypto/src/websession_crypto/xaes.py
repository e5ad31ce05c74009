"""XAES-256-GCM (https://c2sp.org/XAES-256-GCM) on PyCryptodome's AES.

AES-GCM nonces are 96 bits: drawn at random they may repeat after some 2**32 messages, and a repeated nonce
gives away the authentication key. XAES-256-GCM takes a nonce of 192 bits. Its first half goes through a key
derivation (NIST SP 800-108r1 in counter mode over CMAC-AES256), its second half is the nonce of plain
AES-256-GCM under the derived key. The derivation is three AES blocks, one of which depends on the key alone.

With K the key, N the nonce, ``‖`` concatenation and ``⊕`` exclusive or, in the words of the specification:

1. L  = AES(K, 0)                                     once per key
2. K1 = L << 1, and ``⊕ 0x87`` if a bit fell out      once per key (the CMAC subkey, SP 800-38B)
3. M1 = 00 01 'X' 00 ‖ N[:12],   M2 = 00 02 'X' 00 ‖ N[:12]
4. Kx = AES(K, M1 ⊕ K1) ‖ AES(K, M2 ⊕ K1)
5. AES-256-GCM with key Kx and nonce N[12:]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from Crypto.Cipher import AES

from ._never_pickled import NeverPickled
from .errors import InvalidTagError

if TYPE_CHECKING:
    from Crypto.Cipher._mode_gcm import GcmMode

__all__ = ["KEY_LENGTH", "NONCE_LENGTH", "TAG_LENGTH", "Xaes256Gcm"]

KEY_LENGTH = 32
NONCE_LENGTH = 24
TAG_LENGTH = 16

_BLOCK = bytes(16)
_COUNTERS_AND_LABELS = bytes.fromhex("00015800") + bytes(12) + bytes.fromhex("00025800") + bytes(12)
_ROOM_FOR_LABEL = bytes(4)


class Xaes256Gcm(NeverPickled):
    """Authenticated encryption with a 256-bit key and 192-bit nonces.

    Stateless after construction, and may be used by several threads at once. Keeps no copy of the key's
    bytes on the Python side.

    A nonce must not be used twice with one key: draw it from the operating system's generator. The
    specification's bound for random nonces is 2**80 messages per key with a collision risk of 2**-32. The
    scheme neither resists the reuse of a nonce nor commits to the key.

    Args:
        key: 32 bytes, uniformly random.

    Raises:
        ValueError: `key` has another length.
    """

    __slots__ = ("_block_cipher", "_derivation_mask")

    def __init__(self, key: bytes) -> None:
        length = len(key)
        if length != KEY_LENGTH:
            del key  # a traceback's frames hold their locals, and crash reports print them
            raise ValueError(f"an XAES-256-GCM key has {KEY_LENGTH} bytes, not {length}")
        # Building a PyCryptodome object costs more than encrypting with it, so this one is kept. Threads may
        # share it: in ECB mode it is a key schedule that is only read, with no chaining state.
        self._block_cipher = AES.new(key, AES.MODE_ECB)
        subkey = _double(int.from_bytes(self._block_cipher.encrypt(_BLOCK), "big"))
        # Steps 3 and 4 exclusive-or constants with K1: for both blocks at once, in one 256-bit integer.
        self._derivation_mask = int.from_bytes(_COUNTERS_AND_LABELS, "big") ^ (subkey << 128 | subkey)

    def encrypt(self, nonce: bytes, plaintext: bytes, associated_data: bytes = b"") -> bytes:
        """Encrypt and authenticate.

        Args:
            nonce: 24 bytes, never used before with this key.
            plaintext: Up to 2**36 - 32 bytes.
            associated_data: Authenticated, not encrypted and not contained in the result.

        Returns:
            The ciphertext, as long as the plaintext, followed by the tag of 16 bytes.

        Raises:
            ValueError: `nonce` has another length.
        """
        message = self._message_cipher(nonce)
        if associated_data:
            message.update(associated_data)
        return message.encrypt(plaintext) + message.digest()

    def decrypt(self, nonce: bytes, ciphertext: bytes, associated_data: bytes = b"") -> bytes:
        """Check the tag, and only then give the plaintext.

        Args:
            nonce: The 24 bytes that `encrypt` took.
            ciphertext: What `encrypt` returned.
            associated_data: The same as for `encrypt`.

        Raises:
            ValueError: `nonce` has another length.
            InvalidTagError: The tag does not match, or there is not even room for one.
        """
        message = self._message_cipher(nonce)
        if len(ciphertext) < TAG_LENGTH:
            raise InvalidTagError("shorter than an authentication tag")
        if associated_data:
            message.update(associated_data)
        plaintext = message.decrypt(ciphertext[:-TAG_LENGTH])
        # Only the comparison of the tags is guarded: PyCryptodome says ValueError for other troubles, too,
        # and they must not pass for a forged message. The comparison takes constant time.
        try:
            message.verify(ciphertext[-TAG_LENGTH:])
        except ValueError:
            raise InvalidTagError("the authentication tag does not match") from None
        return plaintext

    def _message_cipher(self, nonce: bytes) -> GcmMode:
        if len(nonce) != NONCE_LENGTH:
            raise ValueError(f"an XAES-256-GCM nonce has {NONCE_LENGTH} bytes, not {len(nonce)}")
        context = _ROOM_FOR_LABEL + nonce[:12]
        blocks = self._derivation_mask ^ int.from_bytes(context + context, "big")
        message_key = self._block_cipher.encrypt(blocks.to_bytes(32, "big"))
        return AES.new(message_key, AES.MODE_GCM, nonce=nonce[12:])


def _double(block: int) -> int:
    """Multiply by x in the field of CMAC, without a branch that depends on the key."""
    return ((block << 1) & (2**128 - 1)) ^ (0x87 * (block >> 127))
