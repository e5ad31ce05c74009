"""A throw-away MariaDB server."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple
from urllib.parse import quote

from ._base import USER
from ._mysql_family import MySQLFamilyServer, path_with_sbin
from ._process import ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL = "apt-get install mariadb-server"


class Programs(NamedTuple):
    """The two programs that are needed."""

    server: Path
    install: Path


class MariaDBServer(MySQLFamilyServer):
    """A MariaDB server of one's own.

    Its programs are those of an installed MariaDB. URLs are for PyMySQL (`mariadb+pymysql://`).
    """

    engine: ClassVar[str] = "mariadb"
    _product: ClassVar[str] = "MariaDB"
    _modules: ClassVar[tuple[str, ...]] = ("pymysql",)
    _install_modules: ClassVar[str] = "pip install pymysql"

    @classmethod
    def _locate(cls, binaries: Path | None) -> Programs:
        path = str(binaries) if binaries is not None else path_with_sbin()
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

    def _server(self) -> Path:
        return self._programs.server

    def _initialisation(self, data: Path) -> Sequence[str | Path]:
        return [
            self._programs.install,
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            *self._durability(),
        ]

    def _accounts(self) -> Sequence[str]:
        return [
            f"CREATE OR REPLACE USER {USER}@'127.0.0.1' IDENTIFIED BY '{self._password}'",
            f"GRANT ALL PRIVILEGES ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION",
            "DROP USER IF EXISTS root@'127.0.0.1', root@'::1', root@localhost, ''@localhost",
        ]

    def _options(self) -> Sequence[str]:
        return self._durability()

    def _durability(self) -> list[str]:
        usual = super()._durability()
        return [*usual, "--loose-innodb-log-file-size=16M"] if usual else []
