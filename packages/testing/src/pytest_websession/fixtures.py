"""The fixtures for tests of an application: clock, browsers, requests, sessions, statements.

Imported with the plugin, in every run of every project it is installed beside: see there for why everything
is imported late.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from .clock import ManualClock
from .usage import usage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .browser import Browser
    from .memory import MemorySession
    from .statements import StatementCounter

__all__ = [
    "websession_app",
    "websession_browser",
    "websession_browser_class",
    "websession_clock",
    "websession_dbsession",
    "websession_dummy_request",
    "websession_environ",
    "websession_fill_database",
    "websession_main",
    "websession_memory_session",
    "websession_new_browser",
    "websession_settings",
    "websession_statements",
    "websession_tm",
]

COMMITS = "websession_commits"
MAIN = "websession_main"
SETTINGS_FILE = "websession_ini"
# A project's fixtures, as they are called in Pyramid's cookiecutter, and ours that give them.
OURS_OF_PROJECT = {"app": "websession_app", "dbsession": "websession_dbsession", "tm": "websession_tm"}


def commits(request: pytest.FixtureRequest) -> bool:
    """Return whether the test wants its requests to commit."""
    return request.node.get_closest_marker(COMMITS) is not None


def fixture_of_project(request: pytest.FixtureRequest, name: str) -> Any:
    """Return a fixture that the project may have, None if it has none of that name."""
    try:
        return request.getfixturevalue(name)
    except pytest.FixtureLookupError as error:
        if error.argname == OURS_OF_PROJECT[name]:
            usage_error(
                f"The project's fixture `{name}` asks for `{error.argname}`, which would be that very "
                f"fixture: let the tests ask for `{error.argname}` themselves."
            )
        # It may be there, and ask for one that is not.
        if error.argname != name:
            raise
        return None


def names_asked_for_later(metafunc: pytest.Metafunc) -> set[str]:
    """Return the fixtures that ours ask for only while they run, and all that those ask for.

    pytest cannot know them, and one that is parametrized has to be known when tests are collected.
    """
    if "websession_app" not in metafunc.fixturenames:
        return set()
    # pytest has no public way to ask what fixtures there are.
    manager = metafunc.definition.session._fixturemanager
    names: set[str] = set()
    queue = list(OURS_OF_PROJECT)
    while queue:
        name = queue.pop()
        definitions = manager.getfixturedefs(name, metafunc.definition)
        if definitions and name not in names:
            names.add(name)
            queue += definitions[-1].argnames
    is_marked = metafunc.definition.get_closest_marker(COMMITS) is not None
    if metafunc.config.getini(MAIN) and (is_marked or "app" not in names):
        names.add("websession_engine_name")
    return names


# -- the application -----------------------------------------------------------------------------------------


@pytest.fixture
def websession_app(request: pytest.FixtureRequest) -> Any:
    """The application under test, as `config.make_wsgi_app()` returns it: the project's fixture `app`.

    Override it if yours has another name. If there is none, or the test is marked `websession_commits`, and
    pytest's configuration has `websession_main`, that function creates it, on a throw-away database of each
    engine: one for all tests, or a separate one for a marked test.
    """
    is_to_commit = commits(request)
    if request.config.getini(MAIN) and is_to_commit:
        return request.getfixturevalue("_websession_app_for_a_test")
    app = fixture_of_project(request, "app")
    if app is None and request.config.getini(MAIN):
        return request.getfixturevalue("_websession_app_for_many_tests")
    if app is None:
        usage_error(
            "There is no application to test. Have a fixture `app` that returns what "
            f"config.make_wsgi_app() returns; or say where main() is, in pytest's configuration: {MAIN} = "
            "yourproject:main; or override the fixture `websession_app`."
        )
    if not hasattr(app, "registry"):
        usage_error(
            f"The fixture `app` gives {type(app).__name__}, which has no registry. Override the fixture "
            "`websession_app` to return what config.make_wsgi_app() returns, without WSGI middleware."
        )
    return app


@pytest.fixture(scope="session")
def websession_main(pytestconfig: pytest.Config) -> Callable[..., Any]:
    """The function `main(global_config, **settings)` that pytest's configuration names."""
    from pyramid.path import DottedNameResolver

    name = pytestconfig.getini(MAIN)
    try:
        main: Callable[..., Any] = DottedNameResolver(None).resolve(name)
    except (ImportError, ValueError) as error:
        usage_error(f"{MAIN} = {name} (pytest's configuration) leads nowhere: {error}.")
    return main


