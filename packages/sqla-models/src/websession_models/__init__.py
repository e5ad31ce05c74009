"""SQLAlchemy models and the store of server-side web sessions."""

from . import mixins
from .bookkeeping import Bookkeeper, Outcome
from .conflicts import has_ended_transaction, is_conflict, is_read_only_refusal
from .encrypting import EncryptionReport, encrypt_all
from .features import ModelError, ModelFeatures, features_of
from .mixins import *  # noqa: F403 - every mixin is public
from .mixins import fresh_session_id
from .own_transactions import engine_like, has_free_connection, shares_connections
from .purging import PurgeReport, UnpurgeableModelError, purge
from .queries import is_active
from .revoking import RevokeReport, revoke
from .rows import SessionRow
from .schema import SchemaError, SchemaProblem, check_schema
from .sqlite import isolates, prepare_sqlite_engine
from .store import Store
from .types import SESSION_JSON, SessionId

__all__ = [
    "SESSION_JSON",
    "Bookkeeper",
    "EncryptionReport",
    "ModelError",
    "ModelFeatures",
    "Outcome",
    "PurgeReport",
    "RevokeReport",
    "SchemaError",
    "SchemaProblem",
    "SessionId",
    "SessionRow",
    "Store",
    "UnpurgeableModelError",
    "check_schema",
    "encrypt_all",
    "engine_like",
    "features_of",
    "fresh_session_id",
    "has_ended_transaction",
    "has_free_connection",
    "is_active",
    "is_conflict",
    "is_read_only_refusal",
    "isolates",
    "prepare_sqlite_engine",
    "purge",
    "revoke",
    "shares_connections",
]
__all__ += mixins.__all__
