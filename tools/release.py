"""Check one distribution as it would be released, alone.

`hatch run release:check websession-crypto` builds it, looks into what it built, installs that in two empty
environments, beside the oldest and beside the newest versions of everything that its ranges allow, runs its
tests in both, and prints what to upload. It uploads nothing and sets no tag.

Siblings are built from the tags of their releases, and from this checkout where it has a newer version.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from changelog import fragments, tags
from members import ROOT, Member, member, members, tools_of_the_tests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from supply import describe
from wheels import (
    IN_PROCESSES,
    CommandError,
    Distribution,
    Environment,
    build,
    run,
    run_bytes,
    unexpected_files,
)

OLDEST, NEWEST = "lowest-direct", "highest"

PROVES = {
    # Its other tests are about the workspace.
    "pytest-websession": ["packages/testing/tests/test_plugin.py", "packages/testing/tests/test_servers.py"],
}
"""The tests of a member, where they are not all that its folder has."""

TESTED_ALONE = frozenset({"websession-core", "websession-crypto"})
"""The tests of the others need the plugin, for databases, and what applications import."""


class NotReadyError(Exception):
    """It must not be released like this; the text says why and what to do."""


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


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


def released(of: Member, scratch: Path) -> dict[Version, tuple[Distribution, str]]:
    """Build every release of a member that has a tag, and what the checkout has if that is none of them.

    Args:
        of: The member.
        scratch: An empty folder to work in.

    Returns:
        By version, what was built, and where its sources are from.
    """
    found: dict[Version, tuple[Distribution, str]] = {}
    for tag in tags(of):
        try:
            version = Version(tag.removeprefix(f"{of.name}-v"))
        except InvalidVersion:
            continue
        sources = scratch / tag
        packed = BytesIO(run_bytes("git", "archive", tag, of.place, cwd=of.root))
        with tarfile.open(fileobj=packed) as archive:
            archive.extractall(sources, filter="data")
        found[version] = (build(sources / of.place, scratch / f"{tag}-built"), f"tag {tag}")
    if of.version not in found:
        found[of.version] = (build(of.folder, scratch / f"{of.name}-built"), "this checkout, it has no tag")
    return found


def check_files(of: Member, built: Distribution) -> None:
    """Look into what was built.

    Raises:
        NotReadyError: Something is in it, missing, or said there that should not be.
    """
    wrong = unexpected_files(built)
    if wrong:
        raise NotReadyError(f"{built.wheel.name} and the sources differ in {', '.join(sorted(wrong))}")
    if built.metadata["Name"] != of.name or built.metadata["Version"] != str(of.version):
        itself = f"{built.metadata['Name']} {built.metadata['Version']}"
        raise NotReadyError(f"{built.wheel.name} calls itself {itself}")
    try:
        run(sys.executable, "-m", "twine", "check", "--strict", built.sdist, built.wheel)
    except CommandError as error:
        raise NotReadyError(str(error)) from error


def what_is_left(of: Member) -> list[str]:
    """Return what has to be done before the checkout can be tagged as a member's release."""
    left = []
    tag = f"{of.name}-v{of.version}"
    if tag in tags(of) and tag not in run("git", "tag", "--points-at", "HEAD", cwd=of.root).split():
        left.append(f"{tag} exists: raise the version, by `hatch version minor` or `patch` in {of.place}")
    if waiting := fragments(of):
        names = ", ".join(path.name for path in waiting)
        left.append(f"fragments wait ({names}): `hatch run release:changelog {of.name}`")
    if f"## {of.version} " not in (of.folder / "CHANGELOG.md").read_text("utf-8"):
        left.append(f"{of.place}/CHANGELOG.md has no section {of.version}")
    if changed := run("git", "status", "--porcelain", "--", of.place, cwd=of.root):
        left.append(f"changes in {of.place} are not committed: {' '.join(changed.split())}")
    return left


def who_allows(of: Member) -> list[str]:
    """Return what the ranges of the members that need a member say to its version."""
    lines = []
    for each in members():
        for requirement in each.all_requirements:
            if requirement.name == of.name:
                allows = requirement.specifier.contains(of.version, prereleases=True)
                what = "allows it" if allows else "does not allow it, and keeps to an older one"
                lines.append(f"{each.name} {each.version} ({requirement}) {what}")
    return lines


