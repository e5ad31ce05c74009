"""Pyramid sessions in the application's own database and transaction.

`config.include("websession_pyramid")` does the same as the meta-package's
`config.include("pyramid_sqlalchemy_sessions")`.
"""

from .__about__ import __version__
from .config import factory_args_from_settings, get_session_factory, includeme
from .errors import LateChangeError, StaleSessionError, UnsupportedSetupError
from .factory import SessionFactory
from .session import WebSession

__all__ = [
    "LateChangeError",
    "SessionFactory",
    "StaleSessionError",
    "UnsupportedSetupError",
    "WebSession",
    "__version__",
    "factory_args_from_settings",
    "get_session_factory",
    "includeme",
]
