"""Throw-away database servers for tests: started in a private directory, gone without a trace.

They need no root, no configuration and no container, and are gone, with their data, even if the test
run is killed with `kill -9`.
"""

from pytest_websession.servers._base import DatabaseServer
from pytest_websession.servers._galera import GaleraCluster
from pytest_websession.servers._mariadb import MariaDBServer
from pytest_websession.servers._mysql import MySQLServer
from pytest_websession.servers._postgresql import PostgreSQLServer
from pytest_websession.servers._process import ServerError, ServerUnavailable

__all__ = [
    "DatabaseServer",
    "GaleraCluster",
    "MariaDBServer",
    "MySQLServer",
    "PostgreSQLServer",
    "ServerError",
    "ServerUnavailable",
]
