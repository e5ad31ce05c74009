"""Everything that the members say, and a search of it for what must not be in it.

Said is: what is logged (with arguments and tracebacks), every event, every error of ours wherever it is
raised (also where nobody outside sees it), every error that reaches the application, with its chain, and what
a test hands over: a `repr`, the output of a command.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import logging
import pkgutil
import secrets
import sys
import traceback
import uuid
from base64 import b64encode, urlsafe_b64encode
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, ModuleType

# The pytest plugin is none of them: what it tells is of tests' sessions, for whoever wrote the test.
MEMBERS = ("websession_core", "websession_crypto", "websession_models", "websession_pyramid")


def modules() -> Iterator[ModuleType]:
    """Yield every module of the members."""
    for name in MEMBERS:
        package = importlib.import_module(name)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def error_classes() -> set[type[BaseException]]:
    """Return every error class that a member defines, the private ones included."""
    return {
        found
        for module in modules()
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, BaseException) and _is_ours(found.__module__)
    }


def classes_that_are_shown() -> set[type]:
    """Return the public classes whose objects show what is in them: by a `repr`, or as named tuples."""
    return {
        found
        for module in modules()
        for found in vars(module).values()
        if isinstance(found, type)
        and _is_ours(found.__module__)
        and not issubclass(found, BaseException)
        and not found.__name__.startswith("_")
        and ("__repr__" in vars(found) or hasattr(found, "_fields"))
    }


def log_statements() -> dict[tuple[str, int], tuple[int, int]]:
    """Return every log statement of the members: its file and line, and its first and last line."""
    return {
        (str(module.__file__), node.lineno): (node.lineno, node.end_lineno or node.lineno)
        for module in modules()
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("log", "_log", "logger")
    }


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in MEMBERS


class Secrets:
    """What must not be said, in every form in which it could be."""

    def __init__(self) -> None:
        self._forms: dict[str, str] = {}

    def add(self, what: str, secret: str | bytes | uuid.UUID) -> None:
        """Take down a secret.

        Args:
            what: What to call it where it is found.
            secret: Texts are searched for as they are; bytes and identifiers as hexadecimal digits, with
                and without dashes, as base64 of both alphabets, and as Python shows them.
        """
        if isinstance(secret, str):
            forms = [secret]
        else:
            raw = secret if isinstance(secret, bytes) else secret.bytes
            forms = [raw.hex(), raw.hex().upper(), repr(raw)[2:-1], str(int.from_bytes(raw, "big"))]
            forms += [encode(raw).decode().rstrip("=") for encode in (b64encode, urlsafe_b64encode)]
            if isinstance(secret, uuid.UUID):
                # Eight digits are its name in logs and events; what follows them is nobody's business.
                forms += [str(secret), str(secret).upper(), secret.hex[8:20], str(secret)[9:]]
        self._forms.update(dict.fromkeys(forms, what))

    def fresh(self, what: str) -> str:
        """Return a new secret text, taken down already."""
        text = f"x{secrets.token_hex(12)}x"
        self.add(what, text)
        return text

    def found_in(self, said: str) -> list[str]:
        """Return what a text gives away."""
        return [f"{what}: {form}" for form, what in self._forms.items() if form in said]

    def __len__(self) -> int:
        return len(self._forms)


class Overheard:
    """Hears what the members say while :meth:`listening`.

    Attributes:
        said: Everything that was said.
        errors: The kinds of the errors of ours that were raised.
        statements: File and line of the log statements that were executed.
        shown: The kinds of the objects of ours that were shown.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self.errors: set[type[BaseException]] = set()
        self.statements: set[tuple[str, int]] = set()
        self.shown: set[type] = set()

    def hear(self, *things: Any) -> None:
        """Take down how things look in text."""
        for thing in things:
            self.said += [str(thing), repr(thing)]
            self._note(thing)

    def _note(self, thing: Any) -> None:
        kinds = [kind for kind in type(thing).__mro__ if _is_ours(kind.__module__)]
        self.shown.update(kinds)
        if isinstance(thing, tuple):
            for part in thing:
                self._note(part)
        elif kinds and dataclasses.is_dataclass(thing):
            for field in dataclasses.fields(thing):
                self._note(getattr(thing, field.name))

    @contextmanager
    def listening(self, *, inside: bool = True) -> Iterator[None]:
        """Hear what is logged, at every level, and every error of ours that is raised.

        Args:
            inside: Whether to hear the errors as well that nobody outside of the members sees; it is slow.
        """
        handler = _Handler(self)
        loggers = [logging.getLogger(name) for name in MEMBERS]
        before = [logger.level for logger in loggers]
        for logger in loggers:
            logger.addHandler(handler)
            logger.setLevel(logging.DEBUG)
        traced = sys.gettrace()
        if inside:
            sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(traced)
            for logger, level in zip(loggers, before, strict=True):
                logger.removeHandler(handler)
                logger.setLevel(level)

    @contextmanager
    def error(self, kind: type[BaseException] = Exception) -> Iterator[None]:
        """Hear an error, as whoever logs it with its traceback would; there must be one."""
        try:
            yield
        except kind as error:
            self._hear_error(error)
            self.said.append("".join(traceback.format_exception(error)))
        else:
            raise AssertionError(f"no {kind.__name__} was raised")

    def _hear_error(self, error: BaseException) -> None:
        self.errors.update(kind for kind in type(error).__mro__ if _is_ours(kind.__module__))
        self.hear(error)
        if _is_ours(type(error).__module__):  # the database's own keep the parameters, and do not print them
            self.hear(error.args, vars(error))

    def _trace(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        if not _is_ours(frame.f_globals.get("__name__", "")):
            return None
        frame.f_trace_lines = False
        return self._trace_errors

    def _trace_errors(self, _frame: FrameType, event: str, argument: Any) -> Any:
        if event == "exception" and _is_ours(argument[0].__module__):
            self._hear_error(argument[1])
        return self._trace_errors


class _Handler(logging.Handler):
    def __init__(self, overheard: Overheard) -> None:
        super().__init__()
        self._overheard = overheard

    def emit(self, record: logging.LogRecord) -> None:
        self._overheard.said.append(self.format(record))
        self._overheard.hear(record.args)
        self._overheard.statements.add((record.pathname, record.lineno))
