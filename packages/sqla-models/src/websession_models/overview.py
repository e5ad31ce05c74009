"""What is in the table of sessions, for people who look after it: numbers, lists, sessions by their names.

Everything here only reads, on a connection from `reading()`, which disturbs no application: a reader takes
and awaits no lock at READ COMMITTED on PostgreSQL and MariaDB, nor in write-ahead mode on SQLite.
The numbers are made by one pass over the table; the lists are bounded.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Text, True_, case, cast, func, null, or_, select, type_coerce
from sqlalchemy.dialects.mysql import LONGBLOB
from sqlalchemy.sql.visitors import replacement_traverse
from sqlalchemy.types import LargeBinary
from websession_core.policies import Overrides
from websession_core.renaming import renamed
from websession_core.state import short_name

from . import own_transactions
from .emptying import is_no_session
from .features import features_of
from .queries import ends_at, last_used, with_companion
from .rows import OVERRIDES
from .userids import exact_userid, is_same_user, stored_userid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Dialect, Select
    from sqlalchemy.sql.base import ReadOnlyColumnCollection
    from websession_core.policies import Policies

    from .features import ModelFeatures

__all__ = [
    "AGES",
    "SIZES",
    "Backlog",
    "Listed",
    "Overview",
    "OwnOverrides",
    "backlog",
    "distinct_overrides",
    "ids_by_prefix",
    "list_sessions",
    "overview",
]

AGES: Final = (60, 15 * 60, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400)
"""The borders of the histogram of last uses, in seconds ago; what is older is counted behind the last."""

SIZES: Final = (100, 1000, 10_000, 100_000)
"""The borders of the histogram of payloads, in bytes; what is larger is counted behind the last."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The sessions in numbers.

    Active is a session that is not past its deadline (or has none). What a model cannot tell is None.

    Attributes:
        active: How many are active.
        idle: How many of these were not used for the time that was asked about.
        anonymous: How many of these have no user.
        users: How many users have any of these.
        most_of_one_user: The highest number of active sessions of one user.
        expired: How many are past their deadline and not purged.
        without_deadline: How many of the active have no deadline, so that no purge will ever find them.
        oldest: When the oldest active one began, in Unix seconds; None also: there is none.
        payload_mean: The mean size of the active sessions' data, in bytes; None also: there are none.
        payload_largest: The largest, in bytes; None also: there are none.
        last_used: How many active sessions were last used less than each of `AGES` ago (and not less than
            the one before), and in the last place the others.
        sizes: How many active sessions have data up to each of `SIZES` (and above the one before), and in the
            last place the others.
    """

    active: int
    idle: int | None
    anonymous: int | None
    users: int | None
    most_of_one_user: int | None
    expired: int | None
    without_deadline: int | None
    oldest: int | None
    payload_mean: int | None
    payload_largest: int | None
    last_used: tuple[int, ...]
    sizes: tuple[int, ...]


def overview(
    connection: Connection,
    model: type,
    *,
    now: int,
    idle_after: int = 15 * 60,
    policies: Policies | None = None,
) -> Overview:
    """Return the sessions in numbers, by one pass over the table.

    Args:
        connection: From `reading()`.
        model: The session model.
        now: The time, in Unix seconds.
        idle_after: After so many seconds without use an active session counts as idle.
        policies: The timeouts that hold now, by which a session has ended as a request would say; None: it
            has when the recorded deadline is past.
    """
    features = features_of(model)
    knows_users, expires = "userid" in features.columns, _ends(features, policies)
    rows = _measured(features, connection.dialect, expires, now)
    counts = {
        "idle": rows.age >= idle_after,
        "without_deadline": rows.ends.is_(None),
        **{f"age{number}": rows.age < border for number, border in enumerate(AGES)},
        **{f"size{number}": rows.size <= border for number, border in enumerate(SIZES)},
    }
    by_user = (
        select(
            rows.owner.label("owner"),
            func.count().label("active"),
            *(_count_if(condition, connection.dialect).label(name) for name, condition in counts.items()),
            func.min(rows.created).label("oldest"),
            func.sum(rows.size).label("bytes"),
            func.max(rows.size).label("largest"),
        )
        .where(rows.is_one == 1, or_(rows.ends.is_(None), rows.ends > now))
        .group_by(rows.owner)
    )
    owner = by_user.subquery().columns
    all_rows = select(func.count()).select_from(features.table).where(features.criterion())
    row = connection.execute(
        select(
            *(func.sum(owner[name]).label(name) for name in ("active", *counts)),
            func.min(owner.oldest).label("oldest"),
            func.sum(owner.bytes).label("bytes"),
            func.max(owner.largest).label("largest"),
            func.count(owner.owner).label("users"),
            func.max(case((owner.owner.is_not(None), owner.active))).label("most"),
            func.sum(case((owner.owner.is_(None), owner.active))).label("anonymous"),
            all_rows.scalar_subquery().label("rows"),
        )
    ).one()
    # A sum is a decimal on some engines, and NULL of nothing.
    numbers = {name: int(value or 0) for name, value in row._mapping.items()}
    active = numbers["active"]
    return Overview(
        active=active,
        idle=numbers["idle"] if "active_at" in features.activity else None,
        anonymous=numbers["anonymous"] if knows_users else None,
        users=numbers["users"] if knows_users else None,
        most_of_one_user=numbers["most"] if knows_users else None,
        expired=None if expires is None else numbers["rows"] - active,
        without_deadline=None if expires is None else numbers["without_deadline"],
        oldest=numbers["oldest"] if active else None,
        payload_mean=round(numbers["bytes"] / active) if active else None,
        payload_largest=numbers["largest"] if active else None,
        last_used=_parts([*(numbers[f"age{number}"] for number in range(len(AGES))), active]),
        sizes=_parts([*(numbers[f"size{number}"] for number in range(len(SIZES))), active]),
    )


def _count_if(condition: ColumnElement[bool], dialect: Dialect) -> ColumnElement[int]:
    """Return the expression for how many rows meet a condition."""
    if dialect.name in {"mysql", "mariadb"}:
        return func.count(case((condition, 1)))
    # Cheaper, where a table has many rows: what does not count takes no step.
    return func.count().filter(condition)


def _parts(totals: Sequence[int]) -> tuple[int, ...]:
    """Return the parts of a histogram: what is below each border, and not below the one before."""
    return tuple(upper - lower for lower, upper in itertools.pairwise([0, *totals]))


def _measured(
    features: ModelFeatures, dialect: Dialect, expires: ColumnElement[Any] | None, now: int
) -> ReadOnlyColumnCollection[str, Any]:
    """Return the columns of a subquery for what each row is counted by, which is computed once a row.

    Without its limit the optimizers of SQLite and PostgreSQL would compute it wherever it is named. Another
    one keeps PostgreSQL from taking the data along where sessions and companions are hashed to be joined, and
    so from writing what is more than its `work_mem` into temporary files.
    """
    columns = features.columns
    size = _payload_size(columns["data"], dialect.name)
    rows = select(*columns.values(), size).where(features.criterion())
    sessions = (rows.offset(0) if dialect.name == "postgresql" else rows).subquery()
    measured = (
        select(
            (exact_userid(features, dialect) if "userid" in columns else null()).label("owner"),
            columns["created"].label("created"),
            cast(null() if expires is None else expires, BigInteger).label("ends"),
            case((is_no_session(features), 0), else_=1).label("is_one"),
            (now - last_used(features)).label("age"),
            size.label("size"),
        )
        .select_from(with_companion(features))
        .offset(0)
    )
    replaced: dict[Any, Any] = dict(zip((*columns.values(), size), sessions.columns, strict=True))
    replaced[features.table] = sessions
    moved: Any = replacement_traverse(measured, {}, lambda element, **_: replaced.get(element))
    columns_of_rows: ReadOnlyColumnCollection[str, Any] = moved.subquery().columns
    return columns_of_rows


def _ends(features: ModelFeatures, policies: Policies | None) -> ColumnElement[Any] | None:
    """Return when a session ends; None: the model cannot tell."""
    if policies is None or "expires_at" not in features.activity:
        return features.activity.get("expires_at")
    return ends_at(features, policies)


def _is_active(features: ModelFeatures, expires: ColumnElement[Any] | None, now: int) -> ColumnElement[bool]:
    return features.columns["id"].is_not(None) if expires is None else or_(expires.is_(None), expires > now)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a purge would find, and would never find.

    Attributes:
        expired: How many sessions are past their deadline.
        since: The earliest of these deadlines, in Unix seconds; None: there is none.
        without_deadline: How many sessions have no deadline; fewer where deadlines of deleted sessions have
            been left behind.
        rows: How many sessions there are, those among them.
    """

    expired: int
    since: int | None
    without_deadline: int
    rows: int = 0


