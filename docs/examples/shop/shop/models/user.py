"""The people who can log in."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .meta import Base


class User(Base):
    # `user` is a reserved word in PostgreSQL.
    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    full_name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str] = mapped_column(String(200))
    """As `shop.passwords.hash_password` made it."""
    is_admin: Mapped[bool]
    """Whether they look after the shop."""
