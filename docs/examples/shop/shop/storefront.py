"""What every page needs: the cart, the theme, what was filled in, and a way to write prices."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .cart import Cart

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request

THEMES = {"auto": "As my device", "light": "Light", "dark": "Dark"}
DEFAULT_THEME = "auto"

# Addresses to return to come from forms, and forms come from anywhere: only paths of this shop's own
# shape pass. What browsers read as another host (`//host`, `/\host`, `/<tab>/host`) does not.
OWN_PATH = re.compile(r"/(?:[A-Za-z0-9_-][A-Za-z0-9_/-]*)?(?:\?[A-Za-z0-9_/=&%-]*)?")


def includeme(config: Configurator) -> None:
    """Add `request.form_fields`, `request.cart` and `request.theme`, and prepare Jinja."""
    config.add_request_method(form_fields, reify=True)
    config.add_request_method(cart, reify=True)
    config.add_request_method(theme, property=True)

    config.get_settings().update(
        {
            "jinja2.undefined": "strict",
            "jinja2.trim_blocks": "true",
            "jinja2.lstrip_blocks": "true",
            "jinja2.filters": {"money": money},
            "jinja2.globals": {"THEMES": THEMES},
        }
    )
    config.include("pyramid_jinja2")


def form_fields(request: Request) -> dict[str, str]:
    """What was filled in; an uploaded file, which none of our forms asks for, is no answer."""
    return {name: value for name, value in request.POST.items() if isinstance(value, str)}


def cart(request: Request) -> Cart:
    """The cart of this request's session."""
    return Cart(request.session)


def theme(request: Request) -> str:
    """One of `THEMES`."""
    chosen: str = request.session.get("theme", DEFAULT_THEME)
    return chosen


def money(cents: int) -> str:
    """An amount as the customer reads it."""
    return f"€ {cents // 100}.{cents % 100:02d}"


def own_path(text: str | None, default: str) -> str:
    """The text, if it is an address within this shop, else the default."""
    return text if text and OWN_PATH.fullmatch(text) else default
