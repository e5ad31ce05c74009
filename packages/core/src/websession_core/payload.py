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

Large values must not cost much more than their JSON does. So of a large value that is exactly JSON's its
image is kept in place of its form: `marshal` makes it in a seventh of the time. Equal images are images of
equal values, of the same types. The images of equal values may differ, by the order of a dictionary's
keys and by what else refers to a text: then the forms decide, if Python itself calls the two values equal.
(Values that have equal forms, and no NaN, are equal to Python as well.) What was seen of a value that has one
image is true as long as it has it (``sights``): it is checked, serialized and compared once.

Values are checked against what **every** supported database gives back unchanged (`storable`), so that
a session behaves alike on all of them: on assignment, and for what was changed in place when the
payload is serialized. How values of types that JSON lacks are written is told in `session_types`; a value's
serialized form is in that notation, whatever else is in the document.

What is handed out stays tracked for the life of the object: an alias may outlive a write
(``rebase``), because a transaction may go on after it.
"""

from __future__ import annotations

import json
import marshal
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from itertools import chain
from math import inf
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol, Self, TypeAlias, TypeVar, overload

from .errors import MalformedPayloadError, UnreadableValueError, UnstorableValueError
from .session_types import (
    DEFAULT_TYPES,
    JSON_TYPES,
    MARK,
    SCALARS,
    SIGN,
    UNCHANGING,
    SessionTypes,
    Undecoded,
    UnknownNotationError,
    canonical,
    escaped,
    is_json,
    is_mark,
    mark,
    unescaped,
    uses_notation,
)
from .standard_types import RefusedError
from .storable import MAX_DEPTH, plain_text, render, require_storable, require_storable_key, those_of

__all__ = ["MAX_DEPTH", "FlashQueues", "Payload", "Snapshot", "dumps", "loads"]

_T = TypeVar("_T")
_V_co = TypeVar("_V_co", covariant=True)


class _SupportsKeysAndGetItem(Protocol[_V_co]):
    """What ``dict.update`` takes for a mapping."""

    def keys(self) -> Iterable[str]: ...

    def __getitem__(self, key: str, /) -> _V_co: ...


_Form: TypeAlias = str | None
"""A value's serialized form; MISSING if there is no value, None if it has no such form."""

_Original: TypeAlias = str | bytes | None
"""A value's form or, of a large one that is exactly JSON's, its image."""

_MISSING: Final = ""  # no JSON text is empty

_IMAGE_VERSION: Final = 4
"""Of marshal: the fastest one."""

_LARGE: Final = 1_000
"""Bytes of an image: smaller values take less time without one."""

# --- text ---------------------------------------------------------------------------------------

# For comparing only. It lets NaN pass: what must not be stored can still have changed or not.
_comparable = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=True
).encode
_strict = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def dumps(value: Any) -> str:
    """Return the canonical JSON text of a value: compact, keys sorted, in Unicode.

    Equal texts are what "unchanged" means. The value is not checked against the rules of
    `Payload`.

    Raises:
        TypeError: JSON has no such type.
        ValueError: A NaN, an infinity, or a container inside itself.
    """
    return _strict(value)


_by_key = itemgetter(0)


def _sorted_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    pairs.sort(key=_by_key)
    return dict(pairs)


# Made once: `json.loads` makes a new decoder at each call that names a hook.
_decode_as_it_is = json.JSONDecoder().decode
_decode_sorted = json.JSONDecoder(object_pairs_hook=_sorted_dict).decode


def _put_in_order(value: Any) -> None:
    """Sort the keys of every object in a decoded value, in place; without recursion, however deep it is."""
    # Of many objects with the same keys these are sorted once.
    orders: dict[tuple[str, ...], tuple[str, ...]] = {}
    values = [value]
    while not SCALARS.issuperset(kinds := set(map(type, values))):
        lists, dictionaries = those_of(list, kinds, values), those_of(dict, kinds, values)
        for dictionary in dictionaries:
            keys = tuple(dictionary)
            order = orders.get(keys)
            if order is None:
                order = orders[keys] = tuple(sorted(keys))
            if order != keys:
                copy = dictionary.copy()
                dictionary.clear()
                for key in order:
                    dictionary[key] = copy[key]
        values = [*chain.from_iterable(map(dict.values, dictionaries)), *chain.from_iterable(lists)]


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


