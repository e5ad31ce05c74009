"""Old public names stay for one series, and say what they are called now."""

from __future__ import annotations

import importlib
import re

import pytest
from pytest_websession import requests
from pytest_websession.servers import ServerUnavailableError
from pytest_websession.usage import usage_error


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        *(("pytest_websession.byhand", name, getattr(requests, name)) for name in requests.__all__),
        ("pytest_websession.misuse", "misused", usage_error),
        ("pytest_websession.servers", "ServerUnavailable", ServerUnavailableError),
    ],
)
def test_an_old_name_warns_and_is_the_new_one(module, old, new):
    called = new.__name__ if new.__name__ != old else f"{new.__module__}.{old}"
    message = f"{module}.{old} is called {called} now; the old name stays for one series"
    with pytest.warns(DeprecationWarning, match=f"^{re.escape(message)}$"):
        assert getattr(importlib.import_module(module), old) is new
