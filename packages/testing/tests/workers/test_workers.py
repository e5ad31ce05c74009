"""Real servers, with their processes, threads and greenlets: the counters of eight browsers are exact.

What needs packages that are built, or that take over the process, is run by `hatch run workers:run`.
"""

from __future__ import annotations

import http.client
import importlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from sqlalchemy import create_engine, text
from websession_crypto import generate_secret_key

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
BROWSERS = 8
ROUNDS = 5
AT_ONCE = 2
PATIENCE = 60.0  # seconds, for something that normally takes a fraction of one

GUNICORN = [sys.executable, "-m", "gunicorn", "counting_app", "--bind", "unix:{socket}"]
UWSGI = [
    shutil.which("uwsgi") or "uwsgi",
    *("--module", "counting_app", "--http-socket", "{socket}", "--pythonpath", str(HERE)),
    *("--virtualenv", sys.prefix, "--master", "--enable-threads", "--disable-logging", "--need-app"),
    *("--py-call-osafterfork",),
]


def of_package(name: str) -> Any:
    """Return the mark of a test that needs a package of the environment `workers`."""
    is_missing = importlib.util.find_spec(name) is None and shutil.which(name) is None
    return [
        pytest.mark.slow,
        pytest.mark.skipif(is_missing, reason=f"hatch run workers:run has {name}, which is not here"),
    ]


@pytest.fixture(
    params=[
        pytest.param((3, [*GUNICORN, "--preload", "--workers=3", "--threads=2"]), id="gunicorn, forked"),
        pytest.param((1, [*GUNICORN, "--threads=8"]), id="gunicorn, threads", marks=pytest.mark.slow),
        pytest.param(
            (2, [*GUNICORN, "--worker-class=gevent", "--workers=2"]),
            id="gunicorn, gevent",
            marks=of_package("gevent"),
        ),
        pytest.param(
            (2, [*UWSGI, "--processes=2", "--threads=2"]), id="uWSGI, forked", marks=of_package("uwsgi")
        ),
        pytest.param(
            (2, [*UWSGI, "--processes=2", "--lazy-apps"]), id="uWSGI, lazy", marks=of_package("uwsgi")
        ),
    ]
)
def server(
    request: Any, websession_database_url: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A server of each kind, under way."""
    processes, command = request.param
    # By no worker: where each loads the application by itself, two would create the same table at once, and
    # the one that fails takes gunicorn along.
    monkeypatch.syspath_prepend(HERE)
    counting_app = importlib.import_module("counting_app")
    engine = counting_app.make_engine(str(websession_database_url))
    counting_app.Base.metadata.create_all(engine)
    engine.dispose()
    with Server(command, processes, str(websession_database_url), tmp_path / "log") as server:
        yield server


class Server:
    """A WSGI server as a process of its own, on a socket of the file system.

    Attributes:
        processes: How many workers there are to be heard from.
    """

    def __init__(self, command: list[str], processes: int, url: str, log: Path) -> None:
        self.processes = processes
        self._log = log
        # The path of a socket is short (108 bytes).
        self._folder = tempfile.TemporaryDirectory(prefix="ws-")
        self._socket = str(Path(self._folder.name) / "s")
        self._command = [part.format(socket=self._socket) for part in command]
        self._variables = {**os.environ, "WORKERS_URL": url, "WORKERS_KEY": generate_secret_key()}

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command, cwd=HERE, env=self._variables, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        heard: set[int | None] = set()
        while len(heard - {None}) < self.processes:
            # At once, so that one that is busy leaves some to the others.
            with ThreadPoolExecutor(BROWSERS) as pool:
                heard |= {answer.result() for answer in [pool.submit(self._ask) for _ in range(BROWSERS)]}
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"of the server only {heard} did start:\n{self.said}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # what is recorded is recorded before the answer
        self._process.wait()
        self._folder.cleanup()

    @property
    def said(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    def _ask(self) -> int | None:
        """Return which process answers; None: none does yet."""
        connection = _Connection(self._socket)
        try:
            connection.request("GET", "/process")
            response = connection.getresponse()
            return json.loads(response.read()) if response.status == http.HTTPStatus.OK else None
        except (OSError, http.client.HTTPException):
            return None  # uWSGI listens before the application is loaded
        finally:
            connection.close()

    def get(self, path: str, cookie: str | None, **headers: str) -> tuple[Any, str | None]:
        """Return the JSON of a page, and the cookie that came with it, by its name and value."""
        connection = _Connection(self._socket)
        try:
            connection.request("GET", path, headers=headers | ({} if cookie is None else {"Cookie": cookie}))
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        assert response.status == 200, (response.status, self.said)
        cookies = SimpleCookie(response.getheader("Set-Cookie", "")).values()
        return json.loads(body), next((f"{cookie.key}={cookie.value}" for cookie in cookies), None)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def browse(server: Server) -> tuple[str, int, set[int]]:
    """Be a browser that asks for a page, then for several at once, again and again.

    Returns:
        Its cookie, the highest number that it was told, and which processes have answered.
    """
    first, cookie = server.get("/count", None)
    assert cookie is not None
    answers = [first]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(ROUNDS):
            futures = [pool.submit(server.get, "/count", cookie) for _ in range(AT_ONCE)]
            answers += [future.result()[0] for future in futures]
    numbers = sorted(answer["n"] for answer in answers)
    assert numbers == list(range(1, 2 + ROUNDS * AT_ONCE))
    return cookie, numbers[-1], {answer["process"] for answer in answers}


def test_the_counters_of_eight_browsers_are_exact(server, websession_database_url):
    with ThreadPoolExecutor(BROWSERS) as pool:
        browsers = list(pool.map(browse, [server] * BROWSERS))
    last = [server.get("/count", cookie)[0]["n"] for cookie, _, _ in browsers]
    assert last == [2 + ROUNDS * AT_ONCE] * BROWSERS
    # Nothing that a cookie or a row is named by is the same in two workers.
    assert len({cookie for cookie, _, _ in browsers}) == BROWSERS
    assert len(set.union(*(processes for _, _, processes in browsers))) == server.processes
    engine = create_engine(websession_database_url)
    try:
        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM session")).scalar() == BROWSERS
    finally:
        engine.dispose()


def test_the_scheme_is_what_a_proxy_says(server):
    assert server.get("/scheme", None, **{"X-Forwarded-Proto": "https"})[0] == "https"
    assert server.get("/scheme", None)[0] == "http"


class TestGevent:
    """A worker's timeout is no error of the library's to swallow."""

    pytestmark = of_package("gevent")

    def test_a_timeout_goes_through_bookkeeping_and_leaves_no_connection_out(self, websession_database_url):
        command = [sys.executable, str(HERE / "interrupted.py"), str(websession_database_url)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        # The request's own transaction was committed before.
        assert json.loads(done.stdout) == {"interrupted": True, "out": 0, "n": 3}