def _plain_form(value: Any) -> str | None:
    """Return the form of a value that is exactly JSON's; None if there is none, which equals nothing."""
    try:
        return _comparable(value)
    except (TypeError, ValueError, RecursionError):
        return None


def _image(value: Any) -> bytes:
    """Return what a value looks like; empty if it looks like nothing, as one that holds a date does."""
    try:
        return marshal.dumps(value, _IMAGE_VERSION)
    except ValueError:
        return b""


# --- copies -------------------------------------------------------------------------------------


def _clone(value: _T, memo: dict[int, Any], types: SessionTypes = DEFAULT_TYPES) -> _T:
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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment in the life of a `Payload` or of `FlashQueues`, for its ``restore``.

    Opaque: what is inside is not part of the interface.
    """

    _text: str = field(repr=False)
    _keys: tuple[str, ...] | None = field(repr=False)
    _values: dict[str, Any] = field(repr=False)
    _originals: dict[str, _Original] = field(repr=False)
    _forced: bool = field(repr=False)


# --- tracking -----------------------------------------------------------------------------------


class _Sight(NamedTuple):
    """What was seen of a value that code has hold of.

    Attributes:
        image: What it looked like then.
        is_original: Whether it was the same as in the text.
        form: Its form.
        is_plain: Whether it is large, exactly JSON's and may be stored.
    """

    image: bytes
    is_original: bool
    form: _Form
    is_plain: bool


class _Tracked(ABC):
    """A JSON object that is loaded as text, decoded on first use, and knows whether it changed."""

    __slots__ = (
        "_data",
        "_forced",
        "_limit",
        "_loaded",
        "_originals",
        "_reorder",
        "_serialized",
        "_sights",
        "_tally",
        "_text",
        "_types",
    )

    # Whether everything is in the notation, in memory, too.
    _in_notation = False
    # For contents of which nothing is known.
    _unknown_tally: Any = None

    def __init__(
        self,
        text: str | None = None,
        *,
        reorder: bool = False,
        types: SessionTypes = DEFAULT_TYPES,
        limit: int = 0,
    ) -> None:
        self._loaded: Final[str] = "{}" if text is None else text
        self._reorder: Final[bool] = reorder
        self._types: Final[SessionTypes] = types
        self._limit: Final[int] = limit
        # What helps to keep the limit; None: not counted yet.
        self._tally: Any = None
        # What the database holds as far as we know; `rebase` moves it on, `reset` back.
        self._text = self._loaded
        self._data: dict[str, Any] | None = None
        # Per key that may differ from the text: what it is there.
        self._originals: dict[str, _Original] = {}
        # Of those whose values are containers: what was seen last.
        self._sights: dict[str, _Sight] = {}
        self._forced = False
        # The last text handed out to be stored, with what the containers above were at that moment; None
        # once a key was set or removed since.
        self._serialized: tuple[str, dict[str, _Original]] | None = None

    def _decode(self) -> dict[str, Any]:
        self._data = self._parse(self._text)
        return self._data

    def _parse(self, text: str) -> dict[str, Any]:
        if text == "{}":
            return {}
        data = loads(text)
        if type(data) is not dict:
            raise MalformedPayloadError("the stored session cannot be read: it is not a JSON object")
        marked = MARK in data and self._is_marked(data[MARK])
        if marked:
            del data[MARK]
            data = {unescaped(key): value for key, value in data.items()}
        # What is in its values is put in order when it is handed out, if it ever is.
        data = dict(sorted(data.items(), key=_by_key)) if self._reorder or marked else data
        return self._noted(data, text, marked=marked) if marked or self._in_notation else data

    @staticmethod
    def _is_marked(value: Any) -> bool:
        try:
            return is_mark(value)
        except UnknownNotationError as error:
            reason = error.reason
        raise MalformedPayloadError(f"the stored session cannot be read: {reason}, by a newer release")

    @abstractmethod
    def _noted(self, data: dict[str, Any], text: str, *, marked: bool) -> dict[str, Any]:
        """Return the values of a document as they are in memory, which still says what the notation is."""

    @abstractmethod
    def _form(self, value: Any) -> str | None:
        """Return the serialized form of a value as it is in memory."""

    @abstractmethod
    def _stored_form(self, value: Any) -> str | None:
        """Return the serialized form of a value as `_parse` has left it."""

    @abstractmethod
    def _text_of(self, data: dict[str, Any], forms: Mapping[str, _Form], texts: Mapping[str, str]) -> str:
        """Return the canonical text of everything.

        Args:
            data: All of it.
            forms: The forms of what code has had hold of; those of large values that are exactly JSON's, and
                have not changed, may be left out.
            texts: The canonical texts of some values.
        """

    def _track(self, key: str) -> None:
        """Keep what a key's value is, before it can change for the first time."""
        self._serialized = None
        if key not in self._originals:
            data = self._decode() if self._data is None else self._data
            if key not in data:
                self._originals[key] = _MISSING
                return
            value = data[key]
            # The form of a scalar is its text, whatever is in it.
            self._originals[key] = _comparable(value) if type(value) in SCALARS else self._original(value)

    def _original(self, value: Any) -> _Original:
        """Return what tells later whether a value has changed that `_parse` has left."""
        if type(value) is list or type(value) is dict:
            image = _image(value)
            if len(image) > _LARGE:
                return image
        return self._stored_form(value)

    def _see(self, key: str, value: Any) -> _Sight | None:
        """Return what is seen of a container that may have changed in place; None: it is as in the text.

        Asked several times in a request, and mostly of what has not changed since the last time.
        """
        try:
            image = marshal.dumps(value, _IMAGE_VERSION)  # as _image() does, without a call
        except ValueError:
            image = b""
        original = self._originals[key]
        if image and image == original:
            return None
        sight = self._sights.get(key)
        if sight is not None and image and image == sight.image:
            return sight
        text = plain_text(value, 2, image) if len(image) > _LARGE else None
        sight = self._sights[key] = self._sight(key, value, image, text)
        return sight

    def _sight(self, key: str, value: Any, image: bytes, text: str | None) -> _Sight:
        """Return what is seen of a container.

        Args:
            key: Its key.
            value: The container.
            image: What it looks like.
            text: Its canonical text, if it is exactly JSON's and may be stored.
        """
        original = self._originals[key]
        # Of the two searches the first takes much less time.
        form = self._form(value) if text is None or ("$" in text and SIGN in text) else text
        if type(original) is bytes:
            before = marshal.loads(original)  # noqa: S302 - made by us, from what was JSON
            # What is exactly JSON's, with no NaN in it, is equal to what has the same form.
            original = self._form(before) if text is None or before == value else _MISSING
        # None is the form of what has none, and is never the same as anything.
        return _Sight(image, form is not None and form == original, form, text is not None)

    def _differs(self) -> bool:
        data = self._data
        if data is None:
            return False
        for key, original in self._originals.items():
            if (key in data) is (original == _MISSING):
                return True
            if key in data:
                value = data[key]
                if type(value) in UNCHANGING:
                    if type(original) is bytes or self._form(value) != original:
                        return True
                elif (sight := self._see(key, value)) is not None and not sight.is_original:
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
        if not (self._forced or self._originals):
            return None
        data = self._decode() if self._data is None else self._data
        forms: dict[str, _Form] = {}
        texts: dict[str, str] = {}
        originals: dict[str, _Original] = {}
        changed = self._forced
        for key, original in self._originals.items():
            if key not in data:
                changed = changed or original != _MISSING
                continue
            value = data[key]
            if type(value) in SCALARS and (type(original) is bytes or original == _MISSING):
                changed = True
                continue
            if type(value) in UNCHANGING:
                forms[key] = form = self._form(value)
                changed = changed or type(original) is bytes or form != original
                continue
            sight = self._see(key, value)
            if sight is None:
                continue
            forms[key] = sight.form
            originals[key] = sight.image if sight.is_plain else sight.form
            if sight.is_plain and sight.form is not None:
                texts[key] = sight.form
            if not sight.is_original:
                changed = True
                # Everything else was checked when it was set, and cannot change in place.
                if not (sight.is_plain or self._in_notation):
                    require_storable(value, (key,), 2, self._types)
        if not changed:
            return None
        text = self._text_of(data, forms, texts)
        # Of a character there are four bytes at the most.
        if self._limit and len(text) > self._limit // 4:
            self._require_size(text, forms)
        self._serialized = (text, originals)
        return text

    @abstractmethod
    def _require_size(self, text: str, forms: Mapping[str, _Form]) -> None:
        """Refuse a text that has become too large."""

    def rebase(self, text: str) -> None:
        """Record that ``text``, which `serialize` returned, has been stored.

        From now on a change is one against it. Values handed out before stay tracked: what is changed
        through them after `serialize` is found.
        """
        data, originals = self._data, self._originals
        if data is not None:
            if self._serialized is not None and self._serialized[0] == text:
                # No key was set since, so only what is in a container may have changed, or may change yet.
                # One that has not changed, or was first handed out after `serialize`, is what it was then.
                stored = self._serialized[1]
                self._originals = {
                    key: stored.get(key, original)
                    for key, original in originals.items()
                    if type(data.get(key)) not in UNCHANGING
                }
            else:
                stored_data = self._parse(text)
                for key in originals:
                    originals[key] = self._original(stored_data[key]) if key in stored_data else _MISSING
        self._text = text
        self._sights = {}
        self._forced = False
        self._serialized = None

    def reset(self) -> None:
        """Go back to the contents as loaded, whatever was stored since: for a rollback.

        Values handed out before are no longer part of it; take them out again.
        """
        self._text = self._loaded
        self._data = None
        self._originals = {}
        self._sights = {}
        self._forced = False
        self._serialized = None
        self._tally = None

    def snapshot(self) -> Snapshot:
        """Return this moment's contents, and what counts as a change of them: for a savepoint.

        Costs a copy of the values that were handed out or set, not of everything.
        """
        data = self._data
        if data is None:
            return Snapshot(self._text, None, {}, {}, self._forced)
        memo: dict[int, Any] = {}
        values = {key: _clone(data[key], memo, self._types) for key in self._originals if key in data}
        return Snapshot(self._text, tuple(data), values, dict(self._originals), self._forced)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a moment of this object, as often as wanted.

        Values handed out before are no longer part of it; take them out again.
        """
        self._text = snapshot._text
        self._originals = dict(snapshot._originals)
        self._sights = {}
        self._forced = snapshot._forced
        self._serialized = None
        self._tally = self._unknown_tally
        self._data = None
        if snapshot._keys is not None:
            base = self._parse(snapshot._text)
            # No code had hold of the other values then, so they are what the text says.
            memo: dict[int, Any] = {}
            base.update({key: _clone(value, memo, self._types) for key, value in snapshot._values.items()})
            self._data = {key: base[key] for key in snapshot._keys}


# --- the two documents --------------------------------------------------------------------------


def _read_notation(notation: Any, path: tuple[str | int, ...], types: SessionTypes) -> Any:
    try:
        return types.decode(notation)
    except UnknownNotationError as error:
        name, reason = error.name, error.reason
    except RecursionError:
        name, reason = "notation", "it is nested too deeply"
    raise UnreadableValueError(render(path), name, reason)


def _composed(data: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """Return the canonical text of a document, of which some values' texts are given."""
    parts = [
        f"{canonical(key)}:{texts[key] if key in texts else canonical(data[key])}" for key in sorted(data)
    ]
    return f"{{{','.join(parts)}}}"


