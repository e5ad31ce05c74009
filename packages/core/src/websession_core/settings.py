"""The settings of one kind of web session: one frozen object that cannot be wrong.

Theory of operation
===================

The fields of `Settings` **are** the table of options: each carries in its metadata how it is read,
from text (an ini file) or from a Python value, what it means and what to do when it is wrong. `OPTIONS`
is that table for whoever writes documentation. A new option is one more field; a rule that
involves several options is one more function in ``_CHECKS``.

Reading never stops at the first mistake. Every option is read, every unknown name is looked at, every
rule whose options could be read is applied, and then one `ConfigurationError` tells everything.

A parser raises `ValueError` with a clause that says what is wrong (``must start with "/"``). The
option's ``expects`` says what to do about it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from .errors import ConfigurationError, Mistake
from .policies import (
    DEFAULT_GRACE,
    DEFAULT_MAX_TRIES,
    LONGEST,
    AbsoluteTimeout,
    IdleTimeout,
    Policies,
    Renewal,
)
from .presets import PRESETS, Preset

__all__ = [
    "COOKIE_MAX_AGE_LIMIT",
    "DEFAULT_PREFIX",
    "OPTIONS",
    "Check",
    "ClientAddress",
    "Converter",
    "CookieSecure",
    "Draft",
    "LimitPolicy",
    "Option",
    "SameSite",
    "Settings",
    "parse_settings",
]

DEFAULT_PREFIX: Final = "session."

_MOST_PER_USER: Final = 10_000
COOKIE_MAX_AGE_LIMIT: Final = 400 * 24 * 60 * 60
"""Seconds. Browsers shorten anything longer to 400 days (draft-ietf-httpbis-rfc6265bis, section 5.5)."""

Converter: TypeAlias = Callable[[Any], Any]
"""Makes an option's value of what was configured.

Raises `ValueError` or `ImportError` with a clause that says what is wrong and shows nothing secret: it alone
knows what of the configured text may be shown, and nothing else shows any of it. If the error has the
attributes ``problem`` and ``remedy``, both text, these are told instead.
"""


class CookieSecure(StrEnum):
    """When the cookie gets the ``Secure`` attribute."""

    AUTO = "auto"
    """For a request that came by https."""
    ALWAYS = "true"
    NEVER = "false"

    def applies(self, *, https: bool) -> bool:
        """Return whether the answer to a request that came by https, or not, marks its cookie ``Secure``."""
        return https if self is CookieSecure.AUTO else self is CookieSecure.ALWAYS

    def __bool__(self) -> bool:
        # Every text but the empty one is true, NEVER too: that mistake would be quiet.
        msg = "CookieSecure is not a boolean; ask applies()"
        raise TypeError(msg)


class SameSite(StrEnum):
    """The cookie's ``SameSite`` attribute, spelled as in the header."""

    LAX = "Lax"
    STRICT = "Strict"
    NONE = "None"


class LimitPolicy(StrEnum):
    """What a login does when the user has as many sessions as they may have."""

    END_OLDEST = "end_oldest"
    REFUSE = "refuse"


class ClientAddress(StrEnum):
    """How much of a browser's network address is kept, in models with `ClientInfoMixin`."""

    ANONYMIZED = "anonymized"
    FULL = "full"
    NONE = "none"


