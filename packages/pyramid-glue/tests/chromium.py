"""A real Chromium, and real servers for it: https and http, under any host name, on the loopback."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import threading
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
import trustme
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    WSGIApplication = Callable[[dict[str, Any], Any], Any]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, _request: Any, _address: Any) -> None:
        """Say nothing: browsers break connections off as they like."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


class Web:
    """What the browser takes for the web.

    Attributes:
        sites: The WSGI application of each host name.
        https: The port that speaks https.
        http: The port that speaks plain http.
    """

    def __init__(self, https: int, http: int) -> None:
        self.sites: dict[str, WSGIApplication] = {}
        self.https, self.http = https, http

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer as the host that is asked for."""
        site = self.sites.get(environ["HTTP_HOST"].partition(":")[0])
        if site is None or environ["PATH_INFO"] == "/favicon.ico":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b""]
        return site(environ, start_response)

    def url(self, host: str, path: str, scheme: str = "https") -> str:
        """Return the address of a page."""
        return f"{scheme}://{host}:{self.https if scheme == 'https' else self.http}{path}"


@contextlib.contextmanager
def serving() -> Iterator[Web]:
    """Serve the web by https, with a certificate of an authority that nobody knows, and by http."""
    web = Web(0, 0)
    servers = [make_server("127.0.0.1", 0, web, server_class=_Server, handler_class=_Quiet) for _ in range(2)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("*.example").configure_cert(context)
    servers[0].socket = context.wrap_socket(servers[0].socket, server_side=True)
    servers[0].base_environ["HTTPS"] = "on"
    web.https, web.http = (server.server_port for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield web
    finally:
        for server in servers:
            server.shutdown()
        for thread in threads:
            thread.join()
        for server in servers:
            server.server_close()


@contextlib.contextmanager
def browsing(*, third_parties: bool = True) -> Iterator[Chrome]:
    """Start a Chromium for which every host is this machine; skip the test where there is none.

    Args:
        third_parties: Whether it lets sites that are embedded in others have cookies. Debian's does not,
            unless it is told to; Chrome's does.
    """
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("Chromium is not installed: apt install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = browser
    for flag in (
        "--headless=new",
        "--no-sandbox",  # which a container does not give to root; nothing but our own pages is opened
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--ignore-certificate-errors",
        "--host-resolver-rules=MAP * 127.0.0.1",
    ):
        options.add_argument(flag)
    options.add_experimental_option(
        "prefs",
        {
            "profile.block_third_party_cookies": not third_parties,
            "profile.cookie_controls_mode": 0 if third_parties else 1,
        },
    )
    started = Chrome(options=options, service=Service(executable_path=driver))
    try:
        started.set_page_load_timeout(60)
        started.set_script_timeout(60)
        yield started
    finally:
        started.quit()
