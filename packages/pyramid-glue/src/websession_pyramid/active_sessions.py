"""The active sessions of a user, for a page "your devices": see them, end one, end all others.

What is ended goes with the request's own transaction: it is true once that commits, and nothing happens if it
does not. The next request of such a session has none.
"""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import null, select
from websession_models.queries import is_active, last_used, with_companion
from websession_models.userids import is_same_user

from .errors import MissingFeatureError
from .security import policy_sessions
from .session import WebSession

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from pyramid.request import Request

__all__ = ["ActiveSession", "ActiveSessions", "active_sessions"]

_PRESENT: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class ActiveSession:
    """One session of a user.

    Attributes:
        handle: Identifies it in a page: 32 hexadecimal digits, which stay the same for the session's
            lifetime. It opens nothing, and does not reveal the session's identifier.
        userid: Whose it is.
        is_present: Whether it is the session of this request.
        created: When it began, in Unix seconds.
        last_used: When it was last used, as recorded, in Unix seconds.
        ends_at: When it ends unless it is used again, in Unix seconds; None: never.
        authenticated_at: When the user last logged in, in Unix seconds; None: not known.
        user_agent: What the browser calls itself; None: not known.
        client_address: The network address of the login, as much of it as is stored; None: not known.
    """

    handle: str
    userid: Any
    is_present: bool
    created: int
    last_used: int
    ends_at: int | None
    authenticated_at: int | None
    user_agent: str | None
    client_address: str | None


def active_sessions(request: Request, attribute: str | None = None) -> ActiveSessions:
    """Return the active sessions of this request's user, or of another user, to list and to end them.

    Args:
        request: The request.
        attribute: The request attribute of the session; None: the one that the security policy reads, or
            ``session`` if that is unclear.

    Raises:
        MissingFeatureError: The model has no `UseridMixin`.
        TypeError: It holds no session of this library.
    """
    if attribute is None:
        names = policy_sessions(request.registry)
        attribute = next(iter(names)) if len(names) == 1 else "session"
    session = operator.attrgetter(attribute)(request)
    if not isinstance(session, WebSession):
        raise TypeError(f"request.{attribute} is no session of this library")
    return ActiveSessions(session)


class ActiveSessions:
    """The active sessions of users. Made by `active_sessions`.

    Args:
        session: The session of the current request.
    """

    def __init__(self, session: WebSession) -> None:
        self._session = session
        self._kit = session.kit
        if not self._kit.has("userid"):
            raise MissingFeatureError(
                f"{self._kit.settings.model_class.__name__} knows no users: add UseridMixin to its "
                "bases, and a migration"
            )

    def of(self, userid: Any = _PRESENT) -> list[ActiveSession]:
        """Return a user's active sessions, the last used first.

        Sessions that this request ends are not included. A session changed by a login in this request is
        included once the request is over.

        Args:
            userid: The user; without it, the logged-in user, and an empty list if there is none.
        """
        return [session for _, session in self._sessions(self._user(userid))]

    def end(self, handle: str, userid: Any = _PRESENT) -> bool:
        """End one session of a user.

        Args:
            handle: The session's `ActiveSession.handle`.
            userid: The user to whom it must belong; without it, the logged-in user.

        Returns:
            Whether the user has such a session.
        """
        sessions = self._sessions(self._user(userid))
        return bool(self._end(entry for entry in sessions if entry[1].handle == handle))

    def end_others(self) -> int:
        """End all other sessions of the logged-in user, for example after a password change.

        OWASP ASVS 5.0, 7.4.3.

        Returns:
            How many.
        """
        sessions = self._sessions(self._user(_PRESENT))
        return self._end(entry for entry in sessions if not entry[1].is_present)

    def end_all(self, userid: Any = _PRESENT) -> int:
        """End all sessions of a user, including this one if it is theirs (OWASP ASVS 5.0, 7.4.2 and 7.4.5).

        Args:
            userid: The user; without it, the logged-in user.

        Returns:
            How many.
        """
        return self._end(self._sessions(self._user(userid)))

    def end_everybodys(self, *, but_present: bool = False) -> int:
        """End all sessions of all users (OWASP ASVS 5.0, 7.4.5), at once, in this request's transaction.

        If there are very many, set ``session.not_before`` to now instead, or run ``pyramid-sessions revoke
        --all``.

        Args:
            but_present: Whether to keep this request's session.

        Returns:
            How many.
        """
        present = self._session.id
        count = self._session.working_copy_to_write().delete_all(present)
        if present is not None and not but_present:
            self._session.invalidate()
            count += 1
        return count

    def _user(self, userid: Any) -> Any:
        return self._session.userid if userid is _PRESENT else userid

    def _sessions(self, userid: Any) -> list[tuple[UUID, ActiveSession]]:
        if userid is None:
            return []
        copy, now = self._session.working_copy_to_write(), self._kit.clock()
        connection = copy.attached.connection()
        self._kit.check_userid(userid, connection.dialect)
        features = self._kit.store.features
        columns, last_use = features.columns, last_used(features)
        is_alive = is_active(self._kit.settings.model_class, now=now)
        statement = (
            select(
                columns["id"],
                columns["created"],
                last_use,
                features.activity.get("expires_at", null()),
                *(columns.get(name, null()) for name in ("authenticated_at", "user_agent", "client_address")),
            )
            .select_from(with_companion(features))
            .where(is_same_user(features, userid, connection.dialect), is_alive, features.criterion())
            .order_by(last_use.desc(), columns["id"])
        )
        present = self._session.id
        return [
            (session_id, ActiveSession(_handle(session_id), userid, session_id == present, *rest))
            for session_id, *rest in connection.execute(statement)
            if session_id not in copy.pending.ended
        ]

    def _end(self, sessions: Iterable[tuple[UUID, ActiveSession]]) -> int:
        copy, count = self._session.working_copy_to_write(), 0
        for session_id, session in sessions:
            count += 1
            if session.is_present:
                self._session.invalidate()
            else:
                copy.end(session_id, "ended by the user's other session")
        return count


def _handle(session_id: UUID) -> str:
    # The identifier has 128 random bits, so this gives nothing away; the label keeps it apart from others.
    return hashlib.sha256(b"websession handle\0" + session_id.bytes).hexdigest()[:32]
