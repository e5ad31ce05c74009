"""The whole numbers that rows and tickets hold, and how they are checked."""

from __future__ import annotations

from typing import Final

__all__ = ["COUNTER_MAX", "checked_int"]

COUNTER_MAX: Final = 2**63 - 1
"""The largest counter, attempt or time: what a signed 64-bit column (``BIGINT``) holds."""


def checked_int(name: str, value: object, low: int = 0, high: int = COUNTER_MAX) -> int:
    """Return `value` if it is an integer (no boolean) from `low` to `high`.

    Args:
        name: What the value is called in the error message.
        value: What to check.
        low: The smallest allowed value.
        high: The largest allowed value.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is out of range.
    """
    if type(value) is int and low <= value <= high:
        return value  # nearly always, and several times in every request
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}")
    return value
