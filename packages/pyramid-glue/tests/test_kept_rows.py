"""Ended means ended, although a foreign key of the application's keeps the row from being deleted."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import enforce_foreign_keys
from sqlalchemy import ForeignKey, String, delete, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from websession_crypto import generate_secret_key
from websession_models import (
    BaseMixin,
    ClientInfoMixin,
    EncryptedDataMixin,
    FullyFeaturedSession,
    SessionLimitMixin,
    UseridMixin,
    purge,
    revoke,
)
from websession_models.overview import ids_by_prefix, list_sessions, overview
from websession_pyramid import (
    ReplayDetected,
    SessionEmptied,
    SessionInvalidated,
    SessionSecurityPolicy,
    active_sessions,
)
from websession_pyramid.write_back import write_back


def models(*mixins, related=False, initially=None):
    """Return a session model, and one that refers to it without ON DELETE."""

    class Fresh(DeclarativeBase):
        """For each test one of its own."""

    class Kept(*mixins, Fresh):
        __tablename__ = "kept_session"
        note: Mapped[str | None] = mapped_column(String(50))
        if related:
            trips: Mapped[list[Trip]] = relationship(passive_deletes="all")

    class Trip(Fresh):
        __tablename__ = "trip"
        id: Mapped[int] = mapped_column(primary_key=True)
        session_id: Mapped[Any] = mapped_column(
            ForeignKey("kept_session.id", initially=initially, deferrable=initially and True), nullable=True
        )

    return Kept, Trip


@pytest.fixture(params=["plain", "with a relationship", "encrypted"])
def site(request, make_site):
    mixins = [SessionLimitMixin, ClientInfoMixin, FullyFeaturedSession]
    settings = {
        "session.max_per_user": 3,
        "session.idle_timeout": 1000,
        "session.renewal_timeout": 300,
        "tm.annotate_user": False,
    }
    if request.param == "encrypted":
        mixins.insert(0, EncryptedDataMixin)
        settings["session.data_secret_key"] = generate_secret_key()
    model, trip = models(*mixins, related=request.param == "with a relationship")
    return make(make_site, model, trip, settings)


def make(make_site, model, trip, settings):
    events = []

    def configure(config):
        config.set_security_policy(SessionSecurityPolicy())
        for event in (ReplayDetected, SessionEmptied, SessionInvalidated):
            config.add_subscriber(lambda event: events.append(type(event).__name__), event)
        config.add_subscriber(clear, SessionEmptied)

    def clear(event):
        if site.clears:
            event.connection.execute(event.update.values(note=None))

    site = make_site(model=model, settings=settings, configure=configure, retry=False)
    enforce_foreign_keys(site)
    site.events, site.trip, site.clears = events, trip, True

    def begin(request):
        request.session["cart"] = "tea"
        request.session.flash("hello")
        request.session.login(7)
        request.session.row().note = "mine"
        request.dbsession.add(trip(session_id=request.session.id))

    site.views.update(
        begin=begin,
        devices=lambda request: len(active_sessions(request).of()),
        end_all=lambda request: active_sessions(request).end_all(),
        everybody=lambda request: active_sessions(request).end_everybodys(),
        logout=lambda request: request.session.invalidate(),
        other=lambda request: request.session.login(8),
    )
    return site


def logged_in(site):
    browser = site.browser()
    browser.get("/begin")
    browser.get("/who")
    return browser


def is_emptied(site, row):
    table = site.model.__table__
    with site.engine.connect() as connection:
        stored = connection.execute(select(table).where(table.c.id == row.id)).mappings().one()
    ours = {"userid", "session_slot", "csrf_token", "authenticated_at", "user_agent", "client_address"}
    companions = [companion for companion in site.activity() if companion["id"] == row.id]
    return (
        all(stored[name] is None for name in ours)
        and all(stored[name] != getattr(row, name) for name in ("epoch", "version", "data", "flash"))
        and stored["epoch"] == 2**31 - 1
        and stored["note"] == (None if site.clears else "mine")
        and [{name for name, value in one.items() if value is not None} for one in companions]
        == [{"id", "expires_at"}]
    )


def stolen(site):
    browser = logged_in(site)
    copy = browser.cookies["websession"]
    site.clock.advance(300)
    browser.get("/who")
    browser.get("/who")
    site.clock.advance(61)
    thief = site.browser()
    thief.set_cookie("websession", copy)
    return browser, thief


@pytest.mark.parametrize("clears", [True, False])
def test_a_theft_ends_the_session(site, clears):
    site.clears = clears
    browser, thief = stolen(site)
    (row,) = site.rows()
    assert thief.get("/who").json_body is None
    assert browser.get("/who").json_body is None
    assert site.events == ["ReplayDetected", "SessionEmptied"]
    assert is_emptied(site, row)
    assert thief.get("/who").json_body is None
    assert len(site.events) == 2


def test_a_theft_ends_the_session_though_a_subscriber_fails(site, caplog):
    browser, thief = stolen(site)
    site.clears = False

    def fail(event):
        raise ZeroDivisionError

    site.app.registry.registerHandler(fail, (SessionEmptied,))
    thief.get("/who")
    assert browser.get("/who").json_body is None
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("clears", [True, False])
def test_a_logout_ends_it(site, clears):
    site.clears = clears
    browser = logged_in(site)
    copy = browser.cookies["websession"]
    (row,) = site.rows()
    browser.get("/logout")
    assert "websession" not in browser.cookies
    browser.set_cookie("websession", copy)
    assert browser.get("/who").json_body is None
    assert is_emptied(site, row)
    assert site.events == ["SessionInvalidated", "SessionEmptied"]


def test_a_version_that_is_the_highest_already_moves_as_well(site):
    browser = logged_in(site)
    with site.engine.begin() as connection:
        connection.execute(update(site.model).values(version=2**31 - 1))
    browser.get("/logout")
    (row,) = site.rows()
    assert (row.epoch, row.version) == (2**31 - 1, 1)


@pytest.mark.parametrize("how", ["end_all", "everybody", "other"])
def test_other_ways_to_end_it_do(site, how):
    first, second = logged_in(site), logged_in(site)
    row = site.rows()[0]
    second.get(f"/{how}")
    if how == "other":
        assert first.get("/who").json_body == 7
        assert second.get("/who").json_body == 8
        assert first.get("/devices").json_body == 1
    else:
        assert first.get("/who").json_body is None
        assert second.get("/who").json_body is None
        assert is_emptied(site, row)


@pytest.mark.parametrize(
    ("websession_engine_name", "is_declared"),
    # PostgreSQL's catalogue tells; SQLite's model has to.
    [("sqlite", True), ("postgresql", False)],
    indirect=["websession_engine_name"],
)
@pytest.mark.parametrize("related", [False, True])
@pytest.mark.parametrize("how", ["theft", "logout", "end_all", "everybody", "other"])
def test_a_key_that_the_database_checks_at_the_commit_keeps_it_as_well(make_site, how, related, is_declared):
    model, trip = models(FullyFeaturedSession, related=related, initially="DEFERRED" if is_declared else None)
    settings = {"session.renewal_timeout": 300, "session.idle_timeout": 1000, "tm.annotate_user": False}
    site = make(make_site, model, trip, settings)
    if not is_declared:
        with site.engine.begin() as connection:
            connection.execute(
                text("ALTER TABLE trip ALTER CONSTRAINT trip_session_id_fkey DEFERRABLE INITIALLY DEFERRED")
            )
    if how == "theft":
        _, browser = stolen(site)
        browser.get("/who")
    else:
        if how == "everybody":
            logged_in(site)
        browser = logged_in(site)
        browser.get(f"/{how}")
    emptied = [row for row in site.rows() if row.epoch == 2**31 - 1]
    assert len(emptied) == (2 if how == "everybody" else 1)
    assert {(row.userid, row.note, len(row.data)) for row in emptied} == {(None, None, 0)}
    assert site.events[-1 if how != "other" else 1] == "SessionEmptied"
    unkept = site.browser()
    unkept.get("/login")
    unkept.get("/logout")
    assert len(site.rows()) == len(emptied) + (how == "other")


def test_nobody_counts_or_lists_it(site):
    for _ in range(3):
        logged_in(site).get("/logout")
    browsers = [logged_in(site) for _ in range(3)]  # as many as one may have
    assert [browser.get("/devices").json_body for browser in browsers] == [3, 3, 3]
    ended = [row.id for row in site.rows() if row.epoch == 2**31 - 1]
    assert len(ended) == 3
    with site.engine.connect() as connection:
        numbers = overview(connection, site.model, now=site.clock.now)
        assert (numbers.active, numbers.anonymous, numbers.users) == (3, 0, 1)
        assert len(list_sessions(connection, site.model, limit=None)) == 3
        assert not ids_by_prefix(connection, site.model, ended[0].hex)


def test_the_next_purge_deletes_it_once_nothing_refers_to_it(site):
    logged_in(site).get("/logout")
    report = purge(site.engine, site.model, now=site.clock.now)
    assert (report.sessions, report.refused) == (0, 1)
    with site.engine.begin() as connection:
        connection.execute(delete(site.trip))
    report = purge(site.engine, site.model, now=site.clock.now)
    assert (report.sessions, report.refused) == (1, 0)
    assert not site.rows()
    assert not site.activity()


def test_a_command_ends_it(site):
    browser = logged_in(site)
    (row,) = site.rows()
    site.clears = False
    assert revoke(site.engine, site.factory.store, [row.id]).ended == 1
    assert browser.get("/who").json_body is None
    assert is_emptied(site, row)


def test_a_request_at_work_with_it_loses(site):
    browser = logged_in(site)
    (row,) = site.rows()

    @site.view
    def work(request):
        request.session["a"] = 1
        revoke(site.engine, site.factory.store, [row.id])

    if site.engine.dialect.name != "postgresql":
        pytest.skip("a revocation waits for the request")
    with pytest.raises(Exception, match=r"another request|serialize|changed since"):
        browser.get("/work")


def test_what_is_put_into_the_session_after_its_end_begins_another(site):
    browser = logged_in(site)

    @site.view
    def again(request):
        request.session.invalidate()
        request.session["b"] = 2

    browser.get("/again")
    assert browser.get("/look").json_body == {"b": 2}
    assert browser.get("/who").json_body is None


def test_a_rolled_back_logout_is_none(site):
    browser = logged_in(site)

    @site.view
    def fail(request):
        request.session.invalidate()
        write_back(request.session.working_copy_to_write())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        browser.get("/fail")
    assert browser.get("/who").json_body == 7


def test_a_model_without_a_companion_has_it_too(make_site):
    model, trip = models(UseridMixin, BaseMixin)
    site = make(make_site, model, trip, {})
    site.views["logout"] = lambda request: request.session.invalidate()
    browser = logged_in(site)
    copy = browser.cookies["websession"]
    browser.get("/logout")
    browser.set_cookie("websession", copy)
    assert browser.get("/who").json_body is None
    assert [(row.userid, row.data, row.flash) for row in site.rows()] == [(None, {}, {})]


def test_the_start_warns_of_it(make_site, caplog):
    model, trip = models(UseridMixin, BaseMixin)
    make(make_site, model, trip, {})
    assert "trip.session_id refers to kept_session without ON DELETE: a session that a row" in caplog.text


def test_one_that_has_expired_stays_for_the_purge_and_the_log_says_why(site, caplog):
    browser = logged_in(site)
    site.clock.advance(1001)
    assert browser.get("/who").json_body is None
    assert "give it ON DELETE CASCADE or ON DELETE SET NULL" in caplog.text
    assert purge(site.engine, site.model, now=site.clock.now + 61).refused == 1