@pytest.fixture(scope="session")
def websession_settings(pytestconfig: pytest.Config) -> dict[str, Any]:
    """The settings for `websession_main`: those of the ini file that pytest's configuration names.

    Override it to use others. `sqlalchemy.url` is added, and `session.secret_key` if it is missing.
    """
    path = pytestconfig.getini(SETTINGS_FILE)
    if not path:
        return {}
    from pyramid.paster import get_appsettings

    return dict(get_appsettings(str(pytestconfig.rootpath / path)))


@pytest.fixture(scope="session")
def websession_fill_database() -> Callable[[Any, Any], None]:
    """Prepare each new database by creating all tables. Override it to migrate, or to add rows.

    It is called with the application and its engine.
    """
    from websession_models import features_of
    from websession_pyramid import web_session_factories

    def fill(app: Any, engine: Any) -> None:
        for factory in web_session_factories(app.registry).values():
            features_of(factory.settings.model_class).table.metadata.create_all(engine)

    return fill


@pytest.fixture(scope="session")
def _websession_make_app(
    websession_main: Callable[..., Any],
    websession_settings: dict[str, Any],
    websession_fill_database: Callable[[Any, Any], None],
) -> Callable[[str], contextlib.AbstractContextManager[Any]]:
    """Make the application on the database of a URL."""
    from websession_crypto import generate_secret_key
    from websession_pyramid import web_session_factories

    from .requests import engine_of

    @contextlib.contextmanager
    def make_app(url: str) -> Iterator[Any]:
        defaults = {"session.secret_key": generate_secret_key()}
        app = websession_main({}, **{**defaults, **websession_settings, "sqlalchemy.url": url})
        factory = next(iter(web_session_factories(app.registry).values()), None)
        if factory is None:
            usage_error(f"The application of {MAIN} has no sessions of this library.")
        engine = engine_of(app.registry, {}, factory)
        websession_fill_database(app, engine)
        yield app
        engine.dispose()

    return make_app


def _shared_app_on(engine: str) -> Any:
    # One for each engine, so that each is gone before its server. Not one that is parametrized by the engine:
    # a test may name its engine by a parameter, which is the test's own, and this is the session's.
    @pytest.fixture(scope="session", name=f"_websession_app_on_{engine}")
    def app_on_engine(
        _websession_new_database: Callable[[str, Path], contextlib.AbstractContextManager[str]],
        _websession_make_app: Callable[[str], contextlib.AbstractContextManager[Any]],
        tmp_path_factory: pytest.TempPathFactory,
    ) -> Iterator[Any]:
        folder = tmp_path_factory.mktemp("websession")
        with _websession_new_database(engine, folder) as url, _websession_make_app(url) as app:
            yield app

    return app_on_engine


_websession_app_on_sqlite = _shared_app_on("sqlite")
_websession_app_on_postgresql = _shared_app_on("postgresql")
_websession_app_on_mariadb = _shared_app_on("mariadb")
_websession_app_on_mysql = _shared_app_on("mysql")


@pytest.fixture
def _websession_app_for_many_tests(request: pytest.FixtureRequest, websession_engine_name: str) -> Any:
    return request.getfixturevalue(f"_websession_app_on_{websession_engine_name}")


@pytest.fixture
def _websession_app_for_a_test(
    websession_database_url: str,
    _websession_make_app: Callable[[str], contextlib.AbstractContextManager[Any]],
) -> Iterator[Any]:
    with _websession_make_app(websession_database_url) as app:
        yield app


@pytest.fixture
def websession_clock(websession_app: Any) -> Iterator[ManualClock]:
    """A clock that stands still until the test moves it; all sessions of the application use it.

    It starts at the current time, and the application gets its own clock back after the test.
    """
    clock = ManualClock()
    clock.govern(websession_app)
    yield clock
    clock.release()


# -- the transaction around a test ---------------------------------------------------------------------------


