"""Orders as they were placed: names and prices are copied, because products change afterwards."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotation at run time

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .meta import Base


class Order(Base):
    __tablename__ = "customer_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    """Drawn when the checkout begins, so that one checkout cannot become two orders."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    """Empty for guests, who can order as well."""
    placed_at: Mapped[datetime]
    """UTC, without a time zone: SQLite keeps none."""

    name: Mapped[str] = mapped_column(String(100))
    street: Mapped[str] = mapped_column(String(100))
    postcode: Mapped[str] = mapped_column(String(12))
    city: Mapped[str] = mapped_column(String(100))
    country: Mapped[str] = mapped_column(String(2))
    delivery: Mapped[str] = mapped_column(String(20))
    delivery_price: Mapped[int]
    note: Mapped[str] = mapped_column(String(300))

    lines: Mapped[list[OrderLine]] = relationship(
        back_populates="order", cascade="all, delete-orphan", order_by="OrderLine.id"
    )

    @property
    def goods(self) -> int:
        """The price of the goods alone, in cents."""
        return sum(line.total for line in self.lines)

    @property
    def total(self) -> int:
        """What the customer pays, in cents."""
        return self.goods + self.delivery_price


class OrderLine(Base):
    __tablename__ = "order_line"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    name: Mapped[str] = mapped_column(String(80))
    price: Mapped[int]
    quantity: Mapped[int]

    order: Mapped[Order] = relationship(back_populates="lines")

    @property
    def total(self) -> int:
        """The price of the whole line, in cents."""
        return self.price * self.quantity