# --- the table of options -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table.

    Attributes:
        name: What it is called after the prefix, and as a field of `Settings`.
        doc: What it means, one paragraph of plain text.
        expects: What a right value is, as an instruction: ``give a number of seconds``.
        parse: Makes the value of text or of a Python value, its own results included.
        default: Its value when it is not configured; of no meaning if it is required.
        required: Whether there is no default.
        unit: What a number counts (``seconds``), or None.
        secret: Whether the value must never be shown.
    """

    name: str
    doc: str
    expects: str
    parse: Converter
    default: Any
    required: bool
    unit: str | None
    secret: bool


_ROW: Final = "websession_core.option"


def _option(
    parse: Converter, *, doc: str, expects: str, unit: str | None = None, secret: bool = False
) -> dict[str, Any]:
    """Return the metadata that makes a field of `Settings` a row of the table."""
    return {_ROW: {"parse": parse, "doc": doc, "expects": expects, "unit": unit, "secret": secret}}


# --- parsers: from text or a Python value -------------------------------------------------------

_LATEST: Final = 10**11  # Unix seconds, the year 5138: beyond it somebody has given milliseconds
_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_LONGEST_COOKIE_NAME: Final = 255  # browsers keep 4096 bytes of name and value together
# RFC 6265 section 4.1.1: cookie-name is an RFC 2616 token.
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 6265 section 4.1.1: path-value is any US-ASCII character except controls and ";".
_PATH: Final = re.compile(r"/[ -:<-~]*")
# RFC 1034 section 3.5 as widened by RFC 1123 section 2.1.
_DOMAIN: Final = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


def _anything(value: Any) -> Any:
    return value


def _given(value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("is missing")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {type(value).__name__}")  # noqa: TRY004 - parsers raise one type
    # An enumeration's member too becomes its plain text.
    text = str.__str__(value).strip()
    if not text:
        raise ValueError("must not be empty")
    return text


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = _text(value).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("is neither true nor false")


def _seconds(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    raise ValueError("must be a whole number")


def _model_class(value: Any) -> type:
    if not isinstance(_given(value), type):
        raise ValueError("must be a class")  # noqa: TRY004 - parsers raise one type
    return value  # type: ignore[no-any-return]


def _attribute_name(value: Any) -> str:
    text = _text(value)
    if not text.isidentifier():
        raise ValueError("must be the name of a request attribute")
    return text


def _cookie_name(value: Any) -> str:
    text = _text(value)
    if not _TOKEN.fullmatch(text):
        raise ValueError("contains a character that the name of a cookie must not contain")
    if len(text) > _LONGEST_COOKIE_NAME:
        raise ValueError(f"is longer than {_LONGEST_COOKIE_NAME} characters")
    return text


def _cookie_max_age(value: Any) -> int | None:
    if value is None or (isinstance(value, str) and value.strip().lower() in {"", "none"}):
        return None
    seconds = _seconds(value)
    if seconds <= 0:
        raise ValueError("must be greater than 0")
    if seconds > COOKIE_MAX_AGE_LIMIT:
        raise ValueError("is longer than browsers keep any cookie")
    return seconds


def _duration(value: Any) -> int | None:
    if value is None or (isinstance(value, str) and value.strip().lower() in {"", "none"}):
        return None
    return _positive(value)


def _positive(value: Any) -> int:
    number = _seconds(value)
    if number <= 0:
        raise ValueError("must be greater than 0")
    if number > LONGEST:
        raise ValueError(f"must not be greater than {LONGEST}")
    return number


def _extension_delay(value: Any) -> int | None:
    if value is None or (isinstance(value, str) and value.strip().lower() in {"", "none"}):
        return None
    number = _seconds(value)
    if number < 0:
        raise ValueError("must not be negative")
    return number


def _preset(value: Any) -> Preset | None:
    if value is None or isinstance(value, Preset):
        return value
    name = _text(value).lower()
    if name == "none":
        return None
    if name not in PRESETS:
        raise ValueError("is not the name of a preset")
    return PRESETS[name]


def _moment(value: Any) -> int:
    number = _seconds(value)
    if not 0 <= number <= _LATEST:
        raise ValueError("is no time of a session")
    return number


def _cookie_path(value: Any) -> str:
    text = _text(value)
    if not text.startswith("/"):
        raise ValueError('must start with "/"')
    if not _PATH.fullmatch(text):
        raise ValueError("contains a semicolon, a control character or one beyond ASCII")
    return text


def _cookie_domain(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    # RFC 6265 section 5.2.3: a leading dot is ignored, and case does not matter.
    domain = _text(value).removeprefix(".").lower()
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain):
        raise ValueError("is not the name of a domain")
    return domain


def _cookie_secure(value: Any) -> CookieSecure:
    if isinstance(value, str) and value.strip().lower() == CookieSecure.AUTO:
        return CookieSecure.AUTO
    try:
        return CookieSecure.ALWAYS if _boolean(value) else CookieSecure.NEVER
    except ValueError:
        raise ValueError("is neither auto, true nor false") from None


def _limit(value: Any) -> int | None:
    if value is None or (isinstance(value, str) and value.strip().lower() in {"", "none"}):
        return None
    number = _seconds(value)
    if not 0 < number <= _MOST_PER_USER:
        raise ValueError(f"must be from 1 to {_MOST_PER_USER}")
    return number


def _limit_policy(value: Any) -> LimitPolicy:
    try:
        return LimitPolicy(_text(value).lower())
    except ValueError:
        raise ValueError("is not one of the choices") from None


def _client_address(value: Any) -> ClientAddress:
    try:
        return ClientAddress(_text(value).lower())
    except ValueError:
        raise ValueError("is not one of the choices") from None


def _cookie_samesite(value: Any) -> SameSite:
    text = _text(value).lower()
    for member in SameSite:
        if member.lower() == text:
            return member
    raise ValueError("is not one of the attribute's values")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one kind of web session; the constructor refuses whatever is wrong.

    Made by `parse_settings` from configuration, or in code with the same rules and messages, except that
    ``secret_key`` and ``model_class`` must already be what the framework adapter works with. Arguments may
    be text or Python values; attributes have the types below. ``preset`` is for `parse_settings`, and a mere
    remark here: in code, the timeouts that hold are those given.

    Raises:
        ConfigurationError: Naming every mistake.
    """

    secret_key: Any = field(
        # The adapter decides what a key is: this package does no cryptography.
        repr=False,
        metadata=_option(
            _given,
            doc="The key, or several, that encrypt the cookie: the first one encrypts, every one decrypts. "
            "Keep it out of version control. Instead of a key, env:NAME stands for the keys in an "
            "environment variable, and file:/run/secrets/name for those in a file, like a container's "
            "secret. Several are separated by white space, in such a source, too.",
            expects="make one with generate_secret_key()",
            secret=True,
        ),
    )
    model_class: type = field(
        metadata=_option(
            _model_class,
            doc="The mapped class that stores the sessions, as a dotted name or as the class itself.",
            expects="give the class or its dotted name, like yourproject.models.session.Session",
        ),
    )
    data_secret_key: Any = field(
        default=None,
        repr=False,
        metadata=_option(
            _anything,
            doc="The key, or several, that encrypt the data and the flash messages in the database, if the "
            "model has EncryptedDataMixin; written like secret_key. The first one encrypts, every one "
            "decrypts. Use no key that encrypts anything else.",
            expects="make one with generate_secret_key(), or leave it out",
            secret=True,
        ),
    )
    dbsession_name: str = field(
        default="dbsession",
        metadata=_option(
            _attribute_name,
            doc="The request attribute that holds the database session in which web sessions are stored.",
            expects="give an attribute's name, like dbsession",
        ),
    )
    cookie_name: str = field(
        default="session",
        metadata=_option(
            _cookie_name,
            doc="The name of the cookie. A name that starts with __Host- or __Secure- makes browsers insist "
            "on the attributes that these prefixes stand for, and they are checked here too.",
            expects="use letters, digits, hyphens and underscores",
        ),
    )
    cookie_max_age: int | None = field(
        default=None,
        metadata=_option(
            _cookie_max_age,
            doc="How long the browser keeps the cookie. Without it the cookie ends with the browser's "
            "own session, whatever that is: many restore their cookies after a restart.",
            expects=f"give 1 to {COOKIE_MAX_AGE_LIMIT} seconds (400 days), or leave it out",
            unit="seconds",
        ),
    )
    cookie_path: str = field(
        default="/",
        metadata=_option(
            _cookie_path,
            doc="The path below which the browser sends the cookie. It is no protection against "
            "other applications on the same host.",
            expects='give a path like "/", percent-encoded where needed',
        ),
    )
    cookie_domain: str | None = field(
        default=None,
        metadata=_option(
            _cookie_domain,
            doc="The domain to which, with all its subdomains, the browser sends the cookie. Without it only "
            "the very host that set it gets it, which is safer.",
            expects="give a host name like example.com (international ones in xn-- form), or leave it out",
        ),
    )
    cookie_secure: CookieSecure = field(
        default=CookieSecure.AUTO,
        metadata=_option(
            _cookie_secure,
            doc="Whether the browser sends the cookie by https only. With auto it does if the request that "
            "set the cookie came by https.",
            expects="use auto, true or false",
        ),
    )
    cookie_httponly: bool = field(
        default=True,
        metadata=_option(
            _boolean,
            doc="Whether the cookie is kept from scripts in the page.",
            expects="use true or false",
        ),
    )
    cookie_samesite: SameSite = field(
        default=SameSite.LAX,
        metadata=_option(
            _cookie_samesite,
            doc="Whether requests that other sites start carry the cookie: never with Strict, only when the "
            "user follows a link there with Lax, always with None, which demands https.",
            expects="use Lax, Strict or None, as text",
        ),
    )
    cookie_partitioned: bool = field(
        default=False,
        metadata=_option(
            _boolean,
            doc="Whether browsers keep the cookie apart for each site that embeds the application (CHIPS): "
            "there it is a cookie, and a session, of its own, and works where third parties' cookies are "
            "blocked. To be embedded at all takes cookie_samesite = None.",
            expects="use true or false",
        ),
    )

    preset: Preset | None = field(
        default=None,
        metadata=_option(
            _preset,
            doc="Timeouts for an authentication assurance level of NIST SP 800-63B-4, for idle_timeout and "
            "absolute_timeout where these are not given themselves: aal1 ends sessions after 30 days, aal2 "
            "after 24 hours or 1 hour without a request, aal3 after 12 hours or 15 minutes without one.",
            expects=f"use {', '.join(PRESETS)}, or leave it out",
        ),
    )
    idle_timeout: int | None = field(
        default=None,
        metadata=_option(
            _duration,
            doc="After how long without a request a session ends. The model needs IdleMixin.",
            expects="give a number of seconds above 0, or leave it out for no such timeout",
            unit="seconds",
        ),
    )
    extension_delay: int | None = field(
        default=None,
        metadata=_option(
            _extension_delay,
            doc="How long after it was last noted down activity is noted down anew: a longer delay means "
            "fewer writes, and an idle timeout that may come that much earlier. Without it a tenth of "
            "the idle timeout, at most 60 seconds.",
            expects="give a number of seconds shorter than idle_timeout; 0 notes down every request",
            unit="seconds",
        ),
    )
    absolute_timeout: int | None = field(
        default=None,
        metadata=_option(
            _duration,
            doc="How long after its creation a session ends, used or not. The model needs AbsoluteMixin.",
            expects="give a number of seconds above 0, or leave it out for no such timeout",
            unit="seconds",
        ),
    )
    renewal_timeout: int | None = field(
        default=None,
        metadata=_option(
            _duration,
            doc="How often the cookie of a session that belongs to somebody changes, so that a stolen one is "
            "soon worthless and a copy is noticed. The model needs RenewalMixin.",
            expects="give a number of seconds, at least twice renewal_grace, or leave it out for no renewal",
            unit="seconds",
        ),
    )
    renewal_grace: int = field(
        default=DEFAULT_GRACE,
        metadata=_option(
            _positive,
            doc="A bound on the time from a browser's sending a request to its having processed the "
            "response, differences between the servers' clocks included. Where uploads take longer, make "
            "it longer.",
            expects="give a number of seconds above 0",
            unit="seconds",
        ),
    )
    renewal_max_tries: int = field(
        default=DEFAULT_MAX_TRIES,
        metadata=_option(
            _positive,
            doc="After how many renewed cookies that never came back the session ends: whoever swallows them "
            "all must not live for ever.",
            expects="give a number above 0",
        ),
    )
    not_before: int = field(
        default=0,
        metadata=_option(
            _moment,
            doc="Cookies issued before this moment are refused: set it to now after a key or a table has "
            "leaked, or a backup was restored.",
            expects="give a time in seconds since 1970 (date +%s prints the present one)",
            unit="seconds since 1970-01-01 UTC",
        ),
    )
    max_per_user: int | None = field(
        default=None,
        metadata=_option(
            _limit,
            doc="How many sessions a user can have at the same time. The model needs SessionLimitMixin.",
            expects="give a number above 0, or leave it out for no limit",
        ),
    )
    max_per_user_policy: LimitPolicy = field(
        default=LimitPolicy.END_OLDEST,
        metadata=_option(
            _limit_policy,
            doc="What a login does when the user has so many already: end the one that was logged in longest "
            "ago, or refuse the new one with TooManySessionsError.",
            expects="use end_oldest or refuse",
        ),
    )
    client_address: ClientAddress = field(
        default=ClientAddress.ANONYMIZED,
        metadata=_option(
            _client_address,
            doc="How much of the address a session is begun or logged in from is kept, if the model has "
            "ClientInfoMixin: with anonymized the first 24 bits of an IPv4 address and 48 of an IPv6 one. It "
            "is what the WSGI server says; behind a proxy see that it says the right one.",
            expects="use anonymized, full or none",
        ),
    )
    retry_conflicts: bool = field(
        default=True,
        metadata=_option(
            _boolean,
            doc="Whether pyramid_retry may run a request again whose transaction lost a conflict in the "
            "database: a serialization failure, a deadlock, a lock that was not to be had, a row that had "
            "changed. It holds for all of the application's statements, not only for the sessions'.",
            expects="give true or false",
        ),
    )

    @property
    def policies(self) -> Policies:
        """What these settings say about how long a session lives and how often its ticket changes."""
        idle, absolute = self.idle_timeout, self.absolute_timeout
        return Policies(
            idle=None if idle is None else IdleTimeout(idle, self.extension_delay),
            absolute=None if absolute is None else AbsoluteTimeout(absolute),
            renewal=Renewal(self.renewal_timeout, self.renewal_grace, self.renewal_max_tries),
            not_before=self.not_before,
            cookie_max_age=self.cookie_max_age,
        )

    def __post_init__(self) -> None:
        draft = Draft({row.name: getattr(self, row.name) for row in OPTIONS}, prefix="", converters={})
        mistakes = [*draft.mistakes, *draft.examine(_CHECKS)]
        if mistakes:
            raise ConfigurationError(mistakes)
        for name, value in draft.items():
            object.__setattr__(self, name, value)


