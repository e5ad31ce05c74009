"""``request.session``: Pyramid's `ISession`, over a unit of work."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Self

from pyramid.interfaces import ISession
from websession_core.errors import NoTransactionError
from websession_models.features import feature_of_column
from zope.interface import implementer

from .contents import Contents
from .errors import MissingFeatureError
from .form_tokens import accepts_token, new_token, token_to_show
from .logins import log_in, rotate
from .overrides import SessionOverrides
from .session_in_request import SessionInRequest
from .unit_of_work import UnitOfWork
from .write_back import write_back_now

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
    from uuid import UUID

    from pyramid.request import Request

    from .kit import SessionKit
    from .session_in_request import Holder
    from .working_copy import WorkingCopy

__all__ = ["WebSession", "is_attribute"]

_MISSING: Any = object()

# What sessions of Beaker and pyramid_session_redis have, and what to write here.
_OF_OTHER_LIBRARIES = {
    "session_id": "use `id`, which is None while the session is not stored",
    "timeout": "use `settings.idle_timeout`",
    "save": "what a view changes is stored with its transaction: leave the call out",
    "persist": "what a view changes is stored with its transaction: leave the call out",
    "delete": "use `invalidate()`",
}


def is_attribute(kind: type, name: str, value: object) -> bool:
    """Return whether a value can be an attribute of a session, and is not meant to be stored under a key.

    Args:
        kind: The session's class.
        name: The attribute's name.
        value: The value. A test may put another function in the place of a method.
    """
    known = getattr(kind, name, None)
    return name.startswith("_") or (known is not None and (callable(value) or not callable(known)))


@implementer(ISession)
class WebSession(MutableMapping[str, Any]):
    """The session of one request: a mapping, stored in the application's transaction.

    Changes are noticed wherever they are made, including inside nested lists and dicts. A value that some
    supported database cannot store is refused at the assignment (`UnstorableValueError`), a nested one when
    the session is written.

    Args:
        kit: Whose sessions these are.
        request: The request.
    """

    _kit: SessionKit
    _in_request: SessionInRequest

    def __init__(self, kit: SessionKit, request: Request) -> None:
        # Past `__setattr__`, which is for the application and would cost every request.
        state = self.__dict__
        state["_kit"] = kit
        state["_in_request"] = SessionInRequest(kit, request, self)

    def __setattr__(self, name: str, value: Any) -> None:
        if not is_attribute(type(self), name, value):
            raise AttributeError(
                f"a session stores keys, and no attributes: request.{self._kit.attribute}[{name!r}] = ..."
            )
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        remedy = _OF_OTHER_LIBRARIES.get(name)
        if remedy is None:
            # Once more, for its own error: a property's that the model has no column for, as a rule.
            return super().__getattribute__(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}: {remedy}")

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return self.copy()

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def __json__(self, request: Request) -> dict[str, Any]:
        """Return what Pyramid's JSON renderer shows of it."""
        return self.copy()

    # -- pyramid.interfaces.ISession -----------------------------------------------------------------------

    @property
    def created(self) -> int:
        """When the session began, Unix seconds; now, for one that is not stored yet."""
        row = self._read().row
        return self._kit.clock() if row is None else row.created

    @property
    def new(self) -> bool:
        """Whether the session began with this request."""
        return self._in_request.open().working_copy.began_here

    def invalidate(self) -> None:
        """End the session: its row is deleted in the transaction, and the browser's cookies with it.

        If visitors have a separate cookie, a visitor's session from before the login ends, too. The session
        is usable at once for new data, with a new identifier and a new cookie: call this before a login if
        nothing of the anonymous session should be kept.

        Raises:
            NoTransactionError: There is no transaction to delete the row in.
        """
        copy = self._open_for_change()
        copy.start_over(Contents(rules=self._kit.rules), "ended by the application")
        copy.end_visitors_session("ended by the application")

    def changed(self) -> None:
        """Write the session even if no change was noticed. Never needed for nested changes."""
        self._for_change().payload.mark_changed()

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Add a message to a flash queue.

        Args:
            msg: Any value that a session can hold, including translation strings and `Markup`. Another
                subclass of `str` becomes the registered type that it extends, or plain text.
            queue: The queue's name.
            allow_duplicate: Whether to add a message that the queue already has.

        Raises:
            UnstorableValueError: Some supported database cannot hold `msg`.
        """
        copy = self._open_for_change()
        if copy.contents.flash.push(msg, queue, allow_duplicate):
            copy.warn_of_full_queue(queue)

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Remove and return the messages of a flash queue, oldest first."""
        if not self._read().flash.count(queue):
            return []  # nothing to change, so allowed where nothing can be changed
        return self._for_change().flash.pop(queue)

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Return a copy of the messages of a flash queue, oldest first."""
        return self._read().flash.peek(queue)

    def new_csrf_token(self) -> str:
        """Create a new CSRF token; earlier ones are refused."""
        return new_token(self._kit, self._open_for_change())

    def get_csrf_token(self) -> str:
        """Return the CSRF token, for the forms of this page.

        It is the session's token. If the browser's cookies open no session, it is that of the visitor's
        cookie, or else of the users' cookie. If the browser has sent none, the response sets one, and no row
        is stored for it (unless visitors share a cookie with users).
        """
        return token_to_show(self._kit, self._in_request.open())

    def accepts_csrf_token(self, supplied: str) -> bool:
        """Return whether a form with this CSRF token is accepted.

        In a login, only the login's own token is accepted. Before a login, the tokens of both cookies are
        accepted: the form may have been shown before the session began, or before a login whose response was
        lost.

        Args:
            supplied: The token sent with the form.
        """
        return accepts_token(self._kit, self._in_request.open().working_copy, supplied)

    # -- the mapping ---------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        return self._read().payload[key]

    def __setitem__(self, key: str, value: Any) -> None:
        copy = self._open_for_change()
        copy.contents.payload[key] = value
        if key in self._kit.login_keys:
            # A cookie that was planted before the login must not open it. It did not either in Pyramid's own
            # sessions, which keep the login in the new cookie's value.
            rotate(self._kit, copy, "a user has logged in")

    def __delitem__(self, key: str) -> None:
        del self._for_change().payload[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read().payload)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._read().payload)

    def __len__(self) -> int:
        return len(self._read().payload)

    def __contains__(self, key: object) -> bool:
        return key in self._read().payload

    def __eq__(self, other: object) -> bool:
        return self is other or self._read().payload == (
            other._read().payload if isinstance(other, WebSession) else other
        )

    __hash__ = None  # type: ignore[assignment]  # as for every mutable mapping

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self._read().payload | other

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return other | self._read().payload

    def __ior__(self, other: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Self:
        self.update(other)
        return self

    def __repr__(self) -> str:
        holder = self.holder
        if holder is None:
            return "<WebSession, not looked at yet>"
        row, state = holder.working_copy.contents.row, holder.description
        name = "not stored" if row is None else f"{row.id.hex[:4]}…"
        return f"<WebSession {name}, {state}>"

    def get(self, k: str, default: Any = None) -> Any:
        """Return the value of key `k`, or `default`."""
        return self._read().payload.get(k, default)

    def keys(self) -> KeysView[str]:
        """Return a view of the keys."""
        return self._read().payload.keys()

    def values(self) -> ValuesView[Any]:
        """Return a view of the values."""
        return self._read().payload.values()

    def items(self) -> ItemsView[str, Any]:
        """Return a view of the keys and values."""
        return self._read().payload.items()

    def copy(self) -> dict[str, Any]:
        """Return the data as a plain dict, which shares nothing with the session."""
        return self._read().payload.copy()

    def pop(self, k: str, default: Any = _MISSING) -> Any:
        """Remove key `k` and return its value; if there is no such key, return `default` if given."""
        if k not in self._read().payload:
            if default is _MISSING:
                raise KeyError(k)
            return default
        return self._for_change().payload.pop(k)

    def popitem(self) -> tuple[str, Any]:
        """Remove the last key and return it with its value."""
        return self._for_change().payload.popitem()

    def setdefault(self, k: str, default: Any = None) -> Any:
        """Return the value of key `k`, which is set to `default` first if there is no such key."""
        payload = self._read().payload
        return payload[k] if k in payload else self._for_change().payload.setdefault(k, default)

    def update(self, d: Any = (), /, **values: Any) -> None:
        """Set the keys and values of a mapping, of an iterable of pairs, and those named; all or nothing."""
        self._for_change().payload.update(d, **values)

    def clear(self) -> None:
        """Remove all data. The flash queues stay; :meth:`invalidate` ends the whole session."""
        self._for_change().payload.clear()

    # -- beyond ISession: who it belongs to ----------------------------------------------------------------

    @property
    def userid(self) -> Any:
        """The logged-in user's id, or None. The model needs `UseridMixin`.

        Setting another value does what :meth:`login` does; setting the same one does nothing.
        """
        self._require("userid")
        return self._read().value("userid")

    @userid.setter
    def userid(self, userid: Any) -> None:
        if userid != self.userid:
            self.login(userid)

    def login(self, userid: Any, *, keep_data: bool = False) -> None:
        """Log a user in, after their password or other proof was checked.

        The session gets a new identity in the same statement: earlier cookies open nothing once the
        transaction has committed (this prevents session fixation; OWASP ASVS 5.0, 7.2.4). The CSRF token is
        replaced. The rest depends on who was logged in:

        - Nobody: data and primary key are kept, a visitor's cart for example.
        - The same user: they are kept, too. This is the new login that `recent_login` asks for.
        - Another user: their session ends with everything in it, including its settings, as if by
          :meth:`invalidate`, and a new one begins.

        Args:
            userid: A value of the type of the model's `userid`. None ends the user's session, and moves data
                and flash messages to a new anonymous one; the application's own columns and per-session
                settings are not kept.
            keep_data: Whether to keep the data and the flash messages if another user was logged in: for a
                guest account that becomes a real one, or for "act as". The row and the tokens are new in any
                case.

        Raises:
            UnstorableValueError: The column cannot hold the value: of another type, too long, too large.
            NoTransactionError: There is no transaction to store it in.
            TooManySessionsError: The user has as many sessions as the settings allow, and they say that a
                further one is refused. Nothing was changed.
        """
        self._require("userid")
        log_in(self._kit, self._open_for_change(), userid, keep_data=keep_data)

    @property
    def login_age(self) -> int | None:
        """Seconds since the user last logged in; None: never. Needs `AuthenticatedAtMixin`."""
        self._require("authenticated_at")
        contents = self._read()
        # A foreign key with ON DELETE SET NULL takes the user away, and leaves the time.
        has_user = not self._kit.has("userid") or contents.value("userid") is not None
        since = contents.value("authenticated_at") if has_user else None
        return None if since is None else max(0, self._kit.clock() - since)

    def regenerate(self) -> None:
        """Give the session a new identity: earlier cookies open nothing once the transaction commits.

        Its data, its primary key and its user are kept; the CSRF token is replaced. Call it for a change of
        privileges that is not a login.

        Raises:
            NoTransactionError: There is no transaction to store it in.
        """
        rotate(self._kit, self._open_for_change(), "asked for by the application")

    @property
    def settings(self) -> SessionOverrides:
        """The session's own timeouts: ``with request.session.settings as s: s.idle_timeout = 3600``."""
        return SessionOverrides(
            self._read, self._for_change, self._kit.policies(None), self._kit.own_settings
        )

    # -- beyond ISession: its row --------------------------------------------------------------------------

    @property
    def id(self) -> UUID | None:
        """The primary key of the session's row, None while the session is not stored."""
        row = self._read().row
        return None if row is None else row.id

    def row(self) -> Any:
        """Return the session's row as an object of the application's model, stored if it was not yet.

        It is the object that ``dbsession.get(Model, request.session.id)`` returns: use it for your own
        columns and relationships. Leave the mixins' columns to the session.

        Raises:
            NoTransactionError: There is no transaction to store and load it in.
        """
        return write_back_now(self.working_copy_to_write())

    # -- for the other modules of this package -------------------------------------------------------------

    @property
    def kit(self) -> SessionKit:
        """The kit: what is created once for all sessions with the same settings."""
        return self._kit

    @property
    def is_database_usable(self) -> bool:
        """Whether the request has a transaction, and its database session was not broken by an error."""
        holder = self._in_request.open()
        if not isinstance(holder, UnitOfWork) or not holder.working_copy.is_writable:
            return False
        writer = holder.working_copy.writer
        return writer is None or writer.dbsession.is_active

    @property
    def holder(self) -> Holder | None:
        """The session's holder; None as long as the session was not used."""
        return self._in_request.holder

    def working_copy_to_write(self) -> WorkingCopy:
        """Return the working copy, which is about to be changed and written.

        Raises:
            NoTransactionError: There is no transaction that could be committed.
        """
        copy = self._open_for_change()
        if not copy.is_writable:
            raise NoTransactionError("this needs the request's transaction, and that has ended")
        return copy

    # -- private -------------------------------------------------------------------------------------------

    def _require(self, column: str) -> None:
        if not self._kit.has(column):
            raise MissingFeatureError(
                f"the session model has no {column!r}: add {feature_of_column(column).name} to the bases of "
                f"{self._kit.settings.model_class.__name__}, and a migration for its column"
            )

    def _read(self) -> Contents:
        return self._in_request.open().working_copy.contents

    def _for_change(self) -> Contents:
        return self._in_request.open().prepare_change().contents

    def _open_for_change(self) -> WorkingCopy:
        return self._in_request.open().prepare_change()
