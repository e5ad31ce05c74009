"""How many instructions each kind of request takes: ``hatch run bench:instructions``.

Valgrind's callgrind counts them, in the contender's process only; a database server's are not among them.
Unlike times they hardly depend on what else the machine does: repeats differ by less than one per cent. A
request of one kind is the difference between many and few, divided by how many more there were.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import page
from databases import ENGINES, databases
from processes import Process
from run import CONTENDERS, KINDS

FEW: Final = 10
MORE: Final = 40
WARM_UP: Final = 60
SHOWN: Final = (
    *("floor", "sends", "core", "minimal", "minimal-openssl"),
    *("full", "full-openssl", "cold", "cold-openssl"),
)


def measure(engine: str, contender: str, kinds: list[str]) -> dict[str, float]:
    """Return the instructions of a request of each kind that the contender has."""
    entry = CONTENDERS[contender]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="websession-instructions-")))
        url = databases(stack, engine)()
        under = [_program("valgrind"), "--tool=callgrind", "--instr-atstart=no"]
        under += [f"--callgrind-out-file={folder / 'counts'}"]
        options = dict(entry.options) | {"url": url}
        process = stack.enter_context(Process(entry.module, options, warm_up=WARM_UP, under=under))
        _control(process.pid, "--instr=on")
        counts = {}
        for kind in kinds:
            if kind in entry.kinds:
                few = _count(process, kind, FEW, folder)
                counts[kind] = (_count(process, kind, FEW + MORE, folder) - few) / MORE
        return counts


def _count(process: Process, kind: str, number: int, folder: Path) -> int:
    _control(process.pid, "--zero")
    process.requests(kind, number)
    _control(process.pid, "--dump")
    (file,) = folder.glob("counts.*")
    total = re.search(r"^(?:summary|totals): (\d+)", file.read_text("utf-8"), re.MULTILINE)
    file.unlink()
    assert total is not None  # callgrind writes one
    return int(total[1])


def _control(pid: int, order: str) -> None:
    subprocess.run([_program("callgrind_control"), order, str(pid)], check=True, stdout=subprocess.DEVNULL)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed: it comes with the package valgrind")
    return path


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = page.parser("instructions", __doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS), default=list(SHOWN))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS[:-1]), help="of request")
    args = parser.parse_args()
    figures = {
        engine: {
            name: {"title": CONTENDERS[name].title, "counts": measure(engine, name, args.kinds)}
            for name in args.contenders
        }
        for engine in args.engines
    }
    page.publish("instructions", {"engines": figures}, record=args.record)


if __name__ == "__main__":
    main()
