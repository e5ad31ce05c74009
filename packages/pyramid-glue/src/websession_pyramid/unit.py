"""The unit of work: one session row, in one transaction.

A unit is made at the first touch of ``request.session`` and kept on the transaction, so that subrequests
which share the transaction share it too. Its phases, and what moves it from one to the next::

    OPEN ──tpc_begin──▶ SEALED ──tpc_finish──▶ COMMITTED
      │                    │
      └──────abort─────────┴──────────────────▶ ABORTED

- **OPEN**: the application reads and changes the session in memory. Nothing is written.
- **SEALED**: the transaction is being committed. Each step of the two-phase commit writes what has changed
  since the step before: hooks, flush listeners and other data managers may still change the session.
- **COMMITTED**: what the unit says is in the database. Only now may a cookie leave.
- **ABORTED**: the unit shows the row as it was read, as if the request had done nothing.

Why a data manager *and* a before-commit hook: once the managers are being committed, no further one can
join the transaction. The hook does nothing but make the database session join in time (it must never raise:
`pyramid_tm` would not abort). The data manager, which sorts just before zope.sqlalchemy's, does the
writing, where an error aborts everything cleanly.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

import zope.sqlalchemy
from sqlalchemy import delete, inspect
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, scoped_session
from transaction.interfaces import IDataManagerSavepoint, ISavepointDataManager
from websession_core.errors import TooManySessionsError
from websession_core.lifecycle import begin, redate, reissue, rotate
from websession_core.settings import LimitPolicy
from websession_core.state import COUNTER_MAX
from websession_models import SessionRow, has_ended_transaction
from websession_models.user_limit import UsersSession, is_slot_taken, users_sessions
from zope.interface import implementer

from . import savepoints
from .books import keep_books
from .clients import client_info
from .contents import OVERRIDES, Contents, ContentsSnapshot
from .errors import LateChangeError, StaleSessionError, UnsupportedSetupError
from .events import SessionCreated, SessionInvalidated, SessionRegenerated, SessionRenewed
from .identity_map import expire_references, expire_row, expunge_row
from .opening import NOTHING, Opening, announce, announce_opening, short_name
from .transactions import is_outer_test_transaction, would_abort

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pyramid.request import Request
    from pyramid.response import Response
    from sqlalchemy import Connection
    from sqlalchemy.orm import Mapper
    from transaction import Transaction, TransactionManager
    from websession_core.lifecycle import Rotation
    from websession_core.state import Ticket

    from .factory import SessionFactory
    from .opening import Refusal

__all__ = ["Phase", "Unit", "database_session"]

log = logging.getLogger(__name__)


_READ_ATTEMPTS = 5

_LOGIN_ELSEWHERE = (
    "the same user has logged in elsewhere at the same time, and may have no more sessions; nothing was "
    "overwritten. With pyramid_retry included, the request runs again on its own"
)


class Phase(enum.Enum):
    """Where a unit is in its life; see the module's text."""

    OPEN = "open"
    SEALED = "sealed"
    COMMITTED = "committed"
    ABORTED = "aborted"


class CookieOrder(enum.Enum):
    """What the response has to tell the browser."""

    KEEP = "nothing"
    SET = "store this cookie"
    DELETE = "forget the cookie"


class UnitSnapshot(NamedTuple):
    """Everything about a unit that the rollback of a savepoint brings back."""

    contents: Contents
    state: ContentsSnapshot
    removed: tuple[UUID, ...]
    gone: tuple[UUID, ...]
    invalidated: bool
    wanted: bool
    ticket: Ticket | None
    rewritten: frozenset[str]

    def __repr__(self) -> str:
        return "<UnitSnapshot>"  # whole identifiers


