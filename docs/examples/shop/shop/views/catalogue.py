"""The product list and the product pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyramid.httpexceptions import HTTPNotFound
from pyramid.view import view_config
from sqlalchemy import select

from ..cart import MAX_QUANTITY
from ..models import Product

if TYPE_CHECKING:
    from pyramid.request import Request


@view_config(route_name="home", request_method="GET", renderer="shop:templates/home.jinja2")
def home(request: Request) -> dict[str, Any]:
    products = request.dbsession.scalars(select(Product).order_by(Product.id)).all()
    return {"products": products}


@view_config(route_name="product", request_method="GET", renderer="shop:templates/product.jinja2")
def product(request: Request) -> dict[str, Any]:
    return {"product": find_product(request, request.matchdict["slug"]), "max_quantity": MAX_QUANTITY}


def find_product(request: Request, slug: str) -> Product:
    """The product of that name.

    Raises:
        HTTPNotFound: There is none.
    """
    found: Product | None = request.dbsession.scalar(select(Product).where(Product.slug == slug))
    if found is None:
        raise HTTPNotFound
    return found
