"""How the plugin says that it was used in a way that cannot work."""

from __future__ import annotations

from typing import NoReturn

import pytest

__all__ = ["usage_error"]


def usage_error(message: str) -> NoReturn:
    """Fail the test with a sentence for its author: a traceback through the plugin says nothing more.

    Args:
        message: What is missing, and which fixture or setting would give it.
    """
    raise pytest.fail.Exception(f"pytest-websession: {message}", pytrace=False)
