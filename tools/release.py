"""Check one distribution as it would be released, alone.

`hatch run release:check websession-crypto` builds it, looks into what it built, installs that in two empty
environments, beside the oldest and beside the newest versions of everything that its ranges allow, runs its
tests in both, and the tests of the released siblings whose ranges allow it, and prints what to upload. It
uploads nothing and sets no tag.

Siblings are built from the tags of their releases, and from this checkout where it has a newer version.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from changelog import fragments, tags
from installations import NEWEST, OLDEST, BoundError, Installation, Release, Wheelhouse, tested_with
from members import ROOT, Member, member_named, members
from supply import describe
from wheels import CommandError, Distribution, run, unexpected_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement

say = functools.partial(print, flush=True)


class NotReadyError(Exception):
    """It must not be released like this; the text says why and what to do."""


def check_files(member: Member, distribution: Distribution) -> None:
    """Look into what was built.

    Raises:
        CommandError: twine refuses it.
        NotReadyError: Something is in it, missing, or said there that should not be.
    """
    wrong = unexpected_files(distribution)
    if wrong:
        raise NotReadyError(f"{distribution.wheel.name} and the sources differ in {', '.join(sorted(wrong))}")
    itself = f"{distribution.metadata['Name']} {distribution.metadata['Version']}"
    if itself != f"{member.name} {member.version}":
        raise NotReadyError(f"{distribution.wheel.name} calls itself {itself}")
    run(sys.executable, "-m", "twine", "check", "--strict", distribution.sdist, distribution.wheel)


def what_is_left(member: Member) -> list[str]:
    """Return what has to be done before the checkout can be tagged as a member's release."""
    tasks = []
    tag, place = f"{member.name}-v{member.version}", member.place
    if tag in tags(member) and tag not in run("git", "tag", "--points-at", "HEAD", cwd=member.root).split():
        tasks.append(f"{tag} exists: raise the version, by `hatch version minor` or `patch` in {place}")
    if paths := fragments(member):
        names = ", ".join(path.name for path in paths)
        tasks.append(f"fragments wait ({names}): `hatch run release:changelog {member.name}`")
    if f"## {member.version} " not in (member.folder / "CHANGELOG.md").read_text("utf-8"):
        tasks.append(f"{place}/CHANGELOG.md has no section {member.version}")
    if status := run("git", "status", "--porcelain", "--", place, cwd=member.root):
        tasks.append(f"changes in {place} are not committed: {' '.join(status.split())}")
    return tasks


def dependants(member: Member, wheelhouse: Wheelhouse) -> Iterator[tuple[Release, Requirement]]:
    """Yield the newest release of each member that asks for a member, with the range in which it asks."""
    for other in members():
        if any(need.name == member.name for need in other.all_requirements):
            *_, newest = wheelhouse.releases(other).values()
            yield from ((newest, need) for need in newest.member.all_requirements if need.name == member.name)


def check(member: Member, engines: str, out: Path) -> None:
    """Do all of it, on these database engines; what would be uploaded is put into `out`, emptied first.

    Raises:
        BoundError: A range is not what it works with.
        CommandError: Something could not be built, installed, or does not pass.
        NotReadyError: Something is wrong with what was built.
    """
    say(f"{member.name} {member.version}, on Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as scratch:
        wheelhouse = Wheelhouse(Path(scratch))

        def test(release: Release, resolution: str, what: str) -> None:
            installation = Installation.make(wheelhouse, release, resolution)
            beside = ", ".join(f"{name} {version}" for name, version in installation.versions.items())
            say(f"beside the {what}: {beside or 'nothing'}")
            say(f"    {installation.test(engines)}")

        distribution = wheelhouse.build(member)
        check_files(member, distribution)
        say(f"built {distribution.wheel.name} and {distribution.sdist.name}")
        say("contents, metadata and `twine check --strict`: pass")

        newest = [distribution]
        for sibling in member.siblings:
            for version, release in wheelhouse.releases(sibling).items():
                say(f"sibling {sibling.name} {version}, from {release.origin}")
            newest.append(release.built)
        if helpers := tested_with(member):
            say(f"for its tests alone, from this checkout: {', '.join(helper.name for helper in helpers)}")
        itself = Release(member, distribution, "this checkout")
        test(itself, OLDEST, "oldest")
        test(itself, NEWEST, "newest")

        wheelhouse.offer(distribution)
        for release, need in dependants(member, wheelhouse):
            name = f"{release.member.name} {release.member.version}, from {release.origin}"
            if not need.specifier.contains(member.version, prereleases=True):
                say(f"{name}: {need} does not allow it, so it keeps to an older one")
            elif release.member.root == ROOT:
                say(f"{name}: {need} allows it; `hatch test` tests them together")
            else:
                say(f"{name}: {need} allows it")
                for sibling in release.member.siblings:
                    if sibling.name != member.name:
                        wheelhouse.releases(sibling)
                test(release, NEWEST, "newest")

        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        for path in (distribution.wheel, distribution.sdist):
            shutil.copy(path, out)
        bom = describe(member, distribution, newest, wheelhouse.place / "described")
        (out / f"{distribution.wheel.name}.cdx.json").write_text(bom, "utf-8")


def say_what_to_upload(member: Member, out: Path) -> None:
    """Print the files, their digests and the commands."""
    folder = out.relative_to(ROOT)
    say("To upload:")
    for path in sorted(out.iterdir()):
        say(f"    {folder / path.name}  sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
    tag = f"{member.name}-v{member.version}"
    say(f"    git tag {tag} && git push origin {tag}")
    say(f"    twine upload {folder}/*.whl {folder}/*.tar.gz")


def main() -> int | str:
    """Check the distribution that the command line names."""
    parser = argparse.ArgumentParser(prog="hatch run release:check")
    parser.add_argument("name", help="the distribution")
    parser.add_argument("--engines", default="sqlite", help="database engines for its tests (%(default)s)")
    parser.add_argument(
        "--rehearse", action="store_true", help="say what is left to do before a tag, and do not fail for it"
    )
    args = parser.parse_args()
    try:
        member = member_named(args.name)
        out = ROOT / "dist" / f"{member.name}-{member.version}"
        check(member, args.engines, out)
    except (BoundError, CommandError, LookupError, NotReadyError) as error:
        return str(error)
    if tasks := what_is_left(member):
        say("Before it can be tagged:", *tasks, sep="\n    ")
        if not args.rehearse:
            return 1
    say_what_to_upload(member, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
