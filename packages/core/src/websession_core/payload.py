"""What a web session holds: a JSON mapping that knows whether it changed, and the flash queues.

Theory of operation
===================

A session is loaded as text and stored as text. In between an application uses it as a plain
dictionary of plain values, nested ones included, and never says that it changed something::

    session["cart"]["apples"] += 1

So a change has to be found, without comparing everything with everything: most requests read one
or two small values of a payload that may have tens of kilobytes. Two observations carry this:

* A nested value can only change if code got hold of it, and all code gets it through us. When
  a list or a dictionary is handed out for the first time, its serialized form is kept; so is that
  of the old value when a key is set or deleted. ``originals`` holds these, once per key, and only
  these keys can differ from what was loaded. Scalars that are read cost nothing: nobody can change
  them in place.
* Equality is decided on the serialized form, never with ``==``, to which ``1``, ``1.0`` and
  ``True`` are the same. Assigning the same value again is no change.

Values are checked against what **every** supported database gives back unchanged (`storable`), so that
a session behaves alike on all of them: on assignment, and for what was changed in place when the
payload is serialized.

What is handed out stays tracked for the life of the object: an alias may outlive a write
(``rebase``), because a transaction may go on after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, Protocol, Self, TypeAlias, TypeVar, overload

from .errors import MalformedPayloadError
from .storable import MAX_DEPTH, require_storable, require_storable_key

__all__ = ["MAX_DEPTH", "FlashQueues", "Payload", "Snapshot", "dumps", "loads"]

_T = TypeVar("_T")
_V_co = TypeVar("_V_co", covariant=True)


class _SupportsKeysAndGetItem(Protocol[_V_co]):
    """What ``dict.update`` takes for a mapping."""

    def keys(self) -> Iterable[str]: ...

    def __getitem__(self, key: str, /) -> _V_co: ...


_Form: TypeAlias = str | None
"""A value's serialized form; MISSING if there is no value, None if it has no such form."""

_MISSING: Final = ""  # no JSON text is empty

# --- text ---------------------------------------------------------------------------------------

_canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode
# For comparing only. It lets NaN pass: what must not be stored can still have changed or not.
_comparable = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=True
).encode


def dumps(value: Any) -> str:
    """Return the canonical JSON text of a value: compact, keys sorted, in Unicode.

    Equal texts are what "unchanged" means. The value is not checked against the rules of
    `Payload`.

    Raises:
        TypeError: JSON has no such type.
        ValueError: A NaN, an infinity, or a container inside itself.
    """
    return _canonical(value)


_by_key = itemgetter(0)


def _sorted_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    pairs.sort(key=_by_key)
    return dict(pairs)


# Made once: `json.loads` makes a new decoder at each call that names a hook.
_decode_as_it_is = json.JSONDecoder().decode
_decode_sorted = json.JSONDecoder(object_pairs_hook=_sorted_dict).decode


def _put_in_order(value: Any) -> None:
    """Sort the keys of every object in a decoded value, in place; without recursion, however deep it is."""
    todo = [value]
    while todo:
        container = todo.pop()
        items: Iterable[Any] = container
        if type(container) is dict:
            pairs = sorted(container.items(), key=_by_key)
            container.clear()
            container.update(pairs)
            items = container.values()
        todo += [item for item in items if type(item) is dict or type(item) is list]


