"""One contender, in a process of its own: makes requests when it is told to and says how long they took.

Runs in the contender's environment, so it imports nothing but the standard library and the contender. It
reads one JSON object per line from standard input and answers each with one on standard output; the first
names the contender (see `contenders`), every other one asks for requests. It ends when its input does.

What is measured is one call of the WSGI application and the reading of its answer, in this one thread, with a
prepared environ that carries the contender's own cookie. No server, no network, no browser.
"""

from __future__ import annotations

import gc
import importlib
import io
import itertools
import json
import os
import sys
import time
import tracemalloc
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass
class Contender:
    """What a module in `contenders` makes.

    Args:
        app: The WSGI application, with a view for each kind of request: ``/untouched``, ``/read``, ``/write``
            and ``/new``, and maybe more.
        prepare: The kinds of request, in this order, that make the session that is read and written.
        versions: Names and versions of what it is made of.
        mints: Makes cookie headers for sessions that are in the database already; takes their number.
    """

    app: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
    prepare: tuple[str, ...] = ("new",)
    versions: dict[str, str] = field(default_factory=dict)
    mints: Callable[[int], list[str]] | None = None


class WrongAnswerError(Exception):
    """A contender does not do what is measured."""


class Client:
    """Calls a WSGI application and keeps the cookies it sets, until they are frozen."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._cookies: dict[str, str] = {}
        self._response: tuple[str, list[tuple[str, str]]] = ("", [])

    def environ(self, kind: str, cookie: str | None = None) -> dict[str, Any]:
        """Return the environ of a request of this kind, with this header of cookies.

        None stands for all that were kept, and for none if the session is to be new.
        """
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": f"/{kind}",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost:80",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if cookie is None and kind != "new":
            cookie = self.cookie
        if cookie:
            environ["HTTP_COOKIE"] = cookie
        return environ

    def start_response(self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
        """Be WSGI's `start_response`."""
        self._response = (status, headers)

    @property
    def cookie(self) -> str:
        """What the client sends as its cookies."""
        return "; ".join(map("=".join, self._cookies.items()))  # no calls, however many cookies there are

    def get(self, kind: str, *, keep: bool = False, cookie: str | None = None) -> str:
        """Make one request and return what the view says.

        With `keep` no new cookies are taken, as in the measured rounds. For `cookie` see `environ`.
        """
        answer = self._app(self.environ(kind, cookie), self.start_response)
        body = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        status, headers = self._response
        if not status.startswith("200"):
            raise WrongAnswerError(f"{kind}: {status}: {body[:500]!r}")
        for name, value in headers:
            if name.lower() == "set-cookie" and not keep:
                for key, morsel in SimpleCookie(value).items():
                    self._cookies.pop(key, None)
                    if morsel["max-age"] != "0":
                        self._cookies[key] = morsel.value
        return body.decode()


class Site:
    """A contender that was seen to do what is measured, warm and ready."""

    def __init__(self, contender: Contender, *, warm_up: int) -> None:
        self._contender = contender
        self._sampled: list[dict[str, Any]] = []
        self._client = client = Client(contender.app)
        for kind in contender.prepare:
            client.get(kind)
        # A contender that answers fast because it stores nothing must not win.
        answers = [client.get("read"), client.get("write"), client.get("read")]
        if answers != ["1", "2", "2"]:
            raise WrongAnswerError(f"a read, a write and a read gave {answers}")
        for kind in ("untouched", "read", "write", "new"):
            self.requests(kind, warm_up)
        # What a contender has imported and made for good shall not cost it in every collection; the garbage
        # of each request does, as in a server that calls freeze() before it forks.
        gc.collect()
        gc.freeze()

    def requests(self, kind: str, number: int, clock: Callable[[], float] = time.perf_counter) -> float:
        """Make `number` requests of one kind and return how many seconds of `clock` they took together."""
        return self._time(itertools.repeat(self._client.environ(kind), number), clock)

    def peak(self, kind: str) -> int:
        """Make a request of one kind and return how many bytes of memory Python took for it at its peak."""
        gc.collect()
        tracemalloc.start()
        try:
            self.requests(kind, 1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def sample(self, kind: str, sessions: int) -> float:
        """Make a request for each of `sessions` stored sessions, the same at each call, and time them."""
        if self._contender.mints is None:
            raise WrongAnswerError("this contender cannot make cookies for stored sessions")
        if len(self._sampled) != sessions:
            cookies = self._contender.mints(sessions)
            self._sampled = [self._client.environ(kind, cookie) for cookie in cookies]
        return self._time(self._sampled, time.perf_counter)

    def _time(self, environs: Iterable[dict[str, Any]], clock: Callable[[], float]) -> float:
        app, start_response = self._contender.app, self._client.start_response
        gc.collect()
        start = clock()
        for environ in environs:
            answer = app(environ.copy(), start_response)
            for _chunk in answer:
                pass
            if hasattr(answer, "close"):
                answer.close()
        return clock() - start


def load(module: str, options: dict[str, Any]) -> Contender:
    """Make a contender.

    Args:
        module: Its module in `contenders`.
        options: For the module's `make`.
    """
    contender: Contender = importlib.import_module(f"contenders.{module}").make(**options)
    return contender


def main() -> None:
    """Serve standard input until it ends."""
    # The contender's own prints must not be taken for answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values) + "\n")

    order = json.loads(sys.stdin.readline())
    try:
        contender = load(order["module"], order["options"])
        site = Site(contender, warm_up=order["warm_up"])
    except Exception as error:  # noqa: BLE001 - whatever it is: the table shall say why this one is missing
        answer(error=f"{type(error).__name__}: {error}")
        return
    answer(versions=contender.versions)
    for line in sys.stdin:
        order = json.loads(line)
        if "peak" in order:
            answer(bytes=site.peak(order["kind"]))
        elif "sessions" in order:
            answer(seconds=site.sample(order["kind"], order["sessions"]))
        else:
            clock = time.process_time if order.get("processor") else time.perf_counter
            answer(seconds=site.requests(order["kind"], order["number"], clock))


if __name__ == "__main__":
    # `contenders` import this module by its name.
    sys.modules["worker"] = sys.modules["__main__"]
    main()
