"""What the how-to pages tell people to write does what the pages say."""

from __future__ import annotations

import base64
import configparser
import dataclasses
import json
import re
import sys
import types
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import webtest
from flask import session
from markupsafe import Markup
from pages import DOCS, blocks, run
from pyramid.authorization import Allow, Authenticated
from pyramid.csrf import get_csrf_token
from pyramid.i18n import TranslationString
from pyramid.security import forget, remember
from pyramid.session import SignedCookieSessionFactory
from pyramid_sqlalchemy_sessions import (
    ClientInfoMixin,
    ConfigurationError,
    FullyFeaturedSession,
    SessionLimitMixin,
    SessionSecurityPolicy,
    generate_secret_key,
    get_session_factory,
)
from pytest_websession.clock import ManualClock
from pytest_websession.memory import MemorySession
from sqlalchemy import event, inspect, select
from sqlalchemy.orm import DeclarativeBase
from waitress import adjustments, proxy_headers
from websession_crypto import PayloadTooLongError

HOW_TO = DOCS / "how-to"


@pytest.mark.parametrize(
    "name",
    [
        "how-to/clean-up",
        "how-to/encryption",
        "how-to/several-sessions",
        "explanation/theft",
        "reference/errors",
    ],
)
def test_the_python_of_a_page_that_stands_alone_runs(name):
    assert run(DOCS / f"{name}.md")


def test_a_subrequest_shares_the_session(serve):
    class Base(DeclarativeBase):
        pass

    class Session(FullyFeaturedSession, Base):
        __tablename__ = "session"

    page = run(HOW_TO / "subrequests.md")
    browser, _ = serve(Session, page=page["page"], menu=page["menu"])
    assert browser.get("/page").json == {"menu": "{}", "seen": ["page", "menu"]}


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


class Root:
    """The context of all views."""

    __acl__ = ((Allow, Authenticated, ("account", "lock_out")),)

    def __init__(self, request):
        pass


class TestTheViewsOfThePageOnUsers:
    """They log in and out, and ask for the password once more."""

    @pytest.fixture
    def page(self):
        page = run(HOW_TO / "users.md")
        page["User"].check_password = lambda user, password: password == f"{user.name}'s"
        return page

    @pytest.fixture
    def app(self, serve, page):
        def configure(config):
            config.include(page["includeme"])
            config.set_root_factory(Root)
            for name in ("home", "login", "logout", "delete_account"):
                config.add_route(name, f"/{name}")
            config.scan(sys.modules[page["__name__"]])

        browser, _ = serve(
            page["Session"],
            configure,
            {"tm.annotate_user": "false"},
            who=lambda request: request.identity and request.identity.name,
            fill=lambda request: request.session.update(cart="tea"),
            cart=lambda request: request.session.get("cart"),
            sign_up=page["sign_up"],
        )
        return browser.app

    @pytest.fixture(autouse=True)
    def _people(self, websession_dbsession, page):
        websession_dbsession.add_all(page["User"](name=name) for name in ("ada", "noor"))

    @staticmethod
    def log_in(browser, name):
        answer = browser.post("/login", {"name": name, "password": f"{name}'s"}, status=303)
        assert answer.location.endswith("/home")

    def test_log_in_and_out(self, websession_browser):
        browser = websession_browser
        answer = browser.post("/login", {"name": "ada", "password": "a guess"}, status=303)
        assert answer.location.endswith("/login")
        assert browser.get("/who").json is None
        self.log_in(browser, "ada")
        assert browser.get("/who").json == "ada"
        browser.post("/logout", status=303)
        assert browser.get("/who").json is None

    def test_keep_a_visitors_cart_and_not_another_users(self, websession_browser):
        browser = websession_browser
        browser.get("/fill")
        for name, cart in (("ada", "tea"), ("ada", "tea"), ("noor", None)):
            self.log_in(browser, name)
            assert (browser.get("/who").json, browser.get("/cart").json) == (name, cart)

    def test_let_a_guests_account_become_a_real_one_with_the_cart(self, websession_browser):
        browser = websession_browser
        self.log_in(browser, "ada")
        browser.get("/fill")
        browser.post("/sign_up", {"name": "grace"})
        assert (browser.get("/who").json, browser.get("/cart").json) == ("grace", "tea")

    def test_ask_for_the_password_once_more_after_five_minutes(
        self, websession_browser, websession_clock, websession_dbsession, page
    ):
        browser = websession_browser
        self.log_in(browser, "ada")
        websession_clock.advance(minutes=5, seconds=1)
        answer = browser.post("/delete_account", status=303)
        assert answer.location.endswith("/login?next=%2Fdelete_account")
        assert browser.get("/who").json == "ada"
        self.log_in(browser, "ada")
        assert browser.post("/delete_account", status=303).location.endswith("/home")
        assert browser.get("/who").json is None
        assert websession_dbsession.scalars(select(page["User"].name)).all() == ["noor"]


