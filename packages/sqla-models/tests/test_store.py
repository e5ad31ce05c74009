"""Rows in, values out, on every engine."""

import gc
import json
import sqlite3
import threading
import weakref
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import ClassVar

import pytest
from inserting import insert_session
from sqlalchemy import JSON, DateTime, ForeignKey, Integer, String, create_engine, event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship
from sqlalchemy.schema import CreateTable
from websession_core.errors import UnreadableRowError
from websession_core.policies import Overrides
from websession_core.state import Activity, SessionState
from websession_models import (
    AbsoluteMixin,
    BaseMixin,
    FullyFeaturedSession,
    SessionRow,
    Store,
    UseridMixin,
    fresh_session_id,
)

BEGUN = 2**33  # after 2038

NASTY = {
    "text": "ä \u00df \u20ac 漢字 \U0001f9c0 \u202e \u2028 \ufeff \uffff",
    "quotes": "' '' \" \\ \\\\ %s %(x)s :name ? $1 {} {{}} -- /* */ ;",
    "controls": "\x01\x08\t\n\r\x1a\x1f\x7f\x85",
    "": {"": [""]},
    "Schlüssel \U0001f511": None,
    "numbers": [
        0,
        -1,
        2**31,
        2**53 + 1,
        2**64 - 1,
        -(2**63),
        0.1,
        -2.5,
        1e-7,
        1.0,
        123456789.125,
    ],
    "words": [True, False, None],
    "deep": json.loads("[" * 20 + "1" + "]" * 20),
    "wide": list(range(2000)),
    "long": "x" * 100_000,
    "k" * (2**16 - 1): "the longest key",
    "looks like json": '{"a": [1, 2]}',
}


@pytest.fixture
def model(base):
    class WebSession(BaseMixin, base):
        __tablename__ = "session"

    return WebSession


