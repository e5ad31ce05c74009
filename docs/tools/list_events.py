"""List the events, from the classes themselves.

``python docs/tools/list_events.py`` writes ``docs/reference/events.md``; a test checks that it is up to date.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

from docstrings import markdown
from websession_pyramid import events

PAGE = Path(__file__).parents[1] / "reference" / "events.md"

INTRODUCTION = """\
# Events

The library sends events about sessions to the application's subscribers (`config.add_subscriber` or
`@subscriber`). Import them from `pyramid_sqlalchemy_sessions`. No event contains a secret, a cookie or a
full identifier, so all of them may be logged. Subscribers run within the request; an exception in a
subscriber has the same effect as any exception at that point.

A subscriber for `SessionEvent` gets all of them except `OwnTransactionBegun`, which is not about a session.
"""


def page() -> str:
    """Return the page."""
    classes = [thing for name in events.__all__ if isinstance(thing := getattr(events, name), type)]
    classes.sort(key=lambda cls: (cls is not events.SessionEvent, cls.__name__))
    return "\n".join([INTRODUCTION, *map(section, classes)])


def section(event: type) -> str:
    """Return the section of one event."""
    names = ", ".join(f"`{field.name}`" for field in fields(event))
    return f"## `{event.__name__}`\n\n{markdown(event)}\n\nAttributes: {names}.\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
