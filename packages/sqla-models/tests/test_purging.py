"""Purging: what has ended goes, what a request would accept stays, and nobody else notices."""

from __future__ import annotations

import contextlib
import threading

import pytest
from sqlalchemy import ForeignKey, String, event, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column
from websession_core.forecast import forecast
from websession_core.lifecycle import judge
from websession_core.policies import AbsoluteTimeout, IdleTimeout, Overrides, Policies
from websession_core.state import Activity, Ticket
from websession_models import (
    BaseMixin,
    FullyFeaturedSession,
    RenewalMixin,
    SessionRow,
    Store,
    UnpurgeableModelError,
    fresh_session_id,
    is_conflict,
    prepare_sqlite_engine,
    purge,
    purging,
)
from websession_models.overview import list_sessions, overview
from websession_models.own_transactions import reading
from websession_models.purging import outdated_in_sample
from websession_models.queries import ends_at, with_companion

NOW = 1_800_000_000


@pytest.fixture
def model(base):
    return type("Session", (FullyFeaturedSession, base), {"__tablename__": "session"})


@pytest.fixture
def application(model, make_engine):
    """An engine as the application's: at SERIALIZABLE, SQLite with its recipe."""
    engine = make_engine()
    is_sqlite = engine.dialect.name == "sqlite"
    # On a busy machine five seconds, sqlite3's default, are not long.
    engine = make_engine(
        **({"connect_args": {"timeout": 60}} if is_sqlite else {"isolation_level": "SERIALIZABLE"})
    )
    prepare_sqlite_engine(engine)
    model.metadata.create_all(engine)
    return engine


@pytest.fixture
def store(model):
    return Store.for_model(model)


def add(engine, store, *deadlines, companion=True):
    """Store sessions with these deadlines, in seconds from now; None: no deadline."""
    rows = []
    with engine.begin() as connection:
        for deadline in deadlines:
            expires_at = None if deadline is None else NOW + deadline
            activity = Activity(active_at=NOW - 5000, expires_at=expires_at) if companion else None
            row = SessionRow(
                fresh_session_id(), NOW - 9000, version=1, epoch=0, data="{}", flash="{}", activity=activity
            )
            store.insert(connection, row)
            rows.append(row)
    return rows


def left(engine, store):
    with engine.connect() as connection:
        features = store.features
        sessions = set(connection.scalars(select(features.columns["id"])))
        companions = set(connection.scalars(select(features.companion.columns["id"])))
    return sessions, companions


def test_what_is_past_its_deadline_and_the_margin_goes_with_its_companion(application, model, store):
    rows = add(application, store, -5000, -61, -60, -59, 0, 60, None)
    report = purge(application, model, now=NOW)
    assert (report.sessions, report.orphans, report.left, report.refused) == (3, 0, 0, 0)
    assert report.finished
    staying = {row.id for row in rows[3:]}
    assert left(application, store) == (staying, staying)


def test_it_deletes_nothing_that_a_request_would_accept(application, model, store):
    policies = Policies(idle=IdleTimeout(1000), absolute=AbsoluteTimeout(100_000))
    rows = add(application, store, *range(-5, 6))
    purge(application, model, now=NOW, margin=0)
    sessions, _ = left(application, store)
    for row in rows:
        verdict = judge(Ticket(row.id, 0, 0, 0, 0, 0), row.state, policies, NOW)
        assert row.id in sessions or not verdict
    assert len(sessions) == 5


def test_the_oldest_go_first_up_to_a_limit(application, model, store):
    rows = add(application, store, *(-1000 - each for each in range(10)))
    report = purge(application, model, now=NOW, max_rows=4, batch=3)
    assert (report.sessions, report.finished) == (4, False)
    assert left(application, store)[0] == {row.id for row in rows[:6]}
    assert purge(application, model, now=NOW, max_rows=6).sessions == 6


def test_many_with_one_deadline_and_batches_that_end_between_them(application, model, store):
    add(application, store, *([-1000] * 25), *([-900] * 5))
    seen = []
    report = purge(application, model, now=NOW, batch=7, progress=lambda report: seen.append(report.sessions))
    assert (report.sessions, report.finished) == (30, True)
    assert seen == [7, 14, 21, 28, 30]


def test_no_time_means_no_batch(application, model, store):
    add(application, store, -1000)
    report = purge(application, model, now=NOW, max_seconds=0)
    assert (report.sessions, report.finished) == (0, False)


