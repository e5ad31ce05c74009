"""Check one distribution as it would be released, alone.

`hatch run release:check websession-crypto` builds it, looks into what it built, installs that in two empty
environments, beside the oldest and beside the newest versions of everything that its ranges allow, runs its
tests in both, and the tests of the released siblings whose ranges allow it, and prints what to upload. It
uploads nothing and sets no tag.

Siblings are built from the tags of their releases, and from this checkout where it has a newer version.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from changelog import fragments, tags
from members import ROOT, Member, member, members
from supply import describe
from trials import NEWEST, OLDEST, BoundError, Release, Trial, Workshop, siblings, tested_with
from wheels import CommandError, Distribution, build, run, unexpected_files


class NotReadyError(Exception):
    """It must not be released like this; the text says why and what to do."""


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


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


def dependants(of: Member, workshop: Workshop) -> list[tuple[Release, str, bool]]:
    """Return the newest release of each member that asks for a member, or what the checkout has of it.

    Returns:
        Each with the range in which it asks, and whether that allows the member's version.
    """
    found = []
    for each in members():
        if any(requirement.name == of.name for requirement in each.all_requirements):
            newest = list(workshop.gather(each).values())[-1]
            for requirement in newest.member.all_requirements:
                if requirement.name == of.name:
                    allows = requirement.specifier.contains(of.version, prereleases=True)
                    found.append((newest, str(requirement), allows))
    return found


def say_beside(what: str, trial: Trial) -> None:
    """Print what a trial has installed, then the outcome of its tests."""
    beside = ", ".join(f"{name} {version}" for name, version in trial.versions.items()) or "nothing"
    say(f"beside the {what}: {beside}")
    say(f"    {trial.test()}")


def check(of: Member, engines: str, out: Path) -> None:
    """Do all of it.

    Args:
        of: The member.
        engines: The engines to test it on, as the plugin takes them.
        out: The folder for what would be uploaded; what it held before is removed.

    Raises:
        BoundError: A range is not what it works with.
        CommandError: Something could not be built, installed, or does not pass.
        NotReadyError: Something is wrong with what was built.
    """
    say(f"{of.name} {of.version}, on Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as scratch:
        workshop = Workshop(Path(scratch), engines)
        release = Release(of, build(of.folder, workshop.place / "built"), "this checkout")
        built = release.built
        check_files(of, built)
        say(f"built {built.wheel.name} and {built.sdist.name}")
        say("contents, metadata and `twine check --strict`: pass")

        newest = [built]
        for each in siblings(of):
            for version, one in workshop.gather(each).items():
                say(f"sibling {each.name} {version}, from {one.origin}")
            newest.append(one.built)
        if helpers := tested_with(of):
            say(f"for its tests alone, from this checkout: {', '.join(each.name for each in helpers)}")
        say_beside("oldest", workshop.trial(release, OLDEST))
        say_beside("newest", workshop.trial(release, NEWEST))

        workshop.offer(built)
        for one, requirement, allows in dependants(of, workshop):
            name = f"{one.member.name} {one.member.version}, from {one.origin}"
            if not allows:
                say(f"{name}: {requirement} does not allow it, so it keeps to an older one")
            elif one.member.root == ROOT:
                say(f"{name}: {requirement} allows it; `hatch test` tests them together")
            else:
                say(f"{name}: {requirement} allows it")
                for each in siblings(one.member):
                    if each.name != of.name:
                        workshop.gather(each)
                say_beside("newest", workshop.trial(one, NEWEST))

        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        for path in (built.wheel, built.sdist):
            shutil.copy(path, out)
        described = describe(of, built, newest, workshop.place / "described")
        (out / f"{built.wheel.name}.cdx.json").write_text(described, "utf-8")


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
    except (BoundError, CommandError, LookupError, NotReadyError) as error:
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
