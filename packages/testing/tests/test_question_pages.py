"""What the pages that answer questions tell people to write does what they say."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import jinja2
import pytest
import webtest
from chromium import browsing, serving
from pages import DOCS, blocks, run
from pyramid.authorization import Allow, Authenticated
from pyramid.csrf import get_csrf_token
from pyramid.response import Response
from pyramid.security import forget, remember
from pyramid_sqlalchemy_sessions import FullyFeaturedSession, SessionSecurityPolicy, generate_secret_key
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase

HOW_TO = DOCS / "how-to"


class Base(DeclarativeBase):
    pass


class Session(FullyFeaturedSession, Base):
    __tablename__ = "session"


class Root:
    __acl__ = ((Allow, Authenticated, "buy"),)

    def __init__(self, request):
        pass


class Template:
    """Render a page's own template."""

    def __init__(self, page, number):
        source = blocks(HOW_TO / page, "jinja")[number]
        self.template = jinja2.Environment(autoescape=True).from_string(source)

    def __call__(self, info):
        return lambda value, system: self.template.render(value)


@pytest.fixture
def site(serve):
    """Serve the views of a page."""

    def make(name, *routes, part="", **views):
        page = run(HOW_TO / name, part)

        def configure(config):
            config.set_security_policy(SessionSecurityPolicy())
            config.set_root_factory(Root)
            if "includeme" in page:
                config.include(page["includeme"])
            for route in routes:
                config.add_route(route, f"/{route}")
            if blocks(HOW_TO / name, "jinja"):
                config.add_renderer(".jinja2", Template(name, 0))
            config.scan(sys.modules[page["__name__"]])
            if "provider" in views:
                config.registry["provider"] = views.pop("provider")

        browser, _ = serve(
            Session,
            configure,
            {"tm.annotate_user": "false"},
            enter=lambda request: remember(request, 7) and None,
            leave=lambda request: forget(request) and None,
            data=lambda request: dict(request.session),
            who=lambda request: request.authenticated_userid,
            token=get_csrf_token,
            **views,
        )
        return browser

    return make


class TestAFormThatIsRefused:
    """It is shown again, with what was typed and a token that is accepted."""

    @pytest.fixture
    def browser(self, site):
        return site("csrf.md", "address", other=lambda request: None)

    def test_is_accepted_the_second_time(self, browser):
        form = browser.get("/address").form
        form["street"] = "Sunny Side 7"
        # In another tab.
        browser.get("/enter")
        again = form.submit(status=422)
        assert "You logged in or out" in again
        assert again.form["street"].value == "Sunny Side 7"
        assert "street" not in browser.get("/data").json
        again.form.submit(status=303)
        assert browser.get("/data").json == {"street": "Sunny Side 7"}

    def test_says_so_if_the_browser_keeps_no_cookies(self, browser):
        form = browser.get("/address").form
        form["street"] = '"><script>'
        browser.reset()
        again = form.submit(status=422)
        assert "no cookie" in again
        assert again.form["street"].value == '"><script>'

    def test_is_answered_by_one_view_for_all_others(self, browser):
        answer = browser.post("/other?a=<b>", status=400)
        assert "Nothing was changed" in answer
        assert 'href="/other?a=&lt;b&gt;"' in answer


class TestAScript:
    """It sends the token, and is answered by a status and not by a page."""

    JSON = types.MappingProxyType({"Accept": "application/json"})

    @pytest.fixture
    def browser(self, site):
        return site("ajax.md", "add", "me", "login")

    def add(self, browser, token, **options):
        headers = {**self.JSON, "X-CSRF-Token": token}
        return browser.post_json("/add", {"product": "tea"}, headers=headers, **options)

    def test_is_told_who_is_there(self, browser):
        assert browser.get("/me").json["userid"] is None
        browser.get("/enter")
        answer = browser.get("/me")
        assert answer.json["userid"] == 7
        assert "no-store" in answer.headers["Cache-Control"]
        assert self.add(browser, answer.json["csrf_token"]).json == {"cart": {"tea": 1}}

    def test_gets_a_status_where_a_page_gets_the_login(self, browser):
        token = browser.get("/me").json["csrf_token"]
        assert self.add(browser, token, status=401).json == {"error": "log in"}
        page = browser.post("/add", {"csrf_token": token}, headers={"Accept": "text/html"}, status=303)
        assert page.location.endswith("/login?next=%2Fadd")

    def test_gets_a_token_with_the_refusal_of_one(self, browser):
        old = browser.get("/me").json["csrf_token"]
        browser.get("/enter")
        answer = self.add(browser, old, status=400)
        assert self.add(browser, answer.json["csrf_token"]).json == {"cart": {"tea": 1}}


