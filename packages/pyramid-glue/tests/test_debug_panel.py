"""The panel of pyramid_debugtoolbar: what became of a request's session, without disturbing it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from pyramid.response import Response
from site_under_test import FullSession, User

ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])
TIMEOUTS = {
    "session.idle_timeout": 1800,
    "session.extension_delay": 60,
    "session.absolute_timeout": 43200,
    "session.renewal_timeout": 600,
}


def page(function):
    """Make a view whose answer the toolbar finds a place in."""

    def view(request):
        function(request)
        return Response("<html><body>Hello</body></html>", content_type="text/html")

    return view


@pytest.fixture(params=["before", "after"])
def toolbar(request):
    """Say when the toolbar is included: before us, as by `pyramid.includes`, or after."""
    if request.param == "before":
        return {"settings": {**TIMEOUTS, "pyramid.includes": "pyramid_debugtoolbar"}}
    return {"settings": TIMEOUTS, "configure": lambda config: config.include("pyramid_debugtoolbar")}


def make(make_site, toolbar):
    site = make_site(model=FullSession, **toolbar)
    site.views["untouched"] = page(lambda _request: None)
    site.views["write"] = page(lambda request: request.session.update(apples="SECRET-DATA"))
    site.views["read"] = page(lambda request: request.session.get("apples"))
    site.views["login"] = page(lambda request: request.session.login(7))
    site.views["logout"] = page(lambda request: request.session.invalidate())
    return site, site.browser(REMOTE_ADDR="127.0.0.1")


def panel(browser, path):
    """Visit a page, and return the panel's text about that visit."""
    answer = browser.get(path)
    assert "_debug_toolbar" in answer.text
    (address,) = set(re.findall(r"(/_debug_toolbar/[0-9a-f]{5,})", answer.text)) or {None}
    shown = browser.get(address).text
    content = shown.split('id="pDebugPanel-websessions-content"')[1].split('id="pDebugPanel-')[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content.replace("</td><td>", ": ")))


@ON_SQLITE
def test_a_request_that_does_not_touch_the_session_is_said_to(make_site, toolbar):
    site, browser = make(make_site, toolbar)
    site.statements.clear()
    text = panel(browser, "/untouched")
    assert "request.session" in text
    assert "state: not touched by this request" in text
    assert "None." in text
    assert not site.statements


@ON_SQLITE
def test_a_new_session_and_its_statements(make_site, toolbar):
    _, browser = make(make_site, toolbar)
    text = panel(browser, "/write")
    assert "state: began in this request" in text
    assert "the browser is told: store this cookie" in text
    assert text.count("INSERT INTO full_session") == 2
    assert "cookie replaced by a login or regenerate(): 0 times" in text
    assert "the next renewal of the cookie is due in: not renewed: anonymous" in text
    assert "What this means" in text
    assert "idle timeout in: 30 min" in text


@ON_SQLITE
def test_a_touch_is_among_the_bookkeeping_and_its_statements(make_site, toolbar):
    site, browser = make(make_site, toolbar)
    browser.get("/write")
    site.clock.advance(100)
    text = panel(browser, "/read")
    assert "state: read from the database" in text
    assert "bookkeeping: touch" in text
    assert "SELECT" in text
    assert "UPDATE full_session_activity" in text
    assert "idle timeout in: 28 min 20 s" in text
    assert "absolute timeout in: 11 h 58 min" in text
    assert "bookkeeping: none was due" in panel(browser, "/read")


@ON_SQLITE
def test_neither_data_nor_secrets_nor_whole_identifiers(make_site, toolbar):
    site, browser = make(make_site, toolbar)
    browser.get("/write")
    text = panel(browser, "/read")
    row = site.rows()[0]
    assert row.id.hex[:8] in text
    assert row.id.hex not in text.replace("-", "")
    assert "SECRET-DATA" not in text
    (cookie,) = (each.value for each in browser.cookiejar if "session" in each.name)
    assert cookie not in text


@ON_SQLITE
def test_a_login_and_a_logout(make_site, toolbar):
    site, browser = make(make_site, toolbar)
    with site.engine.begin() as connection:
        connection.execute(User.__table__.insert().values(id=7, name="Ada"))
    assert "user: 7" in panel(browser, "/login")
    text = panel(browser, "/logout")
    assert "the browser is told: forget the cookie" in text
    assert "bookkeeping: forget" in text


def test_without_the_toolbar_nothing_of_it_is_imported():
    code = (
        "import sys; from pyramid.config import Configurator; config = Configurator(settings={"
        "'session.secret_key': __import__('websession_crypto').generate_secret_key(),"
        "'session.model_class': 'site_under_test.Session', 'session.cookie_secure': 'false'});"
        "config.include('websession_pyramid'); config.make_wsgi_app();"
        "print('pyramid_debugtoolbar' in sys.modules)"
    )
    folder = re.sub(r"[^/]+$", "", __file__)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout == "False\n", done.stderr
