"""The settings that are a choice."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["CipherLibrary", "ClientAddress", "CookieSecure", "LimitPolicy", "SameSite"]


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
        raise TypeError("CookieSecure is not a boolean; ask applies()")


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
    """How much of a browser's network address is stored, in models with `ClientInfoMixin`."""

    ANONYMIZED = "anonymized"
    FULL = "full"
    NONE = "none"


class CipherLibrary(StrEnum):
    """Whose AES encrypts; what one has encrypted the other decrypts."""

    PYCRYPTODOME = "pycryptodome"
    OPENSSL = "openssl"
