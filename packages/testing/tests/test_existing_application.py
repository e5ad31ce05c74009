"""What the page on an application you have tells people to write does what it says."""

from __future__ import annotations

import configparser
import http.cookiejar
import logging
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import transaction
import webtest
import zope.sqlalchemy
from pages import DOCS, blocks, run
from pyramid.config import Configurator
from pyramid.interfaces import ISessionFactory
from pyramid_sqlalchemy_sessions import UnsupportedSetupError, generate_secret_key, prepare_sqlite_engine
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Mapped, mapped_column, sessionmaker

PAGE = DOCS / "how-to" / "existing-application.md"
KEY = generate_secret_key()


@pytest.fixture
def page():
    """Return the names of the page's code, with a model of the application's own."""
    page = run(PAGE)

    class Visit(page["Base"]):
        __tablename__ = "visit"
        id: Mapped[int] = mapped_column(primary_key=True)

    page["Visit"] = Visit
    yield page
    page["DBSession"].remove()
    transaction.abort()


def settings_of_the_page(name):
    """Return the page's settings in an ini file that contain a name."""
    (block,) = [block for block in blocks(PAGE, "ini") if name in block]
    ini = configparser.ConfigParser()
    ini.read_string(f"[app:main]\n{block}")
    return dict(ini["app:main"])


@pytest.fixture
def serve(tmp_path, page):
    """Make an application of a few parts of the page; return a browser, and the engine."""
    engines = []

    def make(*parts, **settings):
        engine = prepare_sqlite_engine(create_engine(f"sqlite:///{tmp_path / 'application.sqlite'}"))
        engines.append(engine)
        page["Base"].metadata.create_all(engine)
        given = {"session.secret_key": KEY, "session.model_class": page["Session"], **settings}
        with Configurator(settings=given) as config:
            config.include("pyramid_tm")
            for part in parts:
                part(config, engine)
            config.include("pyramid_sqlalchemy_sessions")
            config.add_route("home", "/")
            config.add_view(page["home"], route_name="home", renderer="json")
        return webtest.TestApp(config.make_wsgi_app()), engine

    yield make
    for engine in engines:
        engine.dispose()


EXPLICIT = settings_of_the_page("tm.manager_hook")


def test_the_file_runs_as_it_is_pasted(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    source = blocks(PAGE, "python")[0]
    assert len([line for line in source.splitlines() if line.strip()]) <= 45
    assert "8080" in source
    (tmp_path / "visits.py").write_text(source.replace("8080", str(port)))
    command = [sys.executable, "-W", "error", "-W", "ignore:pkg_resources", "-W", "ignore:Deprecated call"]
    with (tmp_path / "log").open("w+") as log:
        server = subprocess.Popen(
            [*command, "-W", "ignore:'cgi'", "visits.py"],
            cwd=tmp_path,
            env={**os.environ, "SESSION_KEY": KEY},
            stderr=log,
        )
        try:
            browser = urllib.request.build_opener(
                urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
            )
            answers = [visit(browser, f"http://127.0.0.1:{port}/", server) for _ in range(3)]
        finally:
            server.terminate()
            server.wait()
        log.seek(0)
        written = log.read()
    assert answers == ['{"visits": 1}', '{"visits": 2}', '{"visits": 3}']
    assert "Warning" not in written


def visit(browser, address, server):
    """Return what a server answers, as soon as it does."""
    while server.poll() is None:
        try:
            with browser.open(address) as answer:
                return answer.read().decode()
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.05)
    return None


def test_the_files_sessions_end_by_themselves(tmp_path, page, monkeypatch):
    engines = []

    def make(url):
        engines.append(create_engine(url))
        return engines[0]

    monkeypatch.setitem(page, "create_engine", make)
    vars(sys.modules[page["__name__"]])["create_engine"] = make
    app = page["make_app"](f"sqlite:///{tmp_path / 'application.sqlite'}")
    settings = app.registry.getUtility(ISessionFactory).settings
    assert (settings.idle_timeout, settings.absolute_timeout) == (3600, 86400)
    for engine in engines:
        engine.dispose()


def test_another_name_than_dbsession_serves(serve, page):
    def add_db(config, engine):
        make_session = sessionmaker(engine)

        def db(request):
            session = make_session()
            zope.sqlalchemy.register(session, transaction_manager=request.tm)
            return session

        config.add_request_method(db, reify=True)

    browser, _ = serve(add_db, **EXPLICIT, **settings_of_the_page("dbsession_name"))
    assert [browser.get("/").json["visits"] for _ in range(2)] == [1, 2]


class TestAScopedSession:
    """It is shared by views that import it."""

    @pytest.fixture
    def add(self, page):
        def add(config, engine):
            page["DBSession"].configure(bind=engine)
            page["add_scoped_session"](config)
            config.add_route("order", "/order")
            config.add_view(order, route_name="order", renderer="json")

        def order(request):
            page["DBSession"].add(page["Visit"]())
            request.session["ordered"] = True
            if "fail" in request.params:
                raise ZeroDivisionError
            return dict(request.session)

        return add

    def test_is_committed_or_rolled_back_together_with_the_session(self, serve, add, page, caplog):
        with caplog.at_level(logging.WARNING):
            browser, engine = serve(add)
        assert "thread-local" in caplog.text
        assert browser.get("/").json == {"visits": 1}
        with pytest.raises(ZeroDivisionError):
            browser.get("/order?fail")
        browser.get("/")
        assert browser.get("/order").json == {"visits": 2, "ordered": True}
        with engine.connect() as connection:
            assert connection.scalar(select(func.count()).select_from(page["Visit"])) == 1

    def test_is_refused_with_another_manager_than_its_own(self, serve, add):
        browser, _ = serve(add, **EXPLICIT)
        with pytest.raises(UnsupportedSetupError, match="registered with another transaction manager"):
            browser.get("/")


def test_a_factory_made_in_code_serves(serve, page):
    def add(config, engine):
        page["add_dbsession"](config, sessionmaker(engine))
        config.commit()

    browser, _ = serve(add, **EXPLICIT)
    registry = browser.app.registry
    with Configurator(registry=registry) as config:
        page["add_sessions"](config, KEY, page["Session"])
    assert registry.getUtility(ISessionFactory).settings.idle_timeout == 3600
    assert [browser.get("/").json["visits"] for _ in range(2)] == [1, 2]
    assert set(browser.cookies) == {"shop-visitor"}


def test_a_database_session_of_ones_own_making_serves_and_refuses_to_commit_by_hand(serve, page):
    def commit_by_hand(request):
        request.session["visits"] = 7
        request.dbsession.commit()

    def add(config, engine):
        page["add_dbsession"](config, sessionmaker(engine))
        config.add_route("by_hand", "/by_hand")
        config.add_view(commit_by_hand, route_name="by_hand", renderer="json")

    browser, _ = serve(add, **EXPLICIT)
    assert browser.get("/").json == {"visits": 1}
    with pytest.raises(AssertionError, match="Transaction must be committed using the transaction manager"):
        browser.get("/by_hand")
    assert browser.get("/").json == {"visits": 2}
