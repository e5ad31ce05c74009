"""Documents of everything that sessions can hold, for property-based tests."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

from hypothesis import strategies as st

__all__ = ["DOCUMENTS", "exact"]

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NUMBERS = (
    st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([0, 1, 2**53 + 1, 10**16, 0.0, 0.5, 1.0, 9999999999999998.0, 5e-324])
    | st.floats(-1e15, 1e15, allow_nan=False).map(lambda number: number + 0.0)
)
_OFFSETS = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(timezone)
_ZONES = st.none() | st.timezones() | _OFFSETS
_CLOCKS = st.datetimes(timezones=_ZONES) | st.times(timezones=_ZONES)
SCALARS = (
    st.none()
    | st.booleans()
    | TEXT
    | NUMBERS
    | st.binary(max_size=8)
    | st.dates()
    | st.builds(lambda clock, fold: clock.replace(fold=fold), _CLOCKS, st.integers(0, 1))
    | st.timedeltas()
    | st.decimals()
    | st.uuids()
)
# No NaN that signals: it has no hash.
_HASHABLES = st.none() | st.booleans() | TEXT | NUMBERS | st.binary(max_size=4) | st.dates() | st.uuids()
HASHABLES = _HASHABLES | st.lists(_HASHABLES, max_size=2).map(tuple) | st.frozensets(_HASHABLES, max_size=2)
KEYS = TEXT | st.sampled_from(["$", "$$", "$date", "$$date", "$tuple", "$notation", "$$notation", "$nothing"])
VALUES = st.recursive(
    SCALARS | st.sets(HASHABLES, max_size=3) | st.frozensets(HASHABLES, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


def exact(value: Any) -> Any:
    """Return what differs where values do, though Python may call them equal (1 and True), or not (NaN)."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return type(value), sorted(map(repr, map(exact, value)))
    if isinstance(value, list | tuple):
        return type(value), [exact(item) for item in value]
    zone = getattr(value, "tzinfo", None)
    return type(value), repr(value), getattr(value, "fold", None), type(zone), getattr(zone, "key", None)
