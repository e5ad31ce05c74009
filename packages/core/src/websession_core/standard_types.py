"""The types beyond JSON that every session can hold, each with its way to text and back.

The texts are those that people know (ISO 8601, RFC 9557 for time zones, base64), so that a stored session can
be read, and its values be cast in SQL.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["STANDARD", "RefusedError", "SessionType"]


class RefusedError(Exception):
    """Raised at a refused value; collects the path on its way up."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str | int] = []


@dataclass(frozen=True, slots=True)
class SessionType:
    """A type beyond JSON that sessions can hold.

    Attributes:
        name: What it is called in what is stored.
        kind: The class; values of its subclasses are not meant.
        to_json: Makes something storable of a value.
        from_json: Makes the value of that again.
    """

    name: str
    kind: type
    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]


# The wall clock, then the key of a time zone, then whether it is the second of two equal times.
_CLOCK: Final = re.compile(r"([^\[\]]+)(?:\[([^\[\]=]+)\])?(\[fold=1\])?")
_SECONDS: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]{1,6}))?")
_SMALL_OFFSET: Final = re.compile(r"([+-])00:00:00\.([0-9]{6})\Z")
# Of the real class, which freezegun does not replace by its own.
_datetime_of: Final = datetime.fromisoformat
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 10**6  # microseconds


def _clock(value: datetime | time) -> str:
    zone, suffix = value.tzinfo, ""
    if type(zone) is ZoneInfo:
        suffix = f"[{_key(zone)}]"
    elif zone is not None and type(zone) is not timezone:
        raise RefusedError(
            f"its time zone is of type {type(zone).__name__}, which cannot be stored; use zoneinfo.ZoneInfo, "
            "or an offset of datetime.timezone"
        )
    return f"{value.isoformat()}{suffix}{'[fold=1]' if value.fold else ''}"


def _key(zone: ZoneInfo) -> str:
    key: str | None = zone.key  # None in one that was made of a file
    try:
        if key is not None and key == ZoneInfo(key).key:
            return key
    except (KeyError, ValueError, OSError):
        pass
    raise RefusedError(
        "its time zone has no key by which it would be found again; use zoneinfo.ZoneInfo(key)"
    )


def _parts(text: str) -> tuple[str, ZoneInfo | None, int]:
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError("no date or time")
    clock, key, fold = match.groups()
    return clock, None if key is None else ZoneInfo(key), int(fold is not None)


def _datetime(text: str) -> datetime:
    clock, zone, fold = _parts(text)
    value = _datetime_of(clock)
    # With a zone, its rules of today say the offset; the one in the text is for readers.
    return value.replace(tzinfo=zone or _small_offset(clock) or value.tzinfo, fold=fold)


def _time(text: str) -> time:
    clock, zone, fold = _parts(text)
    value = time.fromisoformat(clock)
    return value.replace(tzinfo=zone or _small_offset(clock) or value.tzinfo, fold=fold)


def _small_offset(clock: str) -> timezone | None:
    """Return an offset of less than a second, which Python's own parser takes for none at all."""
    match = _SMALL_OFFSET.search(clock)
    if match is None:
        return None
    sign, microseconds = match.groups()
    return timezone(timedelta(microseconds=int(f"{sign}{microseconds}")))


def _seconds(value: timedelta) -> str:
    total = value // _MICROSECOND
    seconds, rest = divmod(abs(total), _SECOND)
    fraction = f".{rest:06}".rstrip("0") if rest else ""
    return f"{'-' if total < 0 else ''}{seconds}{fraction}"


def _timedelta(text: str) -> timedelta:
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise ValueError("no number of seconds")
    sign, seconds, rest = match.groups()
    total = int(seconds) * _SECOND + int((rest or "0").ljust(6, "0"))
    return timedelta(microseconds=-total if sign else total)


def _decimal(value: Decimal) -> str:
    # The context of the thread decides about the letter of the exponent.
    return str(value).replace("e", "E")


STANDARD: Final = (
    SessionType("bytes", bytes, lambda value: base64.b64encode(value).decode(), base64.b64decode),
    SessionType("date", date, date.isoformat, date.fromisoformat),
    SessionType("datetime", datetime, _clock, _datetime),
    SessionType("decimal", Decimal, _decimal, Decimal),
    SessionType("frozenset", frozenset, list, frozenset),
    SessionType("set", set, list, set),
    SessionType("time", time, _clock, _time),
    SessionType("timedelta", timedelta, _seconds, _timedelta),
    SessionType("tuple", tuple, list, tuple),
    SessionType("uuid", UUID, str, UUID),
)
"""In the order of their names."""
