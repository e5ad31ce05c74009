"""Which transaction a request belongs to, and whether that is live, being committed or over.

One function answers, for every part of the library: `transaction_state`. The rules are about Pyramid and
`pyramid_tm` only; they touch no database.

- `pyramid_tm` puts ``tm.active`` and ``tm.manager`` in the environ while it has a transaction open and
  removes both *before* it commits or aborts. A test fixture may set them from outside, forever.
- An explicit manager has no transaction before `begin` and after the end; an implicit one begins a
  transaction merely by being asked for it, so it is only asked while ``tm.active`` is there.
- Once ``tm.active`` was seen and is gone, the transaction has ended, even where a failed before-commit
  hook left an active one behind.
- A transaction that we take part in tells of its end. The exception is that failed hook: then an error
  page is made, and no hook is left to run.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from pyramid.threadlocal import manager as threadlocals
from pyramid.util import DottedNameResolver
from sqlalchemy.orm import scoped_session

# Not exported by `transaction`; zope.sqlalchemy takes it from here as well.
from transaction._transaction import Status
from transaction.interfaces import NoTransaction

from .errors import UnsupportedSetupError

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response
    from sqlalchemy.orm import Session
    from transaction import Transaction, TransactionManager

__all__ = [
    "TransactionState",
    "database_session",
    "is_outer_test_transaction",
    "is_within_pyramid_tm",
    "manager_of",
    "outermost_request",
    "transaction_state",
    "would_abort",
]


_TM_ACTIVE = "tm.active"


class TransactionState(enum.Enum):
    """Where a request is in the life of its transaction."""

    NONE = "no transaction has begun"
    LIVE = "a transaction is active"
    COMMITTING = "the transaction is being committed"
    ENDED = "the transaction has ended"


def transaction_state(
    request: Request, *, seen_active: bool = False, joined: Transaction | None = None
) -> tuple[TransactionState, Transaction | None]:
    """Return where `request` is in the life of its transaction, and the transaction if it is live.

    Args:
        request: The request.
        seen_active: Whether this request was seen within a transaction of `pyramid_tm` before.
        joined: The transaction that the request's session takes part in, if it was not told of its end.

    Raises:
        UnsupportedSetupError: `repoze.tm2` manages the transaction.
    """
    is_error_page = getattr(request, "exception", None) is not None
    active = _TM_ACTIVE in request.environ  # at every access to the session, so without a further call
    if joined is not None:
        if active or not is_error_page or joined.status is Status.COMMITTING:
            return TransactionState.LIVE, joined
        # While hooks run their list is not empty.
        is_running = next(iter(joined.getBeforeCommitHooks()), None) is not None
        return (TransactionState.LIVE, joined) if is_running else (TransactionState.ENDED, None)
    if "repoze.tm.active" in request.environ:
        raise UnsupportedSetupError(
            "repoze.tm2 manages the transaction of this request: it commits after Pyramid has made the "
            "response, so a session cookie could leave before, or without, the commit that makes it true; "
            "remove repoze.tm2 from the WSGI pipeline and include pyramid_tm instead"
        )
    manager = manager_of(request)
    if manager is None:
        return TransactionState.NONE, None
    if not active:
        if seen_active or is_error_page:
            return TransactionState.ENDED, None
        if not manager.explicit:
            return TransactionState.NONE, None
    try:
        transaction = manager.get()
    except NoTransaction:
        return (TransactionState.ENDED if active or seen_active else TransactionState.NONE), None
    if transaction.status in (Status.ACTIVE, Status.DOOMED):
        return TransactionState.LIVE, transaction
    # Too late to join one that is being committed, and one that failed is over.
    committing = transaction.status is Status.COMMITTING
    return (TransactionState.COMMITTING if committing else TransactionState.ENDED), None


def is_within_pyramid_tm(request: Request) -> bool:
    """Return whether `pyramid_tm` has a transaction open for `request`."""
    return _TM_ACTIVE in request.environ


def manager_of(request: Request) -> TransactionManager | None:
    """Return the transaction manager of `request`, None where there is no `pyramid_tm`."""
    manager = request.environ.get("tm.manager")
    if manager is None:
        manager = getattr(request, "tm", None)
    return manager


def database_session(request: Request, name: str) -> Session:
    """Return the SQLAlchemy session that a request has as `name`, also where a `scoped_session` is there."""
    session: Session | scoped_session[Session] = getattr(request, name)
    return session() if isinstance(session, scoped_session) else session


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
    """Return whether a test holds one doomed transaction around `request`, as Pyramid's cookiecutter does.

    `pyramid_tm` then stands aside and no commit ever comes. It shows in a response callback: in every other
    request `pyramid_tm` has removed ``tm.active`` by then.
    """
    return is_within_pyramid_tm(request) and bool(manager.isDoomed())


def would_abort(request: Request, response: Response) -> bool:
    """Return whether `pyramid_tm`, had it been in charge, would have aborted instead of committed."""
    settings = request.registry.settings or {}
    veto: Any = settings.get("tm.commit_veto", settings.get("pyramid_tm.commit_veto"))
    veto = DottedNameResolver(None).maybe_resolve(veto) if veto else None
    if veto is not None:
        return bool(veto(request, response))
    return getattr(request, "exc_info", None) is not None
