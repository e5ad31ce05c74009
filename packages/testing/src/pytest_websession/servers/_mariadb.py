"""A throw-away MariaDB server."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import quote

from pytest_websession.servers._base import USER, DatabaseServer, driver
from pytest_websession.servers._process import Account, ServerUnavailable, Supervised

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL = "apt-get install mariadb-server"
INSTALL_DRIVER = "pip install pymysql"


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

    def url(self, database: str) -> str:
        """Give the SQLAlchemy URL of a database on this server."""
        return (
            f"mariadb+pymysql://{USER}:{self._password}@127.0.0.1:{self.port}"
            f"/{quote(database, safe='')}?charset=utf8mb4"
        )

    def _find(self, binaries: Path | None) -> None:
        self._programs = find_mariadb(binaries)
        self._pymysql = driver("pymysql", INSTALL_DRIVER)

    def _prepare(self, process: Supervised, account: Account) -> None:
        accounts = process.directory / "accounts.sql"
        accounts.touch(mode=0o600)
        # Run at each start, before the first connection is accepted.
        accounts.write_text(
            f"CREATE OR REPLACE USER {USER}@'127.0.0.1' IDENTIFIED BY '{self._password}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
            "DROP USER IF EXISTS root@'127.0.0.1', root@'::1', root@localhost, ''@localhost;\n"
        )
        if account.other:
            shutil.chown(accounts, account.uid, account.gid)
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
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
            "--innodb-doublewrite=OFF",
            "--innodb-log-file-size=16M",
        ]

    def _reachable(self, port: int) -> bool:
        try:
            self._connect(port).close()
        except self._pymysql.err.OperationalError:
            return False
        return True

    def _create(self, name: str) -> None:
        with self._connect(self.port) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{name}`")

    def _drop(self, name: str) -> None:
        with self._connect(self.port) as connection, connection.cursor() as cursor:
            # A forgotten transaction's metadata lock would hold the DROP for a day.
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
            for (connection_id,) in cursor.fetchall():
                try:
                    cursor.execute("KILL %s", (connection_id,))
                except self._pymysql.err.Error as error:
                    if error.args[0] != 1094:  # no such thread: it has gone by itself
                        raise
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def _connect(self, port: int) -> Any:
        return self._pymysql.connect(
            host="127.0.0.1",
            port=port,
            user=USER,
            password=self._password,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=10,
        )


def find_mariadb(binaries: Path | None = None) -> Programs:
    """Find the programs of an installed MariaDB, without running anything.

    Args:
        binaries: Look here alone.

    Raises:
        ServerUnavailable: They are missing; the text names the command that installs them.
    """
    path = str(binaries) if binaries is not None else _path_with_sbin()
    server = shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)
    install = shutil.which("mariadb-install-db", path=path)
    if server is None or install is None:
        where = f" in {binaries}" if binaries is not None else ""
        raise ServerUnavailable(f"MariaDB is not installed{where} ({INSTALL})")
    return Programs(Path(server), Path(install))


def _path_with_sbin() -> str:
    """Give PATH, each bin followed by the sbin beside it: servers are there, and not on a user's PATH."""
    directories = [Path(word) for word in os.environ.get("PATH", "").split(os.pathsep) if word]
    return os.pathsep.join(
        str(place)
        for directory in directories
        for place in (directory, *([directory.with_name("sbin")] if directory.name == "bin" else []))
    )
