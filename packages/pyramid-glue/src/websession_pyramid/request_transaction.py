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

A subrequest is in the transaction of the request that made it, unless it has begun one of its own
(``use_tweens=True``, with a manager of its own). `sharing` tells whose transaction, cookies and session it
has.
"""

from __future__ import annotations

import enum
import inspect
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from pyramid.threadlocal import manager as threadlocals
from pyramid.util import DottedNameResolver
from sqlalchemy.orm import scoped_session

# Not exported by `transaction`; zope.sqlalchemy takes it from here as well.
from transaction._transaction import Status
from transaction.interfaces import NoTransaction

from .errors import UnsupportedSetupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyramid.request import Request
    from pyramid.response import Response
    from sqlalchemy.orm import Session
    from transaction import Transaction, TransactionManager

__all__ = [
    "Sharing",
    "TransactionState",
    "abort_left_open",
    "database_session",
    "is_error_page",
    "is_outer_test_transaction",
    "is_within_another",
    "is_within_pyramid_tm",
    "is_within_subrequest_of",
    "manager_of",
    "missing_database_session",
    "sharing",
    "transaction_state",
    "would_abort",
]

log = logging.getLogger(__name__)

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
        request: The request whose transaction it is, not a subrequest that shares it.
        seen_active: Whether this request was seen within a transaction of `pyramid_tm` before.
        joined: The transaction that the request's session takes part in, if it was not told of its end.

    Raises:
        UnsupportedSetupError: `repoze.tm2` manages the transaction.
    """
    active = _TM_ACTIVE in request.environ  # at every access to the session, so without a further call
    if joined is not None:
        if active or not is_error_page(request) or joined.status is Status.COMMITTING:
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
        if seen_active or is_error_page(request):
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


def abort_left_open(transaction: Transaction) -> None:
    """End a transaction that a failed before-commit hook has left open after `pyramid_tm` was through.

    Else it keeps a connection and its locks for as long as anybody holds the request.
    """
    try:
        transaction.abort()
    except Exception as error:  # noqa: BLE001 - the answer is on its way, and the rest was aborted
        kind = type(error).__name__
        log.debug("A transaction that a failed hook had left open failed to abort (%s)", kind)


def manager_of(request: Request) -> TransactionManager | None:
    """Return the transaction manager of `request`, None where there is no `pyramid_tm`."""
    manager = request.environ.get("tm.manager")
    if manager is None:
        manager = getattr(request, "tm", None)
    return manager


def database_session(request: Request, name: str) -> Session:
    """Return the SQLAlchemy session that a request has as `name`, also where a `scoped_session` is there.

    Raises:
        UnsupportedSetupError: The request has none under this name.
    """
    try:
        session: Session | scoped_session[Session] = getattr(request, name)
    except AttributeError:
        # One that comes from within the application's own function is for the application.
        if inspect.getattr_static(request, name, None) is not None:
            raise
        raise UnsupportedSetupError(missing_database_session(name)) from None
    if isinstance(session, scoped_session):
        return session()
    if not hasattr(session, "get_bind"):
        raise UnsupportedSetupError(
            f"request.{name} is no SQLAlchemy session, but of the class {type(session).__name__}. "
            f"Instead, {make_database_session(name)}"
        )
    return session


def missing_database_session(name: str) -> str:
    """Return what to say and to do where requests have no attribute `name`."""
    return (
        f"Requests have no attribute {name!r}, and sessions are stored through the SQLAlchemy session that "
        f"is expected there. If it has another name, set session.dbsession_name; otherwise "
        f"{make_database_session(name)}"
    )


def make_database_session(name: str) -> str:
    """Return how an application gives its requests a database session."""
    return (
        f"add one with config.add_request_method(make_session, {name!r}, reify=True), where make_session "
        "takes the request and returns a session that was registered with "
        "zope.sqlalchemy.register(dbsession, transaction_manager=request.tm)"
    )


def is_error_page(request: Request) -> bool:
    """Return whether an exception view is at work, for `request` or for a subrequest that it has made."""
    if getattr(request, "exception", None) is not None:
        return True
    stack = threadlocals.stack
    if len(stack) < 2:
        return False
    return any(
        entry["request"] is not request
        and getattr(entry["request"], "exception", None) is not None
        and any(below is request for below in _requests_below(entry["request"]) or ())
        for entry in stack
    )


