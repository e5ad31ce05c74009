"""SQLAlchemy models and the store of server-side web sessions."""

from websession_models.bookkeeping import Bookkeeper, has_free_connection
from websession_models.conflicts import has_ended_transaction, is_conflict
from websession_models.features import ModelError, ModelFeatures, features_of
from websession_models.mixins import (
    AbsoluteMixin,
    AuthenticatedAtMixin,
    BaseMixin,
    ConfigAbsoluteMixin,
    ConfigCookieMixin,
    ConfigIdleMixin,
    ConfigRenewalMixin,
    CSRFMixin,
    FullyFeaturedSession,
    IdleMixin,
    RenewalMixin,
    UseridMixin,
    fresh_session_id,
)
from websession_models.sqlite import prepare_sqlite_engine
from websession_models.store import SessionRow, Store
from websession_models.types import SESSION_JSON, SessionId

__all__ = [
    "SESSION_JSON",
    "AbsoluteMixin",
    "AuthenticatedAtMixin",
    "BaseMixin",
    "Bookkeeper",
    "CSRFMixin",
    "ConfigAbsoluteMixin",
    "ConfigCookieMixin",
    "ConfigIdleMixin",
    "ConfigRenewalMixin",
    "FullyFeaturedSession",
    "IdleMixin",
    "ModelError",
    "ModelFeatures",
    "RenewalMixin",
    "SessionId",
    "SessionRow",
    "Store",
    "UseridMixin",
    "features_of",
    "fresh_session_id",
    "has_ended_transaction",
    "has_free_connection",
    "is_conflict",
    "prepare_sqlite_engine",
]