def loads(text: str, *, reorder: bool = False) -> Any:
    """Return the value of a JSON text.

    Args:
        text: JSON, as `dumps` or a database's JSON column gives it.
        reorder: Sort the keys of every object. PostgreSQL's JSONB and MySQL's JSON give keys back
            in an order of their own; sorted, mappings look the same from every database, just
            as `dumps` writes them.

    Raises:
        MalformedPayloadError: It is not JSON. The message shows nothing of it.
    """
    try:
        return _decode_sorted(text) if reorder else _decode_as_it_is(text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else "it is not JSON"
    # Not chained: json's error carries the whole text, which is a session's data.
    raise MalformedPayloadError(f"the stored session cannot be read: {reason}")


def _fingerprint(value: Any) -> str | None:
    """Return the text to compare by; None if there is none, which equals nothing."""
    try:
        return _comparable(value)
    except (TypeError, ValueError, RecursionError):
        return None


# --- copies -------------------------------------------------------------------------------------


def _clone(value: _T, memo: dict[int, Any]) -> _T:
    """Return a copy whose lists and dictionaries are new, at every level.

    Unlike `copy.deepcopy` it neither recurses nor calls anybody's code: a payload may at this
    moment hold what will be refused when it is serialized. Such values are shared.
    ``memo`` keeps one copy per container, as long as the caller keeps the originals alive.
    """
    if type(value) is not list and type(value) is not dict:
        return value
    todo: list[tuple[Any, Any]] = []

    def twin(item: Any) -> Any:
        if type(item) is not list and type(item) is not dict:
            return item
        copy = memo.get(id(item))
        if copy is None:
            copy = memo[id(item)] = [] if type(item) is list else {}
            todo.append((item, copy))
        return copy

    result = twin(value)
    while todo:
        source, target = todo.pop()
        if type(source) is list:
            target.extend(map(twin, source))
        else:
            for key, item in source.items():
                target[key] = twin(item)
    return result  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment in the life of a `Payload` or of `FlashQueues`, for its ``restore``.

    Opaque: what is inside is not part of the interface.
    """

    _text: str = field(repr=False)
    _keys: tuple[str, ...] | None = field(repr=False)
    _values: dict[str, Any] = field(repr=False)
    _originals: dict[str, _Form] = field(repr=False)
    _forced: bool = field(repr=False)


# --- tracking -----------------------------------------------------------------------------------


class _Tracked:
    """A JSON object that is loaded as text, decoded on first use, and knows whether it changed."""

    __slots__ = ("_data", "_forced", "_loaded", "_originals", "_reorder", "_serialized", "_text")

    def __init__(self, text: str | None = None, *, reorder: bool = False) -> None:
        self._loaded: Final[str] = "{}" if text is None else text
        self._reorder: Final[bool] = reorder
        # What the database holds as far as we know; `rebase` moves it on, `reset` back.
        self._text = self._loaded
        self._data: dict[str, Any] | None = None
        # Per key that may differ from the text: its serialized form there. None: it had none.
        self._originals: dict[str, _Form] = {}
        self._forced = False
        # The last text handed out to be stored, with the forms of the containers above at that moment; None
        # once a key was set or removed since.
        self._serialized: tuple[str, dict[str, _Form]] | None = None

    def _decode(self) -> dict[str, Any]:
        self._data = self._parse(self._text)
        return self._data

    def _parse(self, text: str) -> dict[str, Any]:
        if text == "{}":
            return {}
        data = loads(text)
        if type(data) is not dict:
            raise MalformedPayloadError("the stored session cannot be read: it is not a JSON object")
        # What is in its values is put in order when it is handed out, if it ever is.
        return dict(sorted(data.items(), key=_by_key)) if self._reorder else data

    def _track(self, key: str) -> None:
        """Keep the serialized form of a key's value, before it can change for the first time."""
        self._serialized = None
        if key not in self._originals:
            data = self._decode() if self._data is None else self._data
            self._originals[key] = _fingerprint(data[key]) if key in data else _MISSING

    def _differs(self) -> bool:
        data = self._data
        if data is None:
            return False
        for key, original in self._originals.items():
            if (key in data) is (original == _MISSING):
                return True
            if key in data:
                form = _fingerprint(data[key])
                # None is the form of what has none, and is never the same as anything.
                if form is None or form != original:
                    return True
        return False

    @property
    def is_changed(self) -> bool:
        """Whether the contents differ from what was loaded or last stored.

        Costs the serialization of the values that were handed out or set, not of everything.
        """
        # Asked at every step of every commit, and mostly nothing was handed out.
        return self._forced or bool(self._originals and self._differs())

    def mark_changed(self) -> None:
        """Let it be stored, whether it changed or not."""
        self._forced = True

    def serialize(self) -> str:
        """Return the text to store: the canonical JSON of everything, or the loaded one if nothing changed.

        Raises:
            UnstorableValueError: A nested value was changed into something that cannot be stored.
        """
        text = self.serialize_changed()
        return self._text if text is None else text

    def serialize_changed(self) -> str | None:
        """Return the text to store, None if nothing changed: `is_changed` and `serialize` in one.

        Raises:
            UnstorableValueError: A nested value was changed into something that cannot be stored.
        """
        # The second part is `is_changed`, which costs more to ask.
        if not self._forced and not (self._originals and self._differs()):
            return None
        data = self._decode() if self._data is None else self._data
        forms: dict[str, _Form] = {}
        for key in self._originals:
            value = data.get(key)
            # Everything else was checked when it was set, and cannot change in place.
            if type(value) is dict or type(value) is list:
                require_storable(value, (key,), 2)
                forms[key] = _fingerprint(value)
        text = dumps(data)
        self._serialized = (text, forms)
        return text

    def rebase(self, text: str) -> None:
        """Record that ``text``, which `serialize` returned, has been stored.

        From now on a change is one against it. Values handed out before stay tracked: what is changed
        through them after `serialize` is found.
        """
        data, originals = self._data, self._originals
        if data is not None:
            if self._serialized is not None and self._serialized[0] == text:
                # No key was set since, so only what is in a container may have changed, or may change yet.
                # One that was first handed out after `serialize` keeps the form that it had then.
                forms = self._serialized[1]
                self._originals = {
                    key: forms.get(key, original)
                    for key, original in originals.items()
                    if type(data.get(key)) is dict or type(data.get(key)) is list
                }
            else:
                stored_data = self._parse(text)
                for key in originals:
                    originals[key] = _fingerprint(stored_data[key]) if key in stored_data else _MISSING
        self._text = text
        self._forced = False
        self._serialized = None

    def reset(self) -> None:
        """Go back to the contents as loaded, whatever was stored since: for a rollback.

        Values handed out before are no longer part of it; take them out again.
        """
        self._text = self._loaded
        self._data = None
        self._originals = {}
        self._forced = False
        self._serialized = None

    def snapshot(self) -> Snapshot:
        """Return this moment's contents, and what counts as a change of them: for a savepoint.

        Costs a copy of the values that were handed out or set, not of everything.
        """
        data = self._data
        if data is None:
            return Snapshot(self._text, None, {}, {}, self._forced)
        memo: dict[int, Any] = {}
        values = {key: _clone(data[key], memo) for key in self._originals if key in data}
        return Snapshot(self._text, tuple(data), values, dict(self._originals), self._forced)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a moment of this object, as often as wanted.

        Values handed out before are no longer part of it; take them out again.
        """
        self._text = snapshot._text
        self._originals = dict(snapshot._originals)
        self._forced = snapshot._forced
        self._serialized = None
        self._data = None
        if snapshot._keys is not None:
            base = self._parse(snapshot._text)
            # No code had hold of the other values then, so they are what the text says.
            memo: dict[int, Any] = {}
            base.update({key: _clone(value, memo) for key, value in snapshot._values.items()})
            self._data = {key: base[key] for key in snapshot._keys}


# --- the two documents --------------------------------------------------------------------------


class Payload(_Tracked, MutableMapping[str, Any]):
    """The data of one web session: a dictionary of JSON values that knows whether it changed.

    Values are exactly ``str``, ``int``, ``float``, ``bool``, ``None``, and ``list`` and ``dict`` made
    of these; keys are ``str``. What cannot be stored in one of the supported databases, or would come
    back changed, is refused with `UnstorableValueError` when it is assigned, and then nothing is
    changed, not even by an ``update`` with many keys. What is changed in place (``payload["cart"]["apples"]
    = 3``) is found without a call, and checked by `serialize`.

    Not safe for concurrent use by several threads.

    Args:
        text: The stored text, a JSON object; None for a new, empty payload. It is decoded on first
            use, which raises `MalformedPayloadError` if it is none.
        reorder: The database does not keep the order of keys; see `loads`. Without it the keys of every
            object must come in the order in which `dumps` wrote them.
    """

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        data = self._data
        if data is None:
            data = self._decode()
        value = data[key]
        if (type(value) is dict or type(value) is list) and key not in self._originals:
            if self._reorder:
                _put_in_order(value)
            self._originals[key] = _fingerprint(value)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        require_storable_key(key, "the session")
        require_storable(value, (key,), 2)
        self._put(key, value)

    def _put(self, key: str, value: Any) -> None:
        data = self._decode() if self._data is None else self._data
        self._track(key)
        data[key] = value

    def __delitem__(self, key: str) -> None:
        data = self._decode() if self._data is None else self._data
        if key not in data:
            raise KeyError(key)
        self._track(key)
        del data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decode() if self._data is None else self._data)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._decode() if self._data is None else self._data)

    def __len__(self) -> int:
        return len(self._decode() if self._data is None else self._data)

    def __contains__(self, key: object) -> bool:
        return key in (self._decode() if self._data is None else self._data)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        mine = self._decode() if self._data is None else self._data
        if isinstance(other, Payload):
            return mine == (other._decode() if other._data is None else other._data)
        return mine == dict(other.items())

    # As for every mutable mapping.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # Neither values nor names of keys: a repr ends up in logs. And it must not fail.
        if self._data is None:
            return f"<{type(self).__name__}: not read yet>"
        return f"<{type(self).__name__}: {len(self._data)} {'key' if len(self._data) == 1 else 'keys'}>"

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self.copy() | dict(other)

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(other) | self.copy()

    def __ior__(self, other: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Self:
        self.update(other)
        return self

    def copy(self) -> dict[str, Any]:
        """Return a plain dictionary that shares nothing with the payload, at any depth."""
        data = self._decode() if self._data is None else self._data
        if self._reorder:
            _put_in_order([value for key, value in data.items() if key not in self._originals])
        return _clone(data, {})

    def clear(self) -> None:
        """Remove every key."""
        data = self._decode() if self._data is None else self._data
        for key in data:
            self._track(key)
        data.clear()

    def popitem(self) -> tuple[str, Any]:
        """Remove the key that was added last and return it with its value.

        Raises:
            KeyError: It is empty.
        """
        key = next(reversed(self), None)
        if key is None:
            raise KeyError("popitem(): the session is empty")
        return key, self.pop(key)

    @overload
    def update(self, other: _SupportsKeysAndGetItem[Any], /, **values: Any) -> None: ...
    @overload
    def update(self, other: Iterable[tuple[str, Any]] = ..., /, **values: Any) -> None: ...
    def update(self, other: Any = (), /, **values: Any) -> None:
        """Set many keys, or none: one value that is refused leaves everything as it was.

        Raises:
            UnstorableValueError: One of the values or keys is refused.
        """
        pairs: list[tuple[Any, Any]]
        if hasattr(other, "keys"):
            pairs = [(key, other[key]) for key in other.keys()]  # noqa: SIM118 - as dict.update does
        else:
            pairs = [(key, value) for key, value in other]
        pairs.extend(values.items())
        for key, value in pairs:
            require_storable_key(key, "the session")
            require_storable(value, (key,), 2)
        for key, value in pairs:
            self._put(key, value)


class FlashQueues(_Tracked):
    """Messages that wait until they are shown, in named queues, apart from a session's data.

    Not safe for concurrent use by several threads.

    Args:
        text: The stored text, a JSON object of lists; None for no messages. It is decoded on first
            use, which raises `MalformedPayloadError` if it is none.
        reorder: The database does not keep the order of keys; see `loads`. Without it the keys of every
            object must come in the order in which `dumps` wrote them.
    """

    __slots__ = ()

    def _parse(self, text: str) -> dict[str, Any]:
        data = super()._parse(text)
        if not all(type(queue) is list for queue in data.values()):
            raise MalformedPayloadError("the stored flash messages cannot be read: a queue is not a list")
        if self._reorder:
            _put_in_order(data)
        return data

    def push(self, message: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Add a message to the end of a queue.

        Args:
            message: What a `Payload` may hold, of which a copy is kept. A subclass of ``str``
                (a translation string, markup) is kept as plain text.
            queue: The queue's name.
            allow_duplicate: If false, a message that is already in the queue is not added again.

        Raises:
            UnstorableValueError: The message or the name of the queue cannot be stored.
        """
        if isinstance(message, str):
            # Not str(message), which an enumeration or a lazy translation may answer differently.
            message = str.__str__(message)
        require_storable_key(queue, "the flash queues")
        # The message is inside a list inside the document.
        require_storable(message, ("message",), 3)
        data = self._decode() if self._data is None else self._data
        if not allow_duplicate and queue in data:
            form = _fingerprint(message)
            if any(form == _fingerprint(present) for present in data[queue]):
                return
        self._track(queue)
        data.setdefault(queue, []).append(_clone(message, {}))

    def pop(self, queue: str = "") -> list[Any]:
        """Remove a queue and return its messages, oldest first; an empty list if there are none."""
        data = self._decode() if self._data is None else self._data
        if not data.get(queue):
            return []
        self._track(queue)
        messages: list[Any] = data.pop(queue)
        return messages

    def peek(self, queue: str = "") -> list[Any]:
        """Return copies of a queue's messages, oldest first, and leave it as it is."""
        data = self._decode() if self._data is None else self._data
        messages: list[Any] = _clone(data.get(queue, []), {})
        return messages

    @property
    def is_empty(self) -> bool:
        """Whether there is no message in any queue."""
        data = self._decode() if self._data is None else self._data
        return not any(data.values())

    def __repr__(self) -> str:
        if self._data is None:
            return f"<{type(self).__name__}: not read yet>"
        count = sum(map(len, self._data.values()))
        return f"<{type(self).__name__}: {count} {'message' if count == 1 else 'messages'}>"
