"""What may be a session model, and what is said about a class that may not."""

import gc
import uuid
import weakref
from typing import ClassVar

import pytest
import sqlalchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    case,
)
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator
from websession_models import (
    SESSION_JSON,
    AbsoluteMixin,
    BaseMixin,
    ConfigIdleMixin,
    FullyFeaturedSession,
    IdleMixin,
    ModelError,
    RenewalMixin,
    SessionId,
    Store,
    UseridMixin,
    features_of,
)


class Compressed(TypeDecorator):
    impl = JSON
    cache_ok = True


def problems_of(model) -> tuple[str, ...]:
    with pytest.raises(ModelError) as caught:
        features_of(model)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def model_with(base, **attributes) -> type:
    return type("WebSession", (BaseMixin, base), {"__tablename__": "session", **attributes})


def full_model_with(base, **attributes) -> type:
    return type("WebSession", (FullyFeaturedSession, base), {"__tablename__": "session", **attributes})


def model_with_user(base, lazy) -> type:
    user = type("User", (base,), {"__tablename__": "users", "id": mapped_column(Integer, primary_key=True)})
    user_id = mapped_column(ForeignKey("users.id"))
    return model_with(base, user_id=user_id, user=relationship(user, lazy=lazy))


@pytest.mark.parametrize("thing", ["myapp.models.Session", None, BaseMixin(), 3])
def test_what_is_no_class_is_no_model(thing):
    assert problems_of(thing) == ("it is not a class",)


@pytest.mark.parametrize("cls", [dict, BaseMixin, DeclarativeBase])
def test_a_class_that_is_not_mapped_is_no_model(cls):
    assert problems_of(cls) == ("SQLAlchemy has not mapped it to a table",)


def test_a_mapped_class_without_the_mixin_is_told_what_it_lacks(base):
    class User(base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        data: Mapped[str]

    assert problems_of(User) == (
        "it has no column for 'created', 'version', 'epoch', 'rotated_at', 'flash': inherit from BaseMixin",
    )


NO_ID = "'id' must be a SessionId, not "
NO_TIME = "'created' must be a BigInteger (32 bits end in 2038), not "
NO_JSON = " must be a JSON column (SESSION_JSON), not "
NO_NULL = " must be NOT NULL (nullable=False)"


@pytest.mark.parametrize(
    ("name", "kind", "problem"),
    [
        ("id", String(32), NO_ID + "String"),
        ("id", Uuid(), NO_ID + "Uuid"),
        ("created", DateTime(), NO_TIME + "DateTime"),
        ("created", Integer(), NO_TIME + "Integer"),
        ("version", SmallInteger(), "'version' must be an Integer, not SmallInteger"),
        ("epoch", String(3), "'epoch' must be an Integer, not String"),
        ("data", Text(), "'data'" + NO_JSON + "Text"),
        ("data", LargeBinary(), "'data'" + NO_JSON + "LargeBinary"),
        ("data", Compressed(), "'data'" + NO_JSON + "Compressed"),
        ("flash", Text(), "'flash'" + NO_JSON + "Text"),
    ],
)
def test_a_column_overridden_with_a_type_that_cannot_work_is_refused(base, name, kind, problem):
    column = mapped_column(kind, primary_key=name == "id", nullable=False)

    assert problems_of(model_with(base, **{name: column})) == (problem,)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("created", BigInteger), ("version", Integer), ("epoch", Integer), ("data", JSON), ("flash", JSON)],
)
def test_a_column_overridden_without_not_null_is_refused(base, name, kind):
    assert problems_of(model_with(base, **{name: mapped_column(kind)})) == (f"{name!r}{NO_NULL}",)


@pytest.mark.parametrize(
    ("name", "kind", "problem"),
    [
        ("rotated_at", Integer(), "'rotated_at' must be a BigInteger (32 bits end in 2038), not Integer"),
        ("authenticated_at", DateTime(), NO_TIME.replace("created", "authenticated_at") + "DateTime"),
        ("csrf_token", String(32), "'csrf_token' must be a String of 64 characters, not String(length=32)"),
        ("csrf_token", Integer(), "'csrf_token' must be a String of 64 characters, not Integer()"),
        ("idle_timeout", SmallInteger(), "'idle_timeout' must be an Integer, not SmallInteger"),
        ("cookie_max_age", String(3), "'cookie_max_age' must be an Integer, not String"),
    ],
)
def test_a_features_column_overridden_with_a_type_that_cannot_work_is_refused(base, name, kind, problem):
    assert problems_of(full_model_with(base, **{name: mapped_column(kind)})) == (problem,)


