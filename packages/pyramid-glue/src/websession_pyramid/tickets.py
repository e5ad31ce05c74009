"""From the browser's cookies to tickets, and back.

Where the model knows users there are cookies of two names: one for users' tickets, one for visitors'. Under
the default name, those of users are also read under the default of before. Each is decrypted only when
somebody wants to know what is in it.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from websession_core.errors import TicketError
from websession_core.lifecycle import freshest, ranked
from websession_core.state import Ticket
from websession_crypto import MalformedTokenError, TokenCodec, TokenError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pyramid.request import Request
    from websession_core.settings import Settings

    from .cookies import CookieJar

__all__ = ["NOTHING_PRESENTED", "CookieTickets", "Presented", "Refusal", "TicketReader"]

# To open a token takes 45 µs and more, twice what the SELECT takes on this side, for a cookie that does not
# change from request to request. A ticket and its token take some 600 bytes.
_CACHE_SIZE = 4096


class Refusal(NamedTuple):
    """Why a cookie holds no ticket of ours."""

    reason: str
    kind: str


class CookieTickets:
    """The tickets in a request's cookies of one kind, decrypted at the first look.

    Args:
        tokens: The values of the cookies, each with its name, which decrypts it.

    Attributes:
        refusals: What was no ticket of ours, as far as it was looked at.
    """

    __slots__ = ("_tickets", "_tokens", "refusals")

    def __init__(self, tokens: Sequence[tuple[_Name, str]] = ()) -> None:
        self._tokens = tokens
        self.refusals: tuple[Refusal, ...] = ()
        self._tickets: tuple[Ticket, ...] | None = None if self._tokens else ()

    @classmethod
    def holding(cls, ticket: Ticket | None) -> CookieTickets:
        """Return what a cookie with this ticket would give."""
        tickets = cls()
        tickets._tickets = () if ticket is None else (ticket,)
        return tickets

    @property
    def all(self) -> tuple[Ticket, ...]:
        """The tickets, one of each session, the one to judge first."""
        if self._tickets is None:
            self._tickets = self._decrypted()
        return self._tickets

    @property
    def first(self) -> Ticket | None:
        """The ticket that counts, if there are several; None: there is none."""
        return next(iter(self.all), None)

    def _decrypted(self) -> tuple[Ticket, ...]:
        tickets = []
        refusals = []
        for name, token in self._tokens:
            try:
                tickets.append(name.ticket_in(token))
            except MalformedTokenError:
                if not name.is_others:
                    refusals.append(Refusal("the cookie cannot be decrypted", "malformed"))
            except TokenError:
                refusals.append(Refusal("the cookie cannot be decrypted", "not authentic"))
            except TicketError:
                refusals.append(Refusal("the cookie holds no ticket", "malformed"))
        self.refusals = tuple(refusals)
        return tuple(tickets) if len(tickets) < 2 else ranked(tickets)


class Presented(NamedTuple):
    """What a request's cookies hold.

    Attributes:
        users: The tickets under the name that is configured, or was the default: users', or all if visitors
            have no name of their own.
        visitors: Those under the name for visitors.
    """

    users: CookieTickets
    visitors: CookieTickets

    def __repr__(self) -> str:
        return "<Presented>"  # tickets, and cookies that may hold one

    @classmethod
    def left(cls, ticket: Ticket | None) -> Presented:
        """Return what a browser would present that has only this ticket."""
        if ticket is not None and ticket.owned is False:
            return cls(CookieTickets(), CookieTickets.holding(ticket))
        return cls(CookieTickets.holding(ticket), CookieTickets())

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What was no ticket of ours, as far as it was looked at."""
        return self.users.refusals + self.visitors.refusals

    def anonymous_ticket(self, *, separate: bool) -> Ticket | None:
        """Return the visitor's ticket; None: there is none.

        Args:
            separate: Whether visitors have a cookie of their own.
        """
        if separate:
            return self.visitors.first
        ticket = self.users.first
        # Where the model knows no users, the first epoch counts as anonymous.
        return ticket if ticket is not None and ticket.epoch == 0 and not ticket.owned else None

    def seed_of(self, ticket: Ticket | None) -> bytes | None:
        """Return the seed of the session that a ticket opens; None: it has none."""
        if ticket is None or ticket.seed is not None:
            return None if ticket is None else ticket.seed
        visitors = self.visitors.first
        if visitors is None:
            return None
        # The one that opened it is of version 1; a visitor may have one of version 2 besides.
        is_same = (visitors.session_id, visitors.epoch) == (ticket.session_id, ticket.epoch)
        return visitors.seed if is_same else None


_NO_TICKETS = CookieTickets()

NOTHING_PRESENTED = Presented(_NO_TICKETS, _NO_TICKETS)
"""What a request without cookies holds."""


