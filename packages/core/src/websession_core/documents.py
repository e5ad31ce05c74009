"""The documents that are stored, as JSON objects: whether one has the notation in it, and its text.

Theory of operation
===================

A document without values beyond JSON is plain JSON and nothing else. One with such values is *marked*, by one
more key at its top, and only in a marked document does the notation of `session_types` mean anything.

The mark is ``"$notation": 1e20``, a number that no session could ever hold otherwise: integers beyond
2**64-1 and floats from 1e16 on are refused. So no data from before there was a notation, whatever is in it,
is taken for a marked document; and neither is anything that an application puts into a session. All
engines give that number back, as an integer or as a float, and releases that do not know the notation open
such a document as well: they see the objects. The version of the notation is the number of times 1e20.
An application's own key of that name has, in a marked document, one more ``$``, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .errors import MalformedPayloadError, UnreadableValueError
from .json_text import canonical
from .session_types import SIGN, SessionTypes, UnknownNotationError, uses_notation
from .storable import render

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MARK", "composed", "document_text", "is_mark", "read_value", "unescaped"]

MARK: Final = "$notation"
"""The key that marks a document."""

_UNIT: Final = 1e20
"""Of the mark's value, for each version of the notation."""


def is_mark(value: Any) -> bool:
    """Return whether the value under the key `MARK` marks a document.

    Raises:
        MalformedPayloadError: It is one of a notation that this release does not know.
    """
    if type(value) is list and len(value) == 1:  # in flash queues
        (value,) = value
    if (type(value) is not int and type(value) is not float) or value < _UNIT:
        return False
    if value != _UNIT:
        raise MalformedPayloadError(
            "the stored session cannot be read: "
            f"it is written in a notation of version {value / _UNIT:g}, by a newer release"
        )
    return True


def unescaped(key: str) -> str:
    """Return a document's own key, given the one of a marked document."""
    return key[1:] if _looks_like_mark(key) else key


def _looks_like_mark(key: str) -> bool:
    return key.endswith(MARK) and key.lstrip("$") == MARK[1:]


def _escaped(key: str) -> str:
    return f"${key}" if _looks_like_mark(key) else key


def read_value(notation: Any, path: tuple[str | int, ...], types: SessionTypes) -> Any:
    """Return the value of a notation; lists and dictionaries are new ones.

    Raises:
        UnreadableValueError: It cannot be read. The message names the path.
    """
    try:
        return types.decode(notation)
    except UnknownNotationError as error:
        name, reason = error.name, error.reason
    except RecursionError:
        name, reason = "notation", "it is nested too deeply"
    raise UnreadableValueError(render(path), name, reason)


def composed(data: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """Return the canonical text of a document, of which some values' texts are given."""
    parts = [
        f"{canonical(key)}:{texts[key] if key in texts else canonical(data[key])}" for key in sorted(data)
    ]
    return f"{{{','.join(parts)}}}"


def document_text(notations: Mapping[str, Any], types: SessionTypes, *, as_list: bool) -> str:
    """Return the canonical text of a document; marked, if that is needed.

    Args:
        notations: Its values in the notation.
        types: The types beyond JSON.
        as_list: Whether the mark is in a list, as all values of flash queues are.
    """
    text = canonical(notations)
    if SIGN not in text:
        return text
    if SIGN in text[1:] and any(map(uses_notation, notations.values())):
        document = {_escaped(key): value for key, value in notations.items()}
        return canonical({**document, MARK: [_UNIT] if as_list else _UNIT})
    # What only looks like it is stored as it is.
    return canonical({key: types.decode(value) for key, value in notations.items()})
