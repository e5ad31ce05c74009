"""The old name of `pytest_websession.requests`, for one series."""

from __future__ import annotations

from websession_core.renaming import renamed

from . import requests

__all__: list[str] = []

__getattr__ = renamed(__name__, **{name: getattr(requests, name) for name in requests.__all__})