OPTIONS: Final[tuple[Option, ...]] = tuple(
    Option(
        name=row.name,
        default=None if row.default is MISSING else row.default,
        required=row.default is MISSING,
        **row.metadata[_ROW],
    )
    for row in fields(Settings)
)
"""Every option, in the order in which documentation should tell them."""

_PRESET: Final = frozenset({"idle_timeout", "absolute_timeout"})
_BY_NAME: Final[Mapping[str, Option]] = MappingProxyType({row.name: row for row in OPTIONS})


# --- reading ------------------------------------------------------------------------------------


class _UnsoundError(Exception):
    """A rule asked for an option that has a mistake already."""


class Draft:
    """Settings under examination: what could be read so far.

    A rule (`Check`) looks at options with ``draft["cookie_name"]``. If one of them has a mistake already,
    the rule ends there without a word: a wrong value breaks no further rules.

    Attributes:
        mistakes: What was wrong with single options.
    """

    __slots__ = ("_by_preset", "_converted", "_prefix", "_raw", "_values", "mistakes")

    mistakes: tuple[Mistake, ...]

    def __init__(self, raw: Mapping[str, Any], *, prefix: str, converters: Mapping[str, Converter]) -> None:
        self._prefix = prefix
        self._raw = raw
        self._converted = frozenset(converters)
        self._values: dict[str, Any] = {}
        self._by_preset: set[str] = set()
        mistakes = []
        for row in OPTIONS:
            try:
                if row.name in raw:
                    value = raw[row.name]
                    convert = converters.get(row.name)
                    if convert is not None and (row.required or value is not None):
                        value = convert(_given(value) if row.required else value)
                elif row.required:
                    raise ValueError("is missing")  # noqa: TRY301 - told like every other mistake
                else:
                    value = self._default(row)
                self._values[row.name] = row.parse(value)
            except (ValueError, ImportError) as error:
                problem = str(getattr(error, "problem", error))
                mistakes.append(self.mistake(row.name, problem, getattr(error, "remedy", row.expects)))
        self.mistakes = tuple(mistakes)

    def _default(self, row: Option) -> Any:
        """Return what holds for an option that was not given."""
        # The table has the preset before what it can preset.
        preset = self._values.get("preset")
        if preset is None or row.name not in _PRESET:
            return row.default
        self._by_preset.add(row.name)
        return getattr(preset, row.name)

    def __getitem__(self, name: str) -> Any:
        """Return an option's value; see the class for what happens if it has none."""
        if name not in self._values:
            if name in _BY_NAME:
                raise _UnsoundError
            raise KeyError(name)
        return self._values[name]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return the names and values that could be read."""
        return self._values.items()

    def name(self, name: str) -> str:
        """Return an option's name as the operator writes it, with the prefix."""
        return f"{self._prefix}{name}"

    def mistake(self, name: str, problem: str, remedy: str) -> Mistake:
        """Return a mistake about an option, showing what was configured unless that is secret or nothing."""
        shown, raw = None, self._raw.get(name)
        converted = name in self._converted and isinstance(raw, str)
        if name in self._raw and not (_BY_NAME[name].secret or converted):
            shown = _show(raw)
        elif name in self._by_preset:
            shown = f"{self._values[name]} (by {self.name('preset')})"
        return Mistake(self.name(name), shown, problem, remedy)

    def examine(self, checks: Iterable[Check]) -> list[Mistake]:
        """Return what the rules find."""
        return [mistake for check in checks for mistake in _found(check, self)]


