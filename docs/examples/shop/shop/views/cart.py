"""The cart page, and the forms that change the cart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config

from ..cart import MAX_QUANTITY
from ..forms import one_line
from .catalogue import find_product

if TYPE_CHECKING:
    from pyramid.request import Request


@view_config(route_name="cart", request_method="GET", renderer="shop:templates/cart.jinja2")
def cart(request: Request) -> dict[str, Any]:
    lines = request.cart.priced(request.dbsession)
    return {"lines": lines, "goods": sum(line.total for line in lines), "max_quantity": MAX_QUANTITY}


@view_config(route_name="cart_add", request_method="POST")
def add(request: Request) -> HTTPSeeOther:
    product = find_product(request, one_line(request.form_fields.get("slug", "")))
    quantity = read_quantity(request.form_fields.get("quantity", "1"))
    if quantity is None:
        request.session.flash(f"Choose a number between 1 and {MAX_QUANTITY}.", "error")
        return HTTPSeeOther(request.route_path("product", slug=product.slug))
    now = request.cart.add(product.slug, quantity)
    message = f"{product.name}: {now} in your cart."
    if now == MAX_QUANTITY:
        message += " That is as many as one order can have."
    request.session.flash(message)
    return HTTPSeeOther(request.route_path("cart"))


@view_config(route_name="cart", request_method="POST")
def update(request: Request) -> HTTPSeeOther:
    """Take over the quantities of the whole table, or none of them."""
    quantities = {
        line.product.slug: read_quantity(request.form_fields.get(f"quantity-{line.product.slug}"))
        for line in request.cart.priced(request.dbsession)
    }
    if None in quantities.values():
        request.session.flash(f"Quantities go from 1 to {MAX_QUANTITY}. Nothing was changed.", "error")
    else:
        for slug, quantity in quantities.items():
            request.cart.change(slug, quantity)
        request.session.flash("Quantities updated.")
    return HTTPSeeOther(request.route_path("cart"))


@view_config(route_name="cart_remove", request_method="POST")
def remove(request: Request) -> HTTPSeeOther:
    product = find_product(request, one_line(request.form_fields.get("slug", "")))
    if request.cart.remove(product.slug):
        request.session.flash(f"{product.name} is no longer in your cart.")
    return HTTPSeeOther(request.route_path("cart"))


def read_quantity(text: str | None) -> int | None:
    """The number, if it is one that a line of the cart can have."""
    if text is None or not text.isdecimal() or len(text) > 3:
        return None
    quantity = int(text)
    return quantity if 1 <= quantity <= MAX_QUANTITY else None
