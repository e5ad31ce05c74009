"""What a session can hold: values that every supported database stores and gives back unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from .errors import UnstorableValueError
from .json_text import JSON_TYPES, canonical, those_of
from .standard_types import STANDARD, RefusedError

if TYPE_CHECKING:
    from .session_types import SessionTypes

__all__ = [
    "EXPONENT_FROM",
    "MAX_DEPTH",
    "MAX_INT",
    "MIN_INT",
    "plain_text",
    "render",
    "require_storable",
    "require_storable_key",
]

MAX_DEPTH: Final = 30
"""How many lists and dictionaries may be inside each other; the payload itself is the first.

MariaDB's JSON columns carry a ``json_valid`` check. Measured with MariaDB 10.11.19: 31 levels are
stored, with 32 the check fails (error 4025), whatever the mixture of lists and objects. One level is
left in reserve. PostgreSQL, MySQL (100) and SQLite (1000) hold more.
"""

MIN_INT: Final = -(2**63)
MAX_INT: Final = 2**64 - 1
"""MySQL's JSON keeps integers in this range and turns others into floating point numbers."""

MAX_KEY: Final = 2**16 - 1
"""Bytes of a key, in UTF-8: MySQL's JSON counts them in two bytes, and refuses more (error 3151)."""

EXPONENT_FROM: Final = 1e16
"""From here on Python writes a float with an exponent, and PostgreSQL's JSONB turns it into an integer."""

_UTF8_MOST: Final = 4
"""Bytes that a character takes at the most."""

_SHORT: Final = MAX_KEY // _UTF8_MOST
"""Characters of a key that has room whatever they are."""

_LONGEST_ESCAPE: Final = 6
"""Characters that stand for one, in JSON."""

_LONGEST_NUMBER: Final = 25
"""Characters of a number, in JSON."""

_AROUND: Final = 4
"""Characters that stand around a value or a key: quotes or brackets, what separates it, a dollar sign."""

_LONGEST_STEP: Final = 60
"""Characters of one key shown in a path: a key may be as long as a book, an error message may not."""


# By the name of a class or of one of its bases.
_REMEDIES: Final = {
    "use str(value)": {"Decimal", "Fraction", "UUID"},
    "use list(value)": {"generator", "range"},
    "use a list": {"tuple"},
    "use a sorted list": {"set", "frozenset"},
    "use value.isoformat()": {"datetime", "date", "time"},
    "use value.total_seconds()": {"timedelta"},
    "use text, for example base64": {"bytes", "bytearray", "memoryview"},
    "use a list of two numbers": {"complex"},
}
_MORE_REMEDIES: Final = {**_REMEDIES, "use bytes(value)": {"bytearray", "memoryview"}}
del _MORE_REMEDIES["use text, for example base64"]
_REGISTER: Final = "or register the type with add_session_type"


def _remedy(value: object, types: SessionTypes) -> str:
    if types.of(type(value)) is not None:
        return f"{_json_remedy(value, _REMEDIES)}, or remove alongside_0_2 once no worker of 0.2 is left"
    if not types.accepts:
        return _json_remedy(value, _REMEDIES)
    for base in (tuple, set, frozenset, bytes):
        if isinstance(value, base):
            return f"use {base.__name__}(value), {_REGISTER}"
    return f"{_json_remedy(value, _MORE_REMEDIES)}, {_REGISTER}"


def _json_remedy(value: object, remedies: Mapping[str, set[str]]) -> str:
    if isinstance(value, Enum):
        return "use its value or its name"
    if isinstance(value, Mapping):
        return "use dict(value)"
    for base in (str, int, float, list):
        if isinstance(value, base):
            return f"use {base.__name__}(value)"
    bases = {cls.__name__ for cls in type(value).__mro__}
    return next(
        (remedy for remedy, names in remedies.items() if bases & names),
        "use text, numbers, booleans, None, lists and dictionaries made of these",
    )


