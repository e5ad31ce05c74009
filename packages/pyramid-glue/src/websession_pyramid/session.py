"""``request.session``: Pyramid's `ISession`, over a unit of work."""

from __future__ import annotations

import hmac
import logging
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from weakref import ref

from pyramid.interfaces import ISession
from websession_core.errors import NoTransactionError
from websession_core.state import short_name
from websession_models.features import feature_of_column
from zope.interface import implementer

from .bookkeeping import will_be_retried
from .contents import Contents
from .earlier_attempts import earlier_attempt, pass_on
from .errors import MissingFeatureError
from .form_tokens import form_token, is_number, made_ticket, new_number, new_stored_token
from .overrides import SessionOverrides
from .read_only import ReadOnlySession
from .request_transaction import (
    Sharing,
    TransactionState,
    is_error_page,
    is_within_another,
    is_within_pyramid_tm,
    manager_of,
    sharing,
    transaction_state,
)
from .unit_of_work import Phase, UnitOfWork

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
    from uuid import UUID
    from weakref import ReferenceType

    from pyramid.request import Request
    from pyramid.response import Response
    from transaction import Transaction, TransactionManager
    from websession_core.state import Ticket

    from .earlier_attempts import EarlierAttempt
    from .kit import SessionKit
    from .working_copy import WorkingCopy

__all__ = ["Holder", "WebSession"]

log = logging.getLogger(__name__)

Holder: TypeAlias = UnitOfWork | ReadOnlySession
"""What has the working copy."""

_CSRF_KEY = "_csrft_"  # Pyramid's own sessions and storage policies use this key
_CSRF_COLUMN = "csrf_token"
_MISSING: Any = object()

# What sessions of Beaker and pyramid_session_redis have, and what to write here.
_OF_OTHER_LIBRARIES = {
    "session_id": "use `id`, which is None while the session is not stored",
    "timeout": "use `settings.idle_timeout`",
    "save": "what a view changes is stored with its transaction: leave the call out",
    "persist": "what a view changes is stored with its transaction: leave the call out",
    "delete": "use `invalidate()`",
}


