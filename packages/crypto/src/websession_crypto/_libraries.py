"""The port to the libraries that have AES, and the choice among them.

Whatever the library, a token is the same: each opens what another has made.
"""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Final, Protocol, cast

from .errors import CipherLibraryError

__all__ = ["CIPHER_LIBRARIES", "DEFAULT_LIBRARY", "Aes", "aes_of"]


class Aes(Protocol):
    """AES-256 in the two forms that XAES-256-GCM is made of.

    An object is made for one key, of 32 bytes, and used by several threads at once. It keeps no copy of the
    key's bytes on the Python side. What it is called with has the right length already.
    """

    def __init__(self, key: bytes, /) -> None:
        """Prepare what depends on the key alone."""

    def cmac_of_blocks(self, first: bytes, second: bytes, /) -> bytes:
        """Return the CMACs (SP 800-38B) of two messages of 16 bytes each, one after the other."""

    @staticmethod
    def gcm_encrypt(key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes, /) -> bytes:
        """Return what AES-256-GCM makes under another key, with a nonce of 12 bytes: ciphertext and tag."""

    @staticmethod
    def gcm_decrypt(key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes, /) -> bytes:
        """Return the plaintext, once the tag (the last 16 bytes) was compared, which takes constant time.

        Raises:
            InvalidTagError: The tag does not match.
        """


DEFAULT_LIBRARY: Final = "pycryptodome"

# What messages say of each: the distribution that has it, and how it comes here.
_DISTRIBUTIONS: Final = {
    "pycryptodome": ("PyCryptodome", "Install pycryptodome, or pycryptodomex"),
    "openssl": (
        "the package cryptography, which brings OpenSSL,",
        "Install it, by the extra [openssl] of this distribution for example, or choose pycryptodome",
    ),
}
CIPHER_LIBRARIES: Final = tuple(_DISTRIBUTIONS)
"""The names by which a library is chosen."""


@functools.lru_cache(maxsize=4)
def aes_of(library: str) -> type[Aes]:
    """Return a library's AES; it is imported at the first use.

    Raises:
        ValueError: No library is called that.
        CipherLibraryError: It cannot be imported here.
    """
    if library not in _DISTRIBUTIONS:
        raise ValueError(f"a cipher library is one of {', '.join(CIPHER_LIBRARIES)}")
    try:
        module = import_module(f"._{library}", __package__)
    except ImportError as error:
        distribution, remedy = _DISTRIBUTIONS[library]
        raise CipherLibraryError(f"{distribution} cannot be imported ({error})", remedy) from error
    return cast("type[Aes]", module.Aes)
