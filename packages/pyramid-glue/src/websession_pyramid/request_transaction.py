"""Where a request stands towards its transaction, and which request a session belongs to.

The rules here are about Pyramid and `pyramid_tm` only; they touch no database.

- `pyramid_tm` puts ``tm.active`` and ``tm.manager`` in the environ while it has a transaction open and
  removes both *before* it commits or aborts. A test fixture may set them from outside for ever.
- An explicit manager has no transaction before `begin` and after the end; an implicit one begins a
  transaction merely by being asked for it, so it is only asked while ``tm.active`` is there.
- Once ``tm.active`` was seen and is gone, the transaction has ended, even where a failed before-commit
  hook left an active one behind.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from pyramid.threadlocal import manager as threadlocals
from pyramid.util import DottedNameResolver

# Not exported by `transaction`; zope.sqlalchemy takes it from here as well.
from transaction._transaction import Status
from transaction.interfaces import NoTransaction

from .errors import UnsupportedSetupError

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response
    from transaction import Transaction, TransactionManager

__all__ = [
    "Standing",
    "is_outer_test_transaction",
    "manager_of",
    "outermost_request",
    "standing",
    "would_abort",
]


class Standing(enum.Enum):
    """Where a request stands towards its transaction."""

    NONE = "no transaction has begun"
    LIVE = "a transaction is active"
    COMMITTING = "the transaction is being committed"
    ENDED = "the transaction has ended"


def manager_of(request: Request) -> TransactionManager | None:
    """Return the transaction manager of `request`, None where there is no `pyramid_tm`."""
    manager = request.environ.get("tm.manager")
    if manager is None:
        manager = getattr(request, "tm", None)
    return manager


def standing(request: Request, *, seen_active: bool) -> tuple[Standing, Transaction | None]:
    """Return where `request` stands now, and the transaction if it is live.

    Args:
        request: The request.
        seen_active: Whether this request was seen within a transaction before.

    Raises:
        UnsupportedSetupError: `repoze.tm2` manages the transaction.
    """
    environ = request.environ
    if "repoze.tm.active" in environ:
        raise UnsupportedSetupError(
            "repoze.tm2 manages the transaction of this request: it commits after Pyramid has made the "
            "response, so a session cookie could leave before, or without, the commit that makes it true; "
            "remove repoze.tm2 from the WSGI pipeline and include pyramid_tm instead"
        )
    manager = manager_of(request)
    if manager is None:
        return Standing.NONE, None
    active = "tm.active" in environ
    if not active:
        if seen_active or getattr(request, "exception", None) is not None:
            return Standing.ENDED, None
        if not manager.explicit:
            return Standing.NONE, None
    try:
        transaction = manager.get()
    except NoTransaction:
        return (Standing.ENDED if active or seen_active else Standing.NONE), None
    if transaction.status in (Status.ACTIVE, Status.DOOMED):
        return Standing.LIVE, transaction
    # Too late to join one that is being committed, and one that failed is over.
    committing = transaction.status is Status.COMMITTING
    return (Standing.COMMITTING if committing else Standing.ENDED), None


def outermost_request(request: Request) -> Request:
    """Return the request that the browser sent, if `request` is a subrequest in the same transaction.

    The session belongs to that request: it is the one whose response can carry the cookie. Pyramid keeps
    the requests under way on a stack. A request made by hand (`pyramid.scripting.prepare`) can have no
    subrequests and is told by the missing `invoke_subrequest`.
    """
    manager = manager_of(request)
    outermost = request
    below = False
    for entry in reversed(threadlocals.stack):
        candidate = entry["request"]
        if candidate is request:
            below = True
        elif below:
            if candidate is None or "invoke_subrequest" not in vars(candidate):
                break
            if manager is None or _known_manager(candidate) is not manager:
                break
            outermost = candidate
    return outermost


def _known_manager(request: Request) -> TransactionManager | None:
    # Not `request.tm`, which would make one.
    return request.environ.get("tm.manager") or vars(request).get("tm")


def is_outer_test_transaction(request: Request, manager: TransactionManager) -> bool:
    """Tell whether a test holds one doomed transaction around `request`, as Pyramid's cookiecutter does.

    `pyramid_tm` then stands aside and no commit ever comes. It is told in a response callback: in every
    other request `pyramid_tm` has removed ``tm.active`` by then.
    """
    return "tm.active" in request.environ and bool(manager.isDoomed())


def would_abort(request: Request, response: Response) -> bool:
    """Tell whether `pyramid_tm`, had it been in charge, would have aborted instead of committed."""
    settings = request.registry.settings or {}
    veto: Any = settings.get("tm.commit_veto", settings.get("pyramid_tm.commit_veto"))
    veto = DottedNameResolver(None).maybe_resolve(veto) if veto else None
    if veto is not None:
        return bool(veto(request, response))
    return getattr(request, "exc_info", None) is not None
