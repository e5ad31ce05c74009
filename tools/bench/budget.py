"""What a request may cost, in function calls, which unlike times are the same in every run.

``hatch run bench:budget`` counts and compares with ``budget.toml``; ``--record`` writes that file again. A
test compares in every run of the suite, so that a request cannot grow unnoticed: anyone who has a reason
records it, and the change shows in the review.

Counted per request, on SQLite:

- ``own``: calls of functions of this repository's packages. They depend on nothing else, so these are
  compared everywhere. (Comprehensions do not count: from Python 3.12 on they are no calls.)
- ``statements``: what is sent to the database; compared everywhere, and must be equal.
- ``total``: all calls, those of Pyramid, SQLAlchemy and C functions included, with the request's own.
  Another release of any of them changes it, so it is compared where all versions are those it was recorded
  with.

Besides, a request that does not touch the session may take 1 % more calls than the same one to the same
application without our `includeme`, counted in the same run; and one that reads a single key of a payload of
100,000 bytes may take none more than one that reads it of 100 bytes: nothing looks at the other values.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import worker

if TYPE_CHECKING:
    from types import CodeType

BUDGET: Final = Path(__file__).with_name("budget.toml")
ALLOWANCE: Final = 0.05
UNTOUCHED: Final = 0.01
OWN: Final = ("websession_core", "websession_crypto", "websession_models", "websession_pyramid")
VERSIONS_OF: Final = (
    "pycryptodome",
    "pyramid",
    "pyramid-tm",
    "sqlalchemy",
    "transaction",
    "webob",
    "zope.interface",
    "zope.sqlalchemy",
)
MODELS: Final[dict[str, tuple[str, dict[str, Any], tuple[str, ...]]]] = {
    "without": ("floor", {}, ("untouched",)),
    "minimal": ("ours", {}, ("untouched", "read", "write", "new")),
    "full": ("ours", {"full": True}, ("untouched", "read", "write", "new", "touch")),
    "large": ("ours", {"full": True, "size": 100_000}, ("read",)),
}
"""What is counted: the contender, its options and its kinds of request; `without` has no sessions of ours."""

WARM_UP: Final = 20
REPEATED: Final = 3


class NotDeterministicError(Exception):
    """Equal requests made different calls."""


def count() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the counts of each kind of request, by model.

    Raises:
        NotDeterministicError: Three equal requests made different calls.
    """
    from sqlalchemy import Engine, event  # noqa: PLC0415 - only once it is certain that this process counts

    statements: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement.split(None, 1)[0])

    event.listen(Engine, "before_cursor_execute", listen)
    event.listen(Engine, "commit", lambda _c: statements.append("COMMIT"))
    event.listen(Engine, "rollback", lambda _c: statements.append("ROLLBACK"))
    counts: dict[str, dict[str, dict[str, Any]]] = {}
    for model, (module, options, kinds) in MODELS.items():
        with tempfile.TemporaryDirectory(prefix="websession-budget-") as folder:
            contender = worker.load(module, {"url": f"sqlite:///{folder}/budget.sqlite", **options})
            client = worker.Client(contender.app)
            for kind in contender.prepare:
                client.get(kind)
            counts[model] = {kind: _count_one(client, kind, statements) for kind in kinds}
    return counts


def _count_one(client: worker.Client, kind: str, statements: list[str]) -> dict[str, Any]:
    for _ in range(WARM_UP):
        client.get(kind, keep=True)
    counts = []
    for _ in range(REPEATED):
        statements.clear()
        counts.append({**_calls(client, kind), "statements": list(statements)})
    if any(other != counts[0] for other in counts):
        raise NotDeterministicError(f"{kind}: {counts}")
    return counts[0]


def _calls(client: worker.Client, kind: str) -> dict[str, int]:
    profile = cProfile.Profile()
    gc.collect()
    # A collection in between would run finalizers at a moment of its choosing.
    gc.disable()
    try:
        profile.runcall(client.get, kind, keep=True)
    finally:
        gc.enable()
    calls = profile.getstats()
    own = sum(call.callcount for call in calls if _is_own(call.code))
    return {"own": own, "total": sum(call.callcount for call in calls)}


def _is_own(code: CodeType | str) -> bool:
    if isinstance(code, str):  # of a function in C
        return False
    inlined = code.co_name in {"<listcomp>", "<dictcomp>", "<setcomp>"}
    return not inlined and not set(OWN).isdisjoint(Path(code.co_filename).parts)


def versions() -> dict[str, str]:
    """Return the versions that ``total`` depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in VERSIONS_OF}}


def compare(budget: dict[str, Any], counts: dict[str, Any]) -> list[str]:
    """Return what is not as the budget says, a sentence each.

    Args:
        budget: What ``budget.toml`` holds.
        counts: What `count` returned.
    """
    numbers = ("own", "total") if budget["versions"] == versions() else ("own",)
    growths = []
    without = counts["without"]["untouched"]["total"]
    large, small = counts["large"]["read"]["total"], counts["full"]["read"]["total"]
    if large > small:
        growths.append(f"large read: {large} calls, and {small} where the payload is small")
    for model, kinds in counts.items():
        for kind, now in kinds.items():
            if kind == "untouched" and now["total"] > without * (1 + UNTOUCHED):
                growths.append(f"{model} untouched: {now['total']} calls, and {without} without sessions")
            limit = budget.get(model, {}).get(kind)
            if limit is None:
                growths.append(f"{model} {kind}: is not in the budget")
                continue
            growths += [
                f"{model} {kind}: {now[name]} calls ({name}) instead of {limit[name]}, "
                f"{now[name] / max(limit[name], 1) - 1:+.0%}"
                for name in numbers
                if now[name] > limit[name] * (1 + ALLOWANCE)
            ]
            if now["statements"] != limit["statements"]:
                growths.append(f"{model} {kind}: {now['statements']} instead of {limit['statements']}")
    return growths


def text(counts: dict[str, Any]) -> str:
    """Return what ``budget.toml`` is to hold."""
    lines = [
        "# Function calls and statements per request, by `hatch run bench:budget --record`; see budget.py.",
        "# A test fails where a request takes over 5 % more. Record more only with a reason, and say it.",
        "",
        "[versions] # that `total` was counted with",
        *(f'"{name}" = "{number}"' for name, number in versions().items()),
    ]
    for model, kinds in counts.items():
        for kind, now in kinds.items():
            lines += ["", f"[{model}.{kind}]"]
            # JSON's numbers, and its lists of plain words, are TOML's.
            lines += [f"{name} = {json.dumps(value)}" for name, value in now.items()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> str | int:
    """Count, and compare or record."""
    parser = argparse.ArgumentParser(prog="hatch run bench:budget", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the file again")
    parser.add_argument("--budget", type=Path, default=BUDGET, help="another file to compare with")
    args = parser.parse_args(arguments)
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets, and with it the number of some calls, would differ from run to run.
        again = [sys.executable, __file__, *arguments]
        return subprocess.run(again, check=False, env={**os.environ, "PYTHONHASHSEED": "0"}).returncode
    counts = count()
    if args.record:
        args.budget.write_text(text(counts), "utf-8")
        return 0
    sys.stdout.write(text(counts))
    growths = compare(tomllib.loads(args.budget.read_text("utf-8")), counts)
    if growths:
        return "\n".join(
            [
                "A request costs more than budget.toml allows:",
                *(f"  {growth}" for growth in growths),
                "If there is a reason, run `hatch run bench:budget --record` and say it in the commit.",
            ]
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
