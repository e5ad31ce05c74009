"""What a real Chromium does with the cookie: over https, with a throw-away certificate, across sites."""

from __future__ import annotations

import json

import pytest
from chromium import browsing, serving
from pyramid.response import Response
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from site_under_test import FullSession

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)

SHOP, OTHER, THIRD, SUBDOMAIN = "shop.example", "other.example", "third.example", "evil.shop.example"
EMBEDDED = {"cookie_samesite": "None", "cookie_secure": "true"}


@pytest.fixture(scope="module")
def web():
    with serving() as web:
        yield web


@pytest.fixture(scope="module")
def chromium():
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def strict_chromium():
    """One that blocks the cookies of third parties, as many do."""
    with browsing(third_parties=False) as browser:
        yield browser


class Visit:
    """A browser without cookies, and a shop with the settings of a test."""

    def __init__(self, web, browser, site):
        self.web, self.browser, self.site = web, browser, site
        browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
        site.views.update(
            start=lambda request: request.session.update(a=1),
            look=lambda request: request.session.copy(),
            leave=lambda request: request.session.invalidate(),
            page=lambda request: Response("<html><body>a page of the shop</body></html>"),
        )
        web.sites = {SHOP: site.app, **dict.fromkeys((OTHER, THIRD, SUBDOMAIN), self.elsewhere)}

    def elsewhere(self, environ, start_response):
        """Show a page of another site, which leads to the shop in every way there is."""
        shop = self.web.url(SHOP, environ["QUERY_STRING"] or "/look")
        page = f"""<html><body><a href="{shop}">to the shop</a>
            <form method="post" action="{shop}"><button>to the shop</button></form>
            <iframe src="{shop}"></iframe></body></html>"""
        start_response("200 OK", [("Content-Type", "text/html")])
        return [page.encode()]

    def open(self, path, host=SHOP, scheme="https"):
        """Open a page, and return what it shows."""
        self.browser.get(self.web.url(host, path, scheme))
        return self.shown()

    def shown(self):
        text = self.browser.find_element(By.TAG_NAME, "body").text
        return json.loads(text) if text.startswith(("{", "[", "null")) else text

    def follow(self, element, host=OTHER, path="/look"):
        """Open another site, follow the element to the shop, and return what the shop shows."""
        self.open(f"/?{path}", host)
        self.browser.find_element(By.CSS_SELECTOR, element).click()
        WebDriverWait(self.browser, 60).until(lambda browser: f"//{SHOP}:" in browser.current_url)
        return self.shown()

    def framed(self, host=OTHER, path="/look"):
        """Open another site that shows the shop in a frame, and return what the shop shows there."""
        self.open(f"/?{path}", host)
        self.browser.switch_to.frame(self.browser.find_element(By.TAG_NAME, "iframe"))
        try:
            return self.shown()
        finally:
            self.browser.switch_to.default_content()

    def cookies(self):
        """Return all cookies of the jar by their names."""
        found = self.browser.execute_cdp_cmd("Storage.getCookies", {})["cookies"]
        return {cookie["name"]: cookie for cookie in found}


@pytest.fixture
def visit(make_site, web, chromium):
    def visit(browser=None, **settings):
        named = {f"session.{name}": value for name, value in settings.items()}
        site = make_site(model=FullSession, settings=named)
        return Visit(web, browser or chromium, site)

    yield visit
    chromium.get("about:blank")


def test_the_cookie_has_the_attributes_that_were_asked_for(visit):
    visitor = visit()
    visitor.open("/start")
    cookie = visitor.cookies()["websession-visitor"]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    assert (cookie["domain"], cookie["path"], cookie["session"]) == (SHOP, "/", True)
    assert cookie["size"] < 4096
    assert visitor.open("/look") == {"a": 1}
    visitor.open("/leave")
    assert visitor.cookies() == {}


@pytest.mark.parametrize(
    ("samesite", "link", "form", "frame"),
    [("Lax", True, False, False), ("Strict", False, False, False), ("None", True, True, True)],
)
def test_samesite_decides_which_requests_of_other_sites_carry_it(visit, samesite, link, form, frame):
    visitor = visit(cookie_samesite=samesite, cookie_secure="true")
    visitor.open("/start")
    opened = {True: {"a": 1}, False: {}}
    assert visitor.follow("a") == opened[link]
    assert visitor.follow("button") == opened[form]
    assert visitor.framed() == opened[frame]
    # A subdomain is no other site: SameSite is no protection from it.
    assert visitor.follow("a", SUBDOMAIN) == {"a": 1}
    assert visitor.follow("button", SUBDOMAIN) == {"a": 1}
    assert visitor.open("/look") == {"a": 1}


