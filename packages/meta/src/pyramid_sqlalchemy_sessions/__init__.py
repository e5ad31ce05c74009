"""Everything an application needs, in one place.

::

    from pyramid_sqlalchemy_sessions import BaseMixin, generate_secret_key

    config.include("pyramid_sqlalchemy_sessions")

The parts live in distributions of their own (`websession_core`, `websession_crypto`, `websession_models`,
`websession_pyramid`); nobody has to know that to use them.
"""

from websession_core.errors import (
    ConfigurationError,
    EncryptedDataError,
    NoTransactionError,
    SessionError,
    UnstorableValueError,
)
from websession_core.presets import AAL1, AAL2, AAL3
from websession_crypto import generate_secret_key
from websession_models import (
    AbsoluteMixin,
    AuthenticatedAtMixin,
    BaseMixin,
    ConfigAbsoluteMixin,
    ConfigCookieMixin,
    ConfigIdleMixin,
    ConfigRenewalMixin,
    CSRFMixin,
    EncryptedDataMixin,
    FullyFeaturedSession,
    IdleMixin,
    RenewalMixin,
    SchemaError,
    UseridMixin,
    prepare_sqlite_engine,
)
from websession_pyramid import (
    CookieRefused,
    InvalidPreferenceError,
    LateChangeError,
    MissingFeatureError,
    RecentLoginRequired,
    ReplayDetected,
    SessionCreated,
    SessionEvent,
    SessionExpired,
    SessionFactory,
    SessionInvalidated,
    SessionLoaded,
    SessionPreferences,
    SessionRegenerated,
    SessionRenewed,
    SessionSecurityPolicy,
    StaleSessionError,
    UnsupportedSetupError,
    WebSession,
    add_web_session,
    factory_args_from_settings,
    get_session_factory,
    includeme,
    web_session_factories,
)

from .__about__ import __version__

__all__ = [
    "AAL1",
    "AAL2",
    "AAL3",
    "AbsoluteMixin",
    "AuthenticatedAtMixin",
    "BaseMixin",
    "CSRFMixin",
    "ConfigAbsoluteMixin",
    "ConfigCookieMixin",
    "ConfigIdleMixin",
    "ConfigRenewalMixin",
    "ConfigurationError",
    "CookieRefused",
    "EncryptedDataError",
    "EncryptedDataMixin",
    "FullyFeaturedSession",
    "IdleMixin",
    "InvalidPreferenceError",
    "LateChangeError",
    "MissingFeatureError",
    "NoTransactionError",
    "RecentLoginRequired",
    "RenewalMixin",
    "ReplayDetected",
    "SchemaError",
    "SessionCreated",
    "SessionError",
    "SessionEvent",
    "SessionExpired",
    "SessionFactory",
    "SessionInvalidated",
    "SessionLoaded",
    "SessionPreferences",
    "SessionRegenerated",
    "SessionRenewed",
    "SessionSecurityPolicy",
    "StaleSessionError",
    "UnstorableValueError",
    "UnsupportedSetupError",
    "UseridMixin",
    "WebSession",
    "__version__",
    "add_web_session",
    "factory_args_from_settings",
    "generate_secret_key",
    "get_session_factory",
    "includeme",
    "prepare_sqlite_engine",
    "web_session_factories",
]
