"""What the Pyramid glue raises, beside the errors of `websession_core`."""

from __future__ import annotations

from transaction.interfaces import TransientError
from websession_core.errors import SessionError

from .retries import mark_error_retryable

__all__ = [
    "LateChangeError",
    "MissingFeatureError",
    "StaleSessionError",
    "UnsupportedSetupError",
    "one_line",
    "sentence",
]


class StaleSessionError(SessionError, TransientError):
    """Another request changed or deleted this session's row since this request read it.

    Nothing was overwritten. With `pyramid_retry` the request is run again, against the row as it is
    then (a deleted session stays deleted: the new attempt runs without it); without `pyramid_retry`
    the application sees this error.
    """


class LateChangeError(SessionError):
    """The session was changed when the database session had already finished its part of the commit.

    The transaction is aborted, since committing it would have lost that change silently. Change the
    session before or in `tpc_begin` or `commit` of your data manager, not in `tpc_vote`.
    """


class MissingFeatureError(SessionError, AttributeError):
    """The session model lacks the mixin that this attribute needs; the text names it."""


class UnsupportedSetupError(SessionError):
    """The application is set up in a way that cannot keep the sessions' promises; the text says why."""


# pyramid_retry looks at the class when an exception view has swallowed the error: pyramid_tm tags an error
# only after it has rendered the view, too late for a failure at commit.
mark_error_retryable(StaleSessionError)


def one_line(error: BaseException) -> str:
    """Return an error, or the driver's that it is about, as one line: its kind, and how its text begins."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines() or [""]
    return f"{type(cause).__name__}: {lines[0]}".rstrip(".: ")


def sentence(clause: str) -> str:
    """Return a clause as a sentence."""
    return f"{clause[0].upper()}{clause[1:]}."