def test_a_user_who_does_not_tick_remember_me_is_not_remembered_any_more(serve):
    log_in = run(HOW_TO / "timeouts.md")["log_in"]
    browser, _ = serve(
        FullSession,
        configure=lambda config: config.set_security_policy(SessionSecurityPolicy()),
        login=lambda request: log_in(request, types.SimpleNamespace(id=7)),
        timeouts=lambda request: [
            getattr(request.session.settings, name)
            for name in ("idle_timeout", "absolute_timeout", "cookie_max_age")
        ],
    )
    assert "Max-Age=2592000;" in browser.post("/login", {"remember_me": "on"}).headers["Set-Cookie"]
    assert browser.get("/timeouts").json == [0, 2592000, 2592000]
    assert "Max-Age" not in browser.post("/login").headers["Set-Cookie"]
    assert browser.get("/timeouts").json == [None, None, None]


class TestThePageOnSeveralSessions:
    """Its settings start, and its view goes by the session that it names."""

    @pytest.fixture
    def browser(self, serve, monkeypatch):
        page = run(HOW_TO / "several-sessions.md")
        monkeypatch.setenv("ADMIN_SESSION_KEY", generate_secret_key())
        monkeypatch.setitem(
            sys.modules, "yourproject", types.SimpleNamespace(models=sys.modules[page["__name__"]])
        )
        ini = configparser.ConfigParser()
        ini.read_string("[app:main]\n" + "".join(blocks(HOW_TO / "several-sessions.md", "ini")))

        class Policy:
            customers = SessionSecurityPolicy()
            administrators = SessionSecurityPolicy(session="admin_session")

            def of(self, request):
                return self.administrators if request.path == "/lock_out" else self.customers

            def identity(self, request):
                return self.of(request).identity(request)

            def permits(self, request, context, permission):
                return self.of(request).permits(request, context, permission)

        def configure(config):
            config.add_web_session("admin_session")
            config.set_security_policy(Policy())
            config.set_root_factory(Root)
            config.add_route("lock_out", "/lock_out")
            config.scan(sys.modules[page["__name__"]])

        browser, _ = serve(
            page["Session"],
            configure,
            {**ini["app:main"], "tm.annotate_user": "false"},
            enter=lambda request: request.session.login(int(request.params["customer"])),
            enter_staff=lambda request: request.admin_session.login(1),
            who=lambda request: request.session.userid,
        )
        return webtest.TestApp(browser.app, extra_environ={"wsgi.url_scheme": "https"})

    def test_gives_both_sessions_a_cookie_that_no_other_host_can_set(self, browser):
        browser.get("/enter?customer=7")
        browser.get("/enter_staff")
        assert set(browser.cookies) == {"__Host-session", "__Host-admin"}

    def test_lets_an_administrator_end_a_customers_sessions(self, browser):
        customer = webtest.TestApp(browser.app, extra_environ={"wsgi.url_scheme": "https"})
        customer.get("/enter?customer=7")
        browser.get("/enter?customer=1")
        browser.post("/lock_out", {"customer": "7"}, status=403)
        assert customer.get("/who").json == 7
        browser.get("/enter_staff")
        assert browser.post("/lock_out", {"customer": "7"}).json == 1
        assert customer.get("/who").json is None
        assert browser.get("/who").json == 1


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


class Tokens:
    """A security policy for programs, which knows one of them."""

    def identity(self, request):
        return "robot" if request.headers["Authorization"] == "Bearer sesame" else None

    authenticated_userid = identity


def test_a_program_with_a_token_is_known_without_a_look_at_the_session(serve, columns):
    policy = run(HOW_TO / "subdomains.md")["Policy"](Tokens())
    browser, engine = serve(
        columns["Session"],
        configure=lambda config: config.set_security_policy(policy),
        login=lambda request: remember(request, 7) and None,
        who=lambda request: request.authenticated_userid,
    )
    browser.get("/login")
    assert browser.get("/who").json == 7
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    assert browser.get("/who", headers={"Authorization": "Bearer sesame"}).json == "robot"
    assert browser.get("/who", headers={"Authorization": "Bearer guess"}).json is None
    assert statements == []


