"""Data that is encrypted in the database: readable through the store with its cipher, and by nobody else."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session as OrmSession
from websession_core.errors import EncryptedDataError
from websession_models import (
    BaseMixin,
    EncryptedDataMixin,
    SessionRow,
    Store,
    encrypt_all,
    fresh_session_id,
    is_conflict,
    prepare_sqlite_engine,
)

SECRET = "three apples"


@dataclass
class Opened:
    payload: bytes
    made_with_current_key: bool


class Cipher:
    """Hides and authenticates, as a test needs it; the real one is in `websession_crypto`."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def _tag(self, key: str, value: bytes, context: bytes) -> str:
        return hashlib.sha256(key.encode() + b"|" + value + b"|" + context).hexdigest()

    def encrypt(self, value: bytes, context: bytes) -> str:
        return value[::-1].hex() + self._tag(self.keys[0], value, context)

    def open(self, encrypted: str, context: bytes) -> Opened:
        value = bytes.fromhex(encrypted[:-64])[::-1]
        for index, key in enumerate(self.keys):
            if self._tag(key, value, context) == encrypted[-64:]:
                return Opened(value, index == 0)
        raise ValueError("refused")


@pytest.fixture
def model(base, engine):
    class Session(EncryptedDataMixin, BaseMixin, base):
        __tablename__ = "session"

    base.metadata.create_all(engine)
    return Session


@pytest.fixture
def store(model):
    return Store(model, cipher=Cipher("key"))


def row(**values):
    given = {"data": f'{{"cart":"{SECRET}","a":1}}', "flash": "{}", **values}
    return SessionRow(fresh_session_id(), created=1, version=1, epoch=0, **given)


@pytest.fixture
def stored(engine, store):
    new = row()
    with engine.begin() as connection:
        store.insert(connection, new)
    return new


def raw(engine, session_id, store):
    columns = store.features.columns
    with engine.connect() as connection:
        found = (
            connection.execute(store.features.table.select().where(columns["id"] == session_id))
            .mappings()
            .one()
        )
        return found["data"], found["flash"]


class TestRoundTrip:
    def test_what_is_inserted_and_updated_is_read(self, engine, store, stored):
        with engine.begin() as connection:
            assert store.load(connection, stored.id) == stored
            assert store.update(connection, stored.id, version=1, data='{"b":"ü"}')
            assert store.update(connection, stored.id, version=2, flash='{"":["hello"]}')
            found = store.load(connection, stored.id)
        assert (found.data, found.flash) == ('{"b":"ü"}', '{"":["hello"]}')

    def test_keys_come_back_in_the_order_they_were_written_in(self, engine, store, stored):
        with engine.begin() as connection:
            assert store.load(connection, stored.id).data == stored.data
            assert not store.reorders_keys(connection)

    def test_with_the_object_too(self, engine, model, store, stored):
        with OrmSession(engine) as dbsession:
            instance, found = store.load_with_instance(dbsession, stored.id)
            assert found == stored
            assert isinstance(instance.data, str)
            assert SECRET not in instance.data

    def test_the_database_holds_neither_data_nor_keys_of_it(self, engine, store, stored):
        data, flash = raw(engine, stored.id, store)
        assert isinstance(data, str)
        assert isinstance(flash, str)
        assert SECRET not in data
        assert "cart" not in data
        assert flash != "{}"

    def test_long_data(self, engine, store):
        new = row(data='{"a":"' + "x" * 200_000 + '"}')
        with engine.begin() as connection:
            store.insert(connection, new)
            assert store.load(connection, new.id) == new


class TestRefusal:
    def test_a_value_copied_from_another_row(self, engine, store, stored):
        other = row()
        columns, table = store.features.columns, store.features.table
        with engine.begin() as connection:
            store.insert(connection, other)
        data, _ = raw(engine, stored.id, store)
        with engine.begin() as connection:
            connection.execute(update(table).where(columns["id"] == other.id).values({columns["data"]: data}))
            with pytest.raises(EncryptedDataError, match="copied from another row"):
                store.load(connection, other.id)

    def test_a_value_copied_from_the_other_column(self, engine, store, stored):
        columns, table = store.features.columns, store.features.table
        data, _ = raw(engine, stored.id, store)
        with engine.begin() as connection:
            connection.execute(update(table).values({columns["flash"]: data}))
            with pytest.raises(EncryptedDataError):
                store.load(connection, stored.id)

    @pytest.mark.parametrize("planted", [{}, {"admin": True}, "", "text", [1], 7, None])
    def test_what_is_not_encrypted(self, engine, store, stored, planted):
        if planted is None:
            return_value = "null"
            statement = text("UPDATE session SET data = :data")
            if engine.dialect.name == "postgresql":
                statement = text("UPDATE session SET data = CAST(:data AS jsonb)")
            with engine.begin() as connection:
                connection.execute(statement, {"data": return_value})
        else:
            with engine.begin() as connection:
                connection.execute(
                    update(store.features.table).values({store.features.columns["data"]: planted})
                )
        with engine.connect() as connection, pytest.raises(EncryptedDataError) as caught:
            store.load(connection, stored.id)
        assert stored.id.hex not in str(caught.value).replace("-", "")

    def test_another_key(self, engine, model, stored):
        with engine.connect() as connection, pytest.raises(EncryptedDataError, match="data_secret_key"):
            Store(model, cipher=Cipher("another")).load(connection, stored.id)

    def test_reading_and_writing_without_a_key_say_what_is_missing_and_deleting_works(
        self, engine, model, stored
    ):
        keyless = Store.for_model(model)
        with engine.begin() as connection:
            for act in (
                lambda: keyless.load(connection, stored.id),
                lambda: keyless.insert(connection, row()),
                lambda: keyless.update(connection, stored.id, version=1, data="{}"),
            ):
                with pytest.raises(EncryptedDataError, match=r"Store\(model, cipher="):
                    act()
            assert keyless.update(connection, stored.id, version=1, epoch=1)
            assert keyless.delete(connection, stored.id)

    def test_a_cipher_for_a_model_that_encrypts_nothing(self, other_base):
        class Plain(BaseMixin, other_base):
            __tablename__ = "plain"

        with pytest.raises(ValueError, match="has no EncryptedDataMixin"):
            Store(Plain, cipher=Cipher("key"))


