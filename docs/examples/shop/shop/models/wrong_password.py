"""Wrong passwords of the last minutes, so that guessing takes too long to be worth it."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from .meta import Base


class WrongPassword(Base):
    __tablename__ = "wrong_password"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), index=True)
    """As it was typed: whether there is such a user must not make a difference."""
    address: Mapped[str] = mapped_column(String(45), index=True)
    """The browser's."""
    at: Mapped[int] = mapped_column(BigInteger, index=True)
    """In Unix seconds."""