@pytest.mark.parametrize("name", ["rotated_at", "userid", "csrf_token", "renewal_timeout"])
def test_a_features_column_must_be_nullable(base, name):
    kind = {"rotated_at": BigInteger, "csrf_token": Text}.get(name, Integer)

    assert problems_of(full_model_with(base, **{name: mapped_column(kind, nullable=False)})) == (
        f"{name!r} must be nullable",
    )


def test_a_feature_whose_column_was_taken_away_is_refused(base):
    assert problems_of(full_model_with(base, userid=None, idle_timeout=None, extension_delay=None)) == (
        "it has UseridMixin but no column for 'userid'",
        "it has ConfigIdleMixin but no column for 'idle_timeout', 'extension_delay'",
    )


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("userid", mapped_column(Uuid())),
        ("userid", mapped_column("user", String(200), index=True)),
        ("csrf_token", mapped_column(Text)),
        ("csrf_token", mapped_column(String(128))),
        ("idle_timeout", mapped_column("idle", BigInteger)),
    ],
)
def test_a_features_column_overridden_with_what_works_is_accepted(base, name, column):
    features = features_of(full_model_with(base, **{name: column}))

    assert features.columns[name] is column.column


def test_a_companion_table_taken_out_of_the_metadata_is_missed(base):
    model = full_model_with(base)
    base.metadata.remove(base.metadata.tables["session_activity"])

    (problem,) = problems_of(model)
    assert "'session_activity' is missing" in problem


def test_what_a_model_offers_is_what_its_mixins_are(base):
    features = features_of(type("S", (ConfigIdleMixin, BaseMixin, base), {"__tablename__": "session"}))

    assert features.offers(ConfigIdleMixin)
    assert features.offers(IdleMixin)
    assert not any(features.offers(mixin) for mixin in (UseridMixin, AbsoluteMixin, RenewalMixin))


def test_a_column_of_the_applications_is_no_feature(base):
    features = features_of(model_with(base, userid=mapped_column(Integer)))

    assert not features.offers(UseridMixin)
    assert "userid" not in features.columns


def test_every_problem_is_told_at_once(base):
    model = model_with(
        base,
        data=mapped_column(Text),
        other=mapped_column(Integer, primary_key=True),
        email=mapped_column(String(80), nullable=False),
    )

    assert problems_of(model) == (
        "the primary key must be 'id' alone",
        "'data' must be NOT NULL (nullable=False)",
        "'data' must be a JSON column (SESSION_JSON), not Text",
        "column 'other' is NOT NULL without a default: no new session could be inserted",
        "column 'email' is NOT NULL without a default: no new session could be inserted",
    )


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("id", mapped_column("session_id", SessionId(), primary_key=True)),
        ("created", mapped_column(BigInteger().with_variant(Integer(), "sqlite"), nullable=False)),
        ("version", mapped_column(BigInteger, nullable=False)),
        ("data", mapped_column("payload", MutableDict.as_mutable(SESSION_JSON), nullable=False)),
        ("flash", mapped_column(JSON, nullable=False)),
        ("theme", mapped_column(String(10), nullable=False, default="light")),
        ("theme", mapped_column(String(10), nullable=False, server_default="light")),
        ("number", mapped_column(Integer, Identity(), nullable=False)),
        ("email", mapped_column(String(80))),
    ],
)
def test_a_column_overridden_or_added_with_what_works_is_accepted(base, name, column):
    features_of(model_with(base, **{name: column}))


def test_joined_inheritance_is_refused_with_the_reason(base):
    class Thing(base):
        __tablename__ = "things"
        id: Mapped[uuid.UUID] = mapped_column(SessionId(), primary_key=True)

    class WebSession(BaseMixin, Thing):
        __tablename__ = "session"
        id: Mapped[uuid.UUID] = mapped_column(SessionId(), ForeignKey("things.id"), primary_key=True)

    (problem,) = problems_of(WebSession)
    assert "joined inheritance spreads a session over several tables" in problem