def _document(notations: Mapping[str, Any], types: SessionTypes, *, as_list: bool) -> str:
    """Return the text of a document whose values are given in the notation; marked, if that is needed."""
    text = canonical(notations)
    if SIGN not in text:
        return text
    if SIGN in text[1:] and any(map(uses_notation, notations.values())):
        document = {escaped(key): value for key, value in notations.items()}
        return canonical({**document, MARK: mark(as_list=as_list)})
    # What only looks like it is stored as it is.
    return canonical({key: types.decode(value) for key, value in notations.items()})


class Payload(_Tracked, MutableMapping[str, Any]):
    """The data of one web session: a dictionary that knows whether it changed.

    Values are ``str``, ``int``, ``float``, ``bool``, ``None``, ``list`` and ``dict``, as in JSON, and those
    of `SessionTypes`, always exactly of these types; keys are ``str``. What cannot be stored in one of the
    supported databases, or would come back changed, is refused with `UnstorableValueError` when it is
    assigned, and then nothing is changed, not even by an ``update`` with many keys. What is changed in place
    (``payload["cart"]["apples"] = 3``) is found without a call, and checked by `serialize`.

    A stored value whose type is not registered raises `UnreadableValueError` when it is taken out, and
    disturbs nothing else.

    Not safe for concurrent use by several threads.

    Args:
        text: The stored text, a JSON object; None for a new, empty payload. It is decoded on first
            use, which raises `MalformedPayloadError` if it is none.
        reorder: The database does not keep the order of keys; see `loads`. Without it the keys of every
            object must come in the order in which `dumps` wrote them.
        types: The types beyond JSON.
        limit: How many bytes the text may take, in UTF-8; 0: any number. One that takes more already may not
            become larger than it is stored.
    """

    __slots__ = ()

    # At most so many bytes are taken by what was loaded and what was assigned since.
    _unknown_tally = inf

    def __getitem__(self, key: str) -> Any:
        data = self._data
        if data is None:
            data = self._decode()
        value = data[key]
        kind = type(value)
        if kind not in UNCHANGING and key not in self._originals:
            if kind is Undecoded:
                value = data[key] = self._read(key, value)
                if type(value) not in UNCHANGING:
                    self._originals[key] = self._form(value)
                return value
            if self._reorder:
                _put_in_order(value)
            self._originals[key] = self._original(value)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        require_storable_key(key, "the session")
        if type(value) is list or type(value) is dict:
            most, image, text = self._accept(key, value)
        else:
            most, image, text = require_storable(value, (key,), 2, self._types), b"", None
        if self._limit:
            self._require_room({key: value}, most)
        self._put(key, value, image, text)

    def _accept(self, key: str, value: Any) -> tuple[int, bytes, str | None]:
        """Refuse a list or dictionary that cannot be stored.

        Returns:
            How many bytes it takes at the most, and of a large one that is exactly JSON's its image and text.
        """
        image = _image(value)
        if len(image) > _LARGE and (text := plain_text(value, 2, image)) is not None:
            return len(text.encode()), image, text
        return require_storable(value, (key,), 2, self._types), b"", None

    def _put(self, key: str, value: Any, image: bytes, text: str | None) -> None:
        data = self._decode() if self._data is None else self._data
        self._track(key)
        data[key] = value
        if text is not None:
            self._sights[key] = self._sight(key, value, image, text)

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
        return self._values() == (other._values() if isinstance(other, Payload) else dict(other.items()))

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
        return _clone(self._values(), {}, self._types)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return self.copy()

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
        total, accepted = 0, []
        for key, value in pairs:
            require_storable_key(key, "the session")
            if type(value) is list or type(value) is dict:
                most, image, text = self._accept(key, value)
            else:
                most, image, text = require_storable(value, (key,), 2, self._types), b"", None
            total += most
            accepted.append((key, value, image, text))
        if self._limit:
            self._require_room(dict(pairs), total)
        for key, value, image, text in accepted:
            self._put(key, value, image, text)

    # -- as it is in memory --------------------------------------------------------------------------

    def _noted(self, data: dict[str, Any], text: str, *, marked: bool) -> dict[str, Any]:
        if not marked:
            return data
        return {key: value if type(value) in SCALARS else Undecoded(value) for key, value in data.items()}

    def _form(self, value: Any) -> str | None:
        if type(value) is Undecoded:
            value, encode = value.notation, None
        else:
            encode = self._types.encode
        try:
            text = _comparable(value)
        except TypeError:
            text = None
        except (ValueError, RecursionError):
            return None
        # To json a tuple is a list, and a subclass its base; what looks like the notation has another form.
        if encode is None or type(value) in SCALARS or (text and SIGN not in text and is_json(value)):
            return text
        try:
            return _comparable(encode(value))
        except Exception:  # noqa: BLE001 - an application's function; `require_storable` tells of it
            return text

    def _stored_form(self, value: Any) -> str | None:
        if type(value) in JSON_TYPES:
            # No code has had hold of it yet, so it is exactly JSON's.
            try:
                text = _comparable(value)
            except (ValueError, RecursionError):
                return None
            if SIGN not in text:
                return text
        return self._form(value)

    def _read(self, key: str, value: Undecoded) -> Any:
        """Return the value of what is stored.

        Raises:
            UnreadableValueError: It cannot be read.
        """
        if self._reorder:
            _put_in_order(value.notation)
        return _read_notation(value.notation, (key,), self._types)

    def _values(self) -> dict[str, Any]:
        """Return everything, to look at only."""
        data = self._decode() if self._data is None else self._data
        if self._reorder:
            untouched = [value for key, value in data.items() if key not in self._originals]
            _put_in_order([value for value in untouched if type(value) in JSON_TYPES])
        if Undecoded not in map(type, data.values()):
            return data
        return {
            key: self._read(key, value) if type(value) is Undecoded else value for key, value in data.items()
        }

    def _text_of(self, data: dict[str, Any], forms: Mapping[str, _Form], texts: Mapping[str, str]) -> str:
        # Only what code has had hold of can hold something else than JSON's own values.
        special = [form for form in forms.values() if form is None or ("$" in form and SIGN in form)]
        if not special and JSON_TYPES.issuperset(map(type, data.values())):
            text = _composed(data, texts) if texts else canonical(data)
            if "$" not in text or SIGN not in text:
                return text
        encode, notations = self._types.encode, {}
        for key, value in data.items():
            try:
                notations[key] = value.notation if type(value) is Undecoded else encode(value)
            except RefusedError as refusal:
                reason = refusal.reason
            else:
                continue
            raise UnstorableValueError(render((key,)), reason)
        return _document(notations, self._types, as_list=False)

    # -- its size ------------------------------------------------------------------------------------

    def _require_room(self, pairs: Mapping[str, Any], most: int) -> None:
        """Refuse to let it grow beyond its limit, by what shall be assigned: values of so many bytes."""
        # As long as there is room for all that was loaded and assigned, whatever was removed since, nothing
        # has to be counted. A character of a key takes six bytes at the most, as an escape.
        most += len(self._text.encode()) if self._tally is None else self._tally
        for key in pairs:
            most += 6 * len(key) + 4
        if most > self._limit:
            data = self._decode() if self._data is None else self._data
            most = self._size({**data, **pairs}, {**self._originals, **pairs})
            if most > self._limit and most > max(
                self._size(data, self._originals), self._size(self._parse(self._text))
            ):
                raise self._too_large(most, max(pairs, key=lambda key: len(self._form(pairs[key]) or "")))
        self._tally = most

    def _require_size(self, text: str, forms: Mapping[str, _Form]) -> None:
        size = len(text.encode())
        if size > self._limit and size > self._size(self._parse(self._text)):
            raise self._too_large(size, max(forms, key=lambda key: len(forms[key] or ""), default=None))

    def _size(self, data: dict[str, Any], keys: Iterable[str] = ()) -> int:
        """Return how many bytes it would take; 0 if there is something in it that `serialize` will refuse.

        Args:
            data: All of it.
            keys: Those whose values may be anything.
        """
        forms = {key: self._form(data[key]) for key in keys if type(data.get(key)) not in UNCHANGING}
        try:
            return 0 if None in forms.values() else len(self._text_of(data, forms, {}).encode())
        except (TypeError, ValueError):
            return 0

    def _too_large(self, size: int, key: str | None) -> UnstorableValueError:
        return UnstorableValueError(
            "the session" if key is None else render((key,)),
            f"the session's data would take {size:,} bytes, and max_data_size allows {self._limit:,}; "
            "store it elsewhere and its key here, or allow more",
        )


