"""An application in an ini file, for the tests of the commands."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import zope.sqlalchemy
from pyramid.config import Configurator
from site_under_test import SECRET_KEY, Base, make_engine
from sqlalchemy import event
from sqlalchemy.orm import sessionmaker
from websession_pyramid import SessionEmptied

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

engines: list[Engine] = []
"""Every engine that an application of ours has made, for the tests to dispose of."""

GOOD = {
    "session.secret_key": SECRET_KEY,
    "session.model_class": "site_under_test.FullSession",
    "tm.manager_hook": "pyramid_tm.explicit_manager",
}


def main(global_config: dict[str, str], **settings: Any) -> Any:
    """Return the application that the ini file's settings describe."""
    if name := settings.get("command_site.needs_global"):
        assert name in global_config
    if message := settings.get("command_site.raise"):
        raise RuntimeError(message)
    level = settings.get("command_site.isolation_level")
    engine = make_engine(settings["sqlalchemy.url"], **({"isolation_level": level} if level else {}))
    engines.append(engine)
    if settings.get("command_site.tables", "true") == "true":
        Base.metadata.create_all(engine)
    make_session = sessionmaker(engine)

    def dbsession(request: Any) -> Any:
        session = make_session()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    config = Configurator(settings=settings)
    config.include("pyramid_tm")
    if settings.get("command_site.retry", "true") == "true":
        config.include("pyramid_retry")
    if settings.get("command_site.sessions", "true") == "true":
        config.include("websession_pyramid")
    if name := settings.get("command_site.include"):
        config.include(name)
    if settings.get("command_site.dbsession", "true") == "true":
        config.add_request_method(dbsession, reify=True)
    return config.make_wsgi_app()


def clearing_emptied_rows(config: Configurator) -> None:
    """Let a column of an emptied row be the application's to clear."""

    def clear(event: SessionEmptied) -> None:
        event.connection.execute(event.update.values(csrf_token=f"cleared {event.session}"))

    config.add_subscriber(clear, SessionEmptied)


def warning_of_its_own(config: Configurator) -> None:
    """Warn, as an application or a library may when it starts."""
    warnings.warn("of the application's own", UserWarning, stacklevel=1)


def failing_at_emptied_rows(config: Configurator) -> None:
    """Let the application fail where it might clear a column of an emptied row."""

    def fail(event: SessionEmptied) -> None:
        event.connection.execute(event.update.values(csrf_token="half done"))
        raise ZeroDivisionError

    config.add_subscriber(fail, SessionEmptied)


def root_of_a_real_request(config: Configurator) -> None:
    """Let the root need what only a real request has."""

    def make_root(request: Any) -> Any:
        return request.matchdict["name"]

    config.set_root_factory(make_root)


def exiting(config: Configurator) -> None:
    """End the process, as an application does that lacks a variable of its environment."""
    sys.exit("SHOP_SECRET is not set")


def interrupted(config: Configurator) -> None:
    """Be interrupted."""
    raise KeyboardInterrupt


def refusing_connections(config: Configurator) -> None:
    """Let the application's own code fail when it connects."""

    @event.listens_for(engines[-1].pool, "connect")
    def fail(*_: Any) -> None:
        raise RuntimeError("no password in the vault")

    engines[-1].dispose()


def prefix_filter(global_config: dict[str, str]) -> Any:
    """Return a filter as PasteDeploy knows them, which passes no registry on."""

    def wrap(app: Any) -> Any:
        def wrapped(environ: Any, start_response: Any) -> Any:
            return app(environ, start_response)

        return wrapped

    return wrap


def composite(loader: Any, global_config: dict[str, str], **names: str) -> Any:
    """Return a composite as PasteDeploy knows them."""
    apps = [loader.get_app(name, global_conf=global_config) for name in names.values()]

    def first(environ: Any, start_response: Any) -> Any:
        return apps[0](environ, start_response)

    return first


def write_ini(path: Path, url: str, **settings: str | None) -> str:
    """Write the ini file of a good application with some settings otherwise; return its name.

    Args:
        path: The folder to write it to.
        url: The database.
        settings: Further settings, with ``__`` for a point in the name; None leaves a good one out.
    """
    given = {name.replace("__", "."): value for name, value in settings.items()}
    lines = {**GOOD, "sqlalchemy.url": url, **given}
    written = [f"{name} = {value.replace('%', '%%')}" for name, value in lines.items() if value is not None]
    file = path / "site.ini"
    file.write_text("\n".join(["[app:main]", "use = call:command_site:main", *written, ""]))
    file.chmod(0o600)
    return str(file)