def _check_text(text: str, what: str) -> None:
    if "\0" in text:
        raise RefusedError(f"{what} contains a NUL character, which PostgreSQL cannot store; remove it")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            pass
        else:
            return
        raise RefusedError(
            f"{what} contains a lone surrogate, which is not Unicode text; "
            "decode bytes with the right encoding or errors='replace'"
        )


def _check_float(value: float) -> None:
    if not isfinite(value):
        raise RefusedError("JSON has no NaN and no infinity; use None or text")
    if abs(value) >= EXPONENT_FROM:
        raise RefusedError(
            "PostgreSQL would give a float this large back as an integer; use int(value) or text"
        )
    if value == 0.0 and str(value) == "-0.0":
        raise RefusedError("PostgreSQL would give -0.0 back as 0.0; use 0.0")


def _check_length(key: str) -> None:
    # A key that begins with a dollar sign may get another one where it is stored.
    if len(key.encode()) + key.startswith("$") > MAX_KEY:
        raise RefusedError(
            f"the key is longer than {MAX_KEY:,} bytes, which MySQL refuses; put the text into the value"
        )


def _check_key(key: object) -> None:
    if type(key) is not str:
        remedy = "use its value or its name" if isinstance(key, Enum) else "use str(key)"
        raise RefusedError(f"a key is of type {type(key).__name__}, but keys must be str; {remedy}")
    try:
        _check_text(key, "the key")
        if len(key) > _SHORT:
            _check_length(key)
    except RefusedError as refusal:
        refusal.path.append(key)
        raise


def _check(value: Any, level: int, types: SessionTypes) -> int:
    """Refuse what some supported database cannot hold or would change.

    ``level`` is the one that a container here would be at. Returns how many bytes the value takes at the most
    in a JSON text: six for a character, the longest escape.
    """
    kind = type(value)
    if kind is str:
        _check_text(value, "the text")
        return _AROUND + _LONGEST_ESCAPE * len(value)
    if kind is bool or value is None:
        return _AROUND + _LONGEST_NUMBER
    if kind is int:
        if not MIN_INT <= value <= MAX_INT:
            raise RefusedError(
                "MySQL would turn an integer outside -2**63 .. 2**64-1 into a float; use str(value)"
            )
        return _AROUND + _LONGEST_NUMBER
    if kind is float:
        _check_float(value)
        return _AROUND + _LONGEST_NUMBER
    if level > MAX_DEPTH:
        raise RefusedError(
            f"more than {MAX_DEPTH} levels of nesting (or a container inside itself), "
            "which MariaDB refuses; store it flatter"
        )
    if kind is list:
        return _check_items(enumerate(value), level, types)
    if kind is dict:
        size = 0
        for key in value:
            # As _check_key() does; most keys need no call for it.
            if type(key) is not str or len(key) > _SHORT or not key.isascii() or "\0" in key:
                _check_key(key)
            size += _AROUND + _LONGEST_ESCAPE * len(key)
        return size + _check_items(value.items(), level, types)
    return _check_typed(value, level, types)


def _check_typed(value: Any, level: int, types: SessionTypes) -> int:
    kind = type(value)
    entry = types.of(kind)
    if entry is None or not types.accepts:
        raise RefusedError(f"values of type {kind.__name__} cannot be stored; {_remedy(value, types)}")
    try:
        # Stored as an object with what is made of the value.
        return 2 * _AROUND + len(entry.name) + _check(entry.to_json(value), level + 1, types)
    except RefusedError as refusal:
        if kind is not tuple:
            refusal.path.clear()  # there is nothing by such a name in the value
        if entry not in STANDARD:
            refusal.reason = f"in what is stored of a {kind.__name__}: {refusal.reason}"
        raise


def _check_items(items: Iterable[tuple[str | int, Any]], level: int, types: SessionTypes) -> int:
    where: str | int = 0
    size = _AROUND
    try:
        for where, value in items:  # noqa: B007 - read in the except clause
            kind = type(value)
            # As _check() does; most values are plain and need no call for it.
            if kind is str and value.isascii() and "\0" not in value:
                size += _AROUND + _LONGEST_ESCAPE * len(value)
            elif value is None or kind is bool or (kind is int and MIN_INT <= value <= MAX_INT):
                size += _AROUND + _LONGEST_NUMBER
            else:
                size += _check(value, level + 1, types)
    except RefusedError as refusal:
        refusal.path.append(where)
        raise
    return size


