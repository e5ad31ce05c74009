"""The model every new project starts with."""

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from .meta import Base


class MyModel(Base):
    __tablename__ = "models"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    # The cookiecutter gives no length; MariaDB wants one.
    name: Mapped[str | None] = mapped_column(String(100))
    value: Mapped[int | None] = mapped_column(Integer)


Index("my_index", MyModel.name, unique=True)
