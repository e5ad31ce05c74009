"""A panel for pyramid_debugtoolbar: what became of the request's sessions, and what it cost.

The panel is added by itself where the toolbar is included. It opens no session that the request has not
opened, and shows neither data (the toolbar's own session panel does) nor secrets nor whole identifiers.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from html import escape
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid_debugtoolbar.panels import DebugPanel
from pyramid_debugtoolbar.toolbar import IToolbarWSGIApp
from sqlalchemy import Engine, event
from websession_core.durations import duration
from websession_core.errors import DOCUMENTATION
from websession_core.forecast import forecast
from websession_core.lifecycle import Duty
from websession_core.state import short_name

from .answering import CookieOrder
from .factory import web_session_factories
from .session import WebSession
from .unit_of_work import Phase, UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyramid.registry import Registry
    from pyramid.request import Request
    from pyramid.response import Response
    from websession_models import SessionRow

    from .factory import SessionFactory
    from .session_in_request import Holder

__all__ = ["WebSessionsPanel", "add_panel"]

# Where the statements of the current request are gathered; a request works in one thread.
_statements: ContextVar[list[str] | None] = ContextVar("websession_pyramid.debug_panel", default=None)


def add_panel(registry: Registry) -> None:
    """Add the panel to the toolbar of an application, if it has one; all else is configured."""
    toolbar = registry.queryUtility(IToolbarWSGIApp)
    if toolbar is None:
        return
    config = Configurator(registry=toolbar.registry)
    config.add_debugtoolbar_panel(WebSessionsPanel)
    config.commit()
    if not event.contains(Engine, "after_cursor_execute", _record):
        event.listen(Engine, "after_cursor_execute", _record)


def _record(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    statements = _statements.get()
    if statements is not None:
        statements.append(statement)


class WebSessionsPanel(DebugPanel):
    """The panel, of one request."""

    name = "websessions"
    title = nav_title = "Web sessions"
    has_content = True
    nav_subtitle_style = "badge bg-light text-dark"

    @property
    def nav_subtitle(self) -> str:
        """Return the badge of the panel's tab: the number of statements, empty for none."""
        return str(len(self.data["statements"]) or "")

    def __init__(self, request: Request) -> None:
        self._request: Request | None = request
        self._statements: list[str] = []
        self.data: dict[str, Any] = {"sessions": [], "statements": []}

    def wrap_handler(self, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """Begin to gather statements."""
        _statements.set(self._statements)
        return handler

    def process_response(self, response: Response) -> None:
        """Look at the sessions once they have done all: cookies and bookkeeping come after the tweens."""
        # Behind those of the sessions, which they add when they are first touched.
        if self._request is not None:
            self._request.add_finished_callback(self._finish)

    def _finish(self, request: Request) -> None:
        _statements.set(None)
        self._request = None
        factories = web_session_factories(request.registry)
        self.data["sessions"] = [
            (attribute, list(_facts(factory, request.__dict__.get(attribute))))
            for attribute, factory in factories.items()
        ]
        tables = {
            table.name
            for factory in factories.values()
            for table in (factory.store.features.table, factory.store.features.companion)
            if table is not None
        }
        ours = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in sorted(tables)) or "(?!)")
        self.data["statements"] = [
            " ".join(statement.split()) for statement in self._statements if ours.search(statement)
        ]

    def render_content(self, request: Request) -> str:
        """Return the panel's HTML. The request is the toolbar's, not the one that the panel is about."""
        parts = []
        for attribute, facts in self.data["sessions"]:
            parts.append(f"<h4>request.{escape(attribute)}</h4>")
            parts.append(_table(facts))
        parts.append("<h4>Statements on the tables of sessions</h4>")
        statements = self.data["statements"]
        if statements:
            items = "".join(f"<li><code>{escape(statement)}</code></li>" for statement in statements)
            parts.append(f"<ol>{items}</ol>")
        else:
            parts.append("<p>None.</p>")
        address = f"{DOCUMENTATION}how-to/debugging/"
        parts.append(f'<p><a href="{address}" target="_blank">What this means</a></p>')
        return "\n".join(parts)


def _table(facts: list[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><td>{escape(label)}</td><td>{escape(value)}</td></tr>" for label, value in facts)
    return f'<table class="table table-striped table-condensed"><tbody>{rows}</tbody></table>'


def _facts(factory: SessionFactory, session: object) -> Iterator[tuple[str, str]]:
    holder = session.holder if isinstance(session, WebSession) else None
    if holder is None:
        yield "state", "not touched by this request"
        return
    row = holder.working_copy.contents.row or holder.working_copy.opening.row
    yield "state", _state(holder)
    verdict = holder.working_copy.opening.verdict
    yield "cookie", "none was sent" if verdict is None else verdict.reason
    for refusal in holder.working_copy.opening.refusals:
        yield "refused cookie", refusal.reason
    renewed = Duty.RENEW in holder.bookkeeping_log
    order = CookieOrder.SET if renewed else holder.answer_ready.order
    yield "the browser is told", order.value
    if row is not None:
        yield from _row_facts(factory, row)
    yield "bookkeeping", ", ".join(holder.bookkeeping_log) or "none was due"


def _state(holder: Holder) -> str:
    if not isinstance(holder, UnitOfWork):
        return "read outside of a transaction"
    if holder.working_copy.contents.row is None:
        return "new, and nothing to store"
    if holder.phase is Phase.ABORTED:
        return "rolled back with the transaction"
    return "began in this request" if holder.working_copy.began_here else "read from the database"


def _row_facts(factory: SessionFactory, row: SessionRow) -> Iterator[tuple[str, str]]:
    now = factory.clock()
    yield "session", short_name(row.id)
    if factory.has("userid"):
        yield "user", "anonymous" if row.userid is None else repr(row.userid)
    yield "began", f"{duration(now - row.created)} ago"
    yield "written so far", _times(row.version)
    yield "cookie replaced by a login or regenerate()", _times(row.epoch)
    ahead = forecast(row.state, factory.policies(row.overrides))
    for label, moment, otherwise in (
        ("idle timeout in", ahead.idle_end, "no such timeout"),
        ("absolute timeout in", ahead.absolute_end, "no such timeout"),
        ("the recorded deadline, for the purge, is in", ahead.stored_end, "none"),
        (
            "the next renewal of the cookie is due in",
            ahead.renewal_due,
            "not renewed: anonymous, or no such timeout",
        ),
    ):
        yield label, otherwise if moment is None else duration(moment - now)
    yield "data", f"{len(row.data.encode())} bytes"
    yield "flash messages", f"{len(row.flash.encode())} bytes"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
