"""The application of the witness. It runs on 0.2.0 and on what is here, so it uses only what both have.

Three sessions: `request.session` with everything that a model can have, `request.visit` with nothing but the
base, and `request.staff`, whose users are called by text. Each answers ``/{session}/{what}`` in JSON.
"""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING, Any

import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.csrf import check_csrf_token
from pyramid.exceptions import BadCSRFToken
from pyramid.security import forget, remember
from pyramid.threadlocal import get_current_request
from pyramid_sqlalchemy_sessions import (
    BaseMixin,
    ClientInfoMixin,
    EncryptedDataMixin,
    FullyFeaturedSession,
    ReplayDetected,
    SessionLimitMixin,
    SessionSecurityPolicy,
    UseridMixin,
    prepare_sqlite_engine,
    web_session_factories,
)
from sqlalchemy import String, create_engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


class Base(DeclarativeBase):
    """The declarative base."""


class Session(EncryptedDataMixin, SessionLimitMixin, ClientInfoMixin, FullyFeaturedSession, Base):
    """Everything at once."""

    __tablename__ = "session"


class Visit(BaseMixin, Base):
    """As little as there can be."""

    __tablename__ = "visit"


class StaffSession(UseridMixin, BaseMixin, Base):
    """Users, and nothing else."""

    __tablename__ = "staff_session"
    userid: Mapped[str | None] = mapped_column(String(50), index=True)


MODELS = {"session": Session, "visit": Visit, "staff": StaffSession}

SETTINGS = {
    "session.model_class": "witness_app.Session",
    "session.idle_timeout": "1800",
    "session.absolute_timeout": "43200",
    "session.renewal_timeout": "600",
    "session.max_per_user": "3",
    "visit.model_class": "witness_app.Visit",
    "visit.cookie_name": "visit",
    "staff.model_class": "witness_app.StaffSession",
    "staff.cookie_name": "staff",
    "tm.manager_hook": "pyramid_tm.explicit_manager",
    "tm.annotate_user": "false",
    "retry.attempts": "10",
}
"""All settings but the keys, the clock and the database."""

NOW = "X-Now"
"""The header that tells the time of a request, Unix seconds."""

QUEUES = ("", "errors", "größe/日本")
"""The flash queues that are looked at."""

engines: list[Any] = []
"""Every engine that an application has been made with."""

OWN_SETTINGS = ("idle_timeout", "extension_delay", "absolute_timeout", "renewal_timeout", "cookie_max_age")


# --- what can be asked ------------------------------------------------------------------------------------


def look(request: Any, name: str) -> Any:
    """Show everything that an application can see of a session."""
    web = getattr(request, name)
    is_stored = web.id is not None
    shown = {
        "id": web.id.hex if is_stored else None,
        "created": web.created if is_stored else None,
        "data": web.copy(),
        "flash": {queue: web.peek_flash(queue) for queue in QUEUES},
    }
    if name != "visit":
        shown["userid"] = web.userid
        shown["epoch"] = web.row().epoch if is_stored else None
    if name == "session":
        shown["authenticated_userid"] = request.authenticated_userid
        shown["login_age"] = web.login_age
        shown["settings"] = {setting: getattr(web.settings, setting) for setting in OWN_SETTINGS}
        shown["user_agent"] = web.row().user_agent if is_stored else None
        shown["client_address"] = web.row().client_address if is_stored else None
    return shown


def form(request: Any, name: str) -> Any:
    """Show the token of a form."""
    return getattr(request, name).get_csrf_token()


def buy(request: Any, name: str) -> None:
    """Put something into the cart, by a form with a token."""
    web = getattr(request, name)
    if name == "session":
        check_csrf_token(request)
    elif not hmac.compare_digest(web.get_csrf_token(), request.headers.get("X-CSRF-Token", "")):
        raise BadCSRFToken
    web.setdefault("cart", []).append(request.json_body)


def put(request: Any, name: str) -> None:
    """Set keys and values."""
    getattr(request, name).update(request.json_body)


def flash(request: Any, name: str) -> None:
    """Add a message to a queue."""
    queue, message = request.json_body
    getattr(request, name).flash(message, queue)


def pop_flash(request: Any, name: str) -> Any:
    """Take the messages of a queue."""
    return getattr(request, name).pop_flash(request.json_body)


def login(request: Any, name: str) -> None:
    """Log a user in, with settings of the session's own if there are any."""
    web, userid, wishes = (
        getattr(request, name),
        request.json_body["userid"],
        request.json_body.get("settings"),
    )
    if name == "session":
        request.response.headers.extend(remember(request, userid))
    else:
        web.login(userid)
    if wishes is not None:
        with web.settings as settings:
            for wish, value in wishes.items():
                setattr(settings, wish, value)


def logout(request: Any, name: str) -> None:
    """Log out."""
    if name == "session":
        request.response.headers.extend(forget(request))
    else:
        getattr(request, name).invalidate()


ACTIONS = {action.__name__: action for action in (look, form, buy, put, flash, pop_flash, login, logout)}


def answer(request: Any) -> Any:
    """Do what is asked."""
    return ACTIONS[request.matchdict["what"]](request, request.matchdict["session"])


# --- the application --------------------------------------------------------------------------------------


def _clock(otherwise: int) -> Callable[[], int]:
    def clock() -> int:
        request = get_current_request()
        return otherwise if request is None else int(request.headers.get(NOW, otherwise))

    return clock


def _warn(event: ReplayDetected) -> None:
    log.warning("The session %s of request.%s was replayed", event.session, event.attribute)


def make_engine(url: str) -> Any:
    """Return an engine as the documentation advises."""
    if make_url(url).get_backend_name() == "sqlite":
        return prepare_sqlite_engine(create_engine(url))
    return create_engine(url, isolation_level="SERIALIZABLE")


def main(global_config: Any, **settings: Any) -> Any:
    """Return the application."""
    config = Configurator(settings=settings)
    engine = make_engine(settings["sqlalchemy.url"])
    engines.append(engine)
    make_session = sessionmaker(engine)

    def dbsession(request: Any) -> Any:
        session = make_session()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    config.include("pyramid_tm")
    config.include("pyramid_retry")
    config.include("pyramid_sqlalchemy_sessions")
    config.add_web_session("visit")
    config.add_web_session("staff")
    config.set_security_policy(SessionSecurityPolicy())
    config.add_request_method(dbsession, reify=True)
    config.add_subscriber(_warn, ReplayDetected)
    config.add_route("any", "/{session}/{what}")
    config.add_view(answer, route_name="any", renderer="json")
    app = config.make_wsgi_app()
    clock = _clock(int(settings["witness.clock"]))
    for factory in web_session_factories(app.registry).values():
        factory.clock = clock
    return app
