"""Bring a MySQL server for the tests into the checkout, where Debian's apt is at hand.

`hatch run mysql:get` unpacks MySQL from Debian's unstable release, the only one that has it, into `.mysql/`,
together with the libraries it runs with. Nothing else on the machine changes, and nobody has to be root. apt
verifies what it downloads by Debian's keys. `.mysql/mysqld` then runs the server; the tests find it there.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from members import ROOT
from wheels import CommandError, run

FOLDER = ROOT / ".mysql"
"""Where the tests look for it; git ignores it."""

KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://deb.debian.org/debian"
PACKAGES = ("mysql-server-core", "libc6")

NAME_ONE = "name the `mysqld` of a MySQL that you have by the environment variable WEBSESSION_MYSQLD"

CONFIGURATION = """\
Dir::Etc::SourceList "{apt}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "{apt}/lists";
Dir::State::status "{apt}/status";
Dir::Cache "{apt}";
Dir::Cache::Archives "{apt}/archives";
// Root's apt would download as another account, to which this folder may be closed. No lock is needed: the
// system's packages stay as they are.
APT::Sandbox::User "root";
Debug::NoLocking "true";
Acquire::Languages "none";
// Whatever this machine's own configuration says.
Acquire::AllowInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
APT::Install-Recommends "false";
"""

# The options come last: `--no-defaults` is only understood as the first one.
PROGRAM = """\
#!/bin/sh
# By the loader and the libraries that came with it.
here=$(dirname "$(realpath "$0")")/root
exec "$here"/{loader} --library-path "$here"/{libraries} "$here"/usr/sbin/mysqld "$@" \\
    --basedir="$here"/usr --plugin-dir="$here"/usr/lib/mysql/plugin \\
    --lc-messages-dir="$here"/usr/share/mysql --character-sets-dir="$here"/usr/share/mysql/charsets
"""


class UnavailableError(Exception):
    """It cannot be had here; the text says what else helps."""


def own_mirror() -> str:
    """Return the address from which this machine's apt has Debian, else the one that everybody can use."""
    lines = run(
        "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"
    )
    return next((line for line in lines.splitlines() if "security" not in line), MIRROR)


def unpack(place: Path, mirror: str) -> None:
    """Download the packages, verified, and unpack them; afterwards `place/mysqld` runs the server."""
    apt, root = place / "apt", place / "root"
    for folder in (apt / "lists" / "partial", apt / "archives" / "partial", root):
        folder.mkdir(parents=True)
    (apt / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror} sid main\n")
    (apt / "status").touch()  # nothing is installed: each library comes along
    (apt / "apt.conf").write_text(CONFIGURATION.format(apt=apt))
    variables = {"APT_CONFIG": str(apt / "apt.conf")}
    run("apt-get", "--quiet", "update", env=variables)
    run("apt-get", "--quiet", "--yes", "--download-only", "install", *PACKAGES, env=variables)
    for package in sorted((apt / "archives").glob("*.deb")):
        run("dpkg-deb", "--extract", package, root)
    for folder in (apt, root / "usr" / "bin", root / "usr" / "share" / "doc"):
        shutil.rmtree(folder)
    (loader,) = root.glob("usr/lib*/ld-linux*.so.*")
    (libraries,) = root.glob("usr/lib/*-linux-gnu")
    program = place / "mysqld"
    parts = {"loader": loader, "libraries": libraries}
    words = {name: shlex.quote(str(path.relative_to(root))) for name, path in parts.items()}
    program.write_text(PROGRAM.format(**words))
    program.chmod(0o755)


def version(program: Path) -> str:
    """Return what the server says it is, run as the tests run it.

    Raises:
        UnavailableError: It does not run.
    """
    # MySQL refuses to be run by root.
    account: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    try:
        result = subprocess.run(
            [program, "--no-defaults", "--version"],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
            **(account if os.geteuid() == 0 else {}),
        )
    except (OSError, subprocess.CalledProcessError) as error:
        why = (getattr(error, "stderr", "") or str(error)).strip()
        raise UnavailableError(
            f"{program} does not run ({why}). Where the account `nobody` cannot go, root's tests cannot use "
            f"it: give another FOLDER, and name FOLDER/mysqld by the environment variable WEBSESSION_MYSQLD"
        ) from error
    text: str = result.stdout
    return text.strip()


def get(folder: Path, mirror: str | None = None) -> str:
    """Bring the server into a folder, unless it is there, and return its version.

    Args:
        folder: Made if it is missing.
        mirror: The address of Debian's archive, or of a copy; None: the one that this machine's apt uses.

    Raises:
        UnavailableError: This machine cannot.
    """
    program = folder / "mysqld"
    if not program.exists():
        if not KEYS.exists() or not all(map(shutil.which, ("apt-get", "dpkg-deb"))):
            raise UnavailableError(
                "this needs apt and Debian's keys (Debian, or Ubuntu with debian-archive-keyring); "
                f"elsewhere, install MySQL, or {NAME_ONE}"
            )
        unfinished = folder.with_name(f"{folder.name}-{os.getpid()}")
        try:
            unfinished.mkdir(parents=True)
            unpack(unfinished, mirror or own_mirror())
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return version(program)


def main() -> int | str:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="hatch run mysql:get")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=FOLDER, help="default: %(default)s, where the tests look"
    )
    parser.add_argument("--mirror", metavar="URL", help="of Debian; default: the one that apt uses here")
    args = parser.parse_args()
    try:
        print(get(args.folder.absolute(), args.mirror))
    except (UnavailableError, CommandError) as error:
        return str(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
