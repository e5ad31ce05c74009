"""The sessions of another library are taken over: its data, once, and a login only where it is asked for.

The old application is one of Pyramid's, on the library's own factory; the Redis server is a real one.
"""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import time
from datetime import UTC, date, datetime, timedelta

import pyramid_session_redis
import pytest
import redis
import webtest
from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.session import SignedCookieSessionFactory
from pyramid_beaker import BeakerSessionFactoryConfig
from site_under_test import FullSession, Site
from websession_core import ConfigurationError, UnstorableValueError

# pyramid_session_redis calls what the driver would rather not be called by.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

SECRET = "of the old application, long enough for everybody"
COOKIE = "old"


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory):
    """Start a Redis server; return its port."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = subprocess.Popen(command, cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            assert server.poll() is None
            time.sleep(0.02)
    client.close()
    yield port
    server.terminate()
    server.wait()


@pytest.fixture(params=["signed cookies", "redis", "beaker"])
def library(request):
    """The library that the old application uses."""
    return request.param


@pytest.fixture
def old_factory(library, request, tmp_path):
    """The old session factory."""
    if library == "signed cookies":
        yield SignedCookieSessionFactory(SECRET, cookie_name=COOKIE, timeout=None)
    elif library == "beaker":
        yield BeakerSessionFactoryConfig(type="file", data_dir=str(tmp_path), key=COOKIE, secret=SECRET)
    else:
        client = redis.Redis(port=request.getfixturevalue("redis_port"))
        yield redis_sessions(client)
        client.close()


def redis_sessions(client):
    return pyramid_session_redis.RedisSessionFactory(
        SECRET, cookie_name=COOKIE, timeout=3600, redis_client_callable=lambda *_, **__: client
    )


@pytest.fixture
def old_site(old_factory):
    """The old application: what is sent to it is done with its session."""

    def view(request):
        for name, value in request.params.items():
            request.session[name] = value
        if "flash" in request.params:
            request.session.flash("Welcome")
            request.session.flash("Careful", "warnings")
        if "token" in request.params:
            request.session.get_csrf_token()
        return Response(json_body={key: value for key, value in request.session.items() if key[0] != "_"})

    with Configurator() as config:
        config.set_session_factory(old_factory)
        config.add_view(view)
    return config.make_wsgi_app()


def user_of(request, old):
    """Return who is logged in to an old session."""
    return int(old["user"]) if "user" in old else None


TODAY = date(2027, 1, 15)  # of the sites' clock
LOGIN = {"login": user_of, "login_until": TODAY, "leave_out": ["user"]}


@pytest.fixture
def make_site(tmp_path, old_factory):
    """Make applications that take sessions over, on SQLite: nothing here depends on the engine."""
    sites = []

    def make(**options):
        arguments = {"factory": old_factory, "cookie_name": COOKIE, **options.pop("take_over", {})}

        def configure(config):
            config.take_over_sessions(**arguments)

        url = f"sqlite:///{tmp_path / 'site.sqlite'}"
        site = Site(url=url, model=FullSession, configure=configure, **options)
        site.views |= {
            "pop": lambda request: [request.session.pop_flash(), request.session.pop_flash("warnings")],
            "token": lambda request: request.session.get_csrf_token(),
            "nothing": lambda request: None,
            "keys": lambda request: sorted(request.session),
        }
        sites.append(site)
        return site

    yield make
    for site in sites:
        site.engine.dispose()


@pytest.fixture
def visitor(old_site):
    """Return a browser of the old application, moved to the new one after it has done something there."""

    def move(site, query="cart=tea"):
        browser = webtest.TestApp(old_site)
        browser.get(f"/?{query}")
        moved = site.browser()
        moved.set_cookie(COOKIE, browser.cookies[COOKIE].strip('"'))
        return moved

    return move


def copy_of(browser, site):
    """Return another browser with a copy of the old cookie."""
    thief = site.browser()
    thief.set_cookie(COOKIE, browser.cookies[COOKIE].strip('"'))
    return thief


class TestTheData:
    def test_is_there_at_the_first_look_and_from_then_on(self, make_site, visitor):
        site = make_site()
        browser = visitor(site)
        answer = browser.get("/look")
        assert answer.json == {"cart": "tea"}
        assert set(browser.cookies) == {"websession-visitor"}
        assert [name for name, _ in answer.headerlist].count("Set-Cookie") == 2
        assert "private" in answer.headers["Cache-Control"]
        assert browser.get("/look").json == {"cart": "tea"}
        assert len(site.rows()) == 1

    def test_comes_with_the_flash_messages(self, make_site, visitor):
        browser = visitor(make_site(), "flash=")
        assert browser.get("/pop").json == [["Welcome"], ["Careful"]]
        assert browser.get("/pop").json == [[], []]

    def test_comes_without_the_token_against_forgery(self, make_site, visitor, old_factory):
        browser = visitor(make_site(), "token=")
        assert browser.get("/look").json == {"token": ""}
        assert len(browser.get("/token").json) == 43

    def test_stays_where_it_is_until_the_session_is_used(self, make_site, visitor):
        browser = visitor(make_site())
        browser.get("/nothing")
        assert set(browser.cookies) == {COOKIE}
        assert browser.get("/look").json == {"cart": "tea"}

    def test_stays_where_it_is_if_the_request_fails(self, make_site, visitor):
        site = make_site(error_page=lambda error, request: Response("sorry", status=500))

        @site.view
        def fail(request):
            request.session["more"] = 1
            raise ZeroDivisionError

        browser = visitor(site)
        browser.get("/fail", status=500)
        assert set(browser.cookies) == {COOKIE}
        assert browser.get("/look").json == {"cart": "tea"}

    def test_is_not_added_to_a_session_of_ours(self, make_site, visitor, caplog):
        site = make_site()
        browser = visitor(site)
        old = browser.cookies[COOKIE].strip('"')
        browser.get("/look")
        browser.get("/start")
        for _ in range(2):
            browser.set_cookie(COOKIE, old)
            assert browser.get("/look").json == {"cart": "tea", "a": 1}
            assert set(browser.cookies) == {"websession-visitor"}
        (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert "another path or domain" in warning

    def test_that_was_kept_on_a_server_can_be_had_once(self, make_site, visitor, library):
        site = make_site()
        browser = visitor(site)
        thief = copy_of(browser, site)
        browser.get("/look")
        # A signed cookie *is* the session, and a copy of it as good as the first.
        assert thief.get("/look").json == ({"cart": "tea"} if library == "signed cookies" else {})
        assert COOKIE not in thief.cookies

    @pytest.mark.parametrize("leave_out", [[], ["secret"]], ids=["nothing else", "a key"])
    def test_of_keys_that_are_left_out_is_left_out(self, make_site, visitor, leave_out):
        browser = visitor(make_site(take_over={"leave_out": leave_out}), "cart=tea&auth.userid=7&secret=x")
        rest = {} if leave_out else {"secret": "x"}
        assert browser.get("/look").json == {"cart": "tea", **rest}

    def test_of_an_old_session_that_is_none_is_nothing_and_the_cookie_goes(self, make_site):
        browser = make_site().browser()
        browser.set_cookie(COOKIE, "nonsense")
        assert browser.get("/look").json == {}
        assert set(browser.cookies) == set()


class TestALogin:
    def test_is_not_taken_over_without_a_function_for_it(self, make_site, visitor):
        browser = visitor(make_site(), "user=7")
        assert browser.get("/who").json is None

    def test_is_taken_over_by_the_function_with_a_new_identity(self, make_site, visitor):
        site = make_site(take_over=LOGIN)
        browser = visitor(site, "user=7&cart=tea")
        assert browser.get("/who").json == 7
        assert browser.get("/look").json == {"cart": "tea"}
        assert [row.userid for row in site.rows()] == [7]

    def test_is_nobodys_where_the_function_knows_nobody(self, make_site, visitor):
        browser = visitor(make_site(take_over=LOGIN))
        assert browser.get("/who").json is None
        assert browser.get("/look").json == {"cart": "tea"}

    @pytest.mark.parametrize(
        "last_day", [TODAY, "2027-01-15", TODAY - timedelta(days=1)], ids=["today", "as text", "yesterday"]
    )
    def test_ends_with_its_last_day_and_the_data_comes_still(self, make_site, visitor, last_day):
        site = make_site(take_over={**LOGIN, "login_until": last_day})
        assert datetime.fromtimestamp(site.clock(), UTC).date() == TODAY
        is_over = last_day == TODAY - timedelta(days=1)
        browser = visitor(site, "user=7&cart=tea")
        assert browser.get("/who").json == (None if is_over else 7)
        assert browser.get("/look").json == {"cart": "tea"}

    def test_does_not_come_back_after_a_logout(self, make_site, visitor):
        browser = visitor(make_site(take_over=LOGIN), "user=7")
        assert browser.get("/who").json == 7
        browser.get("/leave")
        assert set(browser.cookies) == set()
        assert browser.get("/who").json is None

    def test_does_not_come_back_while_the_browser_has_a_cookie_of_ours_that_is_worth_nothing(
        self, make_site, visitor
    ):
        site = make_site(take_over=LOGIN)
        browser = visitor(site, "user=7")
        old = browser.cookies[COOKIE].strip('"')
        browser.get("/who")
        ours = browser.cookies["websession"].strip('"')
        browser.get("/leave")
        browser.set_cookie(COOKIE, old)
        browser.set_cookie("websession", ours)
        assert browser.get("/who").json is None

    def test_of_a_copy_is_worth_nothing_once_the_old_session_was_used(self, make_site, visitor, library):
        site = make_site(take_over=LOGIN)
        browser = visitor(site, "user=7")
        thief = copy_of(browser, site)
        browser.get("/who")
        assert thief.get("/who").json == (7 if library == "signed cookies" else None)

    def test_that_fails_leaves_everything_as_it_was(self, make_site, visitor):
        def fail(request, old):
            return old["user"]  # a text, where the column takes a number

        site = make_site(take_over={**LOGIN, "login": fail})
        browser = visitor(site, "user=7")
        with pytest.raises(UnstorableValueError, match="userid"):
            browser.get("/who")
        assert set(browser.cookies) == {COOKIE}
        assert site.rows() == []


class Thing:
    """What no session holds."""


@pytest.mark.parametrize("library", ["redis", "beaker"], indirect=True)
def test_what_cannot_be_stored_is_named_and_the_rest_taken_over(make_site, old_factory, caplog):
    def view(request):
        request.session.update({"cart": {"tea": [Thing()]}, "name": "Ada", "when": date(2026, 1, 1)})
        return Response()

    with Configurator() as config:
        config.set_session_factory(old_factory)
        config.add_view(view)
    browser = webtest.TestApp(config.make_wsgi_app())
    browser.get("/")
    moved = make_site().browser()
    moved.set_cookie(COOKIE, browser.cookies[COOKIE].strip('"'))
    with caplog.at_level(logging.WARNING):
        assert moved.get("/keys").json == ["name", "when"]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "cart" in warning
    assert "Thing" in warning
    assert "Ada" not in warning


@pytest.mark.parametrize("library", ["redis"], indirect=True)
def test_a_store_that_does_not_answer_is_told_in_the_log_and_keeps_nobody_out(make_site, visitor, caplog):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with redis.Redis(port=port) as client:
        browser = visitor(make_site(take_over={"factory": redis_sessions(client)}))
        with caplog.at_level(logging.WARNING):
            assert browser.get("/look").json == {}
        (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning == "An old session could not be taken over: ConnectionError"
    assert set(browser.cookies) == {COOKIE}


@pytest.mark.parametrize("library", ["signed cookies"], indirect=True)
class TestTheArgumentsThatCannotBe:
    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ({"login": user_of}, "login: has no login_until"),
            ({"login_until": TODAY}, "login_until: has no login"),
            ({"login": user_of, "login_until": "soon"}, "is no date"),
            ({"leave_out": "user"}, "list of keys"),
            ({"cookie_name": "websession"}, "name of a cookie of the new session"),
            ({"cookie_name": "websession-visitor"}, "name of a cookie of the new session"),
            ({"session": "admin_session"}, r"request\.admin_session is no session of ours"),
        ],
    )
    def test_stop_the_start(self, make_site, arguments, problem):
        with pytest.raises(Exception, match=problem) as refusal:
            make_site(take_over=arguments)
        cause = getattr(refusal.value, "evalue", refusal.value)
        assert isinstance(cause, ConfigurationError)
