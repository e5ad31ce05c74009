"""The same while workers of 0.2.0 still run: on one engine, since the setting is the same on each."""

from __future__ import annotations

import pytest
from test_alternating import NEW_SETTINGS
from test_witness import *  # noqa: F403 - its tests

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def witness_settings() -> dict[str, str]:
    return NEW_SETTINGS
