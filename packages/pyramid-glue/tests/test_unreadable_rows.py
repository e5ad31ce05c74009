"""A row that cannot be read opens nothing and breaks nothing: requests run without it, and it stays."""

from __future__ import annotations

import logging

import pytest
from site_under_test import Base, FullSession, LimitedSession, SealedSession, User
from sqlalchemy import ForeignKey, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column, relationship
from websession_core.settings import LimitPolicy
from websession_crypto import generate_secret_key
from websession_models import FullyFeaturedSession
from websession_pyramid import CookieRefused, SessionInvalidated, SessionSecurityPolicy

NONSENSE = (None, -1, 2**31 - 1, 2**63 - 1, 0, 1.5, "abc", "", "[]", '{"a":', b"\xff\xfe")
TIMEOUTS = {"session.idle_timeout": 600, "session.absolute_timeout": 6000, "session.renewal_timeout": 300}


class SessionWithUser(FullyFeaturedSession, Base):
    """The user comes with the session, so that the ORM reads the row."""

    __tablename__ = "unreadable_session"
    userid: Mapped[int | None] = mapped_column(ForeignKey("shop_user.id", ondelete="CASCADE"), index=True)
    user: Mapped[User | None] = relationship(lazy="joined")


def everything(request):
    session = request.session
    flash, age = session.peek_flash(), session.login_age
    return [session.userid, session.copy(), flash, bool(session.get_csrf_token()), session.created, age]


@pytest.fixture(params=[FullSession, SessionWithUser], ids=["", "with a relationship"])
def site(request, make_site):
    site = make_site(
        model=request.param,
        settings={**TIMEOUTS, "tm.annotate_user": False},
        configure=lambda config: config.set_security_policy(SessionSecurityPolicy()),
    )
    if request.param is SessionWithUser:
        with site.dbsession_maker.begin() as dbsession:
            dbsession.merge(User(id=7, name="ada"))
    site.views["everything"] = everything
    return site


def columns_of(site):
    inspector = inspect(site.engine)
    name = site.model.__tablename__
    for table in (name, f"{name}_activity"):
        key = inspector.get_pk_constraint(table)["constrained_columns"]
        for column in inspector.get_columns(table):
            if column["name"] not in key:
                yield table, column["name"]


def write(site, table, column, value):
    """Return whether the database takes the value."""
    name = site.engine.dialect.identifier_preparer.quote(column)
    try:
        with site.engine.begin() as connection:
            connection.execute(text(f"UPDATE {table} SET {name} = :value"), {"value": value})
    except (DBAPIError, TypeError):
        return False
    return True


def logged_in(site):
    browser = site.browser()
    browser.get("/start")
    browser.get("/login")
    browser.get("/who")
    return browser


def test_nonsense_in_any_column_breaks_no_page_no_login_and_no_logout(site):
    count = 0
    for table, column in list(columns_of(site)):
        for value in NONSENSE:
            browser = logged_in(site)
            if write(site, table, column, value):
                count += 1
                found = browser.get("/everything").json_body
                assert found[0] in {7, None} or column == "userid", (column, value)
                assert found[0] is None or isinstance(found[0], int), (column, value)
                browser.get("/login")
                assert write(site, table, column, value)
                browser.get("/leave")
                assert browser.get("/who").json_body is None
            with site.engine.begin() as connection:
                connection.execute(site.model.__table__.delete())
                connection.execute(
                    site.model.metadata.tables[f"{site.model.__tablename__}_activity"].delete()
                )
    assert count > 40


@pytest.mark.parametrize("column", ["data", "flash"])
def test_what_cannot_be_read_stays_and_is_told_of_once(make_site, caplog, column):
    events = []
    site = make_site(
        model=FullSession, configure=lambda config: config.add_subscriber(events.append, CookieRefused)
    )
    browser = logged_in(site)
    write(site, "full_session", column, "[1]")
    with caplog.at_level(logging.WARNING):
        assert browser.get("/who").json_body is None
    assert [(event.kind, event.reason) for event in events] == [("unreadable", "cannot be read")]
    (record,) = caplog.records
    assert record.getMessage().startswith(f"Session {events[0].session} is left out of a request")
    write(site, "full_session", column, "{}")
    assert browser.get("/who").json_body == 7


