"""Parts of queries about sessions: ``select(Session).where(is_active(Session, now=now))``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, and_, case, exists, func, inspect, literal, null
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from websession_core.state import COUNTER_MAX

from .companion import KEY
from .emptying import ENDED
from .features import features_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause
    from websession_core.policies import Policies

    from .features import ModelFeatures

__all__ = ["ends_at", "is_active", "last_rotated", "last_used", "with_companion"]

# Later than any end, so that the earliest of several can be told by comparing.
_NEVER: Final = literal(COUNTER_MAX, BigInteger())


def is_active(model: Any, *, now: int) -> ColumnElement[bool]:
    """Return the condition that a session has not ended, for a query of the model.

    It uses the deadline that was recorded when the session was last used. If the timeout in the settings was
    shortened since then, a session counts as active until a request finds that it has ended.

    Args:
        model: The session model, or an alias of it by `sqlalchemy.orm.aliased`.
        now: Unix seconds.

    Returns:
        A condition; without timeouts in the model one that all sessions meet.

    Raises:
        ModelError: The class cannot be a session model.
    """
    entity = inspect(model, raiseerr=False)
    features = features_of(entity.mapper.class_ if entity is not None and entity.is_aliased_class else model)
    deadline = features.activity.get("expires_at")
    companion = features.companion
    is_one: ColumnElement[bool] = model.epoch != ENDED
    if companion is None or deadline is None:
        return is_one
    has_ended = exists().where(companion.columns[KEY] == model.id, deadline <= now)
    # With a companion of its own, also in a query that joins that table.
    return and_(is_one, ~has_ended.correlate_except(companion))


def with_companion(features: ModelFeatures, key: ColumnElement[Any] | None = None) -> FromClause:
    """Return a session table with its companion, if it has one, by an outer join.

    The companion's key equals `key`, where one session is looked for; None: the session's.
    """
    companion = features.companion
    if companion is None:
        return features.table
    on = companion.columns[KEY] == (features.columns["id"] if key is None else key)
    return features.table.outerjoin(companion, on)


def last_rotated(features: ModelFeatures) -> ColumnElement[int]:
    """Return when a session got its present identity: at its last login or logout, or when it began."""
    return func.coalesce(features.columns["rotated_at"], features.columns["created"])


def last_used(features: ModelFeatures) -> ColumnElement[int]:
    """Return when a session was last used as far as that is recorded, as `lifecycle.last_use` has it.

    Where the model records activity the query is one of `with_companion`.
    """
    active_at = features.activity.get("active_at")
    rotation = last_rotated(features)
    return rotation if active_at is None else func.coalesce(active_at, rotation)


def ends_at(features: ModelFeatures, policies: Policies) -> ColumnElement[Any]:
    """Return when a session ends if it is not used again, as `forecast.forecast()` has it; NULL: never.

    By the settings of now, a session's own overrides, and the deadline that was recorded: what a request
    would go by. The query is one of `with_companion`.

    Args:
        features: The model's.
        policies: What the settings say now; the sessions' overrides are in the table.
    """
    columns = features.columns
    ends: list[ColumnElement[Any]] = []
    for name, policy, since in (
        ("idle_timeout", policies.idle, last_used(features)),
        ("absolute_timeout", policies.absolute, columns["created"]),
    ):
        setting = 0 if policy is None else policy.timeout
        own = columns.get(name)
        if own is not None:
            timeout = func.coalesce(own, setting)
            ends.append(case((timeout > 0, since + timeout), else_=_NEVER))
        elif setting:
            ends.append(since + setting)
    if "expires_at" in features.activity:
        ends.append(func.coalesce(features.activity["expires_at"], _NEVER))
    if not ends:
        return null()
    return func.nullif(_Earliest(*ends) if len(ends) > 1 else ends[0], _NEVER)


class _Earliest(FunctionElement[int]):
    """The least of two or more numbers, each of which is computed once."""

    type = BigInteger()
    inherit_cache = True


@compiles(_Earliest)
def _least(element: _Earliest, compiler: Any, **options: Any) -> str:
    return f"LEAST({compiler.process(element.clauses, **options)})"


@compiles(_Earliest, "sqlite")
def _min(element: _Earliest, compiler: Any, **options: Any) -> str:
    return f"min({compiler.process(element.clauses, **options)})"