Check: TypeAlias = Callable[[Draft], Iterable[Mistake]]
"""A rule about several options: takes a `Draft`, gives the mistakes (from ``draft.mistake``), if any."""


def _found(check: Check, draft: Draft) -> Iterator[Mistake]:
    try:
        yield from check(draft)
    except _UnsoundError:
        return


# A key has 43 characters or more, and what is left of it when these are known cannot be guessed.
_LONGEST_SHOWN: Final = 24
# No key: those have capital letters or digits.
_PLAIN_NAME: Final = re.compile(r"[a-z_.-]*")


def _show(value: object) -> str:
    """Return a value as text for an error message: no secret put in the wrong place, no object's repr."""
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, str):
        text = str.__str__(value)
        return repr(text) if len(text) <= _LONGEST_SHOWN else f"<{len(text)} characters>"
    if value is None or isinstance(value, int | float):
        text = repr(value)
        return text if len(text) <= _LONGEST_SHOWN else f"<{type(value).__name__}>"
    return f"<{type(value).__name__}>"


def _show_name(name: str) -> str:
    """Return an unknown name for an error message; that of an ini line without a "=" has the value in it."""
    word, *rest = name.split(maxsplit=1) or [name]
    if len(word) > _LONGEST_SHOWN and not _PLAIN_NAME.fullmatch(word):
        return f"<{len(name)} characters>"
    return f"{word} ..." if rest else name


