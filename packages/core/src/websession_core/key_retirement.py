"""When an old encryption key may go, for anyone who changes the key.

Nothing here decides anything about a request. It says what the rules of `websession_core.lifecycle` come to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .policies import Policies

__all__ = ["old_key_lifetime"]


def old_key_lifetime(policies: Policies, *, owned: bool | None) -> int | None:
    """Return for how long an old encryption key is still needed once a new one encrypts on every server.

    A cookie made under the old key becomes worthless by the first of these:

    - *The browser drops it*, at the end of its Max-Age.
    - *The session ends by its absolute timeout.*
    - *It is replaced by use or the session ends by disuse.* The key is part of the cookie's version, so that
      a session's next request is answered with a cookie under the new key, and a session without a
      next request ends by its idle timeout. Two things delay that once, by less than an idle timeout and two
      graces: a ticket that has yet to acknowledge itself (of a renewal or a login) is not answered, and
      neither is one within two graces of a renewal.

      With renewal, an anonymous session gets another cookie only when it is written, so that an idle timeout
      alone bounds nothing for it.

    Two graces are added, for requests under way and differences between clocks. This assumes that browsers
    get our answers: one that lost every answer, and comes back after that time, has to log in again.

    Args:
        policies: What holds for the session, its own overrides included.
        owned: Whether it belongs to a user; None: the model knows no users.

    Returns:
        Seconds; None: nothing bounds it, so that the old key can never go without ending sessions.
    """
    grace = policies.renewal.grace
    bounds = []
    if policies.cookie_max_age is not None:
        bounds.append(policies.cookie_max_age)
    if policies.absolute is not None:
        bounds.append(policies.absolute.timeout)
    if policies.idle is not None and (policies.renewal.timeout is None or owned is not False):
        bounds.append(2 * policies.idle.timeout + 2 * grace)
    return min(bounds) + 2 * grace if bounds else None
