"""Bookkeeping takes effect, or it does not; the application's transactions never notice."""

import gc
import logging
import threading
import time
import weakref
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar, NamedTuple
from uuid import UUID

import pytest
from inserting import insert_session
from sqlalchemy import Engine, ForeignKey, String, create_engine, event, select, text, update
from sqlalchemy.engine.interfaces import CacheStats
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import AssertionPool, NullPool, Pool, SingletonThreadPool, StaticPool
from websession_core.lifecycle import COMPARED, WRITTEN, Bookkeeping, Duty
from websession_core.state import Activity
from websession_models import (
    AbsoluteMixin,
    BaseMixin,
    Bookkeeper,
    FullyFeaturedSession,
    IdleMixin,
    Outcome,
    RenewalMixin,
    SchemaError,
    SessionRow,
    Store,
    fresh_session_id,
    has_free_connection,
    own_transactions,
    shares_connections,
)
from websession_models.own_transactions import autocommits
from websession_models.sqlite import prepare_sqlite_engine

AS_READ = Activity(
    active_at=1000,
    expires_at=1600,
    generation=3,
    attempt=2,
    previous_attempt=1,
    renewed_at=900,
    tries=1,
    tried_at=950,
)
NEW = Activity(
    active_at=2**33,
    expires_at=2**33 + 600,
    generation=4,
    attempt=7,
    previous_attempt=2,
    renewed_at=2**33,
    tries=0,
    tried_at=None,
)