def _unknown(names: Iterable[str], prefix: str) -> Iterator[Mistake]:
    for name in names:
        word, *_ = name.split(maxsplit=1) or [name]
        spelled = word.lower().replace("-", "_")
        near = difflib.get_close_matches(spelled, _BY_NAME, n=1)
        remedy = (
            f"did you mean {prefix}{near[0]}?"
            if near
            else "remove it; if it belongs to something else, choose another prefix for the session settings"
        )
        # The value is not shown: it may be a secret under a misspelled name.
        yield Mistake(f"{prefix}{_show_name(name)}", None, "is not a known setting", remedy)


def parse_settings(
    mapping: Mapping[str, Any],
    *,
    prefix: str = DEFAULT_PREFIX,
    converters: Mapping[str, Converter] = MappingProxyType({}),
    checks: Iterable[Check] = (),
) -> Settings:
    """Return the settings that a mapping configures.

    Args:
        mapping: All of an application's settings, text or Python values. Names that do not start with the
            prefix are not looked at.
        prefix: What the names of our settings start with.
        converters: For ``secret_key`` and ``model_class`` (or any other option): what makes the value
            of what was configured. An option without one must be configured with the final value.
        checks: Further rules, beside this package's own.

    Raises:
        ConfigurationError: Naming every mistake: wrong values, missing and unknown names, broken rules.
    """
    for name in converters:
        if name not in _BY_NAME:
            msg = f"there is no option {name!r} to convert"
            raise LookupError(msg)
    ours = {name.removeprefix(prefix): value for name, value in mapping.items() if name.startswith(prefix)}
    draft = Draft(
        {name: ours[name] for name in ours if name in _BY_NAME}, prefix=prefix, converters=converters
    )
    mistakes = [
        *draft.mistakes,
        *_unknown((name for name in ours if name not in _BY_NAME), prefix),
        *draft.examine((*_CHECKS, *checks)),
    ]
    if mistakes:
        # A traceback's frames hold their locals, and crash reports print them.
        del mapping, ours, draft
        raise ConfigurationError(mistakes)
    return Settings(**dict(draft.items()))