def test_behind_waitress_as_the_page_sets_it_up_the_proxys_header_decides_on_secure(serve, columns):
    _, _, section = blocks(HOW_TO / "proxies.md", "text")[0].partition("[server:main]\n")
    settings = dict(re.findall(r"^(trusted\w+|clear\w+) = (.*)$", section, re.MULTILINE))
    trust = adjustments.Adjustments(**settings)
    browser, _ = serve(columns["Session"], visit=lambda request: request.session.flash("Hello"))
    behind = webtest.TestApp(
        proxy_headers.proxy_headers_middleware(
            browser.app,
            trusted_proxy=trust.trusted_proxy,
            trusted_proxy_count=trust.trusted_proxy_count,
            trusted_proxy_headers=trust.trusted_proxy_headers,
            clear_untrusted=trust.clear_untrusted_proxy_headers,
        )
    )

    def is_secure(address):
        behind.reset()
        answer = behind.get(
            "/visit", headers={"X-Forwarded-Proto": "https"}, extra_environ={"REMOTE_ADDR": address}
        )
        return "; secure" in answer.headers["Set-Cookie"].lower()

    assert is_secure("127.0.0.1")
    assert not is_secure("192.0.2.1")


@pytest.fixture
def codec(monkeypatch):
    monkeypatch.setenv("COOKIE_KEY", generate_secret_key())
    return run(HOW_TO / "codec.md")


def test_flask_keeps_its_session_in_a_cookie_that_the_browser_cannot_read_or_change(codec):
    browser = codec["app"].test_client()
    base = {"base_url": "https://localhost"}
    assert browser.get("/add", **base).text == "1 apples"
    assert browser.get("/add", **base).text == "2 apples"
    cookie = browser.get_cookie("session").value
    assert "apples" not in str(base64.urlsafe_b64decode(cookie + "=="))
    changed = cookie[:-6] + ("A" if cookie[-6] != "A" else "B") + cookie[-5:]
    browser.set_cookie("session", changed)
    assert browser.get("/add", **base).text == "1 apples"


class TestFlasksSession:
    """The page's session interface does what Flask's own does."""

    VALUES = types.MappingProxyType(
        {"when": datetime(2026, 11, 28, 20, 33, tzinfo=UTC), "pair": (1, b"x"), "html": Markup("<b>")}
    )

    @pytest.fixture
    def browser(self, codec):
        app = codec["app"]

        @app.get("/keep")
        def keep():
            session.update(self.VALUES)
            return "kept"

        @app.get("/look")
        def look():
            return repr([session.get(key) == value for key, value in self.VALUES.items()])

        @app.get("/remember")
        def remember_me():
            session.permanent = True
            return "remembered"

        @app.get("/clear")
        def clear():
            session.clear()
            return "cleared"

        @app.get("/much")
        def much():
            session["a"] = "x" * 5000
            return "much"

        return app.test_client()

    def get(self, browser, path):
        return browser.get(path, base_url="https://localhost")

    def test_keeps_the_types_that_flask_keeps(self, browser):
        self.get(browser, "/keep")
        assert self.get(browser, "/look").text == "[True, True, True]"

    def test_is_permanent_if_it_is_said_to_be(self, browser):
        assert "Expires" not in self.get(browser, "/keep").headers["Set-Cookie"]
        assert "Expires" in self.get(browser, "/remember").headers["Set-Cookie"]
        # Sent again with each response, as Flask does it, so that it ends so long after the last request.
        assert "Expires" in self.get(browser, "/look").headers["Set-Cookie"]

    def test_has_the_attributes_that_flask_is_configured_with(self, browser):
        assert "SameSite=Lax" in self.get(browser, "/keep").headers["Set-Cookie"]
        browser.application.config.update(SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_HTTPONLY=False)
        cookie = self.get(browser, "/keep").headers["Set-Cookie"]
        assert "SameSite=Strict" in cookie
        assert "HttpOnly" not in cookie

    def test_is_deleted_with_the_cookie_when_it_is_cleared(self, browser):
        assert "Set-Cookie" not in self.get(browser, "/look").headers
        self.get(browser, "/keep")
        self.get(browser, "/clear")
        assert browser.get_cookie("session") is None
        assert self.get(browser, "/look").text == "[False, False, False]"

    def test_opens_nothing_after_its_lifetime(self, browser, codec):
        self.get(browser, "/keep")
        codec["app"].permanent_session_lifetime = timedelta(seconds=-1)
        assert self.get(browser, "/look").text == "[False, False, False]"

    def test_refuses_more_than_a_cookie_holds(self, browser, codec):
        codec["app"].testing = True
        with pytest.raises(PayloadTooLongError):
            self.get(browser, "/much")


