"""The columns of a session, by feature.

Mixins declare columns and nothing else. Every column can be declared again in the model, to give it another
name or further arguments, and the model may have columns and relationships of its own.

What the application says about a session is in the model's row and is written in the application's
transaction. What we record about it is in the companion table (see `companion`), which
the timeout and renewal mixins declare. All features combine freely; which ones a model has can change at any
time, with rows in the table: a new column needs a migration, and none needs a value.
"""

from __future__ import annotations

import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Index, Integer, String, Table, event
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.schema import conv
from sqlalchemy.types import TypeEngine

from .types import ENCRYPTED_JSON, SESSION_JSON, SessionId

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.orm import Mapper

__all__ = [
    "AbsoluteMixin",
    "AuthenticatedAtMixin",
    "BaseMixin",
    "CSRFMixin",
    "ClientInfoMixin",
    "ConfigAbsoluteMixin",
    "ConfigCookieMixin",
    "ConfigIdleMixin",
    "ConfigRenewalMixin",
    "EncryptedDataMixin",
    "FullyFeaturedSession",
    "IdleMixin",
    "RenewalMixin",
    "SessionLimitMixin",
    "UseridMixin",
]


def fresh_session_id() -> uuid.UUID:
    """Return a new identifier: 128 bits from the operating system's generator, all of them random.

    Not a version 4 UUID, which fixes six of its bits. (OWASP ASVS 5.0, 7.2.3: at least 128 bits of
    entropy for a reference token; the cookie that carries it is encrypted besides.)
    """
    return uuid.UUID(bytes=secrets.token_bytes(16))


def _now() -> int:
    """Return the time in whole Unix seconds, for rows that are made outside the store."""
    return int(time.time())


def _column(*arguments: Any, **options: Any) -> Any:
    """Return what declares a column in a mixin, also for a model that is a dataclass.

    SQLAlchemy makes a field of each annotated column, and refuses one that comes from a class which is no
    dataclass itself. What a `declared_attr` without an annotation declares stays out of the dataclass.
    Each model has a type of its own: what an application does to one (`Mutable.as_mutable`) is of that only.
    """
    return declared_attr(lambda _model: mapped_column(*map(_own, arguments), **options))


def _own(argument: Any) -> Any:
    return argument.copy() if isinstance(argument, TypeEngine) else argument


class BaseMixin:
    """The columns that every session model has.

    Use it in front of the application's declarative base:

        class Session(BaseMixin, Base):
            __tablename__ = "session"

    The store reads and writes these columns with its own statements; the ORM never writes them. So `version`
    must **not** be the mapper's `version_id_col`: the ORM would increase it for its own updates of the
    application's columns, and the store's next write in the same transaction would take that for another
    request's change. The application may load rows, follow relationships and write its own columns.
    """

    id: Mapped[uuid.UUID] = _column(SessionId(), primary_key=True, default=fresh_session_id, sort_order=-50)
    """The random primary key. It never changes while the session lives, not even at a login."""

    created: Mapped[int] = _column(BigInteger, nullable=False, default=_now, sort_order=-49)
    """When the session began, in Unix seconds."""

    version: Mapped[int] = _column(Integer, nullable=False, default=1, sort_order=-48)
    """Grows by one with every write; a write based on an older version finds no row, so no update is lost."""

    epoch: Mapped[int] = _column(Integer, nullable=False, default=0, sort_order=-47)
    """Counts changes of identity. A ticket with another epoch opens nothing."""

    rotated_at: Mapped[int | None] = _column(BigInteger, nullable=True, sort_order=-46)
    """When the epoch last moved, in Unix seconds; NULL: never."""

    data: Mapped[dict[str, Any]] = _column(SESSION_JSON, nullable=False, default=dict, sort_order=48)
    """What the application put into the session: a JSON object."""

    flash: Mapped[dict[str, Any]] = _column(SESSION_JSON, nullable=False, default=dict, sort_order=49)
    """The flash queues by their names: a JSON object of arrays."""


class UseridMixin:
    """The session belongs to a user.

    Declare the column again for users whose key is no integer, and add a relationship if you like; with
    `lazy="joined"` the user comes with the session's own query:

        class Session(UseridMixin, BaseMixin, Base):
            __tablename__ = "session"
            userid: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
            user: Mapped[User | None] = relationship(lazy="joined")
    """

    userid: Mapped[int | None] = _column(Integer, nullable=True, index=True, sort_order=-45)
    """Whose session it is; NULL: it is anonymous. Changing it changes the `epoch` in the same statement."""


class CSRFMixin:
    """The CSRF token has a separate column, outside of the data."""

    csrf_token: Mapped[str | None] = _column(String(64), nullable=True, sort_order=-44)
    """The token; NULL: none was requested yet."""


class AuthenticatedAtMixin:
    """The session records when its user last logged in (OWASP ASVS 5.0, 7.5)."""

    authenticated_at: Mapped[int | None] = _column(BigInteger, nullable=True, sort_order=-43)
    """When that was, in Unix seconds; NULL: never in this session."""


