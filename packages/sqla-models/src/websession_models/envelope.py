"""Data that is encrypted in the database, for models with `EncryptedDataMixin`.

In the columns `data` and `flash` there is a JSON string then, whose characters are the encrypted text of
what would be there otherwise. It is bound to its place, the row's key and the column: copied to another row
it opens nothing. What it does not stop is somebody who can write to the database and puts an older value of
the same row and column back.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from websession_core.errors import EncryptedDataError

from .mixins import EncryptedDataMixin

if TYPE_CHECKING:
    import uuid

    from websession_core.ports import ValueCipher

    from .features import ModelFeatures
    from .rows import SessionRow

__all__ = ["Envelope", "is_plain"]


class Envelope:
    """Encrypts and decrypts the texts of one model's rows.

    Without a cipher rows can be counted and deleted, but their data not read.

    Raises:
        ValueError: There is a cipher for a model without `EncryptedDataMixin`.
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
            EncryptedDataError: There is none.
        """
        if self._cipher is None:
            raise EncryptedDataError(
                f"the data of {self._name} is encrypted: a Store needs a cipher to read and write it, "
                "Store(model, cipher=ValueCodec(keyring, purpose='session data')) with the keys of "
                "session.data_secret_key"
            )
        return self._cipher

    def close_row(self, row: SessionRow) -> SessionRow:
        """Return a row as it is stored."""
        return dataclasses.replace(
            row, data=self.close(row.id, "data", row.data), flash=self.close(row.id, "flash", row.flash)
        )

    def open_row(self, row: SessionRow) -> SessionRow:
        """Return a stored row as it is read.

        Raises:
            EncryptedDataError: No key opens what is in it, or it is not encrypted.
        """
        return dataclasses.replace(
            row, data=self.open(row.id, "data", row.data)[0], flash=self.open(row.id, "flash", row.flash)[0]
        )

    def close(self, session_id: uuid.UUID, column: str, text: str) -> str:
        """Return what is stored in a column of a row for a text."""
        # Needs no escapes: an encrypted text has letters, digits, hyphens and underscores.
        return f'"{self.cipher.encrypt(text.encode(), _place(session_id, column))}"'

    def open(self, session_id: uuid.UUID, column: str, value: str) -> tuple[str, bool]:
        """Return the text of what is stored, and whether it would be stored with the same key now.

        Raises:
            EncryptedDataError: No key opens it, or it is not encrypted.
        """
        cipher = self.cipher
        if is_plain(value):
            raise EncryptedDataError(
                f"a row of {self._name} is not encrypted: it is from the time before EncryptedDataMixin, or "
                "somebody wrote it by hand; 'pyramid-sessions encrypt --plaintext' encrypts what is there"
            )
        try:
            result = cipher.open(value[1:-1], _place(session_id, column))
        except ValueError:
            # Not chained: the cause would tell no more.
            raise EncryptedDataError(
                f"the data of a row of {self._name} cannot be decrypted: no key of session.data_secret_key "
                "made it, or it was changed, or copied from another row"
            ) from None
        return result.payload.decode(), result.made_with_current_key


def is_plain(text: str) -> bool:
    """Return whether a stored text is the JSON object itself, or anything else that is not encrypted."""
    return not text.startswith('"')


def _place(session_id: uuid.UUID, column: str) -> bytes:
    # 16 bytes and the rest: two places are never spelled alike.
    return session_id.bytes + column.encode()
