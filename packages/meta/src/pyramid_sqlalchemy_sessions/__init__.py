"""Everything an application needs, in one place.

::

    from pyramid_sqlalchemy_sessions import BaseMixin, generate_secret_key

    config.include("pyramid_sqlalchemy_sessions")

The parts live in distributions of their own (`websession_core`, `websession_crypto`, `websession_models`,
`websession_pyramid`); nobody has to know that to use them.
"""

from websession_core.errors import (
    ConfigurationError,
    NoTransactionError,
    SessionError,
    UnstorableValueError,
)
from websession_crypto import generate_secret_key
from websession_models import BaseMixin
from websession_pyramid import (
    LateChangeError,
    SessionFactory,
    StaleSessionError,
    UnsupportedSetupError,
    WebSession,
    factory_args_from_settings,
    get_session_factory,
    includeme,
)

from .__about__ import __version__

__all__ = [
    "BaseMixin",
    "ConfigurationError",
    "LateChangeError",
    "NoTransactionError",
    "SessionError",
    "SessionFactory",
    "StaleSessionError",
    "UnstorableValueError",
    "UnsupportedSetupError",
    "WebSession",
    "__version__",
    "factory_args_from_settings",
    "generate_secret_key",
    "get_session_factory",
    "includeme",
]
