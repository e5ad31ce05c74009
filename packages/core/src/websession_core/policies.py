"""What was agreed about how long a session lives and how often its ticket changes.

Values only; what follows from them is in :mod:`websession_core.lifecycle`. All durations are whole seconds.
An object that exists makes sense: a contradiction is refused when it is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Final

from ._numbers import COUNTER_MAX, checked_int

__all__ = [
    "DEFAULT_GRACE",
    "DEFAULT_MAX_TRIES",
    "LONGEST",
    "NO_OVERRIDES",
    "OVERRIDE_NAMES",
    "AbsoluteTimeout",
    "IdleTimeout",
    "Overrides",
    "Policies",
    "Renewal",
]

LONGEST: Final = 2**31 - 1
"""The longest duration in seconds, 68 years: no sum with a time of today leaves a 64-bit column."""

DEFAULT_GRACE: Final = 60
DEFAULT_MAX_TRIES: Final = 16

_LONGEST_DEFAULT_DELAY: Final = 60
# After which part of its Max-Age a persistent cookie is sent again.
_REISSUE_PART: Final = 10


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    """The session ends when it was not used for some time (OWASP ASVS 5.0, 7.3.1).

    Activity is not recorded more often than every `extension_delay` seconds. A session therefore ends
    at the latest `timeout` seconds after its last use, and at the earliest `extension_delay` seconds sooner.

    Args:
        timeout: Seconds without use after which the session has ended, from 1 to :data:`LONGEST`.
        extension_delay: Seconds that must have passed since the recorded activity before it is recorded
            again, from 0 (every request) to less than `timeout`. None: a tenth of `timeout`, at most 60.

    Raises:
        TypeError: A duration is not an integer.
        ValueError: A duration is out of range.
    """

    timeout: int
    extension_delay: int | None = None

    def __post_init__(self) -> None:
        checked_int("idle_timeout", self.timeout, 1, LONGEST)
        if self.extension_delay is not None:
            checked_int("extension_delay", self.extension_delay)
            if self.extension_delay >= self.timeout:
                raise ValueError("extension_delay must be shorter than idle_timeout")

    @property
    def delay(self) -> int:
        """The extension delay that holds, in seconds: its own, or the default."""
        if self.extension_delay is not None:
            return self.extension_delay
        return min(self.timeout // 10, _LONGEST_DEFAULT_DELAY)

    @property
    def overdue_after(self) -> int:
        """Seconds since the recorded activity after which recording it has to insist.

        Best effort may fail again and again (a reader may hold the row locked); from here on a user who
        is active would be timed out for it. Twice the delay, but not below a tenth of the timeout, so that
        an ordinary page load does not insist; and half-way to the timeout at the latest.
        """
        return min(max(2 * self.delay, self.timeout // 10), (self.delay + self.timeout) // 2)


@dataclass(frozen=True, slots=True)
class AbsoluteTimeout:
    """The session ends some time after it began, used or not (OWASP ASVS 5.0, 7.3.2).

    Args:
        timeout: Seconds from the session's creation to its end, from 1 to :data:`LONGEST`.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is out of range.
    """

    timeout: int

    def __post_init__(self) -> None:
        checked_int("absolute_timeout", self.timeout, 1, LONGEST)


@dataclass(frozen=True, slots=True)
class Renewal:
    """How often the ticket changes, and how long the previous one may still be in flight.

    The grace applies without renewal, too: a login makes the previous ticket worthless.

    Args:
        timeout: Seconds after which a ticket is renewed, at least twice `grace`; None: never.
        grace: A bound in seconds, from 1 to half of :data:`LONGEST`, on the time from a browser's sending a
            request to its having processed the response, differences between the servers' clocks included.
        max_tries: The session ends after this many candidates that no browser acknowledged; at least 1.

    Raises:
        TypeError: A number is not an integer.
        ValueError: A number is out of range, or `timeout` is less than twice `grace`.
    """

    timeout: int | None = None
    grace: int = DEFAULT_GRACE
    max_tries: int = DEFAULT_MAX_TRIES

    def __post_init__(self) -> None:
        checked_int("renewal_grace", self.grace, 1, LONGEST // 2)
        checked_int("renewal_max_tries", self.max_tries, 1, LONGEST)
        if self.timeout is not None:
            checked_int("renewal_timeout", self.timeout, 1, LONGEST)
            if self.timeout < 2 * self.grace:
                raise ValueError("renewal_timeout must be at least twice renewal_grace")


@dataclass(frozen=True, slots=True)
class Overrides:
    """The settings of one session that override the application's.

    In every field, None means "as in the settings", and 0 means "not at all" (for `extension_delay`: record
    the activity of every request; for `cookie_max_age`: the cookie ends with the browser).

    Args:
        idle_timeout: Seconds.
        extension_delay: Seconds.
        absolute_timeout: Seconds.
        renewal_timeout: Seconds.
        cookie_max_age: Seconds.

    Raises:
        TypeError: A duration is neither None nor an integer.
        ValueError: A duration is negative or above :data:`LONGEST`.
    """

    idle_timeout: int | None = None
    extension_delay: int | None = None
    absolute_timeout: int | None = None
    renewal_timeout: int | None = None
    cookie_max_age: int | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            # What `checked_int` asks first, without the call: such an object is made in every request.
            if value is not None and not (type(value) is int and 0 <= value <= LONGEST):
                checked_int(name, value, 0, LONGEST)


NO_OVERRIDES: Final = Overrides()
"""Everything as the settings say."""

OVERRIDE_NAMES: Final = tuple(setting.name for setting in fields(Overrides))
"""The settings that a session can have of its own."""


@dataclass(frozen=True, slots=True)
class Policies:
    """All rules about timeouts and renewal, as they apply to one session at one moment.

    Args:
        idle: The idle timeout; None: there is none.
        absolute: The absolute timeout; None: there is none.
        renewal: The renewal of tickets; without a `timeout` there is none, but its grace holds.
        not_before: Unix seconds; tickets issued earlier are refused (after a leak, or a restored backup).
        cookie_max_age: Seconds that a browser keeps the cookie; None: until it is closed.
        cookie_version: The version of the attributes and of the key that a cookie sent now would have; a
            ticket of another version is due for a new cookie.

    Raises:
        TypeError: Something is of a wrong type.
        ValueError: A number is out of range, or the idle timeout is not shorter than the absolute one.
    """

    idle: IdleTimeout | None = None
    absolute: AbsoluteTimeout | None = None
    renewal: Renewal = field(default_factory=Renewal)
    not_before: int = 0
    cookie_max_age: int | None = None
    cookie_version: int = 0

    def __post_init__(self) -> None:
        for name, kind in (("idle", IdleTimeout), ("absolute", AbsoluteTimeout)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{name} must be None or an {kind.__name__}, not {type(value).__name__}")
        if not isinstance(self.renewal, Renewal):
            raise TypeError(f"renewal must be a Renewal, not {type(self.renewal).__name__}")
        checked_int("not_before", self.not_before)
        checked_int("cookie_version", self.cookie_version, 0, COUNTER_MAX)
        if self.cookie_max_age is not None:
            checked_int("cookie_max_age", self.cookie_max_age, 1, LONGEST)
        if self.idle and self.absolute and self.idle.timeout >= self.absolute.timeout:
            raise ValueError("idle_timeout must be shorter than absolute_timeout")

    @property
    def reissue_after(self) -> int | None:
        """Seconds after which a persistent cookie is sent again: a tenth of its Max-Age; None: never."""
        return None if self.cookie_max_age is None else self.cookie_max_age // _REISSUE_PART

    def overridden(self, overrides: Overrides) -> Policies:
        """Return these policies with a session's overrides in their place.

        For the moment at which they are set, all or nothing.

        Raises:
            ValueError: Together they make no sense; the message says which two.
        """
        own = _merge(self, overrides)
        return self._with(own, own.idle_timeout, own.extension_delay, own.renewal_timeout)

    def effective(self, overrides: Overrides | None) -> Policies:
        """Return the policies that hold for a session; never raises.

        For every request. The settings may have changed since the overrides were set, so that
        they contradict each other now. Then the stricter one wins: an idle timeout that is not shorter than
        the absolute one never comes to pass and is left out, an extension delay that is too long is the
        default one, a renewal timeout that is too short is twice the grace.
        """
        # Most sessions have none, in models that know them too, and to merge takes ten times as long.
        if overrides is None or overrides is NO_OVERRIDES or overrides == NO_OVERRIDES:
            return self
        own = _merge(self, overrides)
        idle_timeout, delay, renewal_timeout = own.idle_timeout or 0, own.extension_delay, own.renewal_timeout
        if own.absolute_timeout and idle_timeout >= own.absolute_timeout:
            idle_timeout = 0
        if delay is not None and delay >= idle_timeout:
            delay = None
        if renewal_timeout:
            renewal_timeout = max(renewal_timeout, 2 * self.renewal.grace)
        return self._with(own, idle_timeout, delay, renewal_timeout)

    def _with(self, own: Overrides, idle: int | None, delay: int | None, renewal: int | None) -> Policies:
        return Policies(
            idle=IdleTimeout(idle, delay) if idle else None,
            absolute=AbsoluteTimeout(own.absolute_timeout) if own.absolute_timeout else None,
            renewal=Renewal(renewal or None, self.renewal.grace, self.renewal.max_tries),
            not_before=self.not_before,
            cookie_version=self.cookie_version,
            cookie_max_age=own.cookie_max_age or None,
        )


def _merge(policies: Policies, overrides: Overrides) -> Overrides:
    """Return what holds for every setting: the session's own, else what the policies say."""

    def pick(override: int | None, setting: int | None) -> int | None:
        return setting if override is None else override

    idle, absolute = policies.idle, policies.absolute
    return Overrides(
        idle_timeout=pick(overrides.idle_timeout, idle.timeout if idle else None),
        extension_delay=pick(overrides.extension_delay, idle.extension_delay if idle else None),
        absolute_timeout=pick(overrides.absolute_timeout, absolute.timeout if absolute else None),
        renewal_timeout=pick(overrides.renewal_timeout, policies.renewal.timeout),
        cookie_max_age=pick(overrides.cookie_max_age, policies.cookie_max_age),
    )
