"""The columns, as the application's own classes get them."""

import time
import uuid
from functools import reduce
from operator import and_, or_

from sqlalchemy import ForeignKey, String, inspect
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship
from websession_models import SESSION_JSON, BaseMixin, SessionId, SessionRow, Store, fresh_session_id


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