@implementer(ISavepointDataManager)
class Unit:
    """One session row in one transaction; also the data manager that writes it.

    Args:
        factory: Whose sessions these are: settings, store, codec.
        request: The request that the browser sent; its response carries the cookie.
        transaction: The live transaction.
        manager: The manager of that transaction.
        after: The unit that the same request has committed before, in a transaction that the view has ended
            by itself; None: there was none. This one goes on with the ticket that the other has left.

    Attributes:
        contents: What the session holds.
        opening: What became of the browser's cookie.
        phase: Where the unit is in its life.
        transaction: The transaction it belongs to.
        books: What was noted down at the end of the request, for a person to read.
    """

    books: Sequence[str] = ()

    def __init__(
        self,
        factory: SessionFactory,
        request: Request,
        transaction: Transaction,
        manager: TransactionManager,
        after: Unit | None = None,
    ) -> None:
        self._after = after
        self.opening = NOTHING
        self.contents: Contents  # made by load()
        self.phase = Phase.OPEN
        self.transaction = transaction
        self.transaction_manager = manager  # the name is IDataManager's
        self._factory = factory
        self._request = request
        self._object: Any = None
        self._dbsession: Session | None = None
        self._managed = "tm.active" in request.environ  # by pyramid_tm, which removes it when it is through
        self._joined = False
        self._hooked = False
        self._removed: tuple[UUID, ...] = ()
        self._invalidated = False
        self._wanted = False
        self._changed_by_error_page = False
        self._ticket: Ticket | None = None  # of the row as it was written, if that needs a new one
        self._rewritten: frozenset[str] = frozenset()
        self._gone: tuple[UUID, ...] = ()
        self._token: str | None = None
        self._order = CookieOrder.KEEP
        self._announced = False
        self._answered = False
        self._savepoints: savepoints.SavepointStack[UnitSnapshot] | None = None

    # -- made at the first touch ---------------------------------------------------------------------------

    def load(self, request: Request) -> None:
        """Read the session that the browser's cookie names, if any: one SELECT, or none without a ticket.

        Args:
            request: The request at hand, whose database session is used (a subrequest may be the first to
                touch the session).

        Raises:
            SQLAlchemyError: The row could not be read.
        """
        factory = self._factory
        if self._after is None:
            ticket, refusals = factory.read_ticket(self._request)
        else:
            ticket, refusals = self._after.ticket_left, ()
        if refusals:
            self.opening = Opening(refusals=refusals)
        if ticket is not None:
            self._dbsession = dbsession = database_session(request, factory.settings.dbsession_name)
            self.opening = self._read(dbsession, ticket, refusals)
        self.contents = self.opening.contents()
        if self._dbsession is not None:
            # Not before: the rollback of a savepoint that is open already goes back to what was just read.
            self._follow_savepoints(self._dbsession)
        if not self.transaction.isDoomed():
            # A doomed transaction never commits: there is nothing to take part in. Tests that hold one
            # doomed transaction around many requests would only gather dead managers in it.
            self.transaction.join(self)
            self._joined = True

    def announce(self, before: Opening | None) -> None:
        """Tell the subscribers what was found in the browser's cookie, once.

        Args:
            before: What was found before, in the same request; None: nothing was looked at.
        """
        if self._announced:
            return
        self._announced = True
        if self._after is None or not self.opening.verdict:
            announce_opening(self._request, self._factory, self.opening, before)

    def _read(self, dbsession: Session, ticket: Ticket, refusals: tuple[Refusal, ...]) -> Opening:
        store = self._factory.store
        # On MariaDB at SERIALIZABLE even a read can lose a conflict, against a touch, for example. If it was
        # the first statement nothing is lost by that but the read itself: it is simply made again.
        attempts = 1 if dbsession.in_transaction() else _READ_ATTEMPTS
        for attempt in range(attempts):
            connection = self.connection()
            try:
                row = self._row(dbsession, connection, ticket)
            except DBAPIError as error:
                if attempt + 1 == attempts or not has_ended_transaction(error, connection.dialect.name):
                    raise
                continue
            break
        self._factory.look_at(connection)
        reorder = store.reorders_keys(connection)
        return Opening.judged(self._factory, ticket, row, reorder=reorder, refusals=refusals)

    def _row(self, dbsession: Session, connection: Connection, ticket: Ticket) -> SessionRow | None:
        store = self._factory.store
        if not store.features.eager:
            return store.load(connection, ticket.session_id)
        # The user's model wants more than the row, in the same SELECT. The instance is held here since the
        # database session itself holds it weakly.
        found = store.load_with_instance(dbsession, ticket.session_id)
        self._object, row = (None, None) if found is None else found
        return row

    # -- changes in memory ---------------------------------------------------------------------------------

    @property
    def is_writable(self) -> bool:
        """Whether a change can still reach the database in this transaction."""
        return self.phase is Phase.OPEN or self.phase is Phase.SEALED

    def is_joined_for(self, request: Request) -> bool:
        """Tell, quickly, whether the unit takes part in the transaction, so that its end will be heard of.

        False is no verdict: the caller has to look at the transaction itself.
        """
        if self.phase is Phase.SEALED:
            return True
        if self.phase is not Phase.OPEN or not self._joined:
            return False
        if getattr(request, "exception", None) is None or "tm.active" in request.environ:
            return True
        # An error page, and pyramid_tm is through: a before-commit hook of the application's has raised,
        # which leaves the transaction active for ever. While hooks run their list is not empty.
        if next(iter(self.transaction.getBeforeCommitHooks()), None) is not None:
            return True
        self._drop_changes()
        return False

    @property
    def last_committed(self) -> Unit | None:
        """The last unit of this request that was committed: this one or one before, if there is any."""
        return self if self.phase is Phase.COMMITTED else self._after

    @property
    def ticket_left(self) -> Ticket | None:
        """The ticket that the browser has, or gets with the response, when this unit is committed."""
        verdict = self.opening.verdict
        if self._ticket is not None or self._is_logged_out or verdict is None:
            return self._ticket
        return verdict.ticket

    @property
    def _is_logged_out(self) -> bool:
        return self.contents.row is None and self._invalidated and not self.opening.only_a_login_may_follow

    @property
    def began_here(self) -> bool:
        """Whether the session began in this transaction."""
        return self.opening.row is None or self._invalidated

    def prepare_change(self, request: Request) -> None:
        """Make sure that the change about to be made will be noticed at commit.

        Args:
            request: The request at hand, as for :meth:`load`.
        """
        if self._dbsession is None:
            self._dbsession = database_session(request, self._factory.settings.dbsession_name)
            self._follow_savepoints(self._dbsession)
        if getattr(request, "exception", None) is not None:
            self._changed_by_error_page = True
        if self._joined and not self._hooked and self.phase is Phase.OPEN:
            # Once more after each run of the hooks: one that was registered after ours may be the change.
            self.transaction.addBeforeCommitHook(self._join_database)
            self._hooked = True

    def start_over(self, contents: Contents, reason: str) -> None:
        """Let the present row be deleted, and go on under a new identifier.

        Args:
            contents: What the session holds from now on.
            reason: Why, for the event.
        """
        row = self.contents.row
        if row is not None:
            self._removed = (*self._removed, row.id)
        self._invalidated = True
        self._wanted = False
        self._ticket, self._rewritten = None, frozenset()
        self.contents = contents
        if row is not None:
            announce(self._request, self._factory, SessionInvalidated, short_name(row), reason)

    @property
    def ending(self) -> frozenset[UUID]:
        """The sessions that this transaction deletes, or has deleted already."""
        return frozenset((*self._removed, *self._gone))

    def end(self, session_id: UUID, reason: str) -> None:
        """Let another session's row be deleted with what this one writes.

        Args:
            session_id: Its primary key.
            reason: Why, for the event.
        """
        self._removed = (*self._removed, session_id)
        announce(self._request, self._factory, SessionInvalidated, session_id.hex[:8], reason)

    def make_room(self, userid: Any) -> None:
        """Keep a user within the number of sessions that they may have, before they log in once more.

        Args:
            userid: Who is about to log in.

        Raises:
            TooManySessionsError: They have so many, and the settings say that the new one is refused.
        """
        settings = self._factory.settings
        if settings.max_per_user is None or userid is None:
            return
        others = self._others_of(self.connection(), userid)
        # What has ended is in nobody's way, but it may hold a number.
        self._removed = (*self._removed, *(each.id for each in others if each.has_ended))
        living = [each for each in others if not each.has_ended]
        excess = len(living) + 1 - settings.max_per_user
        if excess > 0 and settings.max_per_user_policy is LimitPolicy.REFUSE:
            raise TooManySessionsError(settings.max_per_user)
        for each in living[: max(excess, 0)]:
            self.end(each.id, "its user has logged in elsewhere, and may have no more sessions")

    def _others_of(self, connection: Connection, userid: Any) -> list[UsersSession]:
        own, gone, factory = self.contents.row, self.ending, self._factory
        found = users_sessions(connection, factory.store.features, userid, now=factory.clock())
        return [each for each in found if each.id not in gone and (own is None or each.id != own.id)]

    def _number(self, connection: Connection) -> None:
        """Give the session a number among those of its user, if these are limited."""
        contents, most = self.contents, self._factory.settings.max_per_user
        userid = contents.value("userid")
        if userid is None or most is None:
            contents.changes["session_slot"] = None
            return
        taken = {each.slot for each in self._others_of(connection, userid)}
        free = next((number for number in range(1, most + 1) if number not in taken), None)
        if free is None:
            raise StaleSessionError(_LOGIN_ELSEWHERE)
        contents.changes["session_slot"] = free

    def delete_all(self, present: UUID | None) -> int:
        """Delete all sessions of the model at once.

        Args:
            present: One to be left; None: none.

        Returns:
            How many there were.
        """
        features, connection = self._factory.store.features, self.connection()
        statement = delete(features.table).where(features.criterion())
        if present is not None:
            statement = statement.where(features.columns["id"] != present)
        count = connection.execute(statement).rowcount
        if self._dbsession is not None:
            self._mark_changed(self._dbsession)
        return count

    def rotate(self, reason: str) -> None:
        """Let the next write give the session a new identity; old cookies are dead once it commits.

        Args:
            reason: Why, for the event.
        """
        row = self.contents.row
        if row is not None:
            self.contents.rotating = True
            announce(self._request, self._factory, SessionRegenerated, short_name(row), reason)

    def store_now(self, request: Request) -> Any:
        """Write the session in the transaction at once, even an empty new one.

        Returns:
            The row as an object of the model's class.
        """
        self.prepare_change(request)
        self._wanted = True
        self._write()
        row, dbsession = self.contents.row, self._dbsession
        if row is None or dbsession is None:
            raise LateChangeError(
                "the session cannot be stored in this request: its cookie is older than the session's "
                "present identity, and only a login starts a new one"
            )
        # Held, because the database session itself holds it weakly: an application that changes a collection
        # of it, `request.session.row().devices.append(...)`, does not.
        self._object = dbsession.get(self._factory.settings.model_class, row.id)
        return self._object

    # -- the data manager (transaction.interfaces.ISavepointDataManager) -----------------------------------

    def sortKey(self) -> str:  # noqa: N802 - the interface's name
        """Sort just before zope.sqlalchemy's manager of the same database session.

        Several sessions of one request are written in the order of their tables, whichever it has touched
        first: two requests that write the same rows wait for one another, and for ever by no means.
        """
        twophase = self._dbsession is not None and self._dbsession.twophase
        before = "sqlalchemy.twophase" if twophase else "~sqlalchemy"
        # zope.sqlalchemy goes on with a colon.
        return f"{before}!{self._factory.store.features.table.fullname}"

    def tpc_begin(self, transaction: Transaction) -> None:
        """Write what the application changed. An error here aborts the transaction cleanly."""
        self.phase = Phase.SEALED
        self._write()

    def commit(self, transaction: Transaction) -> None:
        """Write what flush listeners and other managers changed since; zope.sqlalchemy's turn is next."""
        self._write()

    def tpc_vote(self, transaction: Transaction) -> None:
        """Write the last changes and encrypt the cookie, while a failure can still abort everything."""
        self._write()
        self._prepare_cookie()

    def tpc_finish(self, transaction: Transaction) -> None:
        """Note that it is true now: zope.sqlalchemy has committed in its vote, which came after ours."""
        self._joined = False
        self._end(Phase.COMMITTED)

    def abort(self, transaction: Transaction) -> None:
        """Forget every change. Comes for an abort, a failed commit, and a rolled-back savepoint."""
        # After-commit hooks abort all managers of a committed transaction for tidiness: that is not news.
        if self.phase is not Phase.COMMITTED:
            self._joined = False
            self._drop_changes()

    def tpc_abort(self, transaction: Transaction) -> None:
        """Forget every change, after a failed commit."""
        self.abort(transaction)

    def savepoint(self) -> _UnitSavepoint:
        """Return the present state, for ``request.tm.savepoint()``."""
        return _UnitSavepoint(self, self._snapshot())

    # -- after the transaction -----------------------------------------------------------------------------

    def answer(self, request: Request, response: Response | None) -> None:
        """Put the cookie into the response, if the commit made one true, and keep the books.

        Called from a response callback, after `pyramid_tm` is done, or from a finished callback, if an error
        went out without a response. Under a test's own doomed transaction no commit ever comes: the row is
        written here instead, for the test's next request to see.

        Args:
            request: The request that the browser sent.
            response: The response; None: there is none.
        """
        if self._answered:
            return
        self._answered = True
        if self._after is not None:
            self._after.answer(request, response)
        if self._managed and "tm.active" not in request.environ:
            self._settle()
        in_test = self.phase is Phase.OPEN and is_outer_test_transaction(request, self.transaction_manager)
        if in_test:
            if response is None or would_abort(request, response):
                self._drop_changes()
            else:
                self._write()
                self._prepare_cookie()
                self._end(Phase.COMMITTED)
        committed = self.phase is Phase.COMMITTED
        if response is not None and committed:
            self._send(request, response)
        if committed or self.phase is Phase.ABORTED:
            self._keep_books(request, response, in_test=in_test)
        if response is not None and committed and self.contents.row is not None and self.began_here:
            announce(request, self._factory, SessionCreated, short_name(self.contents.row), "first stored")

    def _send(self, request: Request, response: Response) -> None:
        jar = self._factory.jar
        if self._order is CookieOrder.SET and self._token is not None:
            jar.set(request, response, self._token, self._max_age())
        elif self._order is CookieOrder.DELETE:
            jar.delete(request, response)

    def _max_age(self) -> int | None:
        row = self.contents.row
        return self._factory.effective_policies(None if row is None else row.overrides).cookie_max_age

    def _keep_books(self, request: Request, response: Response | None, *, in_test: bool) -> None:
        factory, verdict = self._factory, self.opening.verdict
        has_duties = verdict is not None and bool(verdict.duties)
        is_resettled = not self._rewritten.isdisjoint(OVERRIDES)
        if self._dbsession is None or not (has_duties or is_resettled or self._gone):
            return  # as in most requests, which are to make no engine's acquaintance for it
        if in_test and not self._dbsession.is_active:
            return  # a flush has failed in the test's transaction, where nothing more can be written
        keeper = factory.bookkeeper(self._dbsession, in_test=in_test)
        if keeper is None:
            return
        self.books = keeper.done
        for session_id in self._gone:
            keeper.forget(session_id)
        now, row, ticket = factory.clock(), self.contents.row, self._present_ticket
        if is_resettled and row is not None and ticket is not None:
            # Before anything that was decided by the settings from before.
            keeper.perform(redate(ticket, row.state, factory.policies(row.overrides), now))
        row = self.opening.row
        if verdict is None or (row is not None and row.id in self._gone):
            return
        candidate = keep_books(
            keeper,
            verdict,
            now,
            rotated=self._ticket is not None,
            can_send=response is not None and self._order is CookieOrder.KEEP,
        )
        if candidate is not None and response is not None:
            factory.jar.set(request, response, factory.make_token(candidate), verdict.policies.cookie_max_age)
            announce(request, factory, SessionRenewed, short_name(candidate), "a renewal was due")

    def let_go(self) -> None:
        """Forget the request, whose end this was, unless the transaction goes on without it."""
        if not self.is_writable:
            self._request = None  # what is over does not look at it again
        if self._after is not None:
            self._after.let_go()

    # -- private -------------------------------------------------------------------------------------------

    def _follow_savepoints(self, dbsession: Session) -> None:
        self._savepoints = savepoints.SavepointStack(self._snapshot, self._restore)
        self._savepoints.follow(dbsession)

    def connection(self) -> Connection:
        """Return the connection of the request's transaction."""
        # Not `dbsession.execute`: that would flush the application's pending objects at a moment it did not
        # choose. The mapper tells the engine where several are bound.
        if self._dbsession is None:  # cannot be: every caller has attached one
            raise LateChangeError("the session has no database session")
        return self._dbsession.connection(bind_arguments={"mapper": self._factory.settings.model_class})

    def _join_database(self) -> None:
        self._hooked = False
        try:
            if self._has_work():
                self.connection()
        except Exception as error:  # noqa: BLE001 - a hook that raises leaves the transaction open for ever
            # The data manager will meet the same error where it aborts everything, and all can be seen of it.
            log.debug("The database could not be reached before the commit (%s)", type(error).__name__)

    def _has_work(self) -> bool:
        return bool(self._removed) or self._is_to_be_stored(changed=self.contents.is_changed)

    def _is_to_be_stored(self, *, changed: bool) -> bool:
        contents = self.contents
        if contents.row is not None:
            return changed
        if not self._wanted and contents.is_empty:
            return False
        # The browser's newest cookie may be under way to it: only a login may take its place.
        return not self.opening.only_a_login_may_follow or contents.value("userid") is not None

    def _write(self) -> None:
        contents = self.contents
        # Everything is checked and serialized before the first statement, so nothing half-written stays.
        data, flash = contents.payload.serialize_changed(), contents.flash.serialize_changed()
        changed = data is not None or flash is not None or contents.rotating or bool(contents.changes)
        is_due = self._is_to_be_stored(changed=changed)
        if not (is_due or self._removed):
            return
        dbsession = self._dbsession
        if dbsession is None or (self.phase is Phase.SEALED and not dbsession.in_transaction()):
            raise LateChangeError(
                "the session was changed when the database session had already left the commit (it closes in "
                "its `commit` step if it has nothing to write); change the session earlier, or write "
                "something through the database session as well"
            )
        connection = self.connection()
        removed, self._removed = self._removed, ()
        for session_id in removed:
            self._delete(dbsession, connection, session_id)
            self._gone = (*self._gone, session_id)
        if is_due:
            if self._needs_number:
                self._number(connection)
            try:
                if contents.row is not None:
                    contents.row = self._update(dbsession, connection, contents.row, data, flash)
                else:
                    contents.row = self._insert(dbsession, connection, data, flash)
            except IntegrityError as error:
                if not self._needs_number or not is_slot_taken(error, self._factory.store.features):
                    raise
                raise StaleSessionError(_LOGIN_ELSEWHERE) from error
        contents.changes = {}
        contents.rotating = False
        if data is not None:
            contents.payload.rebase(data)
        if flash is not None:
            contents.flash.rebase(flash)
        if self._joined:
            self._mark_changed(dbsession)

    @property
    def _needs_number(self) -> bool:
        contents = self.contents
        if not self._factory.has("session_slot"):
            return False
        return "userid" in contents.changes or (contents.rotating and contents.value("session_slot") is None)

    def _insert(
        self, dbsession: Session, connection: Connection, data: str | None, flash: str | None
    ) -> SessionRow:
        factory, contents = self._factory, self.contents
        overrides = contents.overrides if factory.own_settings else None
        userid = contents.value("userid")
        beginning = begin(
            factory.fresh_session_id(),
            factory.policies(overrides),
            factory.clock(),
            owned=(userid is not None) if factory.has("userid") else None,
            overrides=overrides,
        )
        named = {name: value for name, value in contents.changes.items() if name not in OVERRIDES}
        row = SessionRow(
            id=beginning.ticket.session_id,
            created=beginning.state.created,
            version=1,
            epoch=beginning.state.epoch,
            data=data or "{}",
            flash=flash or "{}",
            knows_users=factory.has("userid"),
            overrides=overrides,
            activity=beginning.state.activity,
            values={**named, **self._client_info()},
        )
        factory.store.insert(connection, row)
        if userid is not None:
            expire_references(dbsession, factory.settings.model_class, ["userid"])
        self._ticket = beginning.ticket
        return row

    def _update(
        self, dbsession: Session, connection: Connection, row: SessionRow, data: str | None, flash: str | None
    ) -> SessionRow:
        factory, contents = self._factory, self.contents
        changes = dict(contents.changes)
        ticket = self._ticket
        if contents.rotating:
            rotation = self._rotation(row)
            changes.update(epoch=rotation.epoch, rotated_at=rotation.rotated_at, **self._client_info())
            ticket = rotation.ticket
        done = factory.store.update(
            connection, row.id, version=row.version, data=data, flash=flash, **changes
        )
        if not done:
            raise StaleSessionError(
                "another request changed or deleted this session since this request read it; nothing was "
                "overwritten. With pyramid_retry included, the request runs again on its own"
            )
        self._ticket = ticket
        self._rewritten = self._rewritten.union(changes)
        model = factory.settings.model_class
        expire_row(dbsession, model, row.id, ["version", "data", "flash", *changes])
        if changes:
            expire_references(dbsession, model, changes)
        if row.overrides is not None:
            changes["overrides"] = contents.overrides
        return dataclasses.replace(
            row,
            version=row.version + 1,
            data=row.data if data is None else data,
            flash=row.flash if flash is None else flash,
            **{name: value for name, value in changes.items() if name not in OVERRIDES},
        )

    def _client_info(self) -> dict[str, str | None]:
        factory = self._factory
        if not factory.has("user_agent"):
            return {}
        return client_info(self._request, factory.settings.client_address)

    @property
    def _present_ticket(self) -> Ticket | None:
        """The ticket of the row as it is now; None if there is no row."""
        verdict = self.opening.verdict
        if self._ticket is not None or self.contents.row is None or verdict is None:
            return self._ticket
        return verdict.ticket

    def _rotation(self, row: SessionRow) -> Rotation:
        ticket = self._present_ticket
        if ticket is None:  # cannot be: a row was either opened by a ticket or has got its first one here
            raise LateChangeError("a session without a ticket cannot get a new identity")
        factory = self._factory
        policies = factory.policies(self.contents.overrides)
        # Random, so that a rotation a fail-over has forgotten and the one that takes its place differ.
        return rotate(ticket, row.state, policies, factory.clock(), secrets.randbelow(COUNTER_MAX + 1))

    def _delete(self, dbsession: Session, connection: Connection, session_id: UUID) -> None:
        model = self._factory.settings.model_class
        mapper: Mapper[Any] = inspect(model)
        if mapper.relationships:
            # The relationships of the user's model may cascade, and only the ORM knows how.
            instance: Any = dbsession.get(model, session_id)
            if instance is not None:
                dbsession.delete(instance)
                dbsession.flush()
        else:
            self._factory.store.delete(connection, session_id)
            expunge_row(dbsession, model, session_id)
        expire_references(dbsession, model, self._factory.store.features.columns)

    def _mark_changed(self, dbsession: Session) -> None:
        # zope.sqlalchemy sees what the ORM writes; statements on the connection it has to be told of.
        try:
            zope.sqlalchemy.mark_changed(dbsession, self.transaction_manager)
        except ValueError:
            # It tried to join a transaction that is being committed, so it had not joined before.
            name = self._factory.settings.dbsession_name
            raise UnsupportedSetupError(
                f"request.{name} does not take part in the request's transaction, so nothing written through "
                "it would be committed; register it: zope.sqlalchemy.register(dbsession, "
                "transaction_manager=request.tm)"
            ) from None

    def _prepare_cookie(self) -> None:
        factory, row, verdict = self._factory, self.contents.row, self.opening.verdict
        if row is None:
            # Only a logout removes a cookie: one whose session was not found may just have been replaced by
            # a parallel login, and one that does not decrypt may need a key this server has yet to get.
            has_cookie = self._after is not None or factory.has_cookie(self._request)
            if self._is_logged_out and has_cookie:
                self._order = CookieOrder.DELETE
            return
        ticket = self._ticket
        if ticket is None and verdict is not None:
            if not self._rewritten.isdisjoint(OVERRIDES):
                policies = factory.effective_policies(row.overrides)
                verdict = dataclasses.replace(verdict, policies=policies)
            opened = self.opening.row
            written = opened is not None and row.version != opened.version
            ticket = reissue(verdict, factory.clock(), written=written)
        if ticket is not None:
            self._token = factory.make_token(ticket)
            self._order = CookieOrder.SET

    def _settle(self) -> None:
        """Take note that pyramid_tm is through, where the transaction itself has not told of its end."""
        if self._joined:
            # A failed hook has left it open, with a connection and its locks, for as long as anybody holds
            # the request.
            try:
                self.transaction.abort()
            except Exception as error:  # noqa: BLE001 - the answer is on its way, and the rest was aborted
                kind = type(error).__name__
                log.debug("A transaction that a failed hook had left open failed to abort (%s)", kind)
        if self.phase is Phase.OPEN:
            # The transaction was doomed before the session was touched, so there was nothing to take part in.
            self._drop_changes()

    def _drop_changes(self) -> None:
        if self.phase is Phase.ABORTED:
            return
        if self._changed_by_error_page and self._may_have_work():
            log.warning("What an error page changed in the session was dropped: the transaction was aborted")
        self._end(Phase.ABORTED)

    def _may_have_work(self) -> bool:
        try:
            return self._has_work()
        except ValueError:  # something in it cannot be serialized: it was changed, then
            return True

    def _end(self, phase: Phase) -> None:
        self.phase = phase
        if self._savepoints is not None:
            self._savepoints.forget()
            self._savepoints = None  # which holds the unit
        if phase is Phase.ABORTED:
            self.contents = self.opening.contents()
            self._invalidated = self._wanted = False
            self._removed, self._gone = (), ()
            self._ticket, self._rewritten = None, frozenset()
            self._token, self._order = None, CookieOrder.KEEP

    def _snapshot(self) -> UnitSnapshot:
        return UnitSnapshot(
            self.contents,
            self.contents.snapshot(),
            self._removed,
            self._gone,
            self._invalidated,
            self._wanted,
            self._ticket,
            self._rewritten,
        )

    def _restore(self, snapshot: UnitSnapshot) -> None:
        if not self.is_writable:
            return
        undone = self.contents.row
        self.contents = snapshot.contents
        self.contents.restore(snapshot.state)
        self._removed = snapshot.removed
        self._gone = snapshot.gone
        self._invalidated = snapshot.invalidated
        self._wanted = snapshot.wanted
        self._ticket = snapshot.ticket
        self._rewritten = snapshot.rewritten
        if self._dbsession is None:
            return
        features = self._factory.store.features
        model, row = self._factory.settings.model_class, self.contents.row
        if undone is not None and (row is None or undone.id != row.id):
            expunge_row(self._dbsession, model, undone.id)  # it was inserted after the savepoint
        if row is not None:
            expire_row(self._dbsession, model, row.id, features.columns)
        expire_references(self._dbsession, model, features.columns)


@implementer(IDataManagerSavepoint)
class _UnitSavepoint:
    """A savepoint of the transaction, as far as the session is concerned."""

    def __init__(self, unit: Unit, snapshot: UnitSnapshot) -> None:
        self._unit = unit
        self._snapshot = snapshot

    def rollback(self) -> None:
        """Bring the session back to what it was at the savepoint."""
        self._unit._restore(self._snapshot)


def database_session(request: Request, name: str) -> Session:
    """Return the SQLAlchemy session of `request`, itself even where a `scoped_session` stands for it.

    Args:
        request: The request.
        name: The attribute of the request that holds it.
    """
    found: Session | scoped_session[Session] = getattr(request, name)
    return found() if isinstance(found, scoped_session) else found
