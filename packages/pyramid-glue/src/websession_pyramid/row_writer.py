"""The session's row on the request's connection: read, inserted, updated; `row_removal` deletes it.

Statements only; when they run is the unit of work's business.
"""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

import zope.sqlalchemy
from sqlalchemy import inspect, null, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from websession_core.errors import SessionTransactionError, UnreadableRowError
from websession_core.lifecycle import begin, rotate
from websession_core.state import COUNTER_MAX
from websession_models import SessionRow, has_ended_transaction
from websession_models.rows import make_row, no_values
from websession_models.user_limit import is_slot_taken

from .client_info import client_info
from .contents import OVERRIDES
from .errors import LateChangeError, StaleSessionError, UnsupportedSetupError
from .identity_map import expire_references, expire_row, expunge_row
from .taking_part import is_kept
from .user_limit import LOGIN_ELSEWHERE, assign_slot, needs_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from uuid import UUID

    from pyramid.request import Request
    from sqlalchemy import Connection, Dialect
    from sqlalchemy.orm import Mapper, Session
    from transaction import TransactionManager
    from websession_core.state import Ticket

    from .contents import Contents
    from .kit import SessionKit
    from .pending import Pending
    from .savepoints import SavepointStack

__all__ = ["RowWriter", "read_row"]

_READ_ATTEMPTS = 5


def read_row(session_id: UUID, load: Callable[[], SessionRow | None]) -> SessionRow | None:
    """Return a row as it is loaded, or what stands for one that cannot be read; None if it is not there.

    Raises:
        SQLAlchemyError: The database could not be asked.
    """
    try:
        return load()
    except UnreadableRowError as error:
        return SessionRow.unreadable(session_id, str(error))