@implementer(ISession)
class WebSession(MutableMapping[str, Any]):
    """The session of one request: a mapping, stored in the application's own transaction.

    Changes are noticed wherever they are made, also inside nested lists and dicts. A value that some
    supported database cannot hold is refused at the assignment (`UnstorableValueError`), a nested one when
    the session is written.

    Args:
        kit: Whose sessions these are.
        request: The request.
    """

    _kit: SessionKit
    _request: Request | None
    _shared: Sharing | None
    _past: tuple[ReferenceType[Request], ...] | None
    _lender: WebSession | None
    _holder: Holder | None
    _seen_active: bool
    _earlier: EarlierAttempt | None
    _answered: list[WebSession]

    def __init__(self, kit: SessionKit, request: Request) -> None:
        # Past `__setattr__`, here and below, which is for the application and would cost every request.
        state = self.__dict__
        state["_kit"] = kit
        # None after the request's end, when weak references take its place: the request holds its session,
        # and two that hold each other stay, with all that the request has, for the garbage collector.
        state["_request"] = request
        state["_shared"] = state["_past"] = state["_lender"] = state["_holder"] = None
        state["_earlier"] = None
        state["_seen_active"] = False
        # Those that are answered with the browser's request, if that is this one: its own, and those of
        # subrequests with transactions of their own.
        state["_answered"] = []

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name.startswith("_") or hasattr(type(self), name)):
            raise AttributeError(
                f"a session stores keys, and no attributes: request.{self._kit.attribute}[{name!r}] = ..."
            )
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        remedy = _OF_OTHER_LIBRARIES.get(name)
        message = f"{type(self).__name__!r} object has no attribute {name!r}"
        raise AttributeError(f"{message}: {remedy}" if remedy else message)

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
        return self._open().working_copy.began_here

    def invalidate(self) -> None:
        """End the session: its row is deleted in the transaction, and the browser's cookies with it.

        Where visitors have a cookie of their own, a session that waits under a login ends, too. The session
        is usable at once for new data, under a new identifier and a new cookie: call this before a login if
        nothing of the anonymous session shall survive.

        Raises:
            NoTransactionError: There is no transaction to delete the row in.
        """
        copy = self._open_for_change()
        copy.start_over(Contents(rules=self._kit.rules), "ended by the application")
        copy.end_visitors_session("ended by the application")

    def changed(self) -> None:
        """Have the session written even if no change can be seen. Never needed for nested changes."""
        self._for_change().payload.mark_changed()

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Add a message to a flash queue.

        Args:
            msg: What a session can hold, translation strings and `Markup` included. Of another subclass of
                `str` the plain text is kept.
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
        """Make another token against cross-site request forgery; those from before are refused."""
        return self._put_token(self._open_for_change())

    def get_csrf_token(self) -> str:
        """Return the token against cross-site request forgery, for the forms of this page.

        It is the session's. If the browser's cookies open none, it is that of the visitor's cookie, or else
        of the users'. If it has brought none, the response brings one, and no row is stored for it (where
        visitors share a cookie with users, a row is).
        """
        holder = self._open()
        copy = holder.working_copy
        token = self._own_token(copy)
        if token is not None:
            if self._kit.settings.alongside_0_2 and token != self._stored_token(copy.contents):
                # A cookie from here will have no seed to make it from.
                self._store_token(holder.prepare_change(is_token=True).contents, token)
            return token
        if copy.contents.row is not None:
            return self._put_token(holder.prepare_change(is_token=True))  # its ticket has no seed
        ticket = None if copy.pending.forgets_cookies else self._ticket_shown(copy)
        if ticket is not None:
            return _token_of(ticket)
        if self._kit.separates_visitors:
            return _token_of(copy.ticket_for_forms())
        if self._kit.settings.alongside_0_2:
            return self._put_token(holder.prepare_change(is_token=True))
        copy = holder.prepare_change(is_token=True)
        copy.want_row()
        return form_token(copy.certain_seed() or b"")

    def accepts_csrf_token(self, supplied: str) -> bool:
        """Return whether a form with this token may be acted upon.

        In a login only its own is accepted. While none is open, so is that of either cookie: the form may
        have been shown before the session began, or before a login whose answer was lost.

        Args:
            supplied: What came with the form.
        """
        copy = self._open().working_copy
        own = self._own_token(copy)
        tokens = [] if own is None else [own]
        has_login = self._kit.has("userid") and copy.contents.value("userid") is not None
        if not has_login and not copy.pending.forgets_cookies:
            tokens += self._tokens_of_cookies(copy)
        text = supplied.encode(errors="backslashreplace")
        return any(hmac.compare_digest(token.encode(), text) for token in tokens)

    # -- the mapping ---------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        return self._read().payload[key]

    def __setitem__(self, key: str, value: Any) -> None:
        copy = self._open_for_change()
        copy.contents.payload[key] = value
        if key in self._kit.login_keys:
            # A cookie that was planted before the login must not open it. It did not either in Pyramid's own
            # sessions, which keep the login in the new cookie's value.
            self._rotate(copy, "a user has logged in")

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
        """Return a plain dict of everything, in which changes do not touch the session."""
        return self._read().payload.copy()

    def pop(self, k: str, default: Any = _MISSING) -> Any:
        """Remove key `k` and return its value, or `default` if that is given and there is no such key."""
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
            userid: A value of the type of the model's `userid`; None: nobody is logged in any more. The
                user's session ends, and data and flash messages go on in a new anonymous one; columns of the
                application's own and the session's own settings do not.
            keep_data: Whether the data and the flash messages go on where another user has had the session
                so far: for a guest's account that becomes a real one, or for "act as". The row and the
                tokens are new all the same.

        Raises:
            UnstorableValueError: The column cannot hold the value: of another type, too long, too large.
            NoTransactionError: There is no transaction to store it in.
            TooManySessionsError: The user has as many sessions as the settings allow, and they say that a
                further one is refused. Nothing was changed.
        """
        self._require("userid")
        copy = self._open_for_change()
        copy.check_userid(userid)
        if userid is None:
            self._log_out_and_go_on(copy)
            return
        copy.end_excess_sessions(userid)
        if copy.contents.value("userid") not in (None, userid):
            self._leave_to_another_user(copy, keep_data=keep_data)
        contents = copy.contents
        contents.set_value("userid", userid)
        if self._kit.has("authenticated_at"):
            contents.set_value("authenticated_at", self._kit.clock())
        self._rotate(copy, "a user has logged in")
        copy.end_unreadable("a user has logged in")

    def _log_out_and_go_on(self, copy: WorkingCopy) -> None:
        """Let nobody be logged in any more, and data and flash messages go on."""
        before, reason = copy.contents, "nobody is logged in any more"
        if before.row is not None and before.value("userid") is None:
            self._rotate(copy, reason)
            copy.forget_cookies()
        elif before.row is None:
            before.changes.clear()
            self._drop_token(before)
            copy.start_over(before, reason)
        else:
            name = short_name(before.row.id)
            after = before.for_another_row()
            self._drop_token(after)
            copy.start_over(after, reason)
            log.info(
                "Nobody is logged in any more: the session %s ended, and its data goes on in another", name
            )
        copy.end_unreadable(reason)
        copy.end_visitors_session(reason)

    def _leave_to_another_user(self, copy: WorkingCopy, *, keep_data: bool) -> None:
        before = copy.contents
        losses = before.describe(with_data=not keep_data)
        if losses:
            name = "" if before.row is None else f" {short_name(before.row.id)}"
            log.info("Another user has logged in: the session%s ended, and with it %s", name, losses)
        after = before.for_another_row() if keep_data else Contents(rules=self._kit.rules)
        copy.start_over(after, "another user has logged in")

    @property
    def login_age(self) -> int | None:
        """Seconds since the user last proved who they are; None: never. Needs `AuthenticatedAtMixin`."""
        self._require("authenticated_at")
        contents = self._read()
        # A foreign key with ON DELETE SET NULL takes the user away, and leaves the time.
        has_user = not self._kit.has("userid") or contents.value("userid") is not None
        since = contents.value("authenticated_at") if has_user else None
        return None if since is None else max(0, self._kit.clock() - since)

    def regenerate(self) -> None:
        """Give the session a new identity: cookies from before open nothing once the transaction commits.

        Its data, its primary key and its user stay; the token against cross-site request forgery is replaced.
        For a change of privileges that is no login.

        Raises:
            NoTransactionError: There is no transaction to store it in.
        """
        self._rotate(self._open_for_change(), "asked for by the application")

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

        It is the object that ``dbsession.get(Model, request.session.id)`` gives: use it for columns and
        relationships of your own. Leave the columns of the mixins to the session.

        Raises:
            NoTransactionError: There is no transaction to store and load it in.
        """
        return self.working_copy_to_write().write_now()

    # -- for the other modules of this package -------------------------------------------------------------

    @property
    def kit(self) -> SessionKit:
        """What is made once for all sessions of the same settings."""
        return self._kit

    @property
    def is_database_usable(self) -> bool:
        """Whether the request's transaction is there, and its database session was not broken by an error."""
        holder = self._open()
        if not isinstance(holder, UnitOfWork) or not holder.working_copy.is_writable:
            return False
        writer = holder.working_copy.writer
        return writer is None or writer.dbsession.is_active

    @property
    def holder(self) -> Holder | None:
        """What holds the session, None as long as nobody has looked at it."""
        return self._holder if self._lender is None else self._lender.holder

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
        return self._open().working_copy.contents

    def _for_change(self) -> Contents:
        return self._open().prepare_change().contents

    def _open_for_change(self) -> WorkingCopy:
        return self._open().prepare_change()

    def _put_token(self, copy: WorkingCopy) -> str:
        """Store what makes another token, and return that."""
        seed = copy.certain_seed(copy.seed_of_forms)
        stored = new_stored_token() if seed is None else new_number()
        self._store_token(copy.contents, stored)
        return stored if seed is None else form_token(seed, stored)

    def _rotate(self, copy: WorkingCopy, reason: str) -> None:
        """Give the session a new identity. Anyone who had it before knows the token against forgery."""
        self._drop_token(copy.contents)
        copy.rotate(reason)

    def _store_token(self, contents: Contents, stored: str) -> None:
        if self._kit.has(_CSRF_COLUMN):
            contents.set_value(_CSRF_COLUMN, stored)
        else:
            contents.payload[_CSRF_KEY] = stored

    def _stored_token(self, contents: Contents) -> str | None:
        in_column = self._kit.has(_CSRF_COLUMN)
        stored = contents.value(_CSRF_COLUMN) if in_column else contents.payload.get(_CSRF_KEY)
        return stored if isinstance(stored, str) and stored else None

    def _drop_token(self, contents: Contents) -> None:
        if self._kit.has(_CSRF_COLUMN):
            contents.set_value(_CSRF_COLUMN, None)
        contents.payload.pop(_CSRF_KEY, None)

    def _own_token(self, copy: WorkingCopy) -> str | None:
        """Return the token of the session that is there, None if there is none, or it has none yet."""
        contents = copy.contents
        stored = self._stored_token(contents)
        seed = copy.seed
        if stored is not None and (seed is None or not is_number(stored)):
            return stored  # what version 0.2 has stored stays good
        begins = stored is not None or (self._kit.has("userid") and contents.value("userid") is not None)
        if seed is None or not (contents.row is not None or begins):
            return None
        return form_token(seed, stored or "")

    def _ticket_shown(self, copy: WorkingCopy) -> Ticket | None:
        """Return the ticket whose token a page shows while no session is open."""
        presented = copy.opening.presented
        tickets = [presented.visitors.first, presented.users.first]
        if not copy.opening.verdicts:
            tickets.reverse()  # nothing could be read, so that the users' may be good
        return next((ticket for ticket in tickets if ticket is not None and ticket.seed is not None), None)

    def _tokens_of_cookies(self, copy: WorkingCopy) -> Iterator[str]:
        presented, row = copy.opening.presented, copy.contents.row
        if row is not None and self._kit.visitor_jar is None:
            return
        for ticket in (presented.visitors.first, presented.users.first):
            is_open = row is not None and ticket is not None and ticket.session_id == row.id
            if ticket is not None and ticket.seed is not None and not is_open:
                yield _token_of(ticket)
        seed = copy.seed_of_forms
        if seed is not None:
            yield form_token(seed)

    def _open(self) -> Holder:
        holder = self._find_holder()
        copy = holder.working_copy
        if copy.may_be_deleted and not (self._request is not None and is_error_page(self._request)):
            copy.notice_deletions()
        return holder

    def _find_holder(self) -> Holder:
        """Return what holds the session now.

        ================  ==================  ===================================  ===================
        the transaction   nothing opened yet  a unit of work                       a read-only session
        ================  ==================  ===================================  ===================
        has not begun     read-only           stays                                stays
        is live           a unit of work      stays if it is of this transaction,  a unit of work
                                              not aborted; else the next one,
                                              which goes on with its ticket
        being committed   read-only, through  stays                                stays
                          its connection
        has ended         read-only           stays                                stays, to the end
        ================  ==================  ===================================  ===================

        An error page in a live transaction whose database is dead reads beside it, and stays with that.
        """
        holder, shared = self._holder, self._shared
        if holder is not None and holder.joined is not None and shared is not None:
            # As a rule: a unit of work that will be told of the end.
            if transaction_state(shared.transaction, joined=holder.joined)[0] is TransactionState.LIVE:
                return holder
            holder.drop_changes()
        lender = self._look_for_lender()
        if lender is not None:
            return lender._open()
        try:
            shared = self._requests()
        except NoTransactionError:
            if holder is None:
                raise
            return holder
        request = shared.transaction
        state, transaction = transaction_state(request, seen_active=self._seen_active)
        if transaction is not None:
            if not self._seen_active:
                self.__dict__["_seen_active"] = is_within_pyramid_tm(request)
            if holder is None or not holder.belongs_to(transaction):
                holder = self._open_in(transaction, shared)
        elif holder is None:
            # Another connection may wait for what the request's own holds.
            patient = state is not TransactionState.COMMITTING and not is_within_another(request)
            holder = ReadOnlySession(self._kit, shared, state, patient=patient)
        elif state is TransactionState.ENDED:
            holder.see_the_end()
        before, self.__dict__["_holder"] = self._holder, holder
        if holder is not before:
            holder.announce(None if before is None else before.working_copy.opening)
            if self._kit.take_over is not None and transaction is not None:
                self._take_over(holder, shared.browser, transaction)
        return holder

    def _take_over(self, holder: Holder, request: Request, transaction: Transaction) -> None:
        """Take over the session that another library has kept for the browser."""
        take_over = self._kit.take_over
        if take_over is None or not isinstance(holder, UnitOfWork) or is_error_page(request):
            return
        if not take_over.is_wanted(request):
            return
        is_known = holder.working_copy.opening.verdict is not None
        take_over.apply(self, request, transaction, is_known=is_known)

    def _open_in(self, transaction: Transaction, shared: Sharing) -> Holder:
        # On the transaction, and not on the request, since subrequests share it; by the request the browser
        # sent, since a test's transaction goes through many requests.
        try:
            units = transaction.data(self._kit)
        except KeyError:
            units = {}
            transaction.set_data(self._kit, units)
        unit: UnitOfWork | None = units.get(shared.browser)
        if unit is not None and unit.phase is not Phase.ABORTED:
            return unit
        manager: TransactionManager = manager_of(shared.transaction)
        home = self._session_of(shared.browser)
        previous, earlier = home._last_committed(), home._earlier
        if earlier is not None and previous is earlier.last and not earlier.is_seen_by(shared, manager):
            previous = None
        unit = UnitOfWork(
            self._kit, shared, transaction, manager, previous=previous, last_committed=home._last_committed
        )
        try:
            unit.load()
        except Exception as error:
            if not is_error_page(shared.transaction):
                raise
            # Whatever it is, the page shall render. It is an error page inside a transaction whose database
            # side is dead, or whose database session the application cannot make. The request's connection is
            # still checked out, so another one is taken only if the pool has one to spare.
            kind = type(error).__name__  # what it says repeats the values of the application's statement
            log.debug("An error page could not read the session in its transaction (%s)", kind)
            return ReadOnlySession(self._kit, shared, TransactionState.ENDED, patient=False)
        units[shared.browser] = unit
        return unit

    def _last_committed(self) -> UnitOfWork | None:
        """Return what the browser's request, if it is this one's, or its subrequests have committed last."""
        holders = [session._holder for session in self._answered]
        committed = [holder.last_committed for holder in reversed(holders) if holder is not None]
        before = None if self._earlier is None else self._earlier.last
        return next((unit for unit in committed if unit is not None), before)

    def _look_for_lender(self) -> WebSession | None:
        """Return the session that this one is, in a subrequest that shares it; None: it is one of its own."""
        request = self._request
        if request is None or self._seen_active:
            return self._lender
        shared = sharing(request, self._kit.tickets.named_session)
        if shared is not None:
            lender = self._session_of(shared.session)
            if lender is self:
                self._lender, self._shared = None, shared
            elif self._lender is None:
                self._lender = lender
                request.add_finished_callback(self._let_go)
        return self._lender

    def _session_of(self, request: Request) -> WebSession:
        """Return the session of the same kind that another request has; this one, if it has none."""
        if request is self._request:
            return self
        session = getattr(request, self._kit.attribute, None)
        return session if isinstance(session, WebSession) and session.kit is self._kit else self

    def _requests(self) -> Sharing:
        """Return the requests concerned; from now on the end of the browser's is heard of.

        Raises:
            NoTransactionError: They have ended, and nobody has them any more.
        """
        if self._past is not None:
            session, transaction, browser = (request() for request in self._past)
            if session is None or transaction is None or browser is None:
                raise NoTransactionError("the request that this session belonged to has ended")
            return Sharing(session, transaction, browser)
        shared = self._shared
        if shared is None:
            shared = self.__dict__["_shared"] = Sharing(self._request, self._request, self._request)
        self._session_of(shared.browser)._expect_answer(self, shared)
        return shared

    def _expect_answer(self, session: WebSession, shared: Sharing) -> None:
        """Answer for a session, when the browser's request ends, which is this one's."""
        if not self._answered:
            self.__dict__["_earlier"] = earlier_attempt(shared.browser, self._kit)
            shared.browser.add_response_callback(self._respond)
            shared.browser.add_finished_callback(self._finish)
        if not any(one is session for one in self._answered):
            self._answered.append(session)
            if not shared.is_answered:
                shared.transaction.add_finished_callback(self._finish)

    def _respond(self, request: Request, response: Response) -> None:
        self._kit.jar.vary(response)
        if not will_be_retried(request, getattr(request, "exception", None)):
            self._answer(request, response)

    def _answer(self, request: Request, response: Response | None) -> None:
        if self._earlier is not None:
            self._earlier.last.answer(request, response)
        for session in self._answered:
            if session._holder is not None and not session._goes_on:
                session._holder.answer(request, response)
            if session._holder is not None and response is not None:
                self._send_ticket_for_forms(session._holder.working_copy, request, response)

    def _send_ticket_for_forms(self, copy: WorkingCopy, request: Request, response: Response) -> None:
        """Send the ticket without a row that a page's forms need, if nothing has taken its place."""
        kit, jar = self._kit, self._kit.visitor_jar
        ticket = None if jar is None else made_ticket(kit, request)
        if jar is None or ticket is None or any(other.is_stored_by(response) for other in (kit.jar, jar)):
            return
        visitors = copy.opening.presented.visitors.first
        if visitors is not None and visitors.seed is not None and not copy.pending.forgets_cookies:
            return  # it was made for what an aborted transaction would have ended
        jar.set(request, response, kit.tickets.token(ticket), kit.policies(None, owned=False).cookie_max_age)

    @property
    def _goes_on(self) -> bool:
        """Whether the transaction is that of a request around the browser's.

        It is for a subrequest with another session's cookie, whose response is made before the commit and can
        tell nothing of it.
        """
        holder, shared = self._holder, self._shared
        return (
            holder is not None
            and shared is not None
            and holder.working_copy.is_writable
            and not shared.is_answered
        )

    def _finish(self, request: Request) -> None:
        # An error may have gone out without a response: activity counts all the same. It is under way here;
        # where there was a response it is somebody else's, whose handler has called us, and all is done.
        if not will_be_retried(request, getattr(request, "exception", None) or sys.exc_info()[1]):
            self._answer(request, None)
        elif request is self._request:
            pass_on(request, self._kit, self._last_committed())
        going_on = [session for session in self._answered if session._goes_on]
        for session in self._answered:
            if not any(one is session for one in going_on):
                session._let_go(request)
        self.__dict__["_answered"] = going_on

    def _let_go(self, _request: Request) -> None:
        """Forget the request, whose end this was."""
        if self._request is not None and self._lender is None:
            shared = self._shared or Sharing(self._request, self._request, self._request)
            self.__dict__["_past"] = tuple(ref(request) for request in shared)
        self.__dict__["_request"] = self.__dict__["_shared"] = self.__dict__["_earlier"] = None
        if self._holder is not None:
            self._holder.detach()


def _token_of(ticket: Ticket) -> str:
    return form_token(ticket.seed or b"")
