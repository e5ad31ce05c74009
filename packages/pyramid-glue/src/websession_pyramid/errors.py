"""What the Pyramid glue raises, beside the errors of `websession_core`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transaction.interfaces import TransientError
from websession_core.errors import SessionError

from .retries import mark_error_retryable

if TYPE_CHECKING:
    from collections.abc import Callable

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

    Nothing was overwritten. With `pyramid_retry` the request is run again, with the row as it is then (a
    deleted session stays deleted: the new attempt runs without it); without `pyramid_retry` the application
    gets this error.
    """


class LateChangeError(SessionError):
    """The session was changed when the database session had already finished its part of the commit.

    The transaction is aborted, since committing it would have lost that change silently. Change the
    session before or in `tpc_begin` or `commit` of your data manager, not in `tpc_vote`.
    """


class MissingFeatureError(SessionError, AttributeError):
    """The session model lacks the mixin that this attribute needs; the text names it."""


class UnsupportedSetupError(SessionError):
    """The application is set up in a way in which sessions cannot work reliably; the message says why."""


# pyramid_retry looks at the class when an exception view has swallowed the error: pyramid_tm tags an error
# only after it has rendered the view, too late for a failure at commit.
mark_error_retryable(StaleSessionError)


def one_line(error: BaseException, *, show: Callable[[str], str] = str) -> str:
    """Return an error as one line: its kind, and the first line of its text.

    Args:
        error: What was raised; if SQLAlchemy wrapped the driver's, that one is shown.
        show: Makes of a text what may be shown of it.
    """
    cause = getattr(error, "orig", None) or error
    text = next(iter(str(cause).strip().splitlines()), "").rstrip(". ")
    return f"{type(cause).__name__}: {show(text)}" if text else type(cause).__name__


def sentence(clause: str) -> str:
    """Return a clause as a sentence."""
    return f"{clause[0].upper()}{clause[1:]}."