REVISIONS = [Duty.TOUCH, Duty.RENEW, Duty.ACKNOWLEDGE, Duty.RESCHEDULE]
ON_SERVERS = pytest.mark.parametrize(
    "websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True
)
ON_POSTGRESQL = pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)
ON_MYSQLS_FAMILY = pytest.mark.parametrize("websession_engine_name", ["mariadb", "mysql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)


def due(duty, session_id, *, as_read=AS_READ, new=NEW, epoch=None, insists=None) -> Bookkeeping:
    """What the lifecycle would ask for."""
    expected = {} if as_read is None else {column: getattr(as_read, column) for column in COMPARED[duty]}
    return Bookkeeping(
        duty,
        session_id,
        expected=expected,
        values={column: getattr(new, column) for column in WRITTEN[duty]},
        insists=duty is Duty.REVOKE if insists is None else insists,
        epoch=epoch,
    )


def written_by(duty) -> Activity:
    return replace(AS_READ, **{column: getattr(NEW, column) for column in WRITTEN[duty]})


@pytest.fixture
def companion(store):
    return store.features.companion


@pytest.fixture
def bookkeeper(store, engine) -> Bookkeeper:
    return Bookkeeper(store, engine)


def insert_one(store, engine, activity=AS_READ):
    return insert_session(store, engine, epoch=5, activity=activity)


def read(store, engine, session_id) -> SessionRow | None:
    with engine.connect() as connection:
        return store.load(connection, session_id)


def noted(store, engine, session_id) -> Activity | None:
    """What is in the companion table, whether or not there is a session row."""
    columns = store.features.activity.values()
    with engine.connect() as connection:
        found = connection.execute(
            select(*columns).where(store.features.companion.c.id == session_id)
        ).one_or_none()
    return None if found is None else Activity(**dict(zip(store.features.activity, found, strict=True)))


@contextmanager
def open_transaction(engine, *statements):
    """A transaction of the application's, or of another bookkeeper's, that has done something already."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
        yield connection


@pytest.fixture
def session_id(store, engine):
    return insert_one(store, engine)


@pytest.fixture
def patient(monkeypatch):
    """Whoever insists waits for longer than a busy machine takes to commit."""
    monkeypatch.setattr(own_transactions, "_WAIT_MILLISECONDS", 60_000)
    monkeypatch.setattr(own_transactions, "_WAIT_SECONDS", 60)


class Recorded(NamedTuple):
    """A session with a companion row, and who keeps its books."""

    store: Store
    engine: Engine
    bookkeeper: Bookkeeper
    session_id: UUID

    def perform(self, duty, **given) -> bool:
        return self.bookkeeper.perform(due(duty, self.session_id, **given))

    def read(self) -> SessionRow:
        return read(self.store, self.engine, self.session_id)


@pytest.fixture
def recorded(store, engine, bookkeeper, session_id) -> Recorded:
    return Recorded(store, engine, bookkeeper, session_id)


class TestTakingEffect:
    @pytest.mark.parametrize("insists", [False, True])
    @pytest.mark.parametrize("duty", REVISIONS)
    def test_a_revision_writes_its_columns_and_no_others(self, recorded, duty, insists):
        other = insert_one(recorded.store, recorded.engine)

        assert recorded.perform(duty, insists=insists)

        row = recorded.read()
        assert row.activity == written_by(duty)
        assert (row.version, row.epoch) == (1, 5)
        assert read(recorded.store, recorded.engine, other).activity == AS_READ

    @pytest.mark.parametrize("duty", [Duty.TOUCH, Duty.RENEW, Duty.ACKNOWLEDGE])
    def test_null_equals_null(self, store, engine, bookkeeper, duty):
        nothing = Activity()
        session_id = insert_one(store, engine, nothing)

        assert bookkeeper.perform(due(duty, session_id, as_read=nothing))

        assert noted(store, engine, session_id) == Activity(
            **{column: getattr(NEW, column) for column in WRITTEN[duty]}
        )

    @pytest.mark.parametrize("duty", [duty for duty in Duty if COMPARED[duty]])
    def test_nothing_is_written_once_a_compared_column_has_another_value(self, recorded, duty):
        for column in COMPARED[duty]:
            for other_value in (getattr(AS_READ, column) + 1, None):
                assert not recorded.perform(duty, as_read=replace(AS_READ, **{column: other_value})), column

        assert recorded.read().activity == AS_READ

    @pytest.mark.parametrize("duty", REVISIONS)
    def test_a_session_without_a_companion_has_nothing_to_revise(self, store, engine, bookkeeper, duty):
        session_id = insert_one(store, engine, activity=None)

        assert not bookkeeper.perform(due(duty, session_id))

        assert read(store, engine, session_id).activity is None

    def test_a_renewal_compares_the_epoch_of_the_session(self, store, engine, bookkeeper, session_id):
        assert not bookkeeper.perform(due(Duty.RENEW, session_id, epoch=4))
        assert noted(store, engine, session_id) == AS_READ

        assert bookkeeper.perform(due(Duty.RENEW, session_id, epoch=5))
        assert noted(store, engine, session_id) == written_by(Duty.RENEW)

    def test_of_two_that_were_prepared_from_the_same_state_one_takes_effect(self, bookkeeper, session_id):
        entry = due(Duty.RENEW, session_id)

        assert [bookkeeper.perform(entry), bookkeeper.perform(entry)] == [True, False]

    @pytest.mark.parametrize("duty", [Duty.TOUCH, Duty.RENEW, Duty.ACKNOWLEDGE, Duty.REMOVE])
    def test_of_many_at_the_same_moment_one_takes_effect(self, store, engine, session_id, duty):
        barrier, outcomes = threading.Barrier(6), []

        def perform() -> None:
            bookkeeper = Bookkeeper(store, engine)
            barrier.wait(60)
            outcomes.append(bookkeeper.perform(due(duty, session_id)))

        threads = [threading.Thread(target=perform) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert len(outcomes) == 6
        if engine.dialect.name == "sqlite" and not any(outcomes):
            # Another that was just told to wait had kept the one that wrote from committing.
            assert read(store, engine, session_id).activity == AS_READ
            outcomes[0] = Bookkeeper(store, engine).perform(due(duty, session_id))
        assert sorted(outcomes) == [False] * 5 + [True]
        assert noted(store, engine, session_id) == (None if duty is Duty.REMOVE else written_by(duty))


class TestRecording:
    def test_a_session_without_a_companion_gets_one(self, store, engine, bookkeeper):
        session_id = insert_one(store, engine, activity=None)

        assert bookkeeper.perform(due(Duty.RECORD, session_id, as_read=None))

        assert read(store, engine, session_id).activity == NEW

    def test_a_companion_that_is_there_stays_as_it_is(self, store, engine, bookkeeper, session_id):
        assert not bookkeeper.perform(due(Duty.RECORD, session_id, as_read=None))

        assert read(store, engine, session_id).activity == AS_READ

    def test_a_session_that_is_gone_gets_none(self, store, engine, bookkeeper):
        session_id = fresh_session_id()

        assert not bookkeeper.perform(due(Duty.RECORD, session_id, as_read=None))

        assert noted(store, engine, session_id) is None

    @ON_SERVERS
    def test_of_two_at_the_same_moment_the_first_is_kept(self, store, engine, bookkeeper, companion):
        session_id = insert_one(store, engine, activity=None)
        first = companion.insert().values(id=session_id, active_at=1)
        outcome = []

        def record() -> None:
            outcome.append(bookkeeper.perform(due(Duty.RECORD, session_id, as_read=None, insists=True)))

        with open_transaction(engine, first):
            second = threading.Thread(target=record)
            second.start()
        second.join(60)

        assert outcome == [False]
        assert noted(store, engine, session_id) == Activity(active_at=1)


class TestRemoving:
    def test_both_rows_go(self, store, engine, bookkeeper, session_id):
        other = insert_one(store, engine)

        assert bookkeeper.perform(due(Duty.REMOVE, session_id))

        assert read(store, engine, session_id) is None
        assert noted(store, engine, session_id) is None
        assert read(store, engine, other).activity == AS_READ

    def test_it_happens_once(self, bookkeeper, session_id):
        assert bookkeeper.perform(due(Duty.REMOVE, session_id))
        assert not bookkeeper.perform(due(Duty.REMOVE, session_id))

    def test_a_session_that_was_never_recorded_goes(self, store, engine, bookkeeper):
        session_id = insert_one(store, engine, activity=None)

        assert bookkeeper.perform(due(Duty.REMOVE, session_id, as_read=None))

        assert read(store, engine, session_id) is None

    def test_a_session_that_was_recorded_since_stays(self, store, engine, bookkeeper, session_id):
        assert not bookkeeper.perform(due(Duty.REMOVE, session_id, as_read=None))

        assert read(store, engine, session_id).activity == AS_READ

    def test_a_companion_without_a_session_goes(self, store, engine, bookkeeper, session_id):
        with engine.begin() as connection:
            store.delete(connection, session_id)

        assert bookkeeper.perform(due(Duty.REMOVE, session_id))

        assert noted(store, engine, session_id) is None

    def test_a_session_that_somebody_has_logged_into_meanwhile_stays(
        self, store, engine, bookkeeper, session_id
    ):
        with engine.begin() as connection:
            assert store.update(connection, session_id, version=1, epoch=1)

        assert not bookkeeper.perform(due(Duty.REMOVE, session_id, epoch=0))

        assert read(store, engine, session_id).activity == AS_READ
        assert bookkeeper.perform(due(Duty.REMOVE, session_id, epoch=1))

    def test_a_session_that_somebody_is_writing_stays(self, store, engine, bookkeeper, session_id):
        with engine.begin() as writer:
            assert store.update(writer, session_id, version=1, data='{"a": 1}')
            assert not bookkeeper.perform(due(Duty.REMOVE, session_id))

        row = read(store, engine, session_id)
        assert (row.version, row.data, row.activity) == (2, '{"a": 1}', AS_READ)
        assert bookkeeper.perform(due(Duty.REMOVE, session_id))

    def test_a_session_that_was_never_recorded_stays_while_somebody_is_writing_it(
        self, store, engine, bookkeeper
    ):
        session_id = insert_one(store, engine, activity=None)
        with engine.begin() as writer:
            assert store.update(writer, session_id, version=1, data='{"a": 1}')
            assert not bookkeeper.perform(due(Duty.REMOVE, session_id, as_read=None))

        assert read(store, engine, session_id).version == 2

    @ON_SERVERS
    def test_rows_that_refer_to_the_session_are_not_waited_for(self, base, model, engine):
        # On MySQL for a second, which is its shortest wait.
        class Note(base):
            __tablename__ = "note"
            id: Mapped[int] = mapped_column(primary_key=True)
            session_id = mapped_column(ForeignKey("session.id", ondelete="CASCADE"))
            text: Mapped[str] = mapped_column(String(20))

        base.metadata.create_all(engine)
        store = Store.for_model(model)
        session_id = insert_one(store, engine)
        with engine.begin() as connection:
            connection.execute(Note.__table__.insert().values(id=1, session_id=session_id, text="a"))
        bookkeeper = Bookkeeper(store, engine)

        with open_transaction(engine, update(Note).values(text="b")):
            assert not bookkeeper.perform(due(Duty.REMOVE, session_id))

        assert read(store, engine, session_id).activity == AS_READ
        assert bookkeeper.perform(due(Duty.REMOVE, session_id))
        with engine.connect() as connection:
            assert connection.scalars(select(Note.text)).all() == []


class TestRevoking:
    def test_both_rows_go_whatever_they_hold(self, store, engine, bookkeeper, session_id):
        other = insert_one(store, engine)

        assert bookkeeper.perform(due(Duty.REVOKE, session_id))

        assert read(store, engine, session_id) is None
        assert noted(store, engine, session_id) is None
        assert read(store, engine, other).activity == AS_READ

    def test_it_takes_effect_once(self, bookkeeper, session_id):
        assert bookkeeper.perform(due(Duty.REVOKE, session_id))
        assert not bookkeeper.perform(due(Duty.REVOKE, session_id))

    def test_a_companion_without_a_session_goes_too(self, store, engine, bookkeeper, session_id):
        with engine.begin() as connection:
            store.delete(connection, session_id)

        assert bookkeeper.perform(due(Duty.REVOKE, session_id))

        assert noted(store, engine, session_id) is None

    @pytest.mark.usefixtures("patient")
    def test_it_waits_for_a_writer_until_that_one_has_committed(self, store, engine, bookkeeper, session_id):
        outcome = []
        revoker = threading.Thread(
            target=lambda: outcome.append(bookkeeper.perform(due(Duty.REVOKE, session_id)))
        )
        with engine.begin() as writer:
            assert store.update(writer, session_id, version=1, data='{"a": 1}')
            revoker.start()
        revoker.join(60)

        assert outcome == [True]
        assert read(store, engine, session_id) is None

    def test_it_gives_up_on_a_writer_that_does_not_end(self, store, engine, bookkeeper, session_id):
        with engine.begin() as writer:
            assert store.update(writer, session_id, version=1, data='{"a": 1}')
            assert not bookkeeper.perform(due(Duty.REVOKE, session_id))

        row = read(store, engine, session_id)
        assert (row.version, row.activity) == (2, AS_READ)

    @ON_SERVERS
    def test_a_foreign_key_that_forbids_the_deletion_has_the_row_emptied(
        self, base, model, engine, make_engine
    ):
        class Note(base):
            __tablename__ = "note"
            id: Mapped[int] = mapped_column(primary_key=True)
            session_id = mapped_column(ForeignKey("session.id"))

        base.metadata.create_all(engine)
        store = Store.for_model(model)
        session_id = insert_one(store, engine)
        with engine.begin() as connection:
            connection.execute(Note.__table__.insert().values(id=1, session_id=session_id))

        assert Bookkeeper(store, engine).perform(due(Duty.REVOKE, session_id))

        assert read(store, engine, session_id) is None


class TestForgetting:
    def test_the_companion_of_a_deleted_session_goes(self, store, engine, bookkeeper, session_id):
        other = insert_one(store, engine)
        with engine.begin() as connection:
            store.delete(connection, session_id)
        assert noted(store, engine, session_id) == AS_READ

        assert bookkeeper.forget(session_id)
        assert not bookkeeper.forget(session_id)

        assert noted(store, engine, session_id) is None
        assert read(store, engine, other).activity == AS_READ

    def test_the_companion_of_a_living_session_stays(self, store, engine, bookkeeper, session_id):
        assert not bookkeeper.forget(session_id)

        assert read(store, engine, session_id).activity == AS_READ

    def test_a_companion_that_is_locked_stays(self, store, engine, bookkeeper, companion, session_id):
        with engine.begin() as connection:
            store.delete(connection, session_id)

        with open_transaction(engine, update(companion).values(tries=9)):
            assert not bookkeeper.forget(session_id)

        assert noted(store, engine, session_id).tries == 9


class TestOtherTransactions:
    @pytest.mark.parametrize(
        ("duty", "insists"),
        [*((duty, False) for duty in (*REVISIONS, Duty.REMOVE)), (Duty.TOUCH, True), (Duty.RESCHEDULE, True)],
    )
    def test_a_companion_that_is_locked_is_left_alone(self, recorded, companion, duty, insists):
        with open_transaction(recorded.engine, update(companion).values(previous_attempt=9)):
            assert not recorded.perform(duty, insists=insists)

        assert recorded.read().activity == replace(AS_READ, previous_attempt=9)

    @ON_SERVERS
    @pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
    @pytest.mark.parametrize("duty", REVISIONS)
    def test_a_session_that_somebody_is_writing_is_noted_down_all_the_same(self, recorded, duty, level):
        store, session_id = recorded.store, recorded.session_id
        writers = recorded.engine.execution_options(isolation_level=level)
        with writers.begin() as writer:
            assert store.load(writer, session_id).activity == AS_READ
            assert store.update(writer, session_id, version=1, data='{"a": 1}', epoch=6)
            # The new epoch is not committed: the old one is what counts.
            assert recorded.perform(duty, epoch=5 if duty is Duty.RENEW else None)

        row = recorded.read()
        assert (row.version, row.data, row.epoch) == (2, '{"a": 1}', 6)
        assert row.activity == written_by(duty)

    @ON_POSTGRESQL
    @pytest.mark.parametrize("duty", [*REVISIONS, Duty.REMOVE])
    def test_postgresql_at_serializable_finds_no_conflict_with_a_transaction_that_has_read(
        self, base, store, make_engine, session_id, duty
    ):
        engine = make_engine(isolation_level="SERIALIZABLE")
        bookkeeper = Bookkeeper(store, engine)
        other = insert_one(store, engine)

        with engine.begin() as first, engine.begin() as second:
            for application in (first, second):
                assert store.load(application, session_id).activity == AS_READ
                assert store.load(application, other).activity == AS_READ
            assert bookkeeper.perform(due(duty, session_id))
            assert store.update(first, other, version=1, data='{"a": 1}')

        assert noted(store, engine, session_id) == (None if duty is Duty.REMOVE else written_by(duty))

    @ON_MYSQLS_FAMILY
    @pytest.mark.parametrize("duty", [*REVISIONS, Duty.REMOVE])
    def test_mysqls_family_at_serializable_keeps_what_a_reader_has_locked(
        self, store, make_engine, session_id, duty
    ):
        engine = make_engine(isolation_level="SERIALIZABLE")
        bookkeeper = Bookkeeper(store, engine)

        with engine.begin() as application:
            assert store.load(application, session_id).activity == AS_READ
            assert not bookkeeper.perform(due(duty, session_id))
            assert store.update(application, session_id, version=1, data='{"a": 1}')

        row = read(store, engine, session_id)
        assert (row.version, row.activity) == (2, AS_READ)
        assert bookkeeper.perform(due(duty, session_id))

    @ON_MYSQLS_FAMILY
    @pytest.mark.usefixtures("patient")
    def test_an_insisting_touch_waits_for_the_readers_of_mysqls_family(self, store, make_engine, session_id):
        engine = make_engine(isolation_level="SERIALIZABLE")
        bookkeeper, outcome = Bookkeeper(store, engine), []
        touch = threading.Thread(
            target=lambda: outcome.append(bookkeeper.perform(due(Duty.TOUCH, session_id, insists=True)))
        )
        with engine.begin() as application:
            assert store.load(application, session_id).activity == AS_READ
            touch.start()
        touch.join(60)

        assert outcome == [True]
        assert read(store, engine, session_id).activity == written_by(Duty.TOUCH)

    @ON_SERVERS
    def test_a_table_that_is_being_altered_is_not_waited_for(self, engine, bookkeeper, companion, session_id):
        # On MySQL for a second, which is its shortest wait.
        lock = {
            "postgresql": f"LOCK TABLE {companion.name} IN ACCESS EXCLUSIVE MODE",
            "mariadb": f"LOCK TABLES {companion.name} WRITE",
            "mysql": f"LOCK TABLES {companion.name} WRITE",
        }
        with engine.begin() as migration:
            migration.execute(text(lock[engine.dialect.name]))
            assert not bookkeeper.perform(due(Duty.TOUCH, session_id))
            if engine.dialect.name != "postgresql":
                migration.execute(text("UNLOCK TABLES"))

        assert bookkeeper.perform(due(Duty.TOUCH, session_id))

    def test_what_could_not_be_done_is_logged_without_identifiers(
        self, engine, bookkeeper, companion, session_id, caplog
    ):
        caplog.set_level(logging.DEBUG, "websession_models")
        with open_transaction(engine, update(companion).values(previous_attempt=9)):
            assert not bookkeeper.perform(due(Duty.REVOKE, session_id))

        (record,) = caplog.records
        assert record.levelno == logging.DEBUG
        assert "revoke" in record.getMessage()
        assert session_id.hex[:8] not in caplog.text
        assert record.exc_info is None


# The level of the transaction that runs: other questions to MySQL's family are answered with the next one's.
ISOLATION = {
    "postgresql": "SHOW transaction_isolation",
    "mariadb": (
        "SELECT trx_isolation_level FROM information_schema.innodb_trx "
        "WHERE trx_mysql_thread_id = CONNECTION_ID()"
    ),
    "mysql": (
        "SELECT isolation_level FROM performance_schema.events_transactions_current "
        "JOIN performance_schema.threads USING (thread_id) WHERE processlist_id = CONNECTION_ID()"
    ),
}


def isolation_of(cursor, engine_name: str) -> str:
    # MariaDB answers from a copy, which it makes again once nobody has asked for a tenth of a second.
    for _ in range(100):
        cursor.execute(ISOLATION[engine_name])
        row = cursor.fetchone()
        if row is not None:
            return row[0].lower().replace("-", " ")
        time.sleep(0.2)
    raise AssertionError("the transaction is not among those that run")


@ON_SERVERS
class TestIsolation:
    @pytest.fixture
    def level(self, websession_engine_name):
        """Notes at which isolation level an engine's transactions write."""

        def watch(engine) -> list[str]:
            levels = []

            @event.listens_for(engine, "after_cursor_execute", named=True)
            def look(**given):
                if given["statement"].startswith(("UPDATE", "DELETE", "INSERT")):
                    cursor = given["conn"].connection.cursor()
                    levels.append(isolation_of(cursor, websession_engine_name))
                    cursor.close()

            return levels

        return watch

    @pytest.fixture
    def serializable_server(self, engine, store):
        """Makes serializable the server's default."""
        if engine.dialect.name == "postgresql":
            name = engine.url.database
            change = f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable'
            restore = None
        else:
            change = "SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE"
            restore = "SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ"
        administrator = engine.execution_options(isolation_level="AUTOCOMMIT")
        with administrator.connect() as connection:
            connection.exec_driver_sql(change)
        engine.dispose()
        yield
        if restore:
            with administrator.connect() as connection:
                connection.exec_driver_sql(restore)

    @pytest.fixture(params=[None, "AUTOCOMMIT", "SERIALIZABLE"])
    def serializable(self, request, serializable_server, make_engine):
        """An engine on a server whose default is serializable."""
        return make_engine(**({} if request.param is None else {"isolation_level": request.param}))

    @pytest.mark.parametrize("duty", Duty)
    def test_it_is_read_committed_over_a_serializable_server(self, serializable, store, level, duty):
        engine = serializable
        session_id = insert_one(store, engine, None if duty is Duty.RECORD else AS_READ)
        levels = level(engine)

        assert Bookkeeper(store, engine).perform(
            due(duty, session_id, as_read=None if duty is Duty.RECORD else AS_READ)
        )

        assert set(levels) == {"read committed"}
        assert noted(store, engine, session_id) != AS_READ

    def test_the_connection_goes_back_as_it_came(
        self, serializable_server, store, make_engine, companion, session_id
    ):
        engine = make_engine(pool_size=1, max_overflow=0)
        holder = make_engine()
        of_the_family = "@@innodb_lock_wait_timeout, @@lock_wait_timeout, @@autocommit"
        settings = {
            "postgresql": "SELECT current_setting('transaction_isolation'), current_setting('lock_timeout')",
            "mariadb": f"SELECT @@tx_isolation, {of_the_family}",
            "mysql": f"SELECT @@transaction_isolation, {of_the_family}",
        }[engine.dialect.name]
        # Set by the application itself, so that nobody but the connection knows of it.
        own = {
            "postgresql": "SET lock_timeout = '7s'",
            "mariadb": "SET innodb_lock_wait_timeout = 7, lock_wait_timeout = 8",
            "mysql": "SET innodb_lock_wait_timeout = 7, lock_wait_timeout = 8",
        }[engine.dialect.name]
        bookkeeper = Bookkeeper(store, engine)

        @event.listens_for(engine, "connect")
        def prepare(connection, _record):
            cursor = connection.cursor()
            cursor.execute(own)
            cursor.close()
            connection.commit()

        def look() -> tuple:
            with engine.connect() as connection:
                return tuple(connection.exec_driver_sql(settings).one())

        before = look()
        assert bookkeeper.perform(due(Duty.TOUCH, session_id))
        assert look() == before
        with holder.begin() as connection:
            connection.execute(update(companion).values(tries=9))
            assert not bookkeeper.perform(due(Duty.REVOKE, session_id))
        assert look() == before

    @pytest.mark.parametrize("duty", REVISIONS)
    def test_an_engine_in_autocommit_mode_stays_so(self, store, make_engine, session_id, duty):
        engine = make_engine(isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=0)

        assert Bookkeeper(store, engine).perform(due(duty, session_id))
        with engine.connect() as connection:
            store.update(connection, session_id, version=1, data='{"a": 1}')

        row = read(store, engine, session_id)
        assert (row.version, row.activity) == (2, written_by(duty))


@ON_SQLITE
class TestSQLite:
    @pytest.fixture(params=["plain", "recipe", "deferred", "autocommit", "autocommit with the recipe"])
    def engine(self, request, make_engine):
        """Engines as applications make them."""
        kind = request.param
        level = {"isolation_level": "AUTOCOMMIT"} if kind.startswith("autocommit") else {}
        engine = make_engine(pool_size=1, max_overflow=1, **level)
        if kind.endswith("recipe"):
            prepare_sqlite_engine(engine)
        if kind == "deferred":

            @event.listens_for(engine, "connect")
            def connect(connection, _record):
                connection.isolation_level = None

            @event.listens_for(engine, "begin")
            def begin(connection):
                connection.exec_driver_sql("BEGIN")

        return engine

    @pytest.fixture
    def reader(self, make_engine):
        return make_engine()

    @pytest.mark.parametrize("duty", Duty)
    def test_every_duty_is_really_committed(self, store, engine, reader, duty):
        activity = None if duty is Duty.RECORD else AS_READ
        session_id = insert_one(store, reader, activity)

        assert Bookkeeper(store, engine).perform(due(duty, session_id, as_read=activity))

        after = {Duty.RECORD: NEW, Duty.REMOVE: None, Duty.REVOKE: None}
        assert noted(store, reader, session_id) == (after[duty] if duty in after else written_by(duty))

    @pytest.mark.parametrize("insists", [False, True])
    def test_a_database_that_is_locked_is_left_alone(self, store, engine, reader, insists):
        session_id = insert_one(store, reader)
        with reader.begin() as writer:
            assert store.update(writer, session_id, version=1, data='{"a": 1}')
            assert not Bookkeeper(store, engine).perform(due(Duty.TOUCH, session_id, insists=insists))

        row = read(store, reader, session_id)
        assert (row.version, row.activity) == (2, AS_READ)
        assert Bookkeeper(store, engine).perform(due(Duty.TOUCH, session_id))

    def test_the_connection_waits_for_locks_as_before(self, store, engine, reader):
        session_id = insert_one(store, reader)
        bookkeeper = Bookkeeper(store, engine)

        def patience() -> int:
            with engine.connect() as connection:
                return connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()

        before = patience()
        assert before > 0
        assert bookkeeper.perform(due(Duty.TOUCH, session_id))
        assert patience() == before
        with reader.begin() as writer:
            store.update(writer, session_id, version=1, data='{"a": 1}')
            assert not bookkeeper.perform(due(Duty.REVOKE, session_id))
        assert patience() == before


@pytest.fixture(params=[StaticPool, SingletonThreadPool])
def memory(request):
    """An engine on a database in memory, which has a single connection."""
    arguments = {"connect_args": {"check_same_thread": False}} if request.param is StaticPool else {}
    engine = create_engine("sqlite://", poolclass=request.param, **arguments)
    yield engine
    engine.dispose()


class TestInMemory:
    @pytest.fixture(params=[False, True], ids=["plain", "recipe"])
    def database(self, request, memory, base, model):
        if request.param:
            prepare_sqlite_engine(memory)
        base.metadata.create_all(memory)
        return memory

    @pytest.mark.parametrize("duty", [*REVISIONS, Duty.REMOVE, Duty.REVOKE])
    def test_the_only_connection_is_used_while_no_transaction_is_open_on_it(self, model, database, duty):
        store = Store.for_model(model)
        session_id = insert_one(store, database)

        assert Bookkeeper(store, database).perform(due(duty, session_id))

        gone = duty in {Duty.REMOVE, Duty.REVOKE}
        assert noted(store, database, session_id) == (None if gone else written_by(duty))

    @pytest.mark.parametrize("duty", [*REVISIONS, Duty.REMOVE, Duty.REVOKE])
    def test_the_applications_transaction_on_it_is_left_alone(self, model, database, duty):
        store = Store.for_model(model)
        session_id = insert_one(store, database)

        with database.connect() as application:
            store.update(application, session_id, version=1, data='{"a": 1}')
            assert not Bookkeeper(store, database).perform(due(duty, session_id))
            assert store.load(application, session_id).version == 2
            application.rollback()

        row = read(store, database, session_id)
        assert (row.version, row.activity) == (1, AS_READ)


class ApplicationsPool(Pool):
    """A pool of the application's own kind, which keeps no connections."""

    def _do_get(self):
        return self._create_connection()

    def _do_return_conn(self, record):
        record.close()

    def dispose(self):
        pass

    def recreate(self):
        return ApplicationsPool(self._creator)

    def status(self) -> str:
        return "the application's own"


class TestConnections:
    def test_an_exhausted_pool_is_not_waited_for(self, store, make_engine, session_id):
        engine = make_engine(pool_size=1, max_overflow=0, pool_timeout=600)
        bookkeeper = Bookkeeper(store, engine)

        with engine.connect():
            assert not has_free_connection(engine.pool)
            assert not bookkeeper.perform(due(Duty.TOUCH, session_id))
            assert not bookkeeper.forget(session_id)

        assert has_free_connection(engine.pool)
        assert bookkeeper.perform(due(Duty.TOUCH, session_id))

    @pytest.mark.parametrize("overflow", [1, -1])
    def test_a_pool_that_may_open_another_connection_has_a_free_one(self, make_engine, overflow):
        engine = make_engine(pool_size=1, max_overflow=overflow)

        assert has_free_connection(engine.pool)
        with engine.connect():
            assert has_free_connection(engine.pool)

    def test_a_pool_that_keeps_no_connections_always_has_one(self, make_engine):
        assert has_free_connection(make_engine(poolclass=NullPool).pool)

    def test_a_pool_of_a_single_connection_has_no_second_one(self, memory):
        assert not has_free_connection(memory.pool)

    def test_a_pool_that_asserts_that_it_has_a_single_user_has_one_while_nobody_uses_it(
        self, store, make_engine, session_id
    ):
        engine = make_engine(poolclass=AssertionPool)
        bookkeeper = Bookkeeper(store, engine)

        with engine.connect():
            assert not has_free_connection(engine.pool)
            assert not bookkeeper.perform(due(Duty.TOUCH, session_id))

        assert has_free_connection(engine.pool)
        assert bookkeeper.perform(due(Duty.TOUCH, session_id))

    def test_a_pool_of_an_unknown_kind_gives_connections_though_it_tells_of_none(
        self, store, make_engine, session_id
    ):
        engine = make_engine(poolclass=ApplicationsPool)

        assert not has_free_connection(engine.pool)
        assert Bookkeeper(store, engine).perform(due(Duty.TOUCH, session_id))

    @ON_SERVERS
    @pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool])
    def test_a_servers_connection_that_is_everybodys_is_left_alone(
        self, store, make_engine, session_id, pool
    ):
        engine = make_engine(poolclass=pool)

        outcome = Bookkeeper(store, engine).attempt(due(Duty.TOUCH, session_id))

        assert outcome is Outcome.NO_CONNECTION
        assert shares_connections(engine)

    def test_no_connection_stays_checked_out(self, store, engine, bookkeeper, companion, session_id):
        assert bookkeeper.perform(due(Duty.TOUCH, session_id))
        with open_transaction(engine, update(companion).values(previous_attempt=9)):
            assert not bookkeeper.perform(due(Duty.REVOKE, session_id))

        assert engine.pool.checkedout() == 0

    def test_other_errors_come_through_and_leave_no_connection_behind(
        self, store, engine, bookkeeper, companion, session_id
    ):
        companion.drop(engine)

        with pytest.raises(SchemaError):
            bookkeeper.perform(due(Duty.TOUCH, session_id))
        assert engine.pool.checkedout() == 0

    def test_statements_are_compiled_once_for_all_bookkeepers(self, store, engine):
        cached = []

        @event.listens_for(engine, "after_cursor_execute", named=True)
        def note(**given):
            if given["context"].compiled is not None:
                cached.append(given["context"].cache_hit is CacheStats.CACHE_HIT)

        def use() -> None:
            bookkeeper = Bookkeeper(store, engine)
            session_id = fresh_session_id()
            for duty in REVISIONS:
                bookkeeper.perform(due(duty, session_id, epoch=5))
            bookkeeper.perform(due(Duty.RECORD, session_id, as_read=None))
            bookkeeper.perform(due(Duty.REMOVE, session_id, as_read=None))
            bookkeeper.perform(due(Duty.REVOKE, session_id))
            bookkeeper.forget(session_id)

        use()
        assert not all(cached)
        cached.clear()
        use()
        assert all(cached)

    def test_a_database_it_does_not_know_is_refused(self, model):
        engine = create_engine("sqlite://")
        engine.dialect.name = "firebird"

        with pytest.raises(ValueError, match="not firebird"):
            Bookkeeper(Store.for_model(model), engine)


