"""What a login, a logout and a rotation do to the session, its data and its tokens."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from websession_core.state import short_name

from .contents import Contents
from .form_tokens import drop_token

if TYPE_CHECKING:
    from .kit import SessionKit
    from .working_copy import WorkingCopy

__all__ = ["log_in", "rotate"]

log = logging.getLogger(__name__)


def log_in(kit: SessionKit, copy: WorkingCopy, userid: Any, *, keep_data: bool) -> None:
    """Let the session belong to a user, or to nobody; arguments and errors as for `WebSession.login`."""
    copy.check_userid(userid)
    if userid is None:
        _log_out_and_go_on(kit, copy)
        return
    copy.end_excess_sessions(userid)
    if copy.contents.value("userid") not in (None, userid):
        _leave_to_another_user(kit, copy, keep_data=keep_data)
    contents = copy.contents
    contents.set_value("userid", userid)
    if kit.has("authenticated_at"):
        contents.set_value("authenticated_at", kit.clock())
    rotate(kit, copy, "a user has logged in")
    copy.end_unreadable("a user has logged in")


def rotate(kit: SessionKit, copy: WorkingCopy, reason: str) -> None:
    """Give the session a new identity. Anyone who had it before knows the token against forgery."""
    drop_token(kit, copy.contents)
    copy.rotate(reason)


def _log_out_and_go_on(kit: SessionKit, copy: WorkingCopy) -> None:
    """Let nobody be logged in any more, and data and flash messages go on."""
    before, reason = copy.contents, "nobody is logged in any more"
    if before.row is not None and before.value("userid") is None:
        rotate(kit, copy, reason)
        copy.forget_cookies()
    elif before.row is None:
        before.changes.clear()
        drop_token(kit, before)
        copy.start_over(before, reason)
    else:
        name = short_name(before.row.id)
        after = before.for_another_row()
        drop_token(kit, after)
        copy.start_over(after, reason)
        log.info("Nobody is logged in any more: the session %s ended, and its data goes on in another", name)
    copy.end_unreadable(reason)
    copy.end_visitors_session(reason)


def _leave_to_another_user(kit: SessionKit, copy: WorkingCopy, *, keep_data: bool) -> None:
    before = copy.contents
    losses = before.describe(with_data=not keep_data)
    if losses:
        name = "" if before.row is None else f" {short_name(before.row.id)}"
        log.info("Another user has logged in: the session%s ended, and with it %s", name, losses)
    after = before.for_another_row() if keep_data else Contents(rules=kit.rules)
    copy.start_over(after, "another user has logged in")
