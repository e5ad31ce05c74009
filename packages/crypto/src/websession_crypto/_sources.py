"""Where keys are kept besides the configuration itself: environment variables and files."""

import os
import re
import stat
from collections.abc import Mapping

__all__ = ["SourceError", "is_source", "read_source"]

# Neither prefix is the beginning of a key: base64 has no colon.
_ENVIRONMENT = "env:"
_FILE = "file:"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# No name of a variable is as long as a key: this is a key that somebody has put behind the colon.
_TOO_LONG_TO_SHOW = 43
_LARGEST_FILE = 64 * 1024


class SourceError(Exception):
    """A source cannot be read; the text is a predicate for a message: ``names no file``."""


def is_source(text: str) -> bool:
    """Return whether a text says where keys are, rather than being one."""
    return text.startswith((_ENVIRONMENT, _FILE))


def read_source(text: str, environ: Mapping[str, str]) -> list[str]:
    """Return the texts of the keys that a source holds, at least one.

    Raises:
        SourceError: It cannot be read, or holds nothing.
    """
    if text.startswith(_ENVIRONMENT):
        name = text.removeprefix(_ENVIRONMENT)
        text, place = _variable(name, environ), f"the environment variable {name}"
    else:
        path = text.removeprefix(_FILE)
        text, place = _file(path), f"the file {path}"
    keys = text.split()
    if not keys:
        raise SourceError(f"is not there: {place} is empty")
    return keys


def _variable(name: str, environ: Mapping[str, str]) -> str:
    if len(name) >= _TOO_LONG_TO_SHOW or not _VARIABLE.fullmatch(name):
        raise SourceError("names no environment variable")
    if name not in environ:
        raise SourceError(f"is not there: the environment variable {name} is not set")
    return environ[name]


def _file(path: str) -> str:
    if not os.path.isabs(path):  # noqa: PTH117 - a Path would swallow what is wrong with the text
        raise SourceError("names no file by its absolute path")
    try:
        # Without waiting for anyone who might write to a pipe of that name.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no such path can be"
        raise SourceError(f"is not there: the file {path} cannot be read ({why})") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"is not there: {path} is no regular file")
        if os.name == "posix" and status.st_mode & stat.S_IWOTH:
            raise SourceError(f"is not safe: everybody can write to the file {path}")
        # A regular file gives all that is asked for, up to its end.
        raw = os.read(descriptor, _LARGEST_FILE + 1)
    finally:
        os.close(descriptor)
    if len(raw) > _LARGEST_FILE:
        raise SourceError(f"is not there: the file {path} is larger than {_LARGEST_FILE} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"is not there: the file {path} is not text") from None