def backlog(connection: Connection, model: type, *, now: int) -> Backlog | None:
    """Return what a purge would find; None: the model has no deadlines."""
    features = features_of(model)
    expires = features.activity.get("expires_at")
    if expires is None:
        return None
    ours = features.criterion()
    # As a purge: by the index of deadlines, unless the table has rows of other models, too.
    source = expires.table if isinstance(ours, True_) else with_companion(features)
    expired = select(func.count(), func.min(expires)).select_from(source).where(expires <= now, ours)
    count, since = connection.execute(expired).one()
    with_deadline = connection.scalar(select(func.count(expires)).select_from(source).where(ours)) or 0
    rows = connection.scalar(select(func.count()).select_from(features.table).where(ours)) or 0
    return Backlog(count, since, max(0, rows - with_deadline), rows)


@dataclass(frozen=True, slots=True)
class OwnOverrides:
    """Overrides that one or more sessions have.

    Attributes:
        overrides: The overrides.
        owned: Whether these sessions belong to somebody; None: the model knows no users.
    """

    overrides: Overrides
    owned: bool | None


def distinct_overrides(connection: Connection, model: type) -> tuple[OwnOverrides, ...]:
    """Return every combination of overrides that sessions have, by one pass over the table."""
    features = features_of(model)
    columns = features.columns
    own = [columns[name].label(name) if name in columns else null().label(name) for name in OVERRIDES]
    userid = columns.get("userid")
    owned = null() if userid is None else case((userid.is_(None), 0), else_=1)
    statement = select(*own, owned.label("owned")).where(features.criterion()).distinct()
    return tuple(
        OwnOverrides(
            Overrides(**{name: getattr(row, name) for name in OVERRIDES}),
            None if userid is None else bool(row.owned),
        )
        for row in connection.execute(statement)
    )


