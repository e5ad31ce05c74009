"""SQLAlchemy models and the store of server-side web sessions."""

from websession_models.features import ModelError, ModelFeatures, features_of
from websession_models.mixins import BaseMixin, fresh_session_id
from websession_models.store import SessionRow, Store
from websession_models.types import SESSION_JSON, SessionId

__all__ = [
    "SESSION_JSON",
    "BaseMixin",
    "ModelError",
    "ModelFeatures",
    "SessionId",
    "SessionRow",
    "Store",
    "features_of",
    "fresh_session_id",
]
