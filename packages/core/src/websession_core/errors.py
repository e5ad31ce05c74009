"""Every error of this package, as one tree.

::

    SessionError
    ├── ConfigurationError        the operator's settings are wrong; lists all mistakes
    ├── UnstorableValueError      the application put a value in the session that cannot be stored
    ├── UnreadableValueError      a stored value is of a type that is not registered
    ├── UnreadableRowError        what is stored of a session cannot be read
    │   ├── MalformedPayloadError ... its text is not what this package writes
    │   └── EncryptedDataError    ... it is encrypted, and no key at hand opens it
    ├── TooManySessionsError      a user has as many sessions as they may have
    ├── TicketError               the browser's ticket is not what this package writes
    └── SessionTransactionError   the session was used where its transaction does not allow it
        └── NoTransactionError    ... because there is none

The type says whose fault it is. Errors carry evidence as attributes, but never a secret, a
ticket or a value of a session: type names and key paths only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DOCUMENTATION",
    "ConfigurationError",
    "EncryptedDataError",
    "MalformedPayloadError",
    "Mistake",
    "NoTransactionError",
    "SessionError",
    "SessionTransactionError",
    "TicketError",
    "TooManySessionsError",
    "UnreadableRowError",
    "UnreadableValueError",
    "UnstorableValueError",
]


DOCUMENTATION: Final = "https://pyramid-sqlalchemy-sessions.readthedocs.io/en/latest/"
"""Where the documentation of all of our distributions is."""


class SessionError(Exception):
    """The base class of all errors that this library reports about web sessions.

    A traceback shows below the message where the error is documented: a note (PEP 678), which is not part of
    the message.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        ours = next(cls for cls in type(self).__mro__ if cls.__module__.startswith("websession_"))
        self.add_note(f"See {DOCUMENTATION}reference/errors/#{ours.__name__.lower()}")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with the settings.

    Attributes:
        setting: Its full name as the operator wrote it, prefix included.
        value: The value as text that is safe to show, or None when it is secret or absent.
        problem: What is wrong, as a clause: ``must not be negative``.
        remedy: What to do about it, as an instruction: ``give a number of seconds``.
    """

    setting: str
    value: str | None
    problem: str
    remedy: str

    def __str__(self) -> str:
        value = "" if self.value is None else f" = {self.value}"
        return f"{self.setting}{value}: {self.problem}; {self.remedy}"


class ConfigurationError(SessionError, ValueError):
    """The settings are wrong. All mistakes are reported at once.

    Attributes:
        mistakes: Every mistake, at least one, in the order in which they were met.
    """

    mistakes: tuple[Mistake, ...]

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        if not self.mistakes:
            raise ValueError("a ConfigurationError needs at least one mistake")
        super().__init__(self.mistakes)

    def __str__(self) -> str:
        count = len(self.mistakes)
        title = "1 mistake" if count == 1 else f"{count} mistakes"
        return "\n".join(
            [f"{title} in the session settings:", *(f"  {mistake}" for mistake in self.mistakes)]
        )


class UnstorableValueError(SessionError, ValueError):
    """Some supported database cannot store the value, or would return it changed.

    Attributes:
        path: Where it is, from the session down: ``cart.items[3]``.
        reason: Why it is refused and what to use instead.
    """

    path: str
    reason: str

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class UnreadableValueError(SessionError):
    """A stored value is of a type that is not registered here, or its type cannot read it.

    Only this value is affected: the others, and the stored value itself, stay as they are, even when the
    session is written. Register the type, or delete the key.

    Attributes:
        path: The key of the value.
        type_name: The name of its type.
        reason: Why it cannot be read.
    """

    path: str
    type_name: str
    reason: str

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        super().__init__(path, type_name, reason)
        self.path = path
        self.type_name = type_name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: a value of the type {self.type_name!r}: {self.reason}"


class UnreadableRowError(SessionError):
    """What is stored of a session cannot be read: something else wrote to the row."""


class MalformedPayloadError(UnreadableRowError, ValueError):
    """A stored payload is not a JSON object: something else wrote to the row."""


class EncryptedDataError(UnreadableRowError):
    """A stored session cannot be read, because it is encrypted, or should be and is not.

    The key is missing or wrong, or the row was changed, or something was copied into it. Nothing shows which
    of these it is.
    """


class TicketError(SessionError):
    """The bytes are not a ticket: too short, too long, or of an unknown version."""


class TooManySessionsError(SessionError):
    """A user has reached the limit of sessions, and the settings say that a further login is refused.

    Attributes:
        most: The limit.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return f"the user has {self.most} sessions already, and may not have more"


class SessionTransactionError(SessionError):
    """The session was used in a way its transaction does not allow."""


class NoTransactionError(SessionTransactionError):
    """The session was changed while no transaction is active, so the change could never be stored.

    The message says what is missing in the framework in use.
    """

    def __init__(
        self,
        message: str = (
            "the session cannot be changed here: it is stored in the application's transaction, "
            "and no transaction is active"
        ),
    ) -> None:
        super().__init__(message)
