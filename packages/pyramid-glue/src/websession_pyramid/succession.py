"""How a request goes on from what its subrequests, in transactions of their own, have done to its session.

Both have the same cookie. What a subrequest has committed has its ticket; the request that made it, whose
transaction began before, has read another row, or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import UnsupportedSetupError
from .opening import judge_cookies
from .tickets import Presented

if TYPE_CHECKING:
    from .kit import SessionKit
    from .working_copy import WorkingCopy

__all__ = ["go_on_from"]


def go_on_from(kit: SessionKit, copy: WorkingCopy, last: WorkingCopy, *, is_known: bool) -> bool:
    """Let what is to be written be written to the session that a subrequest has committed.

    Args:
        kit: Whose session it is.
        copy: The session, about to be written.
        last: The same as the subrequest has left it.
        is_known: Whether `copy` was opened after that.

    Returns:
        Whether it goes on from there now, and did not before.

    Raises:
        UnsupportedSetupError: Both have changed the same session, or this transaction cannot see the other's.
    """
    if not copy.has_work:
        return False
    ticket = last.ticket_left
    if is_known:
        if ticket is None or copy.opening.row is not None:
            return False
    elif not last.has_written:
        return False
    elif ticket is not None and copy.is_new and copy.writer is not None:
        opening = judge_cookies(kit, Presented.left(ticket), copy.writer.read)
        if opening.row is not None:
            copy.go_on_with(opening)
            return True
    raise UnsupportedSetupError(
        "a subrequest with a transaction of its own has changed this session, and so has the request "
        "that made it; nothing of this request was stored. Let them share one transaction: "
        "use_tweens=False, or pyramid_tm without tm.manager_hook"
    )
