"""OWASP ASVS 5.0, V3.3: the cookie. docs/explanation/asvs.md says what each requirement is.

What a real browser makes of it is in test_browser.py.
"""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest
from site_under_test import SECRET_KEY, FullSession
from websession_core import ConfigurationError
from websession_crypto import generate_secret_key
from websession_crypto.tokens import MAX_PURPOSE_LENGTH, MAX_TOKEN_LENGTH

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)

HOST = {"session.cookie_name": "__Host-session", "session.cookie_secure": "true"}


@pytest.fixture
def set_cookies(make_site):
    """Return every cookie that a session's whole life sets, as `Morsel`s, and the responses."""

    def make(**settings):
        site = make_site(
            model=FullSession,
            settings={"session.renewal_timeout": 300, **settings},
        )
        site.views.update(
            start=lambda request: request.session.update(a=1),
            login=lambda request: request.session.login(7),
            look=lambda request: request.session.copy(),
            regenerate=lambda request: request.session.regenerate(),
            leave=lambda request: request.session.invalidate(),
        )
        browser = site.browser(HTTP_HOST="shop.example", **{"wsgi.url_scheme": "https"})
        responses = []
        for path in ("start", "login", "look", "regenerate", "look", "renewed", "leave"):
            if path == "renewed":
                site.clock.advance(300)
            response = browser.get(f"/{'look' if path == 'renewed' else path}")
            responses.append(response)
        headers = [header for response in responses for header in response.headers.getall("Set-Cookie")]
        # The visitor's: start, and the login takes it away. The user's: login, regenerate, renewal, logout.
        assert len(headers) == 6
        return [morsel for header in headers for morsel in SimpleCookie(header).values()], responses

    return make


def test_3_3_1_the_cookie_is_secure_over_https_and_has_a_prefix_if_told_to(set_cookies):
    for settings in ({}, HOST, {**HOST, "session.cookie_name": "__Secure-session"}):
        cookies, _ = set_cookies(**settings)
        assert all(cookie["secure"] for cookie in cookies)
        name = settings.get("session.cookie_name", "websession")
        assert {cookie.key for cookie in cookies} == {name, f"{name}-visitor"}


def test_3_3_1_with_the_prefix_it_is_secure_behind_a_proxy_that_says_http_too(make_site):
    site = make_site(settings=HOST)
    assert "; secure;" in site.browser().get("/start").headers["Set-Cookie"]


@pytest.mark.parametrize("said", [None, "Lax", "Strict"])
def test_3_3_2_samesite_is_always_said_and_is_lax_if_nothing_else_is_asked_for(set_cookies, said):
    cookies, _ = set_cookies(**({} if said is None else {"session.cookie_samesite": said}))
    assert {cookie["samesite"] for cookie in cookies} == {said or "Lax"}


def test_3_3_3_what_the_host_prefix_promises_is_kept(set_cookies):
    cookies, _ = set_cookies(**HOST)
    assert {(cookie["path"], cookie["domain"], cookie["secure"]) for cookie in cookies} == {("/", "", True)}


@pytest.mark.parametrize(
    ("name", "value"), [("cookie_domain", "example.com"), ("cookie_path", "/shop"), ("cookie_secure", "auto")]
)
def test_3_3_3_settings_that_would_break_the_promise_stop_the_start(make_site, name, value):
    settings = {**HOST, f"session.{name}": value}
    with pytest.raises(ConfigurationError, match="__Host-"):
        make_site(settings=settings)


def test_3_3_4_the_cookie_is_httponly_and_its_value_is_nowhere_but_in_set_cookie(set_cookies):
    cookies, responses = set_cookies()
    assert all(cookie["httponly"] for cookie in cookies)
    values = [cookie.value for cookie in cookies if cookie.value]
    for response in responses:
        elsewhere = [value for name, value in response.headerlist if name.lower() != "set-cookie"]
        assert not any(value in text for value in values for text in (response.text, *elsewhere))


@pytest.mark.parametrize("name", ["s", "session", "n" * 255])
def test_3_3_5_name_and_value_stay_below_4096_bytes(set_cookies, name):
    keys = f"{generate_secret_key()} {SECRET_KEY}"
    cookies, _ = set_cookies(**{"session.cookie_name": name, "session.secret_key": keys})
    sizes = {len(cookie.key) + len(cookie.value) for cookie in cookies if cookie.value}
    assert sizes == {len(name) + 154, min(len(f"{name}-visitor"), 255) + 154}  # whatever is in it
    assert max(sizes) < 4096


def test_3_3_5_no_name_and_no_token_can_be_longer(make_site):
    with pytest.raises(ConfigurationError, match="longer than 255 characters"):
        make_site(settings={"session.cookie_name": "n" * 256})
    assert MAX_PURPOSE_LENGTH + MAX_TOKEN_LENGTH <= 4096
