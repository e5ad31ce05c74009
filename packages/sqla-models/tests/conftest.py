"""Databases and declarative bases for the tests of the models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.orm import DeclarativeBase
from websession_models import FullyFeaturedSession, Store

# pytest's importlib mode, which the workspace uses, puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# As in the project that Pyramid's cookiecutter makes.
NAMING_CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_base() -> type[DeclarativeBase]:
    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention=NAMING_CONVENTION)

    return Base


@pytest.fixture
def base() -> type[DeclarativeBase]:
    """A declarative base of the test's own."""
    return new_base()


@pytest.fixture
def other_base() -> type[DeclarativeBase]:
    """Another application's declarative base."""
    return new_base()


@pytest.fixture
def make_engine(websession_database_url: str) -> Iterator[Callable[..., Engine]]:
    """Makes engines on the test's database, with the arguments of `create_engine()`."""
    engines = []

    def make(**arguments: object) -> Engine:
        engines.append(create_engine(websession_database_url, **arguments))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def engine(make_engine: Callable[..., Engine]) -> Engine:
    """An engine on the test's database."""
    return make_engine()


@pytest.fixture
def model(base) -> type:
    """A session model with all features."""

    class WebSession(FullyFeaturedSession, base):
        __tablename__ = "session"

    return WebSession


@pytest.fixture
def store(model, base, engine) -> Store:
    """The store of `model`, whose tables are there."""
    base.metadata.create_all(engine)
    return Store.for_model(model)


@pytest.fixture
def statements(engine: Engine) -> list[str]:
    """Collects every statement that `engine` runs from now on."""
    collected: list[str] = []

    @event.listens_for(engine, "before_cursor_execute", named=True)
    def collect(**given):
        collected.append(given["statement"])

    return collected
