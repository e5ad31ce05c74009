"""Install a release in an empty environment, beside siblings of chosen versions, and test it there.

Siblings are built from the tags of their releases, and from this checkout where its version has no tag.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from changelog import tags
from members import ROOT, Member, members, of_others, tools_of_the_tests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from wheels import Distribution, Environment, build, run

if TYPE_CHECKING:
    from pathlib import Path

OLDEST, NEWEST = "lowest-direct", "highest"
"""What a distribution asks for by itself comes at its oldest, or everything at its newest."""

TESTS = {
    # Its other tests are about the workspace.
    "pytest-websession": [
        "packages/testing/tests/test_memory_sessions.py",
        "packages/testing/tests/test_plugin.py",
        "packages/testing/tests/test_servers.py",
        "packages/testing/tests/with_application",
    ]
}
"""The tests of a member, where they are not all that its folder has."""

TESTED_ALONE = frozenset({"websession-core", "websession-crypto"})
"""The tests of the others need the plugin, for databases, and what applications import."""


class BoundError(Exception):
    """A range that a distribution declares is not what it works with; the text names it."""


@dataclass(frozen=True)
class Release:
    """A version of a member: its sources, in a checkout or a tag's tree, and what was built from them."""

    member: Member
    built: Distribution
    origin: str


class Wheelhouse:
    """The wheels of our own that installations may choose from."""

    def __init__(self, place: Path) -> None:
        self.place = place  # a folder to work in
        self.wheels = place / "wheels"
        self.wheels.mkdir(parents=True)
        self._distributions: dict[str, Distribution] = {}
        self._releases: dict[str, dict[Version, Release]] = {}

    def offer(self, distribution: Distribution) -> None:
        """Let installations choose a wheel, too."""
        shutil.copy(distribution.wheel, self.wheels)

    def build(self, member: Member) -> Distribution:
        """Build what the checkout has of a member, once."""
        if member.name not in self._distributions:
            self._distributions[member.name] = build(member.folder, self.place / f"{member.name}-built")
        return self._distributions[member.name]

    def releases(self, member: Member) -> dict[Version, Release]:
        """Build every release of a member that has a tag, and what the checkout has if that is none of them.

        Installations can choose among them. It is done once. They are returned by version, the oldest first.
        """
        if member.name not in self._releases:
            releases = {}
            for tag in tags(member):
                try:
                    version = Version(tag.removeprefix(f"{member.name}-v"))
                except InvalidVersion:
                    continue
                archive = self.place / f"{tag}.tar"
                run("git", "archive", "--output", archive, tag, cwd=member.root)
                shutil.unpack_archive(archive, self.place / tag, filter="data")
                source = Member(self.place / tag / member.place)
                releases[version] = Release(
                    source, build(source.folder, self.place / f"{tag}-built"), f"tag {tag}"
                )
            if member.version not in releases:
                distribution = self.build(member)
                releases[member.version] = Release(member, distribution, "this checkout, it has no tag")
            for release in releases.values():
                self.offer(release.built)
            self._releases[member.name] = dict(sorted(releases.items()))
        return self._releases[member.name]


@dataclass(frozen=True)
class Installation:
    """A release in an environment of its own, beside one choice of everything that it needs."""

    wheelhouse: Wheelhouse
    release: Release
    environment: Environment

    @classmethod
    def make(cls, wheelhouse: Wheelhouse, release: Release, resolution: str) -> Installation:
        """Install a release, and everything it needs, extras included, as old or as new as its ranges allow.

        Raises:
            CommandError: Nothing fits its ranges.
            BoundError: A lower bound that it declares is not what was installed.
        """
        member = release.member
        number = len(list(wheelhouse.place.glob("environment-*")))
        environment = Environment.make(wheelhouse.place / f"environment-{number}", [])
        direct = of_others(member.all_requirements)
        requirements = [*direct, *(need for need in member.requirements if need not in direct)]
        options = f"--resolution={resolution}", "--find-links", wheelhouse.wheels
        siblings = [sibling.name for sibling in member.siblings]
        environment.install(*options, release.built.wheel, *requirements, *siblings)
        installation = cls(wheelhouse, release, environment)
        if resolution == OLDEST:
            for requirement in direct:
                oldest = installation.versions[canonicalize_name(requirement.name)]
                bounds = [Version(bound.version) for bound in requirement.specifier if bound.operator == ">="]
                if bounds != [Version(oldest)]:
                    raise BoundError(f"{requirement} is declared, but the oldest that fits is {oldest}")
        return installation

    @property
    def versions(self) -> dict[str, str]:
        """The versions of what it asks for itself, extras included, and of all siblings below it."""
        member = self.release.member
        needs = {need.name for need in of_others(member.all_requirements)}
        names = map(canonicalize_name, {*needs, *(sibling.name for sibling in member.siblings)})
        installed = self.environment.installed
        return {name: installed[name] for name in sorted(names)}

    def test(self, engines: str) -> str:
        """Install what the tests need, which moves nothing that the member asks for, and run them.

        Return the last line that pytest prints.
        """
        member = self.release.member
        tools = tools_of_the_tests()
        arguments: list[object] = []
        if member.name not in TESTED_ALONE:
            arguments.append(f"--websession-engines={engines}")
            tools += [str(need) for other in members() for need in of_others(other.requirements)]
            if helpers := [self.wheelhouse.build(helper).wheel for helper in tested_with(member)]:
                self.environment.install("--no-deps", *helpers)

        place = self.environment.python.parent.parent
        versions = self.versions
        frozen = place / "frozen.txt"
        frozen.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()), "utf-8")
        others = [tool for tool in tools if canonicalize_name(Requirement(tool).name) not in versions]
        self.environment.install("--constraint", frozen, *others)

        # pytest itself may be older than the workspace asks for: its plugin is proved with such a one.
        settings = place / "pyproject.toml"
        workspace = (ROOT / "pyproject.toml").read_text("utf-8")
        settings.write_text(re.sub(r"(?m)^minversion = .*$", "", workspace, count=1), "utf-8")
        arguments += ["-c", settings, "--rootdir", member.root, *TESTS.get(member.name, [member.place])]
        return self.environment.test(*arguments, cwd=member.root)


def tested_with(member: Member) -> list[Member]:
    """Return the members that the tests of a member need, and the member does not."""
    if member.name in TESTED_ALONE:
        return []
    beside = {member.name, *(sibling.name for sibling in member.siblings)}
    return [other for other in members() if other.name not in beside]
