"""What an attempt that `pyramid_retry` repeats has committed all the same; its browser has yet to hear of it.

A subrequest with a transaction of its own has done so, or a view that ends its transaction by itself. The
next attempt is another request object; the environ is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pyramid.request import Request
    from transaction import TransactionManager

    from .kit import SessionKit
    from .request_transaction import Sharing
    from .unit_of_work import UnitOfWork

__all__ = ["EarlierAttempt", "earlier_attempt", "pass_on"]

_KEY = "websession_pyramid.earlier_attempt"


class EarlierAttempt(NamedTuple):
    """What the attempts before have left.

    Attributes:
        last: What they have committed last.
        begins: Whether they have begun the session.
    """

    last: UnitOfWork
    begins: bool

    def is_seen_by(self, requests: Sharing, manager: TransactionManager) -> bool:
        """Return whether a request sees from the start what was committed.

        Not the request that the browser sent where a subrequest has begun the session: it did not see that in
        the first attempt either. The subrequest, made again, changes the session again, and both meet at the
        commit.

        Args:
            requests: Whose transaction it is.
            manager: The manager of that transaction.
        """
        is_subrequest = requests.transaction is not requests.browser
        return is_subrequest or manager is self.last.transaction_manager or not self.begins


def pass_on(request: Request, kit: SessionKit, last: UnitOfWork | None) -> None:
    """Let the next attempt go on from what this one has committed last, if the browser is to hear of it."""
    if last is not None and last.has_news:
        before = earlier_attempt(request, kit)
        begins = last.working_copy.has_begun if before is None else before.begins
        request.environ.setdefault(_KEY, {})[_place(request, kit)] = EarlierAttempt(last, begins)


def earlier_attempt(request: Request | None, kit: SessionKit) -> EarlierAttempt | None:
    """Return what the attempts before have left; None: nothing that the browser has to hear of."""
    attempts = None if request is None else request.environ.get(_KEY)
    return attempts.get(_place(request, kit)) if attempts else None


def _place(request: Request, kit: SessionKit) -> tuple[SessionKit, str | None]:
    # A subrequest may have a copy of the environ, and cookies of another session.
    return kit, request.environ.get("HTTP_COOKIE")
