"""A database whose tables are not the model's is told so, by a comparison and by whatever statement fails."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase
from websession_core import Activity, SessionError
from websession_models import (
    BaseMixin,
    Bookkeeper,
    FullyFeaturedSession,
    SchemaError,
    SessionRow,
    Store,
    check_schema,
)


class Base(DeclarativeBase):
    pass


class Minimal(BaseMixin, Base):
    __tablename__ = "minimal"


class Full(FullyFeaturedSession, Base):
    __tablename__ = "fully"


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
        activity=Activity() if model is Full else None,
    )


def change(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def told(engine, model):
    return {(each.table, each.column, each.problem) for each in check_schema(engine, model)}


@pytest.mark.parametrize("model", [Minimal, Full])
def test_tables_as_the_metadata_makes_them_have_no_problems(engine, model):
    assert check_schema(engine, model) == ()
    with engine.connect() as connection:
        assert check_schema(connection, model) == ()


def test_a_missing_table_is_told(engine):
    change(engine, "DROP TABLE fully_activity")
    (problem,) = check_schema(engine, Full)
    assert (problem.table, problem.column, problem.fatal) == ("fully_activity", None, True)
    assert "alembic upgrade head" in str(problem)


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
