"""Seconds in words: the units, and the forms in which people read and write a duration."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["DAY", "HOUR", "MINUTE", "duration", "exact_duration", "parse_duration", "rough_duration"]

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_UNITS: Final = ((DAY, "d", "days"), (HOUR, "h", "hours"), (MINUTE, "min", "minutes"), (1, "s", "seconds"))

_SPELLINGS: Final = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), MINUTE),
    **dict.fromkeys(("h", "hour", "hours"), HOUR),
    **dict.fromkeys(("d", "day", "days"), DAY),
    **dict.fromkeys(("w", "week", "weeks"), 7 * DAY),
}
_PART: Final = re.compile(r"([0-9]+)\s*([a-z]*)", re.ASCII)
_LONGEST_NUMBER: Final = 18


def parse_duration(text: str) -> int:
    """Return in seconds a duration as people write it: ``90``, ``30m``, ``20min``, ``2h``, ``2 d 3 h``.

    What `duration()` and `exact_duration()` write is among what it takes.

    Args:
        text: A whole number of seconds, or numbers with a unit each: s, m or min, h, d, w.

    Raises:
        ValueError: It is none; a clause.
    """
    normal = text.strip().lower()
    parts = [] if _PART.sub("", normal).strip() else _PART.findall(normal)
    units = [unit for _, unit in parts]
    # Several numbers need a unit each: 1 000 is more likely a thousand than 1000 seconds.
    is_sound = bool(parts) and _SPELLINGS.keys() >= set(units) and (len(units) == 1 or "" not in units)
    if not is_sound or any(len(number) > _LONGEST_NUMBER for number, _ in parts):
        raise ValueError("is no duration")
    return sum(int(number) * _SPELLINGS[unit] for number, unit in parts)


def duration(seconds: int | None, *, round_up: bool = False) -> str:
    """Return a duration in its largest unit and the next one: ``2 d 3 h``, ``45 s``; ``-`` for None.

    Args:
        seconds: Whole seconds; a negative number is a duration that has passed: ``-3 min``.
        round_up: Never show less than it is: for what has to be waited for.
    """
    if seconds is None:
        return "-"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    largest = next((number for number, unit in enumerate(_UNITS) if seconds >= unit[0]), 3)
    units = _UNITS[largest : largest + 2]
    if round_up:
        seconds += -seconds % units[-1][0]
    parts = []
    for length, unit, _ in units:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def exact_duration(seconds: int | None) -> str:
    """Return a duration in one unit, as it is set: ``14 d``, ``24 h``, ``90 min``; ``none`` for None.

    Args:
        seconds: Whole seconds.
    """
    if seconds is None:
        return "none"
    units = _UNITS if seconds >= 2 * DAY else _UNITS[1:]
    return next(f"{seconds // length} {unit}" for length, unit, _ in units if seconds % length == 0)


def rough_duration(seconds: int) -> str:
    """Return about how long a duration is, in one word for the unit: ``3 days``, ``47 hours``.

    Args:
        seconds: Whole seconds, not negative.
    """
    units = (f"{seconds // length} {name}" for length, _, name in _UNITS if seconds >= 2 * length)
    return next(units, f"{seconds} seconds")
