"""``request.session``: Pyramid's `ISession`, over a unit of work."""

from __future__ import annotations

import logging
import secrets
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Self
from weakref import ref

from pyramid.interfaces import ISession
from websession_core.errors import NoTransactionError
from websession_models.features import feature_of_column
from zope.interface import implementer

from .apart import Apart
from .books import will_be_retried
from .contents import Contents
from .errors import MissingFeatureError
from .opening import short_name
from .preferences import SessionPreferences
from .transactions import Standing, manager_of, outermost_request, standing
from .unit import Phase, Unit

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
    from uuid import UUID
    from weakref import ReferenceType

    from pyramid.request import Request
    from pyramid.response import Response
    from transaction import Transaction, TransactionManager

    from .factory import SessionFactory

__all__ = ["WebSession"]

log = logging.getLogger(__name__)

_CSRF_KEY = "_csrft_"  # Pyramid's own sessions and storage policies use this key
_CSRF_COLUMN = "csrf_token"
_MISSING: Any = object()


@implementer(ISession)
class WebSession(MutableMapping[str, Any]):
    """The session of one request: a mapping of JSON values, stored in the application's own transaction.

    Changes are noticed wherever they are made, also inside nested lists and dicts. A value that some
    supported database cannot hold is refused at the assignment (`UnstorableValueError`), a nested one when
    the session is written.

    Args:
        factory: Whose sessions these are.
        request: The request.
    """

    def __init__(self, factory: SessionFactory, request: Request) -> None:
        self._factory = factory
        # None after the request's end, when weak references take their place: the request holds its session,
        # and two that hold each other stay, with all that the request has, for the garbage collector.
        self._request: Request | None = request
        self._registered_on: Request | None = None
        self._past: tuple[ReferenceType[Request], ReferenceType[Request]] | None = None
        self._held: Unit | Apart | None = None
        self._seen_active = False
        self._warned = False

    # -- pyramid.interfaces.ISession -----------------------------------------------------------------------

    @property
    def created(self) -> int:
        """When the session began, Unix seconds; now, for one that is not stored yet."""
        row = self._read().row
        return self._factory.clock() if row is None else row.created

    @property
    def new(self) -> bool:
        """Whether the session began with this request."""
        held = self._open()
        return held.began_here if isinstance(held, Unit) else held.contents.row is None

    def invalidate(self) -> None:
        """End the session: its row is deleted in the transaction, and the browser's cookie with it.

        The session is usable at once for new data, under a new identifier and a new cookie: call this before
        a login if nothing of the anonymous session shall survive.

        Raises:
            NoTransactionError: There is no transaction to delete the row in.
        """
        self._start_over(self._open_for_change(), Contents(), "ended by the application")

    def changed(self) -> None:
        """Have the session written even if no change can be seen. Never needed for nested changes."""
        self._change().payload.mark_changed()

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Add a message to a flash queue.

        Args:
            msg: A JSON value; of a translation string or `Markup` the plain text is kept.
            queue: The queue's name.
            allow_duplicate: Whether to add a message that the queue already has.

        Raises:
            UnstorableValueError: Some supported database cannot hold `msg`.
        """
        self._change().flash.push(msg, queue, allow_duplicate)

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Remove and return the messages of a flash queue, oldest first."""
        if not self._read().flash.peek(queue):
            return []  # nothing to change, so allowed where nothing can be changed
        return self._change().flash.pop(queue)

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Return a copy of the messages of a flash queue, oldest first."""
        return self._read().flash.peek(queue)

    def new_csrf_token(self) -> str:
        """Make, keep and return a new token against cross-site request forgery (256 random bits)."""
        token = secrets.token_urlsafe(32)
        if self._factory.has(_CSRF_COLUMN):
            self._change().set_value(_CSRF_COLUMN, token)
        else:
            self[_CSRF_KEY] = token
        return token

    def get_csrf_token(self) -> str:
        """Return the session's token against cross-site request forgery, made if there is none yet."""
        in_column = self._factory.has(_CSRF_COLUMN)
        token = self._read().value(_CSRF_COLUMN) if in_column else self.get(_CSRF_KEY)
        return token if isinstance(token, str) else self.new_csrf_token()

    # -- the mapping ---------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        return self._read().payload[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._change().payload[key] = value

    def __delitem__(self, key: str) -> None:
        del self._change().payload[key]

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
        held = self._held
        if held is None:
            return "<WebSession, not looked at yet>"
        row = held.contents.row
        state = held.phase.value if isinstance(held, Unit) else "read-only"
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
        """Return a plain dict of everything, in which changes do not touch the session."""
        return self._read().payload.copy()

    def pop(self, k: str, default: Any = _MISSING) -> Any:
        """Remove key `k` and return its value, or `default` if that is given and there is no such key."""
        if k not in self._read().payload:
            if default is _MISSING:
                raise KeyError(k)
            return default
        return self._change().payload.pop(k)

    def popitem(self) -> tuple[str, Any]:
        """Remove the last key and return it with its value."""
        return self._change().payload.popitem()

    def setdefault(self, k: str, default: Any = None) -> Any:
        """Return the value of key `k`, which is set to `default` first if there is no such key."""
        payload = self._read().payload
        return payload[k] if k in payload else self._change().payload.setdefault(k, default)

    def update(self, d: Any = (), /, **values: Any) -> None:
        """Set the keys and values of a mapping, of an iterable of pairs, and those named; all or nothing."""
        self._change().payload.update(d, **values)

    def clear(self) -> None:
        """Remove all data. The flash queues stay; :meth:`invalidate` ends the whole session."""
        self._change().payload.clear()

    # -- beyond ISession: who it belongs to ----------------------------------------------------------------

    @property
    def userid(self) -> Any:
        """Who is logged in, None for nobody. The model needs `UseridMixin`.

        Setting another value does what :meth:`login` does; setting the same one does nothing.
        """
        self._require("userid")
        return self._read().value("userid")

    @userid.setter
    def userid(self, userid: Any) -> None:
        if userid != self.userid:
            self.login(userid)

    def login(self, userid: Any, *, keep_data: bool = False) -> None:
        """Let the session belong to a user who has just proved who they are.

        The session gets a new identity in the same statement: cookies from before open nothing once the
        transaction has committed (session fixation; OWASP ASVS 5.0, 7.2.4). The token against cross-site
        request forgery is replaced. What else becomes of the session depends on who had it:

        - Nobody: data and primary key stay, a visitor's cart for example.
        - The same user: they stay, too. It is the re-authentication that `recent_login` asks for.
        - Another user: their session ends with everything in it, its own settings included, as if by
          :meth:`invalidate`, and a new one begins.

        Args:
            userid: A value of the type of the model's `userid`; None: the session belongs to nobody any more,
                and its data stays.
            keep_data: Whether the data and the flash messages go on where another user has had the session
                so far: for a guest's account that becomes a real one, or for "act as". The row and the
                tokens are new all the same.

        Raises:
            UnstorableValueError: The value is of another type.
            NoTransactionError: There is no transaction to store it in.
            TooManySessionsError: The user has as many sessions as the settings allow, and they say that a
                further one is refused. Nothing was changed.
        """
        self._require("userid")
        self._factory.check_userid(userid)
        held = self._open_for_change()
        if isinstance(held, Unit) and held.is_writable:
            held.make_room(userid)
        if userid is not None and held.contents.value("userid") not in (None, userid):
            self._leave_to_another_user(held, keep_data=keep_data)
        contents = held.contents
        contents.set_value("userid", userid)
        if self._factory.has("authenticated_at"):
            contents.set_value("authenticated_at", None if userid is None else self._factory.clock())
        self._rotate(held, "nobody is logged in any more" if userid is None else "a user has logged in")

    def _leave_to_another_user(self, held: Unit | Apart, *, keep_data: bool) -> None:
        before = held.contents
        dropped = before.describe(with_data=not keep_data)
        if dropped:
            name = "" if before.row is None else f" {short_name(before.row)}"
            log.info("Another user has logged in: the session%s ended, and with it %s", name, dropped)
        after = before.for_another_row() if keep_data else Contents()
        self._start_over(held, after, "another user has logged in")

    @property
    def login_age(self) -> int | None:
        """Seconds since the user last proved who they are; None: never. Needs `AuthenticatedAtMixin`."""
        self._require("authenticated_at")
        contents = self._read()
        # A foreign key with ON DELETE SET NULL takes the user away, and leaves the time.
        has_user = not self._factory.has("userid") or contents.value("userid") is not None
        since = contents.value("authenticated_at") if has_user else None
        return None if since is None else max(0, self._factory.clock() - since)

    def regenerate(self) -> None:
        """Give the session a new identity: cookies from before open nothing once the transaction commits.

        Its data, its primary key and its user stay; the token against cross-site request forgery is replaced.
        For a change of privileges that is no login.

        Raises:
            NoTransactionError: There is no transaction to store it in.
        """
        self._rotate(self._open_for_change(), "asked for by the application")

    @property
    def settings(self) -> SessionPreferences:
        """The session's own timeouts: ``with request.session.settings as s: s.idle_timeout = 3600``."""
        factory = self._factory
        return SessionPreferences(self._read, self._change, factory.policies(None), factory.own_settings)

    # -- beyond ISession: its row --------------------------------------------------------------------------

    @property
    def id(self) -> UUID | None:
        """The primary key of the session's row, None while the session is not stored."""
        row = self._read().row
        return None if row is None else row.id

    def row(self) -> Any:
        """Return the session's row as an object of the application's model, stored if it was not yet.

        It is the object that ``dbsession.get(Model, request.session.id)`` gives: use it for columns and
        relationships of your own. Leave the columns of the mixins to the session.

        Raises:
            NoTransactionError: There is no transaction to store and load it in.
        """
        return self.unit_for_change().store_now(self._whose()[0])

    # -- for the other modules of this package -------------------------------------------------------------

    def unit_for_change(self) -> Unit:
        """Return the unit of work of this request's transaction.

        Raises:
            NoTransactionError: There is none that could be committed.
        """
        held = self._open_for_change()
        if not isinstance(held, Unit) or not held.is_writable:
            raise NoTransactionError("this needs the request's transaction, and that has ended")
        return held

    # -- private -------------------------------------------------------------------------------------------

    def _require(self, column: str) -> None:
        if not self._factory.has(column):
            raise MissingFeatureError(
                f"the session model has no {column!r}: add {feature_of_column(column).name} to the bases of "
                f"{self._factory.settings.model_class.__name__}, and a migration for its column"
            )

    def _rotate(self, held: Unit | Apart, reason: str) -> None:
        """Give the session a new identity. Anyone who had it before knows the token against forgery."""
        contents = held.contents
        if self._factory.has(_CSRF_COLUMN):
            contents.set_value(_CSRF_COLUMN, None)
        contents.payload.pop(_CSRF_KEY, None)
        if isinstance(held, Unit) and held.is_writable:
            held.rotate(reason)

    @staticmethod
    def _start_over(held: Unit | Apart, contents: Contents, reason: str) -> None:
        if isinstance(held, Unit) and held.is_writable:
            held.start_over(contents, reason)
        else:
            held.contents = contents

    def _read(self) -> Contents:
        return self._open().contents

    def _change(self) -> Contents:
        return self._open_for_change().contents

    def _open_for_change(self) -> Unit | Apart:
        held = self._open()
        if isinstance(held, Unit):
            if held.is_writable:
                held.prepare_change(self._whose()[0])
            else:
                self._warn_of_dropped_change("the transaction of this request has ended")
        elif held.ended:
            self._warn_of_dropped_change("the transaction of this request has ended")
        elif held.committing:
            raise NoTransactionError(
                "the session cannot be changed here: the transaction is being committed, and what has not "
                "been looked at before can take part in that no more. Touch request.session earlier in the "
                "request, or change it in a before-commit hook"
            )
        else:
            raise NoTransactionError(
                "the session cannot be changed here: it is stored in the request's transaction, and no "
                "transaction is active. Include pyramid_tm; see that tm.activate_hook does not switch it off "
                "for this request; in a script, a test or a tween above pyramid_tm begin one yourself: "
                "request.tm.begin()"
            )
        return held

    def _open(self) -> Unit | Apart:
        held = self._held
        request = self._request
        if request is not None and isinstance(held, Unit) and held.is_joined_for(request):
            return held
        try:
            request, owner = self._whose()
        except NoTransactionError:
            if held is None:
                raise
            return held
        where, transaction = standing(request, seen_active=self._seen_active)
        if where is Standing.LIVE and transaction is not None:
            self._seen_active = self._seen_active or "tm.active" in request.environ
            if held is None or not self._belongs_in(transaction):
                held = self._open_in(transaction, request, owner)
        elif held is None:
            committing = where is Standing.COMMITTING
            held = Apart(
                self._factory,
                request,
                ended=where is Standing.ENDED,
                committing=committing,
                patient=not committing,
            )
        elif isinstance(held, Apart):
            held.ended = held.ended or where is Standing.ENDED
        before, self._held = self._held, held
        if held is not before:
            held.announce(None if before is None else before.opening)
        return held

    def _belongs_in(self, transaction: Transaction) -> bool:
        held = self._held
        if isinstance(held, Unit):
            return held.transaction is transaction and held.phase is not Phase.ABORTED
        # What an error page has read beside a dead transaction stays; what was read before the transaction
        # began may be out of date in it and is read again.
        return held is not None and held.ended

    def _open_in(self, transaction: Transaction, request: Request, owner: Request) -> Unit | Apart:
        manager: TransactionManager = manager_of(request)
        # On the transaction, and not on the request, since subrequests share it; by the request the browser
        # sent, since a test's transaction goes through many requests.
        try:
            units = transaction.data(self._factory)
        except KeyError:
            units = {}
            transaction.set_data(self._factory, units)
        unit: Unit | None = units.get(owner)
        if unit is not None and unit.phase is not Phase.ABORTED:
            return unit
        after = self._held.last_committed if isinstance(self._held, Unit) else None
        unit = Unit(self._factory, owner, transaction, manager, after)
        if getattr(request, "exception", None) is None:
            unit.load(request)
        else:
            try:
                unit.load(request)
            except Exception as error:  # noqa: BLE001 - whatever it is, the page shall render
                # An error page inside a transaction whose database side is dead, or whose database session
                # the application cannot make. The request's connection is still checked out, so another one
                # is taken only if the pool has one to spare.
                kind = type(error).__name__  # what it says repeats the values of the application's statement
                log.debug("An error page could not read the session in its transaction (%s)", kind)
                return Apart(self._factory, request, ended=True, patient=False)
        units[owner] = unit
        return unit

    def _whose(self) -> tuple[Request, Request]:
        """Return the request, and the one that the browser sent, which hears from now on how it ends.

        Raises:
            NoTransactionError: It has ended, and nobody has it any more.
        """
        request, owner = self._request, self._registered_on
        if self._past is not None:
            request, owner = self._past[0](), self._past[1]()
            if request is None or owner is None:
                raise NoTransactionError("the request that this session belonged to has ended")
        elif owner is None:
            owner = self._registered_on = outermost_request(request)
            owner.add_response_callback(self._respond)
            owner.add_finished_callback(self._finish)
        return request, owner

    def _respond(self, request: Request, response: Response) -> None:
        self._factory.jar.vary(response)
        held = self._held
        if isinstance(held, Apart) and held.contents.is_changed:
            self._warn_of_dropped_change("no transaction is active")
        if held is not None and not will_be_retried(request):
            held.answer(request, response)

    def _finish(self, request: Request) -> None:
        held = self._held
        # An error may have gone out without a response: activity counts all the same.
        if held is not None and not will_be_retried(request):
            held.answer(request, None)
        if self._request is not None:
            self._past = ref(self._request), ref(request)
            self._request = self._registered_on = None
        if held is not None:
            held.let_go()

    def _warn_of_dropped_change(self, reason: str) -> None:
        if not self._warned:
            self._warned = True
            log.warning("A change of the session was dropped, because %s", reason)
