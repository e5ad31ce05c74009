"""The members' changelogs, and the fragments that they are made of.

`hatch run release:changelog websession-crypto` makes the section of its present version out of its fragments.
`hatch run release:fragments` fails where a member's code has changed and no fragment tells its users.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from members import ROOT, Member, member, members
from wheels import CommandError, run

if TYPE_CHECKING:
    from pathlib import Path


def fragments(of: Member) -> list[Path]:
    """Return a member's fragments, which wait for its next version."""
    return sorted(path for path in (of.folder / "newsfragments").glob("*.md"))


def write(of: Member, *, draft: bool = False) -> str:
    """Move a member's fragments into its changelog, as the section of its present version.

    Args:
        of: The member.
        draft: Whether to show the section and to change nothing.

    Returns:
        What towncrier says.

    Raises:
        CommandError: towncrier finds something wrong.
    """
    how = "--draft" if draft else "--yes"
    version = str(of.version)
    return run(sys.executable, "-m", "towncrier", "build", how, "--version", version, cwd=of.folder)


def exists(ref: str, root: Path = ROOT) -> bool:
    """Tell whether a commit can be found by a name in a checkout."""
    try:
        run("git", "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", cwd=root)
    except CommandError:
        return False
    return True


def tags(of: Member) -> list[str]:
    """Return the tags of a member's releases, the oldest first."""
    listed = run("git", "tag", "--list", f"{of.name}-v*", "--sort=version:refname", cwd=of.root)
    return listed.split()


def changes(since: str, root: Path = ROOT) -> frozenset[str]:
    """Return the paths in which the working tree differs from where it left another line of commits.

    Args:
        since: The name of a commit of that line.
        root: The checkout.
    """
    base = run("git", "merge-base", since, "HEAD", cwd=root).strip()
    changed = run("git", "diff", "--name-only", "--no-renames", base, cwd=root)
    unknown = run("git", "ls-files", "--others", "--exclude-standard", cwd=root)
    return frozenset([*changed.splitlines(), *unknown.splitlines()])


def untold(of: Member, changed: frozenset[str]) -> list[str]:
    """Return the changed code of a member of which no changed fragment tells.

    A changelog that has changed tells, too: the change is a release. The version's own file is no code.

    Args:
        of: The member.
        changed: All changed paths, from the root of the checkout.
    """
    about = (of.package / "__about__.py").relative_to(of.root).as_posix()
    code = [path for path in changed if path.startswith(f"{of.place}/src/") and path != about]
    news = f"{of.place}/newsfragments/"
    told = any(path.startswith(news) and path.endswith(".md") for path in changed)
    return [] if told or f"{of.place}/CHANGELOG.md" in changed else sorted(code)


def compare(ref: str | None) -> int:
    """Say for each member whether its changed code has a fragment.

    Args:
        ref: The commit to compare with; None: `origin/main`, and where that is not to be had the member's
            last release.

    Returns:
        The exit status.
    """
    if ref is not None and not exists(ref):
        print(f"there is no {ref!r} here to compare with; in a shallow clone, fetch it")
        return 2
    missing = 0
    for each in members():
        main = "origin/main" if exists("origin/main") else None
        since = ref or main or next(reversed(tags(each)), None)
        if since is None:
            print(f"{each.name}: skipped: neither origin/main nor a release to compare with")
            continue
        try:
            code = untold(each, changes(since))
        except CommandError:
            # A shallow clone need not have the commit from which both come.
            print(f"{each.name}: skipped: no commit here is common to this checkout and {since}")
            continue
        if not code:
            print(f"{each.name}: nothing untold since {since}")
            continue
        missing += 1
        print(
            f"{each.name}: {', '.join(code)} changed since {since}, and no fragment tells. Say it to the "
            f"users in {each.place}/newsfragments/<issue>.<feature|bugfix|removal>.md, or where none can "
            "notice in +<word>.misc.md there"
        )
    return int(missing > 0)


def main() -> int:
    """Run one of the two."""
    parser = argparse.ArgumentParser(prog="hatch run release:")
    commands = parser.add_subparsers(dest="command", required=True)
    writes = commands.add_parser("changelog")
    writes.add_argument("name", help="the distribution")
    writes.add_argument("--draft", action="store_true", help="show the section and change nothing")
    compares = commands.add_parser("fragments")
    compares.add_argument("ref", nargs="?", help="the commit to compare with")
    given = parser.parse_args()
    if given.command == "fragments":
        return compare(given.ref)
    try:
        print(write(member(given.name), draft=given.draft))
    except (CommandError, LookupError) as error:
        print(*error.args, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
