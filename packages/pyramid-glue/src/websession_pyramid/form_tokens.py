"""CSRF tokens: which one a page shows, and which ones are accepted.

They are made from the seed that is in the cookie's ticket: nothing is stored to show a form, and no key of
the server is in a token. Another token of the same seed takes a number, which is stored in the session: in
the column of `CsrfTokenMixin` or, without that, in the payload, under the key of Pyramid's own sessions.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any, Final

from pyramid.csrf import LegacySessionCSRFStoragePolicy
from pyramid.interfaces import ICSRFStoragePolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyramid.registry import Registry
    from pyramid.request import Request
    from websession_core.state import Ticket

    from .contents import Contents
    from .kit import SessionKit
    from .session_in_request import Holder
    from .working_copy import WorkingCopy

__all__ = [
    "SessionTokenPolicy",
    "accepts_token",
    "drop_token",
    "new_token",
    "put_in_the_default_policys_place",
    "token_to_show",
]

_CSRF_KEY: Final = "_csrft_"  # Pyramid's own sessions and storage policies use this key
_CSRF_COLUMN: Final = "csrf_token"

# What version 0.2 stored was the token itself, of URL-safe base64.
_NUMBER_MARK: Final = "."


def token_to_show(kit: SessionKit, holder: Holder) -> str:
    """Return the token for the forms of this page; see `WebSession.get_csrf_token`.

    Raises:
        NoTransactionError: A row has to be written for it, and there is no transaction.
    """
    copy = holder.working_copy
    token = _own_token(kit, copy)
    if token is not None:
        if kit.settings.alongside_0_2 and token != _stored(kit, copy.contents):
            # A cookie from here will have no seed to make it from.
            _store(kit, holder.prepare_change(is_token=True).contents, token)
        return token
    if copy.contents.row is not None:
        return new_token(kit, holder.prepare_change(is_token=True))  # its ticket has no seed
    ticket = None if copy.pending.forgets_cookies else _ticket_shown(copy)
    if ticket is not None:
        return _token_of(ticket)
    if kit.separates_visitors:
        return _token_of(copy.ticket_for_forms())
    if kit.settings.alongside_0_2:
        return new_token(kit, holder.prepare_change(is_token=True))
    copy = holder.prepare_change(is_token=True)
    copy.want_row()
    return _token(copy.certain_seed() or b"")


def accepts_token(kit: SessionKit, copy: WorkingCopy, supplied: str) -> bool:
    """Return whether a form with a token may be acted upon; see `WebSession.accepts_csrf_token`."""
    own = _own_token(kit, copy)
    tokens = [] if own is None else [own]
    has_login = kit.has("userid") and copy.contents.value("userid") is not None
    if not has_login and not copy.pending.forgets_cookies:
        tokens += _tokens_of_cookies(kit, copy)
    text = supplied.encode(errors="backslashreplace")
    return any(hmac.compare_digest(token.encode(), text) for token in tokens)


def new_token(kit: SessionKit, copy: WorkingCopy) -> str:
    """Return another token of the session, and store in it what makes that one."""
    seed = copy.certain_seed(copy.seed_of_forms)
    stored = secrets.token_urlsafe(32) if seed is None else _NUMBER_MARK + secrets.token_urlsafe(16)
    _store(kit, copy.contents, stored)
    return stored if seed is None else _token(seed, stored)


def drop_token(kit: SessionKit, contents: Contents) -> None:
    """Remove what a session has stored for its token."""
    if kit.has(_CSRF_COLUMN):
        contents.set_value(_CSRF_COLUMN, None)
    contents.payload.pop(_CSRF_KEY, None)


class SessionTokenPolicy(LegacySessionCSRFStoragePolicy):
    """Pyramid's default policy for tokens, over ``request.session``, which says itself what it accepts.

    ``includeme`` replaces Pyramid's default by it; if you create the session factory in code, set it with
    ``config.set_csrf_storage_policy``.
    """

    def check_csrf_token(self, request: Request, supplied_token: Any) -> bool:
        """Return whether the session of `request` accepts a token."""
        return bool(request.session.accepts_csrf_token(supplied_token))


def put_in_the_default_policys_place(registry: Registry) -> None:
    """Let the session say which tokens it accepts, if the application has not chosen a policy of its own."""
    # Not by `config.set_csrf_storage_policy`, which would conflict with an application's own choice that
    # it makes in another `includeme`.
    if type(registry.queryUtility(ICSRFStoragePolicy)) is LegacySessionCSRFStoragePolicy:
        registry.registerUtility(SessionTokenPolicy(), ICSRFStoragePolicy)


# -- what makes a token ------------------------------------------------------------------------------------


def _token(seed: bytes, number: str = "") -> str:
    """Return the token of a session or ticket.

    Args:
        seed: What is in the ticket.
        number: What `new_token` has stored; empty: nothing.
    """
    digest = hmac.digest(seed, number.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _token_of(ticket: Ticket) -> str:
    return _token(ticket.seed or b"")


def _store(kit: SessionKit, contents: Contents, stored: str) -> None:
    if kit.has(_CSRF_COLUMN):
        contents.set_value(_CSRF_COLUMN, stored)
    else:
        contents.payload[_CSRF_KEY] = stored


def _stored(kit: SessionKit, contents: Contents) -> str | None:
    """Return the number, or the token that version 0.2 or Pyramid has stored; None: nothing is."""
    in_column = kit.has(_CSRF_COLUMN)
    stored = contents.value(_CSRF_COLUMN) if in_column else contents.payload.get(_CSRF_KEY)
    return stored if isinstance(stored, str) and stored else None


# -- whose token -------------------------------------------------------------------------------------------


def _own_token(kit: SessionKit, copy: WorkingCopy) -> str | None:
    """Return the token of the session that is there, None if there is none, or it has none yet."""
    contents = copy.contents
    stored = _stored(kit, contents)
    seed = copy.seed
    if stored is not None and (seed is None or not stored.startswith(_NUMBER_MARK)):
        return stored  # what version 0.2 has stored stays good
    begins = stored is not None or (kit.has("userid") and contents.value("userid") is not None)
    if seed is None or not (contents.row is not None or begins):
        return None
    return _token(seed, stored or "")


def _ticket_shown(copy: WorkingCopy) -> Ticket | None:
    """Return the ticket whose token a page shows while no session is open."""
    presented = copy.opening.presented
    tickets = [presented.visitors.first, presented.users.first]
    if not copy.opening.verdicts:
        tickets.reverse()  # nothing could be read, so that the users' may be good
    return next((ticket for ticket in tickets if ticket is not None and ticket.seed is not None), None)


def _tokens_of_cookies(kit: SessionKit, copy: WorkingCopy) -> Iterator[str]:
    presented, row = copy.opening.presented, copy.contents.row
    if row is not None and kit.visitor_jar is None:
        return
    for ticket in (presented.visitors.first, presented.users.first):
        is_open = row is not None and ticket is not None and ticket.session_id == row.id
        if ticket is not None and ticket.seed is not None and not is_open:
            yield _token_of(ticket)
    seed = copy.seed_of_forms
    if seed is not None:
        yield _token(seed)
