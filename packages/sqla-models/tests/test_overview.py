"""The table of sessions in numbers, lists and by name, on every engine."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pytest
import websession_models.overview
from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column
from websession_core.policies import Overrides
from websession_core.state import Activity
from websession_models import BaseMixin, FullyFeaturedSession, SessionRow, Store, prepare_sqlite_engine
from websession_models.overview import (
    AGES,
    OwnOverrides,
    backlog,
    distinct_overrides,
    ids_by_prefix,
    list_sessions,
    overview,
)
from websession_models.own_transactions import reading

NOW = 1_800_000_000


@pytest.fixture
def full(base, engine):
    class Full(FullyFeaturedSession, base):
        __tablename__ = "full_session"

    base.metadata.create_all(engine)
    return Full


@pytest.fixture
def plain(base, engine):
    class Plain(BaseMixin, base):
        __tablename__ = "plain_session"

    base.metadata.create_all(engine)
    return Plain


def add(engine, model, number, *, created=NOW, active_at=None, expires_at=None, data="{}", **rest):
    """Insert a session whose identifier begins with `number`."""
    row = SessionRow(
        uuid.UUID(int=number << 96),
        created=created,
        version=1,
        epoch=0,
        data=data,
        flash="{}",
        activity=Activity(active_at=active_at, expires_at=expires_at) if active_at else None,
        knows_users=True,
        overrides=rest.pop("overrides", Overrides()) if model.__name__ == "Full" else None,
        **rest,
    )
    with engine.begin() as connection:
        Store.for_model(model).insert(connection, row)
    return row.id


def test_every_number_is_counted(engine, full):
    minute = 60
    add(engine, full, 1, created=NOW - 9000, active_at=NOW, expires_at=NOW + 1800, userid=1)
    add(engine, full, 2, created=NOW - 10, active_at=NOW - 20 * minute, expires_at=NOW + 60, userid=1)
    add(engine, full, 3, active_at=NOW - 30, data='{"cart":"' + "ü" * 300 + '"}')
    add(engine, full, 4, userid=2)
    add(engine, full, 5, created=NOW - 99999, active_at=NOW - 9000, expires_at=NOW, userid=3)
    with reading(engine) as connection:
        found = overview(connection, full, now=NOW)
    assert (found.active, found.expired) == (4, 1)
    assert (found.idle, found.anonymous) == (1, 1)
    assert (found.users, found.most_of_one_user) == (2, 2)
    assert found.without_deadline == 2
    assert found.oldest == NOW - 9000
    assert found.last_used == (3, 0, 1, 0, 0, 0, 0, 0)
    assert found.sizes == (3, 1, 0, 0, 0)
    assert 600 < found.payload_largest < 620
    assert 150 <= found.payload_mean <= 160


def test_the_borders_of_the_histogram_belong_to_the_later_part(engine, full):
    for number, age in enumerate(AGES, 1):
        add(engine, full, number, created=NOW - age, active_at=NOW - age)
    with reading(engine) as connection:
        assert overview(connection, full, now=NOW).last_used == (0, 1, 1, 1, 1, 1, 1, 1)


def test_an_empty_table_is_all_zeros(engine, full):
    with reading(engine) as connection:
        found = overview(connection, full, now=NOW)
    assert (found.active, found.expired, found.users, found.most_of_one_user) == (0, 0, 0, 0)
    assert (found.oldest, found.payload_mean, found.payload_largest) == (None, None, None)


def test_a_model_without_features_says_what_it_does_not_know(engine, plain):
    add(engine, plain, 1, created=NOW - 7200)
    with reading(engine) as connection:
        found = overview(connection, plain, now=NOW)
        assert backlog(connection, plain, now=NOW) is None
        (listed,) = list_sessions(connection, plain, limit=5)
        assert distinct_overrides(connection, plain) == (OwnOverrides(Overrides(), None),)
    assert found.active == 1
    assert (found.idle, found.anonymous, found.users, found.expired) == (None,) * 4
    assert (listed.last_used, listed.userid, listed.expires_at) == (NOW - 7200, None, None)


def test_the_backlog_tells_since_when_nobody_has_purged(engine, full):
    add(engine, full, 1, active_at=NOW, expires_at=NOW + 1)
    add(engine, full, 2, active_at=NOW - 5000, expires_at=NOW - 3200)
    add(engine, full, 3, active_at=NOW - 5000, expires_at=NOW)
    add(engine, full, 4)
    with reading(engine) as connection:
        found = backlog(connection, full, now=NOW)
    assert (found.expired, found.since, found.without_deadline) == (2, NOW - 3200, 1)


def test_each_combination_of_overrides_comes_once(engine, full):
    month = Overrides(cookie_max_age=2592000, idle_timeout=0)
    add(engine, full, 1, overrides=month, userid=1)
    add(engine, full, 2, overrides=month, userid=2)
    add(engine, full, 3, overrides=month)
    add(engine, full, 4)
    with reading(engine) as connection:
        found = distinct_overrides(connection, full)
    assert len(found) == 3
    assert set(found) == {
        OwnOverrides(month, True),
        OwnOverrides(month, False),
        OwnOverrides(Overrides(), False),
    }


def test_sessions_are_listed_by_their_last_use_and_filtered(engine, full):
    old = add(engine, full, 1, created=NOW - 9000, active_at=NOW - 8000, userid=1)
    new = add(engine, full, 2, created=NOW - 100, active_at=NOW - 10, userid=1)
    anonymous = add(engine, full, 3, created=NOW - 9000, active_at=NOW - 50, data='{"a":1}')

    def ids(**filters):
        with reading(engine) as connection:
            return [listed.id for listed in list_sessions(connection, full, **{"limit": None, **filters})]

    assert ids() == [new, anonymous, old]
    assert ids(limit=1) == [new]
    assert ids(userid=1) == [new, old]
    assert ids(userid=None) == [anonymous]
    assert ids(created_before=NOW - 1000) == [anonymous, old]
    assert ids(used_before=NOW - 1000) == [old]
    assert ids(prefix="00000003") == [anonymous]


def test_a_session_is_found_by_the_beginning_of_its_identifier(engine, full):
    one = add(engine, full, 0xABCDEF01)
    two = add(engine, full, 0xABCDEF02)
    add(engine, full, 0xABCE0000)
    with reading(engine) as connection:
        assert ids_by_prefix(connection, full, "abcdef01") == (one,)
        assert ids_by_prefix(connection, full, "ABCDEF") == (one, two)
        assert ids_by_prefix(connection, full, str(one)) == (one,)
        assert ids_by_prefix(connection, full, "abcdef", limit=1) == (one,)
        assert ids_by_prefix(connection, full, "5") == ()
        for nonsense in ("", "xyz", "%", "a" * 33):
            with pytest.raises(ValueError, match="hexadecimal"):
                ids_by_prefix(connection, full, nonsense)


def test_rows_of_other_classes_in_the_table_are_left_out(base, engine):
    class Parent(BaseMixin, base):
        __tablename__ = "family"
        kind: Mapped[str] = mapped_column(String(10))
        __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "parent"}

    class Child(Parent):
        __mapper_args__: ClassVar = {"polymorphic_identity": "child"}

    base.metadata.create_all(engine)
    with Session(engine) as db:
        db.add_all([Parent(), Child()])
        db.commit()
    with reading(engine) as connection:
        assert overview(connection, Child, now=NOW).active == 1
        assert len(list_sessions(connection, Child, limit=None)) == 1
        assert overview(connection, Parent, now=NOW).active == 2


def test_reading_does_not_keep_anybody_from_writing(make_engine, full):
    options = {} if make_engine().dialect.name == "sqlite" else {"isolation_level": "SERIALIZABLE"}
    theirs = prepare_sqlite_engine(make_engine(**options))
    ours = prepare_sqlite_engine(make_engine(**options))
    add(theirs, full, 1, active_at=NOW)
    with reading(ours) as connection:
        assert overview(connection, full, now=NOW).active == 1
        add(theirs, full, 2, active_at=NOW)
        with theirs.begin() as writer:
            Store.for_model(full).delete(writer, uuid.UUID(int=1 << 96))
    with reading(ours) as connection:
        assert overview(connection, full, now=NOW).active == 1


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("Wish", OwnOverrides, ""),
        ("distinct_wishes", distinct_overrides, ""),
        ("reading", reading, r"websession_models\.own_transactions\."),
    ],
)
def test_what_had_another_name_or_place_is_still_there_and_warns(old, new, where):
    with pytest.warns(DeprecationWarning, match=rf"overview\.{old} is called {where}{new.__name__} now"):
        assert getattr(websession_models.overview, old) is new
