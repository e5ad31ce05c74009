"""One session on three servers at once, of which one dies and comes back.

``hatch test packages/testing/tests/crash/test_galera.py -m slow -n 0`` (Debian: mariadb-server,
galera-4, rsync, lsof).
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from pytest_websession.servers import GaleraCluster, ServerUnavailableError
from sqlalchemy import create_engine, make_url

sys.path.insert(0, str(Path(__file__).parent))

from load import PATIENCE, Client, Workers, get
from test_crashes import answers_again, stored
from till import Base

pytestmark = pytest.mark.slow
BROWSERS, THREADS = 3, 2


def test_no_change_is_lost_and_nobody_is_logged_out(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        cluster = GaleraCluster(3)
    except ServerUnavailableError as error:
        pytest.skip(str(error))
    with cluster:
        database = make_url(cluster.nodes[0].create_database()).database
        assert database is not None
        urls = cluster.urls(database)
        engine = create_engine(urls[0])
        Base.metadata.create_all(engine)
        engine.dispose()
        with Workers(urls) as workers:
            pause = threading.Event()
            assert answers_again(workers.ports)
            # Each session is used by several threads at once, and each of their requests goes to any node.
            cookies = [get(workers.ports[0], "/start")[1] for _ in range(BROWSERS)]
            clients = [
                Client(workers.ports, seed, cookie=cookies[seed % BROWSERS], first=10**6 * seed)
                for seed in range(BROWSERS * THREADS)
            ]
            for client in clients:
                client.start()
            try:
                pause.wait(8)
                cluster.nodes[2].kill()
                pause.wait(5)
                cluster.nodes[2].start()
                pause.wait(5)
            finally:
                for client in clients:
                    client.stop()
                for client in clients:
                    client.join(PATIENCE)
            assert [error for client in clients for error in client.errors] == []
            counted = Counter()
            for number, cookie in enumerate(cookies):
                users = [client for client in clients if client.cookies[0] == cookie]
                for port in workers.ports:  # on the node that came back, too
                    status, _, body = get(port, "/look", cookie)
                    assert status == 200
                    assert body["new"] is False
                    found = body["numbers"]
                    assert len(set(found)) == len(found)
                    for client in users:
                        assert set(client.acknowledged) <= set(found)
                    assert set(found) <= {sent for client in users for sent in client.sent}
                counted["acknowledged and found"] += sum(len(client.acknowledged) for client in users)
                counted[f"session {number}"] = len(found)
            for client in clients:
                assert client.cookies == client.cookies[:1]  # nobody was given another session
            answers = sum((client.answers for client in clients), Counter())
            sizes = [sum(map(len, stored(url)[1].values())) for url in urls]
    with capsys.disabled():
        print(f"\n{dict(counted)}; answers {dict(answers)}; entries on each node {sizes}")  # noqa: T201 - the figures
    assert counted["acknowledged and found"] > 100
    assert len(set(sizes)) == 1
