"""A throw-away cluster of MySQL servers: Group Replication, with one primary or with several."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ._base import USER, Cluster, _free_port
from ._mysql import MySQLServer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

JOIN_SECONDS = 120.0


class GroupReplicationCluster(Cluster):
    """MySQL servers on 127.0.0.1 that hold the same data; a context manager.

    Args:
        size: How many.
        multi_primary: Whether all of them accept writes; otherwise one does, at first the first.

    Raises:
        ServerUnavailableError: MySQL is not installed.
    """

    def __init__(self, size: int = 3, *, multi_primary: bool = False) -> None:
        group = _Group(str(uuid.uuid4()), tuple(_free_port() for _ in range(size)), multi_primary)
        first = _Node(group, 0, None)
        self._nodes = [first, *(_Node(group, index, first) for index in range(1, size))]
        self.nodes: list[MySQLServer] = [*self._nodes]

    def switch_over(self, index: int) -> None:
        """Make another server the primary, in good order; return when it is.

        Args:
            index: Its place among the nodes.
        """
        node = self._nodes[index]
        node.ask("SELECT group_replication_set_as_primary(@@server_uuid)")


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    ports: tuple[int, ...]  # those on which the members talk to each other
    multi_primary: bool


class _Node(MySQLServer):
    # Each node makes its own; in the log they would be changes that the others do not have.
    _create_user: ClassVar[str] = f"SET sql_log_bin = 0;\n{MySQLServer._create_user}"

    def __init__(self, group: _Group, index: int, first: _Node | None) -> None:
        # One that is killed and has its log of changes, but not the changes, joins again without them.
        super().__init__(durable=True)
        self._group = group
        self._index = index
        self._runs_for_the_first_time = True
        if first is not None:
            self._password = first._password  # the accounts are among what the nodes share

    def start(self) -> None:
        super().start()
        if self._runs_for_the_first_time:
            self.ask(
                f"CHANGE REPLICATION SOURCE TO SOURCE_USER = '{USER}', SOURCE_PASSWORD = '{self._password}' "
                "FOR CHANNEL 'group_replication_recovery'"
            )
        if self._begins:
            self.ask("SET GLOBAL group_replication_bootstrap_group = ON")
        self._join()
        if self._begins:
            self.ask("SET GLOBAL group_replication_bootstrap_group = OFF")
        self._runs_for_the_first_time = False

    def ask(self, statement: str) -> Any:
        """Run a statement as the administrator; return the first value of its result, None without one."""
        with self._administration.connect() as connection:
            result = connection.exec_driver_sql(statement)
            return result.scalar() if result.returns_rows else None

    @property
    def _begins(self) -> bool:
        # The first one begins the group, but joins it like the others when it comes back.
        return self._index == 0 and self._runs_for_the_first_time

    def _join(self) -> None:
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - SQLAlchemy only when used

        deadline = time.monotonic() + JOIN_SECONDS
        refusal = "it did not get up to date"
        has_started = False
        while time.monotonic() < deadline:
            try:
                if not has_started:
                    self.ask("START GROUP_REPLICATION")
                    has_started = True
            except DBAPIError as error:  # the others still wait for the one that was killed, for example
                refusal = str(error.orig)
            state = self.ask(
                "SELECT MEMBER_STATE FROM performance_schema.replication_group_members "
                "WHERE MEMBER_ID = @@server_uuid"
            )
            if state == "ONLINE":
                return
            time.sleep(0.2)
        raise self._supervised().failure(f"a node did not join the group: {refusal}")

    def _command(self, port: int) -> Sequence[str | Path]:
        group = self._group
        usual = [word for word in super()._command(port) if word != "--skip-log-bin"]
        several = "ON" if group.multi_primary else "OFF"
        # A read sees what was committed before: on any node, or by the primary before.
        consistency = "BEFORE" if group.multi_primary else "BEFORE_ON_PRIMARY_FAILOVER"
        seeds = ",".join(f"127.0.0.1:{member}" for member in group.ports)
        return [
            *usual,
            f"--server-id={self._index + 1}",
            "--log-bin=binlog",
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            "--report-host=127.0.0.1",
            f"--report-port={port}",
            # Alone it takes no writes; the group allows them.
            "--super-read-only=ON",
            "--plugin-load-add=group_replication.so",
            f"--group-replication-group-name={group.name}",
            "--group-replication-start-on-boot=OFF",
            f"--group-replication-local-address=127.0.0.1:{group.ports[self._index]}",
            f"--group-replication-group-seeds={seeds}",
            "--group-replication-ip-allowlist=127.0.0.1/32",
            # No TLS here either; the password is encrypted with a key that is asked for.
            "--group-replication-ssl-mode=DISABLED",
            "--group-replication-recovery-use-ssl=OFF",
            "--group-replication-recovery-get-public-key=ON",
            f"--group-replication-single-primary-mode={'OFF' if group.multi_primary else 'ON'}",
            f"--group-replication-enforce-update-everywhere-checks={several}",
            f"--group-replication-consistency={consistency}",
            # Who does not answer for five seconds is no member any more.
            "--group-replication-member-expel-timeout=0",
        ]