@dataclass(frozen=True)
class Trial:
    """A distribution in an empty environment, beside one choice of everything else."""

    member: Member
    built: Distribution
    environment: Environment

    @property
    def asks_for(self) -> list[str]:
        """The names of what it asks for itself, extras included, and of all siblings below it."""
        others = [each.name for each in requirements_of(self.member, extras=True)]
        return sorted(map(canonicalize_name, {*others, *(each.name for each in siblings(self.member))}))

    @property
    def versions(self) -> dict[str, str]:
        """The versions of that which are installed."""
        installed = {canonicalize_name(name): version for name, version in self.environment.installed.items()}
        return {name: installed[canonicalize_name(name)] for name in self.asks_for}

    def install(self, resolution: str, candidates: Path) -> None:
        """Install it, and everything it needs, extras included, as old or as new as its ranges allow.

        Args:
            resolution: Whether what it asks for by itself comes at its oldest or at its newest.
            candidates: A folder with the wheels of the siblings' versions.

        Raises:
            CommandError: Nothing fits its ranges.
            NotReadyError: A lower bound that it declares is not what was installed.
        """
        direct = requirements_of(self.member, extras=True)
        needed = [*direct, *(each for each in self.member.requirements if each not in direct)]
        names = [each.name for each in siblings(self.member)]
        self.environment.install(
            f"--resolution={resolution}", "--find-links", candidates, self.built.wheel, *needed, *names
        )
        if resolution == OLDEST:
            versions = self.versions
            for requirement in direct:
                found = versions[canonicalize_name(requirement.name)]
                bounds = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
                if bounds != [Version(found)]:
                    raise NotReadyError(f"{requirement} is declared, but the oldest that fits is {found}")

    def test(self, tools: list[str], helpers: list[Distribution], arguments: list[str]) -> str:
        """Install what the tests need, which moves nothing that the member asks for, and run them.

        Args:
            tools: Requirements of the tests.
            helpers: Siblings that the tests need and the member does not.
            arguments: pytest's.

        Returns:
            The last line that pytest prints.

        Raises:
            CommandError: They do not pass.
        """
        place = self.environment.python.parent.parent
        held = self.versions
        frozen = place / "frozen.txt"
        frozen.write_text("".join(f"{name}=={version}\n" for name, version in held.items()), "utf-8")
        if helpers:
            self.environment.install("--no-deps", *(each.wheel for each in helpers))
        missing = [each for each in tools if canonicalize_name(Requirement(each).name) not in held]
        self.environment.install("--constraint", frozen, *missing)
        # pytest itself may be older than the workspace asks for: its plugin is proved with such a one.
        settings = place / "pyproject.toml"
        workspace = (ROOT / "pyproject.toml").read_text("utf-8")
        settings.write_text(re.sub(r"(?m)^minversion = .*$", "", workspace, count=1), "utf-8")
        tests = PROVES.get(self.member.name, [self.member.place])
        pytest = self.environment.python.with_name("pytest")
        options = ["-q", "-c", settings, "--rootdir", ROOT, "-p", "no:cacheprovider"]
        printed = run(pytest, *options, *IN_PROCESSES, *tests, *arguments, cwd=ROOT)
        return printed.strip().rpartition("\n")[2].strip("= ")


def check(of: Member, engines: str, out: Path) -> None:
    """Do all of it.

    Args:
        of: The member.
        engines: The engines to test it on, as the plugin takes them.
        out: The folder for what would be uploaded; what it held before is removed.

    Raises:
        CommandError: Something could not be built, installed, or does not pass.
        NotReadyError: Something is wrong with what was built.
    """
    say(f"{of.name} {of.version}, on Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        built = build(of.folder, place / "built")
        check_files(of, built)
        say(f"built {built.wheel.name} and {built.sdist.name}")
        say("contents, metadata and `twine check --strict`: pass")

        needed = siblings(of)
        candidates = place / "candidates"
        candidates.mkdir()
        newest = [built]
        for each in needed:
            versions = released(each, place / each.name)
            newest.append(versions[max(versions)][0])
            for version, (distribution, origin) in sorted(versions.items()):
                shutil.copy(distribution.wheel, candidates)
                say(f"sibling {each.name} {version}, from {origin}")

        helpers: list[Distribution] = []
        tools = tools_of_the_tests()
        arguments: list[str] = []
        if of.name not in TESTED_ALONE:
            arguments = [f"--websession-engines={engines}"]
            for each in members():
                tools += map(str, requirements_of(each, extras=False))
                if each.name not in {of.name, *(one.name for one in needed)}:
                    helpers.append(build(each.folder, place / "helpers" / each.name))
            names = ", ".join(each.name for each in helpers)
            say(f"for its tests alone, from this checkout: {names}")

        for resolution, what in ((OLDEST, "oldest"), (NEWEST, "newest")):
            trial = Trial(of, built, Environment.make(place / what, []))
            trial.install(resolution, candidates)
            beside = ", ".join(f"{name} {version}" for name, version in trial.versions.items()) or "nothing"
            say(f"beside the {what}: {beside}")
            say(f"    {trial.test(tools, helpers, arguments)}")

        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        for path in (built.wheel, built.sdist):
            shutil.copy(path, out)
        described = describe(of, built, newest, place / "described")
        (out / f"{built.wheel.name}.cdx.json").write_text(described, "utf-8")

    for line in who_allows(of):
        say(line)


def tell_what_to_upload(of: Member, out: Path) -> None:
    """Print the files, their digests and the commands."""
    folder = out.relative_to(ROOT)
    say("To upload:")
    for path in sorted(out.iterdir()):
        say(f"    {folder / path.name}  sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
    tag = f"{of.name}-v{of.version}"
    say(f"    git tag {tag} && git push origin {tag}")
    say(f"    twine upload {folder}/*.whl {folder}/*.tar.gz")


def main() -> int:
    """Check the distribution that the command line names."""
    parser = argparse.ArgumentParser(prog="hatch run release:check")
    parser.add_argument("name", help="the distribution")
    parser.add_argument("--engines", default="sqlite", help="database engines for its tests (%(default)s)")
    parser.add_argument(
        "--rehearse", action="store_true", help="tell what is left to do before a tag, and do not fail for it"
    )
    given = parser.parse_args()
    try:
        of = member(given.name)
        out = ROOT / "dist" / f"{of.name}-{of.version}"
        check(of, given.engines, out)
    except (CommandError, LookupError, NotReadyError) as error:
        print(*error.args, file=sys.stderr)
        return 1
    if left := what_is_left(of):
        say("Before it can be tagged:")
        for line in left:
            say(f"    {line}")
        if not given.rehearse:
            return 1
    tell_what_to_upload(of, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
