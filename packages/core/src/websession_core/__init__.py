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
from .ports import Clock, Store, StoredRow, TicketCodec
from .settings import OPTIONS, Check, CookieSecure, Draft, Option, SameSite, Settings, parse_settings

__all__ = [
    "OPTIONS",
    "Check",
    "Clock",
    "ConfigurationError",
    "CookieSecure",
    "Draft",
    "FlashQueues",
    "MalformedPayloadError",
    "Mistake",
    "NoTransactionError",
    "Option",
    "Payload",
    "SameSite",
    "SessionError",
    "SessionTransactionError",
    "Settings",
    "Snapshot",
    "Store",
    "StoredRow",
    "TicketCodec",
    "TicketError",
    "UnstorableValueError",
    "dumps",
    "loads",
    "parse_settings",
]
