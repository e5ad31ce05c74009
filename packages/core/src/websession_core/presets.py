"""Timeouts under a name: what NIST SP 800-63B-4 says of sessions at each authentication assurance level.

The longest that it allows or recommends (sections 2.1.3, 2.2.3, 2.3.3 and 5.2): "no more than 24 hours"
becomes 24 hours. Shorter ones are always in order. It wants an overall timeout at every level, an inactivity
timeout at AAL2 and AAL3.

It counts from the login, and our absolute timeout from the beginning of the session, which is never later.
What else belongs to a level, two factors for example, is the application's to provide.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .policies import AbsoluteTimeout, IdleTimeout

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AAL1", "AAL2", "AAL3", "PRESETS", "Preset"]


@dataclass(frozen=True, slots=True)
class Preset:
    """Timeouts under a name.

    Args:
        name: What settings call it.
        idle_timeout: Seconds without a request after which a session ends; None: no such timeout.
        absolute_timeout: Seconds after its creation at which a session ends.

    Raises:
        ValueError: A timeout is out of range, or the idle one would never come to pass.
    """

    name: str
    idle_timeout: int | None
    absolute_timeout: int

    def __post_init__(self) -> None:
        absolute = AbsoluteTimeout(self.absolute_timeout)
        if self.idle_timeout is not None and IdleTimeout(self.idle_timeout).timeout >= absolute.timeout:
            raise ValueError("idle_timeout must be shorter than absolute_timeout")

    def __str__(self) -> str:
        return self.name


_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR

AAL1: Final = Preset("aal1", idle_timeout=None, absolute_timeout=30 * _DAY)
"""30 days (NIST SP 800-63B-4, 2.1.3; an inactivity timeout is not required)."""

AAL2: Final = Preset("aal2", idle_timeout=_HOUR, absolute_timeout=_DAY)
"""24 hours, or one hour without activity (NIST SP 800-63B-4, 2.2.3)."""

AAL3: Final = Preset("aal3", idle_timeout=15 * _MINUTE, absolute_timeout=12 * _HOUR)
"""12 hours, or 15 minutes without activity (NIST SP 800-63B-4, 2.3.3)."""

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType({one.name: one for one in (AAL1, AAL2, AAL3)})
"""All presets by name."""
