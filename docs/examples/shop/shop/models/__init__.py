"""The database: its tables, its engine, and `request.dbsession`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zope.sqlalchemy
from pyramid_sqlalchemy_sessions import prepare_sqlite_engine
from sqlalchemy import Engine, engine_from_config, event
from sqlalchemy.orm import Session as DatabaseSession
from sqlalchemy.orm import configure_mappers, sessionmaker

# Every model is imported here, so that the metadata is complete before anybody uses it.
from .order import Order, OrderLine
from .product import Product
from .session import Session
from .user import User
from .wrong_password import WrongPassword

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request
    from transaction import TransactionManager

__all__ = [
    "Order",
    "OrderLine",
    "Product",
    "Session",
    "User",
    "WrongPassword",
    "get_engine",
    "get_session_factory",
    "get_tm_session",
    "includeme",
]

# Relationships name classes by strings; a mistake in one shows here, not in the first request.
configure_mappers()


def get_engine(settings: dict[str, Any], prefix: str = "sqlalchemy.") -> Engine:
    """The engine the settings describe; on SQLite with transactions that really isolate."""
    # Values stay out of error messages, and so out of the log: addresses are among them, and sessions.
    engine = engine_from_config(settings, prefix, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        prepare_sqlite_engine(engine)
        event.listen(engine, "connect", _enforce_foreign_keys)
    return engine


def _enforce_foreign_keys(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.execute("PRAGMA foreign_keys = ON")


def get_session_factory(engine: Engine) -> sessionmaker[DatabaseSession]:
    """What makes database sessions on this engine."""
    return sessionmaker(bind=engine)


def get_tm_session(
    session_factory: sessionmaker[DatabaseSession],
    transaction_manager: TransactionManager,
    request: Request | None = None,
) -> DatabaseSession:
    """A database session that commits and rolls back with the manager's transaction.

    In a request pyramid_tm ends that transaction. In a script, do it yourself::

        tm = transaction.TransactionManager(explicit=True)
        with tm:
            dbsession = get_tm_session(session_factory, tm)
            dbsession.add(Product(...))
    """
    dbsession = session_factory(info={"request": request})
    zope.sqlalchemy.register(dbsession, transaction_manager=transaction_manager)
    return dbsession


def includeme(config: Configurator) -> None:
    """Give each request one transaction (`request.tm`) and its database session (`request.dbsession`)."""
    settings = config.get_settings()
    settings["tm.manager_hook"] = "pyramid_tm.explicit_manager"
    # Our security policy reads the web session: naming the user in each transaction would load it for
    # every request, also for the stylesheet.
    settings["tm.annotate_user"] = "false"

    config.include("pyramid_tm")
    config.include("pyramid_retry")

    # Tests and scripts may bring an engine of their own.
    engine = settings.get("dbengine")
    if engine is None:
        engine = get_engine(settings)
    session_factory = get_session_factory(engine)
    config.registry["dbsession_factory"] = session_factory

    def dbsession(request: Request) -> DatabaseSession:
        # A functional test may bring a database session whose transaction it rolls back in the end.
        given: DatabaseSession | None = request.environ.get("app.dbsession")
        if given is not None:
            return given
        return get_tm_session(session_factory, request.tm, request=request)

    config.add_request_method(dbsession, reify=True)