class Provider:
    """An OpenID provider, as the page on OAuth uses it."""

    def __init__(self):
        self.exchanges = []

    def address(self, state, verifier):
        self.verifier = verifier
        return f"https://login.example/?state={state}"

    def userid(self, code, verifier):
        assert verifier == self.verifier
        assert code not in self.exchanges
        self.exchanges.append(code)
        return 7


class TestALoginByOAuth:
    """It counts once, in the browser in which it was begun."""

    @pytest.fixture
    def provider(self):
        return Provider()

    @pytest.fixture
    def browser(self, site, provider):
        return site(
            "oauth.md",
            *("sign_in", "signed_in", "posted"),
            provider=provider,
            fill=lambda request: request.session.update(cart="tea"),
        )

    @staticmethod
    def begin(browser):
        return browser.post("/sign_in", status=303).location.partition("state=")[2]

    def test_is_the_browsers_own_with_what_was_in_its_session(self, browser):
        browser.get("/fill")
        state = self.begin(browser)
        stranger = webtest.TestApp(browser.app)
        stranger.get(f"/signed_in?state={state}&code=1", status=400)
        assert (
            browser.get(f"/signed_in?state={state}&code=1", status=303).location == "http://localhost/account"
        )
        assert browser.get("/who").json == 7
        assert browser.get("/data").json == {"cart": "tea", "sign_in": {}}
        browser.get(f"/signed_in?state={state}&code=1", status=400)

    def test_is_posted_and_goes_on_by_get(self, browser):
        state = self.begin(browser)
        stranger = webtest.TestApp(browser.app)  # the other site's form brings no cookie
        answer = stranger.post("/posted", {"state": state, "code": "1"}, status=303)
        assert not stranger.cookies
        assert browser.get(answer.location, status=303)
        assert browser.get("/who").json == 7

    def test_drops_the_oldest_of_many(self, browser):
        first, *others = (self.begin(browser) for _ in range(5))
        browser.get(f"/signed_in?state={first}&code=1", status=400)
        browser.get(f"/signed_in?state={others[-1]}&code=1", status=303)


class TestADeployment:
    """Its pages for robots cost nothing, and its files are what servers read."""

    def test_answers_robots_without_a_look_at_the_session(self, site):
        browser = site("deploy.md", "alive", "ready", "robots", part="view_config")
        for path, begin in (("/alive", "alive"), ("/ready", "ready"), ("/robots", "User-agent: *")):
            answer = browser.get(path)
            assert answer.text.startswith(begin)
            assert "Set-Cookie" not in answer.headers
            assert "Vary" not in answer.headers

    def test_names_the_driver_of_the_address_that_a_platform_gives(self):
        names = {}
        exec(blocks(HOW_TO / "deploy.md", "python")[1], names)
        assert names["database_url"]("postgres://a:b@c/d") == "postgresql+psycopg://a:b@c/d"
        assert names["database_url"]("sqlite:///x") == "sqlite:///x"

    def test_starts_the_application_as_mod_wsgi_does(self, tmp_path):
        (source,) = [block for block in blocks(HOW_TO / "deploy.md", "python") if "get_app" in block]
        ini = tmp_path / "production.ini"
        ini.write_text(
            "[app:main]\nuse = call:test_application:main\n[loggers]\nkeys = root\n[handlers]\nkeys =\n"
            "[formatters]\nkeys =\n[logger_root]\nlevel = WARN\nhandlers =\n"
        )
        module = types.ModuleType("test_application")
        module.main = lambda global_config, **settings: "the application"
        sys.modules[module.__name__] = module
        names = {}
        exec(source.replace("/srv/yourproject/production.ini", str(ini)), names)
        assert names["application"] == "the application"

    def test_gives_the_key_to_commands_as_to_the_server(self):
        # Cron and timers have no variables of the service, and no credentials of its unit.
        (command, *_) = blocks(HOW_TO / "deploy.md", "console")
        (ini, *_) = blocks(HOW_TO / "deploy.md", "ini")
        path = command.partition(" > ")[2].split()[0]
        assert f"session.secret_key = file:{path}\n" in ini

    def test_lets_apache_serve_the_application(self):
        # It serves nothing outside of /var/www otherwise.
        (apache,) = [block for block in blocks(HOW_TO / "deploy.md", "text") if "WSGIScriptAlias" in block]
        (script,) = re.findall(r"^WSGIScriptAlias / (.*)$", apache, re.MULTILINE)
        assert f"<Directory {Path(script).parent}>" in apache
        assert f"<Files {Path(script).name}>\n        Require all granted" in apache

    def test_copies_no_secret_into_the_image(self):
        (compose,) = blocks(HOW_TO / "deploy.md", "yaml")
        files = re.findall(r"^ +file: (.*)$", compose, re.MULTILINE)
        assert len(files) == 2
        assert all(Path(file).is_absolute() for file in files)

    def test_hands_on_the_host_and_the_scheme_by_nginx(self):
        (nginx,) = blocks(HOW_TO / "deploy.md", "nginx")
        (behind_waitress,) = [block for block in blocks(HOW_TO / "proxies.md", "text") if "$scheme" in block]
        for config in (nginx, behind_waitress):
            # `$host` would be without the port, and the CSRF check of the Origin fail.
            assert "proxy_set_header Host $http_host;" in config
            assert "$host;" not in config
        assert "proxy_set_header X-Forwarded-Proto $scheme;" in nginx


