"""Run the tests on every Python that the members name and this machine has, with each series of two others.

`hatch run matrix:run` builds the wheels and tests them on SQLite, in an environment for each combination of
Python, SQLAlchemy and Pyramid. `--python`, `--sqlalchemy` and `--pyramid` choose among them, and paths before
these among the tests.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from members import ROOT, members, tools_of_the_tests
from wheels import IN_PROCESSES, CommandError, Distribution, Environment, build, run

SERIES = {"sqlalchemy": ("2.0", "2.1"), "pyramid": ("2.0", "2.1")}
"""The series of each that the tests run with."""

TESTS = ("packages/sqla-models", "packages/pyramid-glue", "packages/meta")
"""What knows SQLAlchemy or Pyramid."""

TESTS_OF_PYTHON = ("packages/core", "packages/crypto")
"""What knows neither, and runs once for each Python."""


def pythons() -> list[str]:
    """Return the versions of Python that the members say they work with, as 3.x."""
    said = {
        line.rpartition(" :: ")[2]
        for each in members()
        for line in each.project["classifiers"]
        if " :: Python :: 3." in line
    }
    return sorted(said, key=lambda version: [int(part) for part in version.split(".")])


def interpreter(version: str) -> str | None:
    """Find a version of Python on this machine.

    Looked at are this one, the command search path, and what pyenv and uv have installed.

    Args:
        version: As 3.x.

    Returns:
        The path, or None if there is none that runs.
    """
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    try:
        managed = run(sys.executable, "-m", "uv", "python", "find", "--managed-python", version).strip()
    except CommandError:
        managed = None
    for found in [
        sys.executable,
        shutil.which(f"python{version}"),
        *sorted(map(str, root.glob(f"{version}.*/bin/python"))),
        managed,
    ]:
        if found is None:
            continue
        # One on the path may be a shim of pyenv that leads nowhere.
        asked = [found, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return found
    return None


def test(
    place: Path, python: str, built: list[Distribution], series: dict[str, str], paths: list[str]
) -> str:
    """Run tests in a new environment.

    Args:
        place: Where to make it.
        python: The interpreter.
        built: All members.
        series: What to install of which series.
        paths: The tests.

    Returns:
        The last line that pytest prints.

    Raises:
        CommandError: It cannot be installed, or a test fails.
    """
    environment = Environment.make(place, built, python=python)
    chosen = [f"{name}=={version}.*" for name, version in series.items()]
    environment.install(*chosen, *tools_of_the_tests(), *(each.wheel for each in built))
    options = ["-q", "-p", "no:cacheprovider", "-rfE", *IN_PROCESSES, "--websession-engines=sqlite"]
    printed = run(environment.python.with_name("pytest"), *options, *paths, cwd=ROOT)
    return printed.strip().rpartition("\n")[2].strip("= ")


def main() -> int:
    """Run all that the command line does not rule out."""
    parser = argparse.ArgumentParser(prog="hatch run matrix:run")
    parser.add_argument("paths", nargs="*", help="tests, in place of those of all members")
    parser.add_argument("--python", nargs="+", metavar="3.N", help="versions that must be there")
    for name, versions in SERIES.items():
        parser.add_argument(f"--{name}", nargs="+", default=versions, choices=versions)
    given = vars(parser.parse_args())

    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        built = [build(each.folder, place / each.name) for each in members()]
        for version in given["python"] or pythons():
            python = interpreter(version)
            if python is None:
                failed += given["python"] is not None
                verdict = "FAILED" if given["python"] else "skipped"
                print(f"Python {version}: {verdict}: not on this machine", flush=True)
                continue
            chosen = [[(name, each) for each in given[name]] for name in SERIES]
            for number, cell in enumerate(itertools.product(*chosen)):
                series = dict(cell)
                paths = given["paths"] or [*TESTS, *(TESTS_OF_PYTHON if number == 0 else ())]
                where = place / f"{version}-{number}"
                name = ", ".join([f"Python {version}", *(f"{name} {each}" for name, each in cell)])
                try:
                    print(f"{name}: {test(where, python, built, series, paths)}", flush=True)
                except CommandError as error:
                    failed += 1
                    print(f"{name}: FAILED\n{error}", flush=True)
                shutil.rmtree(where, ignore_errors=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
