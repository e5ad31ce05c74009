"""A throw-away MySQL server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from ._base import USER
from ._mysql_family import MySQLFamilyServer, path_with_sbin
from ._process import ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._process import Supervised

PROGRAM = "WEBSESSION_MYSQLD"  # an environment variable
INSTALL = f"install it, or name its mysqld by the environment variable {PROGRAM}"


class MySQLServer(MySQLFamilyServer):
    """A MySQL server of one's own, MySQL 8.0 or newer.

    Its program is the `mysqld` that the environment variable `WEBSESSION_MYSQLD` names, else that of an
    installed MySQL. URLs are for PyMySQL (`mysql+pymysql://`).
    """

    engine: ClassVar[str] = "mysql"
    _product: ClassVar[str] = "MySQL"
    # The only type of account that every MySQL has wants its password encrypted. TLS would do that as well,
    # but connecting takes many times as long with it: the server has none.
    _modules: ClassVar[tuple[str, ...]] = ("pymysql", "cryptography")
    _install_modules: ClassVar[str] = 'pip install "pymysql[rsa]"'

    @classmethod
    def _locate(cls, binaries: Path | None) -> Path:
        named = os.environ.get(PROGRAM) if binaries is None else None
        if named:
            program = shutil.which(named)
            if program is None:
                raise ServerUnavailableError(f"{PROGRAM} names {named}, which is no program")
            return Path(program).absolute()
        program = shutil.which("mysqld", path=path_with_sbin() if binaries is None else str(binaries))
        # MariaDB's server goes by this name, too.
        if program is None or Path(program).resolve().name == "mariadbd":
            where = f" in {binaries}" if binaries is not None else ""
            raise ServerUnavailableError(f"MySQL is not installed{where} ({INSTALL})")
        return Path(program)

    def _find(self, binaries: Path | None) -> None:
        self._program = self._locate(binaries)

    def _url(self, port: int, database: str) -> str:
        return (
            f"mysql+pymysql://{USER}:{self._password}@127.0.0.1:{port}"
            f"/{quote(database, safe='')}?charset=utf8mb4"
        )

    def _server(self) -> Path:
        return self._program

    def _prepare(self, process: Supervised) -> None:
        if not self._account.can(self._program, "--no-defaults", "--version"):
            name = self._account.name() or self._account.uid
            raise ServerUnavailableError(f"{self._program} cannot be run by the account {name}")
        super()._prepare(process)

    def _initialisation(self, data: Path) -> Sequence[str | Path]:
        return [
            self._program,
            "--no-defaults",
            f"--datadir={data}",
            "--initialize-insecure",
            *self._options(),
        ]

    def _accounts(self) -> Sequence[str]:
        return [
            f"CREATE USER IF NOT EXISTS {USER}@'127.0.0.1' IDENTIFIED BY '{self._password}'",
            f"GRANT ALL PRIVILEGES ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION",
            "DROP USER IF EXISTS root@localhost",
        ]

    def _options(self) -> Sequence[str]:
        return [
            # A directory is compiled in, which need not exist here.
            "--secure-file-priv=NULL",
            # Another port, of another protocol.
            "--mysqlx=OFF",
            # Copies for replicas, written and flushed before each commit, which is flushed again.
            "--skip-log-bin",
            # No TLS. The key that encrypts passwords is made all the same.
            "--loose-auto-generate-certs=OFF",
            *self._durability(),
        ]

    def _durability(self) -> list[str]:
        usual = super()._durability()
        return [*usual, "--loose-innodb-redo-log-capacity=16M"] if usual else []
