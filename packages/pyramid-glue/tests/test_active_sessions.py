"""The active sessions of a user: seen, ended, one or all others, in the request's own transaction."""

from __future__ import annotations

import pytest
from site_under_test import FullSession, Session, User
from sqlalchemy import func, select
from sqlalchemy.orm import aliased
from websession_models import Store, is_active
from websession_pyramid import MissingFeatureError, SessionInvalidated, active_sessions

ADA, BOB = 1, 2


@pytest.fixture
def site(make_site):
    heard = []
    site = make_site(
        model=FullSession,
        settings={"session.idle_timeout": "1000", "session.extension_delay": "0"},
        configure=lambda config: config.add_subscriber(heard.append, SessionInvalidated),
    )
    site.heard = heard
    with site.engine.begin() as connection:
        connection.execute(User.__table__.insert(), [{"id": ADA, "name": "Ada"}, {"id": BOB, "name": "Bob"}])

    def told(request):
        userid = request.params.get("of")
        found = active_sessions(request).of(*([] if userid is None else [int(userid)]))
        return [[each.handle, each.is_present, each.last_used, each.ends_at] for each in found]

    site.views.update(
        login=lambda request: request.session.login(int(request.params["as"])),
        who=lambda request: request.session.userid,
        told=told,
        end=lambda request: active_sessions(request).end(request.params["handle"]),
        others=lambda request: active_sessions(request).end_others(),
        all=lambda request: active_sessions(request).end_all(),
        all_of=lambda request: active_sessions(request).end_all(int(request.params["of"])),
        everybodys=lambda request: active_sessions(request).end_everybodys(
            but_present="but" in request.params
        ),
    )
    return site


def logged_in(site, userid):
    browser = site.browser()
    browser.get(f"/login?as={userid}")
    site.clock.advance(1)
    browser.get("/who")
    return browser


def who(*browsers):
    return [browser.get("/who").json for browser in browsers]


def test_sessions_are_listed_the_last_used_first_and_only_the_users_own(site):
    desktop, phone, other = logged_in(site, ADA), logged_in(site, ADA), logged_in(site, BOB)
    site.clock.advance(5)
    desktop.get("/who")
    found = desktop.get("/told").json
    assert [present for _, present, _, _ in found] == [True, False]
    now = site.clock()
    assert [used for _, _, used, _ in found] == [now, now - 6]
    assert [ends for *_, ends in found] == [now + 1000, now + 994]
    handles = {handle for handle, *_ in found}
    assert {handle for handle, *_ in phone.get("/told").json} == handles
    assert len(other.get("/told").json) == 1
    assert {handle for handle, *_ in other.get(f"/told?of={ADA}").json} == handles


def test_a_handle_gives_no_identifier_away_and_opens_nothing(site):
    browser = logged_in(site, ADA)
    ((handle, *_),) = browser.get("/told").json
    (row,) = site.rows()
    assert len(handle) == 32
    assert row.id.hex not in handle
    stranger = site.browser()
    stranger.set_cookie("websession", handle)
    assert who(stranger) == [None]


def test_nobody_has_none(site):
    browser = site.browser()
    assert browser.get("/told").json == []
    assert browser.get("/others").json == 0


def test_one_that_has_ended_is_not_among_them(site):
    logged_in(site, ADA)
    site.clock.advance(1001)
    browser = logged_in(site, ADA)
    assert len(browser.get("/told").json) == 1


def test_one_is_ended_and_is_dead_at_its_next_request(site):
    desktop, phone = logged_in(site, ADA), logged_in(site, ADA)
    (handle,) = (handle for handle, present, *_ in desktop.get("/told").json if not present)
    assert desktop.get(f"/end?handle={handle}").json is True
    assert desktop.get(f"/end?handle={handle}").json is False
    assert who(desktop, phone) == [ADA, None]
    assert len(site.activity()) == 1
    assert [(event.reason, len(event.session)) for event in site.heard] == [
        ("ended by the user's other session", 8)
    ]


def test_the_present_one_is_ended_like_a_logout(site):
    desktop, phone = logged_in(site, ADA), logged_in(site, ADA)
    (handle,) = (handle for handle, present, *_ in desktop.get("/told").json if present)
    assert desktop.get(f"/end?handle={handle}").json is True
    assert who(desktop, phone) == [None, ADA]
    assert not list(desktop.cookiejar)


def test_nobody_ends_the_session_of_somebody_else_by_its_handle(site):
    ada, bob = logged_in(site, ADA), logged_in(site, BOB)
    ((handle, *_),) = ada.get("/told").json
    assert bob.get(f"/end?handle={handle}").json is False
    assert who(ada, bob) == [ADA, BOB]


