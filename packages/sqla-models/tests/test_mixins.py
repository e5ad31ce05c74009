"""The columns, as the application's own classes get them."""

import time
import uuid
from functools import reduce
from operator import and_, or_
from typing import ClassVar

import pytest
from sqlalchemy import Column, ForeignKey, MetaData, String, Table, inspect
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    declarative_base,
    mapped_column,
    registry,
    relationship,
)
from websession_models import (
    SESSION_JSON,
    AbsoluteMixin,
    AuthenticatedAtMixin,
    BaseMixin,
    ConfigAbsoluteMixin,
    ConfigCookieMixin,
    ConfigIdleMixin,
    ConfigRenewalMixin,
    CSRFMixin,
    FullyFeaturedSession,
    IdleMixin,
    RenewalMixin,
    SessionId,
    SessionRow,
    Store,
    UseridMixin,
    fresh_session_id,
)


def test_fresh_identifiers_differ_and_every_bit_of_them_is_random():
    ids = [fresh_session_id() for _ in range(500)]

    assert len(set(ids)) == 500
    # In 500 draws, a bit that is always 0 or always 1 is a fixed bit (by chance: 2**-491).
    assert reduce(or_, (each.int for each in ids)) == 2**128 - 1
    assert reduce(and_, (each.int for each in ids)) == 0


def test_the_quick_start_model_needs_a_table_name_and_nothing_else(base, engine):
    class WebSession(BaseMixin, base):
        __tablename__ = "session"

    base.metadata.create_all(engine)

    columns = inspect(engine).get_columns("session")
    assert {column["name"]: column["nullable"] for column in columns} == {
        "id": False,
        "created": False,
        "version": False,
        "epoch": False,
        "rotated_at": True,
        "data": False,
        "flash": False,
    }
    assert inspect(engine).get_indexes("session") == []


def test_a_row_made_as_an_object_starts_like_one_made_by_the_store(base, engine):
    class WebSession(BaseMixin, base):
        __tablename__ = "session"

    base.metadata.create_all(engine)
    before = int(time.time())
    with Session(engine) as db:
        made = WebSession()
        db.add(made)
        db.commit()
        row = Store.for_model(WebSession).load(db.connection(), made.id)

    assert isinstance(row.id, uuid.UUID)
    assert before <= row.created <= int(time.time())
    assert (row.version, row.epoch, row.data, row.flash) == (1, 0, "{}", "{}")


def test_foreign_keys_to_a_session_may_name_its_type_or_leave_it_out(base, engine):
    class WebSession(BaseMixin, base):
        __tablename__ = "session"
        notes = relationship("Note", back_populates="session", order_by="Note.text")

    class Note(base):
        __tablename__ = "note"
        id: Mapped[int] = mapped_column(primary_key=True)
        session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("session.id", ondelete="CASCADE"))
        origin: Mapped[uuid.UUID | None] = mapped_column(SessionId())
        text: Mapped[str] = mapped_column(String(40))
        session: Mapped[WebSession] = relationship(back_populates="notes")

    base.metadata.create_all(engine)
    with Session(engine) as db:
        owner = WebSession(notes=[Note(text="a"), Note(text="b")])
        db.add(owner)
        db.flush()
        owner.notes[0].origin = owner.id
        db.commit()
        found = db.get(WebSession, owner.id)

        assert [note.text for note in found.notes] == ["a", "b"]
        assert [note.origin for note in found.notes] == [owner.id, None]


def test_columns_can_be_renamed_and_other_columns_added(base, engine):
    class WebSession(BaseMixin, base):
        __tablename__ = "visits"
        id: Mapped[uuid.UUID] = mapped_column(
            "visit_id", SessionId(), primary_key=True, default=fresh_session_id
        )
        data: Mapped[dict] = mapped_column("payload", SESSION_JSON, default=dict, key="the_payload")
        theme: Mapped[str] = mapped_column(String(10), default="light")

    base.metadata.create_all(engine)
    store = Store.for_model(WebSession)
    session_id = fresh_session_id()
    with engine.begin() as connection:
        store.insert(connection, SessionRow(session_id, 5, 1, 1, '{"a":1}', "{}"))
        store.update(connection, session_id, version=1, data='{"a":2}')
        row = store.load(connection, session_id)
        stored = connection.exec_driver_sql("SELECT theme FROM visits WHERE payload IS NOT NULL").scalar()

    assert row.id == session_id
    assert row.data.replace(" ", "") == '{"a":2}'
    assert stored == "light"


IDLE = ["active_at", "expires_at"]
RENEWAL = ["generation", "attempt", "previous_attempt", "renewed_at", "tries", "tried_at"]


def model_with(base, *mixins, **attributes) -> type:
    return type("WebSession", (*mixins, BaseMixin, base), {"__tablename__": "session", **attributes})


