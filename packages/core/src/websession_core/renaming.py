"""Old public names: they stay for one series, and warn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import Enum

__all__ = ["RenamedMember", "renamed"]


def renamed(module: str, **things: Any) -> Callable[[str], Any]:
    """Return a module's ``__getattr__``, by which things are known under their old names, too.

    Args:
        module: The module's name.
        things: The classes and functions by their old names.
    """

    def get(name: str) -> Any:
        if name not in things:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        _warn(f"{module}.{name}", things[name].__name__)
        return things[name]

    return get


class RenamedMember:
    """The old name of an enumeration's member.

    Args:
        name: The new name.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __set_name__(self, owner: type[Enum], old_name: str) -> None:
        self.old_name = f"{owner.__name__}.{old_name}"

    def __get__(self, instance: Enum | None, owner: type[Enum]) -> Enum:
        _warn(self.old_name, self.name)
        return owner[self.name]


def _warn(old: str, new: str) -> None:
    warnings.warn(
        f"{old} is called {new} now; the old name stays for one series", DeprecationWarning, stacklevel=3
    )