def test_a_key_that_comes_back_brings_the_session_back(make_site):
    keys = generate_secret_key(), generate_secret_key()
    site, other = (make_site(model=SealedSession, settings={"session.data_secret_key": key}) for key in keys)
    browser = logged_in(site)
    browser.app = other.app
    assert browser.get("/look").json_body == {}
    browser.app = site.app
    assert browser.get("/look").json_body == {"a": 1}
    assert browser.get("/who").json_body == 7


class TestWithoutTheKey:
    @pytest.fixture
    def site(self, make_site):
        return make_site(model=SealedSession, settings={"session.data_secret_key": generate_secret_key()})

    @pytest.fixture
    def other(self, make_site):
        return self.make_other(make_site)

    @staticmethod
    def make_other(make_site, **options):
        events = []
        site = make_site(
            model=SealedSession,
            settings={"session.data_secret_key": generate_secret_key()},
            configure=lambda config: config.add_subscriber(events.append, SessionInvalidated),
            **options,
        )
        site.events = events
        return site

    def test_a_logout_ends_it(self, site, other):
        browser = logged_in(site)
        browser.app = other.app
        browser.get("/leave")
        assert not site.rows()
        assert not site.activity()
        assert "websession" not in browser.cookies
        assert [event.reason for event in other.events] == ["ended by the application"]

    def test_a_login_begins_another_and_ends_it(self, site, other):
        browser = logged_in(site)
        (before,) = site.rows()
        browser.app = other.app
        browser.get("/login")
        (after,) = site.rows()
        assert after.id != before.id
        assert browser.get("/who").json_body == 7

    def test_what_is_put_into_a_visitors_session_begins_another_and_it_stays(self, site, other):
        browser = site.browser()
        browser.get("/start")
        browser.app = other.app
        assert browser.get("/look").json_body == {}
        browser.get("/start")
        assert browser.get("/look").json_body == {"a": 1}
        assert len(site.rows()) == 2

    def test_nothing_but_a_login_follows_a_users_and_it_stays(self, site, other):
        visitor = site.browser()
        visitor.app = other.app
        visitor.get("/start")
        browser = logged_in(site)
        browser.cookiejar.set_cookie(next(iter(visitor.cookiejar)))
        browser.app = other.app
        assert browser.get("/look").json_body == {}
        assert "Set-Cookie" not in browser.get("/start").headers
        assert browser.get("/look").json_body == {}
        assert len(site.rows()) == 2
        browser.app = site.app
        assert browser.get("/who").json_body == 7
        browser.app = other.app
        browser.get("/login")
        assert browser.get("/who").json_body == 7

    def test_ending_twice_ends_it_once(self, site, other):
        browser = logged_in(site)
        browser.app = other.app

        @other.view
        def twice(request):
            request.session.invalidate()
            request.session["b"] = 1
            request.session.invalidate()

        browser.get("/twice")
        assert not site.rows()
        assert len(other.events) == 1

    def test_a_request_that_fails_ends_nothing(self, site, other):
        browser = logged_in(site)
        browser.app = other.app

        @other.view
        def fail(request):
            request.session.invalidate()
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            browser.get("/fail")
        assert len(site.rows()) == 1


def test_its_user_who_may_have_no_more_sessions_can_log_in(make_site):
    site = make_site(
        model=LimitedSession,
        settings={
            "session.max_per_user": 1,
            "session.max_per_user_policy": LimitPolicy.REFUSE,
            "session.idle_timeout": 600,
        },
    )
    browser = logged_in(site)
    write(site, "limited_session", "data", "[1]")
    browser.get("/login")
    assert browser.get("/who").json_body == 7
    assert len(site.rows()) == 1
