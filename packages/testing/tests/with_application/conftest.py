"""The diary, as an application under test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyramid_sqlalchemy_sessions import generate_secret_key

# pytest's importlib mode, which the workspace uses, puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))

import diary

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def settings() -> dict[str, Any]:
    return {
        "session.secret_key": generate_secret_key(),
        "session.model_class": diary.Session,
        "session.idle_timeout": "1800",
        "session.renewal_timeout": "600",
        "admin_session.secret_key": generate_secret_key(),
        "admin_session.model_class": diary.AdminSession,
        "admin_session.cookie_name": "admin",
    }


@pytest.fixture
def dbengine(websession_database_url: str) -> Iterator[Any]:
    engine = diary.get_engine({"sqlalchemy.url": websession_database_url})
    diary.Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def app(dbengine: Any, settings: dict[str, Any]) -> Any:
    return diary.main({}, dbengine=dbengine, **settings)