def compact(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def test_an_inserted_row_is_read_back_at_version_one(store, engine):
    with engine.begin() as connection:
        session_id = insert_session(
            store, connection, data='{"cart": [1, 2]}', flash='{"": ["saved"]}', epoch=3
        )
    with engine.connect() as connection:
        row = store.load(connection, session_id)

    assert row == SessionRow(
        id=session_id,
        created=900,
        version=1,
        epoch=3,
        data='{"cart": [1, 2]}',
        flash='{"": ["saved"]}',
    )


def test_an_unknown_key_loads_nothing(store, engine):
    with engine.begin() as connection:
        insert_session(store, connection)
        assert store.load(connection, fresh_session_id()) is None


@pytest.mark.parametrize(
    "given",
    [
        {"data": '{"a": 1}'},
        {"flash": '{"": ["x"]}'},
        {"epoch": 7},
        {"data": '{"a": 1}', "flash": '{"": ["x"]}'},
        {"data": '{"a": 1}', "flash": '{"": ["x"]}', "epoch": 7},
        {},
    ],
    ids="+".join,
)
def test_an_update_writes_what_is_given_and_counts_the_version(store, engine, given):
    with engine.begin() as connection:
        session_id = insert_session(store, connection)
        written = store.update(connection, session_id, version=1, **given)
        row = store.load(connection, session_id)

    expected = {"data": "{}", "flash": "{}", "epoch": 0, **given}
    assert written
    assert row.version == 2
    assert {name: getattr(row, name) for name in expected} == expected


class TestFeatures:
    """What the mixins add to a row."""

    ACTIVITY = Activity(
        active_at=2**33,
        expires_at=2**33 + 600,
        generation=2**40,
        attempt=2**63 - 1,
        previous_attempt=1,
        renewed_at=2**33 - 5,
        tries=3,
        tried_at=2**33 - 1,
    )
    OVERRIDES = Overrides(
        idle_timeout=600,
        extension_delay=0,
        absolute_timeout=2**31 - 1,
        renewal_timeout=300,
        cookie_max_age=86_400,
    )

    @pytest.fixture
    def model(self, base):
        class WebSession(FullyFeaturedSession, base):
            __tablename__ = "session"

        return WebSession

    def full_row(self) -> SessionRow:
        return SessionRow(
            id=fresh_session_id(),
            created=BEGUN,
            version=1,
            epoch=3,
            data='{"a": 1}',
            flash="{}",
            rotated_at=BEGUN + 1,
            userid=7,
            csrf_token="0123456789abcdef" * 4,
            authenticated_at=BEGUN + 2,
            overrides=self.OVERRIDES,
            activity=self.ACTIVITY,
            knows_users=True,
        )

    def test_a_row_is_read_back_with_all_of_them(self, store, engine):
        row = self.full_row()
        with engine.begin() as connection:
            store.insert(connection, row)
        with engine.connect() as connection:
            assert store.load(connection, row.id) == row

    def test_a_row_says_what_the_rules_want_to_know(self):
        row = self.full_row()

        assert row.state == SessionState(
            created=BEGUN,
            epoch=3,
            rotated_at=BEGUN + 1,
            owned=True,
            activity=self.ACTIVITY,
            overrides=self.OVERRIDES,
        )
        assert replace(row, userid=None).state.owned is False
        assert replace(row, userid=None, knows_users=False).state.owned is None

    def test_a_row_of_which_nothing_was_noted_down_has_no_activity(self, store, engine):
        row = replace(self.full_row(), activity=None)
        with engine.begin() as connection:
            store.insert(connection, row)
            assert store.load(connection, row.id) == row

    def test_reading_takes_one_statement_and_inserting_two_except_on_postgresql(
        self, store, engine, statements
    ):
        row = self.full_row()
        with engine.begin() as connection:
            store.insert(connection, row)
            store.load(connection, row.id)

        inserts = ["WITH"] if engine.dialect.name == "postgresql" else ["INSERT", "INSERT"]
        assert [statement.split()[0] for statement in statements] == [*inserts, "SELECT"]

    def test_an_insert_names_no_column_that_is_null_by_itself(self, store, engine, statements):
        row = replace(self.full_row(), userid=None, csrf_token=None, overrides=Overrides(absolute_timeout=5))
        with engine.begin() as connection:
            store.insert(connection, row)

        assert not [name for name in ("userid", "csrf_token", "idle_timeout") if name in statements[0]]
        assert "absolute_timeout" in statements[0]
        with engine.begin() as connection:
            assert store.load(connection, row.id) == row

    def test_an_insert_and_its_companion_are_rolled_back_together(self, store, engine):
        row = self.full_row()
        with engine.connect() as connection:
            store.insert(connection, row)
            connection.rollback()
            assert connection.execute(select(store.features.companion)).all() == []

    @pytest.mark.parametrize(
        "change",
        [
            {"epoch": 4, "rotated_at": BEGUN + 9, "userid": 8},
            {"userid": None, "authenticated_at": None, "csrf_token": None, "rotated_at": None},
            {"csrf_token": "x" * 64},
            {"authenticated_at": 2**40},
        ],
        ids="+".join,
    )
    def test_an_update_writes_what_is_given_and_none_is_a_value(self, store, engine, change):
        row = self.full_row()
        with engine.begin() as connection:
            store.insert(connection, row)
            assert store.update(connection, row.id, version=1, **change)

            assert store.load(connection, row.id) == replace(row, version=2, **change)

    @pytest.mark.parametrize(
        "change",
        [
            {"idle_timeout": None, "extension_delay": None},
            {"absolute_timeout": 0, "renewal_timeout": None, "cookie_max_age": 0},
        ],
        ids="+".join,
    )
    def test_an_update_writes_the_sessions_own_timeouts(self, store, engine, change):
        row = self.full_row()
        with engine.begin() as connection:
            store.insert(connection, row)
            assert store.update(connection, row.id, version=1, data='{"b": 2}', **change)

            found = store.load(connection, row.id)
        assert found == replace(row, version=2, data='{"b": 2}', overrides=replace(self.OVERRIDES, **change))

    def test_deleting_leaves_what_was_noted_down_to_bookkeeping(self, store, engine):
        row = self.full_row()
        companion = store.features.companion
        with engine.begin() as connection:
            store.insert(connection, row)
            assert store.delete(connection, row.id)

            assert store.load(connection, row.id) is None
            assert connection.scalars(select(companion.c.id)).all() == [row.id]

    def test_numbers_that_cannot_be_are_read_as_none(self, store, engine):
        row = self.full_row()
        companion = store.features.companion
        with engine.begin() as connection:
            store.insert(connection, row)
            connection.execute(companion.update().values(active_at=-1, tries=-(2**31)))
            connection.execute(store.features.table.update().values(idle_timeout=-5))

            found = store.load(connection, row.id)
        assert found.activity == replace(self.ACTIVITY, active_at=None, tries=None)
        assert found.overrides == replace(self.OVERRIDES, idle_timeout=None)

    @pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("name", ["created", "version", "epoch"])
    def test_a_row_without_one_of_its_numbers_cannot_be_read(self, store, engine, name):
        table, row = store.features.table, self.full_row()
        made = str(CreateTable(table).compile(engine)).replace(" NOT NULL", "")
        with engine.begin() as connection:
            table.drop(connection)
            connection.exec_driver_sql(made)
            store.insert(connection, row)
            connection.execute(table.update().values({table.c[name]: None}))
            with pytest.raises(UnreadableRowError, match="one of its columns is NULL"):
                store.load(connection, row.id)

    def test_a_value_without_a_column_is_refused_and_not_forgotten(self, base, engine):
        class PlainSession(BaseMixin, base):
            __tablename__ = "plain"

        base.metadata.create_all(engine)
        plain = Store.for_model(PlainSession)
        row = SessionRow(fresh_session_id(), 1, 1, 0, "{}", "{}")
        with engine.begin() as connection:
            for given in ({"userid": 7}, {"overrides": Overrides(idle_timeout=5)}):
                with pytest.raises(ValueError, match=r"has no column for '(userid|idle_timeout)'"):
                    plain.insert(connection, replace(row, **given))
            plain.insert(connection, replace(row, overrides=Overrides(), activity=Activity(tries=1)))
            with pytest.raises(ValueError, match="has no column for 'userid', 'nonsense'"):
                plain.update(connection, row.id, version=1, userid=None, nonsense=1)

            assert plain.load(connection, row.id) == row

    def test_models_with_some_of_them_read_those(self, base, engine):
        class SomeSession(UseridMixin, AbsoluteMixin, BaseMixin, base):
            __tablename__ = "some_session"

        base.metadata.create_all(engine)
        some = Store.for_model(SomeSession)
        row = SessionRow(
            fresh_session_id(), 1, 1, 0, "{}", "{}", userid=7, activity=self.ACTIVITY, knows_users=True
        )
        with engine.begin() as connection:
            some.insert(connection, row)

            found = some.load(connection, row.id)
        assert found == replace(row, activity=Activity(expires_at=self.ACTIVITY.expires_at))


def test_an_update_leaves_other_sessions_alone(store, engine):
    with engine.begin() as connection:
        first, second = insert_session(store, connection), insert_session(store, connection)
        store.update(connection, first, version=1, data='{"a": 1}')
        row = store.load(connection, second)

    assert (row.version, row.data) == (1, "{}")


def test_an_update_of_another_version_or_of_no_row_writes_nothing(store, engine):
    with engine.begin() as connection:
        session_id = insert_session(store, connection)
        assert not store.update(connection, session_id, version=2, data='{"a": 1}')
        assert not store.update(connection, fresh_session_id(), version=1, data='{"a": 1}')
        row = store.load(connection, session_id)

    assert (row.version, row.data) == (1, "{}")


def test_deleting_says_whether_there_was_a_row(store, engine):
    with engine.begin() as connection:
        session_id, other = insert_session(store, connection), insert_session(store, connection)
        assert store.delete(connection, session_id)
        assert not store.delete(connection, session_id)
        assert store.load(connection, session_id) is None
        assert store.load(connection, other) is not None


def test_a_rollback_undoes_everything(store, engine):
    with engine.begin() as connection:
        session_id = insert_session(store, connection)
    with engine.connect() as connection:
        new = insert_session(store, connection)
        store.update(connection, session_id, version=1, data='{"a": 1}')
        connection.rollback()
        assert store.load(connection, new) is None
        assert store.load(connection, session_id).version == 1


@pytest.mark.parametrize("ascii_only", [True, False])
def test_every_legal_document_means_the_same_on_every_engine(store, engine, ascii_only):
    text = json.dumps(NASTY, ensure_ascii=ascii_only)
    with engine.begin() as connection:
        session_id = insert_session(store, connection, data=text, flash=text)
        inserted = store.load(connection, session_id)
        store.update(connection, session_id, version=1, data="{}", flash="{}")
        store.update(connection, session_id, version=2, data=text, flash=text)
        updated = store.load(connection, session_id)

    for read in (inserted.data, inserted.flash, updated.data, updated.flash):
        # Serialized forms, because 1 == 1.0 == True.
        assert compact(read) == compact(text)


def test_the_text_comes_back_as_it_was_but_for_the_order_where_keys_are_reordered(store, engine):
    text = '{"b": 1, "aa": 2, "a": {"d": 1, "c": 2}}'
    with engine.begin() as connection:
        row = store.load(connection, insert_session(store, connection, data=text))
        reordered = store.reorders_keys(connection)

    assert reordered == (engine.dialect.name in {"postgresql", "mysql"})
    assert row.data == ('{"a": {"c": 2, "d": 1}, "b": 1, "aa": 2}' if reordered else text)


def test_an_overridden_json_column_keeps_the_text_but_on_mysql_which_has_no_json_of_text(base, engine):
    class WebSession(BaseMixin, base):
        __tablename__ = "session"
        data: Mapped[dict] = mapped_column("payload", JSON, default=dict)
        flash: Mapped[dict] = mapped_column(JSON, default=dict)

    base.metadata.create_all(engine)
    store = Store.for_model(WebSession)
    text = '{"b":1,"a":1e16}'
    with engine.begin() as connection:
        session_id = insert_session(store, connection)
        store.update(connection, session_id, version=1, data=text)
        row = store.load(connection, session_id)
        reordered = store.reorders_keys(connection)

    assert reordered == (engine.dialect.name == "mysql")
    assert row.data == ('{"a": 1e16, "b": 1}' if reordered else text)


def test_the_engines_own_json_functions_are_never_asked(store, make_engine):
    def refuse(value: object) -> str:
        raise AssertionError("the engine's serializer saw a session")

    engine = make_engine(json_serializer=refuse, json_deserializer=partial(json.loads, parse_float=Decimal))
    with engine.begin() as connection:
        session_id = insert_session(store, connection, data='{"price": 0.1}')
        store.update(connection, session_id, version=1, flash='{"": [0.1]}')
        row = store.load(connection, session_id)

    assert (row.data, row.flash) == ('{"price": 0.1}', '{"": [0.1]}')


@pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
def test_a_converter_registered_with_the_sqlite_driver_is_never_asked(store, make_engine):
    sqlite3.register_converter("JSON", json.loads)
    try:
        engine = make_engine(connect_args={"detect_types": sqlite3.PARSE_DECLTYPES})
        with engine.begin() as connection:
            row = store.load(connection, insert_session(store, connection, data='{"a": 1}'))
    finally:
        sqlite3.converters.pop("JSON")

    assert row.data == '{"a": 1}'


def test_every_method_runs_one_statement_which_is_compiled_once(store, engine, statements, monkeypatch):
    def use(connection) -> None:
        session_id = insert_session(store, connection)
        store.load(connection, session_id)
        store.update(connection, session_id, version=1, data="{}")
        store.update(connection, session_id, version=2, flash="{}", epoch=1)
        store.delete(connection, session_id)

    with engine.begin() as connection:
        use(connection)
        assert [statement.split()[0] for statement in statements] == [
            "INSERT", "SELECT", "UPDATE", "UPDATE", "DELETE",
        ]  # fmt: skip
        monkeypatch.setattr(engine.dialect, "statement_compiler", None)
        use(connection)
        assert statements[5:] == statements[:5]


def test_nothing_is_kept_of_an_engine_that_has_gone(model):
    store = Store.for_model(model)
    engine = create_engine("sqlite://")
    model.metadata.create_all(engine)
    with engine.begin() as connection:
        insert_session(store, connection)
    dialect = weakref.ref(engine.dialect)
    engine.dispose()
    del engine, connection
    gc.collect()

    assert dialect() is None


@pytest.mark.parametrize("name", ["before_execute", "after_execute"])
def test_those_who_listen_to_statements_hear_of_inserts_and_updates(store, engine, name):
    heard: list[str] = []

    def use(connection) -> None:
        store.update(connection, insert_session(store, connection), version=1, data="{}")

    with engine.begin() as connection:
        use(connection)
    event.listen(engine, name, lambda _connection, statement, *_: heard.append(statement.__visit_name__))
    with engine.begin() as connection:
        use(connection)

    assert heard == ["insert", "update"]


def test_of_two_writers_that_read_the_same_version_the_second_is_told(store, engine):
    with engine.begin() as connection:
        session_id = insert_session(store, connection)
    options = {} if engine.dialect.name == "sqlite" else {"isolation_level": "READ COMMITTED"}
    reader = engine.execution_options(**options)
    with reader.connect() as first, reader.connect() as second:
        read_by_first = store.load(first, session_id).version
        read_by_second = store.load(second, session_id).version
        assert store.update(first, session_id, version=read_by_first, data='{"by": "first"}')
        first.commit()
        assert not store.update(second, session_id, version=read_by_second, data='{"by": "second"}')
        second.rollback()

        assert store.load(first, session_id).data == '{"by": "first"}'


@pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True)
def test_a_writer_that_waited_for_anothers_commit_is_told_that_it_lost(store, engine):
    with engine.begin() as connection:
        session_id = insert_session(store, connection)
    reader = engine.execution_options(isolation_level="READ COMMITTED")
    outcome: list[bool] = []
    about_to_write = threading.Event()

    def write_second() -> None:
        with reader.begin() as connection:
            version = store.load(connection, session_id).version
            about_to_write.set()
            outcome.append(store.update(connection, session_id, version=version, data='{"by": "second"}'))

    with reader.begin() as first:
        assert store.update(first, session_id, version=1, data='{"by": "first"}')
        second = threading.Thread(target=write_second)
        second.start()
        assert about_to_write.wait(60)
    second.join(60)

    assert outcome == [False]


