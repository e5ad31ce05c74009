"""The old name of `websession_core.forecast` and `websession_core.key_retirement`, for one series."""

from __future__ import annotations

from .forecast import Forecast, forecast
from .key_retirement import old_key_lifetime
from .renaming import renamed

__all__: list[str] = []

__getattr__ = renamed(__name__, Outlook=Forecast, outlook=forecast, old_key_needed=old_key_lifetime)
