"""The application that the glue's tests drive: a real stack, with views that tests write as functions."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pyramid_tm
import pytest
import webtest
import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.interfaces import ISessionFactory
from pyramid.response import Response
from pytest_websession.clock import ManualClock
from sqlalchemy import URL, ForeignKey, String, create_engine, event, func, make_url, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from websession_crypto import generate_secret_key
from websession_models import (
    BaseMixin,
    ClientInfoMixin,
    EncryptedDataMixin,
    FullyFeaturedSession,
    IdleMixin,
    SessionLimitMixin,
    UseridMixin,
)
from websession_models.sqlite import prepare_sqlite_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine


def of_driver(name: str) -> list[pytest.MarkDecorator]:
    """Return the marks of a test that uses a driver by its name in SQLAlchemy's URLs."""
    is_missing = name == "mysqldb" and importlib.util.find_spec("MySQLdb") is None
    return [pytest.mark.skipif(is_missing, reason="mysqlclient, which has to be built, is not installed")]


def with_driver(url: str | URL, name: str) -> URL:
    """Return a throw-away server's URL for another driver, by its name in SQLAlchemy's URLs."""
    url = make_url(url).set(drivername=f"{make_url(url).get_backend_name()}+{name}")
    return url.difference_update_query(["ssl_disabled"]) if name == "mysqldb" else url


class Base(DeclarativeBase):
    """The declarative base of the tests' models."""


class Session(BaseMixin, Base):
    """The session model."""

    __tablename__ = "session"
    note: Mapped[str | None] = mapped_column(String(50))


class Order(Base):
    """Something of the application's own, which must agree with the session."""

    __tablename__ = "shop_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(50))
    session_id: Mapped[Any] = mapped_column(ForeignKey("session.id", ondelete="SET NULL"), nullable=True)


class User(Base):
    """Who logs in."""

    __tablename__ = "shop_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))


class FullSession(FullyFeaturedSession, Base):
    """A session model with every feature."""

    __tablename__ = "full_session"


class SealedSession(EncryptedDataMixin, FullyFeaturedSession, Base):
    """A session model with every feature, whose data is encrypted."""

    __tablename__ = "sealed_session"


class LimitedSession(SessionLimitMixin, FullyFeaturedSession, Base):
    """A session model whose users can have so many."""

    __tablename__ = "limited_session"


class TextSession(ClientInfoMixin, UseridMixin, IdleMixin, BaseMixin, Base):
    """A session model with text userids, which come from outside."""

    __tablename__ = "text_session"
    userid: Mapped[str | None] = mapped_column(String(200))


SECRET_KEY = generate_secret_key()


def make_engine(url: Any, *, recipe: bool = True, **options: Any) -> Engine:
    """Return an engine as the documentation advises: SERIALIZABLE, and SQLite with its recipe."""
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, **options)
        return prepare_sqlite_engine(engine) if recipe else engine
    return create_engine(url, **{"isolation_level": "SERIALIZABLE", **options})


STANDARD_VIEWS: dict[str, Callable[[Any], Any]] = {
    "start": lambda request: request.session.update(a=1),
    "look": lambda request: request.session.copy(),
    "login": lambda request: request.session.login(7),
    "leave": lambda request: request.session.invalidate(),
    "who": lambda request: request.session.userid,
}
"""The views of every site: `start` stores something, `login` is user 7's."""


def cookie_of(browser: webtest.TestApp, name: str = "websession") -> tuple[str, str]:
    """Return name and value of a browser's cookie: the users' if it has one, else the visitors'."""
    name = name if name in browser.cookies else f"{name}-visitor"
    return name, browser.cookies[name]


def copy_cookies(browser: webtest.TestApp, other: webtest.TestApp) -> None:
    """Give another browser the cookies of the first."""
    for name, value in browser.cookies.items():
        other.set_cookie(name, value)


