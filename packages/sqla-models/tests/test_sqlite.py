"""SQLite under several threads, as `prepare_sqlite_engine()` sets it up."""

import threading

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from websession_models.sqlite import prepare_sqlite_engine

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def engine(make_engine):
    return prepare_sqlite_engine(make_engine(pool_size=8))


def test_no_read_modify_write_of_eight_threads_is_lost(make_engine):
    # On a busy machine five seconds, sqlite3's default, are not long.
    engine = prepare_sqlite_engine(make_engine(pool_size=8, connect_args={"timeout": 60}))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE counter (value INTEGER)")
        connection.exec_driver_sql("INSERT INTO counter VALUES (0)")
    barrier, errors = threading.Barrier(8), []

    def count() -> None:
        barrier.wait(60)
        try:
            for _ in range(50):
                with engine.begin() as connection:
                    value = connection.exec_driver_sql("SELECT value FROM counter").scalar_one()
                    connection.exec_driver_sql("UPDATE counter SET value = ?", (value + 1,))
        except DBAPIError as error:
            errors.append(error)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert errors == []
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT value FROM counter").scalar_one() == 400


def test_a_transaction_that_reads_holds_the_write_lock_from_its_beginning(engine):
    with engine.connect() as connection, engine.connect() as other:
        connection.exec_driver_sql("SELECT 1")
        other.connection.dbapi_connection.execute("PRAGMA busy_timeout=0")
        with pytest.raises(Exception, match="database is locked"):
            other.exec_driver_sql("SELECT 1")


def test_connections_log_ahead_wait_and_leave_foreign_keys_to_the_application(engine):
    with engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "busy_timeout", "foreign_keys")
        ]

    assert found == ["wal", 5000, 0]


def test_a_longer_timeout_of_the_applications_own_holds(make_engine):
    engine = prepare_sqlite_engine(make_engine(connect_args={"timeout": 30}))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 30000


def test_a_rollback_undoes_even_the_creation_of_a_table(engine):
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE counter (value INTEGER)")
        connection.rollback()
        assert connection.exec_driver_sql("SELECT name FROM sqlite_master").all() == []


def test_preparing_an_engine_again_changes_nothing(engine):
    assert prepare_sqlite_engine(prepare_sqlite_engine(engine)) is engine

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_an_engine_of_another_database_is_left_alone(websession_engine_name):
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    # The debug toolbar, once imported, listens to every engine there is.
    others = list(engine.dispatch.begin)

    assert prepare_sqlite_engine(engine) is engine
    assert list(engine.dispatch.begin) == others
