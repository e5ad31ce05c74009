"""A row that the application's own transaction takes along is a logout: by the ORM, a cascade, in bulk."""

from __future__ import annotations

import warnings

import pytest
from site_under_test import Order, enforce_foreign_keys
from sqlalchemy import ForeignKey, delete, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from websession_models import AbsoluteMixin, BaseMixin, FullyFeaturedSession, UseridMixin
from websession_pyramid import SessionInvalidated


class Base(DeclarativeBase):
    """Of this file alone: no other test has to create these tables."""


class Firm(Base):
    """Whose users go with it."""

    __tablename__ = "gone_firm"
    id: Mapped[int] = mapped_column(primary_key=True)


class PlainUser(Base):
    """The database takes the sessions along, and the ORM knows nothing of it."""

    __tablename__ = "gone_plain_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    firm_id: Mapped[int | None] = mapped_column(ForeignKey("gone_firm.id", ondelete="CASCADE"))


class PlainSession(FullyFeaturedSession, Base):
    """Has a foreign key, as the documentation advises."""

    __tablename__ = "gone_plain_session"
    userid: Mapped[int | None] = mapped_column(
        ForeignKey("gone_plain_user.id", ondelete="CASCADE"), index=True
    )


class EagerUser(Base):
    """The database takes the sessions along, and each session shows its user."""

    __tablename__ = "gone_eager_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    firm_id: Mapped[int | None] = mapped_column(ForeignKey("gone_firm.id", ondelete="CASCADE"))


class EagerSession(FullyFeaturedSession, Base):
    """The user comes with the session."""

    __tablename__ = "gone_eager_session"
    userid: Mapped[int | None] = mapped_column(
        ForeignKey("gone_eager_user.id", ondelete="CASCADE"), index=True
    )
    user: Mapped[EagerUser | None] = relationship(lazy="joined")


class CascadingUser(Base):
    """The ORM takes the sessions along."""

    __tablename__ = "gone_cascading_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    firm_id: Mapped[int | None] = mapped_column(ForeignKey("gone_firm.id", ondelete="CASCADE"))
    sessions: Mapped[list[CascadingSession]] = relationship(
        back_populates="user", cascade="all, delete-orphan"
    )


class CascadingSession(FullyFeaturedSession, Base):
    """Belongs to its user's list."""

    __tablename__ = "gone_cascading_session"
    userid: Mapped[int | None] = mapped_column(
        ForeignKey("gone_cascading_user.id", ondelete="CASCADE"), index=True
    )
    user: Mapped[CascadingUser | None] = relationship(back_populates="sessions")


class LeavingUser(Base):
    """The database takes the user out of the sessions."""

    __tablename__ = "gone_leaving_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    firm_id: Mapped[int | None] = mapped_column(ForeignKey("gone_firm.id", ondelete="CASCADE"))


class LeavingSession(FullyFeaturedSession, Base):
    """Stays, and is nobody's."""

    __tablename__ = "gone_leaving_session"
    userid: Mapped[int | None] = mapped_column(
        ForeignKey("gone_leaving_user.id", ondelete="SET NULL"), index=True
    )


class NullingUser(Base):
    """The ORM takes the user out of the sessions, as it does for any relationship without a cascade."""

    __tablename__ = "gone_nulling_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    firm_id: Mapped[int | None] = mapped_column(ForeignKey("gone_firm.id", ondelete="CASCADE"))
    sessions: Mapped[list[NullingSession]] = relationship(back_populates="user")


class NullingSession(FullyFeaturedSession, Base):
    """Stays, and is nobody's."""

    __tablename__ = "gone_nulling_session"
    userid: Mapped[int | None] = mapped_column(ForeignKey("gone_nulling_user.id"), index=True)
    user: Mapped[NullingUser | None] = relationship(back_populates="sessions")


class BareSession(AbsoluteMixin, UseridMixin, BaseMixin, Base):
    """Stays, and shows no trace of a login."""

    __tablename__ = "gone_bare_session"
    userid: Mapped[int | None] = mapped_column(
        ForeignKey("gone_leaving_user.id", ondelete="SET NULL"), index=True
    )


USERS = {
    PlainSession: PlainUser,
    EagerSession: EagerUser,
    CascadingSession: CascadingUser,
    LeavingSession: LeavingUser,
    NullingSession: NullingUser,
    BareSession: LeavingUser,
}


