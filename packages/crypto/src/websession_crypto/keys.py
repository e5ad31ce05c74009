"""Secret keys, from generation and configuration text to the keyring."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from hmac import compare_digest
from secrets import token_bytes
from typing import Self

from ._lookalikes import describe_lookalike
from ._never_pickled import NeverPickled
from .errors import KeyFormatError
from .xaes import KEY_LENGTH, Xaes256Gcm

__all__ = ["Keyring", "SecretKey", "generate_secret_key"]

_MAKE_ONE = (
    "Make a key with generate_secret_key(), or on the command line with `python -m websession_crypto`, "
    "and use its text unchanged"
)
_NAME = "the secret key"
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/_-]")


def generate_secret_key() -> str:
    """Make a new secret key from the operating system's random generator.

    Returns:
        43 characters, the unpadded URL-safe base64 of 32 bytes, as `SecretKey.from_text` takes them.
    """
    return _encode(token_bytes(KEY_LENGTH))


class SecretKey(NeverPickled):
    """A 256-bit key that is never shown.

    Keys are equal if their bytes are. The object is immutable, is its own copy, refuses to be pickled, and
    keeps neither the bytes nor the text on the Python side, so that no crash report or debugger prints them.

    Args:
        key: 32 random bytes. Usually `from_text` is what you want.

    Raises:
        TypeError: `key` is not `bytes`.
        KeyFormatError: `key` has another length, or is visibly not random.
    """

    __slots__ = ("_aead", "_digest")

    def __init__(self, key: bytes) -> None:
        if not isinstance(key, bytes):
            raise TypeError(f"a secret key is made of bytes, not of {type(key).__name__}")
        _refuse_what_is_no_key(key, _NAME)
        self._aead = Xaes256Gcm(key)
        # One-way, as the key cannot be guessed; the label keeps it apart from any other hash of the same key.
        self._digest = sha256(b"websession-crypto key fingerprint\0" + key).digest()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a key as `generate_secret_key` writes it.

        Args:
            text: base64 of 32 bytes, in the URL-safe or the standard alphabet, with or without ``=`` at the
                end, and without white space.

        Raises:
            TypeError: `text` is not a `str`.
            KeyFormatError: `text` is empty, not base64, of the wrong length, or visibly made up by a person.
                What `generate_secret_key` returned is refused with a probability below 2**-60.
        """
        return cls(_decode(text, _NAME))

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that tell this key from others and reveal nothing of it: safe to log."""
        return self._digest[:6].hex()

    @property
    def aead(self) -> Xaes256Gcm:
        """The cipher under this key, built once."""
        return self._aead

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretKey):
            return NotImplemented
        return compare_digest(self._digest, other._digest)

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.fingerprint}>"


class Keyring(NeverPickled):
    """One or several keys: the first encrypts, every one decrypts.

    To change keys without logging anybody out, put the new key first and keep the old one behind it until the
    last token made under it has expired. With several servers, first add the new key at the end everywhere.

    Args:
        keys: at least one, each of them once.

    Raises:
        TypeError: an item is no `SecretKey`.
        KeyFormatError: there is no key, or one is there twice.
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: Sequence[SecretKey]) -> None:
        self._keys = tuple(keys)
        for key in self._keys:
            if not isinstance(key, SecretKey):
                raise TypeError(f"a keyring is made of SecretKey objects, not of {type(key).__name__}")
        if not self._keys:
            raise KeyFormatError("there is no secret key", _MAKE_ONE)
        problems = _describe_repetitions(self._keys)
        if problems:
            raise KeyFormatError("; ".join(problems), "List each key once")

    @classmethod
    def from_text(cls, text: str | Sequence[str]) -> Self:
        """Read a keyring from configuration.

        Args:
            text: keys separated by white space (line breaks included), or a sequence with one key per item.
                White space around an item is ignored.

        Raises:
            TypeError: `text`, or an item of it, is of another type.
            KeyFormatError: naming everything that is wrong with any of the keys, each by its position.
        """
        texts = text.split() if isinstance(text, str) else _strip_each(text)
        keys: list[SecretKey | None] = []
        problems: list[str] = []
        for number, item in enumerate(texts, 1):
            name = _NAME if len(texts) == 1 else f"secret key {number} of {len(texts)}"
            try:
                keys.append(SecretKey(_decode(item, name)))
            except KeyFormatError as error:
                keys.append(None)
                problems.append(error.problem)
        repetitions = _describe_repetitions(keys)
        if problems or repetitions:
            remedies = [_MAKE_ONE] * bool(problems) + ["List each key once"] * bool(repetitions)
            raise KeyFormatError("; ".join(problems + repetitions), ". ".join(remedies))
        return cls([key for key in keys if key is not None])

    @property
    def keys(self) -> tuple[SecretKey, ...]:
        """All keys, in order."""
        return self._keys

    @property
    def current(self) -> SecretKey:
        """The key that encrypts."""
        return self._keys[0]

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[SecretKey]:
        return iter(self._keys)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' '.join(key.fingerprint for key in self._keys)}>"


