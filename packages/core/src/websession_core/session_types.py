"""The notation: how values of types that JSON lacks are written as JSON, and read again.

Theory of operation
===================

Two things are done, in a document that is marked (`documents`), and in no other:

* A value is an object with one key, which is ``$`` and the name of its type: ``{"$date": "2026-11-28"}``.
* An application's own dictionary that could be taken for that, because its only key begins with ``$``, has
  that key with one more ``$``: ``{"$$date": "…"}`` is ``{"$date": "…"}``.

In memory a value is either a Python value or, as long as nobody has looked at it, `Undecoded`: so a value
whose type is not known in this process disturbs no other, and is written back as it was read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Self

from .json_text import JSON_TYPES, SCALARS, canonical
from .standard_types import STANDARD, RefusedError, SessionType

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DEFAULT_TYPES",
    "SIGN",
    "UNCHANGING",
    "SessionTypes",
    "Undecoded",
    "UnknownNotationError",
    "uses_notation",
]

UNCHANGING: Final = SCALARS | {
    entry.kind for entry in STANDARD if entry.kind not in {tuple, set, frozenset}
}  # a tuple may hold a list, and both kinds of sets an application's own object
"""The types whose values nobody can change in place."""

SIGN: Final = '{"$'
"""Where this is not in a canonical text there is no notation in it, nor anything that looks like it."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

_FREEZEGUN: Final = "freezegun.api"
"""The module whose classes stand for those of `datetime` in an application's tests."""


class Undecoded:
    """A value as it is stored, as long as nobody has looked at it."""

    __slots__ = ("notation",)

    def __init__(self, notation: Any) -> None:
        self.notation = notation


class UnknownNotationError(Exception):
    """Raised where a stored value cannot be read.

    Attributes:
        name: The name of its type.
        reason: Why not.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason


class SessionTypes:
    """The types beyond JSON that sessions can hold: the standard ones, and the application's own.

    The standard ones are ``bytes``, ``date``, ``datetime``, ``Decimal``, ``frozenset``, ``set``, ``time``,
    ``timedelta``, ``tuple`` and ``UUID``.

    Attributes:
        accepts: Whether sessions accept new values of these types; stored ones can be read in any case.
    """

    __slots__ = ("_by_kind", "_by_name", "accepts")

    def __init__(self) -> None:
        self._by_kind: dict[type, SessionType] = {entry.kind: entry for entry in STANDARD}
        self._by_name: dict[str, SessionType] = {entry.name: entry for entry in STANDARD}
        self.accepts = True

    def add(
        self, name: str, kind: type, to_json: Callable[[Any], Any], from_json: Callable[[Any], Any]
    ) -> None:
        """Let sessions hold values of one more class.

        Args:
            name: What it is called in what is stored; never to be changed as long as there are such values.
            kind: The class. Its subclasses are not included.
            to_json: Makes JSON of a value, or anything else that a session can hold.
            from_json: Makes the value of that again. It gets what was stored, perhaps by an older release of
                the application.

        Raises:
            TypeError: `kind` is no class, `name` no text, or one of the others no function.
            ValueError: The name or the class is taken, or is none that could be registered.
        """
        if not isinstance(kind, type):
            raise TypeError(f"a session's type is a class, not a value of type {type(kind).__name__}")
        for function in (to_json, from_json):
            if not callable(function):
                raise TypeError(f"a session's type needs two functions, not a {type(function).__name__}")
        if not isinstance(name, str):
            raise TypeError(
                f"the name of a session's type is text, not a value of type {type(name).__name__}"
            )
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot be the name of a session's type: use letters, digits and underscores"
            )
        if kind in JSON_TYPES:
            raise ValueError(f"sessions hold {kind.__name__} as it is, which cannot be changed")
        if name in self._by_name:
            raise ValueError(f"sessions have a type of the name {name!r} already; give another name")
        if kind in self._by_kind:
            other = self._by_kind[kind].name
            raise ValueError(f"sessions hold {kind.__qualname__} already, under the name {other!r}")
        self._by_kind[kind] = self._by_name[name] = SessionType(name, kind, to_json, from_json)

    def held_back(self) -> Self:
        """Return the same types, those that are added later included, with new values of them refused."""
        types = object.__new__(type(self))
        types._by_kind, types._by_name, types.accepts = self._by_kind, self._by_name, False
        return types

    def of(self, kind: type) -> SessionType | None:
        """Return the type of a class; None: it is not registered."""
        entry = self._by_kind.get(kind)
        return self.of_base(kind) if entry is None and kind.__module__ == _FREEZEGUN else entry

    def of_base(self, kind: type) -> SessionType | None:
        """Return the type of a class or of its nearest base that is registered; None: there is none."""
        return next((self._by_kind[base] for base in kind.__mro__ if base in self._by_kind), None)

    def encode(self, value: Any) -> Any:
        """Return a value in the notation; lists and dictionaries without anything special may be the same.

        It is not checked against the rules of `Payload`.

        Raises:
            RefusedError: It has no notation.
        """
        kind = type(value)
        if kind in SCALARS:
            return value
        if kind is list:
            return value if SCALARS.issuperset(map(type, value)) else list(map(self.encode, value))
        if kind is dict:
            if not SCALARS.issuperset(map(type, value.values())):
                value = {key: self.encode(item) for key, item in value.items()}
            key = _only_key(value)
            return {f"${key}": value[key]} if key is not None and key.startswith("$") else value
        entry = self.of(kind)
        if entry is None:
            raise RefusedError(f"values of type {kind.__name__} cannot be stored")
        notation = self.encode(entry.to_json(value))
        if kind is set or kind is frozenset:
            # In one order, so that equal sets are equal texts.
            notation = sorted(notation, key=canonical)
        return {f"${entry.name}": notation}

    def decode(self, notation: Any) -> Any:
        """Return the value of a notation; lists and dictionaries are new ones.

        Raises:
            UnknownNotationError: There is a type in it that is not registered, or a text that its type
                cannot read.
        """
        kind = type(notation)
        if kind is list:
            plain = SCALARS.issuperset(map(type, notation))
            return notation.copy() if plain else list(map(self.decode, notation))
        if kind is not dict:
            return notation
        key = _only_key(notation)
        if key is None or not key.startswith("$"):
            return {key: self.decode(item) for key, item in notation.items()}
        value = self.decode(notation[key])
        return {key[1:]: value} if key.startswith("$$") else self._made(key[1:], value)

    def _made(self, name: str, value: Any) -> Any:
        entry = self._by_name.get(name)
        if entry is None:
            raise UnknownNotationError(name, "it is not registered here; register it with add_session_type")
        try:
            return entry.from_json(value)
        except Exception as error:  # noqa: BLE001 - the application's function
            kind = type(error).__name__
        # Not chained: what the error says may repeat the value.
        raise UnknownNotationError(name, f"what is stored cannot be read as one ({kind})")


DEFAULT_TYPES: Final = SessionTypes()
"""The standard types, for those who name no others; not to be added to."""


def _only_key(value: dict[str, Any]) -> str | None:
    if len(value) != 1:
        return None
    (key,) = value
    if type(key) is not str:
        raise RefusedError("a key is no text")
    return key


def uses_notation(notation: Any) -> bool:
    """Return whether there is a value beyond JSON in it, and not only what looks like one."""
    todo = [notation]
    for container in todo:  # which grows meanwhile
        if type(container) is dict:
            key = _only_key(container)
            if key is not None and key.startswith("$") and not key.startswith("$$"):
                return True
            todo += container.values()
        elif type(container) is list:
            todo += container
    return False
