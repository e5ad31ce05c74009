"""Old public names stay for one series, and say what they are called now."""

from __future__ import annotations

import importlib

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
    message = rf"^{module}\.{old} is called {new.__name__} now; the old name stays for one series$"
    with pytest.warns(DeprecationWarning, match=message):
        assert getattr(importlib.import_module(module), old) is new
