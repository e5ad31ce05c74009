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

        *Below* a line of code means right after it, as deep as it. Settings are added below `sqlalchemy.url`.
        """
        path = folder / self.file
        anchor = re.search(r"[Bb]elow `([^`]+)`", self.introduction)
        if self.language == "ini":
            place = re.compile(r"^()sqlalchemy\.url = .*\n", re.MULTILINE)
        elif anchor is not None:
            # The project may write its strings with other quotes than the page does.
            line = re.sub(r"['\"]", "['\"]", re.escape(anchor[1]))
            place = re.compile(rf"^( *){line}\n", re.MULTILINE)
        else:
            path.write_text(self.code, encoding="utf-8")
            return
        text = path.read_text(encoding="utf-8")
        (match,) = place.finditer(text)
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
