"""Userids as text, to show and to type."""

from __future__ import annotations

from enum import Enum
from typing import Any

__all__ = ["read_userid", "shown_userid"]


def shown_userid(userid: Any) -> Any:
    """Return a userid as it can be typed: of bytes the hexadecimal digits, of an enumeration the name."""
    if isinstance(userid, bytes):
        return userid.hex()
    return userid.name if isinstance(userid, Enum) else userid


def read_userid(text: str, kind: Any) -> Any:
    """Return the userid that `shown_userid()` shows as this text.

    Args:
        text: What was typed.
        kind: The type of userids.

    Raises:
        TypeError, ValueError, LookupError, ArithmeticError: It is none; which of them depends on the type.
    """
    if issubclass(kind, bytes):
        return bytes.fromhex(text)
    return kind[text] if issubclass(kind, Enum) else kind(text)
