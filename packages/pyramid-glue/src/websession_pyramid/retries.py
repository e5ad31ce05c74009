"""Letting `pyramid_retry` run a request again whose transaction lost a conflict.

zope.sqlalchemy tells `pyramid_tm` which errors are worth it, but it knows only some drivers and only some of
their errors (no lock timeouts, nothing of SQLite's), and what fails at commit is only asked about after an
exception view has rendered it, too late. So the error is marked where it is born: in SQLAlchemy's own event
for errors of the driver.

The listener is registered once, for all engines of the process, since an application's engine is not known
when it is configured. It asks the current request whose error this is: outside of requests, and in an
application that has switched it off or has no sessions of ours, nothing is marked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyramid.interfaces import ISessionFactory
from pyramid.threadlocal import get_current_request
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from websession_core.settings import Settings
from websession_models import is_conflict

if TYPE_CHECKING:
    from pyramid.request import Request
    from sqlalchemy.engine import ExceptionContext

__all__ = ["install_listener", "is_error_retryable", "mark_error_retryable"]

try:
    from pyramid_retry import is_error_retryable, mark_error_retryable
except ImportError:  # without it nothing is ever retried

    def is_error_retryable(request: Request, exc: BaseException) -> bool:
        """Stand in for pyramid_retry's."""
        return False

    def mark_error_retryable(error: BaseException | type[BaseException]) -> None:
        """Stand in for pyramid_retry's."""


def _mark_conflict(context: ExceptionContext) -> None:
    error = context.sqlalchemy_exception
    if not isinstance(error, DBAPIError) or not is_conflict(error, context.dialect.name):
        return
    request = get_current_request()
    settings = [] if request is None else _settings_of(request)
    if not settings:
        return
    _end_transaction(context)
    # One transaction, so one answer: an application that switches it off for one session does not want it.
    if all(one.retry_conflicts for one in settings):
        mark_error_retryable(error)


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
    if not event.contains(Engine, "handle_error", _mark_conflict):
        event.listen(Engine, "handle_error", _mark_conflict)
