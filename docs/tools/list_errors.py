"""List the errors, from the classes themselves.

``python docs/tools/list_errors.py`` writes ``docs/reference/errors.md``; a test checks that it is up to date.
The anchors of its sections are what the errors' notes link to.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pyramid_sqlalchemy_sessions
from docstrings import markdown

PAGE = Path(__file__).parents[1] / "reference" / "errors.md"

PACKAGES = (
    "websession_pyramid",
    "websession_models",
    "websession_core",
    "websession_crypto",
    "pytest_websession.servers",
)

MORE = {
    "CipherLibraryError": "../how-to/codec.md",
    "ConfigurationError": "settings.md",
    "EncryptedDataError": "../how-to/encryption.md",
    "InvalidPreferenceError": "../how-to/timeouts.md#remember-me",
    "KeyFormatError": "../how-to/keys.md",
    "MissingFeatureError": "../how-to/users.md",
    "ModelError": "../how-to/columns.md",
    "RecentLoginRequired": "../how-to/users.md#ask-for-the-password-again",
    "SchemaError": "../how-to/engines.md#when-the-tables-are-not-those-of-the-model",
    "StaleSessionError": "../how-to/engines.md#retry-after-a-conflict",
    "TokenError": "../how-to/codec.md",
    "UnreadableValueError": "../how-to/values.md#your-own-types",
    "UnstorableValueError": "../how-to/values.md",
}
"""What to read about an error, besides."""

EXAMPLES = {
    "UnstorableValueError": """\
Text from outside can be such a value, and robots send such text: `?q=a%00b` contains a NUL, which PostgreSQL
cannot store. Without an exception view, the response is a 500. This view makes it a 400:

```python
import logging

from pyramid.httpexceptions import HTTPBadRequest
from pyramid.view import exception_view_config
from pyramid_sqlalchemy_sessions import UnstorableValueError

log = logging.getLogger(__name__)

@exception_view_config(UnstorableValueError)
def bad_request(exception, request):
    # It may also be a bug in the application: the message names the key, and shows no value.
    log.warning("Not put into the session: %s", exception)
    return HTTPBadRequest()
```
""",
}
"""What a developer does about an error, in code."""

INTRODUCTION = """\
# Errors

Every error says what is wrong and what to do about it, and shows no secret, cookie, identifier or value
of a session. A traceback of a `SessionError` ends with the address of its section on this page.

The errors that an application may have to handle can be imported from `pyramid_sqlalchemy_sessions`, too.
"""


def errors(package: str) -> list[type[Exception]]:
    """Return the public exceptions that a package defines, by name."""
    module = importlib.import_module(package)
    things = [getattr(module, name) for name in module.__all__]
    kinds = [thing for thing in things if isinstance(thing, type) and issubclass(thing, Exception)]
    root = package.partition(".")[0]
    return sorted((cls for cls in kinds if cls.__module__.startswith(root)), key=lambda cls: cls.__name__)


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for package in PACKAGES:
        parts += [f"## {package.partition('.')[0]}\n", *map(section, errors(package))]
    return "\n".join(parts)


def section(error: type[Exception]) -> str:
    """Return the section of one error."""
    kinds = " and ".join(f"`{base.__name__}`" for base in error.__bases__)
    facade = getattr(pyramid_sqlalchemy_sessions, error.__name__, None) is error
    where = "" if facade else f", from `{error.__module__.partition('.')[0]}`"
    more = f" [More]({MORE[error.__name__]})." if error.__name__ in MORE else ""
    text = "\n\n".join(filter(None, [markdown(error), EXAMPLES.get(error.__name__, "").rstrip()]))
    return f"### `{error.__name__}`\n\n{text}\n\nSubclass of {kinds}{where}.{more}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
