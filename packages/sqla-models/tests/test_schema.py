"""A database whose tables are not the model's is told so, by a comparison and by whatever statement fails."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any, Literal

import pytest
from sqlalchemy import (
    BINARY,
    VARBINARY,
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    text,
)
from sqlalchemy.dialects.mysql import MEDIUMINT, TINYINT
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from websession_core import Activity, SessionError
from websession_models import (
    BaseMixin,
    Bookkeeper,
    ClientInfoMixin,
    FullyFeaturedSession,
    SchemaError,
    SessionId,
    SessionLimitMixin,
    SessionRow,
    Store,
    check_schema,
    purge,
)
from websession_models.schema import is_schema_error


class Base(DeclarativeBase):
    pass


class Minimal(BaseMixin, Base):
    __tablename__ = "minimal"


class Full(FullyFeaturedSession, Base):
    __tablename__ = "fully"


class Named(SessionLimitMixin, ClientInfoMixin, FullyFeaturedSession, Base):
    __tablename__ = "named"
    userid: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str | None] = mapped_column(String(9))
    place: Mapped[str] = mapped_column(String(9), server_default="here")
    flag: Mapped[bool] = mapped_column(default=True)
    price: Mapped[Any] = mapped_column(Numeric(9, 2), nullable=True)
    mood: Mapped[Literal["good", "bad"] | None]
    when: Mapped[Any] = mapped_column(DateTime(), nullable=True)


@pytest.fixture
def engine(make_engine):
    engine = make_engine()
    Base.metadata.create_all(engine)
    return engine


def row(model):
    return SessionRow(
        id=uuid.uuid4(),
        created=1,
        version=1,
        epoch=0,
        data="{}",
        flash="{}",
        activity=None if model is Minimal else Activity(),
    )


def change(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def remake(engine, name, *columns):
    """Make a table anew, with these columns in the place of those of the same names, and without indexes."""
    table, others = Base.metadata.tables[name], {column.name for column in columns}
    kept = [column._copy() for column in table.columns if column.name not in others]
    copy = Table(name, MetaData(), *kept, *(column._copy() for column in columns))
    copy.indexes.clear()
    with engine.begin() as connection:
        copy.drop(connection, checkfirst=True)
        copy.create(connection)
        for index in table.indexes:
            if index.unique:
                index.create(connection)


def fatal(engine, model):
    return {(each.table, each.column) for each in check_schema(engine, model) if each.fatal}


def insert(engine, model):
    with engine.begin() as connection:
        Store.for_model(model).insert(
            connection, dataclasses.replace(row(model), userid="ada", session_slot=1)
        )


def add_expired(engine):
    with engine.begin() as connection:
        expired = dataclasses.replace(row(Full), activity=Activity(expires_at=7))
        Store.for_model(Full).insert(connection, expired)


def told(engine, model):
    return {(each.table, each.column, each.problem) for each in check_schema(engine, model)}


@pytest.mark.parametrize("model", [Minimal, Full, Named])
def test_tables_as_the_metadata_makes_them_have_no_problems(engine, model):
    assert check_schema(engine, model) == ()
    with engine.connect() as connection:
        assert check_schema(connection, model) == ()


def test_a_missing_table_is_told(engine):
    change(engine, "DROP TABLE fully_activity")
    (problem,) = check_schema(engine, Full)
    assert (problem.table, problem.column, problem.fatal) == ("fully_activity", None, True)
    assert "alembic upgrade head" in str(problem)


@pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb", "mysql"])
def test_a_table_in_a_schema_that_is_missing_is_told(engine):
    class Elsewhere(DeclarativeBase):
        metadata = MetaData(schema="nowhere")

    class Session(FullyFeaturedSession, Elsewhere):
        __tablename__ = "session"

    assert told(engine, Session) == {
        ("session", None, "is missing"),
        ("session_activity", None, "is missing"),
    }


def test_a_missing_column_is_told(engine):
    change(engine, "ALTER TABLE minimal DROP COLUMN rotated_at")
    assert told(engine, Minimal) == {("minimal", "rotated_at", "is missing")}


def test_a_missing_index_is_slow_but_not_fatal(engine):
    where = " ON fully_activity" if engine.dialect.name in {"mysql", "mariadb"} else ""
    change(engine, f"DROP INDEX ix_fully_activity_expires_at{where}")
    (problem,) = check_schema(engine, Full)
    assert (problem.table, problem.column, problem.fatal) == ("fully_activity", "expires_at", False)


def test_every_difference_is_told_at_once(engine):
    Base.metadata.drop_all(engine)
    wrong = MetaData()
    Table(
        "minimal",
        wrong,
        Column("id", String(36), primary_key=True),
        Column("created", DateTime, nullable=False),
        Column("version", Integer, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("rotated_at", Integer, nullable=False),
        Column("data", Minimal.__table__.c.data.type, nullable=False),
        Column("flash", Integer, nullable=False),
        Column("tenant", Integer, nullable=False),
    )
    wrong.create_all(engine)
    columns = {each.column for each in check_schema(engine, Minimal)}
    assert columns == {"id", "created", "rotated_at", "flash", "tenant"}


class TestATableNoSessionFitsIn:
    """It has a fatal problem, of the main table and of the companion alike; and what fits has none."""

    @pytest.mark.parametrize(
        ("table", "column", "problem"),
        [
            ("named", Column("rotated_at", BigInteger, nullable=False), "must be nullable"),
            ("named", Column("epoch", Integer, Computed("version + 1")), "is computed"),
            ("named", Column("tenant", Integer, nullable=False), "is not in the model"),
            ("named", Column("note", String(9), nullable=False), "must not be NULL and has no default"),
            ("named", Column("place", String(9), nullable=False), "must not be NULL and has no default"),
            ("named_activity", Column("generation", BigInteger, nullable=False), "must be nullable"),
            (
                "named_activity",
                Column("tenant", Integer, nullable=False),
                "is not in the model, must not be NULL",
            ),
        ],
    )
    def test_because_of_a_column_that_refuses_every_row(self, engine, table, column, problem):
        remake(engine, table, column)
        assert fatal(engine, Named) == {(table, column.name)}
        assert any(each.problem.startswith(problem) for each in check_schema(engine, Named))
        with pytest.raises((DBAPIError, SchemaError)):
            insert(engine, Named)

    @pytest.mark.parametrize(
        ("table", "column", "problem"),
        [
            ("named", Column("created", DateTime, nullable=False), "should be BIGINT"),
            ("named", Column("created", String(40), nullable=False), "should be BIGINT"),
            ("named", Column("version", Numeric(10), nullable=False), "should be INTEGER"),
            ("named", Column("data", Integer, nullable=False), "should be JSON"),
            ("named", Column("userid", Integer), "should be VARCHAR(64)"),
            ("named", Column("csrf_token", LargeBinary(64)), "should be VARCHAR(64)"),
            ("named_activity", Column("active_at", DateTime), "should be BIGINT"),
            ("named_activity", Column("tries", String(9)), "should be INTEGER"),
        ],
    )
    def test_because_of_a_columns_type(self, engine, table, column, problem):
        remake(engine, table, column)
        assert fatal(engine, Named) == {(table, column.name)}
        assert any(problem in each.problem for each in check_schema(engine, Named))

    @pytest.mark.parametrize("table", ["named", "named_activity"])
    def test_because_its_key_is_another_one(self, engine, table):
        remake(engine, table, Column("id", SessionId(), nullable=False))
        assert fatal(engine, Named) == {(table, None)}
        assert "another primary key than id" in str(check_schema(engine, Named)[0])
        remake(engine, table, Column("id", String(36), primary_key=True))
        assert fatal(engine, Named) == {(table, "id")}

    @pytest.mark.parametrize("table", ["named", "named_activity"])
    def test_because_it_is_missing(self, engine, table):
        change(engine, f"DROP TABLE {table}")
        assert fatal(engine, Named) == {(table, None)}

    @pytest.mark.parametrize("table", ["named", "named_activity"])
    def test_because_it_is_a_view(self, engine, table):
        change(engine, f"ALTER TABLE {table} RENAME TO elsewhere")
        change(engine, f"CREATE VIEW {table} AS SELECT * FROM elsewhere")
        (problem,) = check_schema(engine, Named)
        assert (problem.table, problem.fatal) == (table, True)
        assert "is a view" in problem.problem
        change(engine, f"DROP VIEW {table}")
        if engine.dialect.name == "postgresql":
            change(engine, f"CREATE MATERIALIZED VIEW {table} AS SELECT * FROM elsewhere")
            assert fatal(engine, Named) == {(table, None)}

    @pytest.mark.parametrize(
        ("column", "problem"),
        [
            (Column("userid", String(20)), "holds 20 characters and should hold 64"),
            (Column("csrf_token", String(32)), "holds 32 characters and should hold 64"),
            (Column("user_agent", String(40)), "holds 40 characters and should hold 255"),
        ],
    )
    def test_because_a_column_is_too_short(self, engine, column, problem):
        remake(engine, "named", column)
        found = [each for each in check_schema(engine, Named) if each.column == column.name]
        assert problem in [each.problem for each in found]
        # SQLite takes no notice of lengths.
        assert bool(fatal(engine, Named)) is (engine.dialect.name != "sqlite")

    @pytest.mark.parametrize(
        ("table", "column"),
        [
            ("named", Column("created", Integer, nullable=False)),
            ("named", Column("version", SmallInteger, nullable=False)),
            ("named_activity", Column("generation", Integer)),
            ("named_activity", Column("tries", SmallInteger().with_variant(TINYINT(), "mysql", "mariadb"))),
            ("named_activity", Column("tries", SmallInteger().with_variant(MEDIUMINT(), "mysql", "mariadb"))),
        ],
    )
    def test_because_an_integer_is_too_small(self, engine, table, column):
        remake(engine, table, column)
        # SQLite's are all alike.
        assert fatal(engine, Named) == (set() if engine.dialect.name == "sqlite" else {(table, column.name)})

    @pytest.mark.parametrize("websession_engine_name", ["mariadb", "mysql"])
    @pytest.mark.parametrize("length", [8, 32])
    def test_because_identifiers_are_cut_or_filled_up(self, engine, length):
        remake(engine, "named", Column("id", BINARY(length), primary_key=True))
        assert fatal(engine, Named) == {("named", "id")}
        remake(engine, "named", Column("id", VARBINARY(32), primary_key=True))
        assert fatal(engine, Named) == set()

    def test_because_no_two_may_be_alike(self, engine):
        change(engine, "CREATE UNIQUE INDEX one_each ON named (userid)")
        (problem,) = check_schema(engine, Named)
        assert (problem.table, problem.column, problem.fatal) == ("named", None, True)
        assert "lets no two sessions have the same userid" in str(problem)

    def test_because_nothing_holds_the_limit_of_a_users_sessions(self, engine):
        on = " ON named" if engine.dialect.name in {"mysql", "mariadb"} else ""
        change(engine, f"DROP INDEX uq_named_session_slot{on}")
        for _ in range(2):
            (problem,) = check_schema(engine, Named)
            assert (problem.table, problem.column, problem.fatal) == ("named", None, True)
            assert "no unique index of userid and session_slot" in str(problem)
            change(engine, "CREATE INDEX not_unique ON named (userid, session_slot)")
            # Once more, now that there is one which is not unique.
            on = " ON named" if engine.dialect.name in {"mysql", "mariadb"} else ""
            assert fatal(engine, Named) == {("named", None)}
            change(engine, f"DROP INDEX not_unique{on}")

    def test_a_limit_by_another_name_is_weaker_but_holds(self, engine):
        on = " ON named" if engine.dialect.name in {"mysql", "mariadb"} else ""
        change(
            engine,
            f"DROP INDEX uq_named_session_slot{on}",
            "CREATE UNIQUE INDEX other ON named (session_slot, userid)",
        )
        problems = check_schema(engine, Named)
        assert [each.fatal for each in problems] == ([] if engine.dialect.name == "sqlite" else [False])

    def test_what_the_application_adds_is_its_own_business(self, engine):
        remake(
            engine,
            "named",
            Column("flag", Boolean, nullable=False, server_default=text("'1'")),
            Column("number", Integer, nullable=False, server_default="7", unique=True),
            Column("when", DateTime),
            Column("twice", Integer, Computed("version * 2")),
            Column("note", String(3)),
        )
        with engine.begin() as connection:
            for index in Named.__table__.indexes:
                index.create(connection, checkfirst=True)
        assert check_schema(engine, Named) == ()
        insert(engine, Named)

    @pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb", "mysql"])
    def test_a_column_that_fills_itself_needs_no_default(self, engine):
        own = Column("number", BigInteger, Identity(), nullable=False)
        if engine.dialect.name != "postgresql":
            change(engine, "ALTER TABLE named ADD COLUMN number BIGINT NOT NULL AUTO_INCREMENT UNIQUE")
        else:
            remake(engine, "named", own)
        assert fatal(engine, Named) - {("named", None)} == set()
        insert(engine, Named)

    @pytest.mark.parametrize("websession_engine_name", ["postgresql"])
    def test_a_domain_and_a_partial_index_are_taken_as_they_are(self, engine):
        change(
            engine,
            "CREATE DOMAIN unix_time AS bigint",
            "ALTER TABLE named ALTER created TYPE unix_time",
            "CREATE UNIQUE INDEX one_each ON named (userid) WHERE created < 7",
            "CREATE UNIQUE INDEX no_case ON named (lower(userid), created)",
        )
        assert check_schema(engine, Named) == ()
        change(engine, "DROP DOMAIN unix_time CASCADE")


class TestAStatementThatFails:
    """It raises an error of ours that names the table, and the driver's error is its cause."""

    def fails(self, engine, work, table, *words):
        with pytest.raises(SchemaError) as caught, engine.begin() as connection:
            work(connection)
        message = str(caught.value)
        assert table in caught.value.tables
        for word in (table, "alembic upgrade head", *words):
            assert word in message
        assert isinstance(caught.value, SessionError)
        assert isinstance(caught.value, SQLAlchemyError)
        return message

    def test_without_the_table(self, engine):
        change(engine, "DROP TABLE minimal")
        store = Store.for_model(Minimal)
        secret = row(Minimal)
        for work in (
            lambda connection: store.load(connection, secret.id),
            lambda connection: store.insert(connection, secret),
            lambda connection: store.update(connection, secret.id, version=1, data="{}"),
            lambda connection: store.delete(connection, secret.id),
        ):
            message = self.fails(engine, work, "minimal")
            assert secret.id.hex not in message.replace("-", "")

    def test_shows_the_drivers_error_too(self, engine):
        change(engine, "DROP TABLE minimal")
        with engine.connect() as connection, pytest.raises(SchemaError) as caught:
            Store.for_model(Minimal).load(connection, uuid.uuid4())
        assert isinstance(caught.value.__cause__, DBAPIError)
        assert caught.value.__cause__.hide_parameters

    @pytest.mark.parametrize("table", ["fully", "fully_activity"])
    def test_without_a_table_that_is_to_be_counted_or_purged(self, engine, table):
        add_expired(engine)
        change(engine, f"DROP TABLE {table}")
        for dry_run in (True, False):
            if dry_run and table == "fully":
                continue  # counting goes by the companion alone
            with pytest.raises(SchemaError) as caught:
                purge(engine, Full, now=10**6, dry_run=dry_run)
            assert caught.value.tables == (table,)
            assert table in caught.value.problem
            assert is_schema_error(caught.value)
            assert is_schema_error(caught.value.__cause__)
            assert not is_schema_error(ValueError(table))

    def test_without_the_companion(self, engine):
        change(engine, "DROP TABLE fully_activity")
        store = Store.for_model(Full)
        self.fails(engine, lambda connection: store.insert(connection, row(Full)), "fully_activity")
        self.fails(engine, lambda connection: store.load(connection, uuid.uuid4()), "fully", "fully_activity")
        with pytest.raises(SchemaError, match="fully_activity"):
            Bookkeeper(store, engine).forget(uuid.uuid4())

    def test_without_a_column(self, engine):
        change(engine, "ALTER TABLE minimal DROP COLUMN flash")
        store = Store.for_model(Minimal)
        self.fails(engine, lambda connection: store.load(connection, uuid.uuid4()), "minimal", "flash")
        self.fails(engine, lambda connection: store.insert(connection, row(Minimal)), "minimal", "flash")

    def test_with_a_column_that_somebody_has_to_fill(self, engine):
        change(engine, "DROP TABLE minimal")
        copy = MetaData()
        columns = [column._copy() for column in Minimal.__table__.columns]
        Table("minimal", copy, *columns, Column("tenant", Integer, nullable=False)).create(engine)
        store = Store.for_model(Minimal)
        self.fails(engine, lambda connection: store.insert(connection, row(Minimal)), "minimal", "tenant")

    def test_with_a_time_in_another_type(self, engine):
        change(engine, "DROP TABLE minimal")
        copy = MetaData()
        columns = [column._copy() for column in Minimal.__table__.columns if column.name != "created"]
        Table("minimal", copy, *columns, Column("created", String(40))).create(engine)
        store = Store.for_model(Minimal)
        kept = row(Minimal)

        def insert_and_load(connection):
            store.insert(connection, kept)
            store.load(connection, kept.id)

        self.fails(engine, insert_and_load, "minimal", "created")


