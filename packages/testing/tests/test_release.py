"""What maintainers' commands say of a member that is to be released."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from changelog import changes, code_without_fragment, title_of_news, write
from installations import TESTS, Wheelhouse
from members import ROOT, Member, member_named, members, tools_of_the_tests
from packaging.requirements import Requirement
from packaging.version import Version
from ranges import raise_ranges
from release import what_is_left

if TYPE_CHECKING:
    from pathlib import Path

EACH = pytest.mark.parametrize("member", members(), ids=lambda member: member.folder.name)


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def core(tmp_path: Path) -> Member:
    """A repository of one member, which has one commit and no fragments."""
    folder = tmp_path / "packages" / "core"
    shutil.copytree(ROOT / "packages" / "core", folder, ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    for name in ("README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / "packages" / "core" / name, folder)
    set_version(Member(folder), "0.1.0")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path)
    return Member(folder)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Change")


def set_version(member: Member, version: str) -> None:
    member.about.write_text(f'__version__ = "{version}"\n')


def add_fragment(member: Member, name: str = "7.feature.md", text: str = "Sessions sing.") -> None:
    (member.folder / "newsfragments" / name).write_text(f"{text}\n")


def test_changed_code_without_a_fragment_is_named(core: Member) -> None:
    module = core.package / "state.py"
    module.write_text(f"{module.read_text()}\nNEW = 1\n")
    added = core.package / "new.py"
    added.write_text("")

    code = code_without_fragment(core, changes("main", core.root))

    assert code == [path.relative_to(core.root).as_posix() for path in (added, module)]


@pytest.mark.parametrize("name", ["7.feature.md", "7.feature.2.md", "+inner.misc.md"])
def test_a_fragment_speaks_for_changed_code_whether_committed_or_not(core: Member, name: str) -> None:
    git(core.root, "branch", "before")
    (core.package / "new.py").write_text("")
    commit(core.root)
    assert code_without_fragment(core, changes("before", core.root))

    add_fragment(core, name)
    assert code_without_fragment(core, changes("before", core.root)) == []
    commit(core.root)
    assert code_without_fragment(core, changes("before", core.root)) == []


def test_a_release_needs_no_fragment_any_more(core: Member) -> None:
    git(core.root, "branch", "before")
    (core.package / "new.py").write_text("")
    add_fragment(core)
    commit(core.root)
    set_version(core, "0.2.0")
    write(core)
    commit(core.root)
    assert code_without_fragment(core, changes("before", core.root)) == []


def test_tests_pages_and_the_version_need_no_fragment(core: Member) -> None:
    (core.folder / "tests" / "test_new.py").write_text("")
    (core.folder / "README.md").write_text("Short.")
    set_version(core, "0.2.0")
    assert code_without_fragment(core, changes("main", core.root)) == []


def test_fragments_become_the_section_of_the_version_in_the_changelog(core: Member) -> None:
    add_fragment(core)
    add_fragment(core, "9.bugfix.md", "They no longer sing out of tune.")
    commit(core.root)
    set_version(core, "0.2.0")
    assert title_of_news(core) == "0.2.0 (not released yet)"

    write(core)

    assert title_of_news(core) == "After 0.2.0"
    page = (core.folder / "CHANGELOG.md").read_text()
    introduction, _, section = page.partition("## 0.2.0 (")
    assert introduction.startswith("# Changelog of websession-core\n")
    assert "### Features\n\n- Sessions sing. (#7)\n" in section
    assert "### Bugfixes\n\n- They no longer sing out of tune. (#9)\n" in section
    assert list((core.folder / "newsfragments").glob("*.md")) == []


@EACH
def test_every_members_fragments_make_a_section(member: Member) -> None:
    section = write(member, draft=True)
    assert f"## {member.version} (" in section
    for fragment in (member.folder / "newsfragments").glob("*.md"):
        assert fragment.read_text().split()[0] in section


@EACH
def test_hatch_version_writes_the_version_that_counts(member: Member) -> None:
    assert member.folder / member.described["tool"]["hatch"]["version"]["path"] == member.about


def test_the_ranges_of_siblings_follow_a_new_series_and_nothing_else_changes() -> None:
    glue = member_named("websession-pyramid")
    versions = {member.name: (member.version.major, member.version.minor) for member in members()}
    before = (glue.folder / "pyproject.toml").read_text("utf-8")
    assert raise_ranges(glue, versions) == before

    after = raise_ranges(glue, {**versions, "websession-crypto": (0, 42)})

    assert '"websession-crypto>=0.42,<0.43"' in after
    (changed,) = set(before.splitlines()) - set(after.splitlines())
    assert "websession-crypto" in changed


def test_what_is_left_to_do_before_a_tag_is_said_until_nothing_is(core: Member) -> None:
    add_fragment(core)
    fragment, section, changed = what_is_left(core)
    assert "7.feature.md" in fragment
    assert "no section 0.1.0" in section
    assert "not committed" in changed

    commit(core.root)
    write(core)
    commit(core.root)
    assert what_is_left(core) == []

    git(core.root, "tag", "websession-core-v0.1.0")
    assert what_is_left(core) == []
    git(core.root, "commit", "--quiet", "--allow-empty", "--message", "Go on")
    (tagged,) = what_is_left(core)
    assert tagged.startswith("websession-core-v0.1.0 exists: raise the version")


def test_a_release_is_tested_with_the_tools_of_the_workspaces_own_tests() -> None:
    assert {"pytest", "hypothesis", "setuptools"} <= {Requirement(line).name for line in tools_of_the_tests()}


def test_the_tests_that_prove_a_release_are_there() -> None:
    assert {test for tests in TESTS.values() for test in tests if not (ROOT / test).exists()} == set()


def test_siblings_are_built_from_their_tags_and_from_the_checkout_where_it_is_newer(
    core: Member, tmp_path: Path
) -> None:
    git(core.root, "tag", "websession-core-v0.1.0")
    git(core.root, "tag", "websession-core-vintage")
    of_the_tag = Wheelhouse(tmp_path / "first").releases(core)
    set_version(core, "0.1.1")
    commit(core.root)

    both = Wheelhouse(tmp_path / "second").releases(core)

    assert {str(version): one.origin for version, one in of_the_tag.items()} == {
        "0.1.0": "tag websession-core-v0.1.0"
    }
    assert {version: one.built.metadata["Version"] for version, one in both.items()} == {
        Version("0.1.0"): "0.1.0",
        Version("0.1.1"): "0.1.1",
    }
    assert both[Version("0.1.1")].origin == "this checkout, it has no tag"
