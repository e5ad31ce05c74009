"""A contender behind a server, for `throughput.py`: reads what to serve and how from standard input, as JSON.

Once the server accepts connections it prints its port and the cookies of the session that ``/read`` reads,
and serves until it is terminated. gunicorn's workers are forks of the process that has made the application:
they have its secret key, and a pool of connections each.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import gunicorn.app.base
import waitress
import worker


def announce(port: int, cookie: str) -> None:
    """Say where the server is."""
    print(json.dumps({"port": port, "cookie": cookie}), flush=True)


class Gunicorn(gunicorn.app.base.BaseApplication):  # type: ignore[misc]  # it has no types
    """gunicorn with its synchronous workers."""

    def __init__(self, app: Any, cookie: str, workers: int) -> None:
        self._app = app
        self._cookie = cookie
        self._workers = workers
        super().__init__()

    def load_config(self) -> None:
        """Be told what the command line tells otherwise."""
        settings = {
            "bind": "127.0.0.1:0",
            "workers": self._workers,
            "preload_app": True,
            "loglevel": "error",
            "when_ready": lambda arbiter: announce(arbiter.LISTENERS[0].getsockname()[1], self._cookie),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the application."""
        return self._app


def main() -> None:
    """Make the contender and its session, and serve it."""
    order = json.loads(sys.stdin.readline())
    contender = worker.load(order["module"], order["options"])
    client = worker.Client(contender.app)
    for kind in contender.prepare:
        client.get(kind)
    if order["server"] == "gunicorn":
        Gunicorn(contender.app, client.cookie, order["number"]).run()
    else:
        # It logs each request that waits for a thread, which is what 8 connections to one thread do.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        server = waitress.create_server(contender.app, host="127.0.0.1", port=0, threads=order["number"])
        announce(server.effective_port, client.cookie)
        server.run()


if __name__ == "__main__":
    main()
