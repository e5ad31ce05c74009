"""Which userids a column holds as they are, on which engine: what each of them really does decides."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    CHAR,
    NCHAR,
    REAL,
    VARBINARY,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Uuid,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from websession_models import BaseMixin, UseridMixin
from websession_models.features import features_of
from websession_models.userids import userid_problem

DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect(), "mysql": mysql.dialect()}
ALL = "sqlite", "postgresql", "mysql"
SERVERS = "postgresql", "mysql"
NOON = datetime.datetime(2026, 11, 29, 12)
UUID = "7ee984c2-146c-46bd-86be-46123f1c2eba"


def model_of(kind: Any) -> type:
    class Fresh(DeclarativeBase):
        """For each model one of its own."""

    class Model(UseridMixin, BaseMixin, Fresh):
        __tablename__ = "session"
        userid: Mapped[Any] = mapped_column(kind, nullable=True)

    return Model


# A type; values that it holds everywhere; and by engines, values that it does not hold there.
CASES = [
    (SmallInteger(), [2**15 - 1, -(2**15)], {ALL: [2**15, -(2**15) - 1]}),
    (mysql.INTEGER(unsigned=True), [0, 2**31 - 1], {("mysql",): [-1, 2**32], ("postgresql",): [2**32 - 1]}),
    (mysql.BIGINT(unsigned=True), [0, 2**63 - 1], {("sqlite", "postgresql"): [2**63], ("mysql",): [2**64]}),
    (mysql.MEDIUMINT(), [2**23 - 1], {("mysql",): [2**23]}),
    (mysql.TINYINT(), [2**7 - 1], {("mysql",): [2**7]}),
    # A variant is what the engine has.
    (Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql"), [0], {("mysql",): [-1]}),
    (Integer().with_variant(SmallInteger(), "postgresql"), [1], {("postgresql",): [2**15]}),
    (BigInteger().with_variant(Integer(), "sqlite"), [2**31], {ALL: [2**63]}),
    (String(9).with_variant(mysql.VARCHAR(5), "mysql"), ["abcde"], {("mysql",): ["abcdef"]}),
    (Text(), ["ä"], {("mysql",): ["ä" * 2**15]}),
    (mysql.TINYTEXT(), ["ä" * 127], {("mysql",): ["ä" * 128]}),
    (CHAR(5), ["abc", "abcde"], {ALL: ["ab ", "abcdef"]}),
    (NCHAR(5), ["abc", "abcde"], {ALL: ["ab ", "abcdef"]}),
    (VARBINARY(4), [b"abcd", b"a"], {ALL: [b"abcde"]}),
    (LargeBinary(), [b"a" * (2**16 - 1)], {("mysql",): [b"a" * 2**16]}),
    (mysql.TINYBLOB(), [b"a" * 255], {("mysql",): [b"a" * 256]}),
    (Uuid(), [uuid.UUID(UUID)], {ALL: [UUID]}),
    (Uuid(as_uuid=False), [UUID], {ALL: ["abc", UUID.upper(), UUID.replace("-", "")]}),
    (
        Numeric(20, 0),
        [Decimal(2) ** 53],
        {("sqlite",): [Decimal(12345678901234567891)], ALL: [Decimal("0.5")]},
    ),
    (Numeric(), [Decimal(2)], {("mysql",): [Decimal("1.5"), Decimal(10) ** 10], ALL: [Decimal("Infinity")]}),
    (Numeric(5, 2, asdecimal=False), [0.1, 999.99], {ALL: [0.001, 1000.0, float("nan")]}),
    (Float(), [999_999.0, -1.0], {("mysql",): [0.5, 1e6], ALL: [float("inf")]}),
    (Float(24), [999_999.0], {SERVERS: [0.5, 1e6]}),
    (Float(25), [0.1, 1e15], {ALL: [float("nan")]}),
    (REAL(), [1.0], {("postgresql",): [0.5]}),
    (Double(), [0.1, 1e15], {}),
    (Boolean(), [True], {ALL: [1]}),
    (Date(), [NOON.date()], {ALL: [NOON]}),
    (DateTime(), [NOON], {("mysql",): [NOON.replace(microsecond=5)]}),
    (mysql.DATETIME(fsp=6), [NOON.replace(microsecond=5)], {}),
    (mysql.DATETIME(fsp=3), [NOON], {("mysql",): [NOON.replace(microsecond=5)]}),
]


@pytest.mark.parametrize(("kind", "good", "bad"), CASES, ids=lambda value: repr(value)[:40])
def test_a_userid_that_would_come_back_as_another_is_a_problem(kind, good, bad):
    features = features_of(model_of(kind))
    for name, dialect in DIALECTS.items():
        assert [value for value in good if userid_problem(features, value, dialect)] == []
        refused = [value for engines, values in bad.items() if name in engines for value in values]
        assert [value for value in refused if not userid_problem(features, value, dialect)] == []
