"""What the throw-away servers have in common."""

from __future__ import annotations

import abc
import functools
import importlib.util
import secrets
import signal
import socket
import time
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import quote, urlsplit

from ._process import Account, ServerError, ServerUnavailableError, Supervised
from ._url import DatabaseURL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Engine

USER = "websession"
START_SECONDS = 60.0
STOP_SECONDS = 60.0
PORTS = 5  # tries to get one


class DatabaseServer(abc.ABC):
    """A private database server on 127.0.0.1 that leaves nothing behind.

    A context manager: entering starts it, leaving ends it and removes its data. It also goes, with its
    data, when the process that started it is killed. Its data directory has mode 0700 and its one
    account a random password; run by root, the server runs as `nobody`.

    Args:
        durable: Flush to disk at each commit. Off by default: a test's data need not survive the machine.
        settings: Settings of the server, by the engine's own names.
        binaries: The directory of the server's programs, instead of the one that is found.

    Raises:
        ServerUnavailableError: The server's programs or its Python driver are not installed.
    """

    engine: ClassVar[str]
    """The engine's name, as in the fixtures: `postgresql`, `mariadb`, `mysql`."""

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
        self._pid = 0
        self._process: Supervised | None = None
        self._databases: set[str] = set()
        self._emptied: list[str] = []  # dropped, as far as anybody can see
        self._account = Account.for_servers()
        self._programs = self._locate(binaries)
        for module in self._modules:
            try:
                importlib.import_module(module)
            except ImportError as error:
                raise ServerUnavailableError(self._lacks(module, f"cannot be imported: {error}")) from error

    @classmethod
    def missing(cls) -> str | None:
        """Return in a sentence what keeps this server from running here, or None.

        It looks for the programs and the driver, but neither runs the ones nor imports the other.
        """
        try:
            Account.for_servers()
            cls._locate(None)
        except ServerUnavailableError as error:
            return str(error)
        for module in cls._modules:
            if importlib.util.find_spec(module) is None:
                return cls._lacks(module, "is not installed")
        return None

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
    def pid(self) -> int:
        """The process id of the server's main process, as it was started last; 0 before the first start."""
        return self._pid

    @property
    def directory(self) -> Path:
        """The private directory that holds the data and the log."""
        return self._supervised().directory

    def log(self) -> str:
        """Return what the server has printed so far."""
        return self._supervised().log()

    def start(self) -> None:
        """Start the server, on the data it had before if it ran before; return when it answers.

        Raises:
            ServerError: It runs already, or it does not start; then the text ends with its last output.
            ServerUnavailableError: No temporary directory can be used by the server's account.
        """
        if self._process is None:
            self._process = Supervised(self.engine, self._account)
            try:
                self._prepare(self._process)
            except BaseException:
                self._process.close()
                raise
        if self._process.wait(0) is None:
            raise ServerError("the server runs already")
        # A port is only known to be free when the server has it: another process may be faster.
        for _ in range(PORTS):
            first = self._port == 0
            port = _free_port() if first else self._port
            before = len(self._process.log())
            self._pid = self._process.start(self._command(port), ends_by=self._ends_by)
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
        from . import _databases  # noqa: PLC0415 - SQLAlchemy only when used

        if self._emptied:
            name = self._emptied.pop()
        else:
            name = _databases.new_name()
            _databases.create(self._administration, name)
        self._databases.add(name)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database made by `create_database`, ending the connections to it first.

        Args:
            url: What `create_database` gave.

        Raises:
            ValueError: This object did not create such a database.
        """
        from . import _databases  # noqa: PLC0415 - SQLAlchemy only when used

        name = urlsplit(url).path.removeprefix("/")
        if name not in self._databases:
            raise ValueError(f"database {name!r} was not created by this server object")
        emptied = _databases.empty(self._administration, name) if self.engine == "postgresql" else None
        if emptied is None:
            _databases.drop(self._administration, name)
        else:
            self._emptied.append(emptied)
        self._databases.discard(name)

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database on this server."""
        return self._url(self._port, database)

    # What an engine has to say about itself:

    _product: ClassVar[str]
    _install: ClassVar[str]  # how to get the programs
    _modules: ClassVar[tuple[str, ...]]  # the driver, and what it needs to log in
    _install_modules: ClassVar[str]  # how to get those
    _scheme: ClassVar[str]  # of URLs, with the driver
    _query: ClassVar[str] = ""  # at the end of URLs
    _ends_by: ClassVar[int]  # quickest signal, when the data are no longer wanted
    _stops_by: ClassVar[int]  # signal for an orderly shutdown that does not wait for clients
    _maintenance_database: ClassVar[str]

    @classmethod
    @abc.abstractmethod
    def _locate(cls, binaries: Path | None) -> Path | tuple[Path, ...]:
        """Find the programs without running them, or raise ServerUnavailableError."""

    @abc.abstractmethod
    def _prepare(self, process: Supervised) -> None:
        """Make the data directory."""

    @abc.abstractmethod
    def _command(self, port: int) -> Sequence[str | Path]:
        """Return the command line that runs the server in the foreground."""

    @classmethod
    def _not_installed(cls, binaries: Path | None) -> ServerUnavailableError:
        where = f" in {binaries}" if binaries is not None else ""
        return ServerUnavailableError(f"{cls._product} is not installed{where} ({cls._install})")

    @classmethod
    def _lacks(cls, module: str, how: str) -> str:
        return f"{cls._product} needs the Python module {module}, which {how} ({cls._install_modules})"

    def _url(self, port: int, database: str) -> str:
        place = f"{USER}:{self._password}@127.0.0.1:{port}/{quote(database, safe='')}"
        return DatabaseURL(f"{self._scheme}://{place}{self._query}")

    @functools.cached_property
    def _administration(self) -> Engine:
        from . import _databases  # noqa: PLC0415 - SQLAlchemy only when used

        return _databases.administration(self.url(self._maintenance_database))

    def _answers(self, port: int) -> bool:
        from . import _databases  # noqa: PLC0415 - SQLAlchemy only when used

        process = self._supervised()
        engine = _databases.administration(self._url(port, self._maintenance_database))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.wait(0.01) is not None:
                return False
            if _databases.accepts(engine):
                return True
        process.signal(signal.SIGKILL)
        process.wait(STOP_SECONDS)
        return False

    def _end(self, number: int) -> None:
        process = self._supervised()
        process.signal(number)
        if process.wait(STOP_SECONDS) is None:
            raise process.failure(
                f"{self.engine} still runs {STOP_SECONDS:.0f} seconds after signal {number}"
            )

    def _supervised(self) -> Supervised:
        if self._process is None:
            raise ServerError("the server was never started")
        return self._process


class Cluster:
    """Servers on 127.0.0.1 that hold the same data; a context manager.

    Attributes:
        nodes: The servers. Each can be killed and started again, whereupon it joins the others.
    """

    nodes: Sequence[DatabaseServer]

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                node.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in reversed(self.nodes):
            node.close()

    def urls(self, database: str) -> list[str]:
        """Return the SQLAlchemy URL of a database on each server."""
        return [node.url(database) for node in self.nodes]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
