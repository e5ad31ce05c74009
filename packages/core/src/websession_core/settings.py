"""The settings of one kind of web session: one frozen object that cannot be wrong.

Theory of operation
===================

The fields of `Settings` **are** the table of options: each carries in its metadata how it is read,
from text (an ini file) or from a Python value, what it means and what to do when it is wrong. `OPTIONS`
is that table for anyone who writes documentation. A new option is one more field; a rule that
involves several options is one more function in ``_rules.CHECKS``.

Reading never stops at the first mistake. Every option is read, every unknown name is looked at, every
rule whose options could be read is applied, and then one `ConfigurationError` reports everything.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from . import _parsers as parsers
from ._parsers import COOKIE_MAX_AGE_LIMIT, LONGEST_COOKIE_NAME
from ._rules import CHECKS, LONGEST_SHOWN, Check, Converter, Draft, Option, cookie_name_prefix
from .choices import CipherLibrary, ClientAddress, CookieSecure, LimitPolicy, SameSite
from .errors import ConfigurationError, Mistake
from .policies import DEFAULT_GRACE, DEFAULT_MAX_TRIES, AbsoluteTimeout, IdleTimeout, Policies, Renewal
from .presets import PRESETS, Preset

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "COOKIE_MAX_AGE_LIMIT",
    "DEFAULT_PREFIX",
    "OPTIONS",
    "Check",
    "CipherLibrary",
    "ClientAddress",
    "Converter",
    "CookieSecure",
    "Draft",
    "LimitPolicy",
    "Option",
    "SameSite",
    "Settings",
    "cookie_name_prefix",
    "cookie_names_of_users",
    "parse_settings",
    "visitor_cookie_name",
]

DEFAULT_PREFIX: Final = "session."

_DEFAULT_COOKIE_NAME: Final = "websession"
# In version 0.2, and in other frameworks.
_FORMER_DEFAULT: Final = "session"
_VISITOR_SUFFIX: Final = "-visitor"


def cookie_names_of_users(cookie_name: str, *, alongside_0_2: bool = False) -> tuple[str, ...]:
    """Return the names under which the cookies of users are read; they are written under the first.

    There are two where the name is the default, which was another one in version 0.2.

    Args:
        cookie_name: The name that is configured, or the default.
        alongside_0_2: Whether workers of version 0.2 have to find the cookies.
    """
    if cookie_name != _DEFAULT_COOKIE_NAME:
        return (cookie_name,)
    names = (_DEFAULT_COOKIE_NAME, _FORMER_DEFAULT)
    return names[::-1] if alongside_0_2 else names


def visitor_cookie_name(cookie_name: str) -> str:
    """Return the name of the cookie of visitors, with the prefix of the users' and no longer than one may be.

    Args:
        cookie_name: The name of the users' cookie.
    """
    return f"{cookie_name[: LONGEST_COOKIE_NAME - len(_VISITOR_SUFFIX)]}{_VISITOR_SUFFIX}"


_OPTION: Final = "websession_core.option"


def _option(
    default: Any, parse: Converter, *, doc: str, expects: str, unit: str | None = None, secret: bool = False
) -> Any:
    """Return a field of `Settings` that is a row of the table; without a default (MISSING) it is required."""
    row = {"parse": parse, "doc": doc, "expects": expects, "unit": unit, "secret": secret}
    return field(default=default, repr=not secret, metadata={_OPTION: row})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one kind of web session; the constructor refuses whatever is wrong.

    Made by `parse_settings` from configuration, or in code with the same rules and messages, except that
    ``secret_key`` and ``model_class`` must already be what the framework adapter works with. Arguments may
    be text or Python values; attributes have the types below. ``preset`` is for ``parse_settings``, and has
    no effect here: in code, only the timeouts that are passed apply.

    Raises:
        ConfigurationError: Naming every mistake.
    """

    # The adapter decides what a key is: this package does no cryptography.
    secret_key: Any = _option(
        MISSING,
        parsers.required,
        doc="The key, or several keys, for the cookie: the first one encrypts, all of them decrypt. Keep "
        "them out of version control. Instead of a key you can write env:NAME for the keys in an "
        "environment variable, or file:/run/secrets/name for those in a file, such as a container's "
        "secret. Separate several keys by white space, in such a source, too.",
        expects="make one with generate_secret_key()",
        secret=True,
    )
    model_class: type = _option(
        MISSING,
        parsers.model_class,
        doc="The mapped class that stores the sessions, as a dotted name or as the class itself.",
        expects="give the class or its dotted name, like yourproject.models.session.Session",
    )
    data_secret_key: Any = _option(
        None,
        parsers.anything,
        doc="The key, or several keys, for the data and the flash messages in the database, if the model has "
        "EncryptedDataMixin; written like secret_key. The first one encrypts, all of them decrypt. Do not "
        "use these keys to encrypt anything else.",
        expects="make one with generate_secret_key(), or leave it out",
        secret=True,
    )
    cipher_library: CipherLibrary = _option(
        CipherLibrary.PYCRYPTODOME,
        parsers.choice(CipherLibrary),
        doc="Whose AES encrypts and decrypts the cookie and encrypted data: PyCryptodome's, or OpenSSL's, "
        "which is faster, by the package cryptography, which comes with the extra [openssl]. What one has "
        "encrypted the other decrypts, so it can be changed at any time, on one server after the other.",
        expects="use pycryptodome or openssl",
    )
    dbsession_name: str = _option(
        "dbsession",
        parsers.attribute_name,
        doc="The request attribute that holds the database session in which web sessions are stored.",
        expects="give an attribute's name, like dbsession",
    )
    cookie_name: str = _option(
        _DEFAULT_COOKIE_NAME,
        parsers.cookie_name,
        doc="The name of the cookie. If it starts with __Host- or __Secure-, browsers insist on the "
        "attributes that this prefix stands for, and they are checked here, too. If the model has "
        "UseridMixin, users have this cookie, and visitors who are not logged in one whose name has -visitor "
        "at its end. Without a name, cookies of the name session are read as well if they are ours: version "
        "0.2 called them so.",
        expects="use letters, digits, hyphens and underscores",
    )
    cookie_max_age: int | None = _option(
        None,
        parsers.cookie_max_age,
        doc="How long the browser keeps the cookie. Without it, the cookie ends with the browser's own "
        "session; but many browsers restore their cookies after a restart.",
        expects=f"give 1 to {COOKIE_MAX_AGE_LIMIT} seconds, or a duration up to 400d, or leave it out",
        unit="seconds",
    )
    cookie_path: str = _option(
        "/",
        parsers.cookie_path,
        doc="The path below which the browser sends the cookie. It does not protect the cookie from other "
        "applications on the same host.",
        expects='give a path like "/", percent-encoded where needed',
    )
    cookie_domain: str | None = _option(
        None,
        parsers.cookie_domain,
        doc="The domain to which, with all its subdomains, the browser sends the cookie. Without it, only "
        "the host that set the cookie gets it, which is safer.",
        expects="give a name with a dot, like example.com (international ones in xn-- form), or leave it out",
    )
    cookie_secure: CookieSecure = _option(
        CookieSecure.AUTO,
        parsers.cookie_secure,
        doc="Whether the browser sends the cookie over https only. With auto it does if the request that "
        "set the cookie came over https.",
        expects="use auto, true or false",
    )
    cookie_httponly: bool = _option(
        True,
        parsers.boolean,
        doc="Whether the cookie is hidden from scripts in the page.",
        expects="use true or false",
    )
    cookie_samesite: SameSite = _option(
        SameSite.LAX,
        parsers.cookie_samesite,
        doc="Whether requests that other sites start carry the cookie: never with Strict, only when the "
        "user follows a link with Lax, always with None, which requires https.",
        expects="use Lax, Strict or None, as text",
    )
    cookie_partitioned: bool = _option(
        False,
        parsers.boolean,
        doc="Whether browsers keep a separate cookie, and with it a separate session, for each site that "
        "embeds the application (CHIPS). Such a cookie also works where third-party cookies are blocked. "
        "To be embedded, the application needs cookie_samesite = None as well.",
        expects="use true or false",
    )

    visitor_cookie_max_age: int | None = _option(
        None,
        parsers.visitor_cookie_max_age,
        doc="How long the browser keeps the cookie of a visitor who is not logged in; 0: until it is closed. "
        "Without it: as cookie_max_age says. The model needs UseridMixin.",
        expects=f"give up to {COOKIE_MAX_AGE_LIMIT} seconds (400 days), or leave it out",
        unit="seconds",
    )
    visitor_cookie_samesite: SameSite | None = _option(
        None,
        parsers.visitor_cookie_samesite,
        doc="Whether requests that other sites start carry the cookie of a visitor who is not logged in. "
        "Without it: as cookie_samesite says. The model needs UseridMixin.",
        expects="use Lax, Strict or None, as text, or leave it out",
    )
    alongside_0_2: bool = _option(
        False,
        parsers.boolean,
        doc="Whether workers of version 0.2 still serve the same browsers. Everything that they cannot read "
        "is then held back: visitors and users share one cookie, tokens of forms are stored, and values of "
        "types that JSON lacks are refused. Set it for all sessions while an upgrade from 0.2 rolls out, and "
        "remove it afterwards.",
        expects="use true or false",
    )

    preset: Preset | None = _option(
        None,
        parsers.preset,
        doc="Timeouts for an authentication assurance level of NIST SP 800-63B-4. They hold for idle_timeout "
        "and absolute_timeout where these are not set: aal1 ends sessions after 30 days, aal2 after 24 "
        "hours or 1 hour without a request, aal3 after 12 hours or 15 minutes without one.",
        expects=f"use {', '.join(PRESETS)}, or leave it out",
    )
    idle_timeout: int | None = _option(
        None,
        parsers.duration,
        doc="A session ends after this time without a request. The model needs IdleMixin.",
        expects="give seconds, or a duration like 30min, 12h or 14d, or leave it out for no such timeout",
        unit="seconds",
    )
    extension_delay: int | None = _option(
        None,
        parsers.extension_delay,
        doc="Activity is recorded again when the last record is at least this old. A longer delay means "
        "fewer writes, but the idle timeout may come that much earlier. Without it: a tenth of the idle "
        "timeout, at most 60 seconds.",
        expects="give seconds, or a duration like 1min, shorter than idle_timeout; 0 records every request",
        unit="seconds",
    )
    absolute_timeout: int | None = _option(
        None,
        parsers.duration,
        doc="A session ends this time after its creation, used or not. The model needs AbsoluteMixin.",
        expects="give seconds, or a duration like 30min, 12h or 14d, or leave it out for no such timeout",
        unit="seconds",
    )
    renewal_timeout: int | None = _option(
        None,
        parsers.duration,
        doc="How often the cookie of a logged-in user's session changes, so that a stolen one is soon "
        "worthless and a copy is noticed. The model needs RenewalMixin.",
        expects="give seconds, or a duration like 15min, at least twice renewal_grace, or leave it out for "
        "no renewal",
        unit="seconds",
    )
    renewal_grace: int = _option(
        DEFAULT_GRACE,
        parsers.positive_duration,
        doc="The longest time that may pass from the moment a browser sends a request until it has processed "
        "the response, including differences between the servers' clocks. Make it longer where uploads "
        "take longer.",
        expects="give seconds above 0, or a duration like 2min",
        unit="seconds",
    )
    renewal_max_tries: int = _option(
        DEFAULT_MAX_TRIES,
        parsers.positive,
        doc="A session ends after this many renewed cookies that never came back, so that a client that "
        "drops them all cannot use its old cookie forever.",
        expects="give a number above 0",
    )
    not_before: int = _option(
        0,
        parsers.moment,
        doc="Cookies issued before this moment are refused: set it to the present time after a key or a "
        "table has leaked, or a backup was restored.",
        expects="give a time in seconds since 1970, no later than now (date +%s prints the present one)",
        unit="seconds since 1970-01-01 UTC",
    )
    max_per_user: int | None = _option(
        None,
        parsers.limit,
        doc="How many sessions a user can have at the same time. The model needs SessionLimitMixin.",
        expects="give a number above 0, or leave it out for no limit",
    )
    max_per_user_policy: LimitPolicy = _option(
        LimitPolicy.END_OLDEST,
        parsers.choice(LimitPolicy),
        doc="What a login does when the user already has that many sessions: end the one that was logged in "
        "longest ago, or refuse the new one with TooManySessionsError, for which there must be a timeout.",
        expects="use end_oldest or refuse",
    )
    client_address: ClientAddress = _option(
        ClientAddress.ANONYMIZED,
        parsers.choice(ClientAddress),
        doc="How much is stored of the network address from which a session is begun or logged in, if the "
        "model has ClientInfoMixin: anonymized stores the first 24 bits of an IPv4 address and 48 of an "
        "IPv6 one. The address is the one that the WSGI server reports; behind a proxy, make sure that it "
        "is the right one.",
        expects="use anonymized, full or none",
    )
    retry_conflicts: bool = _option(
        True,
        parsers.boolean,
        doc="Whether pyramid_retry may run a request again when its transaction lost a conflict in the "
        "database: a serialization failure, a deadlock, a lock that could not be had, a row that had "
        "changed. This applies to all of the application's statements, not only to the sessions'.",
        expects="give true or false",
    )

    max_data_size: int = _option(
        2**22,
        parsers.amount,
        doc="How large a session's data may become, as the bytes of its JSON text; an assignment beyond that "
        "is refused with UnstorableValueError. A session that is larger already can be read, and made "
        "smaller.",
        expects="give a number of bytes; 0 for no limit",
        unit="bytes",
    )
    max_flash_messages: int = _option(
        10_000,
        parsers.amount,
        doc="How many messages a flash queue keeps. A full one drops its oldest message, with a line in "
        "the log.",
        expects="give a number; 0 for no limit",
    )

    @property
    def cookie_names_of_users(self) -> tuple[str, ...]:
        """The names under which the cookies of users are read; they are written under the first."""
        return cookie_names_of_users(self.cookie_name, alongside_0_2=self.alongside_0_2)

    @property
    def visitor_cookie_name(self) -> str:
        """The name of the cookie of visitors, where they have one of their own."""
        return visitor_cookie_name(self.cookie_name)

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
        values = {option.name: getattr(self, option.name) for option in OPTIONS}
        draft = Draft(_BY_NAME, values, prefix="", converters={})
        mistakes = [*draft.mistakes, *draft.examine(CHECKS)]
        if mistakes:
            raise ConfigurationError(mistakes)
        _assign(self, draft)


