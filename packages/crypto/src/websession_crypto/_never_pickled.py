"""The base of every object that holds a key: copies are the object itself, pickles are refused."""

from typing import Any, NoReturn, Self, SupportsIndex

__all__ = ["NeverPickled"]


class NeverPickled:
    """Immutable, and holding key material that must not leave the process by accident."""

    __slots__ = ()

    # Immutable, so one object serves as its own copy; and a copy would be a second place for a secret.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    # Pickles end up in caches, queues and crash dumps. This is the hook every protocol asks first.
    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} objects are not pickled, because they hold key material: "
            "hand the key's text to the other process as a secret, and build the object there"
        )
