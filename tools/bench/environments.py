"""Where each contender is installed: ours and the floors here, each peer in a virtual environment of its own.

The peers' requirements contradict one another and ours. Each is held at the version that was measured, and
its dependencies come as they are.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

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


class CannotInstallError(Exception):
    """A peer cannot be installed here; the text is the installer's reason."""


def interpreter(name: str | None) -> Path:
    """Return the Python of an environment, which is made if need be.

    They lie in the environment that the benchmarks run in, and go when hatch removes that.

    Args:
        name: One of `PEERS`; None: this environment itself.

    Raises:
        CannotInstallError: It cannot be made.
    """
    if name is None:
        return Path(sys.executable)
    place = Path(sys.prefix) / "peers" / name
    python = place / "bin" / "python"
    done = place / "requirements.txt"
    wanted = "\n".join(PEERS[name])
    if done.is_file() and done.read_text("utf-8") == wanted:
        return python
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise CannotInstallError("uv is not installed")
    shutil.rmtree(place, ignore_errors=True)
    for command in (
        [uv, "--quiet", "venv", "--no-project", "--python", sys.executable, str(place)],
        [uv, "--quiet", "pip", "install", "--python", str(python), *PEERS[name]],
    ):
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise CannotInstallError(" ".join(run.stderr.split())[:300])
    done.write_text(wanted, "utf-8")
    return python
