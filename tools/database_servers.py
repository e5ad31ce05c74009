"""Bring a MySQL server, or a newer MariaDB, for the tests into the checkout, where Debian's apt is at hand.

`hatch run mysql:get` unpacks MySQL from Debian's unstable release, the only one that has it, into `.mysql/`,
together with the libraries it runs with. Nothing else on the machine changes, and nobody has to be root. apt
verifies what it downloads by Debian's keys. `.mysql/mysqld` then runs the server; the tests find it there.

`hatch run mariadb:get` does the same with MariaDB and `.mariadb/`. The tests use it where PATH begins with
that folder, and `hatch run matrix:run` does so by itself.

Each comes with a data directory that is ready, and makes new ones by copying it: a server takes longer to
initialise one than many tests take.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from members import ROOT
from wheels import CommandError, run


@dataclass(frozen=True)
class Product:
    """What there is to know about one of the two."""

    name: str
    folder: Path
    """Where the tests look for it; git ignores it."""
    package: str
    server: str
    share: str
    initialise: tuple[str, ...]
    """The server's options for making a data directory."""
    bootstrap: tuple[str, ...] = ()
    """Files of statements that it wants for that."""
    initialiser: str = "new-data"
    """What makes data directories, called by the tests or by the server."""
    elsewhere: str = ""
    """What else helps where this tool does not."""


MYSQL = Product(
    name="MySQL",
    folder=ROOT / ".mysql",
    package="mysql-server-core",
    server="mysqld",
    share="mysql",
    initialise=(
        "--initialize-insecure",
        "--secure-file-priv=NULL",
        "--mysqlx=OFF",
        "--skip-log-bin",
        "--auto-generate-certs=OFF",
        "--innodb-redo-log-capacity=16M",
    ),
    elsewhere=", or name the `mysqld` of a MySQL that you have by the environment variable WEBSESSION_MYSQLD",
)
MARIADB = Product(
    name="MariaDB",
    folder=ROOT / ".mariadb",
    package="mariadb-server-core",
    server="mariadbd",
    share="mariadb",
    initialise=("--bootstrap", "--innodb-log-file-size=16M"),
    bootstrap=(
        "mariadb_system_tables.sql",
        "mariadb_performance_tables.sql",
        "mariadb_system_tables_data.sql",
        "maria_add_gis_sp_bootstrap.sql",
        "mariadb_sys_schema.sql",
    ),
    initialiser="mariadb-install-db",
)
PRODUCTS = {"mysql": MYSQL, "mariadb": MARIADB}

KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://deb.debian.org/debian"

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
place=$(dirname "$(realpath "$0")")
case " $* " in *" --initialize-insecure "*) [ ! -d "$place"/data ] || exec "$place"/new-data "$@" ;; esac
here=$place/root
exec "$here"/{loader} --library-path "$here"/{libraries} "$here"/usr/sbin/{server} "$@" \\
    --basedir="$here"/usr --plugin-dir="$here"/usr/lib/mysql/plugin \\
    --lc-messages-dir="$here"/usr/share/{share} --character-sets-dir="$here"/usr/share/{share}/charsets
"""

NEW_DATA = """\
#!/bin/sh
# Copies the data directory that is ready to the one that is asked for.
for option; do
    case $option in --datadir=*) exec cp -R "$(dirname "$(realpath "$0")")"/data "${option#*=}" ;; esac
done
echo "say --datadir=" >&2
exit 1
"""


class UnavailableError(Exception):
    """It cannot be had here; the text says what else helps."""


def own_mirror() -> str:
    """Return the address from which this machine's apt has Debian, else the one that everybody can use."""
    lines = run(
        "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"
    )
    return next((line for line in lines.splitlines() if "security" not in line), MIRROR)


