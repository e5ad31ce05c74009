"""What the tests of pages share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import webtest
import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid_sqlalchemy_sessions import generate_secret_key, prepare_sqlite_engine
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

# For `chromium`, the browser of its tests.
sys.path.append(str(Path(__file__).parents[2] / "pyramid-glue" / "tests"))


@pytest.fixture
def serve(tmp_path):
    """Make an application on SQLite with views at paths of their names; return a browser and the engine."""
    engines = []

    def make(model, configure=None, settings=None, **views):
        engine = prepare_sqlite_engine(create_engine(f"sqlite:///{tmp_path / model.__tablename__}.sqlite"))
        engines.append(engine)
        model.metadata.create_all(engine)
        make_session = sessionmaker(engine)

        def dbsession(request):
            if "app.dbsession" in request.environ:
                return request.environ["app.dbsession"]
            session = make_session()
            zope.sqlalchemy.register(session, transaction_manager=request.tm)
            return session

        with Configurator(
            settings={
                "tm.manager_hook": "pyramid_tm.explicit_manager",
                "retry.attempts": 3,
                "session.secret_key": generate_secret_key(),
                "session.model_class": model,
                **(settings or {}),
            }
        ) as config:
            for name in ("pyramid_tm", "pyramid_retry", "pyramid_sqlalchemy_sessions"):
                config.include(name)
            if configure is not None:
                configure(config)
            config.registry["dbsession_factory"] = make_session
            config.add_request_method(dbsession, reify=True)
            for name, view in views.items():
                config.add_route(name, f"/{name}")
                config.add_view(view, route_name=name, renderer="json")
        return webtest.TestApp(config.make_wsgi_app()), engine

    yield make
    for engine in engines:
        engine.dispose()
