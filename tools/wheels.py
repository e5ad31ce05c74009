"""Build the members' wheels, look into them, and install and test them where nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from typing import TYPE_CHECKING

from members import ROOT, Member
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from email.message import Message
    from pathlib import Path

BUILT_BY = ROOT / "tools" / "build-constraints.txt"
"""The one version of the build backend: another one may write other bytes."""


class CommandError(Exception):
    """A command failed; `args` are the command and what it printed."""

    def __str__(self) -> str:
        """Return both, each on lines of its own."""
        return "\n".join(self.args)


def run(*command: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command to its end, with `env` besides this process's variables, and return what it printed.

    Raises:
        CommandError: It failed.
    """
    arguments = [str(part) for part in command]
    variables = {**os.environ, **(env or {})}
    result = subprocess.run(arguments, cwd=cwd, env=variables, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise CommandError(" ".join(arguments), f"{result.stdout}\n{result.stderr}")
    return result.stdout


def uv(*arguments: object, env: Mapping[str, str] | None = None) -> str:
    """Run uv, as `run()` does."""
    return run(sys.executable, "-m", "uv", *arguments, env=env)


@dataclass(frozen=True)
class Distribution:
    """One built member: the folder it came from, its sdist and its wheel."""

    folder: Path
    sdist: Path
    wheel: Path

    @property
    def module(self) -> str:
        """The name of the import package."""
        return self.wheel.name.split("-")[0]

    @property
    def name(self) -> str:
        """The name of the distribution."""
        return canonicalize_name(self.module)

    @property
    def dist_info(self) -> str:
        """The folder of the metadata in the wheel."""
        return "-".join(self.wheel.name.split("-")[:2]) + ".dist-info"

    @property
    def files(self) -> set[str]:
        """The paths in the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    @property
    def metadata(self) -> Message:
        """What the wheel says of itself."""
        with zipfile.ZipFile(self.wheel) as archive:
            return Parser().parsestr(archive.read(f"{self.dist_info}/METADATA").decode())


def build(folder: Path, out: Path, *, env: Mapping[str, str] | None = None) -> Distribution:
    """Build a member's sdist, and its wheel from that, so that an sdist that lacks something shows.

    Both are put in `out`, which must hold no others.
    """
    uv("build", "--quiet", "--build-constraints", BUILT_BY, "--out-dir", out, folder, env=env)
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    return Distribution(folder, sdist, wheel)


def unexpected_files(distribution: Distribution) -> set[str]:
    """Return the paths in which a wheel differs from its package and what wheels say of themselves."""
    source = distribution.folder / "src"
    expected = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    expected.add(f"{distribution.module}/py.typed")
    about = ["METADATA", "WHEEL", "RECORD", "licenses/LICENSE"]
    project = Member(distribution.folder).project
    if "scripts" in project or "entry-points" in project:
        about.append("entry_points.txt")
    return distribution.files ^ {*expected, *(f"{distribution.dist_info}/{name}" for name in about)}


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own, in which our distributions come from chosen wheels alone."""

    python: Path
    constraints: Path

    @classmethod
    def make(
        cls, folder: Path, ours: Iterable[Distribution], *, python: object = sys.executable
    ) -> Environment:
        """Make an empty one, in which our names can be installed from the wheels `ours` alone."""
        uv("venv", "--quiet", "--allow-existing", "--no-project", "--python", python, folder)
        # As constraints, their paths leave no other source.
        constraints = folder / "ours.txt"
        constraints.write_text("".join(f"{one.name} @ {one.wheel.as_uri()}\n" for one in ours), "utf-8")
        return cls(folder / "bin" / "python", constraints)

    def install(self, *requirements: object) -> None:
        """Install requirements, or wheels by their paths; options of `uv pip install` are passed on."""
        options = "--quiet", "--python", self.python, "--constraint", self.constraints
        uv("pip", "install", *options, *requirements)

    @property
    def installed(self) -> dict[str, str]:
        """The versions of what is installed, by name."""
        entries = json.loads(uv("pip", "list", "--format", "json", "--python", self.python))
        return {canonicalize_name(entry["name"]): entry["version"] for entry in entries}

    def test(self, *arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> str:
        """Run pytest, by files, since many tests of a file share a server; return the last line it prints."""
        spread = "-n", "auto", "--maxprocesses=4", "--dist", "loadfile"
        options = "-q", "-p", "no:cacheprovider", "-rfE", *spread
        output = run(self.python.with_name("pytest"), *options, *arguments, cwd=cwd, env=env)
        return output.strip().rpartition("\n")[2].strip("= ")
