"""The headers that tell browsers what these pages may do: nothing that they do not need."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyramid.config import Configurator
    from pyramid.registry import Registry
    from pyramid.request import Request
    from pyramid.response import Response

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def includeme(config: Configurator) -> None:
    """Send the headers with every response, error pages included."""
    config.add_tween("shop.headers.headers_tween_factory")


def headers_tween_factory(
    handler: Callable[[Request], Response], registry: Registry
) -> Callable[[Request], Response]:
    """Add `HEADERS` to each response that does not set them itself."""

    def headers_tween(request: Request) -> Response:
        response = handler(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        # Pages show a cart, an address, a name. After a logout the next person at this computer must not
        # find them with the back button. (Stylesheets and pictures bring their own Cache-Control.)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return headers_tween
