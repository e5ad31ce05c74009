"""A throw-away MySQL server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ._mysql_family import MySQLFamilyServer, Programs, path_with_sbin
from ._process import ServerUnavailableError

if TYPE_CHECKING:
    from ._process import Supervised

PROGRAM = "WEBSESSION_MYSQLD"  # an environment variable


class MySQLServer(MySQLFamilyServer):
    """A private MySQL server, MySQL 8.0 or newer.

    Its program is the `mysqld` that the environment variable `WEBSESSION_MYSQLD` names, else that of an
    installed MySQL. URLs are for PyMySQL (`mysql+pymysql://`); for mysqlclient take `ssl_disabled` out.
    """

    engine: ClassVar[str] = "mysql"
    _product: ClassVar[str] = "MySQL"
    _install: ClassVar[str] = f"install it, or name its mysqld by the environment variable {PROGRAM}"
    # The only type of account that every MySQL has wants its password encrypted. TLS would do that as well,
    # but connecting takes many times as long with it: the server has none.
    _modules: ClassVar[tuple[str, ...]] = ("pymysql", "cryptography")
    _install_modules: ClassVar[str] = 'pip install "pymysql[rsa]"'
    _scheme: ClassVar[str] = "mysql+pymysql"
    _options: ClassVar[tuple[str, ...]] = (
        # A directory is compiled in, which need not exist here.
        "--secure-file-priv=NULL",
        # Another port, of another protocol.
        "--mysqlx=OFF",
        # Copies for replicas, written and flushed before each commit, which is flushed again.
        "--skip-log-bin",
        # No TLS. The key that encrypts passwords is made all the same.
        "--loose-auto-generate-certs=OFF",
    )
    _initial_options: ClassVar[tuple[str, ...]] = ("--initialize-insecure",)
    _log_size: ClassVar[str] = "--loose-innodb-redo-log-capacity=16M"
    _create_user: ClassVar[str] = "CREATE USER IF NOT EXISTS"
    _accounts_to_drop: ClassVar[str] = "root@localhost"

    @classmethod
    def _locate(cls, binaries: Path | None) -> Programs:
        path = os.environ.get(PROGRAM) if binaries is None else None
        if path:
            program = shutil.which(path)
            if program is None:
                raise ServerUnavailableError(f"{PROGRAM} names {path}, which is no program")
            return Programs(Path(program).absolute(), Path(program).absolute())
        program = shutil.which("mysqld", path=path_with_sbin() if binaries is None else str(binaries))
        # MariaDB's server goes by this name, too.
        if program is None or Path(program).resolve().name == "mariadbd":
            raise cls._not_installed(binaries)
        return Programs(Path(program), Path(program))

    def _prepare(self, process: Supervised) -> None:
        if not self._account.can(self._programs.server, "--no-defaults", "--version"):
            name = self._account.name() or self._account.uid
            raise ServerUnavailableError(f"{self._programs.server} cannot be run by the account {name}")
        super()._prepare(process)
