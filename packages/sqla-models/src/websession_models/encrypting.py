"""Encrypting the rows of a model that has been given `EncryptedDataMixin`, and those of old keys again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, cast, select
from websession_core.errors import EncryptedDataError

from .envelope import is_plain
from .own_transactions import in_turn, reading, short_transaction

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from sqlalchemy import Engine

    from .envelope import Envelope
    from .store import Store

__all__ = ["EncryptionReport", "encrypt_all"]

_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class EncryptionReport:
    """What `encrypt_all` did.

    Attributes:
        rows: The number of rows.
        written: How many of them were encrypted, or encrypted again with the first key.
        refused: How many cannot be decrypted with any key; they were left alone.
        plain: How many were not encrypted; left alone, too, unless they were to be encrypted.
    """

    rows: int
    written: int
    refused: int
    plain: int = 0


def encrypt_all(
    engine: Engine,
    store: Store,
    *,
    plaintext: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> EncryptionReport:
    """Encrypt all rows of a model with the first key: those with other keys and, if asked, plain ones.

    Call it before removing an old key and, with `plaintext`, for a model that has just got
    `EncryptedDataMixin`. Rows are written in short transactions at READ COMMITTED, and only if they have not
    been written in the meantime; their version is not changed, so that running requests are not disturbed,
    except where the engine's isolation level requires a retry.

    Args:
        engine: Where the sessions are.
        store: The model's store, with its cipher.
        plaintext: Encrypt unencrypted rows, too. In an encrypted table, such a row was written by something
            else, and encrypting it would make it valid.
        dry_run: Only count.
        progress: Called after each batch with its number of rows.

    Raises:
        EncryptedDataError: The store has no cipher.
        sqlalchemy.exc.SQLAlchemyError: The database cannot be reached, or somebody keeps a row locked.
    """
    _ = store.envelope.cipher
    rows = written = refused = plain = 0
    last: uuid.UUID | None = None
    while True:
        batch = in_turn(engine, partial(_read, engine, store, last))
        for session_id, version, data, flash in batch:
            if is_plain(data) or is_plain(flash):
                plain += 1
                if not plaintext:
                    continue
            try:
                texts = _to_store(store.envelope, session_id, data=data, flash=flash)
            except EncryptedDataError:
                refused += 1
                continue
            if texts is not None and (dry_run or _write(engine, store, session_id, version, texts)):
                written += 1
        rows += len(batch)
        if progress is not None:
            progress(len(batch))
        if len(batch) < _BATCH:
            return EncryptionReport(rows, written, refused, plain)
        last = batch[-1][0]


def _read(engine: Engine, store: Store, last: uuid.UUID | None) -> list[Any]:
    columns = store.features.columns
    texts = [cast(columns[name], Text()) for name in ("data", "flash")]
    statement = (
        select(columns["id"], columns["version"], *texts)
        .where(store.features.criterion())
        .order_by(columns["id"])
        .limit(_BATCH)
    )
    if last is not None:
        statement = statement.where(columns["id"] > last)
    with reading(engine) as connection:
        return list(connection.execute(statement).all())


def _write(engine: Engine, store: Store, session_id: uuid.UUID, version: int, texts: dict[str, str]) -> bool:
    def rewrite() -> bool:
        # One row in a transaction: with a lock on one row nobody can wait for us in a circle.
        with short_transaction(engine, insists=True) as connection:
            return store.rewrite(connection, session_id, version=version, **texts)

    return in_turn(engine, rewrite)


def _to_store(envelope: Envelope, session_id: uuid.UUID, **columns: str) -> dict[str, str] | None:
    """Return texts to store in the place of those that are stored; None: these are up to date."""
    texts, current = {}, True
    for column, text in columns.items():
        if is_plain(text):
            texts[column], current = text, False
        else:
            texts[column], is_current = envelope.open(session_id, column, text)
            current = current and is_current
    return None if current else texts
