"""When a value is the same as it was before: by its serialized form or, of a large one, by its image.

Theory of operation
===================

Equality is decided on the serialized form, never with ``==``, to which ``1``, ``1.0`` and ``True`` are the
same. Assigning the same value again is no change.

Looking at a value must not cost much more than its JSON does. So of a value that is exactly JSON's its
image is kept in place of its form: `marshal` makes it in a seventh of the time. Equal images are images of
equal values, of the same types. The images of equal values may differ, by the order of a dictionary's
keys and by what else refers to a text: then the forms decide, if Python itself calls the two values equal.
(Values that have equal forms, and no NaN, are equal to Python as well.) What was seen of a value that has one
image is true as long as it has it (`Sight`): it is checked, serialized and compared once.

A value's serialized form is in the notation of `session_types`, whatever else is in the document.
"""

from __future__ import annotations

import marshal
from typing import Any, Final, NamedTuple, TypeAlias

from .json_text import comparable

__all__ = [
    "IMAGE_VERSION",
    "LARGE",
    "MISSING",
    "Form",
    "Original",
    "Sight",
    "image_of",
    "plain_form",
]

Form: TypeAlias = str | None
"""A value's serialized form; MISSING if there is no value, None if it has no such form."""

Original: TypeAlias = str | bytes | None
"""A value's form or, of one that is exactly JSON's, its image."""

MISSING: Final = ""
"""The form of no value: no JSON text is empty."""

IMAGE_VERSION: Final = 4
"""Of marshal: the fastest one."""

LARGE: Final = 1_000
"""Bytes of an image: smaller values take less time value by value than all values of a level at once."""


def plain_form(value: Any) -> str | None:
    """Return the form of a value that is exactly JSON's; None if there is none, which equals nothing."""
    try:
        return comparable(value)
    except (TypeError, ValueError, RecursionError):
        return None


def image_of(value: Any) -> bytes:
    """Return what a value looks like; empty if it looks like nothing, as one that holds a date does."""
    try:
        return marshal.dumps(value, IMAGE_VERSION)
    except ValueError:
        return b""


class Sight(NamedTuple):
    """What was seen of a value that code has hold of.

    Attributes:
        image: What it looked like then.
        is_original: Whether it was the same as in the text.
        form: Its form.
        is_plain: Whether it is exactly JSON's, and was seen to be storable.
    """

    image: bytes
    is_original: bool
    form: Form
    is_plain: bool

    def __repr__(self) -> str:
        # What it looks like is somebody's data.
        return f"<Sight of {len(self.image)} bytes>"
