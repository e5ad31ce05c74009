"""Settings under examination: what was configured, and the rules that involve several options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ._parsers import required
from .choices import CookieSecure, LimitPolicy, SameSite
from .errors import Mistake

__all__ = ["CHECKS", "LONGEST_SHOWN", "Check", "Converter", "Draft", "Option", "cookie_name_prefix"]

Converter: TypeAlias = Callable[[Any], Any]
"""Makes an option's value of what was configured.

Raises `ValueError` or `ImportError` with a clause that says what is wrong and shows nothing secret: it alone
knows what of the configured text may be shown, and nothing else shows any of it. If the error has the
attributes ``problem`` and ``remedy``, both text, these are shown instead.
"""

_PRESET: Final = frozenset({"idle_timeout", "absolute_timeout"})


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table of options.

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


class _UnsoundError(Exception):
    """A rule asked for an option that has a mistake already."""


class Draft:
    """Settings while they are checked: what could be read so far.

    A rule (``Check``) reads options with ``draft["cookie_name"]``. If one of them already has a mistake, the
    rule silently ends there: one wrong value does not lead to further errors.

    Attributes:
        mistakes: What was wrong with single options.
    """

    __slots__ = ("_by_preset", "_converted", "_options", "_prefix", "_raw", "_values", "mistakes")

    mistakes: tuple[Mistake, ...]

    def __init__(
        self,
        options: Mapping[str, Option],
        raw: Mapping[str, Any],
        *,
        prefix: str,
        converters: Mapping[str, Converter],
    ) -> None:
        self._options = options
        self._prefix = prefix
        self._raw = raw
        self._converted = frozenset(converters)
        self._values: dict[str, Any] = {}
        self._by_preset: set[str] = set()
        mistakes = []
        for name, option in options.items():
            try:
                self._values[name] = option.parse(self._configured(option, converters.get(name)))
            except (ValueError, ImportError) as error:
                problem = str(getattr(error, "problem", error))
                mistakes.append(self.mistake(name, problem, getattr(error, "remedy", option.expects)))
        self.mistakes = tuple(mistakes)

    def _configured(self, option: Option, convert: Converter | None) -> Any:
        """Return what is configured for an option, or its default."""
        if option.name in self._raw:
            value = self._raw[option.name]
            if convert is None or (value is None and not option.required):
                return value
            return convert(required(value) if option.required else value)
        if option.required:
            raise ValueError("is missing")
        # The table has the preset before what it can preset.
        preset = self._values.get("preset")
        if preset is None or option.name not in _PRESET:
            return option.default
        self._by_preset.add(option.name)
        return getattr(preset, option.name)

    def __getitem__(self, name: str) -> Any:
        """Return an option's value; see the class for what happens if it has none."""
        if name not in self._values and name in self._options:
            raise _UnsoundError
        return self._values[name]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return the names and values that could be read."""
        return self._values.items()

    def name(self, name: str) -> str:
        """Return an option's name as the operator writes it, with the prefix."""
        return f"{self._prefix}{name}"

    def mistake(self, name: str, problem: str, remedy: str) -> Mistake:
        """Return a mistake about an option, showing what was configured unless that is secret or nothing."""
        text, raw = None, self._raw.get(name)
        is_converted = name in self._converted and isinstance(raw, str)
        if name in self._raw and not (self._options[name].secret or is_converted):
            text = _show(raw)
        elif name in self._by_preset:
            text = f"{self._values[name]} (by {self.name('preset')})"
        return Mistake(self.name(name), text, problem, remedy)

    def examine(self, checks: Iterable[Check]) -> list[Mistake]:
        """Return the mistakes that the rules find."""
        mistakes: list[Mistake] = []
        for check in checks:
            try:
                # What a rule found before it asked for a wrong option stays.
                mistakes.extend(check(self))
            except _UnsoundError:
                continue
        return mistakes


Check: TypeAlias = Callable[[Draft], Iterable[Mistake]]
"""A rule about several options: takes a `Draft`, gives the mistakes (from ``draft.mistake``), if any."""