class FlashQueues(_Tracked):
    """Messages that wait until they are shown, in named queues, apart from a session's data.

    Not safe for concurrent use by several threads.

    Args:
        text: The stored text, a JSON object of lists; None for no messages. It is decoded on first
            use, which raises `MalformedPayloadError` if it is none.
        reorder: The database does not keep the order of keys; see `loads`. Without it the keys of every
            object must come in the order in which `dumps` wrote them.
        types: The types beyond JSON.
        limit: How many messages a queue may hold; 0: any number.
    """

    __slots__ = ()

    # Nobody gets hold of a message that is in a queue.
    _in_notation = True

    def push(self, message: Any, queue: str = "", allow_duplicate: bool = True) -> bool:
        """Add a message to the end of a queue; a full one lets go of its oldest.

        Args:
            message: What a `Payload` may hold, of which a copy is kept. A subclass of ``str`` whose type
                is not registered is kept as plain text.
            queue: The queue's name.
            allow_duplicate: If false, a message that is already in the queue is not added again.

        Returns:
            Whether the queue was full.

        Raises:
            UnstorableValueError: The message or the name of the queue cannot be stored.
        """
        types = self._types
        if isinstance(message, str) and not (types.accepts and types.of(type(message))):
            # Not str(message), which an enumeration or a lazy translation may answer differently.
            message = str.__str__(message)
        require_storable_key(queue, "the flash queues")
        # The message is inside a list inside the document.
        require_storable(message, ("message",), 3, types)
        notation = types.encode(message)
        data = self._decode() if self._data is None else self._data
        messages: list[Any] = data.get(queue, [])
        form = None if self._tally is None and allow_duplicate else _plain_form(notation)
        if not allow_duplicate and self._counted(queue, messages)[form]:
            return False
        self._track(queue)
        data[queue] = messages
        messages.append(_clone(notation, {}))
        excess = len(messages) - self._limit if self._limit else 0
        counts = None if self._tally is None else self._tally.get(queue)
        if counts is not None:
            counts[form] += 1
            counts.subtract(map(_plain_form, messages[: max(excess, 0)]))
        if excess <= 0:
            return False
        del messages[:excess]
        return True

    def _counted(self, queue: str, messages: list[Any]) -> Counter[_Form]:
        """Return how often each message is in a queue, by its form."""
        if self._tally is None:
            self._tally = {}
        if queue not in self._tally:
            self._tally[queue] = Counter(map(_plain_form, messages))
        counts: Counter[_Form] = self._tally[queue]
        return counts

    def pop(self, queue: str = "") -> list[Any]:
        """Remove a queue and return its messages, oldest first; an empty list if there are none.

        Raises:
            UnreadableValueError: A message is of a type that is not registered; the queue stays.
        """
        messages = self.peek(queue)
        if messages:
            self._track(queue)
            data = self._decode() if self._data is None else self._data
            del data[queue]
            self._tally = None
        return messages

    def peek(self, queue: str = "") -> list[Any]:
        """Return copies of a queue's messages, oldest first, and leave it as it is.

        Raises:
            UnreadableValueError: A message is of a type that is not registered.
        """
        data = self._decode() if self._data is None else self._data
        messages: list[Any] = _read_notation(data.get(queue, []), ("flash", queue), self._types)
        return messages

    def count(self, queue: str = "") -> int:
        """Return how many messages are in a queue."""
        data = self._decode() if self._data is None else self._data
        return len(data.get(queue, ()))

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

    # -- as it is in memory --------------------------------------------------------------------------

    def _noted(self, data: dict[str, Any], text: str, *, marked: bool) -> dict[str, Any]:
        if not all(type(queue) is list for queue in data.values()):
            raise MalformedPayloadError("the stored flash messages cannot be read: a queue is not a list")
        if self._reorder:
            _put_in_order(data)
        if marked or "$" not in text:
            return data
        # Of a document that is not marked: what looks like the notation is not meant.
        return {name: list(map(self._types.encode, queue)) for name, queue in data.items()}

    def _require_size(self, text: str, forms: Mapping[str, _Form]) -> None:
        """Accept every text: the limit of a queue is a number of messages, which `push` sees to."""

    def _form(self, value: Any) -> str | None:
        return _plain_form(value)

    _stored_form = _form

    def _text_of(self, data: dict[str, Any], forms: Mapping[str, _Form], texts: Mapping[str, str]) -> str:
        return _document(data, self._types, as_list=True)
