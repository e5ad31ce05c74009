"""Web sessions: one row per browser. This class is all the library needs to know about our database."""

from pyramid_sqlalchemy_sessions import BaseMixin

from .meta import Base


class Session(BaseMixin, Base):
    __tablename__ = "session"
