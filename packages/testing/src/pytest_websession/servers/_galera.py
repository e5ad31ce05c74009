"""A throw-away cluster of MariaDB servers, each of which takes writes (Galera)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ._base import Cluster, _free_port
from ._mariadb import MariaDBServer
from ._process import ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL = "apt-get install galera-4 rsync lsof"
PROVIDERS = ("/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so")


class GaleraCluster(Cluster):
    """MariaDB servers on 127.0.0.1 that hold the same data; a context manager.

    Args:
        size: How many.

    Raises:
        ServerUnavailableError: MariaDB or Galera is not installed.
    """

    def __init__(self, size: int = 3) -> None:
        provider = next((path for path in map(Path, PROVIDERS) if path.is_file()), None)
        if provider is None:
            raise ServerUnavailableError(f"Galera is not installed ({INSTALL})")
        ports = [_free_port() for _ in range(size)]
        first = _Node(provider, ports, 0, None)
        self.nodes: list[MariaDBServer] = [first]
        self.nodes += [_Node(provider, ports, index, first) for index in range(1, size)]


class _Node(MariaDBServer):
    def __init__(self, provider: Path, ports: list[int], index: int, first: _Node | None) -> None:
        super().__init__()
        self._provider = provider
        self._ports = ports
        self._index = index
        self._transfer_ports = [_free_port(), _free_port()]
        self._runs_for_the_first_time = True
        if first is not None:
            self._password = first._password  # the accounts are among what the nodes share

    def start(self) -> None:
        super().start()
        self._runs_for_the_first_time = False

    def _command(self, port: int) -> Sequence[str | Path]:
        # The first one begins the cluster, but joins it like the others when it comes back.
        begins = self._index == 0 and self._runs_for_the_first_time
        peers = "" if begins else ",".join(f"127.0.0.1:{port}" for port in self._ports)
        state_transfer, increments = self._transfer_ports
        usual = super()._command(port)
        if not begins:  # it gets the accounts from the others
            usual = [word for word in usual if not str(word).startswith("--init-file=")]
        listens = f"gmcast.listen_addr=tcp://127.0.0.1:{self._ports[self._index]}"
        return [
            *usual,
            "--wsrep-on=ON",
            f"--wsrep-provider={self._provider}",
            "--wsrep-cluster-name=websession",
            f"--wsrep-cluster-address=gcomm://{peers}",
            f"--wsrep-node-name=node{self._index}",
            "--wsrep-node-address=127.0.0.1",
            f"--wsrep-sst-receive-address=127.0.0.1:{state_transfer}",
            "--wsrep-sst-method=rsync",
            f"--wsrep-provider-options={listens};ist.recv_addr=127.0.0.1:{increments};gcache.size=32M",
            "--binlog-format=ROW",
            "--default-storage-engine=InnoDB",
            "--innodb-autoinc-lock-mode=2",
            # A read sees what was committed before on any node.
            "--wsrep-sync-wait=1",
        ]