class Goner:
    """The ways of a row out of its table."""

    @staticmethod
    def orm(request, user):
        request.dbsession.delete(request.dbsession.get(user, request.session.userid))

    @staticmethod
    def orm_flushed(request, user):
        Goner.orm(request, user)
        request.dbsession.flush()

    @staticmethod
    def bulk(request, user):
        request.dbsession.execute(delete(user).where(user.id == request.session.userid))

    @staticmethod
    def query(request, user):
        request.dbsession.query(user).filter(user.id == request.session.userid).delete()

    @staticmethod
    def table(request, user):
        table = user.__table__
        request.dbsession.execute(delete(table).where(table.c.id == request.session.userid))

    @staticmethod
    def firm(request, user):
        assert request.session.userid == 7
        request.dbsession.execute(delete(Firm))

    @staticmethod
    def own_sessions(request, user):
        model = next(model for model, its_user in USERS.items() if its_user is user)
        request.dbsession.execute(delete(model).where(model.userid == request.session.userid))

    @staticmethod
    def own_row(request, user):
        request.dbsession.delete(request.session.row())

    @staticmethod
    def let_go(request, user):
        request.session.row()
        request.dbsession.get(user, request.session.userid).sessions = []
        request.dbsession.flush()


FLUSHED = {"orm_flushed", "let_go"}
GONERS = {name: function.__func__ for name, function in vars(Goner).items() if not name.startswith("_")}

THEN = {
    "nothing": lambda session: None,
    "flash": lambda session: session.flash("Goodbye"),
    "invalidate and flash": lambda session: (session.invalidate(), session.flash("Goodbye")),
    "login(None)": lambda session: session.login(None),
    "row()": lambda session: (session.row(), session.flash("Goodbye")),
}


# What knows nothing of the ORM is the same for all.
USUAL = ("orm", "orm_flushed", "bulk", "own_row")
WAYS = [
    *((PlainSession, how) for how in GONERS if how != "let_go"),
    *((model, how) for model in (EagerSession, CascadingSession) for how in USUAL),
    *((LeavingSession, how) for how in ("orm", "bulk", "firm")),
    *((NullingSession, how) for how in ("orm", "orm_flushed", "let_go")),
    (BareSession, "bulk"),
]


@pytest.fixture(params=[PlainSession, EagerSession, CascadingSession], ids=lambda model: model.__name__)
def site(make_site, request):
    attempts, events = [], []

    def configure(config):
        config.add_subscriber(lambda event: events.append(event.reason), SessionInvalidated)

    site = make_site(model=request.param, configure=configure)
    site.user, site.attempts, site.events = USERS[request.param], attempts, events
    enforce_foreign_keys(site)
    with site.dbsession_maker.begin() as dbsession:
        dbsession.add(Firm(id=1))
        dbsession.flush()
        dbsession.add_all(site.user(id=number, firm_id=1) for number in (7, 8))
    site.views["cart"] = lambda request: request.session.update(cart=["apples"])
    site.views["look"] = lambda request: [
        request.session.userid,
        request.session.copy(),
        request.session.peek_flash(),
    ]
    return site


@pytest.fixture
def browser(site):
    browser = site.browser()
    browser.get("/login")
    browser.get("/cart")
    return browser


@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize(
    ("site", "how"), WAYS, indirect=["site"], ids=[f"{model.__name__}-{how}" for model, how in WAYS]
)
def test_it_is_a_logout_and_what_is_put_in_afterwards_begins_a_new_session(site, browser, how, then):
    old = browser.cookies["websession"]

    @site.view
    def it(request):
        site.attempts.append(1)
        GONERS[how](request, site.user)
        THEN[then](request.session)
        return request.session.userid if how in FLUSHED or then != "nothing" else None

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert browser.get("/it").json_body is None
    goodbye = ["Goodbye"] if "flash" in then or then == "row()" else []
    assert browser.get("/look").json_body == [None, {}, goodbye]
    assert bool(browser.cookies) == bool(goodbye)
    assert site.attempts == [1]
    assert len(site.rows()) == len(goodbye) == len(site.activity())
    assert len(site.events) == 1
    thief = site.browser()
    thief.set_cookie("websession", old)
    assert thief.get("/look").json_body == [None, {}, []]


