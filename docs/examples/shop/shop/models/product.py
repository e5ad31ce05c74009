"""What the shop sells."""

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from .meta import Base


class Product(Base):
    __tablename__ = "product"
    __table_args__ = (CheckConstraint("price > 0", name="price_is_positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(40), unique=True)
    """The product's name in addresses and in the cart."""
    name: Mapped[str] = mapped_column(String(80))
    summary: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(String(600))
    price: Mapped[int]
    """In cents: money is counted, and floats do not count."""
    picture: Mapped[str] = mapped_column(String(40))
    """Which of `templates/pictures/` shows it."""
