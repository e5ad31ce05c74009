"""Processes that serve the application of the witness, on 0.2.0 or on what is here, and browsers that ask."""

from __future__ import annotations

import http.client
import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from pyramid.request import Request
from wheels import CommandError, run, uv
from witness_app import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_websession.clock import ManualClock

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
COMMIT = "ee98c00"
"""Where 0.2.0 is."""

THIS_PYTHON = Path(sys.executable)
"""The Python of this process, with what is here."""

MEMBERS = ("core", "crypto", "sqla-models", "pyramid-glue", "meta")
TOOLS = ("psycopg[binary]", "pymysql", "pyramid-retry", "setuptools", "waitress")
PATIENCE = 60.0  # seconds, for something that normally takes a fraction of one


# --- 0.2.0 ------------------------------------------------------------------------------------------------


class HistoryError(Exception):
    """The commit of 0.2.0 is not in this clone."""


def install_0_2_0(folder: Path) -> Path:
    """Install 0.2.0 from its commit in an environment of its own.

    The versions of others' packages are those that this Python has.

    Args:
        folder: Where to; it must be empty.

    Returns:
        The environment's Python.

    Raises:
        HistoryError: This is no clone, or a shallow one.
    """
    try:
        run("git", "cat-file", "-e", f"{COMMIT}^{{commit}}", cwd=ROOT)
    except (CommandError, FileNotFoundError):
        raise HistoryError(
            f"0.2.0 is installed from its commit, {COMMIT}, and this checkout does not have it. In a shallow "
            "clone run: git fetch --unshallow"
        ) from None
    sources, environment, archive = folder / "sources", folder / "environment", folder / "sources.tar"
    members = [f"packages/{member}" for member in MEMBERS]
    run("git", "archive", f"--output={archive}", COMMIT, *members, cwd=ROOT)
    with tarfile.open(archive) as tar:
        tar.extractall(sources, filter="data")
    ours = {path.name.replace("_", "-") for path in ROOT.glob("packages/*/src/*")}
    others = {
        distribution.name: distribution.version
        for distribution in importlib.metadata.distributions()
        if distribution.name.replace("_", "-") not in ours
        and distribution.read_text("direct_url.json") is None
    }
    constraints = folder / "others.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in others.items()), "utf-8")
    uv("venv", "--quiet", "--no-project", "--python", sys.executable, environment)
    python = environment / "bin" / "python"
    paths = [sources / "packages" / member for member in MEMBERS]
    uv("pip", "install", "--quiet", "--python", python, "--constraint", constraints, *paths, *TOOLS)
    return python


# --- who is asked -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: The HTTP status.
        json: The body; None if it is not JSON.
        cookies: The `Set-Cookie` headers.
    """

    status: int
    json: Any
    cookies: list[str]

    @classmethod
    def read(cls, status: int, headers: list[tuple[str, str]], body: bytes) -> Self:
        """Return what a server has sent."""
        names = {name.lower(): value for name, value in headers}
        is_json = names.get("content-type", "").startswith("application/json")
        cookies = [value for name, value in headers if name.lower() == "set-cookie"]
        return cls(status, json.loads(body) if is_json else None, cookies)


class Server(Protocol):
    """Who answers requests."""

    def ask(self, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send a request, by GET if it has no body, else by POST."""


class Application:
    """The application in this process.

    Args:
        app: What `witness_app.main` has returned.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    def ask(self, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Call it."""
        environ = {"REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "https"}
        method = {"method": "GET"} if body is None else {"method": "POST", "body": body}
        response = Request.blank(path, environ=environ, headers=dict(headers), **method).get_response(
            self.app
        )
        return Answer.read(response.status_int, response.headerlist, response.body)


class Worker:
    """A process that serves the application; a context manager.

    Args:
        python: The interpreter, which has some version of the library.
        settings: The application's settings.
        log: The file that its log is added to.

    Attributes:
        tables: The statements that have made the tables, if the settings ask for them.
    """

    def __init__(self, python: Path, settings: Mapping[str, Any], log: Path) -> None:
        self._settings = dict(settings)
        self._log = log
        self._command = [str(python), "-W", "ignore", str(HERE / "serve.py")]
        # Another environment must not see packages that are this one's by a variable.
        hidden = () if python == THIS_PYTHON else ("PYTHON",)
        self._variables = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        self.tables: list[str] = []

    def __enter__(self) -> Self:
        with self._log.open("a") as log:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            self._process = subprocess.Popen(self._command, text=True, env=self._variables, **pipes)
        self._process.stdin.write(json.dumps(self._settings) + "\n")
        self._process.stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # it has nothing left to do: bookkeeping comes before the answer
        self._process.communicate()

    def started(self) -> Self:
        """Wait until it listens."""
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker did not start:\n{self._log.read_text()}")
        said = json.loads(line)
        self._port, self.tables = said["port"], said["tables"]
        return self

    def ask(self, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send it a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request("GET" if body is None else "POST", path, body, dict(headers))
            response = connection.getresponse()
            return Answer.read(response.status, response.getheaders(), response.read())
        finally:
            connection.close()


# --- who asks ---------------------------------------------------------------------------------------------


@dataclass
class Browser:
    """A browser with a cookie jar.

    Attributes:
        server: Who is asked.
        clock: What time it is.
        cookies: The values in its jar, by name.
        agent: What it calls itself.
    """

    server: Server
    clock: ManualClock
    cookies: dict[str, str] = field(default_factory=dict)
    agent: str = "Mozilla/5.0 (a browser of the witness)"
    _ends: dict[str, int] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        """Ask for a page and return its JSON."""
        return self._done(self.send(path))

    def post(self, path: str, content: Any = None, *, token: str | None = None) -> Any:
        """Send a form and return the JSON of the answer."""
        return self._done(self.send(path, content, token=token, method="POST"))

    def send(
        self,
        path: str,
        content: Any = None,
        *,
        token: str | None = None,
        method: str = "GET",
        server: Server | None = None,
    ) -> Answer:
        """Send a request with the cookies of this moment, and leave the jar as it is."""
        for name, end in list(self._ends.items()):
            if end <= self.clock():
                self._forget(name)
        headers = {"Host": "localhost", "User-Agent": self.agent, NOW: str(self.clock())}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if token is not None:
            headers["X-CSRF-Token"] = token
        body = None if method == "GET" else json.dumps(content).encode()
        return (server or self.server).ask(path, headers, body)

    def receive(self, answer: Answer) -> None:
        """Put the cookies of an answer into the jar."""
        for header in answer.cookies:
            for name, morsel in SimpleCookie(header).items():
                self._forget(name)
                seconds = int(morsel["max-age"]) if morsel["max-age"] else None
                if seconds is None or seconds > 0:
                    self.cookies[name] = morsel.value
                    if seconds is not None:
                        self._ends[name] = self.clock() + seconds

    def _done(self, answer: Answer) -> Any:
        assert answer.status == 200, answer
        self.receive(answer)
        return answer.json

    def _forget(self, name: str) -> None:
        self.cookies.pop(name, None)
        self._ends.pop(name, None)
