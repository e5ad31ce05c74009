"""The process between a test run and a database server: it outlives both.

Run as a script (`python -I -S _supervisor.py DIRECTORY UID GID`), with a pipe from its parent as
standard input. Standard library only, and nothing of this package: it starts in milliseconds.

Theory of operation. Nobody can clean up after his own `kill -9`, so somebody else must. The parent's
end of the pipe closes when the parent is gone, however it went; reading the end of the file here is
therefore the one signal that cannot get lost, on any POSIX system. Then the server is ended, waited for,
and its directory removed. A second pipe, inherited by the server and by all it forks, tells in the same
way when the last process of the server is gone (PostgreSQL's backends leave the process group, and
survive their postmaster for a moment).

One JSON object per line comes in, one goes out, strictly in turn:

- `{"start": [argv], "ends_by": signal}` → `{"pid": n}` or `{"error": text}`
- `{"signal": n}` → `{}`: to the server's main process
- `{"wait": seconds}` → `{"exit": code}`, or `{"exit": null}` when it still runs after that time
- `{"close": true}` → no answer: clean up and exit
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Any, NoReturn

PATIENCE = 10.0  # seconds a server is given to end, before SIGKILL and after it


class ParentGone(Exception):  # noqa: N818 - it is an event, not an error
    """Standard input ended, or a signal asks us to end: clean up."""


class Supervisor:
    """Owns one directory and at most one running program."""

    def __init__(self, directory: str, uid: int, gid: int) -> None:
        self._directory = directory
        # As root the program runs under the given account; else under our own.
        self._account: dict[str, Any] = (
            {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
        )
        self._program: subprocess.Popen[bytes] | None = None
        self._ends_by = int(signal.SIGKILL)
        self._life = -1
        self._input = b""

    def serve(self) -> None:
        """Answer requests until the parent closes us or is gone."""
        while True:
            request = self._read()
            if "start" in request:
                self._write(self._start(request["start"], request["ends_by"]))
            elif "signal" in request:
                # A program that has just ended is what was asked for.
                with contextlib.suppress(ProcessLookupError):
                    if self._program is not None:
                        self._program.send_signal(request["signal"])
                self._write({})
            elif "wait" in request:
                self._write({"exit": self._wait(request["wait"], watch_parent=True)})
            else:
                return

    def clean_up(self) -> None:
        """End the program and remove the directory; never raises."""
        if self._program is not None:
            for number in (self._ends_by, int(signal.SIGKILL)):
                with contextlib.suppress(ProcessLookupError):
                    # Helpers of an installation script are in its group; a database server alone in its own.
                    if number == signal.SIGKILL:
                        os.killpg(self._program.pid, number)
                    else:
                        self._program.send_signal(number)
                if self._wait(PATIENCE, watch_parent=False) is not None:
                    break
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, argv: list[str], ends_by: int) -> dict[str, Any]:
        read_end, write_end = os.pipe()
        try:
            with open(os.path.join(self._directory, "log"), "ab") as log:  # noqa: PTH118, PTH123 - no pathlib here
                self._program = subprocess.Popen(  # noqa: S603 - our own parent names the program
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._directory,
                    start_new_session=True,
                    pass_fds=(write_end,),
                    **self._account,
                )
        except OSError as error:
            os.close(read_end)
            return {"error": f"{argv[0]}: {error.strerror}"}
        finally:
            os.close(write_end)
        self._life = read_end
        self._ends_by = ends_by
        return {"pid": self._program.pid}

    def _wait(self, seconds: float, *, watch_parent: bool) -> int | None:
        if self._program is None:
            return 0
        deadline = time.monotonic() + seconds
        while True:
            rest = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._life, *([0] if watch_parent else [])], [], [], rest)
            if 0 in ready:  # the parent speaks only after our answer: this is the end of the file
                raise ParentGone
            if ready:
                break
            if rest == 0.0:
                return None
        os.close(self._life)
        code = self._program.wait()
        self._program = None
        return code

    def _read(self) -> dict[str, Any]:
        while b"\n" not in self._input:
            chunk = os.read(0, 65536)
            if not chunk:
                raise ParentGone
            self._input += chunk
        line, _, self._input = self._input.partition(b"\n")
        request: dict[str, Any] = json.loads(line)
        return request

    def _write(self, answer: dict[str, Any]) -> None:
        try:
            os.write(1, json.dumps(answer).encode() + b"\n")
        except BrokenPipeError:
            raise ParentGone from None


def _asked_to_end(*_: object) -> NoReturn:
    raise ParentGone


def main(directory: str, uid: str, gid: str) -> None:
    """Make the directory, an absolute path that does not exist yet, say so, serve, clean up.

    The account, in decimal, owns it and runs the programs, if we are root.
    """
    # Ctrl-C is the parent's business: it closes us in good order afterwards.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _asked_to_end)
    signal.signal(signal.SIGHUP, _asked_to_end)
    os.umask(0o077)
    os.mkdir(directory, 0o700)  # noqa: PTH102 - no pathlib here; fails if somebody else has made it
    if os.geteuid() == 0:
        os.chown(directory, int(uid), int(gid))
    supervisor = Supervisor(directory, int(uid), int(gid))
    try:
        os.write(1, b"{}\n")
        supervisor.serve()
    except (ParentGone, BrokenPipeError):
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        supervisor.clean_up()


if __name__ == "__main__":
    main(*sys.argv[1:])
