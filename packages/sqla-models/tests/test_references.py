"""What refers to sessions, and how userids are compared, is found where it will do harm."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import ForeignKey, String, event
from sqlalchemy.orm import Mapped, mapped_column
from websession_models import FullyFeaturedSession, Store
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


@pytest.mark.parametrize("websession_engine_name", ["mariadb", "mysql"])
@pytest.mark.parametrize(("collation", "is_told"), [("utf8mb4_general_ci", True), ("utf8mb4_bin", False)])
def test_userids_that_are_compared_without_regard_to_case_are_found(make, collation, is_told):
    engine, model = make("CASCADE", String(30, collation=collation))
    problems = found(engine, model)
    assert bool(problems) is is_told
    assert all(collation in problem and "utf8mb4_bin" in problem for problem in problems.values())


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
