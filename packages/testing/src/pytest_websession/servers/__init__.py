"""Throw-away database servers for tests: started in a private directory, gone without a trace.

They need no root, no configuration and no container, and are gone, with their data, even if the test
run is killed with `kill -9`.
"""

from websession_core.renaming import renamed

from ._base import DatabaseServer
from ._galera import GaleraCluster
from ._group_replication import GroupReplicationCluster
from ._mariadb import MariaDBServer
from ._mysql import MySQLServer
from ._postgresql import PostgreSQLServer
from ._process import ServerError, ServerUnavailableError

__all__ = [
    "DatabaseServer",
    "GaleraCluster",
    "GroupReplicationCluster",
    "MariaDBServer",
    "MySQLServer",
    "PostgreSQLServer",
    "ServerError",
    "ServerUnavailableError",
]

__getattr__ = renamed(__name__, ServerUnavailable=ServerUnavailableError)