class TestEncryptingAll:
    @pytest.fixture
    def plain_model(self, other_base, engine):
        class Session(BaseMixin, other_base):
            __tablename__ = "session"

        return Session

    def test_plain_rows_are_encrypted_and_keep_their_contents_and_version(
        self, engine, model, plain_model, store
    ):
        rows = [row(data=f'{{"n":{number}}}') for number in range(450)]
        with engine.begin() as connection:
            for each in rows:
                Store.for_model(plain_model).insert(connection, each)
        seen = []
        refusing = encrypt_all(engine, store)
        assert (refusing.rows, refusing.written, refusing.refused, refusing.plain) == (450, 0, 0, 450)
        report = encrypt_all(engine, store, plaintext=True, progress=seen.append)
        assert (report.rows, report.written, report.refused, report.plain) == (450, 450, 0, 450)
        assert sum(seen) == 450
        with engine.connect() as connection:
            for each in rows:
                found = store.load(connection, each.id)
                assert replace(found, data=each.data.replace(" ", "")) == replace(each, data=each.data)
        again = encrypt_all(engine, store, plaintext=True)
        assert (again.written, again.plain) == (0, 0)

    @pytest.mark.parametrize("column", ["data", "flash"])
    def test_a_row_written_by_hand_is_not_made_good(self, engine, store, stored, column):
        table, columns = store.features.table, store.features.columns
        with engine.begin() as connection:
            connection.execute(update(table).values({columns[column]: {"role": ["admin"]}}))
        report = encrypt_all(engine, store)
        assert (report.rows, report.written, report.refused, report.plain) == (1, 0, 0, 1)
        with engine.connect() as connection, pytest.raises(EncryptedDataError, match="not encrypted"):
            store.load(connection, stored.id)

    def test_rows_of_an_old_key_get_the_first(self, engine, model, stored):
        rotated = Store(model, cipher=Cipher("new", "key"))
        assert encrypt_all(engine, rotated, dry_run=True).written == 1
        assert encrypt_all(engine, rotated).written == 1
        with engine.connect() as connection:
            assert Store(model, cipher=Cipher("new")).load(connection, stored.id) == stored

    def test_what_no_key_opens_is_counted_and_left_alone(self, engine, model, store, stored):
        before = raw(engine, stored.id, store)
        report = encrypt_all(engine, Store(model, cipher=Cipher("another")))
        assert (report.rows, report.written, report.refused) == (1, 0, 1)
        assert raw(engine, stored.id, store) == before

    def test_it_needs_a_cipher(self, engine, model):
        with pytest.raises(EncryptedDataError):
            encrypt_all(engine, Store.for_model(model))

    def test_a_row_that_is_written_meanwhile_is_left_to_its_writer(self, engine, model, stored):
        rotated = Store(model, cipher=Cipher("new", "key"))
        with engine.begin() as connection:
            assert rotated.update(connection, stored.id, version=1, data='{"newer":1}')
            assert not rotated.rewrite(connection, stored.id, version=1, data="{}", flash="{}")
            assert rotated.load(connection, stored.id).data == '{"newer":1}'

    def test_writers_at_the_same_time_lose_nothing(self, make_engine, model):
        engine = prepare_sqlite_engine(make_engine())
        old, rotated = Store(model, cipher=Cipher("key")), Store(model, cipher=Cipher("new", "key"))
        rows = [row(data='{"n":0}') for _ in range(20)]
        with engine.begin() as connection:
            for each in rows:
                old.insert(connection, each)
        barrier = threading.Barrier(2)

        def counted(identifier):
            try:
                with engine.begin() as connection:
                    found = rotated.load(connection, identifier)
                    data = json.dumps({"n": json.loads(found.data)["n"] + 1}, separators=(",", ":"))
                    # False: the row was encrypted between the two statements; a request is run again.
                    return rotated.update(connection, identifier, version=found.version, data=data)
            except DBAPIError as error:
                # Snapshot isolation, MariaDB's default from 11.6 on, tells a writer that somebody was first.
                if not is_conflict(error, engine.dialect.name):
                    raise
                return False

        def write():
            barrier.wait()
            for _ in range(10):
                for each in rows:
                    while not counted(each.id):
                        pass

        writer = threading.Thread(target=write)
        writer.start()
        barrier.wait()
        for _ in range(5):
            encrypt_all(engine, rotated)
        writer.join()
        encrypt_all(engine, rotated)  # those that the writer was faster with, each time
        with engine.connect() as connection:
            assert {Store(model, cipher=Cipher("new")).load(connection, each.id).data for each in rows} == {
                '{"n":10}'
            }
