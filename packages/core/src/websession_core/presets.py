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

from .durations import DAY, HOUR, MINUTE
from .policies import AbsoluteTimeout, IdleTimeout, Policies

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AAL1", "AAL2", "AAL2_OF_REVISION_3", "AAL3", "PRESETS", "Preset"]


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
        idle = None if self.idle_timeout is None else IdleTimeout(self.idle_timeout)
        Policies(idle, AbsoluteTimeout(self.absolute_timeout))

    def __str__(self) -> str:
        return self.name

    def allows(self, idle_timeout: int | None, absolute_timeout: int | None) -> bool:
        """Return whether timeouts are within these.

        Args:
            idle_timeout: Seconds; None: there is none.
            absolute_timeout: Seconds; None: there is none.
        """
        if absolute_timeout is None or absolute_timeout > self.absolute_timeout:
            return False
        return self.idle_timeout is None or (idle_timeout is not None and idle_timeout <= self.idle_timeout)


AAL1: Final = Preset("aal1", idle_timeout=None, absolute_timeout=30 * DAY)
"""30 days (NIST SP 800-63B-4, 2.1.3; an inactivity timeout is not required)."""

AAL2: Final = Preset("aal2", idle_timeout=HOUR, absolute_timeout=DAY)
"""24 hours, or one hour without activity (NIST SP 800-63B-4, 2.2.3)."""

AAL3: Final = Preset("aal3", idle_timeout=15 * MINUTE, absolute_timeout=12 * HOUR)
"""12 hours, or 15 minutes without activity (NIST SP 800-63B-4, 2.3.3)."""

AAL2_OF_REVISION_3: Final = Preset("aal2-of-revision-3", idle_timeout=30 * MINUTE, absolute_timeout=12 * HOUR)
"""What NIST SP 800-63B-3 asked of AAL2, to which many rules still refer; no setting chooses it."""

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType({level.name: level for level in (AAL1, AAL2, AAL3)})
"""The presets that a setting can choose, by name."""