@pytest.mark.parametrize(("samesite", "element"), [("Lax", "button"), ("Strict", "a"), ("Strict", "button")])
def test_what_comes_from_another_site_without_the_cookie_does_not_end_a_login(visit, samesite, element):
    visitor = visit(cookie_samesite=samesite, cookie_secure="true")
    visitor.site.views["put"] = lambda request: request.session.update(b=2)
    visitor.open("/login")
    visitor.follow(element, path="/put")
    # What was put in without it began a session of a visitor.
    assert set(visitor.cookies()) == {"websession", "websession-visitor"}
    assert visitor.open("/who") == "7"
    assert visitor.open("/look") == {}


def test_secure_keeps_it_from_plain_http(visit):
    visitor = visit(cookie_secure="true")
    visitor.open("/start")
    assert visitor.open("/look", scheme="http") == {}
    assert visitor.open("/look") == {"a": 1}
    other = visit(cookie_secure="true")
    other.open("/start", scheme="http")
    assert other.cookies() == {}  # not even taken from there


def test_without_secure_it_goes_out_by_plain_http(visit):
    visitor = visit(cookie_secure="false")
    visitor.open("/start")
    assert visitor.open("/look", scheme="http") == {"a": 1}


@pytest.mark.parametrize("httponly", [True, False])
def test_httponly_hides_it_from_scripts(visit, httponly):
    visitor = visit(cookie_httponly=str(httponly))
    visitor.open("/start")
    visitor.open("/page")
    seen = visitor.browser.execute_script("return document.cookie")
    assert ("websession-visitor=" in seen) is not httponly


def test_a_subdomain_can_plant_a_cookie_of_the_plain_name_but_none_with_the_host_prefix(visit):
    visitor = visit(cookie_name="__Host-session", cookie_secure="true")
    visitor.open("/start")
    visitor.open("/", SUBDOMAIN)
    for name in ("websession", "__Host-session", "__host-session", "__Host-session-visitor"):
        plant = f"document.cookie = '{name}=planted; Domain={SHOP}; Path=/; Secure'"
        visitor.browser.execute_script(plant)
    jar = visitor.cookies()
    assert set(jar) == {"websession", "__Host-session-visitor"}
    assert jar["websession"]["domain"] == f".{SHOP}"
    assert jar["__Host-session-visitor"]["value"] != "planted"
    assert visitor.open("/look") == {"a": 1}


def test_the_host_prefix_keeps_it_from_subdomains_and_a_domain_gives_it_to_them(visit):
    for settings, given in (({"cookie_name": "__Host-session"}, False), ({"cookie_domain": SHOP}, True)):
        visitor = visit(cookie_secure="true", **settings)
        visitor.open("/start")
        visitor.web.sites[SUBDOMAIN] = visitor.site.app
        assert (visitor.open("/look", SUBDOMAIN) == {"a": 1}) is given


def test_partitioned_each_site_that_embeds_the_application_has_a_session_of_its_own(visit):
    visitor = visit(cookie_partitioned="true", cookie_name="__Host-session", **EMBEDDED)
    visitor.open("/start")
    assert visitor.framed() == {}
    visitor.framed(path="/start")
    assert visitor.framed() == {"a": 1}
    assert visitor.framed(THIRD) == {}
    assert len(visitor.site.rows()) == 2
    visitor.framed(path="/leave")
    assert visitor.framed() == {}
    assert visitor.open("/look") == {"a": 1}


@pytest.mark.parametrize("partitioned", [True, False])
def test_partitioned_works_where_cookies_of_third_parties_are_blocked(visit, strict_chromium, partitioned):
    visitor = visit(strict_chromium, cookie_partitioned=str(partitioned), **EMBEDDED)
    visitor.framed(path="/start")
    assert visitor.framed() == ({"a": 1} if partitioned else {})
    assert visitor.open("/look") == {}
