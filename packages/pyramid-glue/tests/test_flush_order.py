"""What is pending in the application's database session is flushed before the session's row is written."""

from __future__ import annotations

from typing import Any

import pytest
import zope.sqlalchemy
from site_under_test import enforce_foreign_keys
from sqlalchemy import ForeignKey, String, delete, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from websession_models import BaseMixin, UseridMixin
from websession_pyramid import active_sessions


class Base(DeclarativeBase):
    """Of this file alone: no other test has to create these tables."""


class Member(Base):
    """Has a key that the application makes."""

    __tablename__ = "order_member"
    name: Mapped[str] = mapped_column(String(50), primary_key=True)


class MemberSession(UseridMixin, BaseMixin, Base):
    """Refers to its user, as the documentation advises."""

    __tablename__ = "order_session"
    userid: Mapped[str | None] = mapped_column(ForeignKey("order_member.name"), index=True)


class Draft(Base):
    """Refers to the session, without a rule for its end."""

    __tablename__ = "order_draft"
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[Any] = mapped_column(ForeignKey("order_session.id"))


@pytest.fixture
def site(make_site):
    site = make_site(model=MemberSession)
    enforce_foreign_keys(site)
    site.views["draft"] = lambda request: request.dbsession.add(Draft(session_id=request.session.id))
    return site


def drafts_deleted(request):
    for draft in request.dbsession.scalars(select(Draft).where(Draft.session_id == request.session.id)).all():
        request.dbsession.delete(draft)


@pytest.mark.parametrize("known", [False, True], ids=["new session", "anonymous session"])
@pytest.mark.parametrize("looks", [False, True], ids=["", "row()"])
def test_a_user_who_signs_up_is_logged_in_by_the_same_request(site, known, looks):
    browser = site.browser()
    if known:
        browser.get("/start")

    @site.view
    def sign_up(request):
        request.dbsession.add(Member(name="ann"))
        request.session.login("ann")
        return request.session.row().userid if looks else "ann"

    assert browser.get("/sign_up").json_body == "ann"
    assert browser.get("/who").json_body == "ann"
    assert site.count(Member) == 1


def test_a_database_session_without_autoflush_is_flushed_at_the_commit(make_site):
    sites = []

    def dbsession(request):
        session = Session(sites[0].engine, autoflush=False)
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    site = make_site(model=MemberSession, dbsession_factory=dbsession)
    sites.append(site)
    enforce_foreign_keys(site)

    @site.view
    def sign_up(request):
        request.session["a"] = 1
        request.session.row()
        request.dbsession.add(Member(name="ann"))
        request.session["a"] = 2
        request.session.row()
        assert request.dbsession.new
        request.session.login("ann")

    browser = site.browser()
    browser.get("/sign_up")
    assert browser.get("/who").json_body == "ann"


@pytest.mark.parametrize("how", ["invalidate", "invalidate and row()", "end_all", "end_everybodys"])
def test_what_refers_to_the_session_can_be_deleted_and_the_session_ended(site, how):
    browser = site.browser()
    with site.dbsession_maker.begin() as dbsession:
        dbsession.add(Member(name="ann"))
    site.views["login"] = lambda request: request.session.login("ann")
    browser.get("/login")
    browser.get("/draft")

    @site.view
    def leave(request):
        drafts_deleted(request)
        if how == "end_all":
            active_sessions(request).end_all()
        elif how == "end_everybodys":
            active_sessions(request).end_everybodys()
        else:
            request.session.invalidate()
        if how == "invalidate and row()":
            request.session.row()

    browser.get("/leave")
    assert site.count(Draft) == 0
    assert len(site.rows()) == (how == "invalidate and row()")
    assert browser.get("/who").json_body is None


def test_a_flush_listener_may_change_the_session_and_the_change_is_stored(site):
    """And the user whom it logs in is flushed before, though nothing was known of them at the commit."""
    browser = site.browser()
    browser.get("/start")

    @site.view
    def sign_up(request):
        def listen(dbsession, *_):
            dbsession.add(Member(name="ann"))
            request.session.login("ann")

        event.listen(request.dbsession, "before_flush", listen, once=True)
        request.dbsession.add(Member(name="bob"))
        request.session["a"] = 2

    browser.get("/sign_up")
    assert browser.get("/who").json_body == "ann"
    assert browser.get("/look").json_body == {"a": 2}


def test_a_flush_listener_may_ask_for_the_row(site):
    browser = site.browser()

    @site.view
    def it(request):
        def listen(dbsession, *_):
            if dbsession.new:
                request.session.row()

        event.listen(request.dbsession, "before_flush", listen, once=True)
        request.dbsession.add(Member(name="bob"))
        request.session["a"] = 2

    browser.get("/it")
    assert browser.get("/look").json_body == {"a": 2}


def test_a_request_that_only_reads_the_session_flushes_nothing_early(site):
    browser = site.browser()
    browser.get("/start")

    @site.view
    def it(request):
        request.dbsession.add(Member(name="ann"))
        seen = [request.session.copy(), request.session.id is None]
        assert request.dbsession.new
        return seen

    assert browser.get("/it").json_body == [{"a": 1}, False]
    assert site.count(Member) == 1
    with site.dbsession_maker.begin() as dbsession:
        dbsession.execute(delete(Member))