def _strip_each(texts: object) -> list[str]:
    if not isinstance(texts, Sequence) or isinstance(texts, (bytes, bytearray, memoryview)):
        raise TypeError(f"keys are given as str or as a sequence of str, not as {type(texts).__name__}")
    # An empty item stays, and is reported: it is a setting that did not arrive, and without it another key
    # than the intended one would encrypt.
    return [text.strip() if isinstance(text, str) else text for text in texts]


def _decode(text: str, name: str) -> bytes:
    """Give the 32 bytes of a key, or raise a `KeyFormatError` that calls the key `name`."""
    if not isinstance(text, str):
        raise TypeError(f"{name} is given as str, not as {type(text).__name__}")
    if not text:
        raise KeyFormatError(f"{name} is empty", _MAKE_ONE)
    digits = text.rstrip("=")
    stranger = _NOT_BASE64.search(digits)
    if stranger:
        position = stranger.start() + 1
        raise KeyFormatError(f"{name} is not base64: character {position} does not belong there", _MAKE_ONE)
    if len(digits) % 4 == 1:
        raise KeyFormatError(
            f"{name} is not base64: {len(digits)} characters are {len(digits) * 6 // 8} bytes and a part of "
            f"one, instead of {KEY_LENGTH} bytes",
            _MAKE_ONE,
        )
    padding = "=" * (-len(digits) % 4)
    if text not in {digits, digits + padding}:
        raise KeyFormatError(f"{name} is not base64: it ends in too many or too few '='", _MAKE_ONE)
    canonical = digits.replace("+", "-").replace("/", "_")
    key = urlsafe_b64decode(canonical + padding)
    _refuse_what_is_no_key(key, name)
    # The last of 43 characters has two bits too many, which every encoder leaves zero.
    if _encode(key) != canonical:
        raise KeyFormatError(f"{name} was mistyped or cut: no key ends in such a character", _MAKE_ONE)
    return key


def _encode(key: bytes) -> str:
    return urlsafe_b64encode(key).rstrip(b"=").decode("ascii")


def _refuse_what_is_no_key(key: bytes, name: str) -> None:
    if len(key) != KEY_LENGTH:
        raise KeyFormatError(f"{name} is {len(key)} bytes long instead of {KEY_LENGTH}", _MAKE_ONE)
    lookalike = describe_lookalike(key)
    if lookalike:
        raise KeyFormatError(f"{name} is not random: it {lookalike}", _MAKE_ONE)


def _describe_repetitions(keys: Sequence[SecretKey | None]) -> list[str]:
    """Say which keys are there already, by position; `None` stands for a key that could not be read."""
    first: dict[SecretKey, int] = {}
    problems = []
    for number, key in enumerate(keys, 1):
        if key is not None and first.setdefault(key, number) != number:
            problems.append(f"secret key {number} of {len(keys)} is the same as number {first[key]}")
    return problems
