"""The floors: what an application would pay that kept the session's data in a table of its own, by hand.

One `dbsession.get()` to read, `get()` and one change to write, one `add()` for a new one; or the same by
SQLAlchemy Core on the same connection and in the same transaction. There is no cookie, no expiry, no
protection of anything: the key is known. It cannot be less through the ORM.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import zope.sqlalchemy
from sqlalchemy import JSON, BigInteger, Uuid, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.orm.attributes import flag_modified
from webob.cookies import SignedSerializer
from worker import Contender

from contenders import payload, versions
from contenders.database import make_engine
from contenders.pyramid_app import make_app

if TYPE_CHECKING:
    from pyramid.response import Response


class Base(DeclarativeBase):
    """The declarative base."""


class Stored(Base):
    """A row that holds what a session holds."""

    __tablename__ = "stored"
    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    created: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))


def make(url: str, *, core: bool = False, cookie: bool = False, size: int = 100) -> Contender:
    """Return the floor, by the ORM or by Core statements; `cookie`: a new row's key goes out in a cookie."""
    engine = make_engine(url)
    Base.metadata.create_all(engine)
    data = payload(size)
    with sessionmaker(engine).begin() as session:
        key = uuid.uuid4()
        session.add(Stored(id=key, created=int(time.time()), data=data))
    views = _core_views(key, data) if core else _orm_views(key, data)
    if cookie:
        views["new"] = _with_cookie(data)
    app = make_app(views, make_dbsession=sessionmaker(engine))
    return Contender(
        app, versions=versions("pyramid", "pyramid-tm", "zope.sqlalchemy", "sqlalchemy", "psycopg")
    )


def _orm_views(key: uuid.UUID, data: dict[str, Any]) -> dict[str, Any]:
    def read(request: Any) -> str:
        return str(request.dbsession.get(Stored, key).data["counter"])

    def write(request: Any) -> str:
        row = request.dbsession.get(Stored, key)
        row.data = {**row.data, "counter": row.data["counter"] + 1}
        return str(row.data["counter"])

    def new(request: Any) -> str:
        request.dbsession.add(Stored(id=uuid.uuid4(), created=int(time.time()), data=data))
        return ""

    def take(request: Any) -> str:
        return str(len(request.dbsession.get(Stored, key).data["cart"]))

    def change(request: Any) -> str:
        row = request.dbsession.get(Stored, key)
        article = row.data["cart"][0]
        article["pieces"] += 1
        flag_modified(row, "data")
        return str(article["pieces"])

    return {"read": read, "write": write, "new": new, "take": take, "change": change}


def _with_cookie(data: dict[str, Any]) -> Any:
    """Return a view that also sends what any session sends: a signed cookie, and what caches must know."""
    signed = SignedSerializer("a secret for the benchmark", "session")

    def new(request: Any) -> str:
        key = uuid.uuid4()
        request.dbsession.add(Stored(id=key, created=int(time.time()), data=data))

        def send(_request: Any, response: Response) -> None:
            response.set_cookie("stored", signed.dumps(key.hex).decode(), httponly=True, samesite="Lax")
            response.headerlist.append(("Vary", "Cookie"))
            response.headerlist.append(("Cache-Control", 'private, no-cache="Set-Cookie"'))

        request.add_response_callback(send)
        return ""

    return new


def _core_views(key: uuid.UUID, data: dict[str, Any]) -> dict[str, Any]:
    table: Any = Stored.__table__
    # Built once, as a careful application does.
    find = select(table.c.created, table.c.data).where(table.c.id == key)
    change = update(table).where(table.c.id == key)
    add = insert(table)

    def read(request: Any) -> str:
        row = request.dbsession.connection().execute(find).one()
        return str(row.data["counter"])

    def write(request: Any) -> str:
        connection = request.dbsession.connection()
        row = connection.execute(find).one()
        data = {**row.data, "counter": row.data["counter"] + 1}
        connection.execute(change, {"data": data})
        zope.sqlalchemy.mark_changed(request.dbsession, request.tm)
        return str(data["counter"])

    def new(request: Any) -> str:
        values = {"id": uuid.uuid4(), "created": int(time.time()), "data": data}
        request.dbsession.connection().execute(add, values)
        zope.sqlalchemy.mark_changed(request.dbsession, request.tm)
        return ""

    return {"read": read, "write": write, "new": new}
