"""The code blocks of a page, in the order in which its reader meets them."""

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
    def file(self) -> str | None:
        """The file that it is about: the last one that the introduction names; None: it names none."""
        named = re.findall(r"`(shop/[\w/]+\.\w+)`", self.introduction)
        return named[-1] if named else None


def steps(page: Path) -> Iterator[Step]:
    """Yield the steps of a page in their order."""
    for introduction, language, code in re.findall(
        r"(?:^((?:[^\n`]|`(?!``))(?:[^\n]+\n)+)\n)?^```(\w+)\n(.*?)^```\n",
        page.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    ):
        yield Step(introduction, language, code)
