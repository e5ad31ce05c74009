"""Old public names: they stay for one series, and warn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import Enum

__all__ = ["RenamedMember", "renamed"]


def renamed(module: str, **things: Any) -> Callable[[str], Any]:
    """Return a module's ``__getattr__``, which finds things by their old names, too.

    Args:
        module: The module's name.
        things: The classes and functions by their old names.
    """

    def get(name: str) -> Any:
        if name not in things:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = things[name]
        # What has kept its name has moved.
        _warn(f"{module}.{name}", f"{new.__module__}.{name}" if new.__name__ == name else new.__name__)
        return new

    return get


class RenamedMember:
    """The old name of an enumeration's member.

    Args:
        old: The old name.
        new: The new name.
    """

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def __get__(self, instance: Enum | None, owner: type[Enum]) -> Enum:
        _warn(f"{owner.__name__}.{self.old}", self.new)
        return owner[self.new]


def _warn(old: str, new: str) -> None:
    message = f"{old} is called {new} now; the old name stays for one series"
    warnings.warn(message, DeprecationWarning, stacklevel=3)