def test_what_the_page_on_values_says(serve, columns):
    page = run(HOW_TO / "values.md")
    money = page["Money"](Decimal("1.50"), "EUR")

    def put(request):
        request.session.update(price=money, day=date(2026, 11, 28), zone=ZoneInfo("Europe/Berlin").key)

    def look(request):
        return request.session["price"] == money

    def export(request):
        del request.session["price"], request.session["day"]
        return page["export"](request)

    browser, engine = serve(columns["Session"], page["includeme"], put=put, look=look, export=export)
    browser.get("/put")
    assert browser.get("/look").json is True
    with engine.connect() as connection:
        data = connection.scalar(select(columns["Session"].__table__.c.data))
    assert data["price"] == {"$money": [{"$decimal": "1.50"}, "EUR"]}
    assert browser.get("/export").json == '{"zone": "Europe/Berlin"}'


def test_the_page_on_values_shows_what_is_stored():
    page = (HOW_TO / "values.md").read_text("utf-8")
    values = [
        b"\0\xff",
        datetime(2026, 11, 28, 20, 33, 43, tzinfo=ZoneInfo("Europe/Berlin")),
        date(2026, 11, 28),
        time(20, 33),
        timedelta(seconds=5400.5),
        Decimal("1.50"),
        UUID("6fa459ea-ee8a-3ca4-894e-db77e160355e"),
        (1, 2),
        {"a", "b"},
        TranslationString("saved", domain="shop", default="Saved."),
        Markup("<b>"),
    ]
    for value in values:
        session = MemorySession({"value": value})
        assert f"`{json.dumps(json.loads(session.serialize())['value'])}`" in page


def test_plain_wsgi_keeps_a_value_in_a_cookie(codec):
    browser = webtest.TestApp(codec["application"], extra_environ={"wsgi.url_scheme": "https"})
    assert browser.get("/").text == "en"
    assert browser.get("/?fr").text == "fr"
    assert browser.get("/").text == "fr"
    browser.reset()
    browser.set_cookie("language", "fr")
    assert browser.get("/").text == "en"


class Clock:
    """A clock that stands still until it is told."""

    now = 1_800_000_000

    def __call__(self):
        return self.now


class TestTheAdapter:
    """The page's WSGI adapter does what Pyramid's does."""

    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def browser(self, tmp_path, clock):
        page = run(HOW_TO / "adapters.md")
        application = page["main"](f"sqlite:///{tmp_path / 'shop.sqlite'}", generate_secret_key(), clock)
        yield webtest.TestApp(application, extra_environ={"wsgi.url_scheme": "https"})
        application.engine.dispose()

    def test_it_keeps_what_the_application_puts_into_the_session_until_the_logout(self, browser):
        assert "Set-Cookie" not in browser.get("/").headers
        assert browser.get("/add").text == "None: 1 apples"
        assert browser.get("/add").text == "None: 2 apples"
        assert browser.get("/login").text == "7: 2 apples"
        assert browser.get("/").text == "7: 2 apples"
        browser.get("/logout")
        assert browser.get("/").text == "None: 0 apples"

    def test_a_login_makes_the_cookie_from_before_worthless(self, browser):
        browser.get("/add")
        planted = browser.cookies["session"]
        browser.get("/login")
        assert browser.get("/").text == "7: 1 apples"
        browser.reset()
        browser.set_cookie("session", planted)
        assert browser.get("/").text == "None: 0 apples"

    def test_it_ends_an_unused_session(self, browser, clock):
        browser.get("/add")
        clock.now += 1800
        assert browser.get("/").text == "None: 0 apples"

    def test_it_renews_the_cookie_and_revokes_the_session_when_a_stolen_one_is_shown(self, browser, clock):
        browser.get("/login")
        browser.get("/add")
        stolen = browser.cookies["session"]
        clock.now += 900
        browser.get("/")
        mine = browser.cookies["session"]
        assert mine != stolen
        assert browser.get("/").text == "7: 1 apples"
        clock.now += 61
        browser.reset()
        browser.set_cookie("session", stolen)
        assert browser.get("/").text == "None: 0 apples"
        browser.reset()
        browser.set_cookie("session", mine)
        assert browser.get("/").text == "None: 0 apples"

    def test_what_fails_is_rolled_back_and_sends_no_cookie(self, browser):
        def fail(environ, start_response):
            environ["session"].data["apples"] = 99
            raise RuntimeError("after the change")

        browser.get("/add")
        shop, browser.app.application = browser.app.application, fail
        with pytest.raises(RuntimeError):
            browser.get("/")
        browser.app.application = shop
        assert browser.get("/").text == "None: 1 apples"


