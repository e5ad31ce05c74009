"""What holds the workspace together: members, versions and commands are each named in one way everywhere."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from addresses import ADDRESSES, ERRORS, with_documentation, with_urls
from matrix import interpreter
from members import ROOT, Member, members, pythons

MEMBERS = members()
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
ENVIRONMENTS = tomllib.loads((ROOT / "hatch.toml").read_text())["envs"]

each_member = pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.folder.name)


def shell_commands(text: str) -> list[str]:
    """Return the lines of a page or script that begin in a new virtual environment."""
    return [line.strip() for line in text.splitlines() if line.strip().startswith("python3 -m venv .venv &&")]


def test_the_test_command_of_the_readme_is_the_one_that_ci_runs() -> None:
    first_screen = (ROOT / "README.md").read_text().split("\n## ")[0]
    demo, test = shell_commands((ROOT / "README.md").read_text())
    assert demo in first_screen
    assert demo.endswith("/hatch run demo")
    assert test in first_screen
    assert test.endswith("/hatch test")
    assert shell_commands((ROOT / ".ci" / "run").read_text()) == [test]


def scripts(environment: str) -> set[str]:
    """Return the names of the commands of an environment, those of its template included."""
    table = ENVIRONMENTS[environment]
    inherited = scripts(table["template"]) if "template" in table else set()
    return inherited | set(table.get("scripts", {}))


PATTERNS = (
    "*.md",
    ".ci/run",
    ".*.yaml",
    ".github/**/*",
    "docs/**/*.md",
    "packages/**/*.md",
    "tools/**/*.md",
    "tools/**/*.py",
)


def test_every_command_that_a_page_a_workflow_or_a_tool_names_exists() -> None:
    named = {
        (*found, path.name)
        for pattern in PATTERNS
        for path in ROOT.glob(pattern)
        if path.is_file()
        for found in re.findall(r"\bhatch run (\w+):(\w+)", path.read_text("utf-8"))
    }
    assert {("matrix", "run", "ci.yml"), ("release", "check", "CONTRIBUTING.md")} <= named
    unknown = {found for found in named if found[0] not in ENVIRONMENTS or found[1] not in scripts(found[0])}
    assert unknown == set()


def test_the_workflows_run_every_python_and_every_distribution() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    (listed,) = re.findall(r"^ +python: \[(.*)\]$", text, re.MULTILINE)
    assert listed == ", ".join(f'"{version}"' for version in pythons())
    (block,) = re.findall(r"^ +distribution:\n((?: +- .*\n)+)", text, re.MULTILINE)
    assert sorted(re.findall(r"- (\S+)", block)) == sorted(member.name for member in MEMBERS)


def test_the_projects_addresses_are_everywhere_what_the_one_place_says() -> None:
    stale = [
        member.name
        for member in MEMBERS
        if with_urls(member) != (member.folder / "pyproject.toml").read_text()
    ]
    assert stale == [], "run: hatch run release:addresses"
    assert all(member.project["urls"] == ADDRESSES for member in MEMBERS)
    assert with_documentation() == ERRORS.read_text(), "run: hatch run release:addresses"


def test_a_python_is_found_where_it_is_and_not_where_it_is_not() -> None:
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert interpreter(this) == sys.executable
    assert interpreter("3.999") is None


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "README.md", "SECURITY.md"])
def test_the_links_of_a_page_at_the_top_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text("utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_files_that_contributing_names_are_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"(?<![\w/.<])(?:packages|docs|tools)/[\w/.-]+", page))
    assert {name for name in named if not (ROOT / name).exists()} == set()
    assert "packages/core/tests/test_flash_queues.py" in named


def test_every_package_and_the_demo_are_members_of_the_workspace() -> None:
    named = ENVIRONMENTS["default"]["workspace"]["members"]
    folders = [f"packages/{member.folder.name}" for member in MEMBERS]
    assert sorted(named) == sorted([*folders, "docs/examples/shop"])


def test_the_top_level_holds_nothing_else() -> None:
    ignored = {"dist", "site", "__pycache__"}
    folders = {"packages", "docs", "tools"}
    settings = {"pyproject.toml", "hatch.toml", "conftest.py"}
    files = settings | {"README.md", "LICENSE", "CONTRIBUTING.md", "SECURITY.md"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - ignored == folders | files


def test_types_and_layers_are_checked_in_every_package() -> None:
    sources = [str(member.package.parent.relative_to(ROOT)) for member in MEMBERS]
    assert sorted(TOOLS["mypy"]["files"]) == sorted([*sources, "tools"])
    packages = [member.package.name for member in MEMBERS]
    assert sorted(TOOLS["importlinter"]["root_packages"]) == sorted(packages)


def lint_imports(path: str = "") -> subprocess.CompletedProcess[str]:
    """Run what `hatch run checks:layers` runs.

    Args:
        path: A folder in which packages are looked for first.
    """
    lint = Path(sys.executable).with_name("lint-imports")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH")]))}
    return subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_imports_run_only_downwards_and_in_no_circle() -> None:
    run = lint_imports()
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("planted", "imported"),
    [
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .lifecycle import Verdict",
            "lifecycle",
        ),
        ("def late():\n    from .lifecycle import judge", "lifecycle"),
        ("def late():\n    from . import judge", ""),
    ],
    ids=["for typing alone", "in a function", "of the package itself"],
)
def test_a_circle_of_imports_is_found(tmp_path: Path, planted: str, imported: str) -> None:
    shutil.copytree(ROOT / "packages" / "core" / "src", tmp_path, dirs_exist_ok=True)
    module = tmp_path / "websession_core" / "state.py"
    module.write_text(f"{module.read_text('utf-8')}\n\n{planted}\n", "utf-8")
    run = lint_imports(str(tmp_path))
    assert run.returncode == 1, run.stdout + run.stderr
    line = len(module.read_text("utf-8").splitlines())
    target = f"websession_core.{imported}".rstrip(".")
    assert f"websession_core.state:{line} imports {target}\n" in run.stdout


@each_member
def test_a_member_has_its_pages_and_its_types(member: Member) -> None:
    for name in ("README.md", "CHANGELOG.md", "LICENSE", "newsfragments/.gitignore"):
        assert (member.folder / name).is_file(), name
    assert (member.package / "py.typed").is_file()
    assert (member.folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@each_member
def test_a_member_depends_on_exactly_the_current_series_of_its_siblings(member: Member) -> None:
    versions = {each.name: each.version for each in MEMBERS}
    for requirement in member.all_requirements:
        if requirement.name in versions:
            series = versions[requirement.name].minor
            assert requirement.specifier == f">=0.{series},<0.{series + 1}", requirement


def test_the_oldest_environment_holds_the_lower_bound_of_every_dependency() -> None:
    # pytest runs these tests there, too: 9 is the first to know what an overridden fixture asks for itself.
    exempt = {"pytest", *(member.name for member in MEMBERS)}
    bounds = {
        f"{requirement.name}=={bound.version}"
        for member in MEMBERS
        # Of the extras, that of another library of ours to call; the others bring drivers.
        for requirement in (*member.requirements, *member.extras.get("openssl", ()))
        if requirement.name not in exempt
        for bound in requirement.specifier
        if bound.operator == ">="
    }
    pinned = {line for line in ENVIRONMENTS["oldest"]["extra-dependencies"] if "==" in line}
    assert pinned == bounds
