"""Data that is encrypted in the database, for models with `EncryptedDataMixin`.

In the columns `data` and `flash` there is a JSON string then, whose characters are the encrypted text of
what would be there otherwise. It is bound to its place, the row's key and the column: copied to another row
it opens nothing. What it does not stop is somebody who can write to the database and puts an older value of
the same row and column back.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, cast, select
from websession_core.errors import EncryptedDataError

from websession_models.mixins import EncryptedDataMixin

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine
    from websession_core.ports import ValueCipher

    from websession_models.features import ModelFeatures
    from websession_models.store import SessionRow, Store

__all__ = ["EncryptionReport", "Envelope", "encrypt_all"]

_BATCH: Final = 200


class Envelope:
    """Encrypts and decrypts the texts of one model's rows.

    Args:
        features: what the model offers.
        cipher: encrypts values; None: rows can be counted and deleted, but their data not read.

    Raises:
        ValueError: there is a cipher for a model without `EncryptedDataMixin`.
    """

    __slots__ = ("_cipher", "_name")

    def __init__(self, features: ModelFeatures, cipher: ValueCipher | None) -> None:
        if cipher is not None and not features.offers(EncryptedDataMixin):
            raise ValueError(f"{features.name} has no EncryptedDataMixin, so there is nothing to encrypt")
        self._name = features.name
        self._cipher = cipher

    @property
    def cipher(self) -> ValueCipher:
        """The cipher.

        Raises:
            EncryptedDataError: there is none.
        """
        if self._cipher is None:
            raise EncryptedDataError(
                f"the data of {self._name} is encrypted: a Store needs a cipher to read and write it, "
                "Store(model, cipher=ValueCodec(keyring, purpose='session data')) with the keys of "
                "session.data_secret_key"
            )
        return self._cipher

    def closed(self, row: SessionRow) -> SessionRow:
        """Return a row as it is stored."""
        return dataclasses.replace(
            row, data=self.close(row.id, "data", row.data), flash=self.close(row.id, "flash", row.flash)
        )

    def opened(self, row: SessionRow) -> SessionRow:
        """Return a stored row as it is read.

        Raises:
            EncryptedDataError: no key opens what is in it, or it is not encrypted.
        """
        return dataclasses.replace(
            row, data=self.open(row.id, "data", row.data)[0], flash=self.open(row.id, "flash", row.flash)[0]
        )

    def close(self, session_id: uuid.UUID, column: str, text: str) -> str:
        """Return what is stored in a column of a row for a text."""
        # Needs no escapes: an encrypted text has letters, digits, hyphens and underscores.
        return f'"{self.cipher.encrypt(text.encode(), _place(session_id, column))}"'

    def open(self, session_id: uuid.UUID, column: str, stored: str) -> tuple[str, bool]:
        """Return the text of what is stored, and whether it would be stored with the same key now.

        Raises:
            EncryptedDataError: no key opens it, or it is not encrypted.
        """
        cipher = self.cipher
        if is_plain(stored):
            raise EncryptedDataError(
                f"a row of {self._name} is not encrypted: it is from the time before EncryptedDataMixin, or "
                "somebody wrote it by hand; 'pyramid-sessions encrypt' encrypts what is there"
            )
        try:
            opened = cipher.open(stored[1:-1], _place(session_id, column))
        except ValueError:
            # Not chained: the cause would tell no more.
            raise EncryptedDataError(
                f"the data of a row of {self._name} cannot be decrypted: no key of session.data_secret_key "
                "made it, or it was changed, or copied from another row"
            ) from None
        return opened.payload.decode(), opened.made_with_current_key


def is_plain(stored: str) -> bool:
    """Return whether a stored text is the JSON object itself, or anything else that is not encrypted."""
    return not stored.startswith('"')


def _place(session_id: uuid.UUID, column: str) -> bytes:
    # 16 bytes and the rest: two places are never spelled alike.
    return session_id.bytes + column.encode()


@dataclass(frozen=True, slots=True)
class EncryptionReport:
    """What `encrypt_all` did.

    Attributes:
        rows: how many rows there were.
        written: how many of them were encrypted, or encrypted anew with the first key.
        refused: how many no key opens; they were left alone.
    """

    rows: int
    written: int
    refused: int


def encrypt_all(
    engine: Engine,
    store: Store,
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> EncryptionReport:
    """Encrypt all rows of a model with the first key: those in plain text, and those of other keys.

    For a model that has just been given `EncryptedDataMixin`, and before an old key goes. Rows are written in
    short transactions at READ COMMITTED, and only if nobody else has written them meanwhile; their
    version stays, so that a request at work goes on, except where the engine's isolation level tells it to be
    tried again.

    Args:
        engine: where the sessions are.
        store: the model's store, with its cipher.
        dry_run: count only.
        progress: called after each batch with its number of rows.

    Raises:
        EncryptedDataError: the store has no cipher.
    """
    _ = store.envelope.cipher
    rows = written = refused = 0
    last: uuid.UUID | None = None
    while True:
        with _connected(engine) as connection:
            with connection.begin():
                batch = _after(connection, store, last)
            for session_id, version, data, flash in batch:
                try:
                    anew = _closed_anew(store.envelope, session_id, data=data, flash=flash)
                except EncryptedDataError:
                    refused += 1
                    continue
                if anew is None:
                    continue
                if dry_run:
                    written += 1
                    continue
                # Each by itself: with a lock on one row nobody can wait for us in a circle.
                with connection.begin():
                    written += store.rewrite(connection, session_id, version=version, **anew)
        rows += len(batch)
        if progress is not None:
            progress(len(batch))
        if len(batch) < _BATCH:
            return EncryptionReport(rows, written, refused)
        last = batch[-1][0]


def _connected(engine: Engine) -> Connection:
    connection = engine.connect()
    if engine.dialect.name == "sqlite":
        return connection
    return connection.execution_options(isolation_level="READ COMMITTED")


def _after(connection: Connection, store: Store, last: uuid.UUID | None) -> list[Any]:
    columns = store.features.columns
    texts = [cast(columns[name], Text()) for name in ("data", "flash")]
    statement = select(columns["id"], columns["version"], *texts).order_by(columns["id"]).limit(_BATCH)
    criterion = store.features.criterion()
    if criterion is not None:
        statement = statement.where(criterion)
    if last is not None:
        statement = statement.where(columns["id"] > last)
    return list(connection.execute(statement).all())


def _closed_anew(envelope: Envelope, session_id: uuid.UUID, **stored: str) -> dict[str, str] | None:
    """Return texts to store in the place of those that are stored; None: these are up to date."""
    texts, current = {}, True
    for column, text in stored.items():
        if is_plain(text):
            texts[column], current = text, False
        else:
            texts[column], is_current = envelope.open(session_id, column, text)
            current = current and is_current
    return None if current else texts