class _Name:
    """The cookies of one name, which may be other applications' as well."""

    def __init__(self, settings: Settings, jar: CookieJar, *, is_others: bool = False) -> None:
        self.jar = jar
        self.is_others = is_others
        self._is_outdated = is_others and not settings.alongside_0_2
        # The purpose binds a token to the cookie's name: one made for another cookie opens nothing here.
        self.codec = TokenCodec(settings.secret_key, purpose=jar.name)
        # Only tokens that this codec has authenticated, under their one spelling: what raises is not kept.
        self.ticket_in = functools.lru_cache(maxsize=_CACHE_SIZE)(self._decrypt)

    def _decrypt(self, token: str) -> Ticket:
        ticket = Ticket.from_bytes(self.codec.decrypt(token))
        # Of another version, so that it is sent again under the name of now. Not as long as there are workers
        # of version 0.2: two kinds of workers would send cookies to and fro.
        return replace(ticket, cookie_version=ticket.cookie_version ^ 1) if self._is_outdated else ticket

    def tokens(self, request: Request) -> list[tuple[_Name, str]]:
        tokens = self.jar.tokens(request)
        return [(self, token) for token in tokens] if tokens else []

    def is_in(self, request: Request) -> bool:
        """Return whether a request carries such a cookie; if they may be others', whether one is ours."""
        if self.is_others:
            return bool(CookieTickets(self.tokens(request)).all)
        return self.jar.is_in(request)


class TicketReader:
    """Decrypts the tickets in requests' cookies, and encrypts those that responses carry.

    Args:
        settings: The settings; the first key encrypts.
        jar: The cookie of the name that is configured.
        visitor_jar: The visitors' cookie; None: there is only the other.
        former_jar: The cookie of the former default name, where that is another one.
    """

    def __init__(
        self,
        settings: Settings,
        jar: CookieJar,
        visitor_jar: CookieJar | None = None,
        former_jar: CookieJar | None = None,
    ) -> None:
        self._users = _Name(settings, jar)
        self._visitors = None if visitor_jar is None else _Name(settings, visitor_jar)
        self._former = None if former_jar is None else _Name(settings, former_jar, is_others=True)
        self._names = tuple(filter(None, (self._users, self._visitors, self._former)))
        self._alongside_0_2 = settings.alongside_0_2

    def has_cookie(self, request: Request) -> bool:
        """Return whether `request` carries a cookie of ours, valid or not."""
        return any(name.is_in(request) for name in self._names)

    @property
    def jars(self) -> tuple[CookieJar, ...]:
        """The cookies that there are."""
        return tuple(name.jar for name in self._names)

    def brought(self, request: Request) -> tuple[CookieJar, ...]:
        """Return the cookies of ours that `request` carries, valid or not."""
        return tuple(name.jar for name in self._names if name.is_in(request))

    def replaced(self, request: Request, jar: CookieJar) -> tuple[CookieJar, ...]:
        """Return the cookies of ours whose place the one in `jar` takes: that of the former name."""
        former = self._former
        return (former.jar,) if former and jar is self._users.jar and former.is_in(request) else ()

    def presented(self, request: Request) -> Presented:
        """Return what the request's cookies hold; nothing is decrypted yet."""
        tokens, others = self._users.tokens(request), self._visitors
        if self._former is not None:
            tokens += self._former.tokens(request)
        visitors = None if others is None else others.tokens(request)
        return Presented(
            CookieTickets(tokens) if tokens else _NO_TICKETS,
            CookieTickets(visitors) if visitors else _NO_TICKETS,
        )

    def read(self, request: Request) -> tuple[Ticket | None, tuple[Refusal, ...]]:
        """Return the ticket that is judged first, None if there is none, and what was no ticket of ours.

        That is refused quietly: it is the sender's mistake, or attack.
        """
        presented = self.presented(request)
        ticket = freshest(presented.users.all)
        return (ticket or presented.visitors.first), presented.refusals

    def named_session(self, request: Request) -> UUID | None:
        """Return which session the request's cookies name, None if they name none."""
        ticket, _ = self.read(request)
        return None if ticket is None else ticket.session_id

    def jar_for(self, ticket: Ticket) -> CookieJar:
        """Return the cookie in which a ticket is sent."""
        return self._name_for(ticket).jar

    def token(self, ticket: Ticket) -> str:
        """Return `ticket` encrypted under the first key, for the cookie in which it is sent."""
        if self._alongside_0_2:
            ticket = replace(ticket, owned=None, seed=None)
        return self._name_for(ticket).codec.encrypt(ticket.to_bytes())

    def _name_for(self, ticket: Ticket) -> _Name:
        if ticket.owned is False and self._visitors is not None and not self._alongside_0_2:
            return self._visitors
        return self._users
