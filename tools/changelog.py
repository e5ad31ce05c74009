"""The members' changelogs, and the fragments that they are made of.

`hatch run release:changelog websession-crypto` makes the section of its present version out of its fragments.
`hatch run release:fragments` fails where a member's code has changed and no fragment says so to its users.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING

from members import ROOT, Member, member_named, members
from wheels import CommandError, run

if TYPE_CHECKING:
    from pathlib import Path


def fragments(member: Member) -> list[Path]:
    """Return a member's fragments, which wait for its next version."""
    return sorted((member.folder / "newsfragments").glob("*.md"))


def title_of_news(member: Member) -> str:
    """Return whose version's changes a member's fragments are, for a heading above them."""
    is_released = f"\n## {member.version} (" in (member.folder / "CHANGELOG.md").read_text("utf-8")
    return f"After {member.version}" if is_released else f"{member.version} (not released yet)"


def write(member: Member, *, draft: bool = False) -> str:
    """Move a member's fragments into its changelog, as the section of its present version.

    With `draft`, show the section and change nothing. Return what towncrier prints.
    """
    options = "--draft" if draft else "--yes", "--version", member.version
    return run(sys.executable, "-m", "towncrier", "build", *options, cwd=member.folder)


def tags(member: Member) -> list[str]:
    """Return the tags of a member's releases, the oldest first."""
    pattern = f"{member.name}-v*"
    return run("git", "tag", "--list", pattern, "--sort=version:refname", cwd=member.root).split()


def changes(since: str, root: Path = ROOT) -> frozenset[str]:
    """Return the paths in which the working tree differs from where it left the commits that lead to `since`.

    Raises:
        CommandError: There is no such commit here, or none that is common to both.
    """
    base = run("git", "merge-base", since, "HEAD", cwd=root).strip()
    differences = run("git", "diff", "--name-only", "--no-renames", base, cwd=root)
    others = run("git", "ls-files", "--others", "--exclude-standard", cwd=root)
    return frozenset([*differences.splitlines(), *others.splitlines()])


def code_without_fragment(member: Member, paths: frozenset[str]) -> list[str]:
    """Return a member's code among all changed `paths`, unless a fragment, or the changelog, is among them.

    The version's own file is no code.
    """
    news = re.compile(rf"{re.escape(member.place)}/(CHANGELOG|newsfragments/.*)\.md")
    if any(map(news.fullmatch, paths)):
        return []
    about = member.about.relative_to(member.root).as_posix()
    return sorted(path for path in paths if path.startswith(f"{member.place}/src/") and path != about)


def compare(ref: str | None) -> int:
    """Print for each member whether its changed code has a fragment; return the exit status.

    It is compared with `ref`, else with `origin/main`, or where that is not to be had with the member's last
    release.
    """
    count = 0
    for member in members():
        for since in [ref] if ref else ["origin/main", *tags(member)[-1:]]:
            try:
                code = code_without_fragment(member, changes(since))
            except CommandError:
                continue
            count += bool(code)
            print(f"{member.name}: {', '.join(code) or 'nothing'} changed since {since} without a fragment")
            if code:
                news = f"{member.place}/newsfragments"
                print(f"    say it to the users in {news}/<issue>.<feature|bugfix|removal>.md,")
                print(f"    or where none can notice in {news}/+<word>.misc.md")
            break
        else:
            if ref:
                print(f"no commit here is common to this checkout and {ref!r}; in a shallow clone, fetch it")
                return 2
            print(f"{member.name}: skipped: neither origin/main nor a release is here to compare with")
    return int(count > 0)


def main() -> int | str:
    """Run one of the two."""
    parser = argparse.ArgumentParser(prog="hatch run release:")
    commands = parser.add_subparsers(dest="command", required=True)
    writes = commands.add_parser("changelog")
    writes.add_argument("name", help="the distribution")
    writes.add_argument("--draft", action="store_true", help="show the section and change nothing")
    compares = commands.add_parser("fragments")
    compares.add_argument("ref", nargs="?", help="the commit to compare with")
    args = parser.parse_args()
    if args.command == "fragments":
        return compare(args.ref)
    try:
        print(write(member_named(args.name), draft=args.draft))
    except (CommandError, LookupError) as error:
        return str(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