# --- subrequests --------------------------------------------------------------------------------------------


class Sharing(NamedTuple):
    """What a request shares with those that it is a subrequest of; itself, where it shares nothing.

    Attributes:
        session: Whose `request.session` it has.
        transaction: In whose transaction that is.
        browser: Whose cookies name it, and whose response tells of them.
    """

    session: Request
    transaction: Request
    browser: Request

    @property
    def database(self) -> Request:
        """Whose database session takes part in the transaction."""
        # Another application's request, around a mounted one, has another application's.
        return self.transaction if _is_same_application(self.transaction, self.session) else self.session

    @property
    def is_answered(self) -> bool:
        """Whether the browser's response is made when the transaction has ended, and can carry a cookie."""
        if self.transaction is self.browser:
            return True
        return all(below is not self.transaction for below in _requests_below(self.browser) or ())


def sharing(request: Request, named_session: Callable[[Request], object]) -> Sharing | None:
    """Return what a request shares, as far as can be told now; None if it is not under way.

    A subrequest that names no session has that of the request that made it; so has one that has begun no
    transaction of its own. Most are both, and share the very session.

    Args:
        request: The request.
        named_session: Returns which session a request's cookie names, None for none.
    """
    below = _requests_below(request)
    if below is None:
        return None
    if not below:  # as in most requests
        return Sharing(request, request, request)
    line = [request, *below]
    in_transaction, with_cookies = _lowest(line, _begun_manager), _lowest(line, named_session)
    upper = min(in_transaction, with_cookies)
    return Sharing(line[upper], line[in_transaction], line[with_cookies])


def is_within_another(request: Request) -> bool:
    """Return whether a request that `request` is a subrequest of has a transaction, with its locks."""
    return any(_begun_manager(below) is not None for below in _requests_below(request) or ())


def is_within_subrequest_of(request: Request) -> bool:
    """Return whether a subrequest of `request` is under way that `pyramid_tm` has begun a transaction for."""
    current = threadlocals.get()["request"]
    if current is None or current is request or not is_within_pyramid_tm(current):
        return False
    return any(below is request for below in _requests_below(current) or ())


def _requests_below(request: Request) -> list[Request] | None:
    """Return the requests that `request` is a subrequest of, nearest first; None if it is not under way.

    Pyramid keeps those under way on a stack. A request made by hand (`pyramid.scripting.prepare`) can have no
    subrequests and is told by the missing `invoke_subrequest`. A request of another application is one only
    if they share the transaction.
    """
    below: list[Request] | None = None
    for entry in reversed(threadlocals.stack):
        candidate = entry["request"]
        if candidate is request:
            below = []
        elif below is not None:
            if candidate is None or "invoke_subrequest" not in vars(candidate):
                break
            if not _is_same_application(candidate, request):
                manager = _begun_manager(request)
                if manager is None or _begun_manager(candidate) is not manager:
                    break
            below.append(candidate)
    return below


def _is_same_application(one: Request, other: Request) -> bool:
    return one is other or one.registry is other.registry


def _lowest(line: list[Request], fact: Callable[[Request], object]) -> int:
    """Return which is the lowest request in `line` that has the first one's fact, or gives it one."""
    lowest, value = 0, fact(line[0])
    for place, request in enumerate(line[1:], start=1):
        own = fact(request)
        if value is not None and own is None:
            continue
        if value is not None and own != value:
            break
        lowest, value = place, own
    return lowest


def _begun_manager(request: Request) -> TransactionManager | None:
    """Return the manager with which `request` has itself begun a transaction, None if it has not."""
    if is_within_pyramid_tm(request):
        return manager_of(request)
    # Not `request.tm`, which would make one. An implicit one would begin a transaction by being asked.
    manager = request.environ.get("tm.manager") or vars(request).get("tm")
    if manager is None or not manager.explicit:
        return None
    try:
        manager.get()
    except NoTransaction:
        return None
    return manager


# --- tests, and their transactions --------------------------------------------------------------------------


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
