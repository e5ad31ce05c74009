"""Why a change was dropped, for the log of an application that has not asked for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyramid.request import Request
    from transaction import Transaction

__all__ = ["explain_drop", "warn_of_error_page", "warn_of_subrequest"]

log = logging.getLogger(__name__)


def explain_drop(request: Request, transaction: Transaction) -> None:
    """Log why a change was dropped in a request that looks as if it had succeeded.

    Args:
        request: The request that the browser sent, with its response made.
        transaction: The request's, which has ended.
    """
    raised = getattr(request, "exception", None)
    if transaction.isDoomed():
        log.info("A change of the session was dropped: the transaction was doomed")
    elif raised is not None:
        log.warning(
            "A change of the session was dropped: the response was raised (%s), and pyramid_tm aborts "
            "the transaction then; return it instead",
            type(raised).__name__,
        )
    else:
        log.warning("A change of the session was dropped: tm.commit_veto had the transaction aborted")


def warn_of_error_page() -> None:
    """Log that an exception view has changed the session of a request whose transaction is aborted."""
    log.warning("What an error page changed in the session was dropped: the transaction was aborted")


def warn_of_subrequest() -> None:
    """Log that a subrequest has ended the transaction of the request that made it."""
    log.warning(
        "What a request changed in its session was dropped, because it then made a subrequest with "
        "use_tweens=True: pyramid_tm has aborted the transaction under way to begin the "
        "subrequest's. Make the subrequest first, or without tweens"
    )
