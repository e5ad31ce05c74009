"""What refers to sessions, and how userids are compared, is found where it will do harm."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import ForeignKey, String, event, text
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column
from websession_models import FullyFeaturedSession, Store
from websession_models.emptying import checked_at_once
from websession_models.features import features_of
from websession_models.references import reference_problems
from websession_models.unusable import find_unusable


@pytest.fixture
def make(base, make_engine):
    """Make tables whose foreign keys say `ondelete`, on an engine that heeds them; return both."""

    def make(ondelete, userid_type=None):
        class Person(base):
            __tablename__ = "person"
            id: Mapped[str] = mapped_column(userid_type or String(30), primary_key=True)

        class Session(FullyFeaturedSession, base):
            __tablename__ = "session"
            userid: Mapped[str | None] = mapped_column(
                userid_type or String(30), ForeignKey("person.id", ondelete=ondelete)
            )

        class Basket(base):
            __tablename__ = "basket"
            id: Mapped[int] = mapped_column(primary_key=True)
            session_id: Mapped[Any] = mapped_column(
                ForeignKey("session.id", ondelete=ondelete), nullable=True
            )

        engine = make_engine()
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA foreign_keys = ON"))
        base.metadata.create_all(engine)
        return engine, Session

    return make


def found(engine, model):
    with engine.connect() as connection:
        problems = reference_problems(connection, model)
    assert not any(problem.fatal for problem in problems)
    return {f"{problem.table}.{problem.column}": str(problem) for problem in problems}


@pytest.mark.parametrize("ondelete", ["CASCADE", "SET NULL"])
def test_foreign_keys_that_let_go_are_well(make, ondelete):
    engine, model = make(ondelete)
    assert {name for name in found(engine, model) if name != "session.userid"} == set()


@pytest.mark.parametrize("ondelete", [None, "RESTRICT", "NO ACTION"])
def test_foreign_keys_that_hold_on_are_found(make, ondelete):
    engine, model = make(ondelete)
    problems = found(engine, model)
    assert problems.keys() == {"basket.session_id", "session.userid"}
    assert "no session that a row of it refers to can be purged" in problems["basket.session_id"]
    assert "ON DELETE CASCADE" in problems["basket.session_id"]


@pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)
def test_a_key_that_only_the_database_defers_is_checked_at_once_and_deferred_again(make, base):
    engine, model = make(None)
    features, basket = features_of(model), base.metadata.tables["basket"]
    key = "ALTER CONSTRAINT fk_basket_session_id_session DEFERRABLE INITIALLY DEFERRED"
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE basket {key}"))
    with engine.connect() as connection:
        with checked_at_once(connection, features):
            pass
        connection.execute(basket.insert(), {"session_id": uuid.uuid4()})
        with pytest.raises(IntegrityError), checked_at_once(connection, features):
            pass


# A collation, and what userids may not differ in alone.
COLLATIONS = {
    "sqlite": [(None, []), ("NOCASE", ["case"]), ("RTRIM", ["spaces"]), ("BINARY", [])],
    "postgresql": [(None, []), ("C", []), ("citext", ["case"])],
    "mariadb": [
        ("utf8mb4_general_ci", ["case", "accents", "spaces"]),
        ("utf8mb4_bin", ["spaces"]),
        ("utf8mb4_nopad_bin", []),
    ],
    "mysql": [
        ("utf8mb4_0900_ai_ci", ["case", "accents"]),
        ("utf8mb4_0900_as_ci", ["case"]),
        ("utf8mb4_bin", ["spaces"]),
        ("utf8mb4_0900_bin", []),
    ],
}


@pytest.mark.parametrize(
    ("websession_engine_name", "collation", "overlooked"),
    [(engine, *case) for engine, cases in COLLATIONS.items() for case in cases],
)
def test_userids_that_are_the_same_to_the_database_are_found(
    make, make_engine, websession_engine_name, collation, overlooked
):
    userid_type = String(30, collation=collation)
    if collation == "citext":
        with make_engine().begin() as connection:
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS citext"))
        userid_type = CITEXT()
    engine, model = make("CASCADE", userid_type)
    with engine.connect() as connection:
        problems = reference_problems(connection, model)
    assert [problem.column for problem in problems] == ["userid"] * bool(overlooked)
    words = {"case": "upper and lower case", "accents": "accents", "spaces": "spaces at the end"}
    for problem in problems:
        assert f"differ in {' or '.join(words[name] for name in overlooked)} alone" in str(problem)
        assert not problem.fatal
        assert websession_engine_name not in {"mariadb", "mysql"} or str(collation) in str(problem)


class TestUnusableRows:
    @pytest.fixture
    def model(self, base):
        return type("Session", (FullyFeaturedSession, base), {"__tablename__": "session"})

    @pytest.fixture
    def engine(self, model, make_engine):
        engine = make_engine()
        model.metadata.create_all(engine)
        return engine

    @pytest.mark.parametrize(
        "values",
        [{"data": []}, {"data": 1}, {"flash": {"": "no list"}}, {"created": -1}, {"epoch": -1}],
        ids=str,
    )
    def test_they_are_found_among_others(self, engine, model, values):
        table = model.__table__
        ids = [uuid.uuid4() for _ in range(450)]
        usual = {"created": 1, "version": 1, "epoch": 0, "data": {}, "flash": {}}
        with engine.begin() as connection:
            connection.execute(table.insert(), [{**usual, "id": session_id} for session_id in ids])
            connection.execute(table.update().where(table.c.id == ids[7]).values(**values))
        store = Store.for_model(model)
        for all_rows in (False, True):
            report = find_unusable(engine, store, all_rows=all_rows)
            assert (report.ids, report.rows, report.is_complete) == ((ids[7],), 450, True)
        assert find_unusable(engine, store, max_seconds=0).rows == 0