LONGEST_SHOWN: Final = 24
"""Characters. A key has 43 or more, and what is left of it when these are known cannot be guessed."""


def _show(value: object) -> str:
    """Return a value as text for an error message: no secret put in the wrong place, no object's repr."""
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, str):
        text = str.__str__(value)
        return repr(text) if len(text) <= LONGEST_SHOWN else f"<{len(text)} characters>"
    if value is None or isinstance(value, int | float):
        text = repr(value)
        return text if len(text) <= LONGEST_SHOWN else f"<{type(value).__name__}>"
    return f"<{type(value).__name__}>"


# --- the rules ----------------------------------------------------------------------------------


def cookie_name_prefix(name: str) -> str | None:
    """Return the prefix by which a cookie's name promises attributes, ``__Host-`` or ``__Secure-``, or None.

    Browsers refuse a cookie that does not keep the promise, and they compare the prefix without regard
    to case (draft-ietf-httpbis-rfc6265bis, sections 4.1.3 and 5.4), so that ``__host-`` is reserved too.

    Args:
        name: The cookie's name.
    """
    name = name.lower()
    return next((prefix for prefix in ("__Host-", "__Secure-") if name.startswith(prefix.lower())), None)


# One rule per attribute: a mistake in one must not hide those in the others.


def _must_be_secure(draft: Draft, kind: str, otherwise: str) -> Iterator[Mistake]:
    if draft["cookie_secure"] is not CookieSecure.ALWAYS:
        problem = f"browsers refuse a cookie {kind} unless it is Secure"
        yield draft.mistake("cookie_secure", problem, f"set it to true, or {otherwise}")


def _promised_secure(draft: Draft) -> Iterator[Mistake]:
    prefix = cookie_name_prefix(draft["cookie_name"])
    if prefix is not None:
        kind = f"whose name starts with {prefix}"
        yield from _must_be_secure(draft, kind, f"change {draft.name('cookie_name')}")


def _cross_site_cookies(draft: Draft) -> Iterator[Mistake]:
    for option in ("cookie_samesite", "visitor_cookie_samesite"):
        if draft[option] is SameSite.NONE:
            name = draft.name(option)
            yield from _must_be_secure(draft, f"with {name} = None", f"set {name} to Lax or Strict")
            return


def _partitioned_cookies(draft: Draft) -> Iterator[Mistake]:
    if draft["cookie_partitioned"]:
        name = draft.name("cookie_partitioned")
        yield from _must_be_secure(draft, f"with {name} = true", f"leave {name} out")


def _promised_path(draft: Draft) -> Iterator[Mistake]:
    if cookie_name_prefix(draft["cookie_name"]) == "__Host-" and draft["cookie_path"] != "/":
        yield draft.mistake(
            "cookie_path",
            "browsers refuse a cookie whose name starts with __Host- unless its path is /",
            f"leave it out, or change {draft.name('cookie_name')}",
        )


def _promised_host(draft: Draft) -> Iterator[Mistake]:
    if cookie_name_prefix(draft["cookie_name"]) == "__Host-" and draft["cookie_domain"] is not None:
        yield draft.mistake(
            "cookie_domain",
            "browsers refuse a cookie whose name starts with __Host- if it has a domain",
            f"leave it out, or change {draft.name('cookie_name')}",
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


def _refused_for_good(draft: Draft) -> Iterator[Mistake]:
    if draft["max_per_user"] is None or draft["max_per_user_policy"] is not LimitPolicy.REFUSE:
        return
    if draft["idle_timeout"] is None and draft["absolute_timeout"] is None:
        idle, absolute = draft.name("idle_timeout"), draft.name("absolute_timeout")
        yield draft.mistake(
            "max_per_user_policy",
            "would lock users out for good: without a timeout, sessions whose cookies are lost never end",
            f"set {idle} or {absolute}, or this to end_oldest",
        )


CHECKS: Final[tuple[Check, ...]] = (
    _idle_within_absolute,
    _delay_within_idle,
    _renewal_beyond_grace,
    _refused_for_good,
    _promised_secure,
    _promised_path,
    _promised_host,
    _cross_site_cookies,
    _partitioned_cookies,
)