@dataclass(frozen=True, slots=True, repr=False)
class Listed:
    """One line of a list of sessions.

    Attributes:
        id: The primary key; its first eight hexadecimal digits are what people are shown.
        userid: Whose it is; None: it is anonymous, or the model knows no users.
        created: When it began, in Unix seconds.
        last_used: When it was last used as far as that was recorded, in Unix seconds.
        expires_at: Its deadline, in Unix seconds; None: none is recorded.
        payload: The size of its data, in bytes.
        user_agent: With which browser it was begun or last logged in; None: that is not recorded.
        client_address: From where; None: that is not recorded.
    """

    id: uuid.UUID
    userid: Any
    created: int
    last_used: int
    expires_at: int | None
    payload: int
    user_agent: str | None = None
    client_address: str | None = None

    def __repr__(self) -> str:
        return f"<Listed {short_name(self.id)}…>"


_ANYBODY: Final[Any] = object()


def list_sessions(
    connection: Connection,
    model: type,
    *,
    limit: int | None,
    userid: Any = _ANYBODY,
    created_before: int | None = None,
    used_before: int | None = None,
    prefix: str = "",
    policies: Policies | None = None,
    active: bool | None = None,
    now: int | None = None,
) -> tuple[Listed, ...]:
    """Return sessions, the last used first, past their deadlines or not.

    Args:
        connection: From `reading()`.
        model: The session model.
        limit: How many at most; None: all.
        userid: Only this user's, None: only anonymous ones; without it: anyone's.
        created_before: Only those that began before this moment, in Unix seconds.
        used_before: Only those last used before this moment, in Unix seconds.
        prefix: Only those whose identifier's hexadecimal digits begin so.
        policies: The timeouts that hold now; as for `overview()`.
        active: Only those that have not ended (True), or that have (False); None: both.
        now: The time, in Unix seconds; needed for `active`.

    Raises:
        ValueError: The model knows no users, `prefix` is not of hexadecimal digits, or `now` is missing.
    """
    features = features_of(model)
    columns, last_use = features.columns, last_used(features)
    owner = columns.get("userid")
    conditions = [~is_no_session(features), features.criterion()]
    if userid is not _ANYBODY:
        if owner is None:
            raise ValueError("the session model has no userid")
        is_theirs = owner.is_(None) if userid is None else is_same_user(features, userid, connection.dialect)
        conditions.append(is_theirs)
    if created_before is not None:
        conditions.append(columns["created"] < created_before)
    if used_before is not None:
        conditions.append(last_use < used_before)
    expires = _ends(features, policies)
    if active is not None:
        if now is None:
            raise ValueError("whether a session is active depends on the time: give now")
        is_active = _is_active(features, expires, now)
        conditions.append(is_active if active else ~is_active)
    if prefix:
        lowest, highest = _range(prefix)
        conditions.append(columns["id"].between(lowest, highest))
    statement: Select[Any] = (
        select(
            columns["id"],
            null() if owner is None else stored_userid(features),
            columns["created"],
            last_use,
            null() if expires is None else expires,
            _payload_size(columns["data"], connection.dialect.name),
            *(columns.get(name, null()) for name in ("user_agent", "client_address")),
        )
        .select_from(with_companion(features))
        .where(*conditions)
        .order_by(last_use.desc(), columns["id"])
        .limit(limit)
    )
    return tuple(Listed(*row) for row in connection.execute(statement))


