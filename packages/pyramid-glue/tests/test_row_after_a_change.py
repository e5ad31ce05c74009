"""What the application reads through `row()` is what it has done, in the same request."""

from __future__ import annotations

import pytest
from pyramid.security import remember
from site_under_test import Base, User
from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship
from websession_models import BaseMixin, UseridMixin
from websession_pyramid import SessionSecurityPolicy


class EagerSession(UseridMixin, BaseMixin, Base):
    """The user comes with the session."""

    __tablename__ = "eager_session"
    userid: Mapped[int | None] = mapped_column(ForeignKey("shop_user.id"))
    user: Mapped[User | None] = relationship(lazy="joined", viewonly=True)


class LazySession(UseridMixin, BaseMixin, Base):
    """The user is loaded when it is looked at, and an expression over the userid is there."""

    __tablename__ = "lazy_session"
    userid: Mapped[int | None] = mapped_column(ForeignKey("shop_user.id"))
    user: Mapped[User | None] = relationship()


LazySession.hundreds = column_property(func.coalesce(LazySession.__table__.c.userid, 0) * 100)


class Member(Base):
    """Knows their sessions; the sessions know nothing of them."""

    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)
    sessions: Mapped[list[MemberSession]] = relationship()


class MemberSession(UseridMixin, BaseMixin, Base):
    """Has no relationship of its own."""

    __tablename__ = "member_session"
    userid: Mapped[int | None] = mapped_column(ForeignKey("member.id"))


PEOPLE = {1: "Ann", 2: "Bob"}


def policy():
    return SessionSecurityPolicy(identity=lambda request, userid: request.session.row().user)


@pytest.fixture(params=[EagerSession, LazySession], ids=["joined", "select"])
def site(make_site, request):
    site = make_site(model=request.param, configure=lambda config: config.set_security_policy(policy()))
    with site.dbsession_maker.begin() as dbsession:
        dbsession.add_all(User(id=userid, name=name) for userid, name in PEOPLE.items())
    site.views["anonymous"] = lambda request: request.session.update(a=1)
    site.views["ann"] = lambda request: request.session.login(1)
    return site


def seen(request):
    """Return all that tells who has the session; they must agree."""
    row = request.session.row()
    name = row.user and row.user.name
    assert row.userid == request.session.userid
    assert name == PEOPLE.get(request.session.userid)
    assert getattr(row, "hundreds", (row.userid or 0) * 100) == (row.userid or 0) * 100
    identity = request.identity
    assert (identity and identity.name) == name
    return name


CHANGES = {
    "login": lambda request: request.session.login(2),
    "remember": lambda request: remember(request, 2),
    "login(None)": lambda request: request.session.login(None),
    "act as": lambda request: request.session.login(2, keep_data=True),
    "the same": lambda request: request.session.login(1),
    "regenerate": lambda request: request.session.regenerate(),
    "invalidate": lambda request: request.session.invalidate(),
}
AFTER = {"login(None)": None, "the same": "Ann", "regenerate": "Ann", "invalidate": None}


@pytest.mark.parametrize("looked", [False, True], ids=["not looked at before", "looked at before"])
@pytest.mark.parametrize("change", CHANGES)
class TestRow:
    """`row()`, its columns and its relationships."""

    def test_shows_who_has_the_session_after_a_change(self, site, change, looked):
        browser = site.browser()
        browser.get("/ann")

        @site.view
        def it(request):
            if looked:
                assert seen(request) == "Ann"
            epoch = request.session.row().epoch if looked else 0
            CHANGES[change](request)
            name = seen(request)
            if change in ("the same", "regenerate"):
                assert request.session.row().epoch > epoch
            return name

        assert browser.get("/it").json_body == AFTER.get(change, "Bob")

    def test_shows_the_truth_after_a_savepoint_was_rolled_back(self, site, change, looked):
        browser = site.browser()
        browser.get("/ann")

        @site.view
        def it(request):
            before = request.session.row() if looked else None
            if looked:
                seen(request)
            savepoint = request.dbsession.begin_nested()
            CHANGES[change](request)
            assert seen(request) == AFTER.get(change, "Bob")
            savepoint.rollback()
            row = request.session.row()
            assert looked is False or (row.id, row.epoch) == (before.id, before.epoch)
            return [seen(request), row.epoch]

        assert browser.get("/it").json_body == ["Ann", 0]
        site.views["look"] = lambda request: request.session.userid
        assert browser.get("/look").json_body == 1


@pytest.mark.parametrize("start", ["/nothing", "/anonymous"])
def test_a_login_in_a_savepoint_that_is_rolled_back_was_none(site, start):
    browser = site.browser()
    site.views["nothing"] = lambda request: None
    browser.get(start)

    @site.view
    def it(request):
        savepoint = request.dbsession.begin_nested()
        request.session.login(1)
        assert seen(request) == "Ann"
        savepoint.rollback()
        assert request.session.userid is None
        assert seen(request) is None
        request.session.login(2)
        return seen(request)

    assert browser.get("/it").json_body == "Bob"
    assert len(site.rows()) == 1


def test_a_savepoint_of_the_transaction_goes_back_too(site):
    if site.engine.dialect.name == "sqlite":
        return  # zope.sqlalchemy supports none there
    browser = site.browser()
    browser.get("/ann")

    @site.view
    def it(request):
        assert seen(request) == "Ann"
        savepoint = request.tm.savepoint()
        request.session.login(2)
        assert seen(request) == "Bob"
        savepoint.rollback()
        return seen(request)

    assert browser.get("/it").json_body == "Ann"


def test_pending_changes_of_the_applications_own_stay(site):
    browser = site.browser()
    browser.get("/ann")

    @site.view
    def it(request):
        user = request.session.row().user
        user.name = "Anna"
        request.session.login(2)
        request.session.row()
        return user.name

    assert browser.get("/it").json_body == "Anna"
    with site.dbsession_maker() as dbsession:
        assert set(dbsession.scalars(select(User.name))) == {"Anna", "Bob"}


def test_a_users_list_of_sessions_follows(make_site):
    site = make_site(model=MemberSession)
    with site.dbsession_maker.begin() as dbsession:
        dbsession.add_all([Member(id=1), Member(id=2)])
    browser = site.browser()

    @site.view
    def it(request):
        ann, bob = (request.dbsession.get(Member, userid) for userid in (1, 2))
        seen = []

        def look():
            request.session.row()
            seen.append([len(ann.sessions), len(bob.sessions)])

        look()
        request.session.login(1)
        look()
        savepoint = request.dbsession.begin_nested()
        request.session.login(2)
        look()
        savepoint.rollback()
        look()
        request.session.login(None)
        look()
        request.session.login(1)
        look()
        request.session.invalidate()
        look()
        return seen

    assert browser.get("/it").json_body == [[0, 0], [1, 0], [0, 1], [1, 0], [0, 0], [1, 0], [0, 0]]
