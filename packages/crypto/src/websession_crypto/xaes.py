"""XAES-256-GCM (https://c2sp.org/XAES-256-GCM) on the AES of a library that can be chosen.

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

Steps 1, 2 and 4 are the CMACs of M1 and M2, which are a full block each.
"""

from __future__ import annotations

from ._libraries import DEFAULT_LIBRARY, aes_of
from ._never_pickled import NeverPickled
from .errors import CipherLibraryError, InvalidTagError

__all__ = ["KEY_LENGTH", "NONCE_LENGTH", "TAG_LENGTH", "Xaes256Gcm"]

KEY_LENGTH = 32
NONCE_LENGTH = 24
TAG_LENGTH = 16

# The counter, the label and, as the specification writes it, a zero byte.
_FIRST = bytes.fromhex("00015800")
_SECOND = bytes.fromhex("00025800")


class Xaes256Gcm(NeverPickled):
    """Authenticated encryption with a 256-bit key and 192-bit nonces.

    Stateless after construction, and may be used by several threads at once. Keeps no copy of the key's
    bytes on the Python side.

    A nonce must not be used twice with one key: draw it from the operating system's generator. The
    specification's bound for random nonces is 2**80 messages per key with a collision risk of 2**-32. The
    scheme neither resists the reuse of a nonce nor commits to the key.

    Args:
        key: 32 bytes, uniformly random.
        library: Whose AES it is: ``pycryptodome`` or ``openssl``, which give the same bytes.

    Raises:
        ValueError: `key` has another length, or no library is called that.
        CipherLibraryError: The library is not installed.
    """

    __slots__ = ("_aes", "_library")

    def __init__(self, key: bytes, *, library: str = DEFAULT_LIBRARY) -> None:
        length = len(key)
        if length != KEY_LENGTH:
            del key  # a traceback's frames hold their locals, and crash reports print them
            raise ValueError(f"an XAES-256-GCM key has {KEY_LENGTH} bytes, not {length}")
        try:
            aes = aes_of(library)
        except (CipherLibraryError, ValueError):
            del key  # as above
            raise
        self._library = str(library)
        self._aes = aes(key)

    @property
    def library(self) -> str:
        """The name of the library whose AES this is."""
        return self._library

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
        message_key = self._message_key(nonce)
        return self._aes.gcm_encrypt(message_key, nonce[12:], plaintext, associated_data)

    def decrypt(self, nonce: bytes, ciphertext: bytes, associated_data: bytes = b"") -> bytes:
        """Check the tag, and only then return the plaintext.

        Args:
            nonce: The 24 bytes that `encrypt` took.
            ciphertext: What `encrypt` returned.
            associated_data: The same as for `encrypt`.

        Raises:
            ValueError: `nonce` has another length.
            InvalidTagError: The tag does not match, or there is not even room for one.
        """
        message_key = self._message_key(nonce)
        if len(ciphertext) < TAG_LENGTH:
            raise InvalidTagError("shorter than an authentication tag")
        return self._aes.gcm_decrypt(message_key, nonce[12:], ciphertext, associated_data)

    def _message_key(self, nonce: bytes) -> bytes:
        if len(nonce) != NONCE_LENGTH:
            raise ValueError(f"an XAES-256-GCM nonce has {NONCE_LENGTH} bytes, not {len(nonce)}")
        context = nonce[:12]
        return self._aes.cmac_of_blocks(_FIRST + context, _SECOND + context)
