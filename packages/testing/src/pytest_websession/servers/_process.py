"""A program in a private directory that ends, and is wiped away, with the process that started it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# Where there are none of these no server runs, but the plugin is imported.
KILL = int(getattr(signal, "SIGKILL", signal.SIGTERM))
QUIT = int(getattr(signal, "SIGQUIT", signal.SIGTERM))

LOG_TAIL = 2000  # characters of a failed program's output that go into the error


class ServerUnavailableError(Exception):
    """This machine cannot run the server; the text says what to install."""


class ServerError(Exception):
    """The server is installed, but did not do what was asked; the text ends with its last output."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system account a server runs under: the current process's own, or an `other` one."""

    uid: int
    gid: int
    other: bool

    @classmethod
    def for_servers(cls) -> Account:
        """Return the current account, or `nobody` for root: database servers refuse to run as root."""
        if os.name != "posix":
            raise ServerUnavailableError("throw-away database servers need a POSIX system (Linux, macOS)")
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), other=False)
        import pwd  # noqa: PLC0415 - POSIX only

        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise ServerUnavailableError(
                "root may not run a database server, and there is no account `nobody`"
            ) from None
        return cls(nobody.pw_uid, nobody.pw_gid, other=True)

    def name(self) -> str | None:
        """Return the account's name; None if the system has none for it."""
        import pwd  # noqa: PLC0415 - POSIX only

        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return None

    def can(self, *command: str | Path) -> bool:
        """Return whether the account can run a command, by running it; it should end at once."""
        as_account: dict[str, Any] = (
            {"user": self.uid, "group": self.gid, "extra_groups": []} if self.other else {}
        )
        try:
            result = subprocess.run(  # noqa: S603 - programs of this machine, found by us
                command, check=False, capture_output=True, stdin=subprocess.DEVNULL, cwd="/", **as_account
            )
        except OSError:
            return False
        return result.returncode == 0

    def write_private(self, path: Path, text: str) -> None:
        """Write a new file that only this account (and root) can read."""
        path.touch(mode=0o600, exist_ok=False)
        if self.other:
            os.chown(path, self.uid, self.gid)
        path.write_text(text, "utf-8")


class Supervised:
    """A private directory (mode 0700) and one program at a time in it, under `_supervisor.py`.

    Args:
        kind: Goes into the directory's name.
        account: Owner of the directory, and the account the programs run under.

    Raises:
        ServerError: The directory could not be made.
    """

    def __init__(self, kind: str, account: Account) -> None:
        parent = _directory_open_to(account)
        self.directory = parent / f"websession-{kind}-{secrets.token_hex(8)}"
        self._owner = os.getpid()
        self._supervisor = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [
                sys.executable,
                "-I",
                "-S",
                str(Path(__file__).with_name("_supervisor.py")),
                str(self.directory),
                str(account.uid),
                str(account.gid),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A session of its own: a Ctrl-C in the terminal must not reach it.
            start_new_session=True,
            env=_environment(self.directory),
            bufsize=0,
        )
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def start(self, argv: Sequence[str | Path], *, ends_by: int) -> int:
        """Start a program, named by its full path, its output going to the log; return its process id.

        The signal `ends_by` ends it quickly when nobody will want its data any more.
        """
        answer = self._ask({"start": [str(word) for word in argv], "ends_by": int(ends_by)})
        if "error" in answer:
            raise ServerError(answer["error"])
        pid: int = answer["pid"]
        return pid

    def run(self, argv: Sequence[str | Path], *, ends_by: int, seconds: float) -> None:
        """Run a program to its end.

        Raises:
            ServerError: It could not be started, failed, or took longer than `seconds`.
        """
        self.start(argv, ends_by=ends_by)
        code = self.wait(seconds)
        if code is None:  # close() will end it
            raise self.failure(f"{argv[0]} took more than {seconds:.0f} seconds")
        if code != 0:
            raise self.failure(f"{argv[0]} failed ({code})")

    def signal(self, number: int) -> None:
        """Send the program's main process a signal; nothing happens if it has ended."""
        self._ask({"signal": int(number)})

    def wait(self, seconds: float) -> int | None:
        """Wait until the program, and all it forked, has ended; give its exit code, or None if it runs."""
        code: int | None = self._ask({"wait": seconds})["exit"]
        return code

    def log(self) -> str:
        """Return all that was printed so far."""
        with contextlib.suppress(FileNotFoundError):
            return (self.directory / "log").read_text("utf-8", "replace")
        return ""

    def failure(self, what: str) -> ServerError:
        """Make the error for a failure, with the end of the log."""
        return ServerError(f"{what}; its last output:\n{self.log()[-LOG_TAIL:]}")

    def close(self) -> None:
        """End the program, remove the directory, and wait until that is done. Can be repeated."""
        # A forked child has inherited this object; what it describes is its parent's.
        if os.getpid() != self._owner or self._supervisor.stdin is None or self._supervisor.stdin.closed:
            return
        # Said, not only shown by closing: a forked child may still hold the pipe.
        with contextlib.suppress(BrokenPipeError):
            self._supervisor.stdin.write(b'{"close": true}\n')
        self._supervisor.stdin.close()
        if self._supervisor.stdout is not None:
            self._supervisor.stdout.close()
        self._supervisor.wait()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._supervisor.stdin is None or self._supervisor.stdin.closed:
            raise ServerError("the server was closed")
        with contextlib.suppress(BrokenPipeError):  # _answer() says so
            self._supervisor.stdin.write(json.dumps(request).encode() + b"\n")
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._supervisor.stdout.readline() if self._supervisor.stdout is not None else b""
        if not line:
            raise ServerError("the process that watches over the server has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _directory_open_to(account: Account) -> Path:
    """Return the first temporary directory the account can reach (root's own TMPDIR may be closed to it)."""
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - 0700, random name
    for candidate in candidates:
        if not account.other or account.can("/bin/sh", "-c", 'cd -- "$0"', candidate):
            return candidate.resolve()
    raise ServerUnavailableError("no temporary directory can be entered by the account `nobody`")


def _environment(home: Path) -> dict[str, str]:
    """Return an environment in which no PGOPTIONS or MYSQL_HOME of the caller changes the server."""
    names = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: os.environ[name] for name in names if name in os.environ} | {
        "HOME": str(home),
        # MariaDB deletes temporary tables that it finds there when it starts, whosever they are.
        "TMPDIR": str(home),
        "LC_ALL": "C",
        "TZ": "UTC",
    }
