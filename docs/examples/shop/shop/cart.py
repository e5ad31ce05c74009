"""The cart: plain data in the web session, and what it costs at today's prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from .models import Product

if TYPE_CHECKING:
    from pyramid.interfaces import ISession
    from sqlalchemy.orm import Session as DatabaseSession

MAX_QUANTITY = 20
"""Of one product in one cart."""


@dataclass(frozen=True)
class PricedLine:
    """One line of the cart with the product it names."""

    product: Product
    quantity: int

    @property
    def total(self) -> int:
        """In cents."""
        return self.product.price * self.quantity


class Cart:
    """A view of `session["cart"]`, which looks like `{"lines": [{"slug": "teapot", "quantity": 2}]}`.

    A list keeps the order in which things were put in; a dictionary would lose it in a PostgreSQL JSONB
    column. The dictionaries and the list are changed where they are: the session finds out by itself.
    """

    def __init__(self, session: ISession) -> None:
        self._session = session

    @property
    def _lines(self) -> list[dict[str, Any]]:
        cart = self._session.get("cart")
        return cart["lines"] if cart else []

    def __bool__(self) -> bool:
        return bool(self._lines)

    @property
    def count(self) -> int:
        """How many things are in it."""
        return sum(line["quantity"] for line in self._lines)

    def add(self, slug: str, quantity: int) -> int:
        """Add some of a product, up to `MAX_QUANTITY`; return how many of it are in the cart now."""
        lines = self._session.setdefault("cart", {"lines": []})["lines"]
        for line in lines:
            if line["slug"] == slug:
                now: int = min(line["quantity"] + quantity, MAX_QUANTITY)
                line["quantity"] = now
                return now
        now = min(quantity, MAX_QUANTITY)
        lines.append({"slug": slug, "quantity": now})
        return now

    def change(self, slug: str, quantity: int) -> None:
        """Set how many of a product there are; nothing happens if it is not in the cart."""
        for line in self._lines:
            if line["slug"] == slug:
                line["quantity"] = quantity

    def remove(self, slug: str) -> bool:
        """Take a product out; whether it was in."""
        lines = self._lines
        kept = [line for line in lines if line["slug"] != slug]
        if len(kept) == len(lines):
            return False
        lines[:] = kept
        return True

    def empty(self) -> None:
        """Take everything out."""
        self._session.pop("cart", None)

    def priced(self, dbsession: DatabaseSession) -> list[PricedLine]:
        """The lines whose products the shop still has."""
        slugs = [line["slug"] for line in self._lines]
        found = {
            product.slug: product
            for product in dbsession.scalars(select(Product).where(Product.slug.in_(slugs)))
        }
        return [
            PricedLine(found[line["slug"]], line["quantity"]) for line in self._lines if line["slug"] in found
        ]