def test_the_models_own_columns_take_their_defaults(base, engine):
    stamps = iter([datetime(2026, 1, 1), datetime(2026, 1, 2)])

    class WebSession(BaseMixin, base):
        __tablename__ = "session"
        theme: Mapped[str] = mapped_column(String(10), default=lambda: "light")
        language: Mapped[str] = mapped_column(String(10), server_default="en")
        written: Mapped[datetime] = mapped_column(
            DateTime, default=lambda: next(stamps), onupdate=lambda: next(stamps)
        )

    base.metadata.create_all(engine)
    store = Store.for_model(WebSession)
    with engine.begin() as connection:
        session_id = insert_session(store, connection)
        inserted = connection.execute(select(WebSession.theme, WebSession.language, WebSession.written)).one()
        store.update(connection, session_id, version=1, data="{}")
        written = connection.scalar(select(WebSession.written))

    assert inserted == ("light", "en", datetime(2026, 1, 1))
    assert written == datetime(2026, 1, 2)


def test_the_application_writes_its_own_columns_as_an_object_in_the_same_transaction(base, engine):
    class User(base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(20))

    class WebSession(BaseMixin, base):
        __tablename__ = "session"
        user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
        user: Mapped[User | None] = relationship()

    base.metadata.create_all(engine)
    store = Store.for_model(WebSession)
    with Session(engine) as db:
        session_id = insert_session(store, db.connection())
        row = store.load(db.connection(), session_id)
        db.get(WebSession, session_id).user = User(name="Ada")
        db.flush()
        assert store.update(db.connection(), session_id, version=row.version, data='{"a": 1}')
        db.commit()

        found = db.scalars(select(WebSession).options(joinedload(WebSession.user))).one()
        assert (found.user.name, found.data, found.version) == ("Ada", {"a": 1}, 2)


