"""The rules of server-side web sessions, as pure values: no framework, no database, no clock."""

from __future__ import annotations

from .errors import (
    ConfigurationError,
    MalformedPayloadError,
    Mistake,
    NoTransactionError,
    SessionError,
    SessionTransactionError,
    TicketError,
    UnstorableValueError,
)
from .payload import FlashQueues, Payload, Snapshot, dumps, loads

__all__ = [
    "ConfigurationError",
    "FlashQueues",
    "MalformedPayloadError",
    "Mistake",
    "NoTransactionError",
    "Payload",
    "SessionError",
    "SessionTransactionError",
    "Snapshot",
    "TicketError",
    "UnstorableValueError",
    "dumps",
    "loads",
]
