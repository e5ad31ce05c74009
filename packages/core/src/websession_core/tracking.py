"""A document that is loaded as text, stored as text, and knows whether it changed in between.

Theory of operation
===================

In between an application uses it as a plain dictionary of plain values, nested ones included, and never says
that it changed something::

    session["cart"]["apples"] += 1

So a change has to be found, without comparing everything with everything: most requests read one
or two small values of a payload that may have tens of kilobytes. A nested value can only change if code got
hold of it, and all code gets it through us. When a list or a dictionary is handed out for the first time, its
serialized form is kept; so is that of the old value when a key is set or deleted. ``originals`` holds these,
once per key, and only these keys can differ from what was loaded. Scalars that are read cost nothing: nobody
can change them in place. When two values are equal is told in `comparing`.

Values are checked against what **every** supported database gives back unchanged (`storable`), so that
a session behaves alike on all of them: on assignment, and for what was changed in place when the
payload is serialized.

What is handed out stays tracked for the life of the object: an alias may outlive a write
(``rebase``), because a transaction may go on after it.
"""

from __future__ import annotations

import marshal
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from .comparing import IMAGE_VERSION, LARGE, MISSING, Form, Original, Sight, image_of
from .copying import clone
from .documents import MARK, is_mark, unescaped
from .errors import MalformedPayloadError
from .json_text import SCALARS, comparable, loads
from .session_types import DEFAULT_TYPES, SIGN, UNCHANGING, SessionTypes
from .storable import plain_text, require_storable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Snapshot", "Tracked"]

_by_key = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment in the life of a `Payload` or of `FlashQueues`, for its ``restore``.

    Opaque: what is inside is not part of the interface.
    """

    _text: str = field(repr=False)
    _keys: tuple[str, ...] | None = field(repr=False)
    _values: dict[str, Any] = field(repr=False)
    _originals: dict[str, Original] = field(repr=False)
    _forced: bool = field(repr=False)


class Tracked(ABC):
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
        self._originals: dict[str, Original] = {}
        # Of those whose values are containers: what was seen last.
        self._sights: dict[str, Sight] = {}
        self._forced = False
        # The last text handed out to be stored, with what the containers above were at that moment; None
        # once a key was set or removed since.
        self._serialized: tuple[str, dict[str, Original]] | None = None

    def _decode(self) -> dict[str, Any]:
        self._data = self._parse(self._text)
        return self._data

    def _parse(self, text: str) -> dict[str, Any]:
        if text == "{}":
            return {}
        data = loads(text)
        if type(data) is not dict:
            raise MalformedPayloadError("the stored session cannot be read: it is not a JSON object")
        marked = MARK in data and is_mark(data[MARK])
        if marked:
            del data[MARK]
            data = {unescaped(key): value for key, value in data.items()}
        # What is in its values is put in order when it is handed out, if it ever is.
        data = dict(sorted(data.items(), key=_by_key)) if self._reorder or marked else data
        return self._noted(data, text, marked=marked) if marked or self._in_notation else data

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
    def _text_of(self, data: dict[str, Any], forms: Mapping[str, Form], texts: Mapping[str, str]) -> str:
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
                self._originals[key] = MISSING
                return
            value = data[key]
            # The form of a scalar is its text, whatever is in it.
            self._originals[key] = comparable(value) if type(value) in SCALARS else self._original(value)

    def _original(self, value: Any) -> Original:
        """Return what tells later whether a value has changed that `_parse` has left."""
        image = image_of(value) if type(value) is list or type(value) is dict else b""
        return image or self._stored_form(value)

    def _see(self, key: str, value: Any) -> Sight | None:
        """Return what is seen of a container that may have changed in place; None: it is as in the text.

        Asked several times in a request, and mostly of what has not changed since the last time.
        """
        try:
            image = marshal.dumps(value, IMAGE_VERSION)  # as image_of() does, without a call
        except ValueError:
            image = b""
        original = self._originals[key]
        if image and image == original:
            return None
        sight = self._sights.get(key)
        if sight is not None and image and image == sight.image:
            return sight
        text = plain_text(value, 2, image) if len(image) > LARGE else None
        sight = self._sights[key] = self._sight(key, value, image, text)
        return sight

    def _sight(self, key: str, value: Any, image: bytes, text: str | None) -> Sight:
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
            original = self._form(before) if text is None or before == value else MISSING
        # None is the form of what has none, and is never the same as anything.
        return Sight(image, form is not None and form == original, form, text is not None)

    def _differs(self) -> bool:
        data = self._data
        if data is None:
            return False
        for key, original in self._originals.items():
            if (key in data) is (original == MISSING):
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
    def is_untouched(self) -> bool:
        """Whether nothing was set, nor handed out that can change in place: nothing has changed then."""
        return not (self._forced or self._originals)

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
        forms: dict[str, Form] = {}
        texts: dict[str, str] = {}
        originals: dict[str, Original] = {}
        changed = self._forced
        for key, original in self._originals.items():
            if key not in data:
                changed = changed or original != MISSING
                continue
            value = data[key]
            if type(value) in SCALARS and (type(original) is bytes or original == MISSING):
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
    def _require_size(self, text: str, forms: Mapping[str, Form]) -> None:
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
                self._sights = {
                    key: sight._replace(is_original=True)
                    for key, sight in self._sights.items()
                    if stored.get(key) == sight.form
                }
            else:
                self._sights = {}
                stored_data = self._parse(text)
                for key in originals:
                    originals[key] = self._original(stored_data[key]) if key in stored_data else MISSING
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
        values = {key: clone(data[key], memo, self._types) for key in self._originals if key in data}
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
            base.update({key: clone(value, memo, self._types) for key, value in snapshot._values.items()})
            self._data = {key: base[key] for key in snapshot._keys}
