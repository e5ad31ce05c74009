"""Where you are logged in: see it, and end it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config
from pyramid_sqlalchemy_sessions import active_sessions

from ..devices import ago, describe

if TYPE_CHECKING:
    from pyramid.request import Request


# Anyone who finds an open browser, or has copied a cookie, must not be able to log its owner out everywhere.
RECENT = 15 * 60


@view_config(
    route_name="devices",
    request_method="GET",
    permission="account",
    recent_login=RECENT,
    renderer="shop:templates/devices.jinja2",
)
def devices(request: Request) -> dict[str, Any]:
    now = int(time.time())
    rows = [
        {
            "handle": session.handle,
            "is_present": session.is_present,
            "name": describe(session.user_agent),
            "address": session.client_address,
            "last_used": ago(now - session.last_used),
            "created": ago(now - session.created),
        }
        for session in active_sessions(request).of()
    ]
    # This one first, the others as they were used.
    return {"devices": sorted(rows, key=lambda row: not row["is_present"])}


@view_config(route_name="devices_end", request_method="POST", permission="account", recent_login=RECENT)
def end(request: Request) -> HTTPSeeOther:
    """End one of this user's sessions. Handles are no secrets, and another user's handle ends nothing."""
    if active_sessions(request).end(request.form_fields.get("handle", "")):
        request.session.flash("That device is logged out.")
    else:
        request.session.flash("That device had been logged out already.", "error")
    return HTTPSeeOther(request.route_path("devices"))


@view_config(
    route_name="devices_end_others", request_method="POST", permission="account", recent_login=RECENT
)
def end_others(request: Request) -> HTTPSeeOther:
    """End all sessions but this one, for example after a password change or the loss of a phone."""
    number = active_sessions(request).end_others()
    devices = "One other device is" if number == 1 else f"{number} other devices are"
    request.session.flash(f"{devices} logged out.")
    return HTTPSeeOther(request.route_path("devices"))