@pytest.mark.parametrize(
    ("mixins", "own", "noted"),
    [
        ((UseridMixin,), ["userid"], None),
        ((CSRFMixin,), ["csrf_token"], None),
        ((AuthenticatedAtMixin,), ["authenticated_at"], None),
        ((ConfigCookieMixin,), ["cookie_max_age"], None),
        ((IdleMixin,), [], IDLE),
        ((AbsoluteMixin,), [], ["expires_at"]),
        ((RenewalMixin,), [], RENEWAL),
        ((IdleMixin, AbsoluteMixin, RenewalMixin), [], [*IDLE, *RENEWAL]),
        ((ConfigIdleMixin,), ["idle_timeout", "extension_delay"], IDLE),
        ((ConfigAbsoluteMixin,), ["absolute_timeout"], ["expires_at"]),
        ((ConfigRenewalMixin,), ["renewal_timeout"], RENEWAL),
        (
            (FullyFeaturedSession,),
            [
                "userid",
                "csrf_token",
                "authenticated_at",
                "idle_timeout",
                "extension_delay",
                "absolute_timeout",
                "renewal_timeout",
                "cookie_max_age",
            ],
            [*IDLE, *RENEWAL],
        ),
    ],
    ids=lambda given: "+".join(each.__name__ for each in given) if isinstance(given, tuple) else "",
)
def test_every_mixin_brings_its_nullable_columns(base, engine, mixins, own, noted):
    bases = mixins if FullyFeaturedSession in mixins else (*mixins, BaseMixin)
    model = type("WebSession", (*bases, base), {"__tablename__": "session"})
    base.metadata.create_all(engine)

    basic = ["id", "created", "version", "epoch", "rotated_at"]
    columns = inspect(engine).get_columns("session")
    assert [column["name"] for column in columns] == [*basic, *own, "data", "flash"]
    assert all(column["nullable"] for column in columns if column["name"] in own)
    if noted is None:
        assert inspect(engine).get_table_names() == ["session"]
    else:
        columns = inspect(engine).get_columns("session_activity")
        assert [column["name"] for column in columns] == ["id", *noted]
        assert [column["nullable"] for column in columns] == [False, *(True for _ in noted)]
    assert Store.for_model(model).features.columns.keys() >= set(own)


class TestTheCompanionTable:
    def test_its_key_and_its_deadline_are_indexed_and_it_refers_to_nothing(self, base, engine):
        model_with(base, IdleMixin)
        base.metadata.create_all(engine)

        look = inspect(engine)
        assert look.get_pk_constraint("session_activity")["constrained_columns"] == ["id"]
        assert [index["column_names"] for index in look.get_indexes("session_activity")] == [["expires_at"]]
        # A cascade or a key's lock would tie bookkeeping to the application's transaction.
        assert look.get_foreign_keys("session_activity") == []

    def test_it_is_there_as_soon_as_the_class_is(self):
        class Modern(DeclarativeBase):
            pass

        older, decorated = declarative_base(), registry()
        model_with(Modern, IdleMixin)
        model_with(older, IdleMixin)

        @decorated.mapped
        class WebSession(IdleMixin, BaseMixin):
            __tablename__ = "session"

        for metadata in (Modern.metadata, older.metadata, decorated.metadata):
            assert list(metadata.tables) == ["session", "session_activity"]

    def test_a_class_that_is_mapped_by_hand_has_it_too(self):
        by_hand = registry()
        table = Table("session", by_hand.metadata, Column("id", SessionId(), primary_key=True))

        class WebSession(IdleMixin):
            pass

        by_hand.map_imperatively(WebSession, table)

        assert "session_activity" in by_hand.metadata.tables

    def test_it_is_where_the_models_table_is(self):
        class Base(DeclarativeBase):
            metadata = MetaData(schema="web")

        model = model_with(Base, RenewalMixin, __table_args__={"info": {"bind_key": "sessions"}})
        companion = Store.for_model(model).features.companion

        assert companion.fullname == "web.session_activity"
        assert companion.info["bind_key"] == "sessions"

    def test_classes_that_share_a_table_share_it(self, base, engine):
        class WebSession(IdleMixin, BaseMixin, base):
            __tablename__ = "session"
            kind: Mapped[str] = mapped_column(String(10))
            __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "web"}

        class StaffSession(RenewalMixin, WebSession):
            __mapper_args__: ClassVar = {"polymorphic_identity": "staff"}

        base.metadata.create_all(engine)

        web, staff = Store.for_model(WebSession).features, Store.for_model(StaffSession).features
        assert web.companion is staff.companion
        assert list(web.activity) == IDLE
        assert list(staff.activity) == [*IDLE, *RENEWAL]

    def test_two_models_have_one_each(self, base):
        model_with(base, IdleMixin)
        type("Admin", (RenewalMixin, BaseMixin, base), {"__tablename__": "admin"})

        tables = base.metadata.tables
        assert [column.name for column in tables["session_activity"].columns] == ["id", *IDLE]
        assert [column.name for column in tables["admin_activity"].columns] == ["id", *RENEWAL]

    def test_a_key_that_is_renamed_in_the_model_is_not_in_the_companion(self, base, engine):
        model = model_with(base, IdleMixin, id=mapped_column("visit_id", SessionId(), primary_key=True))
        base.metadata.create_all(engine)

        assert "id" in Store.for_model(model).features.companion.columns
        assert [column["name"] for column in inspect(engine).get_columns("session_activity")] == ["id", *IDLE]
