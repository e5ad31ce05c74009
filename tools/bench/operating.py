"""What an operator's commands take in a large table: ``hatch run bench:operate``.

On each engine a table of 1,000,000 sessions, half of them of 100,000 users, of which 200,000 are past their
deadline, filled by the server itself. Then each command runs in a process of its own, as a shell starts it:
how long that takes, for how long processors work for it (the server's, too), and how much memory the process
has at its peak. Starting an application and doing nothing, as `--help` cannot tell, is in every line: the
first is `show`, which reads one row by its key.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import page
import sqlalchemy as sa
from contenders.database import make_engine
from contenders.ours import SESSIONS
from databases import databases
from processes import servers_time
from purging import ENGINES, SETTINGS, fill
from pyramid_sqlalchemy_sessions import generate_secret_key

USERS: Final = 100_000
RUN: Final = "from websession_pyramid.command import run; run()"


def give_users(engine: sa.Engine) -> None:
    """Let every second session belong to somebody."""
    statement = f"UPDATE {SESSIONS.name} SET userid = 1 + created % :users WHERE created % 2 = 0"
    with engine.begin() as connection:
        connection.execute(sa.text(statement), {"users": 2 * USERS})
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {SESSIONS.name}")


def write_ini(folder: Path, url: str) -> Path:
    """Write the configuration of an application whose sessions these are."""
    file = folder / "site.ini"
    settings = {
        "use": "call:operated:main",
        "sqlalchemy.url": url.replace("%", "%%"),
        "session.secret_key": generate_secret_key(),
        "session.idle_timeout": "1d",
        "session.absolute_timeout": "30d",
        "session.cookie_secure": "true",
    }
    file.write_text("[app:main]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    file.chmod(0o600)
    return file


def take(arguments: list[str], folder: Path) -> dict[str, Any]:
    """Run a command; return what it took.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    servers, start = servers_time(), time.perf_counter()
    with (folder / "output").open("wb") as output:
        # Not waited for by `subprocess`, which does not tell what a child has used.
        child = subprocess.Popen(
            [sys.executable, "-c", RUN, *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if child.returncode:
        sys.stderr.write((folder / "output").read_text("utf-8"))
        raise subprocess.CalledProcessError(child.returncode, arguments)
    return {
        "seconds": seconds,
        "processor": used.ru_utime + used.ru_stime,
        "server": servers_time() - servers,
        "bytes": used.ru_maxrss * 1024,
    }


def measure(name: str, *, rows: int, expired: int) -> dict[str, Any]:
    """Run every command on one engine; return what each took, by what is typed."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="websession-benchmark-")))
        url = databases(stack, name, SETTINGS.get(name))()
        engine = make_engine(url)
        sys.stderr.write(f"{name}: filling in {rows:,} sessions\n")
        fill(engine, rows, expired, int(time.time()))
        give_users(engine)
        with engine.connect() as connection:
            one = str(connection.scalar(sa.select(SESSIONS.c.id).limit(1)))
        engine.dispose()
        ini = str(write_ini(folder, url))
        taken = {}
        for command in (
            ["show", ini, one],
            ["list", ini],
            ["list", "--user", "1", ini],
            ["list", "--expired", "--limit", "10", ini],
            ["stats", ini],
            ["doctor", ini],
            ["purge", "--dry-run", ini],
            ["purge", ini],
        ):
            words = " ".join(word for word in command if word not in {ini, one})
            sys.stderr.write(f"{name}: {words}\n")
            taken[words] = take(command, folder)
    return taken


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = page.parser("operate", __doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["sqlite", "postgresql"])
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many sessions there are")
    parser.add_argument("--expired", type=int, default=200_000, help="how many of them are to be purged")
    args = parser.parse_args()
    amounts = {"rows": args.rows, "expired": args.expired}
    engines = {name: measure(name, **amounts) for name in args.engines}
    page.publish("operate", {**amounts, "engines": engines}, record=args.record)


if __name__ == "__main__":
    main()
