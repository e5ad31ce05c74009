"""What throw-away servers of MariaDB and MySQL have in common."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ._base import USER, DatabaseServer
from ._process import KILL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._process import Supervised


class Programs(NamedTuple):
    """What is run: the server, and what makes its data directory (MySQL's server does both)."""

    server: Path
    install: Path


class MySQLFamilyServer(DatabaseServer):
    """A server that is started as MySQL's is: an initialised data directory, and options in one command."""

    _ends_by: ClassVar[int] = KILL
    _stops_by: ClassVar[int] = signal.SIGTERM
    # Else PyMySQL reads all certificates of the machine before each connection, which takes 30 ms.
    _query: ClassVar[str] = "?charset=utf8mb4&ssl_disabled=true"
    _maintenance_database: ClassVar[str] = "mysql"
    _programs: Programs

    # What a product has to say about itself:

    _options: ClassVar[tuple[str, ...]] = ()  # those that it alone has, or wants
    _initial_options: ClassVar[tuple[str, ...]]  # for making the data directory
    _log_size: ClassVar[str]  # the option for a smaller log, if nothing has to last
    _create_user: ClassVar[str]  # a statement's beginning that works if the account is there, too
    _accounts_to_drop: ClassVar[str]  # all that are there at first

    def _prepare(self, process: Supervised) -> None:
        # Run at each start, before the first connection is accepted: our account is the only one.
        statements = (
            f"{self._create_user} {USER}@'127.0.0.1' IDENTIFIED BY '{self._password}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
            f"DROP USER IF EXISTS {self._accounts_to_drop};\n"
        )
        self._account.write_private(process.directory / "accounts.sql", statements)
        options = [*self._initial_options, *self._options, *self._durability()]
        command: list[str | Path] = [self._programs.install, "--no-defaults"]
        command += [f"--datadir={process.directory / 'data'}", *options]
        process.run(command, ends_by=KILL, seconds=300)

    def _command(self, port: int) -> Sequence[str | Path]:
        return [
            self._programs.server,
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
            *self._options,
            *self._durability(),
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
            self._log_size,
        ]


def path_with_sbin() -> str:
    """Return PATH, each bin followed by the sbin beside it: servers are there, and not on a user's PATH."""
    directories = [Path(word) for word in os.environ.get("PATH", "").split(os.pathsep) if word]
    return os.pathsep.join(
        str(place)
        for directory in directories
        for place in (directory, *([directory.with_name("sbin")] if directory.name == "bin" else []))
    )