class TestModels:
    @pytest.mark.parametrize(
        ("mixins", "columns"),
        [
            ((IdleMixin,), {"active_at", "expires_at"}),
            ((AbsoluteMixin,), {"expires_at"}),
            (
                (RenewalMixin,),
                {"generation", "attempt", "previous_attempt", "renewed_at", "tries", "tried_at"},
            ),
        ],
    )
    @pytest.mark.parametrize("duty", REVISIONS)
    def test_what_a_model_has_no_column_for_is_neither_compared_nor_written(
        self, base, engine, mixins, columns, duty
    ):
        model = type("WebSession", (*mixins, BaseMixin, base), {"__tablename__": "session"})
        base.metadata.create_all(engine)
        store = Store.for_model(model)
        session_id = insert_one(store, engine)
        # As a lifecycle sees it that was told of fewer columns.
        as_read = read(store, engine, session_id).activity

        took_effect = Bookkeeper(store, engine).perform(due(duty, session_id, as_read=as_read))

        expected = {
            column: getattr(written_by(duty) if column in WRITTEN[duty] else AS_READ, column)
            for column in columns
        }
        assert noted(store, engine, session_id) == Activity(**expected)
        assert took_effect == bool(columns & set(WRITTEN[duty]))

    def test_a_model_without_a_companion_can_only_lose_its_rows(self, base, engine):
        class WebSession(BaseMixin, base):
            __tablename__ = "session"

        base.metadata.create_all(engine)
        store = Store.for_model(WebSession)
        first, second = insert_one(store, engine, None), insert_one(store, engine, None)
        bookkeeper = Bookkeeper(store, engine)

        for duty in (*REVISIONS, Duty.RECORD):
            assert not bookkeeper.perform(due(duty, first, as_read=None))
        assert not bookkeeper.forget(first)
        assert bookkeeper.perform(due(Duty.REMOVE, first, as_read=None))
        assert bookkeeper.perform(due(Duty.REVOKE, second, as_read=None))

        assert read(store, engine, first) is None
        assert read(store, engine, second) is None

    def test_rows_of_another_class_in_the_table_are_not_touched(self, base, engine):
        class WebSession(FullyFeaturedSession, base):
            __tablename__ = "session"
            kind: Mapped[str] = mapped_column(String(10))
            __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "web"}

        class ApiSession(WebSession):
            __mapper_args__: ClassVar = {"polymorphic_identity": "api"}

        base.metadata.create_all(engine)
        store = Store.for_model(WebSession)
        web, unrecorded = insert_one(store, engine), insert_one(store, engine, None)
        bookkeeper = Bookkeeper(Store.for_model(ApiSession), engine)

        assert not bookkeeper.perform(due(Duty.RENEW, web, epoch=5))
        assert not bookkeeper.perform(due(Duty.RECORD, unrecorded, as_read=None))
        assert not bookkeeper.perform(due(Duty.REMOVE, unrecorded, as_read=None))

        assert read(store, engine, web).activity == AS_READ
        assert read(store, engine, unrecorded).activity is None

    @ON_SQLITE
    def test_a_model_class_that_is_no_longer_used_is_not_kept_alive(self, make_engine):
        engine = make_engine()

        def use_a_model() -> weakref.ref:
            class Base(DeclarativeBase):
                pass

            model = type("WebSession", (FullyFeaturedSession, Base), {"__tablename__": "session"})
            Base.metadata.create_all(engine)
            Bookkeeper(Store.for_model(model), engine).perform(due(Duty.TOUCH, fresh_session_id()))
            engine.clear_compiled_cache()
            return weakref.ref(model)

        reference = use_a_model()
        gc.collect()

        assert reference() is None


