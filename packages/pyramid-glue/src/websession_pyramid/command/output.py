"""How results look: tables and bars for people, JSON for machines."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "FORMAT_VERSION",
    "as_json",
    "bars",
    "columns_of",
    "counted",
    "facts",
    "printable",
    "size",
    "table",
    "terminal_width",
    "wrapped",
]

_BAR_WIDTH: Final = 30
_GAP: Final = 2
# A text that had to be cut is still told from others by so much of it.
_LEAST_WIDTH: Final = 8

FORMAT_VERSION: Final = 1
"""The version of what `--json` prints; another number: a program that reads it has to look."""


def printable(text: object) -> str:
    """Return a text without what a terminal would obey, or would show in another order or not at all.

    User ids and the like come from outside. Control characters are written as Python writes them.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(text)
    )


def terminal_width() -> int | None:
    """Return how many columns there are to fill; None: as many as it takes, since no person reads it."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return None


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a printable text takes: letters of Asia two, accents none."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0  # stands on the character before it
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def beginning(text: str, columns: int) -> str:
    """Return as much of the beginning of a printable text as fits into columns of a terminal."""
    if columns_of(text) <= columns:
        return text
    taken = 0
    for place, character in enumerate(text):
        taken += _columns(character)
        if taken > columns:
            return text[:place]
    return text


def wrapped(text: str, columns: int, indent: str = "") -> str:
    """Return a printable text in lines of so many columns: of words, unless they are of letters of Asia."""
    if columns_of(text) == len(text):
        return click.wrap_text(text, columns, indent, indent)
    room, lines = max(2, columns - len(indent)), []
    while text:
        lines.append(f"{indent}{beginning(text, room)}")
        text = text[len(lines[-1]) - len(indent) :]
    return "\n".join(lines)


def counted(number: int, one: str = "session") -> str:
    """Return a number of things: ``1 session``, ``2 sessions``."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def size(count: int | None) -> str:
    """Return a number of bytes: ``512 B``, ``3.4 kB``; ``-`` for None."""
    if count is None:
        return "-"
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1_000_000:.1f} MB"


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, least: int = 1) -> str:
    """Return rows under headings, in columns that fit the terminal; numbers stand at the right.

    Where there is too little room, texts are cut to a few characters, and the last columns left out.

    Args:
        headings: The headings.
        rows: What is below them.
        least: How many columns at the left are shown in any case.
    """
    body = [list(row) for row in rows]
    texts = [list(headings), *([printable(cell) for cell in row] for row in body)]
    widths = [max(columns_of(row[column]) for row in texts) for column in range(len(headings))]
    widths = _fitting(widths, [len(heading) for heading in headings], least)
    numeric = [
        bool(body) and all(isinstance(row[column], int) for row in body) for column in range(len(headings))
    ]
    return "\n".join(
        (" " * _GAP)
        .join(
            _filled(cell, width, right=right)
            for cell, width, right in zip(row, widths, numeric, strict=False)
        )
        .rstrip()
        for row in texts
    )


def _fitting(widths: list[int], headings: list[int], least: int) -> list[int]:
    """Return the widths of the columns that are shown."""
    room = terminal_width()
    if room is None:
        return widths

    def total(widths: list[int]) -> int:
        return sum(widths) + _GAP * (len(widths) - 1)

    while total(widths) > room:
        # What can be given up: the widest column's last characters, else the last column.
        widest = max(range(len(widths)), key=widths.__getitem__)
        narrowest = max(headings[widest], _LEAST_WIDTH)
        if widths[widest] > narrowest:
            excess = total(widths) - room
            widths = [*widths]
            widths[widest] = max(narrowest, widths[widest] - excess)
        elif len(widths) > least:
            widths = widths[:-1]
        else:
            break
    return widths


def _filled(text: str, width: int, *, right: bool) -> str:
    """Return a text cut or filled up to a width."""
    if columns_of(text) > width:
        text = f"{beginning(text, width - 1)}…"
    room = " " * (width - columns_of(text))
    return f"{room}{text}" if right else f"{text}{room}"


def facts(lines: Sequence[tuple[str, object]]) -> str:
    """Return labels with what they say, in two columns; where there is no room for two, below each other."""
    room = terminal_width() or 1000
    texts = [(label, printable(value)) for label, value in lines]
    label_width = max((len(label) for label, _ in texts), default=0) + _GAP
    if label_width + max((columns_of(value) for _, value in texts), default=0) <= room:
        return "\n".join(f"{label:<{label_width}}{value}" for label, value in texts)
    return "\n".join(
        f"{label:<{label_width}}{value}"
        if label_width + columns_of(value) <= room
        else f"{wrapped(label, room)}\n{wrapped(value, room, '  ')}"
        for label, value in texts
    )


def bars(counts: Sequence[tuple[str, int]]) -> str:
    """Return a histogram: a label, a bar and a number in each line."""
    most = max((count for _, count in counts), default=0)
    label_width = max((len(label) for label, _ in counts), default=0)
    number_width = max((len(str(count)) for _, count in counts), default=0)
    room = (terminal_width() or 1000) - label_width - number_width - 3 * _GAP
    bar_width = max(1, min(_BAR_WIDTH, room))
    return "\n".join(
        # A bar of at least one mark, unless there is nothing.
        f"  {label.rjust(label_width)}  {str(count).rjust(number_width)}  "
        f"{'#' * (max(1, round(bar_width * count / most)) if count else 0)}".rstrip()
        for label, count in counts
    )


def as_json(value: Mapping[str, Any]) -> None:
    """Print an object as JSON on standard output, with the version of its form."""
    click.echo(json.dumps({"format_version": FORMAT_VERSION, **value}, indent=2, default=str))
