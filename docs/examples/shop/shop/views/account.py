"""Login and logout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.security import forget, remember
from pyramid.view import exception_view_config, forbidden_view_config, view_config
from pyramid_sqlalchemy_sessions import RecentLoginRequired
from sqlalchemy import select

from ..forms import one_line
from ..guessing import minutes_to_wait, note_wrong_password
from ..models import User
from ..passwords import check_password
from ..seeds import DEMO_USERS
from ..storefront import own_path

if TYPE_CHECKING:
    from pyramid.request import Request

MAX_PASSWORD = 200
MAX_NAME = 40
REMEMBERED_DAYS = 90

WRONG = "The name and the password do not belong together."
TOO_MANY = (
    "There were too many wrong passwords, for this name or from your network. "
    "Wait {} minutes before you try again; until then even the right one is refused."
)


@view_config(route_name="login", request_method="GET", renderer="shop:templates/login.jinja2")
def show_login(request: Request) -> dict[str, Any] | HTTPSeeOther:
    after = own_path(request.GET.get("next"), request.route_path("home"))
    if request.identity is None:
        return login_page(after)
    if "again" in request.GET:
        return login_page(after, name=request.identity.name, is_again=True)
    return HTTPSeeOther(after)


@view_config(route_name="login", request_method="POST", renderer="shop:templates/login.jinja2")
def login(request: Request) -> dict[str, Any] | HTTPSeeOther:
    after = own_path(request.form_fields.get("next"), request.route_path("home"))
    name = one_line(request.form_fields.get("name", "")).lower()[:MAX_NAME]
    password = request.form_fields.get("password", "")[:MAX_PASSWORD]
    remember_me = "remember_me" in request.form_fields

    if minutes := minutes_to_wait(request, name):
        request.response.status_int = 429
        request.response.retry_after = minutes * 60
        return login_page(after, name=name, remember_me=remember_me, problem=TOO_MANY.format(minutes))
    user: User | None = request.dbsession.scalar(select(User).where(User.name == name))
    if not check_password(password, user.password_hash if user else None) or user is None:
        note_wrong_password(request, name)
        request.response.status_int = 422
        return login_page(after, name=name, remember_me=remember_me, problem=WRONG)

    headers = remember(request, user.id)
    with request.session.settings as settings:
        if remember_me:
            settings.idle_timeout = 0
            settings.absolute_timeout = settings.cookie_max_age = REMEMBERED_DAYS * 86400
        else:
            # The same user may have ticked the box at their last login.
            settings.idle_timeout = settings.absolute_timeout = settings.cookie_max_age = None
    request.session.flash(f"Welcome, {user.full_name}.")
    return HTTPSeeOther(after, headers=headers)


def login_page(
    after: str, *, name: str = "", remember_me: bool = False, problem: str = "", is_again: bool = False
) -> dict[str, Any]:
    """What the template gets. The passwords are on the page because this is a demo."""
    return {
        "after": after,
        "name": name,
        "remember_me": remember_me,
        "remembered_days": REMEMBERED_DAYS,
        "problem": problem,
        "is_again": is_again,
        "demo_users": DEMO_USERS,
    }


@view_config(route_name="logout", request_method="POST")
def logout(request: Request) -> HTTPSeeOther:
    return HTTPSeeOther(request.route_path("logged_out"), headers=forget(request))


@view_config(route_name="logged_out", request_method="GET", renderer="shop:templates/logged_out.jinja2")
def logged_out(request: Request) -> dict[str, Any]:
    """A page without forms, hence without a token: it is shown without a new session."""
    return {}


@exception_view_config(RecentLoginRequired)
def login_again(request: Request) -> HTTPSeeOther:
    """Ask for the password again, and lead on to the page; a form's view has to be asked for again."""
    after = request.path if request.method == "GET" else request.route_path("devices")
    return HTTPSeeOther(request.route_path("login", _query={"next": after, "again": "yes"}))


@forbidden_view_config(renderer="shop:templates/errors/forbidden.jinja2")
def login_first(request: Request) -> dict[str, Any] | HTTPSeeOther:
    """Let visitors log in first; tell users who may not see the page even then."""
    if request.identity is None:
        after = request.path if request.method == "GET" else request.route_path("home")
        return HTTPSeeOther(request.route_path("login", _query={"next": after}))
    request.response.status_int = 403
    return {"theme": request.theme}
