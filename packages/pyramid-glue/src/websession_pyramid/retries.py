"""Letting `pyramid_retry` run a request again whose transaction lost a conflict.

zope.sqlalchemy tells `pyramid_tm` which errors are worth it, but it knows only some drivers and only some of
their errors (no lock timeouts, nothing of SQLite's), and what fails at commit is only asked about after an
exception view has rendered it, too late. So the error is marked where it is born: in SQLAlchemy's own event
for errors of the driver.

The listener is registered once, for all engines of the process, since an application's engine is not known
when it is configured. It asks the current request whose error this is: outside of requests, and in an
application that has switched it off or has no sessions of ours, nothing is marked.

A server may take no writes for a while, and a connection may go on refusing them afterwards: one to a server
of MySQL's family that is no longer the primary, or one of PostgreSQL's that began while transactions were
read-only by default. Each in the pool would refuse forever, and a ping finds nothing wrong with it. So the
refusal is treated as a lost connection: the pool's are replaced, and the request runs again on a new one,
which leads to the new primary if anything (a router, a listener) sees to that. An engine that is meant to
read from a replica says so by an execution option: its server will always refuse.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pyramid.interfaces import ISessionFactory
from pyramid.threadlocal import get_current_request
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from websession_core.errors import DOCUMENTATION
from websession_core.settings import Settings
from websession_models import is_conflict, is_read_only_refusal

from .rate_limit import RateLimit

if TYPE_CHECKING:
    from pyramid.request import Request
    from sqlalchemy.engine import ExceptionContext

__all__ = ["REPLICA", "install_listener", "is_error_retryable", "mark_error_retryable"]

try:
    from pyramid_retry import is_error_retryable, mark_error_retryable
except ImportError:  # without it nothing is ever retried

    def is_error_retryable(request: Request, exc: BaseException) -> bool:
        """Stand in for pyramid_retry's."""
        return False

    def mark_error_retryable(error: BaseException | type[BaseException]) -> None:
        """Stand in for pyramid_retry's."""


REPLICA: Final = "websession_replica"
"""The execution option of an engine whose server is never meant to take writes."""

# Seconds for which new connections are kept, even if they are refused, too: while no server takes writes,
# every page that has something to record would connect again otherwise.
_REPLACING: Final = RateLimit(1.0)

_READ_ONLY: Final = (
    "The database takes no writes now, or not by this connection. Pages that only read their session go on; "
    f"see {DOCUMENTATION}how-to/engines/#when-the-database-is-read-only"
)


def _mark_retryable(context: ExceptionContext) -> None:
    error = context.sqlalchemy_exception
    if not isinstance(error, DBAPIError):
        return
    is_refusal = is_read_only_refusal(error, context.dialect.name)
    if not is_refusal and not is_conflict(error, context.dialect.name):
        return
    request = get_current_request()
    settings = [] if request is None else _settings_of(request)
    if not settings:
        return
    if is_refusal:
        error.add_note(_READ_ONLY)
        if not _may_be_over(context):
            return
        _replace_connections(context)
    _end_transaction(context)
    # One transaction, so one answer: an application that switches it off for one session does not want it.
    if all(one.retry_conflicts for one in settings):
        mark_error_retryable(error)


def _may_be_over(context: ExceptionContext) -> bool:
    """Return whether another connection may take the write that this one has refused."""
    if context.dialect.name == "sqlite":
        return False  # the file is what it is for every connection
    source = context.connection or context.engine
    options = {} if source is None else source.get_execution_options()
    # Read-only by the application's own wish.
    return not (options.get(REPLICA) or options.get("postgresql_readonly"))


def _replace_connections(context: ExceptionContext) -> None:
    """Have the connections of the pool replaced, unless they just were."""
    if context.engine is not None and _REPLACING.allows(context.engine.pool, time.monotonic()):
        context.is_disconnect = True


def _settings_of(request: Request) -> list[Settings]:
    """Return the settings of each of the application's sessions that is ours."""
    factories = request.registry.getUtilitiesFor(ISessionFactory)
    candidates = [getattr(factory, "settings", None) for _, factory in factories]
    return [settings for settings in candidates if isinstance(settings, Settings)]


def _end_transaction(context: ExceptionContext) -> None:
    """Roll back what a COMMIT has left open.

    SQLite keeps a transaction whose COMMIT found the database locked, for another try. SQLAlchemy holds it to
    be ended and gives the connection back as it is: the next user of it, the retried request for example,
    would find the changes made already, and commit them.
    """
    connection = context.connection
    if context.dialect.name != "sqlite" or context.statement is not None or connection is None:
        return
    driver = connection.connection.dbapi_connection
    if driver is not None and getattr(driver, "in_transaction", False):
        driver.rollback()


def install_listener() -> None:
    """Register the listener, once in a process however often it is called."""
    if not event.contains(Engine, "handle_error", _mark_retryable):
        event.listen(Engine, "handle_error", _mark_retryable)
