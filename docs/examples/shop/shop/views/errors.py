"""Pages for what goes wrong.

They are shown while a transaction is being given up, or after it: what they write into the session would
be lost. So they only read it. A form's token is read, too: it is made from the cookie, and stored nowhere.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyramid.exceptions import BadCSRFOrigin, BadCSRFToken
from pyramid.view import exception_view_config, notfound_view_config

from ..forms import TYPED
from ..storefront import own_path

if TYPE_CHECKING:
    from pyramid.request import Request

log = logging.getLogger(__name__)


@notfound_view_config(renderer="shop:templates/errors/not_found.jinja2")
def not_found(request: Request) -> dict[str, Any]:
    request.response.status_int = 404
    return {"theme": request.theme}


@exception_view_config(UnicodeDecodeError, renderer="shop:templates/errors/not_found.jinja2")
def unreadable(error: Exception, request: Request) -> dict[str, Any]:
    """An address with bytes that are no text, which browsers never send."""
    request.response.status_int = 400
    return {"theme": request.theme}


@exception_view_config(BadCSRFToken, renderer="shop:templates/errors/expired_form.jinja2")
@exception_view_config(BadCSRFOrigin, renderer="shop:templates/errors/expired_form.jinja2")
def expired_form(error: Exception, request: Request) -> dict[str, Any]:
    """Show a form without the session's token again: usually it was open across a logout or a night.

    What was typed into one of our pages comes back, in a form with a good token. What another site has sent
    does not: nobody should be asked to confirm it.
    """
    request.response.status_int = 403
    came_from = request.referer or ""
    ours = came_from.startswith(request.host_url + "/") and not isinstance(error, BadCSRFOrigin)
    back = own_path(urlsplit(came_from).path if ours else None, request.route_path("home"))
    answers = dict(request.form_fields) if ours else {}
    answers.pop("csrf_token", None)
    return {
        "theme": request.theme,
        "back": back,
        "has_cookies": bool(request.cookies),
        "typed": {name: answers.pop(name) for name in TYPED if name in answers},
        "labels": TYPED,
        "wants_password": answers.pop("password", None) is not None,
        "chosen": answers,
    }


# Errors that pyramid_retry will try again are none yet: no page for those.
@exception_view_config(Exception, retryable_error=False, renderer="shop:templates/errors/server_error.jinja2")
def server_error(error: Exception, request: Request) -> dict[str, Any]:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    request.response.status_int = 500
    return {"theme": request.theme}
