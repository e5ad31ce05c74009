"""One session on three servers at once, of which one dies and comes back.

``hatch test packages/testing/tests/crash/test_galera.py -m slow -n 0`` (Debian: mariadb-server,
galera-4, rsync, lsof).
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from pytest_websession.servers import GaleraCluster, ServerUnavailableError
from sqlalchemy import create_engine, make_url

sys.path.insert(0, str(Path(__file__).parent))

from load import Crowd, Workers
from test_crashes import answers_again, stored
from till import Base

pytestmark = pytest.mark.slow
SESSIONS, CLIENTS = 3, 2


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
        with Workers([[url] for url in urls]) as workers:
            pause = threading.Event()
            assert answers_again(workers.ports)
            with Crowd(workers.ports, SESSIONS, CLIENTS) as crowd:
                pause.wait(8)
                cluster.nodes[2].kill()
                pause.wait(5)
                cluster.nodes[2].start()
                pause.wait(5)
            crowd.assert_that_nothing_is_lost()  # on the node that came back, too
            sizes = [sum(map(len, stored(url)[1].values())) for url in urls]
    with capsys.disabled():
        print(f"\n{crowd.figures()}; entries on each node {sizes}")  # noqa: T201 - the figures
    assert crowd.acknowledged > 100
    assert len(set(sizes)) == 1
