"""What the throw-away servers have in common."""

from __future__ import annotations

import abc
import secrets
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from pytest_websession.servers._process import Account, ServerError, ServerUnavailable, Supervised

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

USER = "websession"
START_SECONDS = 60.0
STOP_SECONDS = 60.0


class DatabaseServer(abc.ABC):
    """A database server of one's own, on 127.0.0.1, that leaves nothing behind.

    A context manager: entering starts it, leaving ends it and removes its data. It also goes, with its
    data, when the process that started it is killed. Its data directory has mode 0700 and its one
    account a random password; run by root, the server runs as `nobody`.

    Args:
        durable: Flush to disk at each commit. Off by default: a test's data need not survive the machine.
        settings: Settings of the server, by the engine's own names.
        binaries: The directory of the server's programs, instead of the one that is found.

    Raises:
        ServerUnavailable: The server's programs or its Python driver are not installed.
    """

    engine: ClassVar[str]
    """The engine's name, as in the fixtures: `postgresql`, `mariadb`."""

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
    ) -> None:
        self._durable = durable
        self._settings = dict(settings or {})
        self._password = secrets.token_urlsafe(16)
        self._port = 0
        self._process: Supervised | None = None
        self._databases: set[str] = set()
        self._find(binaries)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on port {self._port or '(not started)'}>"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; 0 before the first start, the same one ever after."""
        return self._port

    @property
    def directory(self) -> Path:
        """The private directory that holds the data and the log."""
        return self._supervised().directory

    def log(self) -> str:
        """Give what the server has printed so far."""
        return self._supervised().log()

    def start(self) -> None:
        """Start the server, on the data it had before if it ran before; return when it answers.

        Raises:
            ServerError: It does not start; the text ends with its last output.
        """
        if self._process is None:
            account = Account.for_servers()
            self._process = Supervised(self.engine, account)
            self._prepare(self._process, account)
        # The port is only known to be free when the server has it: another process may be faster.
        for _ in range(5):
            first = self._port == 0
            port = _free_port() if first else self._port
            before = len(self._process.log())
            self._process.start(self._command(port), ends_by=self._ends_by)
            if self._answers(port):
                self._port = port
                return
            if not first or "ddress already in use" not in self._process.log()[before:]:
                break
        raise self._process.failure(f"{self.engine} did not start")

    def stop(self) -> None:
        """Shut the server down in good order; its data stay for the next `start()`."""
        self._end(self._stops_by)

    def kill(self) -> None:
        """SIGKILL the server, as a crash would; its data stay for the next `start()`."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End the server and remove its data. Can be repeated."""
        if self._process is not None:
            self._process.close()

    def create_database(self) -> str:
        """Create an empty database under a new name and give its SQLAlchemy URL."""
        name = f"websession_{secrets.token_hex(8)}"
        self._create(name)
        self._databases.add(name)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database made by `create_database`, ending the connections to it first.

        Args:
            url: What `create_database` gave.

        Raises:
            ValueError: This object did not create such a database.
        """
        name = urlsplit(url).path.removeprefix("/")
        if name not in self._databases:
            raise ValueError(f"database {name!r} was not created by this server object")
        self._drop(name)
        self._databases.discard(name)

    @abc.abstractmethod
    def url(self, database: str) -> str:
        """Give the SQLAlchemy URL of a database on this server."""

    # What an engine has to say about itself:

    _ends_by: ClassVar[int]
    _stops_by: ClassVar[int] = signal.SIGTERM

    @abc.abstractmethod
    def _find(self, binaries: Path | None) -> None:
        """Find programs and driver, or raise ServerUnavailable."""

    @abc.abstractmethod
    def _prepare(self, process: Supervised, account: Account) -> None:
        """Make the data directory."""

    @abc.abstractmethod
    def _command(self, port: int) -> Sequence[str | Path]:
        """Give the command line that runs the server in the foreground."""

    @abc.abstractmethod
    def _reachable(self, port: int) -> bool:
        """Tell whether the server on this port accepts our account."""

    @abc.abstractmethod
    def _create(self, name: str) -> None: ...

    @abc.abstractmethod
    def _drop(self, name: str) -> None: ...

    def _answers(self, port: int) -> bool:
        process = self._supervised()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.wait(0.01) is not None:
                return False
            if self._reachable(port):
                return True
        process.signal(signal.SIGKILL)
        process.wait(STOP_SECONDS)
        return False

    def _end(self, number: int) -> None:
        process = self._supervised()
        process.signal(number)
        if process.wait(STOP_SECONDS) is None:
            raise process.failure(f"{self.engine} still runs {STOP_SECONDS:.0f} seconds after a signal")

    def _supervised(self) -> Supervised:
        if self._process is None:
            raise ServerError("the server was never started")
        return self._process


def driver(name: str, install: str) -> Any:
    """Import a database driver.

    Raises:
        ServerUnavailable: It is not installed; the text names the command that installs it.
    """
    import importlib  # noqa: PLC0415 - only here

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ServerUnavailable(
            f"the Python driver {name} cannot be imported: {error} ({install})"
        ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
