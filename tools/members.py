"""The members of the workspace that become distributions, as their own pyproject.toml files describe them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
"""The checkout."""


@dataclass(frozen=True)
class Member:
    """One folder below `packages/`."""

    folder: Path

    @property
    def root(self) -> Path:
        """The checkout that it is in."""
        return self.folder.parents[1]

    @property
    def place(self) -> str:
        """Its folder, as git calls it."""
        return self.folder.relative_to(self.root).as_posix()

    @cached_property
    def described(self) -> dict[str, Any]:
        """All of its pyproject.toml."""
        return tomllib.loads((self.folder / "pyproject.toml").read_text("utf-8"))

    @property
    def project(self) -> dict[str, Any]:
        """The table `[project]`."""
        table: dict[str, Any] = self.described["project"]
        return table

    @property
    def settings(self) -> dict[str, Any]:
        """The table `[tool.hatch]`."""
        table: dict[str, Any] = self.described["tool"]["hatch"]
        return table

    @property
    def name(self) -> str:
        """The name of the distribution."""
        return str(self.project["name"])

    @property
    def package(self) -> Path:
        """The folder of the import package."""
        (found,) = self.folder.glob("src/*/__init__.py")
        return found.parent

    @property
    def version(self) -> Version:
        """The version that stands in `__about__.py`, which `hatch version` writes.

        Raises:
            ValueError: There is none.
        """
        about = (self.package / "__about__.py").read_text("utf-8")
        match = re.search(r'^__version__ = "(\d+\.\d+\.\d+\S*)"$', about, re.MULTILINE)
        if match is None:
            raise ValueError(f'{self.package / "__about__.py"} has no line __version__ = "X.Y.Z"')
        return Version(match[1])

    @property
    def requirements(self) -> list[Requirement]:
        """What it always needs."""
        return [Requirement(line) for line in self.project["dependencies"]]

    @property
    def extras(self) -> dict[str, list[Requirement]]:
        """What each extra needs besides."""
        extras = self.project.get("optional-dependencies", {})
        return {name: [Requirement(line) for line in lines] for name, lines in extras.items()}

    @property
    def all_requirements(self) -> list[Requirement]:
        """What it needs with every extra."""
        return [*self.requirements, *(each for extra in self.extras.values() for each in extra)]


def members() -> list[Member]:
    """Return all members of this checkout, by the name of their folder."""
    return [Member(path.parent) for path in sorted((ROOT / "packages").glob("*/pyproject.toml"))]


def member(name: str) -> Member:
    """Return the member whose distribution has a name.

    Raises:
        LookupError: There is none; the text names those there are.
    """
    found = {each.name: each for each in members()}
    if name not in found:
        raise LookupError(f"no distribution {name!r} here; there are {', '.join(sorted(found))}")
    return found[name]


def tools_of_the_tests() -> list[str]:
    """Return what the workspace's own environment for tests has besides the members."""
    environments = tomllib.loads((ROOT / "hatch.toml").read_text("utf-8"))["envs"]
    return [*environments["default"]["extra-dependencies"], *environments["hatch-test"]["dependencies"]]
