"""A throw-away Redis server, for the peer that keeps sessions there."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_websession.servers._base import _free_port
from pytest_websession.servers._process import Account, ServerUnavailableError, Supervised

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 10.0


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis of one's own on 127.0.0.1 that stores nothing on disk; give its URL.

    Raises:
        ServerUnavailableError: It is not installed.
        ServerError: It does not start.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise ServerUnavailableError("redis-server is not installed (apt-get install redis-server)")
    account = Account.for_servers()
    password = secrets.token_urlsafe(16)
    process = Supervised("redis", account)
    try:
        port = _free_port()
        settings = process.directory / "redis.conf"
        account.write_private(
            settings,
            f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\n'
            f"dir {process.directory}\n",
        )
        process.start([Path(program), settings], ends_by=signal.SIGKILL)
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.wait(0.02) is not None or time.monotonic() > deadline:
                raise process.failure("redis-server did not start")
        yield f"redis://:{password}@127.0.0.1:{port}/0"
    finally:
        process.close()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
