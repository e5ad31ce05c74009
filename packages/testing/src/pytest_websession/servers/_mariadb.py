"""A throw-away MariaDB server."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from ._mysql_family import MySQLFamilyServer, Programs, path_with_sbin


class MariaDBServer(MySQLFamilyServer):
    """A private MariaDB server.

    Its programs are those of an installed MariaDB. URLs are for PyMySQL (`mariadb+pymysql://`); for
    mysqlclient take `ssl_disabled` out.
    """

    engine: ClassVar[str] = "mariadb"
    _product: ClassVar[str] = "MariaDB"
    _install: ClassVar[str] = "apt-get install mariadb-server"
    _modules: ClassVar[tuple[str, ...]] = ("pymysql",)
    _install_modules: ClassVar[str] = "pip install pymysql"
    _scheme: ClassVar[str] = "mariadb+pymysql"
    _initial_options: ClassVar[tuple[str, ...]] = (
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
    )
    _log_size: ClassVar[str] = "--loose-innodb-log-file-size=16M"
    _create_user: ClassVar[str] = "CREATE OR REPLACE USER"
    _accounts_to_drop: ClassVar[str] = "root@'127.0.0.1', root@'::1', root@localhost, ''@localhost"

    @classmethod
    def _locate(cls, binaries: Path | None) -> Programs:
        path = str(binaries) if binaries is not None else path_with_sbin()
        server = shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)
        install = shutil.which("mariadb-install-db", path=path)
        if server is None or install is None:
            raise cls._not_installed(binaries)
        return Programs(Path(server), Path(install))