@pytest.fixture
def websession_tm(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The transaction manager of the test's transaction: the project's fixture `tm`, or one as it should be.

    The transaction is doomed: everything is rolled back after the test.
    """
    manager = fixture_of_project(request, "tm")
    if manager is not None:
        yield manager
        return
    import transaction

    manager = transaction.TransactionManager(explicit=True)
    manager.begin()
    manager.doom()
    yield manager
    manager.abort()


@pytest.fixture
def websession_dbsession(request: pytest.FixtureRequest, websession_app: Any) -> Iterator[Any]:
    """A SQLAlchemy session of the application's: the project's fixture `dbsession`, or one as it should be.

    It is the one that all requests of the test use. In a test marked `websession_commits` the requests have
    their own, and this one sees what they have committed, and must be committed by the test.
    """
    dbsession = None if commits(request) else fixture_of_project(request, "dbsession")
    if dbsession is not None:
        yield dbsession
        return
    make = websession_app.registry.get("dbsession_factory")
    if make is None:
        usage_error(
            "The application does not keep what makes its database sessions in "
            'registry["dbsession_factory"]. '
            'Put the sessionmaker there (config.registry["dbsession_factory"] = sessionmaker(engine)), and '
            'let request.dbsession return request.environ["app.dbsession"] when it is there, as in '
            "Pyramid's cookiecutter; or have a fixture `dbsession`, or override the fixture "
            "`websession_dbsession`."
        )
    with make() as dbsession:
        if not commits(request):
            import zope.sqlalchemy

            manager = request.getfixturevalue("websession_tm")
            zope.sqlalchemy.register(dbsession, transaction_manager=manager)
        yield dbsession


@pytest.fixture
def websession_environ(request: pytest.FixtureRequest, websession_app: Any) -> dict[str, Any]:
    """Additional keys in the WSGI environment of every request of the test.

    They are those of the cookiecutter's own tests, so that all requests of the test share one database
    session in one transaction, which is rolled back after it. For a test marked `websession_commits` there
    are none. Override it to let the requests of a whole project or file commit: return {}.
    """
    if commits(request):
        return {}
    environ = {
        "tm.active": True,
        "tm.manager": request.getfixturevalue("websession_tm"),
        "app.dbsession": request.getfixturevalue("websession_dbsession"),
    }
    _check_that_requests_share_the_dbsession(websession_app, environ)
    return environ


def _check_that_requests_share_the_dbsession(app: Any, environ: dict[str, Any]) -> None:
    from websession_pyramid import web_session_factories

    from .requests import bare_request, database_session

    for factory in web_session_factories(app.registry).values():
        with bare_request(app.registry, environ) as request:
            dbsession = database_session(request, factory)
        if dbsession is not environ["app.dbsession"]:
            name = factory.settings.dbsession_name
            usage_error(
                f"The application's request.{name} is not the database session that a test has put into "
                'request.environ["app.dbsession"], so a test cannot hold one transaction around its '
                f"requests. Let request.{name} return it when it is there, as Pyramid's cookiecutter does; "
                f"or mark the test {COMMITS}; or override the fixture `websession_environ` to return {{}}."
            )


# -- browsers ------------------------------------------------------------------------------------------------


@pytest.fixture
def websession_browser_class() -> type[Browser]:
    """The class of the browsers; override it to give them methods of your own."""
    from .browser import Browser

    return Browser


@pytest.fixture
def websession_new_browser(
    request: pytest.FixtureRequest,
    websession_app: Any,
    websession_environ: dict[str, Any],
    websession_browser_class: type[Browser],
) -> Callable[[], Browser]:
    """Make a browser with no cookies, each time it is called."""

    def make() -> Browser:
        # If the test has a clock.
        names = request.fixturenames
        clock = request.getfixturevalue("websession_clock") if "websession_clock" in names else None
        return websession_browser_class(websession_app, websession_environ, clock=clock)

    return make


@pytest.fixture
def websession_browser(websession_new_browser: Callable[[], Browser]) -> Browser:
    """A browser without cookies, which sends its requests over https."""
    return websession_new_browser()


# -- requests and sessions without a browser -----------------------------------------------------------------


@pytest.fixture
def websession_dummy_request(
    request: pytest.FixtureRequest, websession_app: Any, websession_tm: Any, websession_dbsession: Any
) -> Iterator[Any]:
    """Pyramid's `DummyRequest` with a real session, stored in the test's transaction: to call views with."""
    if commits(request):
        usage_error(
            f"A dummy request never ends, so nothing of it is committed: leave the mark {COMMITS} away, or "
            "send a request with `websession_browser`."
        )
    from pyramid.testing import DummyRequest
    from pyramid.threadlocal import RequestContext
    from websession_pyramid import web_session_factories

    dummy = DummyRequest(tm=websession_tm)
    dummy.registry = websession_app.registry
    for name, factory in web_session_factories(websession_app.registry).items():
        setattr(dummy, factory.settings.dbsession_name, websession_dbsession)
        setattr(dummy, name, factory(dummy))
    context = RequestContext(dummy)
    context.begin()
    yield dummy
    context.end()


@pytest.fixture
def websession_memory_session() -> MemorySession:
    """A new session in memory, for tests without an application."""
    from .memory import MemorySession

    return MemorySession()


@pytest.fixture
def websession_statements(websession_app: Any, websession_environ: dict[str, Any]) -> StatementCounter:
    """Count the SQL statements of a block, and assert their number: see `StatementCounter`."""
    from websession_pyramid import web_session_factories

    from .requests import engine_of
    from .statements import StatementCounter

    registry = websession_app.registry
    factory = next(iter(web_session_factories(registry).values()), None)
    if factory is None:
        usage_error(
            "The application has no sessions of this library, so it is not known which engine is meant."
        )
    return StatementCounter(engine_of(registry, websession_environ, factory))
