"""What holds the workspace together: members, versions and commands are each named in one way everywhere."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
PACKAGES = sorted(path.parent for path in (ROOT / "packages").glob("*/pyproject.toml"))
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
ENVIRONMENTS = tomllib.loads((ROOT / "hatch.toml").read_text())["envs"]

each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)


def project(package: Path) -> dict[str, Any]:
    return tomllib.loads((package / "pyproject.toml").read_text())["project"]


def import_package(package: Path) -> Path:
    (found,) = package.glob("src/*/__init__.py")
    return found.parent


def version(package: Path) -> str:
    about = (import_package(package) / "__about__.py").read_text()
    match = re.search(r'^__version__ = "(\d+\.\d+\.\d+\S*)"$', about, re.MULTILINE)
    assert match, f"{package.name} has no version"
    return match[1]


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


def test_every_package_and_the_demo_are_members_of_the_workspace() -> None:
    members = ENVIRONMENTS["default"]["workspace"]["members"]
    assert sorted(members) == sorted([*(f"packages/{path.name}" for path in PACKAGES), "docs/examples/shop"])


def test_the_top_level_holds_nothing_else() -> None:
    ignored = {"dist", "site"}
    expected = {"packages", "docs", "pyproject.toml", "hatch.toml", "README.md", "LICENSE", "CONTRIBUTING.md"}
    assert {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - ignored == expected


def test_types_and_layers_are_checked_in_every_package() -> None:
    sources = [import_package(path) for path in PACKAGES]
    assert sorted(TOOLS["mypy"]["files"]) == sorted(str(path.parent.relative_to(ROOT)) for path in sources)
    assert sorted(TOOLS["importlinter"]["root_packages"]) == sorted(path.name for path in sources)


def test_imports_run_only_downwards() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@each_package
def test_a_package_has_its_pages_and_its_types(package: Path) -> None:
    for name in ("README.md", "CHANGELOG.md", "LICENSE", "newsfragments/.gitignore"):
        assert (package / name).is_file(), name
    assert (import_package(package) / "py.typed").is_file()
    assert (package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@each_package
def test_a_package_depends_on_exactly_the_current_series_of_its_siblings(package: Path) -> None:
    versions = {project(path)["name"]: version(path) for path in PACKAGES}
    described = project(package)
    extras = described.get("optional-dependencies", {})
    for line in [*described["dependencies"], *(line for extra in extras.values() for line in extra)]:
        requirement = Requirement(line)
        if requirement.name in versions:
            series = int(versions[requirement.name].split(".")[1])
            assert requirement.specifier == f">=0.{series},<0.{series + 1}", line


def test_the_oldest_environment_holds_the_lower_bound_of_every_dependency() -> None:
    # pytest runs these tests there, too: 9 is the first to know what an overridden fixture asks for itself.
    exempt = {"pytest", *(project(path)["name"] for path in PACKAGES)}
    bounds = {
        f"{requirement.name}=={bound.version}"
        for package in PACKAGES
        for requirement in map(Requirement, project(package)["dependencies"])
        if requirement.name not in exempt
        for bound in requirement.specifier
        if bound.operator == ">="
    }
    pinned = {line for line in ENVIRONMENTS["oldest"]["extra-dependencies"] if "==" in line}
    assert pinned == bounds
