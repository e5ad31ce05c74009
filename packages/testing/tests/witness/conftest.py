"""The witness of 0.2.0, in a new database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# pytest's importlib mode, which the workspace uses, puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))

from witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def witness_settings() -> dict[str, str]:
    """What the application of today is told otherwise than 0.2.0 was."""
    return {}


@pytest.fixture
def name_sent(witness_settings: dict[str, str]) -> str:
    """The default name of the cookies that are sent; 0.2.0 had another one."""
    return "session" if witness_settings.get("session.alongside_0_2") == "true" else "websession"


@pytest.fixture
def witness(
    websession_engine_name: str, websession_database_url: str, witness_settings: dict[str, str]
) -> Iterator[Witness]:
    """What 0.2.0 has left behind, in a new database."""
    # MySQL takes what was made on MariaDB.
    engine = "mariadb" if websession_engine_name == "mysql" else websession_engine_name
    witness = Witness(engine, websession_database_url, witness_settings)
    yield witness
    witness.close()