def _assign(settings: Settings, draft: Draft) -> Settings:
    for name, value in draft.items():
        object.__setattr__(settings, name, value)
    return settings


OPTIONS: Final[tuple[Option, ...]] = tuple(
    Option(
        name=setting.name,
        default=None if setting.default is MISSING else setting.default,
        required=setting.default is MISSING,
        **setting.metadata[_OPTION],
    )
    for setting in fields(Settings)
)
"""Every option, in the order in which documentation should list them."""

_BY_NAME: Final[Mapping[str, Option]] = MappingProxyType({option.name: option for option in OPTIONS})


# No key: those have capital letters or digits.
_PLAIN_NAME: Final = re.compile(r"[a-z_.-]*")


def _show_name(name: str) -> str:
    """Return an unknown name for an error message; that of an ini line without a "=" has the value in it."""
    word, *rest = name.split(maxsplit=1) or [name]
    if len(word) > LONGEST_SHOWN and not _PLAIN_NAME.fullmatch(word):
        return f"<{len(name)} characters>"
    return f"{word} ..." if rest else name


def _unknown(names: Iterable[str], prefix: str) -> Iterator[Mistake]:
    for name in names:
        word, *_ = name.split(maxsplit=1) or [name]
        spelling = word.lower().replace("-", "_")
        near = difflib.get_close_matches(spelling, _BY_NAME, n=1)
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
            prefix are ignored.
        prefix: What the names of our settings start with.
        converters: For ``secret_key`` and ``model_class`` (or any other option): what makes the value
            from what was configured. An option without one must be configured with the final value.
        checks: Further rules, beside this package's own.

    Raises:
        ConfigurationError: Naming every mistake: wrong values, missing and unknown names, broken rules.
    """
    for name in converters:
        if name not in _BY_NAME:
            raise LookupError(f"there is no option {name!r} to convert")
    ours = {name.removeprefix(prefix): value for name, value in mapping.items() if name.startswith(prefix)}
    raw = {name: value for name, value in ours.items() if name in _BY_NAME}
    draft = Draft(_BY_NAME, raw, prefix=prefix, converters=converters)
    mistakes = [
        *draft.mistakes,
        *_unknown((name for name in ours if name not in raw), prefix),
        *draft.examine((*CHECKS, *checks)),
    ]
    if mistakes:
        # A traceback's frames hold their locals, and crash reports print them.
        del mapping, ours, raw, draft
        raise ConfigurationError(mistakes)
    # Not by the constructor, which would examine everything once more.
    return _assign(object.__new__(Settings), draft)
