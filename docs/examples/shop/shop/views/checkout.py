"""The checkout: three forms whose answers stay in the session until the order is placed.

`session["checkout"]` looks like `{"reference": "…", "address": {…}, "delivery": {…}}`. The reference is
drawn at the beginning and becomes the order's: however often the last form is sent, there is one order.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import exception_view_config, view_config, view_defaults
from sqlalchemy import func, select

from ..forms import (
    ADDRESS_FIELDS,
    COUNTRIES,
    DEFAULT_COUNTRY,
    DEFAULT_DELIVERY,
    DELIVERIES,
    MAX_NOTE,
    check_address,
    check_delivery,
)
from ..models import Order, OrderLine

if TYPE_CHECKING:
    from pyramid.request import Request

    from ..forms import Errors

STEPS = {"address": "Address", "delivery": "Delivery", "review": "Review"}

# Without the letters and digits that people mix up when they read a number aloud.
REFERENCE_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"


def new_reference() -> str:
    """A number for an order, which nobody can guess from another one."""
    draw = "".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(12))
    return f"{draw[:4]}-{draw[4:8]}-{draw[8:]}"


class Step:
    """What the three steps have in common."""

    def __init__(self, request: Request) -> None:
        self.request = request

    @property
    def answers(self) -> dict[str, Any]:
        """What was answered so far."""
        checkout: dict[str, Any] = self.request.session.get("checkout") or {}
        return checkout

    def keep(self, step: str, values: dict[str, str]) -> None:
        """Remember the answers of one step."""
        checkout = self.request.session.setdefault("checkout", {"reference": new_reference()})
        checkout[step] = values

    def go_to(self, route: str) -> HTTPSeeOther:
        """Send the browser on with a GET, so that reloading repeats nothing."""
        return HTTPSeeOther(self.request.route_path(route))

    def not_yet(self, *needed: str) -> HTTPSeeOther | None:
        """Where to go first, if something that this step needs is missing."""
        if not self.request.cart:
            self.request.session.flash("Your cart is empty: there is nothing to order yet.", "error")
            return self.go_to("cart")
        for step in needed:
            if step not in self.answers:
                return self.go_to(f"checkout_{step}")
        return None

    def page(self, step: str, **values: Any) -> dict[str, Any]:
        """What the template of a step gets."""
        return {"steps": STEPS, "step": step, "answers": self.answers, **values}


@view_config(route_name="checkout", request_method="GET")
def checkout(request: Request) -> HTTPSeeOther:
    """Begin, or go on where the customer left off."""
    step = Step(request)
    return step.not_yet("address", "delivery") or step.go_to("checkout_review")


@view_defaults(route_name="checkout_address", renderer="shop:templates/checkout/address.jinja2")
class AddressStep(Step):
    @view_config(request_method="GET")
    def show(self) -> dict[str, Any] | HTTPSeeOther:
        return self.not_yet() or self.form(self.answers.get("address", {}), {})

    @view_config(request_method="POST")
    def save(self) -> dict[str, Any] | HTTPSeeOther:
        values, errors = check_address(self.request.form_fields)
        if errors:
            self.request.response.status_int = 422
            return self.form(values, errors)
        # Also with an empty cart, as after a session has ended: nobody likes to type an address twice.
        self.keep("address", values)
        return self.not_yet() or self.go_to("checkout_delivery")

    def form(self, values: dict[str, str], errors: Errors) -> dict[str, Any]:
        values = {"country": DEFAULT_COUNTRY, **values}
        return self.page("address", values=values, errors=errors, fields=ADDRESS_FIELDS, countries=COUNTRIES)


@view_defaults(route_name="checkout_delivery", renderer="shop:templates/checkout/delivery.jinja2")
class DeliveryStep(Step):
    @view_config(request_method="GET")
    def show(self) -> dict[str, Any] | HTTPSeeOther:
        return self.not_yet("address") or self.form(self.answers.get("delivery", {}), {})

    @view_config(request_method="POST")
    def save(self) -> dict[str, Any] | HTTPSeeOther:
        values, errors = check_delivery(self.request.form_fields)
        if errors:
            self.request.response.status_int = 422
            return self.form(values, errors)
        self.keep("delivery", values)
        return self.not_yet("address") or self.go_to("checkout_review")

    def form(self, values: dict[str, str], errors: Errors) -> dict[str, Any]:
        values = {"method": DEFAULT_DELIVERY, "note": "", **values}
        return self.page("delivery", values=values, errors=errors, deliveries=DELIVERIES, max_note=MAX_NOTE)


@view_defaults(route_name="checkout_review")
class ReviewStep(Step):
    @view_config(request_method="GET", renderer="shop:templates/checkout/review.jinja2")
    def show(self) -> dict[str, Any] | HTTPSeeOther:
        if missing := self.not_yet("address", "delivery"):
            return missing
        lines = self.request.cart.priced(self.request.dbsession)
        delivery = DELIVERIES[self.answers["delivery"]["method"]]
        goods = sum(line.total for line in lines)
        return self.page(
            "review",
            lines=lines,
            goods=goods,
            delivery=delivery,
            total=goods + delivery.price,
            country=COUNTRIES[self.answers["address"]["country"]],
        )

    @view_config(request_method="POST")
    def place(self) -> HTTPSeeOther:
        """Write the order and clear the cart: both happen, or neither, for both are in one transaction."""
        request = self.request
        reference = request.form_fields.get("reference")
        if reference in request.session.get("orders", []):
            request.session.flash("You had placed this order already. It has not been placed twice.")
            return HTTPSeeOther(request.route_path("order", reference=reference))
        if missing := self.not_yet("address", "delivery"):
            return missing

        address, delivery = self.answers["address"], self.answers["delivery"]
        user = request.identity
        order = Order(
            reference=self.answers["reference"],
            user_id=user.id if user else None,
            placed_at=datetime.now(UTC).replace(tzinfo=None, microsecond=0),
            **address,
            delivery=delivery["method"],
            delivery_price=DELIVERIES[delivery["method"]].price,
            note=delivery["note"],
            lines=[
                OrderLine(
                    product_id=line.product.id,
                    name=line.product.name,
                    price=line.product.price,
                    quantity=line.quantity,
                )
                for line in request.cart.priced(request.dbsession)
            ],
        )
        request.dbsession.add(order)
        request.cart.empty()
        del request.session["checkout"]
        request.session.setdefault("orders", []).append(order.reference)
        request.session.flash("Thank you! Your order is placed.")
        if "break" in request.form_fields:
            request.dbsession.flush()
            raise BrokenOrderError(what_is_there(request, order.reference))
        return HTTPSeeOther(request.route_path("order", reference=order.reference))


class BrokenOrderError(Exception):
    """The order was written and the cart emptied, and then somebody pressed the button that breaks it.

    Args:
        seen: What there was at that moment.
    """

    def __init__(self, seen: dict[str, int]) -> None:
        super().__init__("broken on purpose")
        self.seen = seen


def what_is_there(request: Request, reference: str) -> dict[str, int]:
    """Count the orders with this number in the database, and the things in the cart."""
    orders = select(func.count()).where(Order.reference == reference)
    return {"orders": request.dbsession.scalar(orders), "things": request.cart.count}


@exception_view_config(BrokenOrderError)
def break_order(error: BrokenOrderError, request: Request) -> HTTPSeeOther:
    """Send the browser to the page that looks again: here the transaction is not rolled back yet."""
    return HTTPSeeOther(request.route_path("checkout_broken", _query=error.seen))


@view_config(
    route_name="checkout_broken", request_method="GET", renderer="shop:templates/checkout/broken.jinja2"
)
def broken(request: Request) -> dict[str, Any] | HTTPSeeOther:
    """Show what was there half-way, as the address says, and what is there now."""
    step = Step(request)
    if missing := step.not_yet("address", "delivery"):
        return missing
    numbers = {name: request.GET.get(name, "") for name in ("orders", "things")}
    half_way = {name: number if number.isdecimal() else "?" for name, number in numbers.items()}
    return {"half_way": half_way, "now": what_is_there(request, step.answers["reference"])}
