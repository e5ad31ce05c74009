"""Where each contender is installed: ours and the floors here, each peer in a virtual environment of its own.

The peers' requirements contradict one another and ours. Each is held at the version that was measured, and
its dependencies come as they are.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).parents[1]))

from wheels import Environment  # the line above says where

PEERS: Final[dict[str, tuple[str, ...]]] = {
    "redis": ("pyramid-session-redis==1.8.1", "pyramid-tm>=2.6"),
    "beaker": (
        "beaker==1.14.1",
        "pyramid-beaker==0.9",
        "pyramid-tm>=2.6",
        "sqlalchemy>=2.0",
        "psycopg[binary]",
    ),
    "flask": ("flask-session==0.8.0", "flask-sqlalchemy==3.1.1", "psycopg[binary]"),
    "django": ("django>=5.2,<5.3", "psycopg[binary]"),
}
"""What each environment has, by its name."""


def interpreter(name: str | None) -> Path:
    """Return the Python of an environment, which is made if need be.

    They lie in the environment that the benchmarks run in, and go when hatch removes that.

    Args:
        name: One of `PEERS`; None: this environment itself.

    Raises:
        CommandError: It cannot be made.
    """
    if name is None:
        return Path(sys.executable)
    place = Path(sys.prefix) / "peers" / name
    installed = place / "requirements.txt"
    wanted = "\n".join(PEERS[name])
    if not installed.is_file() or installed.read_text("utf-8") != wanted:
        shutil.rmtree(place, ignore_errors=True)
        Environment.make(place, []).install(*PEERS[name])
        installed.write_text(wanted, "utf-8")
    return place / "bin" / "python"
