"""The fixtures of the cookiecutter: each test runs in one outer transaction, doomed, then aborted."""

from pathlib import Path

import alembic.command
import alembic.config
import pytest
import transaction
import webtest
from pyramid.paster import get_appsettings
from pyramid.scripting import prepare
from pyramid.testing import DummyRequest, testConfig
from yourproject import main, models
from yourproject.models.meta import Base


def pytest_addoption(parser):
    parser.addoption("--ini", metavar="INI_FILE", default="testing.ini")


@pytest.fixture(scope="session")
def ini_file(request):
    return str(Path(request.config.option.ini).resolve())


@pytest.fixture(scope="session")
def app_settings(ini_file):
    return get_appsettings(ini_file)


@pytest.fixture(scope="session")
def dbengine(app_settings, ini_file):
    engine = models.get_engine(app_settings)
    config = alembic.config.Config(ini_file)
    Base.metadata.drop_all(bind=engine)
    alembic.command.stamp(config, None, purge=True)
    alembic.command.upgrade(config, "head")
    yield engine
    Base.metadata.drop_all(bind=engine)
    alembic.command.stamp(config, None, purge=True)
    engine.dispose()


@pytest.fixture(scope="session")
def app(app_settings, dbengine):
    return main({}, dbengine=dbengine, **app_settings)


@pytest.fixture
def tm():
    tm = transaction.TransactionManager(explicit=True)
    tm.begin()
    tm.doom()
    yield tm
    tm.abort()


@pytest.fixture
def dbsession(app, tm):
    return models.get_tm_session(app.registry["dbsession_factory"], tm)


@pytest.fixture
def testapp(app, tm, dbsession):
    environ = {
        "HTTP_HOST": "example.com",
        "tm.active": True,
        "tm.manager": tm,
        "app.dbsession": dbsession,
    }
    return webtest.TestApp(app, extra_environ=environ)


@pytest.fixture
def app_request(app, tm, dbsession):
    """A real request, without a WSGI server around it."""
    with prepare(registry=app.registry) as env:
        request = env["request"]
        request.host = "example.com"
        request.dbsession = dbsession
        request.tm = tm
        yield request


@pytest.fixture
def dummy_request(tm, dbsession):
    """A light request, without the application's request methods."""
    request = DummyRequest()
    request.host = "example.com"
    request.dbsession = dbsession
    request.tm = tm
    return request


@pytest.fixture
def dummy_config(dummy_request):
    with testConfig(request=dummy_request) as config:
        yield config
