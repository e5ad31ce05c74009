"""The primary dies, the standby takes over: no acknowledged change is lost, and no worker has to be told.

``hatch test packages/testing/tests/crash/test_failover.py -m slow -n 0``
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_websession.servers import PostgreSQLServer, ServerUnavailableError
from sqlalchemy import create_engine, make_url, text

sys.path.insert(0, str(Path(__file__).parent))

from load import PATIENCE, Client, Workers, get
from test_crashes import answers_again, stored
from till import Base

if TYPE_CHECKING:
    from pytest_websession.servers._process import Supervised

pytestmark = pytest.mark.slow
WORKERS = 3


class Standby(PostgreSQLServer):
    """A server that begins as the copy of a primary that is stopped, and follows it."""

    def __init__(self, primary: PostgreSQLServer, follows: str) -> None:
        self._primary, self._follows = primary, follows
        super().__init__(durable=True, settings={"primary_conninfo": follows, "hot_standby": "on"})
        self._password = primary._password  # the accounts are copied, too

    def _prepare(self, process: Supervised) -> None:
        super()._prepare(process)
        data = process.directory / "data"
        owner = data.stat()
        shutil.rmtree(data)
        shutil.copytree(self._primary.directory / "data", data, symlinks=True)
        (data / "standby.signal").touch()
        for path in (data, *data.rglob("*")):
            shutil.chown(path, owner.st_uid, owner.st_gid)
        data.chmod(0o700)


def execute(url: str, statement: str) -> object:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            result = connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        engine.dispose()


def follow_synchronously(primary_url: str) -> None:
    """Let the primary acknowledge nothing that the standby does not show already."""
    execute(primary_url, "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    execute(primary_url, "ALTER SYSTEM SET synchronous_commit = 'remote_apply'")
    execute(primary_url, "SELECT pg_reload_conf()")
    waited = threading.Event()
    for _ in range(int(PATIENCE / 0.1)):
        if execute(primary_url, "SELECT sync_state FROM pg_stat_replication") == "sync":
            return
        waited.wait(0.1)
    raise AssertionError("the standby does not follow")


def promote(standby_url: str) -> None:
    """Let the standby take writes, and wait for no standby of its own."""
    execute(standby_url, "SELECT pg_promote()")
    execute(standby_url, "ALTER SYSTEM SET synchronous_standby_names = ''")
    execute(standby_url, "SELECT pg_reload_conf()")


def test_a_promoted_standby_has_every_acknowledged_change(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        primary = PostgreSQLServer(durable=True)
        primary.start()
    except ServerUnavailableError as error:
        pytest.skip(str(error))
    with contextlib.closing(primary):
        url = primary.create_database()
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        engine.dispose()
        primary.stop()
        at = make_url(url)
        standby = Standby(
            primary,
            f"host=127.0.0.1 port={primary.port} user={at.username} password={at.password} "
            "application_name=standby",
        )
        with standby:  # copied while the primary stands still; it reads on its own
            primary.start()
            there = f"127.0.0.1:{standby.port}"
            standby_url = at.set(port=standby.port).render_as_string(hide_password=False)
            follow_synchronously(url)
            assert execute(standby_url, "SELECT pg_is_in_recovery()") is True
            # Whichever of the two takes writes.
            both = (
                f"postgresql+psycopg://{at.username}:{at.password}@/{at.database}"
                f"?host=127.0.0.1:{primary.port}&host={there}&target_session_attrs=read-write&connect_timeout=5"
            )
            with Workers([[both]] * WORKERS) as workers:
                assert answers_again(workers.ports)
                clients = [Client(workers.ports, seed) for seed in range(6)]
                pause = threading.Event()
                for client in clients:
                    client.start()
                try:
                    pause.wait(4)
                    primary.kill()
                    before = sum(len(client.acknowledged) for client in clients)
                    promote(standby_url)
                    assert answers_again(workers.ports)
                    pause.wait(4)
                finally:
                    for client in clients:
                        client.stop()
                    for client in clients:
                        client.join(PATIENCE)
                assert [error for client in clients for error in client.errors] == []
                sessions, entries = stored(standby_url)
                assert {key: sorted(numbers) for key, numbers in sessions.items()} == entries
                for client in clients:
                    status, _, body = get(workers.ports[0], "/look", client.cookies[-1])
                    assert (status, body["new"]) == (200, False)
                    assert len(set(body["numbers"])) == len(body["numbers"])
                    assert set(client.acknowledged) <= set(body["numbers"]) <= set(client.sent)
                after = sum(len(client.acknowledged) for client in clients)
                answers = sum((client.answers for client in clients), Counter())
    with capsys.disabled():
        print(f"\nacknowledged before the primary died {before}, in all {after}; answers {dict(answers)}")  # noqa: T201 - the figures
    assert after > before > 0
