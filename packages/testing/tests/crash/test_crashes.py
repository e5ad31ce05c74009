"""Servers die at any moment: what an answer has promised is in the database, and nothing is there by half.

``hatch test packages/testing/tests/crash -m slow -n 0`` kills each of them 50 times and prints the counts.
"""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_websession.servers import MariaDBServer, MySQLServer, PostgreSQLServer, ServerUnavailableError
from sqlalchemy import create_engine, select, text

sys.path.insert(0, str(Path(__file__).parent))

from load import PATIENCE, Client, Workers, get
from till import Base, Entry, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_websession.servers import DatabaseServer

CLIENTS, WORKERS = 6, 3
SERVERS = {"postgresql": PostgreSQLServer, "mariadb": MariaDBServer, "mysql": MySQLServer}


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """A server that flushes to disk at each commit, as in production."""
    try:
        server = SERVERS[request.param](durable=True)
        server.start()
    except ServerUnavailableError as error:
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.close()


def crash(server: DatabaseServer, workers: Workers, chance: random.Random, kills: int) -> Counter[str]:
    """Kill the server, and now and then a worker, at random moments."""
    killed: Counter[str] = Counter()
    pause = threading.Event()
    for number in range(kills):
        pause.wait(chance.uniform(0.2, 1.0))
        server.kill()
        killed["server"] += 1
        if number % 3 == 1:
            workers.kill(chance.randrange(WORKERS))
            killed["worker"] += 1
        pause.wait(chance.uniform(0.0, 0.3))
        server.start()
    for index in range(WORKERS):
        pause.wait(chance.uniform(0.1, 0.3))
        workers.kill(index)
        killed["worker"] += 1
    return killed


def answers_again(ports: list[int]) -> bool:
    """Wait until each worker, which nobody has told anything, answers from the database."""
    waited = threading.Event()
    for port in ports:
        for _ in range(int(PATIENCE / 0.1)):
            if get(port, "/start")[0] == 200:
                break
            waited.wait(0.1)
        else:
            return False
    return True


def stored(url: str) -> tuple[dict[Any, list[int]], dict[Any, list[int]]]:
    """Return the numbers of each session, and those of the application's table for each."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(Session.__table__))
            sessions = {row.id: row.data.get("numbers", []) for row in rows}
            entries: dict[Any, list[int]] = {session_id: [] for session_id in sessions}
            for row in connection.execute(select(Entry.__table__).order_by(Entry.__table__.c.number)):
                entries[row.session_id].append(row.number)
    finally:
        engine.dispose()
    return sessions, entries


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "server", ["postgresql", pytest.param("mariadb", marks=pytest.mark.slow), "mysql"], indirect=True
)
def test_what_was_acknowledged_is_stored_once_and_nothing_by_half(
    server: DatabaseServer, kills: int, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    seed = 20 + kills
    chance = random.Random(seed)
    url = server.create_database()
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    if server.engine == "postgresql":
        with engine.connect() as connection:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                assert connection.scalar(text(f"SHOW {name}")) == "on"
    if server.engine == "mysql":
        with engine.connect() as connection:
            flushed = "SELECT @@innodb_flush_log_at_trx_commit, @@innodb_doublewrite, @@innodb_flush_method"
            assert connection.execute(text(flushed)).one() == (1, "ON", "O_DIRECT")
    engine.dispose()

    with Workers([[url]] * WORKERS) as workers:
        assert answers_again(workers.ports)
        clients = [Client(workers.ports, seed + number) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            killed = crash(server, workers, chance, kills)
            assert answers_again(workers.ports)
        finally:
            for client in clients:
                client.stop()
            for client in clients:
                client.join(PATIENCE)
        assert [error for client in clients for error in client.errors] == []

        sessions, entries = stored(url)
        assert {key: sorted(numbers) for key, numbers in sessions.items()} == entries  # nothing by half
        by_numbers = Counter()
        for client in clients:
            assert client.cookies
            for cookie in client.cookies:  # none that opens nothing
                status, _, body = get(workers.ports[0], "/look", cookie)
                assert status == 200
                assert body["new"] is False
            found = body["numbers"]
            assert len(set(found)) == len(found)  # nothing twice
            assert set(client.acknowledged) <= set(found) <= set(client.sent)
            by_numbers["requests"] += len(client.sent)
            by_numbers["acknowledged and found"] += len(client.acknowledged)
            by_numbers["not acknowledged, found whole"] += len(set(found) - set(client.acknowledged))
        answers = sum((client.answers for client in clients), Counter())

    assert by_numbers["acknowledged and found"] > kills
    if request.node.get_closest_marker("slow"):
        with capsys.disabled():
            counted = f"killed {dict(killed)}; {dict(by_numbers)}; answers {dict(answers)}"
            print(f"\n{server.engine}, seed {seed}: {counted}")  # noqa: T201 - the figures