def test_a_dry_run_counts_and_deletes_nothing(application, model, store):
    add(application, store, -1000, -900, 900)
    assert purge(application, model, now=NOW, dry_run=True).sessions == 2
    limited = purge(application, model, now=NOW, dry_run=True, max_rows=1)
    assert (limited.sessions, limited.finished) == (1, False)
    assert len(left(application, store)[0]) == 3


def test_a_companion_whose_session_is_gone_goes_too(application, model, store):
    (row,) = add(application, store, -1000)
    with application.begin() as connection:
        store.delete(connection, row.id)
    report = purge(application, model, now=NOW)
    assert (report.sessions, report.orphans) == (0, 1)
    assert left(application, store) == (set(), set())


def test_what_the_applications_foreign_keys_hold_is_told_and_stays(base, model, make_engine):
    class Order(base):
        __tablename__ = "shop_order"
        id: Mapped[int] = mapped_column(primary_key=True)
        session_id = mapped_column(ForeignKey("session.id"))

    engine = prepare_sqlite_engine(make_engine())
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    base.metadata.create_all(engine)
    store = Store.for_model(model)
    rows = add(engine, store, *([-1000] * 9))
    with engine.begin() as connection:
        connection.execute(Order.__table__.insert().values(session_id=rows[4].id))
    report = purge(engine, model, now=NOW)
    assert (report.sessions, report.refused, report.finished) == (8, 1, True)
    assert left(engine, store) == ({rows[4].id}, {rows[4].id})


def test_other_classes_rows_in_the_same_table_stay(base, make_engine):
    class Session(FullyFeaturedSession, base):
        __tablename__ = "session"
        kind: Mapped[str] = mapped_column(String(20))
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "plain"}  # noqa: RUF012

    class Special(Session):
        __mapper_args__ = {"polymorphic_identity": "special"}  # noqa: RUF012

    engine = prepare_sqlite_engine(make_engine())
    base.metadata.create_all(engine)
    add(engine, Store.for_model(Session), -1000)
    add(engine, Store.for_model(Special), -1000)
    assert purge(engine, Special, now=NOW).sessions == 1
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Session.__table__)) == 1


@pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb", "mysql"])
def test_what_a_request_holds_is_left_and_the_rest_goes(application, model, store):
    rows = add(application, store, *([-1000] * 20))
    with application.begin() as connection:
        assert store.update(connection, rows[7].id, version=1, data='{"a":1}')
        report = purge(application, model, now=NOW)
        assert (report.sessions, report.left) == (19, 1)
    assert left(application, store)[0] == {rows[7].id}
    assert purge(application, model, now=NOW).sessions == 1


