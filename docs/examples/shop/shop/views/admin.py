"""For administrators: who is logged in, and how to end that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.view import view_config, view_defaults
from pyramid_sqlalchemy_sessions import active_sessions, is_active
from sqlalchemy import func, select

from ..models import Session, User

if TYPE_CHECKING:
    from pyramid.request import Request


@view_defaults(permission="admin")
class Admin:
    def __init__(self, request: Request) -> None:
        self.request = request

    @view_config(route_name="admin", request_method="GET", renderer="shop:templates/admin.jinja2")
    def show(self) -> dict[str, Any]:
        """The users and how often they are logged in, by a query of our own."""
        active = is_active(Session, now=int(time.time()))
        numbers = select(Session.userid, func.count().label("number")).where(active)
        sessions = numbers.group_by(Session.userid).subquery()
        users = (
            select(User, func.coalesce(sessions.c.number, 0))
            .outerjoin(sessions, sessions.c.userid == User.id)
            .order_by(User.full_name)
        )
        guests = select(func.count()).select_from(Session).where(active, Session.userid.is_(None))
        dbsession = self.request.dbsession
        return {"users": dbsession.execute(users).all(), "guests": dbsession.scalar(guests)}

    @view_config(route_name="admin_end", request_method="POST")
    def end(self) -> HTTPSeeOther:
        """End all sessions of one user; this one, too, if it is theirs."""
        name = self.request.form_fields.get("user", "")
        user: User | None = self.request.dbsession.scalar(select(User).where(User.name == name))
        if user is None:
            raise HTTPNotFound
        number = active_sessions(self.request).end_all(user.id)
        self.request.session.flash(f"{user.full_name} is logged out everywhere. Sessions ended: {number}.")
        return HTTPSeeOther(self.request.route_path("admin"))

    @view_config(route_name="admin_end_everybodys", request_method="POST")
    def end_everybodys(self) -> HTTPSeeOther:
        """End every session but this one, those of guests with their carts, too."""
        number = active_sessions(self.request).end_everybodys(but_present=True)
        self.request.session.flash(f"Everybody else is logged out. Sessions ended: {number}.")
        return HTTPSeeOther(self.request.route_path("admin"))
