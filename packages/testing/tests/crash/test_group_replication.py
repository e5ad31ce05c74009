"""MySQL's Group Replication: the primary dies, or hands over to another one; or each node is a primary.

``hatch test packages/testing/tests/crash/test_group_replication.py -m slow -n 0``; one of them with
``-k dies``, ``-k over`` or ``-k every``.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_websession.servers import GroupReplicationCluster, ServerUnavailableError
from sqlalchemy import create_engine, make_url

sys.path.insert(0, str(Path(__file__).parent))

from load import Crowd, Workers
from test_crashes import answers_again, stored
from till import Base

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
WORKERS, SESSIONS, CLIENTS = 3, 3, 2

one_primary = pytest.mark.parametrize("cluster", [False], indirect=True, ids=["one primary"])
many_primaries = pytest.mark.parametrize("cluster", [True], indirect=True, ids=["three primaries"])


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[GroupReplicationCluster]:
    """Three nodes; the parameter says whether each of them takes writes."""
    try:
        cluster = GroupReplicationCluster(3, multi_primary=request.param)
    except ServerUnavailableError as error:
        pytest.skip(str(error))
    with cluster:
        yield cluster


@pytest.fixture
def urls(cluster: GroupReplicationCluster) -> list[str]:
    """The URL of the application's database on each node."""
    database = make_url(cluster.nodes[0].create_database()).database
    assert database is not None
    urls = cluster.urls(database)
    engine = create_engine(urls[0])
    Base.metadata.create_all(engine)
    engine.dispose()
    return urls


def report(crowd: Crowd, level: str, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{level}: {crowd.figures()}")  # noqa: T201 - the figures


def assert_that_the_nodes_agree(urls: list[str]) -> None:
    """Wait until those that follow have caught up."""
    waited = threading.Event()
    for _ in range(100):
        contents = [stored(url) for url in urls]
        if all(each == contents[0] for each in contents):
            break
        waited.wait(0.2)
    for sessions, entries in contents:
        assert {key: sorted(numbers) for key, numbers in sessions.items()} == entries  # nothing by half
    assert all(each == contents[0] for each in contents)


@one_primary
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_primary_dies_and_comes_back(
    cluster: GroupReplicationCluster, urls: list[str], level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pause = threading.Event()
    with Workers([urls] * WORKERS, isolation_level=level) as workers:
        assert answers_again(workers.ports)
        with Crowd(workers.ports, SESSIONS, CLIENTS) as crowd:
            pause.wait(6)
            cluster.nodes[0].kill()
            assert answers_again(workers.ports)
            pause.wait(3)
            cluster.nodes[0].start()
            pause.wait(3)
        crowd.assert_that_nothing_is_lost()
        assert_that_the_nodes_agree(urls)  # the one that came back, too
    report(crowd, level, capsys)
    assert crowd.acknowledged > 100


@one_primary
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_primary_hands_over_and_nobody_tells_the_workers(
    cluster: GroupReplicationCluster, urls: list[str], level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pause = threading.Event()
    with Workers([urls] * WORKERS, isolation_level=level) as workers:
        assert answers_again(workers.ports)
        with Crowd(workers.ports, SESSIONS, CLIENTS) as crowd:
            for index in (1, 2, 0):
                pause.wait(4)
                cluster.switch_over(index)
                assert answers_again(workers.ports)
            pause.wait(4)
        crowd.assert_that_nothing_is_lost()
        assert_that_the_nodes_agree(urls)
    report(crowd, level, capsys)
    assert crowd.acknowledged > 100


@many_primaries
@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_every_node_takes_writes_and_conflicts_are_run_again(
    urls: list[str], level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Workers([[url] for url in urls], isolation_level=level) as workers:
        assert answers_again(workers.ports)
        with Crowd(workers.ports, SESSIONS, CLIENTS) as crowd:
            threading.Event().wait(12)
        crowd.assert_that_nothing_is_lost()
        assert_that_the_nodes_agree(urls)
    report(crowd, level, capsys)
    assert set(crowd.answers) == {"200"}
    assert crowd.acknowledged > 100
