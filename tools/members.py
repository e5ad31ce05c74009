"""The members of the workspace that become distributions, as their own pyproject.toml files describe them."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
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

    @functools.cached_property
    def described(self) -> dict[str, Any]:
        """All of its pyproject.toml."""
        return tomllib.loads((self.folder / "pyproject.toml").read_text("utf-8"))

    @property
    def project(self) -> dict[str, Any]:
        """The table `[project]`."""
        table: dict[str, Any] = self.described["project"]
        return table

    @property
    def name(self) -> str:
        """The name of the distribution."""
        return str(self.project["name"])

    @property
    def package(self) -> Path:
        """The folder of the import package."""
        (module,) = self.folder.glob("src/*/__init__.py")
        return module.parent

    @property
    def about(self) -> Path:
        """The file of the version, which `hatch version` writes."""
        return self.package / "__about__.py"

    @property
    def version(self) -> Version:
        """The version that stands in `__about__.py`.

        Raises:
            ValueError: There is none.
        """
        match = re.search(r'(?m)^__version__ = "(\d+\.\d+\.\d+\S*)"$', self.about.read_text("utf-8"))
        if match is None:
            raise ValueError(f'{self.about} has no line __version__ = "X.Y.Z"')
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
        return [*self.requirements, *(requirement for extra in self.extras.values() for requirement in extra)]

    @property
    def siblings(self) -> list[Member]:
        """The members that it needs, by itself or for others, without its extras."""
        ours = {member.name: member for member in members()}
        siblings: dict[str, Member] = {}
        for requirement in self.requirements:
            if sibling := ours.get(requirement.name):
                siblings |= {member.name: member for member in (sibling, *sibling.siblings)}
        return [siblings[name] for name in sorted(siblings)]


def members() -> list[Member]:
    """Return all members of this checkout, by the name of their folder."""
    return [Member(path.parent) for path in sorted((ROOT / "packages").glob("*/pyproject.toml"))]


def member_named(name: str) -> Member:
    """Return the member whose distribution has a name.

    Raises:
        LookupError: There is none; the text names those there are.
    """
    ours = {member.name: member for member in members()}
    if name not in ours:
        raise LookupError(f"no distribution {name!r} here; there are {', '.join(sorted(ours))}")
    return ours[name]


def pythons() -> list[str]:
    """Return the versions of Python that the members say they work with, as 3.x."""
    classifiers = {line for member in members() for line in member.project["classifiers"]}
    versions = re.findall(r":: Python :: 3\.(\d+)$", "\n".join(classifiers), re.MULTILINE)
    return [f"3.{minor}" for minor in sorted(map(int, versions))]


def of_others(requirements: list[Requirement]) -> list[Requirement]:
    """Return those of some requirements that are not for members."""
    ours = {member.name for member in members()}
    return [requirement for requirement in requirements if requirement.name not in ours]


def tools_of_the_tests() -> list[str]:
    """Return what the workspace's own environment for tests has besides the members."""
    environments = tomllib.loads((ROOT / "hatch.toml").read_text("utf-8"))["envs"]
    return [*environments["default"]["extra-dependencies"], *environments["hatch-test"]["dependencies"]]