def unpack(product: Product, place: Path, mirror: str) -> None:
    """Download the packages, verified, and unpack them; afterwards the program in `place` runs the server."""
    apt, root = place / "apt", place / "root"
    for folder in (apt / "lists" / "partial", apt / "archives" / "partial", root):
        folder.mkdir(parents=True)
    (apt / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror} sid main\n")
    (apt / "status").touch()  # nothing is installed: each library comes along
    (apt / "apt.conf").write_text(CONFIGURATION.format(apt=apt))
    variables = {"APT_CONFIG": str(apt / "apt.conf")}
    packages = product.package, "libc6"
    run("apt-get", "--quiet", "update", env=variables)
    run("apt-get", "--quiet", "--yes", "--download-only", "install", *packages, env=variables)
    for package in sorted((apt / "archives").glob("*.deb")):
        run("dpkg-deb", "--extract", package, root)
    for directory in (apt, root / "usr" / "bin", root / "usr" / "share" / "doc"):
        shutil.rmtree(directory)
    (loader,) = root.glob("usr/lib*/ld-linux*.so.*")
    (libraries,) = root.glob("usr/lib/*-linux-gnu")
    parts = {"loader": loader, "libraries": libraries}
    words = {name: shlex.quote(str(path.relative_to(root))) for name, path in parts.items()}
    write_program(place / product.server, PROGRAM.format(**words, server=product.server, share=product.share))


def write_program(path: Path, text: str) -> None:
    """Write a program that every account can run."""
    path.write_text(text)
    path.chmod(0o755)


def prepare_data(product: Product, place: Path) -> None:
    """Make the data directory of which the tests' servers get copies. There is no secret in it."""
    data = place / "data"
    share = place / "root" / "usr" / "share" / product.share
    # One on a line: it reads them line by line.
    statements = ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket = NULL;"]
    for name in product.bootstrap:
        lines = (share / name).read_text("utf-8").splitlines()
        # An account for this machine by its name.
        statements += [line for line in lines if "@current_hostname" not in line]
    if product.bootstrap:
        data.mkdir()
    # Root may, if it says so.
    command: list[str | Path] = [place / product.server, "--no-defaults", *product.initialise, "--user=root"]
    done = subprocess.run(
        [*command, f"--datadir={data}"],
        input="\n".join(statements) if product.bootstrap else "",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(f"{product.server} makes no data directory", done.stderr)
    # What is to be each server's own, and new: its name in a cluster, and the key that encrypts passwords.
    for own in (data / "auto.cnf", *data.glob("*.pem")):
        own.unlink(missing_ok=True)
    # In the checkout, which is as open as it is, for whatever account a server runs under.
    for path in (data, *data.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    write_program(place / product.initialiser, NEW_DATA)


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
            f"it: give another FOLDER, and name FOLDER/mysqld by the environment variable WEBSESSION_MYSQLD, "
            f"or let PATH begin with FOLDER for MariaDB"
        ) from error
    text: str = result.stdout
    return text.strip()


def get(product: Product, folder: Path, mirror: str | None = None) -> str:
    """Bring the server into a folder, unless it is there, and return its version.

    Args:
        product: Which one.
        folder: Made if it is missing.
        mirror: The address of Debian's archive, or of a copy; None: the one that this machine's apt uses.

    Raises:
        UnavailableError: This machine cannot.
    """
    program = folder / product.server
    if not program.exists():
        if not KEYS.exists() or not all(map(shutil.which, ("apt-get", "dpkg-deb"))):
            raise UnavailableError(
                "this needs apt and Debian's keys (Debian, or Ubuntu with debian-archive-keyring); "
                f"elsewhere, install {product.name}{product.elsewhere}"
            )
        unfinished = folder.with_name(f"{folder.name}-{os.getpid()}")
        try:
            unfinished.mkdir(parents=True)
            unpack(product, unfinished, mirror or own_mirror())
            prepare_data(product, unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return version(program)


def main() -> int | str:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="hatch run mysql:get (or mariadb:get)")
    parser.add_argument("product", choices=PRODUCTS)
    parser.add_argument("folder", nargs="?", type=Path, help="default: the one where the tests look")
    parser.add_argument("--mirror", metavar="URL", help="of Debian; default: the one that apt uses here")
    args = parser.parse_args()
    product = PRODUCTS[args.product]
    try:
        print(get(product, (args.folder or product.folder).absolute(), args.mirror))
    except (UnavailableError, CommandError) as error:
        return str(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
