"""List the settings, from the table that reads them.

``python docs/tools/list_settings.py`` writes ``docs/reference/settings.md``; a test checks that it is
up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from websession_core.settings import DEFAULT_PREFIX, OPTIONS

if TYPE_CHECKING:
    from websession_core.settings import Option

PAGE = Path(__file__).parents[1] / "reference" / "settings.md"

INTRODUCTION = f"""\
# Settings

These settings go into the `[app:main]` section of the application's ini file. All of them start with
`{DEFAULT_PREFIX}`; set another prefix with `pyramid_sqlalchemy_sessions.prefix`. If any of them is wrong, the
application does not start, and one message lists every mistake.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([INTRODUCTION, *map(section, OPTIONS)])


def section(option: Option) -> str:
    """Return the section of one setting."""
    return f"""\
## `{DEFAULT_PREFIX}{option.name}`

{option.doc} {option.expects[0].upper()}{option.expects[1:]}.

{default(option)}
"""


def default(option: Option) -> str:
    """Say what holds without the setting."""
    if option.required:
        return "Required."
    if option.default is None:
        return "Default: none." + (f" It counts {option.unit}." if option.unit else "")
    value = str(option.default).lower() if isinstance(option.default, bool) else option.default
    return f"Default: {value} {option.unit}." if option.unit else f"Default: `{value}`."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
