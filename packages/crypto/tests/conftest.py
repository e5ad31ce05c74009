"""The long proofs of this package run only when asked for, wherever its tests are run from."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

# mutmut runs all of them more than once in one process.
settings.register_profile("mutants", suppress_health_check=[HealthCheck.differing_executors])


def pytest_configure(config: pytest.Config) -> None:
    # The workspace declares the marker, too; an unpacked sdist has no workspace around it.
    config.addinivalue_line("markers", "slow: long proofs; run with `-m slow`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.markexpr:
        return
    slow = [item for item in items if HERE in item.path.parents and item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]
