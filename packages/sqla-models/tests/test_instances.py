"""A session as an object of the application's class, with what its relationships load eagerly."""

import gc
import uuid
import weakref
from typing import ClassVar

import pytest
from sqlalchemy import ForeignKey, String, Uuid, event, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from websession_core.policies import Overrides
from websession_core.state import Activity
from websession_models import (
    BaseMixin,
    FullyFeaturedSession,
    SchemaError,
    SessionRow,
    Store,
    UseridMixin,
    fresh_session_id,
)

ACTIVITY = Activity(
    active_at=1000, expires_at=1600, generation=1, attempt=1, renewed_at=1000, tries=0, previous_attempt=0
)


@pytest.fixture
def user(base):
    class User(base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(20))

    return User


@pytest.fixture
def model(base, user):
    class WebSession(FullyFeaturedSession, base):
        __tablename__ = "session"
        userid: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
        user = relationship("User", lazy="joined")

    return WebSession


@pytest.fixture
def row(store, user, engine) -> SessionRow:
    """The stored session of a user."""
    row = SessionRow(
        id=fresh_session_id(),
        created=900,
        version=1,
        epoch=2,
        data='{"a": 1}',
        flash='{"": ["hello"]}',
        rotated_at=950,
        userid=7,
        csrf_token="t" * 64,
        authenticated_at=940,
        overrides=Overrides(idle_timeout=600, cookie_max_age=0),
        activity=ACTIVITY,
        knows_users=True,
    )
    with Session(engine) as db:
        db.add(user(id=7, name="Ada"))
        db.flush()
        store.insert(db.connection(), row)
        db.commit()
    return row


def test_the_object_and_the_row_come_with_the_user_in_one_statement(model, store, row, engine, statements):
    with Session(engine) as db:
        instance, found = store.load_with_instance(db, row.id)

        assert type(instance) is model
        assert (instance.id, instance.user.name) == (row.id, "Ada")
        assert found == row == store.load(db.connection(), row.id)

    assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT"]


def test_the_data_is_loaded_into_the_object_only_on_demand(store, row, engine):
    with Session(engine) as db:
        instance, _ = store.load_with_instance(db, row.id)

        assert {"data", "flash"} <= inspect(instance).unloaded
        assert (instance.data, instance.flash) == ({"a": 1}, {"": ["hello"]})


def test_an_unknown_key_loads_nothing(store, row, engine):
    with Session(engine) as db:
        assert store.load_with_instance(db, fresh_session_id()) is None


def test_pending_objects_of_the_application_are_not_flushed(store, row, user, engine):
    with Session(engine) as db:
        db.add(user(id=7, name="a second Ada, who cannot be stored"))

        _, found = store.load_with_instance(db, row.id)

        assert found == row
        assert len(db.new) == 1


def test_an_object_that_the_application_has_changed_keeps_its_changes(model, store, row, engine):
    with Session(engine) as db:
        held = db.get(model, row.id)
        held.user = None

        instance, found = store.load_with_instance(db, row.id)

        assert instance is held
        assert instance.user is None
        assert found.userid == 7


def test_nobodys_session_without_a_companion_is_an_object_too(store, user, engine):
    row = SessionRow(fresh_session_id(), 900, 1, 0, "{}", "{}", overrides=Overrides(), knows_users=True)
    with Session(engine) as db:
        store.insert(db.connection(), row)

        instance, found = store.load_with_instance(db, row.id)

        assert instance.user is None
        assert found == row


