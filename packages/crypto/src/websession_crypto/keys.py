"""Secret keys, from generation and configuration text to the keyring."""

import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest
from secrets import token_bytes
from typing import Any, NamedTuple, Self

from ._libraries import DEFAULT_LIBRARY
from ._lookalikes import conceal_keys, describe_lookalike
from ._never_pickled import NeverPickled
from ._sources import SourceError, is_source, read_source
from .errors import CipherLibraryError, KeyFormatError
from .xaes import KEY_LENGTH, Xaes256Gcm

__all__ = ["Keyring", "SecretKey", "generate_secret_key"]

_MAKE_ONE = (
    "Make a key with generate_secret_key(), or on the command line with `python -m websession_crypto`, "
    "and use its text unchanged"
)
_LIST_ONCE = "List each key once"
_SOURCES = (
    "A source is env: with the name of an environment variable, or file: with an absolute path; it holds one "
    "or several keys, separated by white space"
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
        key: 32 random bytes. Usually you want `from_text` instead.
        library: Whose AES the key works with: ``pycryptodome``, or ``openssl``, which is faster and comes
            with the extra ``openssl``. Tokens are the same: each opens what the other has made.

    Raises:
        TypeError: `key` is not `bytes`.
        ValueError: No library is called that.
        KeyFormatError: `key` has another length, or is visibly not random.
        CipherLibraryError: The library is not installed.
    """

    __slots__ = ("_aead", "_digest")

    def __init__(self, key: bytes, *, library: str = DEFAULT_LIBRARY) -> None:
        refusal = _refusal(key)
        if refusal is not None:
            # Not for the traceback, whose frames hold their locals: crash reports print them.
            del key
            raise refusal
        try:
            self._aead = Xaes256Gcm(key, library=library)
        except (CipherLibraryError, ValueError):
            del key  # as above
            raise
        # One-way, as the key cannot be guessed; the label keeps it apart from any other hash of the same key.
        self._digest = sha256(b"websession-crypto key fingerprint\0" + key).digest()

    @classmethod
    def from_text(cls, text: str, *, library: str = DEFAULT_LIBRARY) -> Self:
        """Read a key as `generate_secret_key` writes it.

        Args:
            text: Base64 of 32 bytes, in the URL-safe or the standard alphabet, with or without ``=`` at the
                end, and without white space.
            library: As for the class.

        Raises:
            TypeError: `text` is not a `str`.
            ValueError: No library is called that.
            CipherLibraryError: The library is not installed.
            KeyFormatError: `text` is empty, not base64, of the wrong length, or visibly made up by a person.
                What `generate_secret_key` returned is refused with a probability below 2**-60.
        """
        try:
            key = cls(_decode(text, _NAME), library=library)
        except (CipherLibraryError, TypeError, ValueError) as error:
            refusal = error.with_traceback(None)
        else:
            return key
        del text
        raise refusal

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that identify this key without revealing anything about it: safe to log."""
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
        # A crash report of a refused key shows the object half made.
        is_complete = hasattr(self, "_digest")
        return f"<{type(self).__name__} {self.fingerprint if is_complete else '(refused)'}>"


class Keyring(NeverPickled):
    """One or several keys: the first encrypts, every one decrypts.

    To change keys without logging anybody out, put the new key first and keep the old one after it until the
    last token made with it has expired. With several servers, first add the new key at the end everywhere.

    Args:
        keys: At least one, each of them once.

    Raises:
        TypeError: An item is no `SecretKey`.
        KeyFormatError: There is no key, or one is there twice.
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: Sequence[SecretKey]) -> None:
        self._keys = tuple(keys)
        for key in self._keys:
            if not isinstance(key, SecretKey):
                raise TypeError(f"a keyring is made of SecretKey objects, not of {type(key).__name__}")
        if not self._keys:
            raise KeyFormatError("there is no secret key", _MAKE_ONE)
        for number, key in enumerate(self._keys):
            if key in self._keys[:number]:
                raise KeyFormatError(
                    f"secret key {number + 1} of {len(self._keys)} is the same as secret key "
                    f"{self._keys.index(key) + 1} of {len(self._keys)}",
                    _LIST_ONCE,
                )

    @classmethod
    def from_text(cls, text: str | Sequence[str], *, library: str = DEFAULT_LIBRARY) -> Self:
        """Read a keyring from configuration.

        Args:
            text: Keys separated by white space (line breaks included), or a sequence with one key per item.
                White space around an item is ignored.
            library: Whose AES the keys work with, as for `SecretKey`.

        Raises:
            TypeError: `text`, or an item of it, is of another type.
            ValueError: No library is called that.
            CipherLibraryError: The library is not installed.
            KeyFormatError: Naming everything that is wrong with any of the keys, each by its position.
        """
        try:
            keys = _read_all(_name_items(_items(text)), library)
        except (CipherLibraryError, TypeError, ValueError) as error:
            refusal = error.with_traceback(None)
        else:
            return cls(keys)
        del text  # see SecretKey
        raise refusal

    @classmethod
    def from_sources(
        cls,
        text: str | Sequence[str],
        environ: Mapping[str, str] = os.environ,
        *,
        library: str = DEFAULT_LIBRARY,
    ) -> Self:
        """Read a keyring from configuration that may also say where the keys are.

        Each item is a key, as `generate_secret_key` writes it, or a source of one or several keys that are
        separated by white space:

        - ``env:NAME``: the environment variable of that name;
        - ``file:/absolute/path``: the file, for example a container's secret. It must be a regular file (a
          link to one will do) of at most 64 KiB, which not everybody can write to. That others cannot
          read it is not checked: container runtimes mount secrets readable.

        Sources are read once, here, in order: the first key of the first item encrypts.

        Args:
            text: Items separated by white space (line breaks included), or a sequence with one per item.
            environ: The environment variables.
            library: Whose AES the keys work with, as for `SecretKey`.

        Raises:
            TypeError: `text`, or an item of it, is of another type.
            ValueError: No library is called that.
            CipherLibraryError: The library is not installed.
            KeyFormatError: Naming everything that is wrong with any item: a source that is not there or
                cannot be read, or a key in it that is none.
        """
        try:
            keys = _read_all(_from_sources(_items(text), environ), library)
        except (CipherLibraryError, TypeError, ValueError) as error:
            refusal = error.with_traceback(None)
        else:
            return cls(keys)
        del text, environ
        raise refusal

    @property
    def keys(self) -> tuple[SecretKey, ...]:
        """All keys, in order."""
        return self._keys

    @property
    def library(self) -> str:
        """The name of the library whose AES the key that encrypts works with."""
        return self.current.aead.library

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


class _Item(NamedTuple):
    """One would-be key: what messages call it, and its text, or why there is none."""

    name: str
    text: Any = ""
    problem: str | None = None

    def __repr__(self) -> str:  # not the text
        return f"<{self.name}>"


def _items(texts: object) -> list[str]:
    if isinstance(texts, str):
        return texts.split()
    if not isinstance(texts, Sequence) or isinstance(texts, (bytes, bytearray, memoryview)):
        raise TypeError(f"keys are given as str or as a sequence of str, not as {type(texts).__name__}")
    # An empty item stays, and is reported: it is a setting that did not arrive, and without it another key
    # than the intended one would encrypt.
    return [text.strip() if isinstance(text, str) else text for text in texts]


def _name_items(texts: Sequence[str], where: str = "") -> list[_Item]:
    """Name each text as messages call it, including `where` it was found."""
    if len(texts) == 1:
        return [_Item(_NAME + where, texts[0])]
    count = len(texts)
    return [_Item(f"secret key {number} of {count}{where}", text) for number, text in enumerate(texts, 1)]


def _from_sources(texts: Sequence[str], environ: Mapping[str, str]) -> list[_Item]:
    """Return the texts of all keys, those of sources in the place of the source."""
    items = []
    for item in _name_items(texts):
        if not isinstance(item.text, str) or not is_source(item.text):
            items.append(item)
            continue
        try:
            keys = read_source(item.text, environ)
        except SourceError as error:
            items.append(_Item(item.name, problem=f"{item.name} {error}"))
        else:
            items += _name_items(keys, f" in {conceal_keys(item.text)}")
    return items


def _read_all(items: Sequence[_Item], library: str) -> list[SecretKey]:
    """Return the keys of all items, or raise a `KeyFormatError` with all that is wrong with any of them."""
    first: dict[SecretKey, str] = {}
    problems, unread_sources, repetitions = [], [], []
    for item in items:
        if item.problem is not None:
            unread_sources.append(item.problem)
            continue
        try:
            key = SecretKey(_decode(item.text, item.name), library=library)
        except KeyFormatError as error:
            problems.append(error.problem)
            continue
        earlier = first.setdefault(key, item.name)
        if earlier is not item.name:
            repetitions.append(f"{item.name} is the same as {earlier}")
    if problems or unread_sources or repetitions:
        remedies = [_SOURCES] * bool(unread_sources) + [_MAKE_ONE] * bool(problems)
        remedies += [_LIST_ONCE] * bool(repetitions)
        raise KeyFormatError("; ".join(unread_sources + problems + repetitions), ". ".join(remedies))
    return list(first)


def _decode(text: str, name: str) -> bytes:
    """Return the 32 bytes of a key, or raise a `KeyFormatError` that calls the key `name`."""
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
    problem = _describe_problem(key, name)
    if problem is not None:
        raise KeyFormatError(problem, _MAKE_ONE)
    # The last of 43 characters has two bits too many, which every encoder leaves zero.
    if _encode(key) != canonical:
        raise KeyFormatError(f"{name} was mistyped or cut: no key ends in such a character", _MAKE_ONE)
    return key


def _encode(key: bytes) -> str:
    return urlsafe_b64encode(key).rstrip(b"=").decode("ascii")


def _refusal(key: object) -> Exception | None:
    """Return the error to raise for what is no key; None if it may well be one."""
    if not isinstance(key, bytes):
        return TypeError(f"a secret key is made of bytes, not of {type(key).__name__}")
    problem = _describe_problem(key, _NAME)
    return None if problem is None else KeyFormatError(problem, _MAKE_ONE)


def _describe_problem(key: bytes, name: str) -> str | None:
    """Return why bytes are no key, calling them `name`; None if they may well be one."""
    if len(key) != KEY_LENGTH:
        return f"{name} is {len(key)} bytes long instead of {KEY_LENGTH}"
    lookalike = describe_lookalike(key)
    return f"{name} is not random: it {lookalike}" if lookalike else None