class Unable:
    """A part of the transaction that cannot be committed."""

    transaction_manager = None

    def commit(self, _transaction):
        raise ZeroDivisionError

    def sortKey(self):
        return "unable"

    abort = tpc_begin = tpc_vote = tpc_finish = tpc_abort = lambda self, _transaction: None


class TestABackgroundJob:
    """It is queued if the request's transaction commits, and a socket goes by a ticket."""

    @pytest.fixture
    def page(self, monkeypatch):
        monkeypatch.setenv("SOCKET_KEY", generate_secret_key())
        return run(HOW_TO / "background-jobs.md")

    @pytest.fixture
    def queue(self):
        return []

    @pytest.fixture
    def browser(self, serve, page, queue):
        def configure(config):
            config.set_security_policy(SessionSecurityPolicy())
            config.registry["queue"] = types.SimpleNamespace(put=queue.append)
            config.add_route("home", "/home")

        def fail(request):
            page["export"](request)
            raise ZeroDivisionError

        def fail_to_commit(request):
            page["export"](request)
            request.tm.get().join(Unable())

        browser, _ = serve(
            Session,
            configure,
            enter=lambda request: remember(request, 7) and None,
            fill=lambda request: request.session.update(cart={"tea": 1}),
            leave=lambda request: forget(request) and None,
            export=page["export"],
            fail=fail,
            fail_to_commit=fail_to_commit,
            ticket=page["socket_ticket"],
            count=lambda request: page["count_logged_in"](request.dbsession, Session),
            check=lambda request: page["may_go_on"](request.dbsession, Session, request.json_body),
        )
        return browser

    def test_is_queued_after_the_commit_and_not_if_there_is_none(self, browser, queue):
        browser.get("/enter")
        browser.get("/fill")
        for path in ("/fail", "/fail_to_commit"):
            with pytest.raises(ZeroDivisionError):
                browser.get(path)
        assert queue == []
        browser.get("/export", status=303)
        assert queue == [{"user": 7, "products": ["tea"]}]

    def test_counts_users(self, browser):
        assert browser.get("/count").json == 0
        browser.get("/enter")
        assert browser.get("/count").json == 1

    def test_is_a_socket_that_is_closed_after_the_logout(self, browser, page, monkeypatch):
        browser.get("/enter")
        token = browser.get("/ticket").json["ticket"]
        ticket = page["opened"](token)
        stranger = webtest.TestApp(browser.app)
        assert stranger.post_json("/check", ticket).json is True
        browser.get("/leave")
        assert stranger.post_json("/check", ticket).json is False
        assert page["opened"](token[:-3]) is None
        monkeypatch.setattr(page["time"], "time", lambda: ticket["until"])
        assert page["opened"](token) is None


