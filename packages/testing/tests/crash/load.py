"""Workers that serve the application, and clients that remember what every answer promised."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

TILL = Path(__file__).with_name("till.py")
PATIENCE = 60.0  # seconds, for something that normally takes a fraction of one


class Workers:
    """Processes that serve the application, each on a port of its own; a context manager.

    Args:
        urls: For each worker the database's URLs: one, or those of servers of which one takes writes.
        isolation_level: Of all transactions.
    """

    def __init__(self, urls: list[list[str]], *, isolation_level: str = "SERIALIZABLE") -> None:
        self._urls = urls
        self._isolation_level = isolation_level
        self._processes: list[subprocess.Popen[bytes]] = []
        self.ports = [_free_port() for _ in urls]

    def __enter__(self) -> Workers:
        self._processes = [self._serve(index) for index in range(len(self._urls))]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _serve(self, index: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, TILL, str(self.ports[index]), self._isolation_level, *self._urls[index]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self, index: int) -> None:
        """SIGKILL a worker, and start another in its place."""
        process = self._processes[index]
        process.send_signal(signal.SIGKILL)
        process.wait()
        self._processes[index] = self._serve(index)


class Client(threading.Thread):
    """One browser, which adds numbers to its session until it is told to stop.

    Args:
        ports: Where the workers listen; each request goes to one of them, by chance.
        seed: For that chance.
        cookie: A session to use, that others may use at the same time; None: one of its own.
        first: The first number.

    Attributes:
        cookies: Every session cookie it was ever given.
        sent: The numbers it asked to be added.
        acknowledged: Those of which an answer said that they were.
        acknowledged_at: When it said so, by the monotonic clock.
        answers: How often it got which status, or none at all.
    """

    def __init__(self, ports: list[int], seed: int, *, cookie: str | None = None, first: int = 0) -> None:
        super().__init__()
        self._next = first
        self._ports = ports
        self._random = random.Random(seed)
        self._stop_asked = threading.Event()
        self.cookies: list[str] = [] if cookie is None else [cookie]
        self.sent: list[int] = []
        self.acknowledged: list[int] = []
        self.acknowledged_at: list[float] = []
        self.answers: Counter[str] = Counter()
        self.errors: list[BaseException] = []

    def run(self) -> None:
        """Add numbers."""
        try:
            while not self._stop_asked.is_set():
                self._step()
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            self.errors.append(error)

    def stop(self) -> None:
        """End the current request and no further one."""
        self._stop_asked.set()

    def _step(self) -> None:
        port = self._random.choice(self._ports)
        if not self.cookies:
            self._get(port, "/start")
            return
        number, self._next = self._next, self._next + 1
        self.sent.append(number)
        status, body = self._get(port, f"/add?n={number}")
        if status == 200:
            assert body == {"added": number}
            self.acknowledged.append(number)
            self.acknowledged_at.append(time.monotonic())
        elif status is None:
            self._stop_asked.wait(0.02)  # nobody listens there now

    def _get(self, port: int, path: str) -> tuple[int | None, Any]:
        status, cookie, body = get(port, path, self.cookies[-1] if self.cookies else None)
        self.answers[str(status)] += 1
        if cookie is not None:
            self.cookies.append(cookie)
        return status, body


class Crowd:
    """Browsers that share sessions: each of these is used by several clients at once, on any worker.

    A context manager: the clients run in its block.

    Args:
        ports: Where the workers listen.
        sessions: How many sessions.
        clients: How many clients use each.
    """

    def __init__(self, ports: list[int], sessions: int, clients: int) -> None:
        self._ports = ports
        self._began = time.monotonic()
        begun = [get(ports[0], "/start")[1] for _ in range(sessions)]
        self._cookies = [cookie for cookie in begun if cookie is not None]
        assert len(self._cookies) == sessions
        self._clients = [
            Client(ports, seed, cookie=self._cookies[seed % sessions], first=10**6 * seed)
            for seed in range(sessions * clients)
        ]

    def __enter__(self) -> Crowd:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.stop()
        for client in self._clients:
            client.join(PATIENCE)

    def assert_that_nothing_is_lost(self) -> None:
        """Look at each session on each worker: what was acknowledged is there once, nobody is logged out."""
        assert [error for client in self._clients for error in client.errors] == []
        for cookie in self._cookies:
            users = [client for client in self._clients if client.cookies[0] == cookie]
            for port in self._ports:
                status, _, body = get(port, "/look", cookie)
                assert status == 200
                assert body["new"] is False
                found = body["numbers"]
                assert len(set(found)) == len(found)
                for client in users:
                    assert set(client.acknowledged) <= set(found)
                assert set(found) <= {sent for client in users for sent in client.sent}
        for client in self._clients:
            assert client.cookies == client.cookies[:1]  # nobody was given another session

    def figures(self) -> str:
        """Return what a person wants to know, in a line."""
        return (
            f"{self.acknowledged} changes acknowledged; answers {dict(self.answers)}; "
            f"longest stall of a client {self._longest_stall():.1f} s, of all {self._longest_silence():.1f} s"
        )

    @property
    def acknowledged(self) -> int:
        """How many changes were acknowledged."""
        return sum(len(client.acknowledged) for client in self._clients)

    @property
    def answers(self) -> Counter[str]:
        """How often which status was answered."""
        return sum((client.answers for client in self._clients), Counter())

    def _longest_stall(self) -> float:
        return max(_longest_gap([self._began, *client.acknowledged_at]) for client in self._clients)

    def _longest_silence(self) -> float:
        return _longest_gap(sorted(at for client in self._clients for at in client.acknowledged_at))


def _longest_gap(moments: list[float]) -> float:
    return max(later - earlier for earlier, later in itertools.pairwise(moments))


def get(port: int, path: str, cookie: str | None = None) -> tuple[int | None, str | None, Any]:
    """Ask a worker.

    Returns:
        The status (None: there was no answer), the session cookie that was set, and the JSON of the body.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers={} if cookie is None else {"Cookie": f"websession={cookie}"})
        response = connection.getresponse()
        text = response.read()
    except (OSError, http.client.HTTPException):
        return None, None, None
    finally:
        connection.close()
    set_cookie = response.getheader("Set-Cookie")
    given = None if set_cookie is None else set_cookie.partition(";")[0].partition("=")[2]
    body = None
    if response.status == 200:
        with contextlib.suppress(ValueError):
            body = json.loads(text)
    return response.status, given, body


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
