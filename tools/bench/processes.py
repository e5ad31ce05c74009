"""The other side of `worker.py`: starts contenders and asks them for requests."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKER = Path(__file__).with_name("worker.py")


def servers_time() -> float:
    """Return for how many seconds processors have worked for the servers that this process has started.

    The time of a server's process that has ended, as one of PostgreSQL's does with its connection, is in its
    parent's.
    """
    parents: dict[int, int] = {}
    ended: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in brackets may hold anything.
                facts = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(facts[1])
                ended[int(entry.name)] = int(facts[13]) + int(facts[14])
    nanoseconds = ticks = 0
    for process in parents:
        line = [process]
        while line[-1] in parents:
            line.append(parents[line[-1]])
        if os.getpid() in line[1:] and not _CONTENDERS.intersection(line):
            with contextlib.suppress(OSError):
                nanoseconds += int(Path(f"/proc/{process}/schedstat").read_text().split()[0])
                ticks += ended[process]
    return nanoseconds / 1e9 + ticks / os.sysconf("SC_CLK_TCK")


_CONTENDERS: set[int] = set()


class ContenderFailedError(Exception):
    """A contender did not start, or ended; the text says why."""


class Process:
    """A contender in a process of its own. A context manager: it ends on leaving.

    Args:
        module: Its module in `contenders`.
        options: For the module's `make`.
        python: The interpreter of its environment.
        warm_up: How many requests of each kind come before anything is measured.
        under: A command that runs the interpreter, a profiler for example.

    Raises:
        ContenderFailedError: It did not start, or does not do what is measured.
    """

    def __init__(
        self,
        module: str,
        options: dict[str, Any],
        *,
        python: Path | str = sys.executable,
        warm_up: int = 200,
        under: Sequence[str] = (),
    ) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        # With a session of its own the terminal's Ctrl-C reaches this process only, which ends its children.
        self._child = subprocess.Popen(
            [*under, str(python), str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
            start_new_session=True,
        )
        _CONTENDERS.add(self._child.pid)
        try:
            answer = self._ask(module=module, options=options, warm_up=warm_up)
            self.versions: dict[str, str] = answer["versions"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def requests(self, kind: str, number: int, *, processor: bool = False) -> float:
        """Make `number` requests of one kind; return how many seconds they took together.

        With `processor`, these are the seconds in which processors worked for them, in this contender and in
        the servers, instead of those that went by.
        """
        before = servers_time() if processor else 0.0
        seconds: float = self._ask(kind=kind, number=number, processor=processor)["seconds"]
        return seconds + (servers_time() - before if processor else 0.0)

    def sample(self, kind: str, sessions: int) -> float:
        """Make a request for each of many stored sessions, always the same; return the seconds in all."""
        return float(self._ask(kind=kind, sessions=sessions)["seconds"])

    def close(self) -> None:
        """End the process, if it still runs: it ends when its input does."""
        try:
            self._child.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()
        _CONTENDERS.discard(self._child.pid)

    def _ask(self, **order: Any) -> dict[str, Any]:
        stdin, stdout = self._child.stdin, self._child.stdout
        assert stdin is not None  # both are pipes
        assert stdout is not None
        try:
            stdin.write(json.dumps(order) + "\n")
            line = stdout.readline()
            while line and not line.startswith("{"):  # a profiler that runs the interpreter talks, too
                line = stdout.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            raise ContenderFailedError(answer["error"])
        return answer

    def _last_words(self) -> str:
        self._child.kill()
        text = self._child.stderr.read() if self._child.stderr is not None else ""
        return f"its process ended: {text.strip()[-500:]}"
