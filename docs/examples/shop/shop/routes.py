"""Every address of the shop."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pyramid.static import QueryStringConstantCacheBuster

if TYPE_CHECKING:
    from pyramid.config import Configurator

STATIC_FOLDER = Path(__file__).parent / "static"
ONE_HOUR = 3600


def includeme(config: Configurator) -> None:
    """Add the routes and the static files."""
    config.add_static_view("static", "shop:static", cache_max_age=ONE_HOUR)
    # Browsers keep the files for an hour; a changed file has a changed address.
    config.add_cache_buster("shop:static", QueryStringConstantCacheBuster(fingerprint(STATIC_FOLDER)))

    config.add_route("home", "/")
    config.add_route("product", "/products/{slug:[a-z-]+}")

    config.add_route("cart", "/cart")
    config.add_route("cart_add", "/cart/add")
    config.add_route("cart_remove", "/cart/remove")

    config.add_route("checkout", "/checkout")
    config.add_route("checkout_address", "/checkout/address")
    config.add_route("checkout_delivery", "/checkout/delivery")
    config.add_route("checkout_review", "/checkout/review")
    config.add_route("checkout_broken", "/checkout/broken")

    config.add_route("orders", "/orders")
    config.add_route("order", "/orders/{reference:[A-Z0-9-]+}")

    config.add_route("devices", "/devices")
    config.add_route("devices_end", "/devices/end")
    config.add_route("devices_end_others", "/devices/end-others")

    config.add_route("admin", "/admin")
    config.add_route("admin_end", "/admin/end")
    config.add_route("admin_end_everybodys", "/admin/end-everybodys")

    config.add_route("login", "/login")
    config.add_route("logout", "/logout")
    config.add_route("logged_out", "/logged-out")

    config.add_route("theme", "/theme")


def fingerprint(folder: Path) -> str:
    """A short text that changes when a file in the folder does."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
