"""Pyramid sessions in the application's own database and transaction.

`config.include("websession_pyramid")` does the same as the meta-package's
`config.include("pyramid_sqlalchemy_sessions")`.
"""

from websession_core.renaming import renamed

from . import quiet_pyramid  # noqa: F401 - before anything that imports Pyramid
from .__about__ import __version__
from .active_sessions import ActiveSession, ActiveSessions, active_sessions
from .config import (
    add_session_type,
    add_web_session,
    factory_args_from_settings,
    get_session_factory,
    includeme,
)
from .errors import LateChangeError, MissingFeatureError, StaleSessionError, UnsupportedSetupError
from .events import (
    CookieRefused,
    OwnTransactionBegun,
    ReplayDetected,
    SessionCreated,
    SessionEmptied,
    SessionEvent,
    SessionExpired,
    SessionInvalidated,
    SessionLoaded,
    SessionRegenerated,
    SessionRenewed,
)
from .factory import SessionFactory, web_session_factories
from .form_tokens import SessionTokenPolicy
from .overrides import InvalidPreferenceError, SessionOverrides
from .recent_login import RecentLoginRequired
from .registration import register_sessionmaker
from .security import SessionSecurityPolicy
from .session import WebSession
from .taking_over import take_over_sessions
from .types import session_types

__all__ = [
    "ActiveSession",
    "ActiveSessions",
    "CookieRefused",
    "InvalidPreferenceError",
    "LateChangeError",
    "MissingFeatureError",
    "OwnTransactionBegun",
    "RecentLoginRequired",
    "ReplayDetected",
    "SessionCreated",
    "SessionEmptied",
    "SessionEvent",
    "SessionExpired",
    "SessionFactory",
    "SessionInvalidated",
    "SessionLoaded",
    "SessionOverrides",
    "SessionRegenerated",
    "SessionRenewed",
    "SessionSecurityPolicy",
    "SessionTokenPolicy",
    "StaleSessionError",
    "UnsupportedSetupError",
    "WebSession",
    "__version__",
    "active_sessions",
    "add_session_type",
    "add_web_session",
    "factory_args_from_settings",
    "get_session_factory",
    "includeme",
    "register_sessionmaker",
    "session_types",
    "take_over_sessions",
    "web_session_factories",
]

__getattr__ = renamed(__name__, SessionPreferences=SessionOverrides)