class Site:
    """One application on one database.

    `site.views["name"] = function` answers ``/name``; the function takes the request and returns what shall
    be sent as JSON, or a response. What most tests want to do is there already: `STANDARD_VIEWS`.
    """

    def __init__(
        self,
        url: Any,
        *,
        model: type = Session,
        settings: dict[str, Any] | None = None,
        error_page: Callable[..., Any] | None = None,
        retry: bool = True,
        tm: bool = True,
        configure: Callable[[Configurator], None] | None = None,
        engine_options: dict[str, Any] | None = None,
        dbsession_factory: Callable[[Any], Any] | None = None,
        recipe: bool = True,
    ) -> None:
        self.engine = make_engine(url, recipe=recipe, **(engine_options or {}))
        self.model = model
        model.metadata.create_all(self.engine)  # type: ignore[attr-defined]
        self.views = dict(STANDARD_VIEWS)
        self.statements: list[str] = []
        self._record_statements()
        make_session = sessionmaker(self.engine)

        def dbsession(request: Any) -> Any:
            if "app.dbsession" in request.environ:
                return request.environ["app.dbsession"]
            if dbsession_factory is not None:
                return dbsession_factory(request)
            session = make_session()
            zope.sqlalchemy.register(session, transaction_manager=request.tm)
            return session

        self.dbsession_maker = make_session
        config = Configurator(
            settings={
                "tm.manager_hook": pyramid_tm.explicit_manager,
                "retry.attempts": 3,
                "session.secret_key": SECRET_KEY,
                "session.model_class": model,
                **(settings or {}),
            }
        )
        try:
            if tm:
                config.include("pyramid_tm")
            if retry:
                config.include("pyramid_retry")
            config.include("websession_pyramid")
            if tm or dbsession_factory:
                config.add_request_method(dbsession, "dbsession", reify=True)
            config.add_route("any", "/{name}")
            config.add_view(self._dispatch, route_name="any")
            if error_page is not None:
                config.add_exception_view(error_page, context=Exception)
            if configure is not None:
                configure(config)
            config.commit()
            self.clock = ManualClock(1_800_000_000)
            self.clock.govern(config)
            self.app = config.make_wsgi_app()
        except BaseException:
            self.engine.dispose()
            raise
        self.factory = self.app.registry.getUtility(ISessionFactory)
        self.model.metadata.create_all(self.engine)  # type: ignore[attr-defined]

    def _dispatch(self, request: Any) -> Response:
        answer = self.views[request.matchdict["name"]](request)
        return answer if isinstance(answer, Response) else Response(json_body=answer)

    def _record_statements(self) -> None:
        @event.listens_for(self.engine, "before_cursor_execute")
        def _executed(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            self.statements.append(statement.split(None, 1)[0])

        @event.listens_for(self.engine, "commit")
        def _committed(_conn: Any) -> None:
            self.statements.append("COMMIT")

    def browser(self, **environ: Any) -> webtest.TestApp:
        """Return a browser with an empty cookie jar."""
        return webtest.TestApp(self.app, extra_environ={"HTTP_HOST": "localhost:80", **environ})

    def view(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Serve `function` under its own name."""
        self.views[function.__name__] = function
        return function

    def activity(self) -> list[dict[str, Any]]:
        """Return what is really in the companion table."""
        table = self.model.metadata.tables[f"{self.model.__tablename__}_activity"]  # type: ignore[attr-defined]
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

    def rows(self) -> list[Any]:
        """Return what is really in the table, read on a connection of its own."""
        with self.dbsession_maker() as session:
            return list(session.scalars(select(self.model)))

    def count(self, model: type) -> int:
        """Return the number of rows of any model."""
        with self.dbsession_maker() as session:
            return session.scalar(select(func.count()).select_from(model)) or 0


def enforce_foreign_keys(site: Site) -> None:
    """Let SQLite, too, see to it that foreign keys lead to something."""
    if site.engine.dialect.name == "sqlite":

        @event.listens_for(site.engine, "connect")
        def _connect(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA foreign_keys=ON")

        site.engine.dispose()
