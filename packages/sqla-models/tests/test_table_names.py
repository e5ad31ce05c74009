"""Table names at the limits of the engines, and names that the application has given to tables of its own."""

import pytest
from inserting import insert_session
from sqlalchemy import Column, Integer, String, Table, Uuid, insert, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, mapped_column
from websession_core.state import Activity
from websession_models import (
    BaseMixin,
    FullyFeaturedSession,
    IdleMixin,
    ModelError,
    SessionLimitMixin,
    Store,
    check_schema,
    features_of,
    fresh_session_id,
)
from websession_models.user_limit import is_slot_taken

ON_SERVERS = pytest.mark.parametrize(
    "websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True
)
ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
LONGEST = {"postgresql": 63, "mariadb": 64, "mysql": 64}


def model_with(base, *mixins, name="session", **attributes) -> type:
    return type("WebSession", (*mixins, base), {"__tablename__": name, **attributes})


class TestATableOfTheApplicationsWithTheCompanionsName:
    @pytest.mark.parametrize("kind", [Integer, Uuid])
    @pytest.mark.parametrize("name", ["name", "active_at"])
    def test_is_not_taken(self, base, kind, name):
        columns = Column("id", kind, primary_key=True), Column(name, String(50))
        Table("session_activity", base.metadata, *columns)

        with pytest.raises(ModelError) as caught:
            model_with(base, IdleMixin, BaseMixin)
        (problem,) = caught.value.problems
        assert "IdleMixin" in problem
        assert "'session_activity'" in problem
        assert "give one of the two another __tablename__" in problem

    def test_is_told_of_when_it_was_declared_later_and_extends_the_companion(self, base):
        model = model_with(base, IdleMixin, BaseMixin)
        # As SQLAlchemy's own message says that one could.
        attributes = {
            "__tablename__": "session_activity",
            "__table_args__": {"extend_existing": True},
            "what": mapped_column(String(50), primary_key=True),
        }
        type("SomethingElse", (base,), attributes)

        with pytest.raises(ModelError) as caught:
            features_of(model)
        (problem,) = caught.value.problems
        assert "give one of the two another __tablename__" in problem
        assert "'what'" in problem


class TestTablesThatWereReflectedBeforeTheModelIsDeclared:
    @pytest.fixture
    def model(self, base, other_base, engine):
        first = model_with(other_base, SessionLimitMixin, FullyFeaturedSession)
        first.metadata.create_all(engine)
        base.metadata.reflect(engine)
        assert {"session", "session_activity"} <= base.metadata.tables.keys()
        return model_with(
            base, SessionLimitMixin, FullyFeaturedSession, __table_args__={"extend_existing": True}
        )

    def test_give_way_to_it(self, model, engine):
        store, recorded = Store.for_model(model), Activity(active_at=1000)
        session_id = insert_session(store, engine, activity=recorded)

        with engine.connect() as connection:
            assert store.load(connection, session_id).activity == recorded
        assert check_schema(engine, model) == ()

    def test_leave_it_with_a_companion_like_any_other(self, model, other_base):
        usual = other_base.metadata.tables["session_activity"]
        companion = features_of(model).companion

        assert repr(companion.columns.values()) == repr(usual.columns.values())
        assert [index.name for index in companion.indexes] == [index.name for index in usual.indexes]
        assert model.metadata.tables["session_activity"] is companion


@pytest.mark.filterwarnings("ignore:.*a name that:UserWarning")
@pytest.mark.parametrize("has_convention", [False, True])
class TestTheLongestNameThatIsPossible:
    @pytest.fixture
    def base(self, has_convention, other_base):
        class Base(DeclarativeBase):
            pass

        return other_base if has_convention else Base

    @pytest.fixture
    def model(self, base, websession_engine_name):
        room = LONGEST.get(websession_engine_name, 200) - len("_activity")
        return model_with(base, SessionLimitMixin, FullyFeaturedSession, name="s" * room)

    def test_has_every_table_and_index(self, model, engine):
        model.metadata.create_all(engine)

        assert check_schema(engine, model) == ()
        store = Store.for_model(model)
        session_id = insert_session(store, engine, activity=Activity(active_at=1000))
        with engine.connect() as connection:
            assert store.load(connection, session_id).activity == Activity(active_at=1000)

    def test_lets_a_slot_that_is_taken_be_recognized(self, model, engine):
        model.metadata.create_all(engine)
        features, table = features_of(model), model.__table__
        values = {"userid": 7, "session_slot": 1}

        with engine.begin() as connection:
            connection.execute(insert(table).values(id=fresh_session_id(), **values))
        with engine.connect() as connection:
            with pytest.raises(IntegrityError) as caught:
                connection.execute(insert(table).values(id=fresh_session_id(), **values))
            assert is_slot_taken(caught.value, features, connection.dialect)
            connection.rollback()
            (key,) = connection.scalars(select(table.columns["id"]))
            with pytest.raises(IntegrityError) as caught:
                connection.execute(insert(table).values(id=key))
            assert not is_slot_taken(caught.value, features, connection.dialect)


class TestANameThatIsTooLong:
    @pytest.mark.parametrize(
        ("name", "where"),
        [
            ("s" * 56, "only SQLite takes"),
            ("s" * 55, "PostgreSQL does not take"),
            ("ü" * 28, "PostgreSQL does not take"),
        ],
        ids=["of servers", "of PostgreSQL", "of PostgreSQL in bytes"],
    )
    def test_is_told_when_the_model_is_declared(self, base, name, where):
        with pytest.warns(UserWarning, match=f"'{name}_activity'.*{where}.*at most 54 bytes"):
            model_with(base, IdleMixin, BaseMixin, name=name)

    @pytest.mark.parametrize("name", ["s" * 54, "ü" * 27])
    def test_is_not_told_of_one_that_every_database_takes(self, base, name):
        model_with(base, IdleMixin, BaseMixin, name=name)

    @pytest.mark.filterwarnings("ignore:.*a name that:UserWarning")
    @ON_SERVERS
    def test_is_told_when_the_schema_is_checked(self, base, engine):
        room = LONGEST[engine.dialect.name] - len("_activity")
        model = model_with(base, IdleMixin, BaseMixin, name="s" * (room + 1))
        model.__table__.create(engine)

        (problem,) = check_schema(engine, model)
        assert problem.fatal
        assert f"__tablename__ of at most {room}" in str(problem)

    @pytest.mark.filterwarnings("ignore:.*a name that:UserWarning")
    @ON_SQLITE
    def test_is_none_for_sqlite(self, base, engine):
        model = model_with(base, SessionLimitMixin, FullyFeaturedSession, name="s" * 200)
        model.metadata.create_all(engine)

        assert check_schema(engine, model) == ()
        assert f"uq_{'s' * 200}_session_slot" in {
            index["name"] for index in inspect(engine).get_indexes("s" * 200)
        }
