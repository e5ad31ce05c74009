"""Copies of what a session holds."""

from __future__ import annotations

from typing import Any, TypeVar

from .session_types import DEFAULT_TYPES, UNCHANGING, SessionTypes, Undecoded

__all__ = ["clone"]

_T = TypeVar("_T")


def clone(value: _T, memo: dict[int, Any], types: SessionTypes = DEFAULT_TYPES) -> _T:
    """Return a copy whose containers are new, at every level, and so are objects of registered types.

    Unlike `copy.deepcopy` it copes with any depth of lists and dictionaries, and with what will be refused
    when the payload is serialized: that is shared.
    ``memo`` keeps one copy per container, as long as the caller keeps the originals alive.
    """
    if type(value) in UNCHANGING:
        return value
    todo: list[tuple[Any, Any]] = []

    def twin(item: Any) -> Any:
        kind = type(item)
        if kind in UNCHANGING or kind is frozenset or kind is Undecoded:
            return item
        copy = memo.get(id(item))
        if copy is None:
            if kind is list or kind is dict:
                copy = [] if kind is list else {}
                todo.append((item, copy))
            else:
                try:
                    copy = _copied(item)
                except Exception:  # noqa: BLE001 - an application's function; nor need it be a type of its own
                    copy = item
            memo[id(item)] = copy
        return copy

    def _copied(item: Any) -> Any:
        kind = type(item)
        if kind is set:
            return item.copy()
        return tuple(map(twin, item)) if kind is tuple else types.decode(types.encode(item))

    result = twin(value)
    while todo:
        source, target = todo.pop()
        if type(source) is list:
            target.extend(map(twin, source))
        else:
            for key, item in source.items():
                target[key] = twin(item)
    return result  # type: ignore[no-any-return]