class TestSingleTableInheritance:
    @pytest.fixture
    def models(self, base, engine):
        class WebSession(BaseMixin, base):
            __tablename__ = "session"
            kind: Mapped[str] = mapped_column(String(10))
            __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "web"}

        class ApiSession(WebSession):
            __mapper_args__: ClassVar = {"polymorphic_identity": "api"}

        class RobotSession(ApiSession):
            __mapper_args__: ClassVar = {"polymorphic_identity": "robot"}

        base.metadata.create_all(engine)
        return WebSession, ApiSession, RobotSession

    def test_a_new_row_is_an_object_of_the_models_class(self, models, engine):
        for model in models:
            with Session(engine) as db:
                session_id = insert_session(Store.for_model(model), db.connection())
                assert type(db.get(models[0], session_id)) is model

    def test_rows_of_other_classes_are_not_the_models(self, models, engine):
        web, api, robot = models
        with engine.begin() as connection:
            session_id = insert_session(Store.for_model(web), connection)
            for stranger in (api, robot):
                store = Store.for_model(stranger)
                assert store.load(connection, session_id) is None
                assert not store.update(connection, session_id, version=1, epoch=1)
                assert not store.delete(connection, session_id)
            assert Store.for_model(web).load(connection, session_id).version == 1

    def test_rows_of_subclasses_are_the_models_too(self, models, engine):
        web, api, robot = models
        with engine.begin() as connection:
            session_id = insert_session(Store.for_model(robot), connection)
            for each in (web, api, robot):
                assert Store.for_model(each).load(connection, session_id) is not None


