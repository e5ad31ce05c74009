"""Ours: the smallest model, or all features with somebody logged in, or these and one that costs more."""

from __future__ import annotations

import time
import uuid
from typing import Any, Final

from pyramid.interfaces import ISessionFactory
from pyramid_sqlalchemy_sessions import (
    BaseMixin,
    ClientInfoMixin,
    EncryptedDataMixin,
    FullyFeaturedSession,
    SessionLimitMixin,
    generate_secret_key,
)
from sqlalchemy import bindparam, select
from sqlalchemy.orm import DeclarativeBase, sessionmaker
from websession_core import Ticket
from worker import Contender

from contenders import session_views, versions
from contenders.database import make_engine
from contenders.pyramid_app import make_app

YEAR: Final = 365 * 24 * 3600


class Base(DeclarativeBase):
    """The declarative base."""


class Minimal(BaseMixin, Base):
    """A session and nothing else."""

    __tablename__ = "minimal"


class Full(FullyFeaturedSession, Base):
    """Users, a CSRF token, three timeouts, settings of each session's own."""

    __tablename__ = "fully_featured"


class WithClientInfo(ClientInfoMixin, FullyFeaturedSession, Base):
    """The browser and the address, too."""

    __tablename__ = "with_client_info"


class WithLimit(SessionLimitMixin, FullyFeaturedSession, Base):
    """A limit to a user's sessions, too."""

    __tablename__ = "with_limit"


class Encrypted(EncryptedDataMixin, FullyFeaturedSession, Base):
    """Data that is encrypted in the database, too."""

    __tablename__ = "encrypted"


MORE: Final[dict[str, tuple[Any, dict[str, Any]]]] = {
    "client info": (WithClientInfo, {}),
    "limit": (WithLimit, {"session.max_per_user": 5}),
    "encrypted": (Encrypted, {"session.data_secret_key": generate_secret_key()}),
}
"""The models with one feature more than all of `FullyFeaturedSession`, and their settings."""

SESSIONS: Final = Base.metadata.tables["fully_featured"]
ACTIVITY: Final = Base.metadata.tables["fully_featured_activity"]

TIMEOUTS: Final = {
    "session.idle_timeout": 10 * YEAR,
    # The /touch requests advance the clock by this much each, for as long as the benchmark runs.
    "session.extension_delay": 60,
    "session.absolute_timeout": 11 * YEAR,
    "session.renewal_timeout": 9 * YEAR,
}
"""All on, and none of them due, so that what is measured is one kind of request."""


class Clock:
    """Stands still, so that no bookkeeping is due by chance, and moves on for /touch."""

    def __init__(self) -> None:
        self.now = int(time.time())

    def __call__(self) -> int:
        """Return the time in Unix seconds."""
        return self.now


def make(
    url: str,
    *,
    full: bool = False,
    more: str = "",
    cold: bool = False,
    library: str = "pycryptodome",
    size: int = 100,
) -> Contender:
    """Return our contender.

    Args:
        url: The database.
        full: Whether it has all features of `FullyFeaturedSession`, and somebody is logged in.
        more: One of `MORE`, with all features.
        cold: Whether each cookie is one that the worker has not seen yet.
        library: The setting `cipher_library`.
        size: The payload's size in bytes.
    """
    engine = make_engine(url)
    full = full or bool(more)
    model, more_settings = MORE.get(more, (Full if full else Minimal, {}))
    Base.metadata.create_all(engine)
    clock = Clock()
    views = session_views(size)

    def touch(request: Any) -> str:
        clock.now += TIMEOUTS["session.extension_delay"] + 1
        return views["read"](request)

    def login(request: Any) -> str:
        request.session.login(1)
        return ""

    settings: dict[str, Any] = {"session.secret_key": generate_secret_key(), "session.model_class": model}
    settings |= {"session.cipher_library": library, **more_settings}
    app = make_app(
        views | ({"touch": touch, "login": login} if full else {}),
        settings=settings | (TIMEOUTS if full else {}),
        configure=lambda config: config.include("pyramid_sqlalchemy_sessions"),
        make_dbsession=sessionmaker(engine),
    )
    factory = app.registry.getUtility(ISessionFactory)
    factory.clock = clock
    if cold:
        # What a worker remembers is kept by cookie, and this one has always the same.
        for name in factory.tickets._names:
            name.ticket_in = name._decrypt

    def mints(number: int) -> list[str]:
        # Wherever in the table: the identifiers are random, so the next one to a random one is random, too.
        after = select(model.id).where(model.id >= bindparam("at"), model.epoch == 0)
        query = after.order_by(model.id).limit(1)
        policies, now = factory.policies(None), clock()
        with engine.connect() as connection:
            identifiers = [connection.scalar(query, {"at": uuid.uuid4()}) for _ in range(number)]
        version = policies.cookie_version
        tickets = [Ticket(one, cookie_version=version, issued_at=now) for one in identifiers if one]
        return [f"{factory.settings.cookie_name}={factory.tickets.token(ticket)}" for ticket in tickets]

    return Contender(
        app,
        prepare=("new", "login") if full else ("new",),
        versions=versions(
            "pyramid-sqlalchemy-sessions", "pyramid", "pyramid-tm", "zope.sqlalchemy", "sqlalchemy", "psycopg"
        ),
        mints=mints,
    )
