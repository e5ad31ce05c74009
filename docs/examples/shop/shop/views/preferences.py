"""Choices that the session remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyramid.httpexceptions import HTTPBadRequest, HTTPSeeOther
from pyramid.view import view_config

from ..storefront import THEMES, own_path

if TYPE_CHECKING:
    from pyramid.request import Request


@view_config(route_name="theme", request_method="POST")
def theme(request: Request) -> HTTPSeeOther:
    chosen = request.form_fields.get("theme")
    if chosen not in THEMES:
        raise HTTPBadRequest
    request.session["theme"] = chosen
    return HTTPSeeOther(own_path(request.form_fields.get("next"), request.route_path("home")))
