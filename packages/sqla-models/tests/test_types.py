"""The column types: the same Python values everywhere, compact and native in the database."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import Column, MetaData, Table, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from websession_models import SESSION_JSON, SessionId

IDS = [
    uuid.UUID(int=0),
    uuid.UUID(int=2**128 - 1),
    uuid.UUID(bytes=b"\x00\x00" + b"\xff" * 12 + b"\x00\x00"),
    uuid.UUID(bytes=b"'\\%s \n;--\"\x00\x1a\xf0\x9f\x98\x80"),
]


@pytest.fixture
def table(engine):
    table = Table(
        "t",
        MetaData(),
        Column("id", SessionId(), primary_key=True),
        Column("doc", SESSION_JSON, nullable=False),
    )
    table.create(engine)
    return table


@pytest.mark.parametrize("session_id", IDS, ids=str)
def test_an_identifier_comes_back_as_the_uuid_that_went_in(engine, table, session_id):
    with engine.begin() as connection:
        connection.execute(insert(table), {"id": session_id, "doc": {}})
        found = connection.scalars(select(table.c.id).where(table.c.id == session_id)).all()

    assert found == [session_id]


@pytest.mark.parametrize("session_id", IDS, ids=str)
def test_an_identifier_written_into_the_statement_finds_its_row(engine, table, session_id):
    query = select(table.c.id).where(table.c.id == session_id)
    with engine.begin() as connection:
        connection.execute(insert(table), {"id": session_id, "doc": {}})
        literal = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
        found = connection.exec_driver_sql(literal).all()

    assert len(found) == 1


def test_an_identifier_takes_sixteen_bytes_and_json_the_engines_own_type(engine, table):
    stored = {column["name"]: column["type"] for column in inspect(engine).get_columns("t")}
    with engine.begin() as connection:
        connection.execute(insert(table), {"id": IDS[2], "doc": {"a": 1}})
        match engine.dialect.name:
            case "postgresql":
                size = connection.scalar(text("SELECT pg_column_size(id) FROM t"))
                assert [str(stored["id"]), str(stored["doc"])] == ["UUID", "JSONB"]
            case "sqlite":
                size = connection.scalar(text("SELECT length(id) FROM t WHERE typeof(id) = 'blob'"))
                assert [str(stored["id"]), str(stored["doc"])] == ["BLOB", "JSON"]
            case _:
                size = connection.scalar(text("SELECT octet_length(id) FROM t"))
                # MariaDB's JSON is LONGTEXT with a check.
                assert str(stored["id"]) == "BINARY(16)"
                assert str(stored["doc"]).startswith("JSON" if engine.dialect.name == "mysql" else "LONGTEXT")

    assert size == 16


@pytest.mark.parametrize("wrong", ["2f1ac0de-0000-4000-8000-feedfacecafe", b"0123456789abcdef", 1])
def test_what_is_no_uuid_is_refused_without_being_named(engine, table, wrong):
    with engine.connect() as connection, pytest.raises(StatementError, match=r"is a uuid\.UUID") as caught:
        connection.execute(select(table).where(table.c.id == wrong))

    assert isinstance(caught.value.orig, TypeError)
    assert str(wrong) not in str(caught.value.orig)


def test_no_identifier_is_null_both_ways(engine):
    optional = Table("t", MetaData(), Column("id", SessionId()))
    optional.create(engine)
    with engine.begin() as connection:
        connection.execute(insert(optional), {"id": None})
        assert connection.scalars(select(optional.c.id)).all() == [None]


def test_none_is_no_json_document(engine, table):
    with engine.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(insert(table), {"id": IDS[0], "doc": None})
