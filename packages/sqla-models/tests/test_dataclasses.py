"""A session model can be a declarative dataclass, with every mixin: their columns are no fields of it."""

import dataclasses
from typing import ClassVar

import pytest
from inserting import insert_session
from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, registry, relationship
from websession_core.state import Activity
from websession_models import (
    BaseMixin,
    ClientInfoMixin,
    FullyFeaturedSession,
    SessionLimitMixin,
    Store,
    UseridMixin,
    check_schema,
    features_of,
)
from websession_models.features import FEATURES

MIXINS = [feature.mixin for feature in FEATURES]


@pytest.fixture
def base():
    class Base(MappedAsDataclass, DeclarativeBase):
        pass

    return Base


def fields(model) -> list[str]:
    return [field.name for field in dataclasses.fields(model)]


class TestAModelThatIsADataclass:
    @pytest.mark.parametrize("mixin", MIXINS, ids=lambda mixin: mixin.__name__)
    @pytest.mark.parametrize("base_first", [False, True])
    def test_has_the_columns_of_each_mixin(self, base, mixin, base_first):
        bases = (base, mixin, BaseMixin) if base_first else (mixin, BaseMixin, base)
        model = type("Model", bases, {"__tablename__": "session", "__annotations__": {}})

        class Plain(DeclarativeBase):
            pass

        plain = type("Plain", (mixin, BaseMixin, Plain), {"__tablename__": "session"})
        assert features_of(model).mixins == {mixin} | features_of(plain).mixins
        columns = [(column.name, repr(column.type)) for column in model.__table__.columns]
        assert columns == [(column.name, repr(column.type)) for column in plain.__table__.columns]
        assert model.metadata.tables.keys() == plain.metadata.tables.keys()
        assert fields(model) == []

    def test_has_the_fields_that_the_application_declares_and_no_others(self, base):
        class User(base):
            __tablename__ = "user"
            id: Mapped[int] = mapped_column(primary_key=True)

        class Session(SessionLimitMixin, ClientInfoMixin, FullyFeaturedSession, base):
            __tablename__ = "session"
            userid: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True, default=None)
            created: Mapped[int] = mapped_column("created_at", BigInteger, default=900)
            language: Mapped[str] = mapped_column(String(10), default="en")
            user: Mapped[User | None] = relationship(default=None, lazy="joined")

        assert fields(Session) == ["userid", "created", "language", "user"]
        session = Session(language="de")
        assert (session.language, session.created, session.userid) == ("de", 900, None)
        assert features_of(Session).columns["created"].name == "created_at"
        assert features_of(Session).eager

    def test_is_stored_and_read(self, base, engine):
        class Session(FullyFeaturedSession, base):
            __tablename__ = "session"
            language: Mapped[str] = mapped_column(String(10), default="en")

        base.metadata.create_all(engine)
        store, recorded = Store(Session), Activity(active_at=1000, expires_at=1600)
        session_id = insert_session(store, engine, activity=recorded)

        with engine.connect() as connection:
            assert store.load(connection, session_id).activity == recorded
        assert check_schema(engine, Session) == ()

    def test_can_be_made_by_the_decorator(self):
        mapper_registry = registry()

        @mapper_registry.mapped_as_dataclass
        class Session(FullyFeaturedSession):
            __tablename__ = "session"
            language: Mapped[str] = mapped_column(String(10), default="en")

        assert fields(Session) == ["language"]
        assert features_of(Session).companion is not None

    def test_can_be_one_of_several_in_a_table(self, base):
        class Visit(UseridMixin, BaseMixin, base):
            __tablename__ = "visit"
            kind: Mapped[str] = mapped_column(String(10), default="visit", init=False)
            __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "visit"}

        class Session(FullyFeaturedSession, Visit):
            __mapper_args__: ClassVar = {"polymorphic_identity": "session"}

        assert features_of(Session).identity == (Visit.__table__.columns["kind"], "session")
        assert fields(Session) == ["kind"]
