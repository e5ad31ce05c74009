"""Conflicts are retried with every driver, wherever they are raised, with or without an error page.

The conflicts are real, but for those at the COMMIT of MariaDB and MySQL, which only a cluster has: there the
driver's own error is raised by its connection.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import ClassVar

import pytest
from pyramid.response import Response
from site_under_test import Order, User, of_driver, with_driver
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from websession_models import has_ended_transaction, is_conflict, is_read_only_refusal

DRIVERS = {
    "postgresql": ("psycopg", "psycopg2"),
    "mariadb": ("pymysql", "mysqlconnector"),
    "mysql": ("pymysql", "mysqlconnector", "mysqldb"),
    "sqlite": ("pysqlite",),
}
# What a cluster says of a conflict at the COMMIT: Galera, and Group Replication in two ways.
GALERA = (1213, "Deadlock found when trying to get lock; try restarting transaction", "40001")
GROUP_REPLICATION = (
    (3101, "Plugin instructed the server to rollback the current transaction.", "40000"),
    (1180, "Got error 149 - 'Lock deadlock; Retry transaction' during COMMIT", "HY000"),
)
PLACES = ("a statement of the view", "a flush of the commit", "the COMMIT")

each_driver = pytest.mark.parametrize(
    ("websession_engine_name", "driver"),
    [
        pytest.param(engine, driver, marks=of_driver(driver))
        for engine, drivers in DRIVERS.items()
        for driver in drivers
    ],
    indirect=["websession_engine_name"],
)


@pytest.fixture(params=[False, True], ids=["no error page", "catch-all error page"])
def error_page(request):
    if not request.param:
        return None
    return lambda exception, request: Response("sorry", status=500)


# Each makes an application lose a conflict once: `provoke(site, request, place)` is called by its view.


class PostgreSQL:
    """SERIALIZABLE: another transaction changes what this one has read."""

    options: ClassVar = {"isolation_level": "SERIALIZABLE"}
    known_to_zope: ClassVar = {"psycopg", "psycopg2"}

    @staticmethod
    def prepare(site):
        pass

    @staticmethod
    def provoke(site, request, place):
        user = request.dbsession.get(User, 1)
        if place != "the COMMIT":
            with site.engine.begin() as other:
                other.execute(update(User).values(name="other"))
            user.name = "ours"
            if place == "a statement of the view":
                request.dbsession.flush()
            return
        # Each of two transactions reads what the other writes, and the other one is the first to commit.
        request.dbsession.add(Order(text="ours"))
        request.dbsession.flush()
        with site.engine.begin() as other:
            other.execute(select(Order.text)).all()
            other.execute(update(User).values(name="other"))


class MariaDB:
    """A row that has changed since it was read (1020); at COMMIT what a cluster says (1213)."""

    # Set by the URL's driver for each connection, as an application would.
    options: ClassVar = {"isolation_level": "REPEATABLE READ"}
    known_to_zope: ClassVar = set()

    @staticmethod
    def prepare(site):
        @event.listens_for(site.engine, "connect")
        def snapshot_isolation(connection, _record):
            with contextlib.closing(connection.cursor()) as cursor:
                cursor.execute("SET SESSION innodb_snapshot_isolation = ON")

    @staticmethod
    def provoke(site, request, place):
        user = request.dbsession.get(User, 1)
        if place != "the COMMIT":
            with site.engine.begin() as other:
                other.execute(update(User).values(name="other"))
            user.name = "ours"
            if place == "a statement of the view":
                request.dbsession.flush()
            return
        user.name = "ours"
        refuse_to_commit(site, request)


class MySQL:
    """A deadlock (1213); at COMMIT what a cluster says of a conflict, which is the same."""

    options: ClassVar = {"isolation_level": "SERIALIZABLE"}
    known_to_zope: ClassVar = {"pymysql"}

    @staticmethod
    def prepare(site):
        pass

    @staticmethod
    def provoke(site, request, place):
        # Reading locks at this level, so that each of two that have read waits for the other one to write.
        user = request.dbsession.get(User, 1)
        if place != "the COMMIT":
            site.held.append(Deadlock(site.engine))
        user.name = "ours"
        if place == "a statement of the view":
            request.dbsession.flush()
        elif place == "the COMMIT":
            refuse_to_commit(site, request)


class Deadlock:
    """The other of two transactions; the server ends the one that has written less, which is ours."""

    def __init__(self, engine):
        self.connection = engine.connect()
        self.connection.execute(insert(Order), [{"text": "theirs"}] * 50)
        self.connection.execute(select(User.name)).all()
        self.writing = threading.Thread(
            target=self.connection.execute, args=(update(User).values(name="other"),)
        )
        self.writing.start()

    def close(self):
        self.writing.join()
        self.connection.close()


def refuse_to_commit(site, request):
    number, message, state = site.word_of_the_cluster
    driver = site.engine.dialect.dbapi
    connection = request.dbsession.connection().connection.dbapi_connection
    usual = connection.commit

    def commit():
        connection.commit = usual
        connection.rollback()
        if driver.__name__ == "mysql.connector":
            raise driver.errors.InternalError(msg=message, errno=number, sqlstate=state)
        raise driver.OperationalError(number, message)

    connection.commit = commit


class SQLite:
    """The driver's default transactions, which find the database locked."""

    options: ClassVar = {"connect_args": {"timeout": 0}}
    known_to_zope: ClassVar = set()

    @staticmethod
    def prepare(site):
        pass

    @staticmethod
    def provoke(site, request, place):
        user = request.dbsession.get(User, 1)
        user.name = "ours"
        file = site.engine.url.database
        if place == "the COMMIT":
            # In the rollback journal's mode a reader keeps the writer from committing.
            request.dbsession.flush()
            other = sqlite3.connect(file, isolation_level=None)
            other.execute("BEGIN")
            other.execute("SELECT * FROM shop_user").fetchall()
        else:
            other = sqlite3.connect(file, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
        site.held.append(other)
        if place == "a statement of the view":
            request.dbsession.flush()


SCENARIOS = {"postgresql": PostgreSQL, "mariadb": MariaDB, "mysql": MySQL, "sqlite": SQLite}


@pytest.fixture
def make_contended(make_site, websession_engine_name, websession_database_url, driver, error_page):
    """Make an application of which the first attempt to answer `/it` loses a conflict at a given place."""
    scenario = SCENARIOS[websession_engine_name]
    held = []

    def make(place, word_of_the_cluster=GALERA, **options):
        site = make_site(
            url=with_driver(websession_database_url, driver),
            error_page=error_page,
            recipe=False,
            engine_options=scenario.options,
            **options,
        )
        site.held = held
        site.word_of_the_cluster = word_of_the_cluster
        scenario.prepare(site)
        site.engine.dispose()
        with site.engine.begin() as connection:
            connection.execute(insert(User).values(id=1, name="nobody"))
        site.attempts = []
        site.views["start"] = lambda request: request.session.update(n=0)

        @site.view
        def it(request):
            site.attempts.append(place)
            for other in held:
                other.close()
            held.clear()
            request.session["n"] += 1
            if len(site.attempts) == 1:
                scenario.provoke(site, request, place)
            else:
                request.dbsession.get(User, 1).name = "ours"

        return site

    yield make
    for other in held:
        other.close()


@each_driver
@pytest.mark.parametrize("place", PLACES)
def test_a_lost_conflict_is_retried(make_contended, place):
    site = make_contended(place)
    browser = site.browser()
    browser.get("/start")
    browser.get("/it", status=200)
    assert len(site.attempts) == 2
    assert browser.get("/look").json_body == {"n": 1}
    with site.engine.connect() as connection:
        assert connection.scalar(select(User.name)) == "ours"


@pytest.mark.parametrize("websession_engine_name", ["mysql"], indirect=True)
@pytest.mark.parametrize("driver", [pytest.param(name, marks=of_driver(name)) for name in DRIVERS["mysql"]])
@pytest.mark.parametrize("word", GROUP_REPLICATION, ids=["3101", "1180"])
def test_what_group_replication_calls_a_conflict_is_retried(make_contended, word):
    site = make_contended("the COMMIT", word)
    browser = site.browser()
    browser.get("/start")
    browser.get("/it", status=200)
    assert len(site.attempts) == 2
    assert browser.get("/look").json_body == {"n": 1}


@each_driver
def test_an_application_can_switch_it_off(make_contended, websession_engine_name, driver, error_page):
    # Where neither pyramid_tm nor zope.sqlalchemy would retry by themselves.
    site = make_contended("a flush of the commit", settings={"session.retry_conflicts": "false"})
    browser = site.browser()
    browser.get("/start")
    if error_page is not None:
        browser.get("/it", status=500)
        assert len(site.attempts) == 1
        return
    with contextlib.suppress(DBAPIError):
        browser.get("/it")
    known = SCENARIOS[websession_engine_name].known_to_zope
    assert len(site.attempts) == (2 if driver in known else 1)


@pytest.mark.parametrize("driver", ["default"])
def test_what_is_no_conflict_is_not_retried(make_site, driver, error_page):
    site = make_site(error_page=error_page)
    attempts = []

    @site.view
    def twice(request):
        attempts.append("twice")
        request.dbsession.add_all([User(id=1, name="one")])
        request.dbsession.flush()
        request.dbsession.execute(insert(User).values(id=1, name="two"))

    @site.view
    def nonsense(request):
        attempts.append("nonsense")
        request.dbsession.execute(text("SELECT nonsense FROM nowhere"))

    for name in ("twice", "nonsense"):
        attempts.clear()
        if error_page is not None:
            site.browser().get(f"/{name}", status=500)
        else:
            with pytest.raises(DBAPIError):
                site.browser().get(f"/{name}")
        assert attempts == [name]


@pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True)
def test_a_lock_that_is_not_to_be_had_is_waited_for_again(make_site, websession_engine_name, error_page):
    impatience = {
        "postgresql": "SET LOCAL lock_timeout = 1",
        "mariadb": "SET SESSION innodb_lock_wait_timeout = 0",
        "mysql": "SET SESSION innodb_lock_wait_timeout = 1",  # its shortest
    }[websession_engine_name]
    site = make_site(error_page=error_page)
    with site.engine.begin() as connection:
        connection.execute(insert(User).values(id=1, name="nobody"))
    holder = site.engine.connect()
    holder.execute(update(User).values(name="holder"))
    attempts = []

    @site.view
    def it(request):
        attempts.append("it")
        request.session["n"] = len(attempts)
        if len(attempts) == 2:
            holder.rollback()
        request.dbsession.execute(text(impatience))
        request.dbsession.execute(update(User).values(name="ours"))

    try:
        site.browser().get("/it", status=200)
    finally:
        holder.close()
    assert len(attempts) == 2


@pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True)
def test_a_lost_connection_is_not_retried(make_site, websession_engine_name):
    # Its COMMIT may have been the last thing that the server did.
    site = make_site(error_page=lambda exception, request: Response("sorry", status=500))
    attempts = []
    end = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend(:id)"),
        "mariadb": ("SELECT connection_id()", "KILL :id"),
        "mysql": ("SELECT connection_id()", "KILL :id"),
    }[websession_engine_name]

    @site.view
    def it(request):
        attempts.append("it")
        request.session["n"] = 1
        request.dbsession.add(User(id=1, name="one"))
        request.dbsession.flush()
        mine = request.dbsession.scalar(text(end[0]))
        with site.engine.begin() as other:
            other.execute(text(end[1]), {"id": mine})

    site.browser().get("/it", status=500)
    assert attempts == ["it"]
    assert site.rows() == []


class TestErrorsOfOtherDrivers:
    """What drivers that are not installed here raise, as their documentation has it."""

    @staticmethod
    def wrapped(cause):
        return DBAPIError("UPDATE", {}, cause)

    @pytest.mark.parametrize("number", [1020, 1205, 1213, 3572])
    def test_mariadb_connector_has_the_number_in_errno(self, number):
        cause = Exception("Deadlock found when trying to get lock; try restarting transaction")
        cause.errno, cause.sqlstate = number, "40001"
        assert is_conflict(self.wrapped(cause), "mariadb")

    @pytest.mark.parametrize("number", [1020, 1205, 1213, 3572])
    def test_mysqlclient_and_asyncmy_have_it_among_the_arguments(self, number):
        assert is_conflict(self.wrapped(Exception(number, "Deadlock found")), "mysql")

    @pytest.mark.parametrize("number", [1062, 1452, 2006, 2013, 1146, 3098, None])
    def test_other_numbers_are_no_conflicts(self, number):
        assert not is_conflict(self.wrapped(Exception(number, "Duplicate entry")), "mysql")

    @pytest.mark.parametrize(("number", "message", "state"), [GALERA, *GROUP_REPLICATION])
    def test_what_a_cluster_calls_a_conflict_has_ended_the_transaction(self, number, message, state):
        cause = Exception(f"{number} ({state}): {message}")
        cause.errno, cause.sqlstate = number, state
        for error in (self.wrapped(cause), self.wrapped(Exception(number, message))):
            assert is_conflict(error, "mysql")
            assert has_ended_transaction(error, "mysql")

    @pytest.mark.parametrize("reason", ["28 - 'No space left on device'", "1490 - 'something'"])
    def test_a_commit_that_failed_for_another_reason_is_no_conflict(self, reason):
        error = self.wrapped(Exception(1180, f"Got error {reason} during COMMIT"))
        assert not is_conflict(error, "mysql")
        assert not has_ended_transaction(error, "mysql")

    @pytest.mark.parametrize(
        ("number", "message", "expected"),
        [
            (1290, "The MySQL server is running with the --super-read-only option so it cannot …", True),
            (1290, "The MariaDB server is running with the --read-only option so it cannot …", True),
            (1836, "Running in read-only mode", True),
            (1290, "The MySQL server is running with the --secure-file-priv option so it cannot …", False),
            (1792, "Cannot execute statement in a READ ONLY transaction.", False),
            (1213, "Deadlock found when trying to get lock; try restarting transaction", False),
        ],
    )
    def test_a_server_that_takes_no_writes(self, number, message, expected):
        cause = Exception(f"{number} (HY000): {message}")
        cause.errno = number
        for error in (self.wrapped(cause), self.wrapped(Exception(number, message))):
            assert is_read_only_refusal(error, "mysql") is expected
            assert is_read_only_refusal(error, "mariadb") is expected
            assert not is_read_only_refusal(error, "postgresql")
            assert not is_read_only_refusal(error, "sqlite")

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("40001", True),
            ("40P01", True),
            ("55P03", True),
            ("40003", False),
            ("23505", False),
            ("08006", False),
            ("", False),
        ],
    )
    def test_asyncpg_and_pg8000(self, state, expected):
        asyncpg = Exception("could not serialize access")
        asyncpg.sqlstate = state
        assert is_conflict(self.wrapped(asyncpg), "postgresql") is expected
        assert is_conflict(self.wrapped(Exception({"C": state})), "postgresql") is expected

    def test_an_error_without_arguments_is_no_conflict(self):
        for dialect in ("postgresql", "mysql", "sqlite", "oracle"):
            assert not is_conflict(self.wrapped(Exception()), dialect)
            assert not is_conflict(self.wrapped(None), dialect)
