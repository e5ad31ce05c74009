"""Where keys are kept besides the configuration itself: environment variables and files."""

import os
import re
import stat
from collections.abc import Mapping

from ._lookalikes import conceal_keys

__all__ = ["SourceError", "is_source", "read_source"]

# Neither prefix is the beginning of a key: base64 has no colon.
_ENVIRONMENT = "env:"
_FILE = "file:"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LARGEST_FILE = 64 * 1024


class SourceError(Exception):
    """A source cannot be read; the text is a predicate for a message: ``names no file``.

    What stands behind the colon is shown only if it cannot be a key that somebody has put there.
    """


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
        text, place = _variable(name, environ), f"the environment variable {conceal_keys(name)}"
    else:
        path = text.removeprefix(_FILE)
        text, place = _file(path), f"the file {conceal_keys(path)}"
    keys = text.split()
    if not keys:
        raise SourceError(f"is not there: {place} is empty")
    return keys


def _variable(name: str, environ: Mapping[str, str]) -> str:
    if not _VARIABLE.fullmatch(name):
        raise SourceError("names no environment variable")
    if name not in environ:
        raise SourceError(f"is not there: the environment variable {conceal_keys(name)} is not set")
    return environ[name]


def _file(path: str) -> str:
    if not os.path.isabs(path):  # noqa: PTH117 - a Path would swallow what is wrong with the text
        raise SourceError("names no file by its absolute path")
    name = conceal_keys(path)
    try:
        raw = _content(path, name)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no such path can be"
        raise SourceError(f"is not there: the file {name} cannot be read ({why})") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"is not there: the file {name} is not text") from None


def _content(path: str, name: str) -> bytes:
    # Without waiting for anyone who might write to a pipe of that name.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"is not there: {name} is no regular file")
        if os.name == "posix" and status.st_mode & stat.S_IWOTH:
            raise SourceError(f"is not safe: everybody can write to the file {name}")
        # A regular file gives all that is asked for, up to its end.
        raw = os.read(descriptor, _LARGEST_FILE + 1)
    finally:
        os.close(descriptor)
    if len(raw) > _LARGEST_FILE:
        raise SourceError(f"is not there: the file {name} is larger than {_LARGEST_FILE} bytes")
    return raw
