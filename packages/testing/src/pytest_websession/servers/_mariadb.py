"""A throw-away MariaDB server."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple
from urllib.parse import quote

from ._base import USER, DatabaseServer
from ._process import ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._process import Supervised

INSTALL = "apt-get install mariadb-server"


class Programs(NamedTuple):
    """The two programs that are needed."""

    server: Path
    install: Path


class MariaDBServer(DatabaseServer):
    """A MariaDB server of one's own.

    Its programs are those of an installed MariaDB. URLs are for PyMySQL (`mariadb+pymysql://`).
    """

    engine: ClassVar[str] = "mariadb"
    _ends_by: ClassVar[int] = signal.SIGKILL

    _stops_by: ClassVar[int] = signal.SIGTERM
    _product: ClassVar[str] = "MariaDB"
    _driver: ClassVar[tuple[str, str]] = ("pymysql", "pip install pymysql")
    _maintenance_database: ClassVar[str] = "mysql"

    @classmethod
    def _locate(cls, binaries: Path | None) -> Programs:
        path = str(binaries) if binaries is not None else _path_with_sbin()
        server = shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)
        install = shutil.which("mariadb-install-db", path=path)
        if server is None or install is None:
            where = f" in {binaries}" if binaries is not None else ""
            raise ServerUnavailableError(f"MariaDB is not installed{where} ({INSTALL})")
        return Programs(Path(server), Path(install))

    def _find(self, binaries: Path | None) -> None:
        self._programs = self._locate(binaries)

    def _url(self, port: int, database: str) -> str:
        return (
            f"mariadb+pymysql://{USER}:{self._password}@127.0.0.1:{port}"
            f"/{quote(database, safe='')}?charset=utf8mb4"
        )

    def _prepare(self, process: Supervised) -> None:
        accounts = process.directory / "accounts.sql"
        # Run at each start, before the first connection is accepted.
        self._account.write_private(
            accounts,
            f"CREATE OR REPLACE USER {USER}@'127.0.0.1' IDENTIFIED BY '{self._password}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
            "DROP USER IF EXISTS root@'127.0.0.1', root@'::1', root@localhost, ''@localhost;\n",
        )
        process.run(
            [
                self._programs.install,
                "--no-defaults",
                f"--datadir={process.directory / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
                *self._durability(),
            ],
            ends_by=signal.SIGKILL,
            seconds=300,
        )

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
            "--loose-innodb-log-file-size=16M",
        ]


def _path_with_sbin() -> str:
    """Give PATH, each bin followed by the sbin beside it: servers are there, and not on a user's PATH."""
    directories = [Path(word) for word in os.environ.get("PATH", "").split(os.pathsep) if word]
    return os.pathsep.join(
        str(place)
        for directory in directories
        for place in (directory, *([directory.with_name("sbin")] if directory.name == "bin" else []))
    )
