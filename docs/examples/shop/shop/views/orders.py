"""Orders that were placed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyramid.httpexceptions import HTTPNotFound
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from ..forms import COUNTRIES, DELIVERIES
from ..models import Order

if TYPE_CHECKING:
    from pyramid.request import Request


@view_config(route_name="order", request_method="GET", renderer="shop:templates/order.jinja2")
def order(request: Request) -> dict[str, Any]:
    """One order, shown to the browser that placed it and to the user it belongs to."""
    reference = request.matchdict["reference"]
    found: Order | None = request.dbsession.scalar(select(Order).where(Order.reference == reference))
    if found is None or not may_see(request, found):
        # The same answer for both: whether a number exists is nobody else's business.
        raise HTTPNotFound
    return {
        "order": found,
        "country": COUNTRIES.get(found.country, found.country),
        "delivery": DELIVERIES.get(found.delivery),
    }


@view_config(
    route_name="orders", request_method="GET", permission="account", renderer="shop:templates/orders.jinja2"
)
def orders(request: Request) -> dict[str, Any]:
    """The orders of the user who is logged in, the newest first."""
    statement = (
        select(Order)
        .where(Order.user_id == request.identity.id)
        .order_by(Order.id.desc())
        .options(selectinload(Order.lines))
    )
    return {"orders": request.dbsession.scalars(statement).all()}


def may_see(request: Request, order: Order) -> bool:
    """Whether this browser may see the order."""
    user = request.identity
    if user is not None and order.user_id == user.id:
        return True
    return order.reference in request.session.get("orders", [])