def test_sessions_of_two_models_do_not_mix(base, engine):
    class WebSession(BaseMixin, base):
        __tablename__ = "session"

    class AdminSession(BaseMixin, base):
        __tablename__ = "admin_session"
        version: Mapped[int] = mapped_column("revision", Integer)

    base.metadata.create_all(engine)
    web, admin = Store.for_model(WebSession), Store.for_model(AdminSession)
    with engine.begin() as connection:
        session_id = insert_session(web, connection)
        admin.insert(connection, SessionRow(session_id, 1, 1, 0, '{"a": 1}', "{}"))
        web.update(connection, session_id, version=1, data='{"web": true}')

        assert admin.load(connection, session_id).data == '{"a": 1}'
        assert web.load(connection, session_id).data == '{"web": true}'


def test_a_rows_repr_shows_neither_the_data_nor_the_whole_identifier(store, engine):
    with engine.begin() as connection:
        session_id = insert_session(store, connection, data='{"pin": "sesame"}', flash='{"": ["hush"]}')
        row = store.load(connection, session_id)

    for shown in (repr(row), str(row), f"{row}"):
        assert "sesame" not in shown
        assert "hush" not in shown
        assert str(session_id) not in shown
        assert session_id.hex not in shown
        assert session_id.hex[:8] in shown


def test_a_databases_error_does_not_show_the_data(store, engine):
    with engine.begin() as connection:
        session_id = insert_session(store, connection)
    with engine.connect() as connection, pytest.raises(IntegrityError) as caught:
        store.insert(connection, SessionRow(session_id, 1, 1, 0, '{"pin": "sesame"}', "{}"))

    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    "default", [{"default": 7}, {"server_default": "7"}], ids=["default", "server_default"]
)
def test_a_default_of_the_applications_does_not_take_the_place_of_null(base, engine, default):
    class WebSession(UseridMixin, BaseMixin, base):
        __tablename__ = "session"
        userid: Mapped[int | None] = mapped_column(Integer, **default)

    base.metadata.create_all(engine)
    store = Store(WebSession)
    session_id = insert_session(store, engine, userid=None)

    with engine.connect() as connection:
        assert store.load(connection, session_id).userid is None