class TestThePageOnMoving:
    """Old sessions are taken over by its lines."""

    @pytest.fixture
    def move(self, serve):
        """Serve an application with the configuration of a function of the page, and an old one beside it."""
        page = run(HOW_TO / "migrating.md")
        old_factory = SignedCookieSessionFactory("old secret", cookie_name="session")

        def visit_the_old_application(request):
            session = old_factory(request)
            session.update({"cart": {"apples": 3}, "auth.userid": 7, "user_id": 7})

        def make(name):
            def configure(config):
                page[name](config)
                config.set_security_policy(SessionSecurityPolicy())

            browser, _ = serve(
                FullSession,
                configure,
                {"tm.annotate_user": "false"},
                old=visit_the_old_application,
                data=lambda request: dict(request.session),
                who=lambda request: request.session.userid,
                leave=lambda request: forget(request) and None,
            )
            browser.get("/old")
            assert set(browser.cookies) == {"session"}
            return browser

        return make

    def test_a_cart_is_and_what_the_helper_says_of_a_login_is_not(self, move):
        browser = move("take_carts_over")
        assert browser.get("/data").json == {"cart": {"apples": 3}, "user_id": 7}
        assert set(browser.cookies) == {"websession-visitor"}
        assert browser.get("/who").json is None

    def test_a_login_is_where_the_function_says_so(self, move):
        browser = move("take_logins_over")
        # Before the page's last day, whenever this test is run.
        ManualClock(int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())).govern(browser.app)
        assert browser.get("/data").json == {"cart": {"apples": 3}}
        assert browser.get("/who").json == 7
        browser.get("/leave")
        assert browser.get("/who").json is None


def test_a_session_without_the_old_cookie_stays_empty(serve):
    take_over = run(HOW_TO / "migrating.md")["take_carts_over"]
    browser, _ = serve(
        FullSession,
        take_over,
        {},
        data=lambda request: dict(request.session),
    )
    assert browser.get("/data").json == {}
    assert not browser.cookies


def test_settings_of_2017_that_are_gone_are_named_at_the_start():
    _, _, page = (HOW_TO / "migrating.md").read_text(encoding="utf-8").partition("release of 2017\n")
    gone = re.findall(r"^\| `session\.(\w+)` \|", page, re.MULTILINE)
    assert len(gone) == 3
    for name in gone:
        with pytest.raises(ConfigurationError, match=f"{name}: is not a known setting"):
            get_session_factory(generate_secret_key(), FullyFeaturedSession, **{name: "5"})


class Base(DeclarativeBase):
    pass


class FullSession(FullyFeaturedSession, Base):
    __tablename__ = "session"


class Views:
    """What the page on testing calls the application's views."""

    @staticmethod
    def add(request):
        cart = request.session.setdefault("cart", {})
        cart[request.POST["product"]] = cart.get(request.POST["product"], 0) + 1

    @staticmethod
    def cart(request):
        return request.session.get("cart", {})


@pytest.fixture
def views():
    return Views


@pytest.fixture
def app(serve):
    browser, _ = serve(
        FullSession,
        configure=lambda config: config.set_security_policy(SessionSecurityPolicy()),
        settings={"session.preset": "aal2", "session.renewal_timeout": "900"},
        add=Views.add,
        cart=Views.cart,
    )
    return browser.app


# The tests of the page on testing are tests here, too.
globals().update(
    {name: thing for name, thing in run(HOW_TO / "testing.md").items() if name.startswith("test_")}
)