def test_purgers_side_by_side_share_the_work_and_delete_each_session_once(application, model, store):
    add(application, store, *(-1000 - each for each in range(400)))
    staying = add(application, store, *([500] * 20))
    barrier, reports = threading.Barrier(4), []

    def work():
        barrier.wait()
        reports.append(purge(application, model, now=NOW, batch=20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 4
    final = purge(application, model, now=NOW)
    assert sum(report.sessions for report in reports) + final.sessions == 400
    assert left(application, store)[0] == {row.id for row in staying}


def test_requests_at_serializable_notice_nothing_but_conflicts_of_snapshot_isolation(
    application, model, store
):
    # No new sessions: at SERIALIZABLE PostgreSQL's inserts conflict with reads of the same page of an index,
    # with or without a purge.
    expired = add(application, store, *(-1000 - each for each in range(600)))
    live = add(application, store, *([5000] * 4))
    errors, rounds, stop = [], [], threading.Event()
    with application.connect() as connection:
        has_snapshot_isolation = application.dialect.name == "mariadb" and connection.scalar(
            text("SELECT @@innodb_snapshot_isolation")
        )

    def request(row):
        number = 0
        while not stop.is_set() or number < 10:
            number += 1
            try:
                with application.begin() as connection:
                    found = store.load(connection, row.id)
                    assert store.update(connection, row.id, version=found.version, data=f'{{"n":{number}}}')
                try:
                    with application.begin() as connection:
                        store.load(connection, expired[number % 600].id)
                except DBAPIError as error:
                    # With the cookie of one that has expired; it is run again.
                    if not (has_snapshot_isolation and is_conflict(error, application.dialect.name)):
                        raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what must not be
                errors.append(error)
                return
        rounds.append(number)

    threads = [threading.Thread(target=request, args=(row,)) for row in live]
    for thread in threads:
        thread.start()
    reports = [purge(application, model, now=NOW, batch=25) for _ in range(3)]
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(rounds) == 4
    assert sum(report.sessions for report in reports) == 600


@pytest.mark.parametrize("websession_engine_name", ["mariadb"])
def test_with_mariadbs_snapshot_isolation_a_request_that_reads_what_is_purged_is_to_be_run_again(
    application, make_engine, model, store
):
    # Its default from 11.6.2 on.
    reader = make_engine(isolation_level="SERIALIZABLE")

    @event.listens_for(reader, "connect")
    def isolate(connection, _record):
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute("SET SESSION innodb_snapshot_isolation = ON")

    (live,), (expired,) = add(application, store, 5000), add(application, store, -1000)
    with reader.connect() as connection:
        assert store.load(connection, live.id) is not None
        assert purge(application, model, now=NOW).sessions == 1
        with pytest.raises(DBAPIError) as caught:
            store.load(connection, expired.id)
    assert is_conflict(caught.value, "mariadb")
    with reader.connect() as connection:
        assert store.load(connection, expired.id) is None


@pytest.mark.parametrize("websession_engine_name", ["sqlite"])
class TestRefusal:
    def test_a_model_without_deadlines(self, other_base, make_engine):
        for number, bases in enumerate([(BaseMixin,), (RenewalMixin, BaseMixin)]):
            names = {"__tablename__": f"timeless{number}"}
            unpurgeable = type(f"Timeless{number}", (*bases, other_base), names)
            with pytest.raises(UnpurgeableModelError, match="has neither IdleMixin nor AbsoluteMixin"):
                purge(make_engine(), unpurgeable, now=NOW)

    @pytest.mark.parametrize(
        "wrong", [{"margin": -1}, {"max_rows": -1}, {"max_seconds": -1}, {"batch": 0}], ids=str
    )
    def test_numbers_that_make_no_sense(self, application, model, wrong):
        with pytest.raises(ValueError, match="must not be negative"):
            purge(application, model, now=NOW, **wrong)


@pytest.mark.parametrize("websession_engine_name", ["postgresql"])
def test_its_cost_follows_the_expired_and_not_the_table(application, model, store):
    add(application, store, *([5000] * 3000), *([-1000] * 10))
    plans = []
    with application.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        companion = store.features.companion
        statement = (
            select(companion.columns["expires_at"], companion.columns["id"])
            .where(companion.columns["expires_at"] <= NOW)
            .order_by(companion.columns["expires_at"], companion.columns["id"])
            .limit(500)
        )
        compiled = statement.compile(connection, compile_kwargs={"literal_binds": True})
        plans = list(connection.exec_driver_sql(f"EXPLAIN {compiled}").scalars())
    assert any("Index" in line and "expires_at" in line for line in plans)
    assert not any("Seq Scan" in line for line in plans)


class TestByThePoliciesOfNow:
    """Rows from before a timeout was switched on or made shorter, or from before its mixin was added."""

    POLICIES = Policies(idle=IdleTimeout(1800), absolute=AbsoluteTimeout(43200))

    @pytest.fixture
    def old(self, application, store):
        """Sessions last used 5000 s ago, of which the policies say that they ended 3200 s ago."""
        return [
            *add(application, store, None, 86400),
            *add(application, store, None, companion=False),
        ]

    @pytest.fixture
    def living(self, application, store):
        """Sessions that a request would accept: by overrides of their own, or not past their deadlines."""
        rows = [
            SessionRow(
                fresh_session_id(),
                NOW - age,
                version=1,
                epoch=0,
                data="{}",
                flash="{}",
                activity=Activity(active_at=NOW - age, expires_at=stored),
                overrides=overrides,
            )
            for age, stored, overrides in [
                (100_000, None, Overrides(idle_timeout=0, absolute_timeout=0)),
                (100_000, None, Overrides(idle_timeout=200_000, absolute_timeout=400_000)),
                (100, None, None),
                (100, NOW + 1700, None),
                (1800, None, None),
            ]
        ]
        with application.begin() as connection:
            for row in rows:
                store.insert(connection, row)
        return [row.id for row in rows]

    def test_what_a_request_would_refuse_goes_and_the_rest_stays(
        self, application, model, store, old, living
    ):
        assert purge(application, model, now=NOW).sessions == 0
        counted = purge(application, model, now=NOW, policies=self.POLICIES, dry_run=True)
        assert (counted.sessions, counted.rescheduled) == (3, 3)
        report = purge(application, model, now=NOW, policies=self.POLICIES)
        assert (report.sessions, report.orphans, report.left, report.finished) == (3, 0, 0, True)
        assert report.rescheduled == 6
        assert left(application, store) == (set(living), set(living))
        again = purge(application, model, now=NOW, policies=self.POLICIES)
        assert (again.sessions, again.rescheduled) == (0, 0)

    @pytest.mark.usefixtures("old", "living")
    def test_they_are_counted_so(self, application, model):
        with reading(application) as connection:
            recorded = overview(connection, model, now=NOW)
            numbers = overview(connection, model, now=NOW, policies=self.POLICIES)
            listed = list_sessions(
                connection, model, limit=None, policies=self.POLICIES, active=False, now=NOW
            )
            outdated = outdated_in_sample(connection, model, policies=self.POLICIES)
            every = outdated_in_sample(connection, model, policies=self.POLICIES, all_rows=True)
        assert (recorded.active, recorded.expired) == (8, 0)
        assert (numbers.active, numbers.expired, numbers.without_deadline) == (4, 4, 1)
        assert len(listed) == 4
        assert outdated == every == (6, 8)

    def test_few_of_many_are_found_if_all_rows_are_looked_at(self, application, model, store, old):
        add(application, store, *[500] * 30)
        report = purge(application, model, now=NOW, policies=self.POLICIES, all_rows=True, max_rows=2)
        assert (report.sessions, report.finished) == (2, False)
        assert purge(application, model, now=NOW, policies=self.POLICIES).sessions == 31

    def test_more_than_a_page_without_a_deadline_are_found_page_by_page(
        self, application, model, store, monkeypatch
    ):
        monkeypatch.setattr(purging, "_PAGE", 4)
        monkeypatch.setattr(purging, "SAMPLE", 0)  # which may miss a few of many
        add(application, store, *[None] * 11, 3600)
        report = purge(application, model, now=NOW, policies=self.POLICIES)
        assert (report.sessions, report.rescheduled, report.finished) == (12, 12, True)

    def test_one_that_is_used_meanwhile_keeps_its_new_deadline(self, application, model, store, monkeypatch):
        used, _ = add(application, store, None, None)
        companion = store.features.companion
        reschedule = purging._Run.reschedule

        def late(run, rows):
            with application.begin() as connection:
                values = {"active_at": NOW, "expires_at": NOW + 1800}
                connection.execute(update(companion).where(companion.columns["id"] == used.id).values(values))
            reschedule(run, rows)

        monkeypatch.setattr(purging._Run, "reschedule", late)
        report = purge(application, model, now=NOW, policies=self.POLICIES)
        assert (report.sessions, report.rescheduled) == (1, 1)
        assert left(application, store) == ({used.id}, {used.id})
        with application.connect() as connection:
            assert connection.scalar(select(companion.columns["expires_at"])) == NOW + 1800

    def test_the_database_says_when_a_session_ends_as_the_rules_do(self, application, model, store):
        choices = [None, 0, 50, 700]
        rows = [
            SessionRow(
                fresh_session_id(),
                NOW - 1000,
                version=1,
                epoch=0,
                data="{}",
                flash="{}",
                rotated_at=rotated_at,
                overrides=Overrides(idle_timeout=idle, absolute_timeout=absolute),
                activity=activity,
            )
            for idle in choices
            for absolute in choices
            for rotated_at in (None, NOW - 300)
            for activity in (None, Activity(active_at=NOW - 100), Activity(expires_at=NOW - 10))
        ]
        with application.begin() as connection:
            for row in rows:
                store.insert(connection, row)
        features = store.features
        for policies in (
            Policies(),
            Policies(idle=IdleTimeout(60)),
            Policies(absolute=AbsoluteTimeout(800)),
            self.POLICIES,
        ):
            statement = select(features.columns["id"], ends_at(features, policies)).select_from(
                with_companion(features)
            )
            with application.connect() as connection:
                ends = dict(connection.execute(statement).all())
            assert ends == {row.id: forecast(row.state, policies).end for row in rows}
