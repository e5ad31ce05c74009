"""What the how-to pages tell people to write does what the pages say."""

from __future__ import annotations

import pytest
import webtest
import zope.sqlalchemy
from pages import DOCS, blocks, run
from pyramid.config import Configurator
from pyramid.csrf import get_csrf_token
from pyramid_sqlalchemy_sessions import generate_secret_key, prepare_sqlite_engine
from sqlalchemy import create_engine, event, inspect
from sqlalchemy.orm import sessionmaker

HOW_TO = DOCS / "how-to"


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
            config.add_request_method(dbsession, reify=True)
            for name, view in views.items():
                config.add_route(name, f"/{name}")
                config.add_view(view, route_name=name, renderer="json")
        return webtest.TestApp(config.make_wsgi_app()), engine

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def columns():
    return run(HOW_TO / "columns.md")


def test_a_column_of_the_models_own_is_read_and_written_on_the_row(serve, columns):
    browser, _ = serve(
        columns["Session"],
        choose=columns["choose_language"],
        language=lambda request: request.session.row().language,
    )
    assert browser.get("/language").json == "en"
    browser.get("/choose?language=fr")
    assert browser.get("/language").json == "fr"


def test_the_user_comes_with_the_sessions_own_query(serve, columns):
    def login(request):
        user = columns["User"](name="Ada")
        request.dbsession.add(user)
        request.dbsession.flush()
        request.session.login(user.id)

    browser, engine = serve(columns["Visit"], login=login, greeting=columns["greeting"])
    assert browser.get("/greeting").json == "Hello"
    browser.get("/login")
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    assert browser.get("/greeting").json == "Hello, Ada"
    (select,) = [statement for statement in statements if "SELECT" in statement]
    assert "JOIN user AS" in select


def test_columns_with_names_and_indexes_of_the_applications_own_serve_as_well(serve, columns):
    browser, engine = serve(
        columns["Login"],
        login=lambda request: request.session.login("ada"),
        who=lambda request: request.session.userid,
    )
    browser.get("/login")
    assert browser.get("/who").json == "ada"
    table = inspect(engine)
    assert "created_at" in {column["name"] for column in table.get_columns("login")}
    assert ["userid", "created_at"] in [index["column_names"] for index in table.get_indexes("login")]


def test_a_form_without_the_sessions_token_is_refused(serve, columns):
    (form,) = blocks(HOW_TO / "csrf.md", "html")
    assert "get_csrf_token()" in form
    assert 'name="csrf_token"' in form
    browser, _ = serve(
        columns["Session"],
        configure=run(HOW_TO / "csrf.md")["includeme"],
        token=get_csrf_token,
        order=lambda request: "ordered",
    )
    token = browser.get("/token").json
    browser.post("/order", status=400)
    assert browser.post("/order", {"csrf_token": token}).json == "ordered"
    assert browser.post("/order", headers={"X-CSRF-Token": token}).json == "ordered"
