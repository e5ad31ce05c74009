"""No install line that somebody may copy from this repository harms the environment it is run in.

The registry has a distribution of our name that is not ours: `pyramid-sqlalchemy-sessions` 0.1.0, of 2017,
for Pyramid 1. A line that lets pip choose it replaces ours and takes Pyramid down, without an error. Every
line of every page, script and message is found here and put to pip with `--dry-run`, at the top of the
checkout. A line may fail because pip finds no distribution of ours that fits, and for no other reason.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
from members import ROOT, members
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from wheels import CommandError, Environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS = {member.name for member in members()}
OF_2017 = ("pyramid-sqlalchemy-sessions", Version("0.1.0"))

# Tests are not copied from: they name lines that are wrong, too.
NOT_READ = {"tests", "__pycache__", "dist"}
COMMAND = re.compile(r"\b(?:pip3?|pipx)\s+install\b|\b(?:uv|poetry|pdm)\s+add\b")
ENDS_COMMAND = frozenset(";&|<>()")
# The reader's, in whose folder the command is run: not ours, and what it asks for is its own.
PROJECT = re.compile(r"\.(\[[\w,-]*\])?")


@dataclass
class Line:
    """What an installer is asked to install, and the files that say so."""

    words: tuple[str, ...]
    files: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return shlex.join(self.words)

    @property
    def is_of_the_clone(self) -> bool:
        return any(word.startswith("./") for word in self.words)

    @property
    def leaves_ours_to_the_registry(self) -> bool:
        return any(name in canonicalize_name(str(self)) for name in OURS)


def files() -> Iterator[Path]:
    for pattern in ("*", ".ci/*", ".github/**/*", "docs/**/*", "packages/**/*", "tools/**/*"):
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file() and not NOT_READ & set(path.relative_to(ROOT).parts):
                yield path


def texts(path: Path) -> Iterator[str]:
    """Yield the text of a file; of a Python module its strings, each by itself."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        return
    if path.suffix != ".py":
        yield text
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield ast.unparse(node)


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of each command in a text that installs something."""
    whole = text.replace("\\\n", " ")
    # Code in a sentence may go on in the next line.
    whole = re.sub(r"(?<!`)(`[^`\n]*)\n([^`\n]*`)(?!`)", r"\1 \2", whole)
    for command in COMMAND.finditer(whole):
        (rest,) = re.findall(r"[^`\n]*", whole[command.end() :])[:1]
        lexer = shlex.shlex(rest, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = takewhile(lambda word: not ENDS_COMMAND.issuperset(word), lexer)
        words = tuple(word for word in words if not PROJECT.fullmatch(word))
        if any(not word.startswith("-") for word in words):
            yield words


def install_lines() -> list[Line]:
    found: dict[tuple[str, ...], Line] = {}
    for path in files():
        for text in texts(path):
            for words in commands(text):
                found.setdefault(words, Line(words)).files.add(path.relative_to(ROOT).as_posix())
    return list(found.values())


LINES = install_lines()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Make what the Quick Start makes, of its own line: our distributions beside the newest Pyramid."""
    made = Environment.make(tmp_path_factory.mktemp("environment"), [])
    (line,) = (line for line in LINES if "README.md" in line.files and line.is_of_the_clone)
    refresh = [f"--refresh-package={name}" for name in OURS]
    # With the backend at hand pip need not install it for each folder again.
    made.install("pip", "hatchling", *refresh, *(ROOT / word for word in line.words))
    assert Version(made.installed["pyramid"]) >= Version("2")
    return made


def plan(environment: Environment, line: Line, *options: str) -> dict[str, Version]:
    """Return the versions that pip would install, by name; none if it finds nothing of ours that fits."""
    pip = (environment.python, "-I", "-m", "pip", "install", "--quiet", "--no-build-isolation")
    try:
        printed = run(*pip, "--dry-run", "--report", "-", *options, *line.words, cwd=ROOT)
    except CommandError as error:
        missing = re.findall(r"No matching distribution found for ([\w.-]+)", str(error))
        if line.is_of_the_clone or not OURS.intersection(map(canonicalize_name, missing)):
            raise
        return {}
    planned = [distribution["metadata"] for distribution in json.loads(printed)["install"]]
    return {canonicalize_name(about["name"]): Version(about["version"]) for about in planned}


def taken_down(environment: Environment, line: Line) -> set[str]:
    """Return the names of what an environment has and would have in an older version."""
    installed = {canonicalize_name(name): Version(at) for name, at in environment.installed.items()}
    planned = plan(environment, line)
    return {name for name, version in planned.items() if name in installed and version < installed[name]}


@pytest.mark.parametrize("line", LINES, ids=str)
def test_an_install_line_takes_nothing_down_beside_what_the_quick_start_installs(
    line: Line, environment: Environment
) -> None:
    assert taken_down(environment, line) == set(), line.files


@pytest.mark.parametrize("line", [line for line in LINES if line.leaves_ours_to_the_registry], ids=str)
def test_an_install_line_brings_no_release_of_2017_to_where_nothing_is_installed(
    line: Line, environment: Environment
) -> None:
    assert OF_2017 not in plan(environment, line, "--ignore-installed").items(), line.files


def test_a_line_that_asks_for_the_release_of_2017_would_be_noticed(environment: Environment) -> None:
    harmful = Line(("pyramid-sqlalchemy-sessions<0.2",))
    assert taken_down(environment, harmful) >= {"pyramid-sqlalchemy-sessions", "pyramid"}
    assert OF_2017 in plan(environment, harmful, "--ignore-installed").items()


def test_a_project_of_this_repository_asks_for_no_release_of_2017() -> None:
    name, version = OF_2017
    for path in (path for path in files() if path.name == "pyproject.toml"):
        project = tomllib.loads(path.read_text("utf-8")).get("project", {})
        extras = project.get("optional-dependencies", {}).values()
        for text in [*project.get("dependencies", []), *(text for extra in extras for text in extra)]:
            requirement = Requirement(text)
            assert requirement.name != name or version not in requirement.specifier, path


def test_the_lines_of_pages_scripts_workflows_and_messages_are_found() -> None:
    assert {file for line in LINES for file in line.files} >= {
        ".ci/run",
        ".github/workflows/ci.yml",
        "CONTRIBUTING.md",
        "README.md",
        "SECURITY.md",
        "docs/how-to/testing.md",
        "docs/tools/list_compatibility.py",
        "packages/meta/README.md",
        "packages/testing/src/pytest_websession/servers/_postgresql.py",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("```console\n$ pip install ./a \\\n    './b[c]'\n```\n", ("./a", "./b[c]")),
        ("text\n\n    python -m pip install -U a  # or b\n", ("-U", "a")),
        ('the extra (`pip install\n  "a[b]>=1"`) and `c`', ("a[b]>=1",)),
        ("python3 -m venv .venv && .venv/bin/pip install a && .venv/bin/a b", ("a",)),
        ("`uv add a` or `b`", ("a",)),
        ("pip install a>=1", ("a",)),  # to a shell this is a file's name
    ],
)
def test_a_line_is_found_however_it_is_written(text: str, words: tuple[str, ...]) -> None:
    assert list(commands(text)) == [words]


def test_a_sentence_about_the_command_is_no_line() -> None:
    assert list(commands("`pip install -U` would; so would `pip install`.")) == []
