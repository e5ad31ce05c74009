import re

import pytest
from shop.seeds import DEMO_USERS

# WebOb 1.8 computes the Expires header of static files with it; Python deprecated it in 3.12.
pytestmark = pytest.mark.filterwarnings(r"ignore:datetime\.datetime\.utcnow:DeprecationWarning:webob\.")

PAGES = ["/", "/products/assam-tin", "/cart", "/login", "/logged-out"]


@pytest.mark.parametrize("path", [*PAGES, "/no/such/page", "/static/shop.css"])
def test_every_answer_carries_the_security_headers(browser, path):
    answer = browser.get(path, status="*")
    assert answer.status_int == (404 if path == "/no/such/page" else 200)
    assert answer.body  # and with it, the stylesheet's file is read to its end and closed
    headers = answer.headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", [*PAGES, "/no/such/page"])
def test_pages_are_not_kept_by_browsers_or_proxies(browser, path):
    assert browser.get(path, status="*").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
def test_pages_do_without_scripts_inline_styles_and_other_hosts(browser, path):
    page = browser.get(path)
    assert not page.html.select("script, style, [style], [onclick]")
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_one_main_heading_landmarks_and_a_skip_link(browser, path):
    html = browser.get(path).html
    assert len(html.select("h1")) == 1
    assert len(html.select("main")) == 1
    assert html.select_one("a.skip")["href"] == "#content"
    assert html.html["lang"] == "en"
    assert html.title.text.endswith("The Copper Kettle")


@pytest.mark.parametrize(
    "path", ["/login", "/products/assam-tin", "/cart", "/checkout/address", "/checkout/delivery"]
)
def test_every_control_has_a_label_and_every_id_is_unique(browser, path):
    browser.add("assam-tin")
    browser.fill_address()
    html = browser.get(path).html
    labelled = {label["for"] for label in html.select("label[for]")}
    controls = html.select("input:not([type=hidden]), select, textarea")
    assert controls
    assert {control.get("id") for control in controls} <= labelled
    ids = [element["id"] for element in html.select("[id]")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", ["/devices", "/admin"])
def test_pages_for_users_keep_the_same_rules(browser, path):
    browser.log_in(DEMO_USERS[-1])
    page = browser.get(path)
    assert page.headers["Cache-Control"] == "no-store"
    assert not page.html.select("script, style, [style], [onclick]")
    assert len(page.html.select("h1")) == 1
    ids = [element["id"] for element in page.html.select("[id]")]
    assert len(ids) == len(set(ids))


def test_stylesheets_may_be_kept_and_start_no_session(browser):
    sheet = browser.get("/").html.select_one("link[rel=stylesheet]")["href"]
    browser.reset()
    answer = browser.get(sheet)
    assert answer.content_type == "text/css"
    assert "max-age=3600" in answer.headers["Cache-Control"]
    assert browser.session_cookie is None
    assert "url(" not in answer.text


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser):
    cookie = browser.get("/").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_the_session_cookie_is_secure_over_https(browser):
    cookie = browser.get("/", extra_environ={"wsgi.url_scheme": "https"}).headers["Set-Cookie"]
    assert "secure" in cookie.lower()