@pytest.mark.parametrize("lazy", ["joined", "selectin", "subquery", "immediate"])
def test_collections_are_loaded_too(base, engine, lazy):
    class WebSession(BaseMixin, base):
        __tablename__ = "session"
        notes = relationship("Note", order_by="Note.id", lazy=lazy)

    class Note(base):
        __tablename__ = "note"
        id: Mapped[int] = mapped_column(primary_key=True)
        session_id = mapped_column(ForeignKey("session.id"))

    base.metadata.create_all(engine)
    store = Store.for_model(WebSession)
    row = SessionRow(fresh_session_id(), 900, 1, 0, '{"a": 1}', "{}")
    with Session(engine) as db:
        store.insert(db.connection(), row)
        db.add_all(Note(id=number, session_id=row.id) for number in (1, 2, 3))
        db.flush()
        db.expunge_all()

        instance, found = store.load_with_instance(db, row.id)

        assert found == row
        assert "notes" not in inspect(instance).unloaded
        assert [note.id for note in instance.notes] == [1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "key"),
    [(Uuid(), uuid.UUID(int=2**127 + 1)), (String(40), "ada@example.org")],
    ids=["uuid", "string"],
)
def test_users_may_be_known_by_anything(base, engine, kind, key):
    class User(base):
        __tablename__ = "users"
        id = mapped_column(kind, primary_key=True)

    class WebSession(UseridMixin, BaseMixin, base):
        __tablename__ = "session"
        userid = mapped_column(ForeignKey("users.id"))
        user: Mapped[User | None] = relationship(lazy="joined")

    base.metadata.create_all(engine)
    store = Store.for_model(WebSession)
    row = SessionRow(fresh_session_id(), 900, 1, 0, "{}", "{}", knows_users=True)
    with Session(engine) as db:
        db.add(User(id=key))
        db.flush()
        store.insert(db.connection(), row)
        assert store.update(db.connection(), row.id, version=1, userid=key, epoch=1)

        instance, found = store.load_with_instance(db, row.id)

        assert found.userid == instance.user.id == key
        assert found.state.owned


def test_rows_of_other_classes_in_the_table_are_not_the_models(base, engine):
    class WebSession(BaseMixin, base):
        __tablename__ = "session"
        kind: Mapped[str] = mapped_column(String(10))
        __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "web"}

    class ApiSession(WebSession):
        __mapper_args__: ClassVar = {"polymorphic_identity": "api"}

    base.metadata.create_all(engine)
    web, api = (
        SessionRow(fresh_session_id(), 1, 1, 0, "{}", "{}"),
        SessionRow(fresh_session_id(), 1, 1, 0, "{}", "{}"),
    )
    with Session(engine) as db:
        Store.for_model(WebSession).insert(db.connection(), web)
        Store.for_model(ApiSession).insert(db.connection(), api)

        assert type(Store.for_model(WebSession).load_with_instance(db, api.id)[0]) is ApiSession
        assert Store.for_model(ApiSession).load_with_instance(db, web.id) is None


def test_the_statement_is_built_and_compiled_once(store, row, engine):
    cached = []

    @event.listens_for(engine, "after_cursor_execute", named=True)
    def note(**given):
        cached.append(given["context"].cache_hit.name)

    for _ in range(3):
        with Session(engine) as db:
            store.load_with_instance(db, row.id)

    assert cached == ["CACHE_MISS", "CACHE_HIT", "CACHE_HIT"]


def test_a_databases_error_shows_no_identifier(base, store, row, engine):
    base.metadata.drop_all(engine)

    with Session(engine) as db, pytest.raises(SchemaError) as caught:
        store.load_with_instance(db, row.id)

    assert "hide_parameters" in str(caught.value.__cause__)
    for text in (str(caught.value), str(caught.value.__cause__)):
        for shown in (row.id.hex, str(row.id), repr(row.id.bytes)):
            assert shown not in text


def test_a_model_class_that_is_no_longer_used_is_not_kept_alive(make_engine):
    engine = make_engine()

    def use_a_model() -> weakref.ref:
        class Base(DeclarativeBase):
            pass

        model = type("WebSession", (FullyFeaturedSession, Base), {"__tablename__": "session"})
        Base.metadata.create_all(engine)
        with Session(engine) as db:
            assert Store.for_model(model).load_with_instance(db, uuid.UUID(int=1)) is None
        engine.clear_compiled_cache()
        return weakref.ref(model)

    reference = use_a_model()
    gc.collect()

    assert reference() is None