# --- rules about several options ----------------------------------------------------------------


def _promise(draft: Draft) -> str | None:
    """Return the prefix by which the cookie's name promises attributes, or None.

    Browsers refuse a cookie that does not keep the promise, and they compare the prefix without regard
    to case (draft-ietf-httpbis-rfc6265bis, sections 4.1.3 and 5.4), so that ``__host-`` is reserved too.
    """
    name: str = draft["cookie_name"].lower()
    return next((prefix for prefix in ("__Host-", "__Secure-") if name.startswith(prefix.lower())), None)


# One rule per promise: a mistake in one attribute must not hide those in the others.


def _promised_secure(draft: Draft) -> Iterator[Mistake]:
    prefix = _promise(draft)
    if prefix is not None and draft["cookie_secure"] is not CookieSecure.ALWAYS:
        yield draft.mistake(
            "cookie_secure",
            f"browsers refuse a cookie whose name starts with {prefix} unless it is Secure",
            f"set it to true, or change {draft.name('cookie_name')}",
        )


def _promised_path(draft: Draft) -> Iterator[Mistake]:
    prefix = _promise(draft)
    if prefix == "__Host-" and draft["cookie_path"] != "/":
        yield draft.mistake(
            "cookie_path",
            f"browsers refuse a cookie whose name starts with {prefix} unless its path is /",
            f"leave it out, or change {draft.name('cookie_name')}",
        )


