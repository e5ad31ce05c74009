"""The documentation's pages and the code in them, for tests."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[1]
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("*/*.md")])


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    return [block[1] for block in _blocks(page, language)]


def _blocks(page: Path, language: str) -> Iterator[re.Match[str]]:
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return pattern.finditer(page.read_text(encoding="utf-8"))


def run(page: Path, part: str = "", **names: Any) -> dict[str, Any]:
    """Run the Python blocks of a page one after the other, as one module; return its names.

    Args:
        page: The page.
        part: Only the blocks that have this text in them.
        names: What the blocks take for granted.
    """
    module = ModuleType(f"page_{page.stem.replace('-', '_')}")
    # SQLAlchemy looks there for what annotations name.
    sys.modules[module.__name__] = module
    vars(module).update(names)
    for block in _blocks(page, "python"):
        if part not in block[1]:
            continue
        # In its place in the page, for tracebacks and for `view_config`, which looks for its own line.
        code = "\n" * block.string.count("\n", 0, block.start(1)) + block[1]
        exec(compile(code, page, "exec", dont_inherit=True), vars(module))  # noqa: S102 - code of ours
    return vars(module)
