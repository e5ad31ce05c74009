"""What throw-away servers of MariaDB and MySQL have in common."""

from __future__ import annotations

import abc
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ._base import DatabaseServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._process import Supervised


class MySQLFamilyServer(DatabaseServer):
    """A server that is started as MySQL's is: an initialised data directory, and options in one command."""

    _ends_by: ClassVar[int] = signal.SIGKILL
    _stops_by: ClassVar[int] = signal.SIGTERM
    _maintenance_database: ClassVar[str] = "mysql"

    @abc.abstractmethod
    def _server(self) -> Path:
        """Return the server's program."""

    @abc.abstractmethod
    def _initialisation(self, data: Path) -> Sequence[str | Path]:
        """Return the command that makes a data directory."""

    @abc.abstractmethod
    def _accounts(self) -> Sequence[str]:
        """Return the statements that leave our account as the only one; they run at each start."""

    @abc.abstractmethod
    def _options(self) -> Sequence[str]:
        """Return the options that only this product has, or wants."""

    def _prepare(self, process: Supervised) -> None:
        # Run at each start, before the first connection is accepted.
        statements = "".join(f"{statement};\n" for statement in self._accounts())
        self._account.write_private(process.directory / "accounts.sql", statements)
        command = self._initialisation(process.directory / "data")
        process.run(command, ends_by=signal.SIGKILL, seconds=300)

    def _command(self, port: int) -> Sequence[str | Path]:
        return [
            self._server(),
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            f"--init-file={self.directory / 'accounts.sql'}",
            # Relative to the data directory: a path in a deep directory is longer than a socket's may be.
            "--socket=socket",
            "--pid-file=pid",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--default-time-zone=+00:00",
            *self._options(),
            *(f"--{name}={value}" for name, value in self._settings.items()),
        ]

    def _durability(self) -> list[str]:
        if self._durable:
            return []
        return [
            # loose: a version that does without one of them starts all the same.
            "--loose-innodb-flush-log-at-trx-commit=0",
            "--loose-innodb-flush-method=nosync",
            "--loose-innodb-doublewrite=OFF",
        ]


def path_with_sbin() -> str:
    """Return PATH, each bin followed by the sbin beside it: servers are there, and not on a user's PATH."""
    directories = [Path(word) for word in os.environ.get("PATH", "").split(os.pathsep) if word]
    return os.pathsep.join(
        str(place)
        for directory in directories
        for place in (directory, *([directory.with_name("sbin")] if directory.name == "bin" else []))
    )
