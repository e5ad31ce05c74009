"""Transactions of our own go where the application's connection has read or written the row."""

from dataclasses import replace

import pytest
from inserting import insert_session
from sqlalchemy import event, text
from sqlalchemy.schema import CreateSchema
from websession_core.lifecycle import COMPARED, WRITTEN, Bookkeeping, Duty
from websession_core.state import Activity
from websession_models import Bookkeeper, SessionRow, engine_like, purge, revoke
from websession_models.own_transactions import autocommits, reading, short_transaction

ON_POSTGRESQL = pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)
ON_SERVERS = pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb"], indirect=True)

TENANT = {"schema_translate_map": {None: "tenant"}}
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
NEW = replace(AS_READ, active_at=2000, expires_at=2600, attempt=3, tries=2, tried_at=2000)


def due(duty, session_id) -> Bookkeeping:
    """What the lifecycle would ask for."""
    return Bookkeeping(
        duty,
        session_id,
        expected={column: getattr(AS_READ, column) for column in COMPARED[duty]},
        values={column: getattr(NEW, column) for column in WRITTEN[duty]},
        insists=duty is Duty.REVOKE,
    )


@ON_POSTGRESQL
class TestATenantsSchema:
    """Each tenant has tables of the same names in a schema of its own; here both have the same session."""

    @pytest.fixture
    def tenants_engine(self, base, store, engine):
        with engine.begin() as connection:
            connection.execute(CreateSchema("tenant"))
        tenants = engine.execution_options(**TENANT)
        base.metadata.create_all(tenants)
        return tenants

    @pytest.fixture
    def session_id(self, store, engine, tenants_engine):
        session_id = insert_session(store, engine, activity=AS_READ)
        with tenants_engine.begin() as connection:
            store.insert(connection, SessionRow(session_id, 900, 1, 0, "{}", "{}", activity=AS_READ))
        return session_id

    @pytest.fixture
    def perform(self, store, engine, session_id):
        """Does what is due on a session that a request of the tenant's has read."""

        def perform(work):
            # SQLAlchemy's documented way: `dbsession.connection(execution_options=...)` does the same.
            with engine.connect() as connection:
                connection.execution_options(**TENANT)
                assert store.load(connection, session_id).activity == AS_READ
                where = engine_like(connection)
            return work(Bookkeeper(store, where))

        return perform

    @pytest.fixture
    def read(self, store, engine, tenants_engine, session_id):
        """Reads both rows, the tenant's first."""

        def read():
            with tenants_engine.connect() as tenants, engine.connect() as others:
                return store.load(tenants, session_id), store.load(others, session_id)

        return read

    @pytest.mark.parametrize("duty", [Duty.TOUCH, Duty.RENEW, Duty.ACKNOWLEDGE])
    def test_is_where_a_revision_goes(self, perform, read, session_id, duty):
        assert perform(lambda bookkeeper: bookkeeper.perform(due(duty, session_id)))

        tenants, others = read()
        written = {column: getattr(NEW, column) for column in WRITTEN[duty]}
        assert tenants.activity == replace(AS_READ, **written)
        assert others.activity == AS_READ

    @pytest.mark.parametrize("duty", [Duty.REMOVE, Duty.REVOKE])
    def test_is_where_a_session_ends(self, perform, read, session_id, duty):
        assert perform(lambda bookkeeper: bookkeeper.perform(due(duty, session_id)))

        tenants, others = read()
        assert tenants is None
        assert others.activity == AS_READ

    def test_is_where_a_companion_is_forgotten(self, perform, store, engine, tenants_engine, session_id):
        def forget(bookkeeper):
            with tenants_engine.begin() as connection:
                assert store.delete(connection, session_id)
            return bookkeeper.forget(session_id)

        assert perform(forget)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM tenant.session_activity")) == 0
            assert connection.scalar(text("SELECT count(*) FROM session_activity")) == 1

    def test_is_where_sessions_are_revoked_and_purged(self, store, model, engine, read, session_id):
        with engine.connect() as connection:
            where = engine_like(connection.execution_options(**TENANT))

        other = insert_session(store, where, activity=AS_READ)
        assert revoke(where, store, [other]).ended == 1
        assert purge(where, model, now=5000).sessions == 1
        tenants, others = read()
        assert (tenants, others.activity) == (None, AS_READ)


class TestAnEngineLikeAConnection:
    def test_is_the_connections_own_where_that_has_no_options(self, make_engine):
        engine = make_engine().execution_options(tenant="a")

        with engine.connect() as connection:
            assert engine_like(connection) is engine

    def test_has_the_options_that_event_listeners_of_the_application_go_by(self, engine):
        seen = []

        @event.listens_for(engine, "begin")
        def begin(connection):
            seen.append(connection.get_execution_options().get("tenant"))

        with engine.connect() as connection:
            where = engine_like(connection.execution_options(tenant="b"))
        for opened in (short_transaction(where, insists=False), reading(where)):
            seen.clear()
            with opened:
                assert set(seen) == {"b"}
        assert where.pool is engine.pool

    @ON_SERVERS
    def test_is_not_of_its_isolation_level(self, engine):
        with engine.connect() as connection:
            assert engine_like(connection.execution_options(isolation_level="SERIALIZABLE")) is engine

    @ON_POSTGRESQL
    def test_writes_also_if_the_connection_only_reads(self, store, engine):
        session_id = insert_session(store, engine, activity=AS_READ)
        with engine.connect() as connection:
            connection.execution_options(postgresql_readonly=True, tenant="c")
            assert store.load(connection, session_id).activity == AS_READ
            where = engine_like(connection)

        assert Bookkeeper(store, where).perform(due(Duty.TOUCH, session_id))


class TestAutocommit:
    @ON_SERVERS
    def test_is_known_of_the_driver(self, make_engine):
        with make_engine().connect() as connection:
            assert not autocommits(connection)
        with make_engine(isolation_level="AUTOCOMMIT").connect() as connection:
            assert autocommits(connection)
