"""The data of a web session: a dictionary that knows whether it changed.

How a change is found is told in `tracking`, and when two values are equal in `comparing`; what can be in a
payload in `storable`; and how values of types that JSON lacks are stored in `session_types` and `documents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from math import inf
from typing import Any, Protocol, Self, TypeVar, overload

from .comparing import LARGE, Form, image_of
from .copying import clone
from .documents import composed, document_text, read_value
from .errors import UnstorableValueError
from .flash_queues import FlashQueues
from .json_text import JSON_TYPES, SCALARS, canonical, comparable, dumps, is_json, loads, put_in_order
from .session_types import SIGN, UNCHANGING, Undecoded
from .standard_types import RefusedError
from .storable import MAX_DEPTH, plain_text, render, require_storable, require_storable_key
from .tracking import Snapshot, Tracked

__all__ = ["MAX_DEPTH", "FlashQueues", "Payload", "Snapshot", "dumps", "loads"]

_V_co = TypeVar("_V_co", covariant=True)


class _SupportsKeysAndGetItem(Protocol[_V_co]):
    """What ``dict.update`` takes for a mapping."""

    def keys(self) -> Iterable[str]: ...

    def __getitem__(self, key: str, /) -> _V_co: ...


class Payload(Tracked, MutableMapping[str, Any]):
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
                put_in_order(value)
            self._originals[key] = self._original(value)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        require_storable_key(key, "the session")
        if type(value) is list or type(value) is dict:
            most, image, text = self._accept(key, value)
        else:
            most, image, text = require_storable(value, (key,), 2, self._types), b"", None
        if self._limit:
            self._require_room([(key, value)], most)
        self._put(key, value, image, text)

    def _accept(self, key: str, value: Any) -> tuple[int, bytes, str | None]:
        """Refuse a list or dictionary that cannot be stored.

        Returns:
            How many bytes it takes at the most, and of one that is exactly JSON's its image and text.
        """
        image = image_of(value)
        if len(image) > LARGE and (text := plain_text(value, 2, image)) is not None:
            return len(text.encode()), image, text
        most = require_storable(value, (key,), 2, self._types)
        return (most, image, canonical(value)) if image and is_json(value) else (most, b"", None)

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
        return clone(self._values(), {}, self._types)

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
        if type(other) is dict:
            pairs = [*other.items()]
        elif hasattr(other, "keys"):
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
            self._require_room(pairs, total)
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
            text = comparable(value)
        except TypeError:
            text = None
        except (ValueError, RecursionError):
            return None
        # To json a tuple is a list, and a subclass its base; what looks like the notation has another form.
        if encode is None or type(value) in SCALARS or (text and SIGN not in text and is_json(value)):
            return text
        try:
            return comparable(encode(value))
        except Exception:  # noqa: BLE001 - an application's function; `require_storable` tells of it
            return text

    def _stored_form(self, value: Any) -> str | None:
        if type(value) in JSON_TYPES:
            # No code has had hold of it yet, so it is exactly JSON's.
            try:
                text = comparable(value)
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
            put_in_order(value.notation)
        return read_value(value.notation, (key,), self._types)

    def _values(self) -> dict[str, Any]:
        """Return everything, to look at only."""
        data = self._decode() if self._data is None else self._data
        if self._reorder:
            untouched = [value for key, value in data.items() if key not in self._originals]
            put_in_order([value for value in untouched if type(value) in JSON_TYPES])
        if Undecoded not in map(type, data.values()):
            return data
        return {
            key: self._read(key, value) if type(value) is Undecoded else value for key, value in data.items()
        }

    def _text_of(self, data: dict[str, Any], forms: Mapping[str, Form], texts: Mapping[str, str]) -> str:
        # Only what code has had hold of can hold something else than JSON's own values.
        special = [form for form in forms.values() if form is None or ("$" in form and SIGN in form)]
        if not special and JSON_TYPES.issuperset(map(type, data.values())):
            text = composed(data, texts) if texts else canonical(data)
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
        return document_text(notations, self._types, as_list=False)

    # -- its size ------------------------------------------------------------------------------------

    def _require_room(self, pairs: list[tuple[str, Any]], most: int) -> None:
        """Refuse to let it grow beyond its limit, by what shall be assigned: values of so many bytes."""
        # As long as there is room for all that was loaded and assigned, whatever was removed since, nothing
        # has to be counted. A character of a key takes six bytes at the most, as an escape.
        most += len(self._text.encode()) if self._tally is None else self._tally
        for key, _ in pairs:
            most += 6 * len(key) + 4
        if most > self._limit:
            new = dict(pairs)
            data = self._decode() if self._data is None else self._data
            most = self._size({**data, **new}, {**self._originals, **new})
            if most > self._limit and most > max(
                self._size(data, self._originals), self._size(self._parse(self._text))
            ):
                raise self._too_large(most, max(new, key=lambda key: len(self._form(new[key]) or "")))
        self._tally = most

    def _require_size(self, text: str, forms: Mapping[str, Form]) -> None:
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
