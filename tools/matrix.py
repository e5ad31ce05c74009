"""Run the tests on every Python that the members name and this machine has, with each series of two others.

`hatch run matrix:run` builds the wheels and tests them on SQLite, in an environment for each combination of
Python, SQLAlchemy and Pyramid. `--python`, `--sqlalchemy` and `--pyramid` choose among them, and paths before
these among the tests. The first Python, with the newest series, runs them on the MariaDB that `hatch run
mariadb:get` has brought, too.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path

from database_servers import MARIADB
from members import ROOT, members, pythons, tools_of_the_tests
from wheels import CommandError, Environment, build, uv

SERIES = {"sqlalchemy": ("2.0", "2.1"), "pyramid": ("2.0", "2.1")}
"""The series of each that the tests run with."""

TESTS = ("packages/sqla-models", "packages/pyramid-glue", "packages/meta")
"""What knows SQLAlchemy or Pyramid."""

TESTS_OF_PYTHON = ("packages/core", "packages/crypto")
"""What knows neither, and runs once for each Python."""

ENGINES: dict[str, dict[str, str]] = {
    "sqlite": {},
    # Its programs are looked for there first.
    "mariadb": {"PATH": os.pathsep.join([str(MARIADB.folder), os.environ.get("PATH", os.defpath)])},
}
"""What tests run on, and the variables that let them find it."""


def interpreter(version: str) -> str | None:
    """Return a Python of a version, as 3.x, on this machine: this one, or one that uv or pyenv knows."""
    if version == "{}.{}".format(*sys.version_info):
        return sys.executable
    # On the path pyenv has shims alone, of which some lead nowhere.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    path = os.pathsep.join([*map(str, pyenv.glob(f"{version}.*/bin")), os.environ["PATH"]])
    try:
        return uv("python", "find", "--no-python-downloads", version, env={"PATH": path}).strip()
    except CommandError:
        return None


def main() -> int:
    """Run all that the command line does not rule out."""
    parser = argparse.ArgumentParser(prog="hatch run matrix:run")
    parser.add_argument("paths", nargs="*", help="tests, in place of those of all members")
    parser.add_argument("--python", nargs="+", metavar="3.N", help="versions that must be there")
    for name, versions in SERIES.items():
        parser.add_argument(f"--{name}", nargs="+", default=versions, choices=versions)
    args = vars(parser.parse_args())
    cells = list(itertools.product(*(args[name] for name in SERIES)))

    runs = [(cell, "sqlite") for cell in cells]
    if (MARIADB.folder / MARIADB.server).exists():
        on_mariadb = [(cells[-1], "mariadb")]
    else:
        on_mariadb = []
        print("Newer MariaDB: skipped: `hatch run mariadb:get` brings it", flush=True)

    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        distributions = [build(member.folder, place / member.name) for member in members()]
        for version in args["python"] or pythons():
            python = interpreter(version)
            if python is None:
                failures += args["python"] is not None
                verdict = "FAILED" if args["python"] else "skipped"
                print(f"Python {version}: {verdict}: not on this machine", flush=True)
                continue
            for cell, engine in [*runs, *on_mariadb]:
                series = dict(zip(SERIES, cell, strict=True))
                name = ", ".join([f"Python {version}", *map(" ".join, series.items()), engine])
                pins = [f"{package}=={number}.*" for package, number in series.items()]
                with_python = (cell, engine) == runs[0]
                paths = args["paths"] or [*TESTS, *(TESTS_OF_PYTHON if with_python else ())]
                where = place / "-".join([version, *cell])
                try:
                    environment = Environment.make(where, distributions, python=python)
                    wheels = [distribution.wheel for distribution in distributions]
                    environment.install(*pins, *tools_of_the_tests(), *wheels)
                    outcome = environment.test(
                        f"--websession-engines={engine}", *paths, cwd=ROOT, env=ENGINES[engine]
                    )
                    print(f"{name}: {outcome}", flush=True)
                except CommandError as error:
                    failures += 1
                    print(f"{name}: FAILED\n{error}", flush=True)
                shutil.rmtree(where, ignore_errors=True)
            on_mariadb = []
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