class TestWhatBecameOfAnEntry:
    @pytest.mark.parametrize("duty", [*REVISIONS, Duty.REMOVE, Duty.REVOKE])
    def test_is_that_its_row_was_not_there(self, bookkeeper, duty):
        assert bookkeeper.attempt(due(duty, fresh_session_id())) is Outcome.NO_ROW

    def test_is_that_nothing_was_there_to_record_it_about(self, bookkeeper):
        entry = due(Duty.RECORD, fresh_session_id(), as_read=None)

        assert bookkeeper.attempt(entry) is Outcome.NO_ROW

    def test_is_that_what_was_recorded_is_not_there(self, store, engine, bookkeeper):
        session_id = insert_one(store, engine, activity=None)

        assert bookkeeper.attempt(due(Duty.TOUCH, session_id)) is Outcome.NO_ROW

    @pytest.mark.parametrize("duty", [*REVISIONS, Duty.REMOVE])
    def test_is_that_somebody_else_was_first(self, bookkeeper, session_id, duty):
        other = replace(AS_READ, **dict.fromkeys(COMPARED[duty], 77))
        if COMPARED[duty]:
            entry = due(duty, session_id, as_read=other)
            assert bookkeeper.attempt(entry) is Outcome.NOT_NEEDED
        assert bookkeeper.attempt(due(duty, session_id)) is Outcome.DONE

    @pytest.mark.parametrize("duty", [*REVISIONS, Duty.REMOVE, Duty.REVOKE])
    def test_is_never_that_a_row_was_not_there_while_somebody_else_has_it(self, recorded, companion, duty):
        theirs = update(companion).values(previous_attempt=9)
        with open_transaction(recorded.engine, theirs):
            outcome = recorded.bookkeeper.attempt(due(duty, recorded.session_id))

        assert outcome in {Outcome.IN_THE_WAY, Outcome.NOT_NEEDED}


