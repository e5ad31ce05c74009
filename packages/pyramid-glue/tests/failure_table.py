"""The table of failures in the documentation, which the tests of the commands go by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from click.testing import Result

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "command-line.md"
COMMANDS = ("doctor", "encrypt", "list", "purge", "revoke", "rotate-key", "show", "stats")


@dataclass(frozen=True)
class Failure:
    """One line of the table."""

    commands: tuple[str, ...]
    message: re.Pattern[str]
    status: int

    def is_told_by(self, result: Result) -> bool:
        """Return whether a command has failed so, and printed nothing else."""
        error = " ".join(result.stderr[result.stderr.index("Error: ") :].split())
        is_told = self.message.fullmatch(error) is not None
        return is_told and (result.exit_code, result.stdout) == (self.status, "")


def _read() -> dict[str, Failure]:
    lines = PAGE.read_text("utf-8").partition("| what is wrong |")[2].partition("\n\n")[0].splitlines()
    table = {}
    for line in lines[2:]:
        wrong, commands, message, status = (cell.strip() for cell in line.strip("|").split("|"))
        names = COMMANDS if commands == "all" else tuple(re.findall("`([a-z-]+)`", commands))
        if commands.startswith("all but"):
            names = tuple(name for name in COMMANDS if name not in names)
        # What differs from one application to the next is an ellipsis.
        parts = [re.escape(part) for part in message.split("…")]
        table[wrong] = Failure(names, re.compile(f"Error: {'.*'.join(parts)}"), int(status))
    return table


TABLE = _read()
"""By what is wrong."""
