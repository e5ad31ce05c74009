"""The README's WSGI application, driven as a browser would; that its examples run is Sybil's test."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from websession_crypto import Keyring, TokenCodec, generate_secret_key

README = Path(__file__).parents[1] / "README.md"
Application = Callable[..., Iterable[bytes]]


def readme_application(keys: str, monkeypatch: pytest.MonkeyPatch) -> Application:
    monkeypatch.setenv("COOKIE_KEYS", keys)
    (source,) = re.findall(r"(?ms)^```python\n(import os\n.*?)^```$", README.read_text("utf-8"))
    module: dict[str, Any] = {"__name__": "visits"}
    exec(compile(source, str(README), "exec"), module)
    application: Application = module["application"]
    return validator(application)


class Browser:
    """Sends back the cookie it was given last, unless told to send another one."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.cookie: str | None = None
        self.set_cookie = ""

    def visit(self) -> str:
        environ: dict[str, Any] = {"QUERY_STRING": ""}
        setup_testing_defaults(environ)
        if self.cookie is not None:
            environ["HTTP_COOKIE"] = self.cookie
        headers: dict[str, str] = {}

        def start_response(status: str, sent: list[tuple[str, str]], exc_info: object = None) -> None:
            assert status == "200 OK"
            headers.update(sent)

        chunks = self.application(environ, start_response)
        body = b"".join(chunks).decode()
        chunks.close()  # type: ignore[attr-defined]
        self.set_cookie = headers["Set-Cookie"]
        self.cookie = self.set_cookie.partition(";")[0]
        return body


@pytest.fixture
def keys() -> str:
    return generate_secret_key()


@pytest.fixture
def browser(keys: str, monkeypatch: pytest.MonkeyPatch) -> Browser:
    return Browser(readme_application(keys, monkeypatch))


def test_it_counts_the_visits_of_each_browser(browser: Browser) -> None:
    other = Browser(browser.application)

    assert [browser.visit() for _ in range(3)] == ["Visit number 1.", "Visit number 2.", "Visit number 3."]
    assert other.visit() == "Visit number 1."
    assert browser.visit() == "Visit number 4."


def test_its_cookie_is_out_of_reach_of_scripts_plain_http_and_other_sites(browser: Browser) -> None:
    browser.visit()

    value, *attributes = browser.set_cookie.split("; ")
    assert value.startswith("visits=A")
    assert attributes == ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]


def test_it_finds_its_cookie_among_others(browser: Browser) -> None:
    browser.visit()
    browser.cookie = f'theme=dark; a:b="x;y"; {browser.cookie}; last'

    assert browser.visit() == "Visit number 2."


@pytest.mark.parametrize(
    "cookie", ["", "visits", "visits=", "visits=1000", "visits=\xff", "visits=" + "A" * 5000]
)
def test_a_made_up_cookie_starts_again_at_one(browser: Browser, cookie: str) -> None:
    browser.visit()
    browser.cookie = cookie

    assert browser.visit() == "Visit number 1."


def test_a_token_for_something_else_under_the_same_key_starts_again_at_one(
    browser: Browser, keys: str
) -> None:
    browser.cookie = "visits=" + TokenCodec(Keyring.from_text(keys), purpose="age").encrypt(b"1000")

    assert browser.visit() == "Visit number 1."


def test_visits_survive_a_change_of_keys(
    browser: Browser, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.visit()

    new = generate_secret_key()
    browser.application = readme_application(f"{new}\n{keys}", monkeypatch)
    assert browser.visit() == "Visit number 2."
    browser.application = readme_application(new, monkeypatch)
    assert browser.visit() == "Visit number 3."
