"""Whatever a session can hold comes back the same from every engine, encrypted or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from documents import DOCUMENTS, VALUES, exact
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inserting import insert_session
from websession_core import FlashQueues, Payload
from websession_crypto import Keyring, ValueCodec, generate_secret_key
from websession_models import BaseMixin, EncryptedDataMixin, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import DeclarativeBase

# One database for all documents; what a document leaves there is rolled back with the test.
ONE_DATABASE = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Shelf:
    """A table of sessions, in a transaction that is never committed."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self.store = store
        self.connection = connection
        self.reorder = store.reorders_keys(connection)

    def there_and_back(self, document: dict[str, Any], messages: list[Any]) -> None:
        """Store a session, change it, and compare what comes back with what was stored."""
        payload, flash = Payload(), FlashQueues()
        payload.update(document)
        for message in messages:
            flash.push(message)
        flash.push("in another", "$notation")
        session_id = insert_session(
            self.store, self.connection, data=payload.serialize(), flash=flash.serialize()
        )
        self.compare(session_id, document, messages)
        payload["one more"] = messages
        assert self.store.update(self.connection, session_id, version=1, data=payload.serialize())
        self.compare(session_id, {**document, "one more": messages}, messages)
        del payload["one more"]
        self.store.delete(self.connection, session_id)

    def compare(self, session_id: Any, document: dict[str, Any], messages: list[Any]) -> None:
        row = self.store.load(self.connection, session_id)
        assert row is not None
        back = Payload(row.data, reorder=self.reorder)
        assert exact({key: back[key] for key in back}) == exact(document)
        assert exact(back.copy()) == exact(document)
        assert list(back) == sorted(document)
        assert not back.is_changed
        for key, value in document.items():
            back[key] = value
        assert not back.is_changed
        flash = FlashQueues(row.flash, reorder=self.reorder)
        assert exact(flash.peek()) == exact(messages)
        assert flash.pop("$notation") == ["in another"]


@pytest.fixture
def shelves(make_engine: Callable[..., Engine], base: type[DeclarativeBase]) -> Iterator[list[Shelf]]:
    """Two tables of sessions, the second one encrypted."""

    class Plain(BaseMixin, base):  # type: ignore[valid-type, misc]
        __tablename__ = "plain"

    class Sealed(EncryptedDataMixin, BaseMixin, base):  # type: ignore[valid-type, misc]
        __tablename__ = "sealed"

    cipher = ValueCodec(Keyring.from_text(generate_secret_key()), purpose="session data")
    engine = make_engine()
    base.metadata.create_all(engine)
    with engine.connect() as connection:
        yield [Shelf(store, connection) for store in (Store(Plain), Store(Sealed, cipher=cipher))]


MESSAGES = st.lists(VALUES, max_size=2)


@settings(ONE_DATABASE, max_examples=150)
@given(document=DOCUMENTS, messages=MESSAGES)
def test_any_document_comes_back_the_same(
    shelves: list[Shelf], document: dict[str, Any], messages: list[Any]
) -> None:
    for shelf in shelves:
        shelf.there_and_back(document, messages)


@pytest.mark.slow
@pytest.mark.parametrize("tenth", range(10))
@settings(ONE_DATABASE, max_examples=1000)
@given(sessions=st.lists(st.tuples(DOCUMENTS, MESSAGES), min_size=10, max_size=10))
def test_any_of_100_000_documents_comes_back_the_same(
    shelves: list[Shelf], tenth: int, sessions: list[tuple[dict[str, Any], list[Any]]]
) -> None:
    # In parts, since Hypothesis remembers all that it has drawn for a test; and ten at a time, since to draw
    # documents takes longer than to store them.
    for document, messages in sessions:
        for shelf in shelves:
            shelf.there_and_back(document, messages)