def test_the_tests_of_the_page_on_testing_are_among_these():
    assert "test_a_stolen_cookie_ends_the_session_for_both" in globals()


class KnownSession(ClientInfoMixin, SessionLimitMixin, FullyFeaturedSession, Base):
    __tablename__ = "known_session"


@pytest.fixture
def desk(serve):
    """A browser of an application with the views of the page on devices."""
    page = run(HOW_TO / "devices.md")
    ini = configparser.ConfigParser()
    ini.read_string("[app:main]\n" + "".join(blocks(HOW_TO / "devices.md", "ini")))

    def configure(config):
        config.set_security_policy(SessionSecurityPolicy())

    def devices(request):
        return [dataclasses.asdict(each) for each in page["devices"](request)["sessions"]]

    browser, _ = serve(
        KnownSession,
        configure,
        dict(ini["app:main"]),
        login=lambda request: remember(request, 7) and None,
        who=lambda request: request.authenticated_userid,
        devices=devices,
        end=page["end"],
        password=page["password_changed"],
        online=lambda request: page["users_online"](request.dbsession, KnownSession),
    )
    return browser


def other_browsers(browser, number):
    return [webtest.TestApp(browser.app, extra_environ={"REMOTE_ADDR": "192.0.2.77"}) for _ in range(number)]


def test_a_user_sees_and_ends_their_sessions_and_a_new_password_ends_all_others(desk):
    sofa, train = other_browsers(desk, 2)
    for browser, name in ((desk, "Firefox"), (sofa, "Chromium"), (train, "Safari")):
        browser.get("/login", headers={"User-Agent": name})
    devices = {each["user_agent"]: each for each in desk.get("/devices").json}
    assert [name for name, each in devices.items() if each["is_present"]] == ["Firefox"]
    assert devices["Safari"]["client_address"] == "192.0.2.0"
    assert desk.get("/online").json == 1

    desk.post("/end", {"handle": devices["Safari"]["handle"]})
    assert train.get("/who").json is None
    assert sofa.get("/who").json == 7
    desk.get("/password")
    assert sofa.get("/who").json is None
    assert desk.get("/who").json == 7


def test_a_login_beyond_the_limit_ends_the_session_that_was_logged_in_longest_ago(desk):
    browsers = [desk, *other_browsers(desk, 5)]
    for browser in browsers:
        browser.get("/login")
    assert [browser.get("/who").json for browser in browsers].count(7) == 5
    assert browsers[-1].get("/who").json == 7


@pytest.fixture(params=["freezegun", "time_machine"])
def stand_at(request):
    """Return what lets the time stand still at a moment, by one of the libraries for it."""
    library = pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    if request.param == "time_machine":
        return lambda moment: library.travel(moment, tick=False)
    return lambda moment: library.freeze_time(datetime.fromtimestamp(moment, UTC))


def test_sessions_hold_the_moments_that_libraries_for_it_give(serve, columns, stand_at):
    def put(request):
        request.session.update(at=datetime.now(UTC), visits=[datetime.now(UTC)])

    def visit(request):
        request.session["visits"].append(datetime.now(UTC))
        return len({*request.session["visits"], request.session["at"]})

    browser, _ = serve(
        columns["Session"], put=put, visit=visit, look=lambda request: repr(request.session.copy())
    )
    moment = datetime(2026, 11, 28, tzinfo=UTC)
    with stand_at(moment.timestamp()):
        browser.get("/put")
        assert browser.get("/visit").json == 1
    assert browser.get("/look").json == repr({"at": moment, "visits": [moment, moment]})


def test_sessions_go_by_the_time_that_libraries_for_it_say(serve, stand_at):
    base = type("Base", (DeclarativeBase,), {})
    browser, _ = serve(
        type("TimedSession", (FullyFeaturedSession, base), {"__tablename__": "timed_session"}),
        settings={"session.idle_timeout": "30min"},
        start=lambda request: request.session.update(a=1),
        look=lambda request: request.session.get("a"),
    )
    moment = int(datetime.now(UTC).timestamp())
    with stand_at(moment):
        browser.get("/start")
    with stand_at(moment + 1700):
        assert browser.get("/look").json == 1
    with stand_at(moment + 1700 + 1700):
        assert browser.get("/look").json == 1
    with stand_at(moment + 1700 + 1700 + 1801):
        assert browser.get("/look").json is None
