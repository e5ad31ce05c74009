"""What can go wrong, as one tree: the type says whose fault it is.

* `KeyFormatError`: the operator's. A key in the configuration is no key.
* `CipherLibraryError`: the operator's, too. The library that was chosen is not installed.
* `PayloadTooLongError`: the caller's. What should be encrypted does not fit into a cookie.
* `TokenError`: the sender's. Nothing to repair here: treat the request as one without a token.
* `InvalidTagError`: as `TokenError`, for those who use `Xaes256Gcm` itself.

No message holds a key, a token, or any part of one, so all of them may be logged.
"""

import warnings
from typing import Any

__all__ = [
    "CipherLibraryError",
    "CryptoError",
    "InvalidTagError",
    "KeyFormatError",
    "MalformedTokenError",
    "PayloadTooLongError",
    "TokenError",
    "UnauthenticTokenError",
    "UnknownTokenVersionError",
]


class CryptoError(Exception):
    """The base class of all errors of this package; a wrong argument type is a plain `TypeError`."""


class KeyFormatError(CryptoError, ValueError):
    """A text, or a list of texts, is not usable as a secret key.

    Attributes:
        problem: Which key is wrong and how, without any of its characters.
        remedy: What to do about it, as a sentence.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        # Both go into `args`, so that the error survives pickling (multiprocessing, test runners).
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}"


class CipherLibraryError(CryptoError, ImportError):
    """The library whose AES was chosen cannot be imported.

    Attributes:
        problem: Which library it is, and what Python says.
        remedy: What to do about it, as a sentence.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}"


class PayloadTooLongError(CryptoError, ValueError):
    """A payload is too long for a token that fits into a cookie.

    Attributes:
        length: The length of the refused payload, in bytes.
        maximum: The longest payload that is accepted, in bytes.
    """

    def __init__(self, length: int, maximum: int) -> None:
        super().__init__(length, maximum)
        self.length = length
        self.maximum = maximum

    def __str__(self) -> str:
        return f"the payload has {self.length} bytes; a token that fits into a cookie holds {self.maximum}"


class InvalidTagError(CryptoError):
    """The authentication tag does not match: wrong key, nonce or associated data, or changed ciphertext."""


class TokenError(CryptoError, ValueError):
    """A token was refused. Catch this one; its subclasses are for logs and metrics."""


class MalformedTokenError(TokenError):
    """This is no token of any version: wrong characters, wrong length, wrong type."""


class UnknownTokenVersionError(TokenError):
    """The token names a format version this release does not know (a newer release may have made it).

    The version is readable before anything is authenticated, so this may as well be garbage.
    """


class UnauthenticTokenError(TokenError):
    """No key of the keyring made this token for this purpose, or it was changed on its way.

    Nothing shows which of these it is, to an attacker or to us.
    """


_RENAMED = "InvalidTag", "MalformedToken", "PayloadTooLong", "UnauthenticToken", "UnknownTokenVersion"


def __getattr__(name: str) -> Any:
    """Return an error by its old name, for one series."""
    if name not in _RENAMED:
        raise AttributeError(f"module {__package__!r} has no attribute {name!r}")
    message = f"{name} is called {name}Error now; the old name stays for one series"
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    return globals()[f"{name}Error"]
