"""The old name of `pytest_websession.usage`, for one series."""

from __future__ import annotations

from websession_core.renaming import renamed

from .usage import usage_error

__all__: list[str] = []

__getattr__ = renamed(__name__, misused=usage_error)
