"""What makes an option's value of text or of a Python value; its own results included.

A parser raises `ValueError` with a clause that says what is wrong (``must start with "/"``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from .choices import CookieSecure, SameSite
from .durations import parse_duration
from .policies import LONGEST
from .presets import PRESETS, Preset

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

COOKIE_MAX_AGE_LIMIT: Final = 400 * 24 * 60 * 60
"""Seconds. Browsers shorten anything longer to 400 days (draft-ietf-httpbis-rfc6265bis, section 5.5)."""

_MOST_PER_USER: Final = 10_000
_LATEST: Final = 10**11  # Unix seconds, the year 5138: beyond it somebody has given milliseconds
_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
LONGEST_COOKIE_NAME: Final = 255  # browsers keep 4096 bytes of name and value together
# RFC 6265 section 4.1.1: cookie-name is an RFC 2616 token.
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 6265 section 4.1.1: path-value is any US-ASCII character except controls and ";".
_PATH: Final = re.compile(r"/[ -:<-~]*")
# What browsers have encoded or taken out of each path that they compare with the cookie's (WHATWG URL, "path
# percent-encode set", and "\\"), and the comma, which WebOb escapes in a way no browser undoes.
_NOT_IN_PATHS: Final = re.compile(r"""[ "#<>?\\`{},]""")
_DOTS: Final = re.compile(r"/\.{1,2}(?:/|$)")
# RFC 1034 section 3.5 as widened by RFC 1123 section 2.1.
_DOMAIN: Final = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


def anything(value: Any) -> Any:
    return value


def required(value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("is missing")
    return value


def _is_none(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in {"", "none"})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {type(value).__name__}")  # noqa: TRY004 - parsers raise one type
    # An enumeration's member too becomes its plain text.
    text = str.__str__(value).strip()
    if not text:
        raise ValueError("must not be empty")
    return text


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    raise ValueError("must be a whole number")


def _seconds(value: Any) -> int:
    """Return a number of seconds, which text may give with a unit: ``30min``."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value.strip()):
        return parse_duration(value)
    return _integer(value)


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = _text(value).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("is neither true nor false")


def choice(kind: type[StrEnum]) -> Callable[[Any], StrEnum]:
    """Return a parser of an enumeration's values."""

    def parse(value: Any) -> StrEnum:
        try:
            return kind(_text(value).lower())
        except ValueError:
            raise ValueError("is not one of the choices") from None

    return parse


def model_class(value: Any) -> type:
    if not isinstance(required(value), type):
        raise ValueError("must be a class")  # noqa: TRY004 - parsers raise one type
    return value  # type: ignore[no-any-return]


def attribute_name(value: Any) -> str:
    text = _text(value)
    if not text.isidentifier():
        raise ValueError("must be the name of a request attribute")
    return text


def positive(value: Any, most: int = LONGEST, problem: str = f"must not be greater than {LONGEST}") -> int:
    number = _integer(value)
    if number <= 0:
        raise ValueError("must be greater than 0")
    if number > most:
        raise ValueError(problem)
    return number


def positive_duration(
    value: Any, most: int = LONGEST, problem: str = f"must not be greater than {LONGEST}"
) -> int:
    return positive(_seconds(value), most, problem)


def duration(value: Any) -> int | None:
    return None if _is_none(value) else positive_duration(value)


def cookie_max_age(value: Any) -> int | None:
    if _is_none(value):
        return None
    return positive_duration(value, COOKIE_MAX_AGE_LIMIT, "is longer than browsers keep any cookie")


def visitor_cookie_max_age(value: Any) -> int | None:
    if not _is_none(value) and _integer(value) == 0:
        return 0
    return cookie_max_age(value)


def visitor_cookie_samesite(value: Any) -> SameSite | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return cookie_samesite(value)


def extension_delay(value: Any) -> int | None:
    number = None if _is_none(value) else _seconds(value)
    if number is not None and number < 0:
        raise ValueError("must not be negative")
    return number


def moment(value: Any) -> int:
    number = _integer(value)
    if not 0 <= number <= _LATEST:
        raise ValueError("is no time of a session")
    return number


def limit(value: Any) -> int | None:
    number = None if _is_none(value) else _integer(value)
    if number is not None and not 0 < number <= _MOST_PER_USER:
        raise ValueError(f"must be from 1 to {_MOST_PER_USER}")
    return number


def amount(value: Any) -> int:
    number = _integer(value)
    if number < 0:
        raise ValueError("must not be negative")
    return number


def preset(value: Any) -> Preset | None:
    if value is None or isinstance(value, Preset):
        return value
    name = _text(value).lower()
    if name == "none":
        return None
    if name not in PRESETS:
        raise ValueError("is not the name of a preset")
    return PRESETS[name]


def cookie_name(value: Any) -> str:
    text = _text(value)
    if not _TOKEN.fullmatch(text):
        raise ValueError("contains a character that the name of a cookie must not contain")
    if len(text) > LONGEST_COOKIE_NAME:
        raise ValueError(f"is longer than {LONGEST_COOKIE_NAME} characters")
    return text


def cookie_path(value: Any) -> str:
    text = _text(value)
    if not text.startswith("/"):
        raise ValueError('must start with "/"')
    if not _PATH.fullmatch(text):
        raise ValueError("contains a semicolon, a control character or one beyond ASCII")
    unsent = _NOT_IN_PATHS.search(text)
    if unsent is not None:
        raise ValueError(f"contains {unsent[0]!r}, and no browser sends a cookie for a path with that")
    if _DOTS.search(text):
        raise ValueError('contains "." or ".." for a folder, which no browser leaves in a path')
    return text


def cookie_domain(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    # RFC 6265 section 5.2.3: a leading dot is ignored, and case does not matter.
    domain = _text(value).removeprefix(".").lower()
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain):
        raise ValueError("is not the name of a domain")
    if "." not in domain and domain != "localhost":
        raise ValueError("is a single word, and browsers take no cookie for all hosts under one")
    return domain


def cookie_secure(value: Any) -> CookieSecure:
    if isinstance(value, str) and value.strip().lower() == CookieSecure.AUTO:
        return CookieSecure.AUTO
    try:
        return CookieSecure.ALWAYS if boolean(value) else CookieSecure.NEVER
    except ValueError:
        raise ValueError("is neither auto, true nor false") from None


def cookie_samesite(value: Any) -> SameSite:
    text = _text(value).lower()
    for member in SameSite:
        if member.lower() == text:
            return member
    raise ValueError("is not one of the attribute's values")
