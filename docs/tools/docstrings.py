"""From a docstring, in Google's style and with reStructuredText's marks, to Markdown."""

from __future__ import annotations

import inspect
import re

_SECTION = re.compile(r"(Args|Attributes|Raises|Returns):\n(.*)", re.DOTALL)
_ENTRY = re.compile(r"^    (\w[\w.]*): (.*(?:\n     .*)*)", re.MULTILINE)


def markdown(thing: object) -> str:
    """Return the docstring of a class or function as Markdown; its sections become lists."""
    paragraphs = re.split(r"\n\n(?=\S)", inspect.cleandoc(thing.__doc__ or ""))
    return "\n\n".join(map(_paragraph, paragraphs))


def _paragraph(text: str) -> str:
    section = _SECTION.match(text)
    if section is not None:
        return "\n".join(f"- `{name}`: {_inline(words)}" for name, words in _ENTRY.findall(section[2]))
    words, colons, code = text.partition("::\n\n")
    if colons:
        return f"{_inline(words)}:\n\n```python\n{inspect.cleandoc(code)}\n```"
    return _inline(text)


def _inline(text: str) -> str:
    text = " ".join(text.split())
    return re.sub(r":\w+:(?=`)", "", text).replace("``", "`")