class TestPreparing:
    @ON_POSTGRESQL
    def test_tells_a_connection_where_the_rows_are(self, base, store, engine):
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE SCHEMA tenant")
            connection.exec_driver_sql("SET LOCAL search_path TO tenant")
            base.metadata.create_all(connection)
            session_id = fresh_session_id()
            store.insert(connection, SessionRow(session_id, 900, 1, 5, "{}", "{}", activity=AS_READ))

        def prepare(connection):
            connection.exec_driver_sql("SET LOCAL search_path TO tenant")

        assert not Bookkeeper(store, engine).perform(due(Duty.TOUCH, session_id))
        assert Bookkeeper(store, engine, prepare=prepare).perform(due(Duty.TOUCH, session_id))
        assert Bookkeeper(store, engine, prepare=prepare).perform(due(Duty.REVOKE, session_id))
        assert not Bookkeeper(store, engine, prepare=prepare).forget(session_id)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW search_path").scalar() == '"$user", public'

    def test_happens_in_the_transaction_and_before_anything_is_done(self, store, engine, session_id):
        seen = []

        @event.listens_for(engine, "before_cursor_execute", named=True)
        def executing(**given):
            seen.append(given["statement"].partition(" ")[0])

        def prepare(connection):
            assert connection.in_transaction()
            seen.append("prepare")

        assert Bookkeeper(store, engine, prepare=prepare).perform(due(Duty.REVOKE, session_id))
        assert seen.index("prepare") < seen.index("DELETE")
        assert seen.count("prepare") == 1

    def test_may_fail_and_leaves_nothing_behind(self, store, engine, session_id):
        def prepare(_connection):
            raise LookupError("no tenant")

        with pytest.raises(LookupError):
            Bookkeeper(store, engine, prepare=prepare).perform(due(Duty.TOUCH, session_id))

        assert engine.pool.checkedout() == 0
        assert Bookkeeper(store, engine).perform(due(Duty.TOUCH, session_id))


