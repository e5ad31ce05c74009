"""Data of every kind that a session can hold, and of some that could be taken for what they are not."""

from __future__ import annotations

from typing import Any


def _nested(depth: int) -> Any:
    value: Any = "the bottom"
    for level in range(depth):
        value = [value] if level % 2 else {"deeper": value}
    return value


EVERY_KIND = {
    "null": None,
    "booleans": [True, False],
    "integers": [0, -1, 2**53 + 1, -(2**63), 2**64 - 1],
    "floats": [0.1, -2.5, 1e-7, 123456789.125, 9e15],
    "text": ["", 'it\'s "quoted" \\ back\\nslash', "line\nbreak\ttab\r\x01", "%s %(name)s :name {0}; --"],
    "unicode": ["Grüße", "日本語", "🜁👩‍👩‍👧", "e\u0301 é", "\uffff \U0010ffff"],
    "": {"": [[], {}, ""]},
    "schlüssel 'mit\" allem\\": {"日本": 1, "B": 2, "a": 3, "aa": 4, "A": 5},
    "deep": _nested(29),  # the payload itself is one level of the thirty
    # What a notation for further types could be taken for, and is the application's own.
    "__type__": "x",
    "$bytes": "AAEC",
    " t": [1],
    "tagged": [
        {"__type__": "datetime", "value": "2027-01-15"},
        {"$type": "date", "$value": "2027-01-15"},
        {"$bytes": "AAEC"},
        {"$date": 1800000000},
        {"__class__": "Decimal", "__value__": "1.0"},
        {"py/object": "datetime.datetime"},
        {"@": "x"},
        {" t": [1, 2]},
        {" d": "2027-01-15"},
        {"": "x"},
        {"t": "uuid", "v": "x"},
        [" t", [1, 2]],
        ["__type__", "tuple", [1, 2]],
        ["$bytes", "AAEC"],
        ["!!python/tuple", 1],
        ["~", 1],
        "datetime:2027-01-15T00:00:00",
        "$bytes:AAEC",
        "__type__",
    ],
}