class RowWriter:
    """Reads and writes a session's row through the application's database session.

    Args:
        kit: Whose sessions these are.
        dbsession: The application's database session.
        browser_request: The request that the browser sent, which tells who the client is.

    Attributes:
        kit: As given.
        dbsession: As given.
        browser_request: As given.
        savepoints: What follows its savepoints; set by who uses the writer.
        origin: The connection that read or wrote the row last; None: none has so far.
    """

    __slots__ = ("_instance", "browser_request", "dbsession", "kit", "origin", "savepoints")

    def __init__(self, kit: SessionKit, dbsession: Session, browser_request: Request | None) -> None:
        self.dbsession = dbsession
        self.savepoints: SavepointStack
        self.origin: Connection | None = None
        self.kit = kit
        self.browser_request = browser_request
        # The object of the application's model. Held, because the database session itself holds it weakly:
        # an application that changes a collection of it, `request.session.row().devices.append(...)`, does
        # not.
        self._instance: Any = None

    def connection(self) -> Connection:
        """Return the connection of the request's transaction."""
        # Not `dbsession.execute`: that would flush the application's pending objects at a moment it did not
        # choose. The mapper tells the engine where several are bound.
        self.origin = self.dbsession.connection(bind_arguments={"mapper": self.kit.settings.model_class})
        return self.origin

    @property
    def dialect(self) -> Dialect:
        """The dialect of the database where the row is."""
        return self.dbsession.get_bind(self.kit.settings.model_class).dialect

    # -- reading -------------------------------------------------------------------------------------------

    def read(self, session_id: UUID) -> tuple[SessionRow | None, bool]:
        """Return a row, None if it is not there, and whether the engine keeps JSON keys in no order.

        Raises:
            SQLAlchemyError: The row could not be read.
        """
        # On MariaDB at SERIALIZABLE even a read can lose a conflict, against a touch, for example. If it was
        # the first statement nothing is lost by that but the read itself: it is simply made again.
        is_first, kit = not self.dbsession.in_transaction(), self.kit
        attempts, store = (_READ_ATTEMPTS if is_first else 1), kit.store
        # Else the transaction may see what was there when it began.
        before = None if is_first else kit.clock() - kit.settings.renewal_grace
        unfinished = kit.missing_rows.duty(session_id, before)
        for attempt in range(attempts):
            connection = self.connection()
            try:
                row = read_row(session_id, partial(self._load, connection, session_id))
            except DBAPIError as error:
                if attempt + 1 == attempts or not has_ended_transaction(error, connection.dialect.name):
                    raise
                continue
            break
        kit.warn_of_engine_faults(connection)
        if row is not None and unfinished is not None:
            kit.missing_rows.tell(row, unfinished)
        return row, store.reorders_keys(connection)

    def _load(self, connection: Connection, session_id: UUID) -> SessionRow | None:
        store = self.kit.store
        if not store.features.eager:
            return store.load(connection, session_id)
        # The user's model wants more than the row, in the same SELECT.
        pair = store.load_with_instance(self.dbsession, session_id)
        self._instance, row = (None, None) if pair is None else pair
        return row

    def instance(self, session_id: UUID) -> Any:
        """Return the row as an object of the application's model."""
        self._instance = self.dbsession.get(self.kit.settings.model_class, session_id)
        return self._instance

    def is_modified(self, session_id: UUID) -> bool:
        """Return whether the application has changed columns of the row's object."""
        instance = self._known_instance(session_id)
        return instance is not None and self.dbsession.is_modified(instance, include_collections=False)

    def has_lost_user(self, session_id: UUID) -> bool:
        """Return whether the application, or the ORM for it, has taken the user out of the row's object."""
        instance = self._known_instance(session_id) if self.kit.has("userid") else None
        return instance is not None and bool(inspect(instance).attrs["userid"].history.deleted)

    def users_of(self, session_ids: Collection[UUID]) -> dict[UUID, Any]:
        """Return whose the rows are that are there, and let go of the objects of those that are not."""
        features = self.kit.store.features
        key, userid = features.columns["id"], features.columns.get("userid", null())
        statement = select(key, userid).where(key.in_(session_ids), features.criterion())
        users: dict[UUID, Any] = {row[0]: row[1] for row in self.connection().execute(statement)}
        missing = set(session_ids).difference(users)
        for session_id in missing:
            expunge_row(self.dbsession, self.kit.settings.model_class, session_id)
        if missing:
            expire_references(self.dbsession, self.kit.settings.model_class, features.columns)
        return users

    # -- writing -------------------------------------------------------------------------------------------

    def flush(self) -> bool:
        """Write what is pending in the database session, as one of its queries would.

        What the row refers to may be among it, a user who has just signed up, and what refers to the row.

        Returns:
            Whether something was pending.
        """
        dbsession = self.dbsession
        if dbsession._flushing or dbsession._is_clean():
            return False
        dbsession.flush()
        return True

    def store(
        self,
        contents: Contents,
        pending: Pending,
        ticket: Ticket | None,
        data: str | None,
        flash: str | None,
        *,
        seed: bytes | None,
    ) -> Pending:
        """Insert the session's row, or update it.

        Args:
            contents: What the session holds; it has the row afterwards.
            pending: What the transaction does.
            ticket: The ticket of the row as it is now; None: there is no row.
            data: The text of its data; None: unchanged.
            flash: The text of its flash queues; None: unchanged.
            seed: For a new ticket; None: it has to have none.

        Returns:
            What is pending then.

        Raises:
            StaleSessionError: Another request has changed or deleted the row, or another login of the user
                has taken the last slot.
            SessionTransactionError: A statement of this transaction has deleted the row.
        """
        takes_slot = needs_slot(self.kit, contents)
        if takes_slot:
            assign_slot(self.kit, self.connection(), contents, pending.ended)
        try:
            if contents.row is None:
                contents.row, first = self._insert(contents, data, flash, seed)
                return pending._replace(ticket=first, own_columns=False)
            contents.row, rotated, names = self._update(
                contents, contents.row, ticket, data, flash, seed=seed
            )
        except IntegrityError as error:
            dialect = self.connection().dialect
            if not takes_slot or not is_slot_taken(error, self.kit.store.features, dialect):
                raise
            raise StaleSessionError(LOGIN_ELSEWHERE) from error
        if rotated is None and names <= pending.written and not pending.own_columns:
            return pending  # as where only data has changed
        return pending._replace(
            ticket=rotated or pending.ticket,
            written=pending.written | names,
            own_columns=False,
        )

    def _insert(
        self, contents: Contents, data: str | None, flash: str | None, seed: bytes | None
    ) -> tuple[SessionRow, Ticket]:
        kit = self.kit
        overrides = contents.overrides if kit.own_settings else None
        userid = contents.value("userid")
        owned = (userid is not None) if kit.has("userid") else None
        beginning = begin(
            kit.fresh_session_id(),
            kit.policies(overrides, owned),
            kit.clock(),
            owned=owned,
            overrides=overrides,
            epoch=1 if contents.rotating and owned is None else 0,
            seed=seed,
        )
        columns = {name: value for name, value in contents.changes.items() if name not in OVERRIDES}
        state = beginning.state
        row = make_row(
            beginning.ticket.session_id,
            state.created,
            1,
            state.epoch,
            data or "{}",
            flash or "{}",
            None,
            overrides,
            state.activity,
            kit.has("userid"),
            "",
            {**no_values(), **columns, **self._client_info()},
        )
        connection = self.connection()
        kit.warn_of_engine_faults(connection)
        kit.store.insert(connection, row)
        if userid is not None:
            expire_references(self.dbsession, kit.settings.model_class, ["userid"])
        return row, beginning.ticket

    def _update(
        self,
        contents: Contents,
        row: SessionRow,
        ticket: Ticket | None,
        data: str | None,
        flash: str | None,
        *,
        seed: bytes | None,
    ) -> tuple[SessionRow, Ticket | None, frozenset[str]]:
        kit, model = self.kit, self.kit.settings.model_class
        changes = dict(contents.changes)
        new_ticket = None
        if contents.rotating:
            if ticket is None:  # cannot be: a row was either opened by a ticket or has got its first one here
                raise LateChangeError("a session without a ticket cannot get a new identity")
            owned = (contents.value("userid") is not None) if kit.has("userid") else None
            policies = kit.policies(contents.overrides, owned)
            # Random, so that a rotation a fail-over has forgotten and the one that takes its place differ.
            attempt = secrets.randbelow(COUNTER_MAX + 1)
            rotation = rotate(ticket, row.state, policies, kit.clock(), attempt, owned=owned, seed=seed)
            changes.update(epoch=rotation.epoch, rotated_at=rotation.rotated_at, **self._client_info())
            new_ticket = rotation.ticket
        if not kit.store.update(
            self.connection(), row.id, version=row.version, data=data, flash=flash, **changes
        ):
            if self._was_deleted_here(row.id):
                raise SessionTransactionError(
                    "a statement of this request has deleted the session's own row, and the session was "
                    "changed as well; call request.session.invalidate() before the statement: what is put "
                    "into the session after that begins a new one"
                )
            raise StaleSessionError(
                "another request changed or deleted this session since this request read it; nothing was "
                "overwritten. With pyramid_retry included, the request runs again on its own"
            )
        expire_row(self.dbsession, model, row.id, ["version", "data", "flash", *changes])
        if changes:
            expire_references(self.dbsession, model, changes)
        names = frozenset(changes)
        if row.overrides is not None and not names.isdisjoint(OVERRIDES):
            changes["overrides"] = contents.overrides
        row = row.written(data, flash, {k: v for k, v in changes.items() if k not in OVERRIDES})
        return row, new_ticket, names

    def _was_deleted_here(self, session_id: UUID) -> bool:
        """Return whether a row that is not found any more was deleted by this transaction.

        To be asked after an update that has found nothing. What is deleted through the database session is
        noticed before; this is about statements that went past it.
        """
        if session_id in self.users_of([session_id]):
            return False
        # Where a transaction does not see what others commit meanwhile, it was nobody else.
        connection = self.connection()
        isolated = ("REPEATABLE READ", "SERIALIZABLE")
        return connection.dialect.name == "sqlite" or connection.get_isolation_level() in isolated

    def _client_info(self) -> dict[str, str | None]:
        kit = self.kit
        return client_info(self.browser_request, kit.settings.client_address) if kit.has("user_agent") else {}

    def undo(self, newer: SessionRow | None, row: SessionRow | None) -> None:
        """Let the application's objects follow the rollback of a savepoint: `newer` gives way to `row`."""
        model, columns = self.kit.settings.model_class, self.kit.store.features.columns
        if newer is not None and (row is None or newer.id != row.id):
            expunge_row(self.dbsession, model, newer.id)  # it was inserted after the savepoint
        if row is not None:
            expire_row(self.dbsession, model, row.id, columns)
        expire_references(self.dbsession, model, columns)

    def mark_changed(self, manager: TransactionManager) -> None:
        """Tell zope.sqlalchemy of what is written: it sees what the ORM writes, and no statements.

        Raises:
            UnsupportedSetupError: The database session takes no part in the transaction.
        """
        try:
            zope.sqlalchemy.mark_changed(self.dbsession, manager)
        except ValueError:
            # It tried to join a transaction that is being committed, so it had not joined before.
            name = self.kit.settings.dbsession_name
            raise UnsupportedSetupError(
                f"request.{name} does not take part in the request's transaction, so nothing written through "
                "it would be committed; register it: zope.sqlalchemy.register(dbsession, "
                "transaction_manager=request.tm)"
            ) from None

    def end_kept_transaction(self) -> None:
        """Roll back what the end of the request's transaction has left open.

        zope.sqlalchemy does so for a database session that it keeps: what a failed request has written would
        be committed by the next one in the same thread, and what a reader has read would never change.
        """
        if self.dbsession.in_transaction() and is_kept(self.dbsession):
            self.dbsession.rollback()

    def _known_instance(self, session_id: UUID) -> Any:
        key = self.mapper.identity_key_from_primary_key((session_id,))
        return self.dbsession.identity_map.get(key)

    @property
    def mapper(self) -> Mapper[Any]:
        """The mapper of the application's model."""
        mapper: Mapper[Any] = inspect(self.kit.settings.model_class)
        return mapper
