"""What happens to sessions, for `config.add_subscriber`.

Every event has the request and says why it happened; none has a secret, a cookie or a full identifier.
Subscribers run in the request, where Pyramid would run them: an exception in one goes where an exception
at that place goes. The events about something that was stored (`SessionCreated`, `SessionRenewed`) come after
the commit that made it true, and after the response has its cookie.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from websession_core.state import short_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from pyramid.request import Request
    from sqlalchemy import Connection, Update
    from websession_core.lifecycle import Standing
    from websession_models import Bookkeeper

__all__ = [
    "KEPT_ROW",
    "CookieRefused",
    "OwnTransactionBegun",
    "ReplayDetected",
    "SessionCreated",
    "SessionEmptied",
    "SessionEvent",
    "SessionExpired",
    "SessionInvalidated",
    "SessionLoaded",
    "SessionRegenerated",
    "SessionRenewed",
    "announce",
    "announce_emptied",
    "announce_own_transaction",
]


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """The base class of all events about sessions.

    Attributes:
        request: The request that the browser sent.
        session: The first eight hexadecimal digits of the session's identifier: enough to tell sessions apart
            in a log, but worthless to anybody who reads it; empty if no session is known.
        reason: Why, in a few words.
        attribute: The request attribute of the session: ``session``, unless it was added with
            ``config.add_web_session``.
    """

    request: Request
    session: str
    reason: str
    attribute: str = field(default="session", kw_only=True)


@dataclass(frozen=True, slots=True)
class SessionCreated(SessionEvent):
    """A new session was stored and its cookie sent."""


@dataclass(frozen=True, slots=True)
class SessionLoaded(SessionEvent):
    """A session was loaded from its cookie."""


@dataclass(frozen=True, slots=True)
class SessionExpired(SessionEvent):
    """A request came with a cookie whose session has ended by a timeout.

    Attributes:
        standing: Which timeout: `EXPIRED_IDLE`, `EXPIRED_ABSOLUTE`, `EXPIRED_DEADLINE` (the stored deadline,
            from the timeouts of that time), or `UNACKNOWLEDGED` (no renewal ever reached the browser).
    """

    standing: Standing


@dataclass(frozen=True, slots=True)
class SessionInvalidated(SessionEvent):
    """The session is ended: by a logout, by a login of another user, or by the limit of a user's sessions.

    True once the transaction commits.
    """


@dataclass(frozen=True, slots=True)
class SessionEmptied(SessionEvent):
    """The session is ended, but its row stays: a foreign key of the application's refers to it.

    What the library has stored in the row is gone, and nothing opens it. Your own columns keep their values;
    clear them with ``event.connection.execute(event.update.values(note=None))``. After a logout this is in
    the request's transaction; after a theft or ``pyramid-sessions revoke``, in one of the library's.

    Attributes:
        connection: The connection to use.
        update: A statement that updates the row, without values.
    """

    connection: Connection = field(repr=False)
    update: Update = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionRegenerated(SessionEvent):
    """The session gets a new identity: by a login, or by `regenerate()`.

    True once the transaction commits.
    """


@dataclass(frozen=True, slots=True)
class SessionRenewed(SessionEvent):
    """A renewed cookie was sent; the old one is valid until the browser sends the new one."""


@dataclass(frozen=True, slots=True)
class ReplayDetected(SessionEvent):
    """Two browsers hold this session's cookies: one of them is a thief's. The session is revoked.

    Tell the user, and have them change their password (OWASP ASVS 5.0, 7.4 and 16.3).
    """


@dataclass(frozen=True, slots=True)
class CookieRefused(SessionEvent):
    """A cookie under our name opened nothing.

    Attributes:
        kind: ``malformed``, ``not authentic`` (another key, another cookie, or tampered with),
            ``unknown`` (authentic, but there is no such session), ``superseded`` (the session's identity has
            changed since), ``outlived`` (the same, and the ticket was a visitor's), ``ownerless`` (its user
            was deleted, and the row was left), ``mismatched`` (of an identity that a fail-over has made the
            database forget), ``stale read`` (the row that was read is older than the ticket), ``unreadable``
            (something else has written to the row, or no key decrypts its data) or ``not before`` (issued
            before the cut-off).
    """

    kind: str


@dataclass(frozen=True, slots=True)
class OwnTransactionBegun:
    """The library has begun its own transaction: to record something, or to read for an error page.

    Nothing has been done in it yet. If the application sets something on its own connections, such as a
    `search_path` or a variable for row-level security, set it here, too. If a subscriber raises an exception,
    the transaction fails, but never the request.

    Attributes:
        request: The current request or subrequest.
        connection: The connection; what you set on it should end with the transaction (``SET LOCAL``), since
            it goes back to the pool.
        attribute: The request attribute of the session that it is for, as in `SessionEvent`.
    """

    request: Request
    connection: Connection
    attribute: str = field(default="session", kw_only=True)


KEPT_ROW: Final = "a foreign key of the application's keeps its row"
"""Why a row was emptied."""


def announce_own_transaction(request: Request, attribute: str, connection: Connection) -> None:
    """Let the application prepare a connection of ours."""
    registry = request.registry
    if registry.has_listeners:
        registry.notify(OwnTransactionBegun(request, connection, attribute=attribute))


def announce(request: Request, attribute: str, event: Callable[..., SessionEvent], *details: Any) -> None:
    """Send an event, made of the request and its other arguments, to the subscribers, if there are any."""
    registry = request.registry
    if registry.has_listeners:
        registry.notify(event(request, *details, attribute=attribute))


def announce_emptied(
    request: Request,
    attribute: str,
    session_id: UUID,
    bookkeeper: Bookkeeper,
    *,
    within: Connection | None = None,
) -> None:
    """Let the application clear its own columns of a row that was emptied, in a transaction of ours.

    Raises:
        Exception: Whatever a subscriber raises, or the database.
    """
    if not request.registry.has_listeners:
        return

    def change(connection: Connection, update: Update) -> None:
        name = short_name(session_id)
        announce(request, attribute, SessionEmptied, name, KEPT_ROW, connection, update)

    bookkeeper.change_row(session_id, change, within=within)