class ClientInfoMixin:
    """The session records its browser and network address, for a page "your devices".

    Recorded when the session begins and at each login, so that this needs no extra write. First and last use
    are `created` and the companion's `active_at`.
    """

    user_agent: Mapped[str | None] = _column(String(255), nullable=True, sort_order=-37)
    """The `User-Agent` header, cut off after 255 characters; NULL: there was none."""

    client_address: Mapped[str | None] = _column(String(45), nullable=True, sort_order=-36)
    """The network address, as much of it as the setting `client_address` says; NULL: not stored."""


class SessionLimitMixin:
    """The number of a user's sessions can be limited (OWASP ASVS 5.0, 7.1.2); the model needs `UseridMixin`.

    Each session of a user has a number from 1 to the limit, and a unique index keeps two concurrent logins
    from taking the same one: the database itself enforces the limit, at every isolation level. The limit is
    the setting `max_per_user`.
    """

    session_slot: Mapped[int | None] = _column(Integer, nullable=True, sort_order=-35)
    """The number; NULL: the session is anonymous, or there was no limit when its user logged in."""


class IdleMixin:
    """The session can end after some time without use. Its columns are in the companion table."""


class AbsoluteMixin:
    """The session can end some time after it began. Its column is in the companion table."""


class RenewalMixin:
    """The session's ticket can be renewed from time to time. Its columns are in the companion table."""


class ConfigIdleMixin(IdleMixin):
    """Each session can have its own idle timeout. NULL in a column: as in the settings."""

    idle_timeout: Mapped[int | None] = _column(Integer, nullable=True, sort_order=-42)
    """In seconds; 0: none."""

    extension_delay: Mapped[int | None] = _column(Integer, nullable=True, sort_order=-41)
    """In seconds; 0: every request is recorded."""


class ConfigAbsoluteMixin(AbsoluteMixin):
    """Each session can have its own absolute timeout."""

    absolute_timeout: Mapped[int | None] = _column(Integer, nullable=True, sort_order=-40)
    """In seconds; 0: none; NULL: as the settings say."""


class ConfigRenewalMixin(RenewalMixin):
    """Each session can have its own renewal timeout."""

    renewal_timeout: Mapped[int | None] = _column(Integer, nullable=True, sort_order=-39)
    """In seconds; 0: no renewal; NULL: as the settings say."""


class ConfigCookieMixin:
    """Each session's cookie can have its own lifetime ("remember me")."""

    cookie_max_age: Mapped[int | None] = _column(Integer, nullable=True, sort_order=-38)
    """In seconds; 0: until the browser is closed; NULL: as the settings say."""


class EncryptedDataMixin:
    """The data and the flash messages are encrypted in the database; the other columns are not.

    Put it in front of ``BaseMixin``. ``data`` and ``flash`` then contain a JSON string, in columns of the
    same type, so it can be added to a model at any time without a migration; ``pyramid-sessions encrypt``, or
    ``encrypt_all``, encrypts existing rows. The key is the setting ``data_secret_key``, or is passed to the
    ``Store``, without which no row can be created.
    """

    data: Mapped[Any] = _column(ENCRYPTED_JSON, nullable=False, sort_order=48)
    """What the application put into the session, encrypted: a JSON string."""

    flash: Mapped[Any] = _column(ENCRYPTED_JSON, nullable=False, sort_order=49)
    """The flash queues by their names, encrypted: a JSON string."""


class FullyFeaturedSession(
    UseridMixin,
    CSRFMixin,
    AuthenticatedAtMixin,
    ConfigIdleMixin,
    ConfigAbsoluteMixin,
    ConfigRenewalMixin,
    ConfigCookieMixin,
    BaseMixin,
):
    """All features at once, in front of the application's declarative base.

    class Session(FullyFeaturedSession, Base):
        __tablename__ = "session"
    """


@event.listens_for(SessionLimitMixin, "after_mapper_constructed", propagate=True)
def _declare_slots(mapper: Mapper[Any], _model: type) -> None:
    table = mapper.local_table
    userid, slot = (mapper.columns.get(name) for name in ("userid", "session_slot"))
    # Once per table, of which several classes may be mapped to it; what is missing `features_of` tells.
    if isinstance(table, Table) and userid is not None and slot is not None:
        name = slots_index(table.name)
        if all(index.name != name for index in table.indexes):
            Index(name, userid, slot, unique=True)


def slots_index(table: str) -> str:
    """Return the name of the index of a table that keeps a user's sessions within the limit."""
    name = f"uq_{table}_session_slot"
    # SQLAlchemy shortens a name that is marked so where a database has no room for it.
    return conv(name) if len(name) > _LONGEST_INDEX_NAME else name


# PostgreSQL's limit, the lowest one.
_LONGEST_INDEX_NAME: Final = 63


def slots_index_in(table: str, dialect: Dialect) -> str:
    """Return the name of that index in a database, which may have had to shorten it."""
    return dialect.identifier_preparer.truncate_and_render_index_name(
        slots_index(table), _alembic_quote=False
    )
