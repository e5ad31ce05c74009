"""Every public name is documented, and stands in the reference."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

API = Path(__file__).parents[3] / "docs" / "reference" / "api"
PACKAGES = [
    "pyramid_sqlalchemy_sessions",
    "pytest_websession.browser",
    "pytest_websession.clock",
    "pytest_websession.contract",
    "pytest_websession.memory",
    "pytest_websession.plugin",
    "pytest_websession.servers",
    "pytest_websession.statements",
    "websession_core",
    "websession_crypto",
    "websession_models",
    "websession_pyramid",
]

# Values have no docstring of their own: what stands below them in the source is in the reference.
PUBLIC = [
    pytest.param(getattr(module, name), id=f"{module.__name__}.{name}")
    for module in map(importlib.import_module, PACKAGES)
    for name in module.__all__
    if inspect.isclass(getattr(module, name)) or inspect.isroutine(getattr(module, name))
]


def is_ours(thing: object) -> bool:
    return getattr(thing, "__module__", "").partition(".")[0] in {name.partition(".")[0] for name in PACKAGES}


def defined_members(cls: type) -> list[tuple[str, object]]:
    """Return the public functions and properties that a class of ours, or one it inherits from, defines."""
    return [
        (name, member)
        for base in cls.__mro__
        if is_ours(base)
        for name, member in vars(base).items()
        if not name.startswith(("_", "test_"))  # a test's name is its sentence
        and (inspect.isfunction(member) or isinstance(member, (property, classmethod, staticmethod)))
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_stands_in_the_reference(package):
    page = API / f"{package.partition('.')[0]}.md"
    assert f".. automodule:: {package}\n   :members:\n" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("thing", PUBLIC)
def test_a_public_class_or_function_says_what_it_is(thing):
    assert vars(thing).get("__doc__") if inspect.isclass(thing) else inspect.getdoc(thing)


@pytest.mark.parametrize("cls", [thing for thing in PUBLIC if inspect.isclass(thing.values[0])])
def test_its_methods_and_properties_do_too(cls):
    undocumented = [name for name, member in defined_members(cls) if not inspect.getdoc(member)]
    assert undocumented == []