def test_a_language_is_chosen_without_the_session_and_a_message_follows_it(site):
    page = run(HOW_TO / "languages.md")
    browser = site(
        "languages.md",
        "language",
        home=lambda request: request.locale_name,
        messages=page["messages"],
    )
    english = {"Accept-Language": "es, de;q=0.5"}
    answer = browser.get("/home", headers=english)
    assert answer.json == "de"
    assert "Cookie" not in answer.headers.get("Vary", "")
    browser.post("/language", {"language": "fr"}, status=303)
    assert browser.get("/home", headers=english).json == "fr"
    browser.post("/language", {"language": "../x"}, status=303)
    assert browser.get("/home", headers=english).json == "fr"
    assert browser.get("/messages").json == ["Saved."]


def test_a_page_says_when_to_come_back_while_the_database_is_read_only(serve):
    page = run(HOW_TO / "maintenance.md")
    browser, engine = serve(
        Session,
        lambda config: config.scan(sys.modules[page["__name__"]]),
        put=lambda request: request.session.update(a=request.session.get("a", 0) + 1),
        look=lambda request: dict(request.session),
        bad=lambda request: request.dbsession.execute(text("SELECT no_such_column")),
    )
    browser.get("/put")
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA query_only=ON"))
    answer = browser.get("/put", status=503)
    assert answer.headers["Retry-After"] == "300"
    assert "Back soon" in answer
    assert browser.get("/look").json == {"a": 1}
    with pytest.raises(DBAPIError, match="no_such_column"):
        browser.get("/bad")


@pytest.fixture(scope="module")
def web():
    with serving() as web:
        yield web


@pytest.fixture(scope="module")
def chromium():
    with browsing() as browser:
        yield browser


class TestInChromium:
    """A real browser runs the script of the page, and decides on the cookies."""

    @staticmethod
    def arrive(chromium, part):
        WebDriverWait(chromium, 60).until(lambda browser: part in browser.current_url)

    def test_a_script_gets_a_new_token_and_leads_to_the_login_when_the_session_has_ended(
        self, site, web, chromium
    ):
        (meta,) = blocks(HOW_TO / "ajax.md", "html")
        (script,) = blocks(HOW_TO / "ajax.md", "js")

        def page(request):
            head = jinja2.Template(meta).render(get_csrf_token=lambda: get_csrf_token(request))
            return Response(f"<!DOCTYPE html>{head}<script>{script}</script>")

        shop = site("ajax.md", "add", "me", page=page, login=lambda request: "log in")
        web.sites = {"shop.example": shop.app}
        chromium.get(web.url("shop.example", "/page"))
        add = """const done = arguments[arguments.length - 1]; send("/add", {product: "tea"}).then(done)"""
        # In another tab the user logs in, so that the page's token is an old one.
        chromium.execute_async_script("fetch('/enter').then(arguments[0])")
        assert chromium.execute_async_script(add) == {"cart": {"tea": 1}}
        assert chromium.execute_async_script(add) == {"cart": {"tea": 2}}
        chromium.execute_async_script("fetch('/leave').then(arguments[0])")
        chromium.execute_script("send('/add', {product: 'tea'})")
        self.arrive(chromium, "/login?next=%2Fpage")

    def test_an_answer_of_a_provider_that_is_posted_arrives_with_the_session(self, site, web, chromium):
        provider = Provider()
        shop = site(
            "oauth.md",
            *("sign_in", "signed_in", "posted"),
            provider=provider,
            account=lambda request: request.authenticated_userid,
            page=lambda request: Response(
                '<form method="post" action="/sign_in"><button>Sign in</button></form>'
            ),
        )
        back = web.url("shop.example", "/posted")

        def login_page(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/html")])
            state = environ["QUERY_STRING"].partition("state=")[2]
            fields = f'<input name="state" value="{state}"><input name="code" value="1">'
            return [f'<form method="post" action="{back}">{fields}<button>Yes</button></form>'.encode()]

        provider.address = lambda state, verifier: (
            setattr(provider, "verifier", verifier) or web.url("login.example", f"/?state={state}")
        )
        web.sites = {"shop.example": shop.app, "login.example": login_page}
        chromium.get(web.url("shop.example", "/page"))
        for host in ("login.example", "/account"):
            chromium.find_element(By.TAG_NAME, "button").click()
            self.arrive(chromium, host)
        assert chromium.find_element(By.TAG_NAME, "body").text == "7"
