"""Everything an application needs, in one place.

::

    from pyramid_sqlalchemy_sessions import BaseMixin, generate_secret_key

    config.include("pyramid_sqlalchemy_sessions")

The parts are in separate distributions (`websession_core`, `websession_crypto`, `websession_models`,
`websession_pyramid`); you do not need to know that to use them.
"""

from websession_core.errors import (
    ConfigurationError,
    EncryptedDataError,
    NoTransactionError,
    SessionError,
    TooManySessionsError,
    UnreadableValueError,
    UnstorableValueError,
)
from websession_core.presets import AAL1, AAL2, AAL3
from websession_core.renaming import renamed
from websession_core.session_types import SessionTypes
from websession_crypto import generate_secret_key
from websession_models import SchemaError, is_active, mixins, prepare_sqlite_engine
from websession_models.mixins import *  # noqa: F403 - every mixin is public
from websession_pyramid import (
    ActiveSession,
    ActiveSessions,
    CookieRefused,
    InvalidPreferenceError,
    LateChangeError,
    MissingFeatureError,
    OwnTransactionBegun,
    RecentLoginRequired,
    ReplayDetected,
    SessionCreated,
    SessionEmptied,
    SessionEvent,
    SessionExpired,
    SessionFactory,
    SessionInvalidated,
    SessionLoaded,
    SessionOverrides,
    SessionRegenerated,
    SessionRenewed,
    SessionSecurityPolicy,
    StaleSessionError,
    UnsupportedSetupError,
    WebSession,
    active_sessions,
    add_session_type,
    add_web_session,
    factory_args_from_settings,
    get_session_factory,
    includeme,
    register_sessionmaker,
    session_types,
    take_over_sessions,
    web_session_factories,
)

from .__about__ import __version__

__all__ = [
    "AAL1",
    "AAL2",
    "AAL3",
    "ActiveSession",
    "ActiveSessions",
    "ConfigurationError",
    "CookieRefused",
    "EncryptedDataError",
    "InvalidPreferenceError",
    "LateChangeError",
    "MissingFeatureError",
    "NoTransactionError",
    "OwnTransactionBegun",
    "RecentLoginRequired",
    "ReplayDetected",
    "SchemaError",
    "SessionCreated",
    "SessionEmptied",
    "SessionError",
    "SessionEvent",
    "SessionExpired",
    "SessionFactory",
    "SessionInvalidated",
    "SessionLoaded",
    "SessionOverrides",
    "SessionRegenerated",
    "SessionRenewed",
    "SessionSecurityPolicy",
    "SessionTypes",
    "StaleSessionError",
    "TooManySessionsError",
    "UnreadableValueError",
    "UnstorableValueError",
    "UnsupportedSetupError",
    "WebSession",
    "__version__",
    "active_sessions",
    "add_session_type",
    "add_web_session",
    "factory_args_from_settings",
    "generate_secret_key",
    "get_session_factory",
    "includeme",
    "is_active",
    "prepare_sqlite_engine",
    "register_sessionmaker",
    "session_types",
    "take_over_sessions",
    "web_session_factories",
]
__all__ += mixins.__all__

__getattr__ = renamed(__name__, SessionPreferences=SessionOverrides)
