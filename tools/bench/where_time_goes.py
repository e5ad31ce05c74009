"""What each microsecond of a request goes to: ``hatch run bench:profile``.

py-spy looks at the process a thousand times a second while it makes requests of one kind. Each look counts
for the innermost function that belongs to one of the parts below; what a part has called in the standard
library or in C counts for it. The shares are then applied to the processors' time that the same requests take
unobserved, that of the server included.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import page
from databases import ENGINES, databases
from processes import Process
from run import CONTENDERS

PARTS: Final = (
    ("the database, its driver included", r"psycopg/|do_(execute|executemany|commit|rollback|begin|ping)\b"),
    ("decrypting and encrypting the cookie", r"websession_crypto/|/Crypto/"),
    ("the payload and its JSON", r"websession_core/payload\.py"),
    ("the rules", r"websession_core/"),
    ("reading and writing the row", r"websession_models/"),
    ("the session in Pyramid and its unit of work", r"websession_pyramid/"),
    ("zope.sqlalchemy", r"zope/sqlalchemy/"),
    ("SQLAlchemy: ORM", r"sqlalchemy/orm/"),
    ("SQLAlchemy: Core, events and pool", r"sqlalchemy/"),
    ("transaction and pyramid_tm", r"/transaction/|pyramid_tm/"),
    ("Pyramid and WebOb", r"/pyramid/|/webob/|zope/interface/"),
    ("the views of the benchmark, and making the request", r"contenders/|worker\.py"),
)
COLUMNS: Final = (
    ("floor", "read"),
    ("minimal", "read"),
    ("full", "read"),
    ("floor", "write"),
    ("full", "write"),
    ("floor", "new"),
    ("full", "new"),
    ("full", "touch"),
)
RATE: Final = 1000


def measure(engine: str, contender: str, kind: str, seconds: float) -> dict[str, float]:
    """Return the microseconds of one kind of request, by part."""
    entry = CONTENDERS[contender]
    with contextlib.ExitStack() as stack:
        make_url = databases(stack, engine)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="websession-profile-")))
        options = dict(entry.options)
        with Process(entry.module, options | {"url": make_url()}) as process:
            number = max(100, round(seconds / (process.requests(kind, 100) / 100)))
            # The least of several is what nothing else has disturbed.
            time = min(process.requests(kind, number // 5, processor=True) / (number // 5) for _ in range(5))
        stacks = folder / "stacks.txt"
        under = [_py_spy(), "record", "--format", "raw", "--full-filenames", "--rate", str(RATE), "--output"]
        under += [str(stacks), "--"]
        with Process(entry.module, options | {"url": make_url()}, under=under) as process:
            process.requests(kind, number)
        shares = attribute(stacks.read_text("utf-8"))
    return {part: share * time * 1e6 for part, share in shares.items()}


def attribute(stacks: str) -> dict[str, float]:
    """Return each part's share of the samples that were taken while requests were made on order.

    Args:
        stacks: A line per stack, outermost function first, then the number of times it was seen.
    """
    counts: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, times = line.rpartition(" ")
        frames = stack.split(";")
        places = [at for at, frame in enumerate(frames) if re.match(r"(Site\.)?requests \(", frame)]
        # `requests` called by `main`; while the process gets warm, a constructor calls it.
        if places and frames[places[0] - 1].startswith("main ("):
            counts[_part(frames)] += int(times)
    total = counts.total()
    return {name: counts[name] / total for name, _ in PARTS}


def _part(frames: list[str]) -> str:
    for frame in reversed(frames):
        for name, pattern in PARTS:
            if re.search(pattern, frame):
                return name
    return PARTS[-1][0]


def _py_spy() -> str:
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if program is None:
        raise FileNotFoundError("py-spy is not in this environment")
    return program


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = page.parser("profile", __doc__)
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("--seconds", type=float, default=4, help="how long each kind of request is looked at")
    args = parser.parse_args()
    columns: list[dict[str, Any]] = []
    for contender, kind in COLUMNS:
        sys.stderr.write(f"{contender}: {kind}\n")
        parts = measure(args.engine, contender, kind, args.seconds)
        columns.append({"contender": contender, "kind": kind, "parts": parts})
    page.publish("profile", {"engine": args.engine, "columns": columns}, record=args.record)


if __name__ == "__main__":
    main()
