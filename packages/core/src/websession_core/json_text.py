"""JSON as a session is stored in it: texts and their values, one way and the other."""

from __future__ import annotations

import json
import json.encoder
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from .errors import MalformedPayloadError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "JSON_TYPES",
    "SCALARS",
    "canonical",
    "comparable",
    "dumps",
    "is_json",
    "loads",
    "put_in_order",
    "those_of",
]

SCALARS: Final = frozenset({str, int, float, bool, type(None)})
"""The types of JSON's own values that hold no others."""

JSON_TYPES: Final = SCALARS | {list, dict}
"""The types of JSON's values."""

_OPTIONS: Final[dict[str, Any]] = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}


def _encoder(*, allow_nan: bool) -> Callable[[Any], str]:
    """Return a function that makes canonical texts, with CPython's own encoder, made once.

    `json.JSONEncoder.encode` makes that at each call, which takes as long as a small value.
    """
    encoder = json.JSONEncoder(allow_nan=allow_nan, check_circular=False, **_OPTIONS)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # PyPy has none
        return encoder.encode
    escape, join = json.encoder.encode_basestring, "".join
    parts = make(None, encoder.default, escape, None, ":", ",", True, False, allow_nan)

    def encode(value: Any) -> str:
        return join(parts(value, 0))

    return encode


canonical: Final = _encoder(allow_nan=False)
"""Returns the canonical text of a value that is known to have no container inside itself."""

comparable: Final = _encoder(allow_nan=True)
"""Returns the form of JSON's own values. It lets NaN pass: what must not be stored can still have changed.

A container inside itself raises `RecursionError`.
"""

_strict = json.JSONEncoder(allow_nan=False, **_OPTIONS).encode


def dumps(value: Any) -> str:
    """Return the canonical JSON text of a value: compact, keys sorted, in Unicode.

    Equal texts are what "unchanged" means. The value is not checked against the rules of
    `Payload`.

    Raises:
        TypeError: JSON has no such type.
        ValueError: A NaN, an infinity, or a container inside itself.
    """
    return _strict(value)


_by_key = itemgetter(0)


def _sorted_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    pairs.sort(key=_by_key)
    return dict(pairs)


# Made once: `json.loads` makes a new decoder at each call that names a hook.
_decode_as_it_is = json.JSONDecoder().decode
_decode_sorted = json.JSONDecoder(object_pairs_hook=_sorted_dict).decode


def loads(text: str, *, reorder: bool = False) -> Any:
    """Return the value of a JSON text.

    Args:
        text: JSON, as `dumps` or a database's JSON column gives it.
        reorder: Sort the keys of every object. PostgreSQL's JSONB and MySQL's JSON give keys back
            in an order of their own; sorted, mappings look the same from every database, just
            as `dumps` writes them.

    Raises:
        MalformedPayloadError: It is not JSON. The message shows nothing of it.
    """
    try:
        return _decode_sorted(text) if reorder else _decode_as_it_is(text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else "it is not JSON"
    # Not chained: json's error carries the whole text, which is a session's data.
    raise MalformedPayloadError(f"the stored session cannot be read: {reason}")


def put_in_order(value: Any) -> None:
    """Sort the keys of every object in a decoded value, in place; without recursion, however deep it is."""
    # Of many objects with the same keys these are sorted once.
    orders: dict[tuple[str, ...], tuple[str, ...]] = {}
    values = [value]
    while not SCALARS.issuperset(kinds := set(map(type, values))):
        lists, dictionaries = those_of(list, kinds, values), those_of(dict, kinds, values)
        for dictionary in dictionaries:
            keys = tuple(dictionary)
            order = orders.get(keys)
            if order is None:
                order = orders[keys] = tuple(sorted(keys))
            if order != keys:
                copy = dictionary.copy()
                dictionary.clear()
                for key in order:
                    dictionary[key] = copy[key]
        values = [*chain.from_iterable(map(dict.values, dictionaries)), *chain.from_iterable(lists)]


def is_json(value: Any) -> bool:
    """Return whether a value is exactly JSON's: nothing in it is of another type, a subclass for example.

    It must not be inside itself. Costs a few calls per container, none per value.
    """
    if type(value) in SCALARS:
        return True
    if type(value) is not list and type(value) is not dict:
        return False
    todo = [value]
    for container in todo:  # which grows meanwhile
        items = container.values() if type(container) is dict else container
        kinds = set(map(type, items))
        if not kinds <= SCALARS:
            if not kinds <= JSON_TYPES:
                return False
            todo += [item for item in items if type(item) is dict or type(item) is list]
    return True


def those_of(kind: type, kinds: set[type], values: list[Any]) -> list[Any]:
    """Return the values that are of one type, given which types there are among them."""
    # Most often all values of a level are of one type.
    if kind not in kinds or len(kinds) == 1:
        return values if kind in kinds else []
    return [value for value in values if type(value) is kind]
