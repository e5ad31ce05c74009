"""Install a distribution in an empty environment, beside siblings of chosen versions, and test it there.

Siblings are built from the tags of their releases, and from this checkout where its version has no tag.
"""

from __future__ import annotations

import re
import shutil
import tarfile
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from changelog import tags
from members import ROOT, Member, members, tools_of_the_tests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from wheels import IN_PROCESSES, Distribution, Environment, build, run, run_bytes

if TYPE_CHECKING:
    from pathlib import Path

OLDEST, NEWEST = "lowest-direct", "highest"
"""What a distribution asks for by itself comes at its oldest, or everything at its newest."""

PROVES = {
    # Its other tests are about the workspace.
    "pytest-websession": [
        "packages/testing/tests/test_memory_sessions.py",
        "packages/testing/tests/test_plugin.py",
        "packages/testing/tests/test_servers.py",
        "packages/testing/tests/with_application",
    ],
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


def siblings(of: Member) -> list[Member]:
    """Return the members that a member needs, by themselves or for others, without its extras."""
    ours = {each.name: each for each in members()}
    found: dict[str, Member] = {}
    waiting = [of]
    while waiting:
        for requirement in waiting.pop().requirements:
            if requirement.name in ours and requirement.name not in found:
                found[requirement.name] = ours[requirement.name]
                waiting.append(ours[requirement.name])
    return [found[name] for name in sorted(found)]


def requirements_of(of: Member, *, extras: bool) -> list[Requirement]:
    """Return what a member needs of others, an extra's siblings left out."""
    ours = {each.name for each in members()}
    return [each for each in (of.all_requirements if extras else of.requirements) if each.name not in ours]


def releases(of: Member, scratch: Path) -> dict[Version, Release]:
    """Build every release of a member that has a tag, and what the checkout has if that is none of them.

    Args:
        of: The member.
        scratch: A folder to work in, for this member alone.

    Returns:
        By version, the oldest first.
    """
    found: dict[Version, Release] = {}
    for tag in tags(of):
        try:
            version = Version(tag.removeprefix(f"{of.name}-v"))
        except InvalidVersion:
            continue
        sources = scratch / tag
        with tarfile.open(fileobj=BytesIO(run_bytes("git", "archive", tag, cwd=of.root))) as archive:
            archive.extractall(sources, filter="data")
        tagged = Member(sources / of.place)
        found[version] = Release(tagged, build(tagged.folder, scratch / f"{tag}-built"), f"tag {tag}")
    if of.version not in found:
        built = build(of.folder, scratch / f"{of.name}-built")
        found[of.version] = Release(of, built, "this checkout, it has no tag")
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Workshop:
    """Where trials are made: the wheels that they choose from, and the engines that they run on."""

    place: Path
    engines: str
    gathered: dict[str, dict[Version, Release]] = field(default_factory=dict)
    helpers: dict[str, Distribution] = field(default_factory=dict)

    @property
    def candidates(self) -> Path:
        """The folder of all wheels that an installation may choose from."""
        folder = self.place / "candidates"
        folder.mkdir(exist_ok=True)
        return folder

    def offer(self, distribution: Distribution) -> None:
        """Let trials choose a wheel, too."""
        shutil.copy(distribution.wheel, self.candidates)

    def gather(self, of: Member) -> dict[Version, Release]:
        """Build all versions of a member, once, and let trials choose among them.

        Returns:
            By version, the oldest first.
        """
        if of.name not in self.gathered:
            self.gathered[of.name] = releases(of, self.place / of.name)
            for each in self.gathered[of.name].values():
                self.offer(each.built)
        return self.gathered[of.name]

    def helper(self, of: Member) -> Distribution:
        """Return what this checkout has of a member, built once."""
        if of.name not in self.helpers:
            self.helpers[of.name] = build(of.folder, self.place / "helpers" / of.name)
        return self.helpers[of.name]

    def trial(self, release: Release, resolution: str) -> Trial:
        """Install a release, and everything it needs, extras included, as old or as new as its ranges allow.

        Args:
            release: The release.
            resolution: `OLDEST` or `NEWEST`.

        Raises:
            CommandError: Nothing fits its ranges.
            BoundError: A lower bound that it declares is not what was installed.
        """
        member = release.member
        number = len(list(self.place.glob("environment-*")))
        environment = Environment.make(self.place / f"environment-{number}", [])
        direct = requirements_of(member, extras=True)
        needed = [*direct, *(each for each in member.requirements if each not in direct)]
        names = [each.name for each in siblings(member)]
        how = [f"--resolution={resolution}", "--find-links", self.candidates]
        environment.install(*how, release.built.wheel, *needed, *names)
        trial = Trial(self, release, environment)
        if resolution == OLDEST:
            versions = trial.versions
            for requirement in direct:
                found = versions[canonicalize_name(requirement.name)]
                bounds = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
                if bounds != [Version(found)]:
                    raise BoundError(f"{requirement} is declared, but the oldest that fits is {found}")
        return trial


@dataclass(frozen=True)
class Trial:
    """A distribution in an empty environment, beside one choice of everything else."""

    workshop: Workshop
    release: Release
    environment: Environment

    @property
    def versions(self) -> dict[str, str]:
        """The versions of what it asks for itself, extras included, and of all siblings below it."""
        member = self.release.member
        others = [each.name for each in requirements_of(member, extras=True)]
        names = sorted(map(canonicalize_name, {*others, *(each.name for each in siblings(member))}))
        installed = {canonicalize_name(name): version for name, version in self.environment.installed.items()}
        return {name: installed[name] for name in names}

    def test(self) -> str:
        """Install what the tests need, which moves nothing that the member asks for, and run them.

        Returns:
            The last line that pytest prints.

        Raises:
            CommandError: They do not pass.
        """
        member = self.release.member
        tools = tools_of_the_tests()
        arguments: list[str] = []
        if member.name not in TESTED_ALONE:
            arguments = [f"--websession-engines={self.workshop.engines}"]
            tools += [str(need) for each in members() for need in requirements_of(each, extras=False)]
            helpers = [self.workshop.helper(each).wheel for each in tested_with(member)]
            if helpers:
                self.environment.install("--no-deps", *helpers)

        place = self.environment.python.parent.parent
        held = self.versions
        frozen = place / "frozen.txt"
        frozen.write_text("".join(f"{name}=={version}\n" for name, version in held.items()), "utf-8")
        missing = [each for each in tools if canonicalize_name(Requirement(each).name) not in held]
        self.environment.install("--constraint", frozen, *missing)

        # pytest itself may be older than the workspace asks for: its plugin is proved with such a one.
        settings = place / "pyproject.toml"
        workspace = (ROOT / "pyproject.toml").read_text("utf-8")
        settings.write_text(re.sub(r"(?m)^minversion = .*$", "", workspace, count=1), "utf-8")
        root = member.root
        options = ["-q", "-c", settings, "--rootdir", root, "-p", "no:cacheprovider", "-rfE", *IN_PROCESSES]
        tests = PROVES.get(member.name, [member.place])
        printed = run(self.environment.python.with_name("pytest"), *options, *tests, *arguments, cwd=root)
        return printed.strip().rpartition("\n")[2].strip("= ")


def tested_with(of: Member) -> list[Member]:
    """Return the members that the tests of a member need, and the member does not."""
    if of.name in TESTED_ALONE:
        return []
    beside = {of.name, *(each.name for each in siblings(of))}
    return [each for each in members() if each.name not in beside]