def render(path: Iterable[str | int]) -> str:
    """Return ``cart.items[3]``; keys that are no names are quoted, and escaped for any terminal."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        name = step if len(step) <= _LONGEST_STEP else f"{step[:_LONGEST_STEP]}..."
        if name.isidentifier() and name.isascii():
            text += f".{name}" if text else name
        else:
            text += f"[{name!a}]"
    return text


_CONTAINERS: Final = {list, dict}


def plain_text(value: Any, level: int, image: bytes) -> str | None:
    """Return the canonical text of a container that is exactly JSON's, and may be stored.

    Looks at all values of a level at once, which for large ones takes a fraction of the time of
    `require_storable`, and does not say what is wrong.

    Args:
        value: The container.
        level: The one that it is at.
        image: What `marshal` makes of it, which it does where nothing is of a subclass.

    Returns:
        The text; None if it is not certain that all of it is such.
    """
    if type(value) not in _CONTAINERS:
        return None
    # Each value takes a byte at least; there are more only if a container is in it twice, or inside itself.
    room = len(image)
    kinds, values = {type(value)}, [value]
    while kinds & _CONTAINERS:
        lists, dictionaries = those_of(list, kinds, values), those_of(dict, kinds, values)
        room -= sum(map(len, chain(lists, dictionaries)))
        if level > MAX_DEPTH or room < 0:
            return None
        values = [*chain.from_iterable(map(dict.values, dictionaries)), *chain.from_iterable(lists)]
        kinds = set(map(type, values))
        if not (kinds <= JSON_TYPES and _are_plain_keys(set[Any]().union(*dictionaries))):
            return None
        if int in kinds:
            numbers = those_of(int, kinds, values)
            if min(numbers) < MIN_INT or max(numbers) > MAX_INT:
                return None
        if float in kinds and not all(map(_is_plain_float, values)):
            return None
        level += 1
    text = canonical(value)
    return text if _is_plain_text(text) else None


def _are_plain_keys(keys: set[Any]) -> bool:
    return not keys or (set(map(type, keys)) == {str} and max(map(len, keys)) <= _SHORT)


def _is_plain_float(value: Any) -> bool:
    return type(value) is not float or 0 < abs(value) < EXPONENT_FROM or str(value) == "0.0"


def _is_plain_text(text: str) -> bool:
    # JSON writes a NUL as an escape, and a surrogate as it is. The first search takes much less time.
    if "\\" in text and "\\u0000" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def require_storable(value: Any, path: tuple[str | int, ...], level: int, types: SessionTypes) -> int:
    """Raise `UnstorableValueError` unless the value at this path may be stored.

    Returns how many bytes it takes at the most in a JSON text. What an application's own function for a
    registered type raises comes through.
    """
    kind = type(value)
    # As _check() does; most values are plain and need no call for it.
    if kind is str and value.isascii() and "\0" not in value:
        return _AROUND + _LONGEST_ESCAPE * len(value)
    if value is None or kind is bool or (kind is int and MIN_INT <= value <= MAX_INT):
        return _AROUND + _LONGEST_NUMBER
    try:
        return _check(value, level, types)
    except RefusedError as refusal:
        where, reason = render((*path, *reversed(refusal.path))), refusal.reason
    raise UnstorableValueError(where, reason)


def require_storable_key(key: object, container: str) -> None:
    """Raise `UnstorableValueError` unless this may be a key; the container is named if the key cannot be."""
    if type(key) is str and len(key) <= _SHORT and key.isascii() and "\0" not in key:
        return  # as most are
    try:
        _check_key(key)
    except RefusedError as refusal:
        where, reason = render(refusal.path) or container, refusal.reason
    else:
        return
    raise UnstorableValueError(where, reason)
