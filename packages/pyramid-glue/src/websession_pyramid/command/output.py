"""How results look: tables and bars for people, JSON for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click
from websession_core.durations import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["as_json", "bars", "parse_duration", "size", "table"]

_SPELLINGS: Final = {"s": 1, "sec": 1, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_BAR_WIDTH: Final = 30


def parse_duration(text: str) -> int:
    """Return a duration in seconds: ``90``, ``90s``, ``15min``, ``12h``, ``30d``, ``2w``.

    Raises:
        ValueError: It is none.
    """
    digits = text.strip().lower()
    unit = digits.lstrip("0123456789").strip()
    number = digits[: len(digits) - len(digits.lstrip("0123456789"))]
    if not number or (unit and unit not in _SPELLINGS):
        raise ValueError(f"{text!r} is no duration; give seconds, or a number with s, min, h, d or w: 30d")
    return int(number) * _SPELLINGS.get(unit, 1)


def size(count: int | None) -> str:
    """Return a number of bytes: ``512 B``, ``3.4 kB``; ``-`` for None."""
    if count is None:
        return "-"
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1_000_000:.1f} MB"


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows under headings, in columns; numbers stand at the right."""
    body = [list(row) for row in rows]
    texts = [list(map(str, headings)), *([str(cell) for cell in row] for row in body)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(headings))]
    numeric = [
        bool(body) and all(isinstance(row[column], int) for row in body) for column in range(len(headings))
    ]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in texts
    )


def bars(counts: Sequence[tuple[str, int]]) -> str:
    """Return a histogram: a label, a bar and a number in each line."""
    most = max((count for _, count in counts), default=0)
    label_width = max((len(label) for label, _ in counts), default=0)
    number_width = max((len(str(count)) for _, count in counts), default=0)
    return "\n".join(
        # A bar of at least one mark, unless there is nothing.
        f"  {label.rjust(label_width)}  {str(count).rjust(number_width)}  "
        f"{'#' * (max(1, round(_BAR_WIDTH * count / most)) if count else 0)}".rstrip()
        for label, count in counts
    )


def as_json(value: Any) -> None:
    """Print `value` as JSON on standard output."""
    click.echo(json.dumps(value, indent=2, default=str))
