"""What can go wrong, as one tree: the type says whose fault it is.

* `KeyFormatError`: the operator's. A key in the configuration is no key.
* `PayloadTooLong`: the caller's. What should be encrypted does not fit into a cookie.
* `TokenError`: whoever sent the token. Nothing to repair here: treat the request as one without a token.
* `InvalidTag`: as `TokenError`, for those who use `Xaes256Gcm` itself.

No message holds a key, a token, or any part of one, so all of them may be logged.
"""

__all__ = [
    "CryptoError",
    "InvalidTag",
    "KeyFormatError",
    "MalformedToken",
    "PayloadTooLong",
    "TokenError",
    "UnauthenticToken",
    "UnknownTokenVersion",
]


class CryptoError(Exception):
    """The root of every error of this package; a wrong argument type is a plain `TypeError`."""


class KeyFormatError(CryptoError, ValueError):
    """A text, or a list of texts, is not usable as a secret key.

    Attributes:
        problem: which key is wrong and how, without any of its characters.
        remedy: what to do about it, as a sentence.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        # Both go into `args`, so that the error survives pickling (multiprocessing, test runners).
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}"


class PayloadTooLong(CryptoError, ValueError):  # noqa: N818 - says what is wrong, as its siblings do
    """A payload is too long for a token that fits into a cookie.

    Attributes:
        length: of the refused payload, in bytes.
        maximum: the longest payload that is accepted, in bytes.
    """

    def __init__(self, length: int, maximum: int) -> None:
        super().__init__(length, maximum)
        self.length = length
        self.maximum = maximum

    def __str__(self) -> str:
        return f"the payload has {self.length} bytes; a token that fits into a cookie holds {self.maximum}"


class InvalidTag(CryptoError):  # noqa: N818 - the name the field gives it
    """The authentication tag does not match: wrong key, nonce or associated data, or changed ciphertext."""


class TokenError(CryptoError, ValueError):
    """A token was refused. Catch this one; its subclasses are for logs and metrics."""


class MalformedToken(TokenError):  # noqa: N818 - reads as the sentence it is
    """What was given is no token of any version: wrong characters, wrong length, wrong type."""


class UnknownTokenVersion(TokenError):  # noqa: N818 - reads as the sentence it is
    """The token names a format version this release does not know (a newer release may have made it).

    The version is readable before anything is authenticated, so this may as well be garbage.
    """


class UnauthenticToken(TokenError):  # noqa: N818 - reads as the sentence it is
    """No key of the keyring made this token for this purpose, or it was changed on its way.

    Which of these is the case cannot be told, to an attacker or to us.
    """