def ids_by_prefix(
    connection: Connection, model: type, prefix: str, *, limit: int = 10
) -> tuple[uuid.UUID, ...]:
    """Return the sessions whose identifiers begin with 1 to 32 hexadecimal digits, by the key's index.

    Raises:
        ValueError: `prefix` is something else. (Hyphens in it are left out.)
    """
    features = features_of(model)
    key = features.columns["id"]
    lowest, highest = _range(prefix)
    is_one = ~is_no_session(features)
    statement = select(key).where(key.between(lowest, highest), is_one, features.criterion())
    return tuple(connection.scalars(statement.order_by(key).limit(limit)))


def _range(prefix: str) -> tuple[uuid.UUID, uuid.UUID]:
    digits = prefix.replace("-", "").lower()
    if not 1 <= len(digits) <= 32 or digits.strip("0123456789abcdef"):
        raise ValueError(f"{prefix!r} is no beginning of an identifier: give hexadecimal digits")
    return uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))


def _payload_size(data: ColumnElement[Any], dialect: str) -> ColumnElement[int]:
    """Return the expression for the size of a JSON document as text, in bytes."""
    if dialect == "postgresql":
        return func.octet_length(cast(data, Text))
    if dialect == "sqlite":
        return func.length(cast(type_coerce(data, Text), LargeBinary))
    # MariaDB's JSON is text; MySQL's is converted to text by this.
    return func.octet_length(cast(type_coerce(data, Text), LargeBinary().with_variant(LONGBLOB(), "mysql")))


__getattr__ = renamed(
    __name__, Wish=OwnOverrides, distinct_wishes=distinct_overrides, reading=own_transactions.reading
)