def test_another_error_stays_what_it_is(engine):
    store = Store.for_model(Minimal)
    twice = row(Minimal)
    with engine.connect() as connection:
        store.insert(connection, twice)
        with pytest.raises(IntegrityError):
            store.insert(connection, twice)


@pytest.mark.parametrize("websession_engine_name", ["mariadb", "mysql"], indirect=True)
class TestACharacterSet:
    @pytest.mark.parametrize(
        ("column", "kind", "fatal"),
        [
            ("data", "LONGTEXT CHARACTER SET latin1 NOT NULL", True),
            ("userid", "VARCHAR(64) CHARACTER SET utf8mb3", True),
            ("user_agent", "VARCHAR(255) CHARACTER SET latin1", False),
        ],
    )
    def test_that_lacks_characters_is_told_of_a_column_that_may_hold_any(self, engine, column, kind, fatal):
        assert check_schema(engine, Named) == ()
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE named MODIFY {column} {kind}"))
            (problem,) = check_schema(connection, Named)
        assert (problem.table, problem.column, problem.fatal) == ("named", column, fatal)
        assert problem.problem.startswith(f"has the character set {kind.split()[3]}, and")
        assert "ALTER TABLE named CONVERT TO CHARACTER SET utf8mb4" in problem.remedy

    def test_of_what_holds_no_foreign_text_is_not_looked_at(self, engine):
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE named MODIFY csrf_token VARCHAR(64) CHARACTER SET ascii"))
        assert check_schema(engine, Named) == ()