class WorkerTimeoutError(BaseException):
    """As a worker's timeout comes: not as an `Exception`."""


def waits(engine):
    """Return how long a connection of an engine waits for locks."""
    with engine.connect() as connection:
        match engine.dialect.name:
            case "sqlite":
                return connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
            case "postgresql":
                return connection.exec_driver_sql("SHOW lock_timeout").scalar()
        return connection.exec_driver_sql(
            "SELECT @@SESSION.innodb_lock_wait_timeout, @@SESSION.lock_wait_timeout"
        ).one()


class TestListenersOfTheApplication:
    @ON_SERVERS
    @pytest.mark.parametrize("name", ["begin", "engine_connect"])
    @pytest.mark.parametrize("level", [None, "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"])
    def test_may_query_before_anything_else(self, store, make_engine, session_id, level, name):
        engine = make_engine(pool_size=1, **({} if level is None else {"isolation_level": level}))
        levels, queries = [], []

        @event.listens_for(engine, name)
        def query(connection, *_):
            queries.append(connection.exec_driver_sql("SELECT count(*) FROM session").scalar())

        @event.listens_for(engine, "before_cursor_execute", named=True)
        def look(**given):
            if given["statement"].startswith("UPDATE"):
                levels.append(given["conn"].get_isolation_level())

        def usual():
            with engine.connect() as connection:
                return "AUTOCOMMIT" if autocommits(connection) else connection.get_isolation_level()

        before = usual()
        for duty in (Duty.TOUCH, Duty.RENEW):
            assert Bookkeeper(store, engine).perform(due(duty, session_id, as_read=None))

        assert levels == ["READ COMMITTED"] * 2
        assert queries
        assert usual() == before

    @pytest.mark.parametrize("name", ["begin", "engine_connect", "do_connect"])
    @pytest.mark.parametrize("error", [RuntimeError, WorkerTimeoutError])
    def test_may_raise_and_leave_nothing_behind(self, store, make_engine, session_id, name, error):
        engine, fails = make_engine(), [True]

        @event.listens_for(engine, name)
        def listen(*_):
            if fails:
                raise error("the token service is down")

        with pytest.raises(error):
            Bookkeeper(store, engine).perform(due(Duty.TOUCH, session_id))

        assert engine.pool.checkedout() == 0
        fails.clear()
        assert Bookkeeper(store, engine).perform(due(Duty.TOUCH, session_id))

    @ON_SQLITE
    @pytest.mark.parametrize("name", ["begin", "engine_connect"])
    def test_of_sqlite_may_query_before_anything_else(self, store, engine, bookkeeper, session_id, name):
        @event.listens_for(engine, name)
        def query(connection, *_):
            connection.exec_driver_sql("SELECT count(*) FROM session")

        assert bookkeeper.perform(due(Duty.TOUCH, session_id))
        assert noted(store, engine, session_id) == written_by(Duty.TOUCH)

    @pytest.mark.parametrize("statement", ["BEGIN", "SET", "UPDATE", "DELETE", "COMMIT", "SET SESSION"])
    @pytest.mark.parametrize("error", [WorkerTimeoutError, KeyboardInterrupt])
    def test_an_interrupt_passes_and_leaves_nothing_behind(
        self, store, make_engine, session_id, statement, error
    ):
        engine, interrupted = make_engine(pool_size=1, max_overflow=0), []

        @event.listens_for(engine, "after_cursor_execute", named=True)
        def executed(**given):
            if given["statement"].startswith(statement) and not interrupted:
                interrupted.append(given["statement"])
                raise error

        before = waits(engine)
        duty = Duty.REVOKE if statement == "DELETE" else Duty.TOUCH
        try:
            Bookkeeper(store, engine).perform(due(duty, session_id))
        except error:
            assert interrupted
        else:
            assert not interrupted

        assert engine.pool.checkedout() == 0
        assert waits(engine) == before
        assert Bookkeeper(store, engine).perform(
            due(Duty.REVOKE, insert_one(store, engine) if duty is Duty.REVOKE else session_id)
        )

    @ON_MYSQLS_FAMILY
    @pytest.mark.parametrize("error", [RuntimeError, WorkerTimeoutError])
    def test_may_raise_when_the_connection_is_made_what_it_was(self, store, make_engine, session_id, error):
        engine, begun = make_engine(pool_size=1, max_overflow=0), []
        before = waits(engine)

        @event.listens_for(engine, "begin")
        def begin(_connection):
            begun.append(1)
            if len(begun) == 2:
                raise error

        bookkeeper = Bookkeeper(store, engine)
        if issubclass(error, Exception):
            assert bookkeeper.perform(due(Duty.TOUCH, session_id))
        else:
            with pytest.raises(error):
                bookkeeper.perform(due(Duty.TOUCH, session_id))

        assert len(begun) == 2
        assert engine.pool.checkedout() == 0
        assert waits(engine) == before
        assert noted(store, engine, session_id) == written_by(Duty.TOUCH)
