"""What `stats` tells, in the text format that Prometheus collects (its version 0.0.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from websession_models.overview import AGES, SIZES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websession_models.overview import Overview

__all__ = ["prometheus_text"]

_GAUGES: Final = (
    ("active", "Sessions that have not ended."),
    ("idle", "Active sessions that were not used for a while (--idle-after)."),
    ("anonymous", "Active sessions without a user."),
    ("users", "Users with active sessions."),
    ("most_of_one_user", "The highest number of active sessions of one user."),
    ("expired", "Sessions that have ended and are not purged yet."),
    ("without_deadline", "Sessions that never end by themselves."),
)


def prometheus_text(numbers: Overview, *, now: int, session: str) -> str:
    """Return the numbers as gauges; what the model does not tell is left out.

    Args:
        numbers: From `overview()`.
        now: The time, in Unix seconds.
        session: The attribute of the request that holds the sessions, for the label.
    """
    return "".join(f"{line}\n" for line in _lines(numbers, now, f'session="{session}"'))


def _lines(numbers: Overview, now: int, label: str) -> Iterator[str]:
    simple = [(f"web_sessions_{name}", text, getattr(numbers, name)) for name, text in _GAUGES]
    simple += [
        (
            "web_sessions_oldest_age_seconds",
            "The age of the oldest active session.",
            None if numbers.oldest is None else now - numbers.oldest,
        ),
        ("web_sessions_payload_mean_bytes", "The mean size of active sessions' data.", numbers.payload_mean),
        ("web_sessions_payload_largest_bytes", "The largest of these sizes.", numbers.payload_largest),
    ]
    for name, text, value in simple:
        if value is not None:
            yield from _gauge(name, text)
            yield f"{name}{{{label}}} {value}"
    for name, text, bound, borders, counts in (
        (
            "web_sessions_last_used",
            "Active sessions by the time since their last use, less than so many seconds.",
            "lt",
            AGES,
            numbers.last_used,
        ),
        (
            "web_sessions_payload_sizes",
            "Active sessions by the size of their data, up to so many bytes.",
            "le",
            SIZES,
            numbers.sizes,
        ),
    ):
        yield from _gauge(name, text)
        total = 0
        for border, count in zip([*borders, "+Inf"], counts, strict=True):
            total += count
            yield f'{name}{{{label},{bound}="{border}"}} {total}'


def _gauge(name: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