@pytest.mark.parametrize("how", ["orm_flushed", "bulk"])
def test_a_rolled_back_savepoint_brings_it_back(site, browser, how):
    @site.view
    def it(request):
        savepoint = request.dbsession.begin_nested()
        GONERS[how](request, site.user)
        request.session.flash("Goodbye")
        assert request.session.userid is None
        savepoint.rollback()
        request.session["b"] = 2
        return request.session.userid

    assert browser.get("/it").json_body == 7
    assert browser.get("/look").json_body == [7, {"cart": ["apples"], "b": 2}, []]


def test_who_deletes_another_user_stays_logged_in(site, browser):
    @site.view
    def it(request):
        request.dbsession.delete(request.dbsession.get(site.user, 8))
        request.session.flash("Deleted")

    browser.get("/it")
    assert browser.get("/look").json_body == [7, {"cart": ["apples"]}, ["Deleted"]]
    assert site.events == []


def test_another_user_can_log_in_afterwards(site, browser):
    @site.view
    def it(request):
        request.dbsession.delete(request.dbsession.get(site.user, 7))
        request.session.login(8)

    browser.get("/it")
    assert browser.get("/look").json_body == [8, {}, []]


@pytest.mark.parametrize("site", [LeavingSession], indirect=True, ids=["SET NULL"])
def test_whose_account_another_request_deletes_is_a_visitor_at_the_next(site, browser):
    with site.dbsession_maker.begin() as dbsession:
        dbsession.execute(delete(LeavingUser).where(LeavingUser.id == 7))
    assert browser.get("/look").json_body == [None, {}, []]
    assert site.rows() == site.activity() == []
    browser.get("/cart")
    assert browser.get("/look").json_body == [None, {"cart": ["apples"]}, []]
    site.views["out"] = lambda request: request.session.invalidate()
    browser.get("/out")
    assert not browser.cookies


@pytest.mark.parametrize("end", ["leave", "login", "timeout"])
def test_without_the_time_of_the_login_a_logout_a_login_or_the_timeout_has_to_come_first(make_site, end):
    site = make_site(model=BareSession, settings={"session.absolute_timeout": 3600})
    enforce_foreign_keys(site)
    with site.dbsession_maker.begin() as dbsession:
        dbsession.add_all(LeavingUser(id=number) for number in (7, 8))
    site.views["login"] = lambda request: request.session.login(int(request.params["userid"]))
    browser = site.browser()
    browser.get("/login?userid=7")
    with site.dbsession_maker.begin() as dbsession:
        dbsession.execute(delete(LeavingUser).where(LeavingUser.id == 7))
    browser.get("/start")
    assert browser.get("/look").json_body == {}
    if end == "timeout":
        site.clock.advance(3600)
    else:
        browser.get(f"/{end}?userid=8")
    assert (not browser.cookies) is (end == "leave")
    browser.get("/start")
    assert browser.get("/look").json_body == {"a": 1}
    assert browser.get("/who").json_body == (8 if end == "login" else None)


def test_a_statement_past_the_database_session_is_told_and_not_run_again(make_site, websession_engine_name):
    """Where the engine lets it be told from a deletion by another request."""
    site = make_site(model=PlainSession)
    with site.dbsession_maker.begin() as dbsession:
        dbsession.add(PlainUser(id=7))
    attempts = []

    @site.view
    def it(request):
        attempts.append(1)
        request.session.flash("all ended")
        request.dbsession.connection().execute(text("DELETE FROM gone_plain_session"))

    browser = site.browser()
    browser.get("/login")
    with pytest.raises(Exception, match=r"call request\.session\.invalidate\(\) before the statement"):
        browser.get("/it")
    assert attempts == [1]
    assert len(site.rows()) == 1


def test_a_deletion_elsewhere_in_the_database_costs_no_statement(make_site):
    site = make_site()
    browser = site.browser()
    browser.get("/start")

    @site.view
    def it(request):
        request.session.get("a")
        site.statements.clear()
        request.dbsession.execute(delete(Order))
        order = Order(text="x")
        request.dbsession.add(order)
        request.dbsession.flush()
        request.dbsession.delete(order)
        request.session["b"] = 1

    browser.get("/it")
    assert [statement for statement in site.statements if statement != "COMMIT"] == [
        "DELETE",
        "INSERT",
        "DELETE",
        "UPDATE",
    ]
