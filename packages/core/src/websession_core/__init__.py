"""The rules of server-side web sessions, as pure values: no framework, no database, no clock."""

from __future__ import annotations

from . import outlook
from .errors import (
    ConfigurationError,
    EncryptedDataError,
    MalformedPayloadError,
    Mistake,
    NoTransactionError,
    SessionError,
    SessionTransactionError,
    TicketError,
    TooManySessionsError,
    UnreadableRowError,
    UnreadableValueError,
    UnstorableValueError,
)
from .flash_queues import FlashQueues
from .forecast import Forecast, forecast
from .json_text import dumps, loads
from .key_retirement import old_key_lifetime
from .lifecycle import (
    Beginning,
    Bookkeeping,
    Duty,
    NewSession,
    Rotation,
    Standing,
    Transition,
    Verdict,
    begin,
    bookkeeping,
    deadline,
    freshest,
    judge,
    last_use,
    ranked,
    reissue,
    reschedule,
    rotate,
    transitions,
    unstored_ticket,
)
from .payload import Payload
from .policies import AbsoluteTimeout, IdleTimeout, Overrides, Policies, Renewal
from .ports import Clock, OpenedValue, Store, StoredRow, TicketCodec, ValueCipher
from .presets import AAL1, AAL2, AAL3, PRESETS, Preset
from .renaming import renamed
from .session_types import SessionTypes
from .settings import (
    OPTIONS,
    Check,
    CipherLibrary,
    ClientAddress,
    CookieSecure,
    Draft,
    LimitPolicy,
    Option,
    SameSite,
    Settings,
    parse_settings,
)
from .state import Activity, SessionState, Ticket
from .tracking import Snapshot

__all__ = [
    "AAL1",
    "AAL2",
    "AAL3",
    "OPTIONS",
    "PRESETS",
    "AbsoluteTimeout",
    "Activity",
    "Beginning",
    "Bookkeeping",
    "Check",
    "CipherLibrary",
    "ClientAddress",
    "Clock",
    "ConfigurationError",
    "CookieSecure",
    "Draft",
    "Duty",
    "EncryptedDataError",
    "FlashQueues",
    "Forecast",
    "IdleTimeout",
    "LimitPolicy",
    "MalformedPayloadError",
    "Mistake",
    "NewSession",
    "NoTransactionError",
    "OpenedValue",
    "Option",
    "Overrides",
    "Payload",
    "Policies",
    "Preset",
    "Renewal",
    "Rotation",
    "SameSite",
    "SessionError",
    "SessionState",
    "SessionTransactionError",
    "SessionTypes",
    "Settings",
    "Snapshot",
    "Standing",
    "Store",
    "StoredRow",
    "Ticket",
    "TicketCodec",
    "TicketError",
    "TooManySessionsError",
    "Transition",
    "UnreadableRowError",
    "UnreadableValueError",
    "UnstorableValueError",
    "ValueCipher",
    "Verdict",
    "begin",
    "bookkeeping",
    "deadline",
    "dumps",
    "forecast",
    "freshest",
    "judge",
    "last_use",
    "loads",
    "old_key_lifetime",
    "parse_settings",
    "ranked",
    "reissue",
    "reschedule",
    "rotate",
    "transitions",
    "unstored_ticket",
]

# The module is there for its old names, and this package's own `outlook` was the function.
del outlook

__getattr__ = renamed(
    __name__, Outlook=Forecast, outlook=forecast, old_key_needed=old_key_lifetime, redate=reschedule
)
