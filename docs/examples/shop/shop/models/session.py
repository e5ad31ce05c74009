"""Web sessions: one row per browser. This class is all the library needs to know about our database."""

from __future__ import annotations

from pyramid_sqlalchemy_sessions import ClientInfoMixin, FullyFeaturedSession
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from .meta import Base


class Session(ClientInfoMixin, FullyFeaturedSession, Base):
    __tablename__ = "session"

    # Declared again for the foreign key: the sessions of a user who is deleted end.
    userid: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