def test_a_class_mapped_to_a_join_is_refused(base):
    left = Table("left_side", base.metadata, Column("id", SessionId(), primary_key=True))
    right = Table(
        "right_side",
        base.metadata,
        Column("left_id", SessionId(), ForeignKey("left_side.id"), primary_key=True),
    )
    model = type(
        "Joined",
        (base,),
        {"__table__": left.join(right), "id": sqlalchemy.orm.column_property(left.c.id, right.c.left_id)},
    )

    assert problems_of(model) == ("it is mapped to a join or a query: sessions need a table",)


def test_the_orm_must_not_count_versions_in_our_column(base):
    model = model_with(
        base,
        version=(version := mapped_column(Integer, nullable=False)),
        __mapper_args__={"version_id_col": version},
    )

    (problem,) = problems_of(model)
    assert "must not be the mapper's version_id_col" in problem


def test_a_class_without_rows_of_its_own_is_refused(base):
    class AnySession(BaseMixin, base):
        __tablename__ = "session"
        kind: Mapped[str] = mapped_column(String(10))
        __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_abstract": True}

    (problem,) = problems_of(AnySession)
    assert "polymorphic_abstract" in problem


def test_a_subclass_told_apart_by_an_expression_is_refused(base):
    class WebSession(BaseMixin, base):
        __tablename__ = "session"
        staff: Mapped[int] = mapped_column(Integer, default=0)
        __mapper_args__: ClassVar = {
            "polymorphic_on": case((staff.column == 1, "staff"), else_="public"),
            "polymorphic_identity": "public",
        }

    class StaffSession(WebSession):
        __mapper_args__: ClassVar = {"polymorphic_identity": "staff"}

    features_of(WebSession)
    (problem,) = problems_of(StaffSession)
    assert "polymorphic_on is an expression" in problem


def test_a_model_is_accepted_before_the_classes_it_refers_to_exist(base):
    class WebSession(BaseMixin, base):
        __tablename__ = "session"
        user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
        user = relationship("User", lazy="joined")

    features = features_of(WebSession)
    assert not sqlalchemy.inspect(WebSession).configured

    class User(base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)

    assert features.eager


@pytest.mark.parametrize("lazy", ["joined", False, "selectin", "subquery", "immediate"])
def test_a_model_that_loads_others_with_itself_is_eager(base, lazy):
    assert features_of(model_with_user(base, lazy)).eager


@pytest.mark.parametrize("lazy", ["select", "raise", "raise_on_sql"])
def test_a_model_that_loads_others_on_demand_is_not_eager(base, lazy):
    assert not features_of(model_with_user(base, lazy)).eager


def test_features_are_computed_once_and_leave_the_class_alone(base):
    model = model_with(base)
    before = dict(vars(model))

    assert features_of(model) is features_of(model)
    assert Store.for_model(model) is Store.for_model(model)
    assert Store.for_model(model).features is features_of(model)
    assert dict(vars(model)) == before


def test_two_models_of_one_application_are_told_apart(base):
    first = model_with(base)
    second = type(
        "Admin",
        (BaseMixin, base),
        {"__tablename__": "admin", "data": mapped_column("payload", JSON, nullable=False)},
    )

    assert features_of(first).table.name == "session"
    assert features_of(second).table.name == "admin"
    assert features_of(first).columns["data"].name == "data"
    assert features_of(second).columns["data"].name == "payload"


def test_models_of_the_same_name_in_two_applications_are_told_apart(base, other_base):
    first = model_with(base)
    second = model_with(other_base, flash=mapped_column("messages", JSON, nullable=False))

    assert features_of(first).columns["flash"].name == "flash"
    assert features_of(second).columns["flash"].name == "messages"
    assert features_of(first).table is not features_of(second).table


def test_a_model_class_that_is_no_longer_used_is_not_kept_alive():
    def use_a_model() -> weakref.ref:
        class Base(DeclarativeBase):
            pass

        model = model_with(Base)
        store = Store.for_model(model)
        engine = sqlalchemy.create_engine("sqlite://")
        with engine.connect() as connection:
            Base.metadata.create_all(connection)
            store.load(connection, uuid.UUID(int=1))
        engine.dispose()
        return weakref.ref(model)

    reference = use_a_model()
    gc.collect()

    assert reference() is None