def test_all_others_after_a_change_of_the_password(site):
    desktop, phone, tablet, other = (logged_in(site, userid) for userid in (ADA, ADA, ADA, BOB))
    assert desktop.get("/others").json == 2
    assert who(desktop, phone, tablet, other) == [ADA, None, None, BOB]


def test_all_of_a_user_and_of_another(site):
    desktop, phone, other = (logged_in(site, userid) for userid in (ADA, ADA, BOB))
    assert other.get(f"/all_of?of={ADA}").json == 2
    assert who(desktop, phone, other) == [None, None, BOB]
    assert other.get("/all").json == 1
    assert who(other) == [None]


@pytest.mark.parametrize(("query", "expected"), [("", [None, None, None]), ("?but=1", [ADA, None, None])])
def test_everybodys(site, query, expected):
    browsers = [logged_in(site, ADA), logged_in(site, BOB), logged_in(site, ADA)]
    assert browsers[0].get(f"/everybodys{query}").json == (3 if not query else 2)
    assert who(*browsers) == expected


def test_nothing_is_ended_if_the_transaction_fails(site):
    desktop, phone = logged_in(site, ADA), logged_in(site, ADA)

    @site.view
    def fail(request):
        active_sessions(request).end_others()
        raise ZeroDivisionError

    @site.view
    def fail_all(request):
        active_sessions(request).end_everybodys()
        raise ZeroDivisionError

    for path in ("/fail", "/fail_all"):
        with pytest.raises(ZeroDivisionError):
            desktop.get(path)
    assert who(desktop, phone) == [ADA, ADA]


def test_a_savepoint_that_is_rolled_back_ends_nothing(site):
    desktop, phone = logged_in(site, ADA), logged_in(site, ADA)

    @site.view
    def it(request):
        savepoint = request.tm.savepoint()
        active_sessions(request).end_others()
        savepoint.rollback()
        return len(active_sessions(request).of())

    assert desktop.get("/it").json == 2
    assert who(desktop, phone) == [ADA, ADA]


def test_what_a_request_ends_it_lists_no_more(site):
    desktop, _ = logged_in(site, ADA), logged_in(site, ADA)

    @site.view
    def it(request):
        return [active_sessions(request).end_others(), len(active_sessions(request).of())]

    assert desktop.get("/it").json == [1, 1]


# Elsewhere the one request would wait for the other, which this test runs inside of it.
@pytest.mark.parametrize("websession_engine_name", ["postgresql"])
def test_a_request_under_way_with_a_session_that_is_ended_does_not_bring_it_back(site):
    desktop, phone = logged_in(site, ADA), logged_in(site, ADA)
    ended = []

    @site.view
    def it(request):
        request.session["a"] = 1
        if not ended:
            ended.append(desktop.get("/others").json)
        return request.session.userid

    assert phone.get("/it").json is None
    assert who(desktop, phone) == [ADA, None]
    assert site.count(FullSession) == 2  # the retried request has begun a new one, of nobody


def test_a_model_without_users_has_no_such_lists(make_site):
    site = make_site()

    @site.view
    def it(request):
        active_sessions(request)

    with pytest.raises(MissingFeatureError, match="add UseridMixin"):
        site.browser().get("/it")


def test_the_condition_for_queries_of_the_applications_own(site, make_site):
    logged_in(site, ADA)
    site.clock.advance(1001)
    logged_in(site, ADA)
    logged_in(site, BOB)
    other = aliased(FullSession)
    with site.dbsession_maker() as dbsession:
        now = site.clock()
        count = select(func.count()).select_from
        assert dbsession.scalar(count(FullSession).where(is_active(FullSession, now=now))) == 2
        assert dbsession.scalar(count(other).where(is_active(other, now=now), other.userid == ADA)) == 1
        assert dbsession.scalar(count(Session).where(is_active(Session, now=now))) == 0


@pytest.mark.parametrize(("seconds", "count"), [(999, 1), (1000, 0)])
def test_a_session_is_active_until_the_very_second_in_which_it_ends(site, seconds, count):
    browser = logged_in(site, ADA)
    site.clock.advance(seconds)
    with site.dbsession_maker() as dbsession:
        active = select(FullSession).where(is_active(FullSession, now=site.clock()))
        assert len(dbsession.scalars(active).all()) == count
    assert (browser.get("/who").json == ADA) is bool(count)


def test_the_condition_stands_in_a_query_that_joins_the_companion_table_too(site):
    logged_in(site, ADA)
    site.clock.advance(1001)
    logged_in(site, BOB)
    companion = Store.for_model(FullSession).features.companion
    statement = (
        select(FullSession.userid)
        .join(companion, companion.c.id == FullSession.id)
        .where(is_active(FullSession, now=site.clock()))
    )
    with site.dbsession_maker() as dbsession:
        assert list(dbsession.scalars(statement)) == [BOB]