def _promised_host(draft: Draft) -> Iterator[Mistake]:
    prefix = _promise(draft)
    if prefix == "__Host-" and draft["cookie_domain"] is not None:
        yield draft.mistake(
            "cookie_domain",
            f"browsers refuse a cookie whose name starts with {prefix} if it has a domain",
            f"leave it out, or change {draft.name('cookie_name')}",
        )


def _cross_site_cookies(draft: Draft) -> Iterator[Mistake]:
    """Check that ``SameSite=None`` comes with ``Secure``, without which browsers refuse the cookie."""
    if draft["cookie_samesite"] is SameSite.NONE and draft["cookie_secure"] is not CookieSecure.ALWAYS:
        yield draft.mistake(
            "cookie_secure",
            f"browsers refuse a cookie with {draft.name('cookie_samesite')} = None unless it is Secure",
            f"set it to true, or set {draft.name('cookie_samesite')} to Lax or Strict",
        )


def _partitioned_cookies(draft: Draft) -> Iterator[Mistake]:
    """Check that ``Partitioned`` comes with ``Secure``, without which browsers refuse the cookie."""
    if draft["cookie_partitioned"] and draft["cookie_secure"] is not CookieSecure.ALWAYS:
        yield draft.mistake(
            "cookie_secure",
            f"browsers refuse a cookie with {draft.name('cookie_partitioned')} = true unless it is Secure",
            f"set it to true, or leave {draft.name('cookie_partitioned')} out",
        )


def _idle_within_absolute(draft: Draft) -> Iterator[Mistake]:
    idle, absolute = draft["idle_timeout"], draft["absolute_timeout"]
    if idle is not None and absolute is not None and idle >= absolute:
        yield draft.mistake(
            "idle_timeout",
            f"is not shorter than {draft.name('absolute_timeout')}, so it would never come to pass",
            f"make it shorter than {absolute} seconds, or leave it out",
        )


def _delay_within_idle(draft: Draft) -> Iterator[Mistake]:
    delay, idle = draft["extension_delay"], draft["idle_timeout"]
    if delay is None:
        return
    if idle is None:
        yield draft.mistake(
            "extension_delay",
            f"means nothing without {draft.name('idle_timeout')}",
            f"set {draft.name('idle_timeout')} too, or leave it out",
        )
    elif delay >= idle:
        yield draft.mistake(
            "extension_delay",
            f"is not shorter than {draft.name('idle_timeout')}, so active users would be timed out",
            f"make it shorter than {idle} seconds, or leave it out",
        )


def _renewal_beyond_grace(draft: Draft) -> Iterator[Mistake]:
    renewal, grace = draft["renewal_timeout"], draft["renewal_grace"]
    if renewal is not None and renewal < 2 * grace:
        yield draft.mistake(
            "renewal_timeout",
            f"is shorter than twice {draft.name('renewal_grace')}, which two renewals must be apart",
            f"make it at least {2 * grace} seconds, or {draft.name('renewal_grace')} shorter",
        )


_CHECKS: Final[tuple[Check, ...]] = (
    _idle_within_absolute,
    _delay_within_idle,
    _renewal_beyond_grace,
    _promised_secure,
    _promised_path,
    _promised_host,
    _cross_site_cookies,
    _partitioned_cookies,
)
