"""The strip at the foot of each page: what this request did with its web session.

It uses what any application can see: the library's events, and the statements that SQLAlchemy runs. It is
filled in when the response is done: the session's own bookkeeping comes after the view, and after the commit.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markupsafe import escape
from pyramid.events import NewRequest, NewResponse
from pyramid_sqlalchemy_sessions import SessionEvent, SessionRegenerated, SessionRenewed
from sqlalchemy import event

from .models import Session

if TYPE_CHECKING:
    from typing import Any
    from uuid import UUID

    from pyramid.config import Configurator
    from pyramid.request import Request

PLACE = "<!-- strip -->"
"""Where the templates want it."""

TABLE = Session.__table__.name
ACTIVITY = f"{TABLE}_activity"
"""Where the library records by itself that a session was used."""

MAX_KEPT = 500


@dataclass
class Work:
    """What one request has done with its session so far."""

    title: str
    statements: list[str] = field(default_factory=list)
    events: list[SessionEvent] = field(default_factory=list)
    failed: bool = False

    def has(self, kind: type[SessionEvent]) -> bool:
        return any(isinstance(one, kind) for one in self.events)

    @property
    def facts(self) -> dict[str, str]:
        """What the strip says of it, by what it is about."""
        verbs = [statement.split(None, 1)[0] for statement in self.statements]
        renewed = self.has(SessionRenewed)
        touched = any(
            verb != "SELECT" and ACTIVITY in statement
            for verb, statement in zip(verbs, self.statements, strict=True)
        )
        facts = {
            "Statements": f"{len(verbs)} ({', '.join(verbs)})" if verbs else "none",
            "Touched": "yes" if touched and not renewed else "no",
            "Renewed": "yes, a new cookie" if renewed else "no",
        }
        if self.has(SessionRegenerated):
            facts["Identity"] = "new: old cookies open nothing"
        if self.failed:
            facts["Transaction"] = "rolled back"
        return facts


_work: ContextVar[Work | None] = ContextVar("shop.strip", default=None)


def includeme(config: Configurator) -> None:
    """Watch every request, and every statement on the session tables."""
    config.registry["strips"] = OrderedDict()
    engine = config.registry["dbsession_factory"].kw["bind"]
    if not event.contains(engine, "after_cursor_execute", note_statement):
        event.listen(engine, "after_cursor_execute", note_statement)
    config.add_subscriber(begin, NewRequest)
    config.add_subscriber(note_event, SessionEvent)
    config.add_subscriber(finish, NewResponse)


def begin(new: NewRequest) -> None:
    _work.set(Work(f"{new.request.method} {new.request.path}"))


def note_statement(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    work = _work.get()
    if work is not None and re.search(rf"\b({TABLE}|{ACTIVITY})\b", statement):
        work.statements.append(statement)


def note_event(happened: SessionEvent) -> None:
    work = _work.get()
    if work is not None:
        work.events.append(happened)


def finish(new: NewResponse) -> None:
    """Write the strip into the page; if the browser is sent on, keep it for the page it is sent to."""
    request, response, work = new.request, new.response, _work.get()
    _work.set(None)
    if work is None or "session" not in request.__dict__ or response.status_int >= 500:
        return
    work.failed = getattr(request, "exception", None) is not None
    earlier: OrderedDict[UUID | None, Work] = request.registry["strips"]
    if response.status_int == 303 and request.session.id is not None:
        earlier[request.session.id] = work
        if len(earlier) > MAX_KEPT:
            earlier.popitem(last=False)
    elif response.content_type == "text/html":
        before = earlier.pop(request.session.id, None)
        works = [work] if before is None else [before, work]
        response.text = response.text.replace(PLACE, html(works, time_left(request)))


def time_left(request: Request) -> str:
    """When the session ends, in words."""
    session = request.session
    if session.id is None:
        return "none is stored"
    limits = []
    own, settings = session.settings, request.registry.settings
    for name, passed in (("idle_timeout", 0), ("absolute_timeout", int(time.time()) - session.created)):
        limit = getattr(own, name)
        limit = int(settings.get(f"session.{name}", 0)) if limit is None else limit
        if limit:
            limits.append(limit - passed)
    if not limits:
        return "does not end by itself"
    return f"ends in {min(limits):,} seconds ({min(limits) // 86400} days) unless it is used"


def html(works: list[Work], left: str) -> str:
    """The strip, with a row for each request."""
    rows = "".join(
        f"<li><strong>{escape(work.title)}</strong> "
        + " ".join(f"<span>{label}: {escape(text)}</span>" for label, text in work.facts.items())
        + "</li>"
        for work in works
    )
    return (
        '<aside class="strip" id="strip" aria-labelledby="strip-title"><div class="wide">'
        f'<h2 class="small" id="strip-title">What your session did just now</h2><ul>{rows}</ul>'
        f"<p>Your session: {escape(left)}.</p></div></aside>"
    )
