"""SQLAlchemy models and the store of server-side web sessions."""

from websession_models.bookkeeping import Bookkeeper, has_free_connection
from websession_models.conflicts import has_ended_transaction, is_conflict
from websession_models.encryption import EncryptionReport, encrypt_all
from websession_models.features import ModelError, ModelFeatures, features_of
from websession_models.mixins import (
    AbsoluteMixin,
    AuthenticatedAtMixin,
    BaseMixin,
    ClientInfoMixin,
    ConfigAbsoluteMixin,
    ConfigCookieMixin,
    ConfigIdleMixin,
    ConfigRenewalMixin,
    CSRFMixin,
    EncryptedDataMixin,
    FullyFeaturedSession,
    IdleMixin,
    RenewalMixin,
    SessionLimitMixin,
    UseridMixin,
    fresh_session_id,
)
from websession_models.purging import PurgeReport, UnpurgeableModelError, purge
from websession_models.queries import is_active
from websession_models.revoking import RevokeReport, revoke
from websession_models.schema import SchemaError, SchemaProblem, check_schema
from websession_models.sqlite import isolates, prepare_sqlite_engine
from websession_models.store import SessionRow, Store
from websession_models.types import SESSION_JSON, SessionId

__all__ = [
    "SESSION_JSON",
    "AbsoluteMixin",
    "AuthenticatedAtMixin",
    "BaseMixin",
    "Bookkeeper",
    "CSRFMixin",
    "ClientInfoMixin",
    "ConfigAbsoluteMixin",
    "ConfigCookieMixin",
    "ConfigIdleMixin",
    "ConfigRenewalMixin",
    "EncryptedDataMixin",
    "EncryptionReport",
    "FullyFeaturedSession",
    "IdleMixin",
    "ModelError",
    "ModelFeatures",
    "PurgeReport",
    "RenewalMixin",
    "RevokeReport",
    "SchemaError",
    "SchemaProblem",
    "SessionId",
    "SessionLimitMixin",
    "SessionRow",
    "Store",
    "UnpurgeableModelError",
    "UseridMixin",
    "check_schema",
    "encrypt_all",
    "features_of",
    "fresh_session_id",
    "has_ended_transaction",
    "has_free_connection",
    "is_active",
    "is_conflict",
    "isolates",
    "prepare_sqlite_engine",
    "purge",
    "revoke",
]
