"""A virtual environment for each peer: their requirements contradict one another and ours."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from wheels import Environment  # the line above says where


def interpreter(name: str, requirements: tuple[str, ...]) -> Path:
    """Return the Python of an environment, which is made if need be; without requirements, it is this one.

    It lies in the environment that the benchmarks run in, and goes when hatch removes that.
    """
    if not requirements:
        return Path(sys.executable)
    place = Path(sys.prefix) / "peers" / name
    listing = place / "requirements.txt"
    text = "\n".join(requirements)
    if not listing.is_file() or listing.read_text("utf-8") != text:
        shutil.rmtree(place, ignore_errors=True)
        Environment.make(place, []).install(*requirements)
        listing.write_text(text, "utf-8")
    return place / "bin" / "python"
