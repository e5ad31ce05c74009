"""How many wrong passwords are taken, for one account and from one address, before it is time for a break.

The database counts, so that all processes of the shop count together. Guesses at the same moment may each be
let through: a few more than the limit, and not thousands.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from .models import WrongPassword

if TYPE_CHECKING:
    from pyramid.request import Request

PERIOD = 15 * 60
"""In seconds: older guesses are forgotten."""
MAX_BY_NAME = 5
"""For one account. Anyone can use them up, and its owner waits, too: that is the price."""
MAX_BY_ADDRESS = 20
"""From one address, which a whole school may share."""


def minutes_to_wait(request: Request, name: str) -> int:
    """How long no password is taken for this account from this address; 0: one is taken now."""
    now = int(time.time())
    limits = (
        (WrongPassword.name == name, MAX_BY_NAME),
        (WrongPassword.address == address_of(request), MAX_BY_ADDRESS),
    )
    seconds = 0
    for whose, most in limits:
        recent = select(WrongPassword.at).where(whose, WrongPassword.at > now - PERIOD)
        # The guess with which the limit was reached; once it is forgotten, there is room for another.
        last = request.dbsession.scalar(recent.order_by(WrongPassword.at.desc()).offset(most - 1).limit(1))
        if last is not None:
            seconds = max(seconds, last + PERIOD - now)
    return -(-seconds // 60)


def note_wrong_password(request: Request, name: str) -> None:
    """Count a guess, and forget the old ones."""
    now = int(time.time())
    request.dbsession.execute(delete(WrongPassword).where(WrongPassword.at <= now - PERIOD))
    request.dbsession.add(WrongPassword(name=name, address=address_of(request), at=now))


def address_of(request: Request) -> str:
    """Where the request came from, as the server says."""
    return (request.client_addr or "")[:45]
