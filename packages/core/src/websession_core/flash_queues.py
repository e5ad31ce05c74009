"""Flash messages: they wait in named queues, apart from a session's data, until they are shown."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .comparing import Form, plain_form
from .copying import clone
from .documents import document_text, read_value
from .errors import MalformedPayloadError
from .json_text import put_in_order
from .storable import require_storable, require_storable_key
from .tracking import Tracked

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FlashQueues"]


class FlashQueues(Tracked):
    """Messages that wait until they are shown, in named queues, separate from a session's data.

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
        """Add a message to the end of a queue; a full queue drops its oldest message.

        Args:
            message: What a `Payload` may hold, of which a copy is kept. A subclass of ``str`` whose type
                is not registered is kept as its nearest base that is, or as plain text.
            queue: The queue's name.
            allow_duplicate: If false, a message that is already in the queue is not added again.

        Returns:
            Whether the queue was full.

        Raises:
            UnstorableValueError: The message or the name of the queue cannot be stored.
        """
        types = self._types
        if isinstance(message, str) and not (types.accepts and types.of(type(message))):
            entry = types.of_base(type(message)) if types.accepts else None
            # Not str(message), which an enumeration or a lazy translation may answer differently.
            message = str.__str__(message) if entry is None else entry.from_json(entry.to_json(message))
        require_storable_key(queue, "the flash queues")
        # The message is inside a list inside the document.
        require_storable(message, ("message",), 3, types)
        notation = types.encode(message)
        data = self._decode() if self._data is None else self._data
        messages: list[Any] = data.get(queue, [])
        form = None if self._tally is None and allow_duplicate else plain_form(notation)
        if not allow_duplicate and self._counted(queue, messages)[form]:
            return False
        self._track(queue)
        data[queue] = messages
        messages.append(clone(notation, {}))
        excess = len(messages) - self._limit if self._limit else 0
        counts = None if self._tally is None else self._tally.get(queue)
        if counts is not None:
            counts[form] += 1
            counts.subtract(map(plain_form, messages[: max(excess, 0)]))
        if excess <= 0:
            return False
        del messages[:excess]
        return True

    def _counted(self, queue: str, messages: list[Any]) -> Counter[Form]:
        """Return how often each message is in a queue, by its form."""
        if self._tally is None:
            self._tally = {}
        if queue not in self._tally:
            self._tally[queue] = Counter(map(plain_form, messages))
        counts: Counter[Form] = self._tally[queue]
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
        messages: list[Any] = read_value(data.get(queue, []), ("flash", queue), self._types)
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
            put_in_order(data)
        if marked or "$" not in text:
            return data
        # Of a document that is not marked: what looks like the notation is not meant.
        return {name: list(map(self._types.encode, queue)) for name, queue in data.items()}

    def _require_size(self, text: str, forms: Mapping[str, Form]) -> None:
        """Accept every text: the limit of a queue is a number of messages, which `push` sees to."""

    def _form(self, value: Any) -> str | None:
        return plain_form(value)

    _stored_form = _form

    def _text_of(self, data: dict[str, Any], forms: Mapping[str, Form], texts: Mapping[str, str]) -> str:
        return document_text(data, self._types, as_list=True)
