"""Follow a page as its reader would, in the folder of a project."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Step:
    """A code block, and the paragraph that introduces it."""

    introduction: str
    language: str
    code: str

    @property
    def file(self) -> str:
        """The file that it is about: the last one that the introduction names."""
        return re.findall(r"`([\w/]+\.\w+)`", self.introduction)[-1]

    def write(self, folder: Path) -> None:
        """Do with its file what the introduction says: write it, or add lines to it.

        *Below* a line of code means right after it, as deep as it. Settings are added below `sqlalchemy.url`,
        in each ini file that is named.
        """
        anchor = re.search(r"[Bb]elow `([^`]+)`", self.introduction)
        if self.language == "ini":
            for name in re.findall(r"`(\w+\.ini)`", self.introduction):
                self._add(folder / name, r"()sqlalchemy\.url = .*")
        elif anchor is not None:
            # The project may write its strings with other quotes than the page does.
            self._add(folder / self.file, "( *)" + re.sub(r"['\"]", "['\"]", re.escape(anchor[1])))
        else:
            (folder / self.file).write_text(self.code, encoding="utf-8")

    def _add(self, path: Path, line: str) -> None:
        text = path.read_text(encoding="utf-8")
        (match,) = re.finditer(rf"^{line}\n", text, re.MULTILINE)
        lines = "".join(f"{match[1]}{line}" for line in self.code.splitlines(keepends=True))
        path.write_text(text[: match.end()] + lines + text[match.end() :], encoding="utf-8")


def steps(page: Path) -> Iterator[Step]:
    """Yield the steps of a page in their order."""
    for introduction, language, code in re.findall(
        r"(?:^((?:[^\n`]|`(?!``))(?:[^\n]+\n)+)\n)?^```(\w+)\n(.*?)^```\n",
        page.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    ):
        yield Step(introduction, language, code)
