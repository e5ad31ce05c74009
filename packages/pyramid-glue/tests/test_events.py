"""Events: what happened to a session, why, and no secrets."""

from __future__ import annotations

import dataclasses

import pytest
from pyramid.response import Response
from site_under_test import SECRET_KEY, FullSession
from websession_core.lifecycle import Standing
from websession_crypto import Keyring, TokenCodec
from websession_pyramid import ReplayDetected, SessionEvent

KEYRING = Keyring.from_text(SECRET_KEY)

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def heard():
    return []


@pytest.fixture
def site(make_site, heard):
    def configure(config):
        config.add_subscriber(heard.append, SessionEvent)

    settings = {
        "session.idle_timeout": 600,
        "session.absolute_timeout": 3600,
        "session.renewal_timeout": 300,
    }
    site = make_site(
        model=FullSession,
        settings=settings,
        configure=configure,
        error_page=lambda exception, request: Response("sorry", status=500),
    )
    site.views["regenerate"] = lambda request: request.session.regenerate()
    return site


@pytest.fixture
def browser(site, heard):
    browser = site.browser()
    browser.get("/start")
    browser.get("/login")
    browser.get("/look")  # the first use of the new cookie acknowledges it
    heard.clear()
    return browser


def names(heard):
    return [type(event).__name__ for event in heard]


def test_created_comes_with_the_first_cookie_and_loaded_with_each_use(site, heard):
    browser = site.browser()
    browser.get("/start")
    assert names(heard) == ["SessionCreated"]
    browser.get("/look")
    assert names(heard) == ["SessionCreated", "SessionLoaded"]
    assert len({event.session for event in heard}) == 1
    assert heard[0].session == site.rows()[0].id.hex[:8]


def test_nothing_is_created_by_a_request_that_is_rolled_back(site, heard):
    @site.view
    def fail(request):
        request.session["a"] = 1
        raise ValueError

    site.browser().get("/fail", status=500)
    assert heard == []


@pytest.mark.parametrize(
    ("ages", "standing"),
    [([600], Standing.EXPIRED_IDLE), ([500] * 7 + [100], Standing.EXPIRED_ABSOLUTE)],
)
def test_expired_tells_which_timeout(site, browser, heard, ages, standing):
    for age in ages:
        site.clock.advance(age)
        heard.clear()
        browser.get("/look")
    assert names(heard) == ["SessionExpired"]
    assert heard[0].standing is standing


def test_invalidated_and_regenerated(site, browser, heard):
    browser.get("/regenerate")
    assert names(heard) == ["SessionLoaded", "SessionRegenerated"]
    heard.clear()
    browser.get("/leave")
    assert names(heard) == ["SessionLoaded", "SessionInvalidated"]


def test_renewed(site, browser, heard):
    site.clock.advance(300)
    browser.get("/look")
    assert names(heard) == ["SessionLoaded", "SessionRenewed"]


def test_renewed_where_pyramid_tm_is_switched_off(make_site, site, browser, heard):
    off = make_site(
        model=FullSession,
        settings={"session.renewal_timeout": 300, "tm.activate_hook": lambda request: False},
        configure=lambda config: config.add_subscriber(heard.append, SessionEvent),
    )
    off.clock.now = site.clock.now + 300
    browser.app = off.app
    assert "Set-Cookie" in browser.get("/look").headers
    assert names(heard) == ["SessionLoaded", "SessionRenewed"]


def test_a_replay(site, browser, heard):
    thief = site.browser()
    thief.set_cookie("websession", browser.cookies["websession"])
    site.clock.advance(300)
    browser.get("/look")
    browser.get("/look")
    site.clock.advance(61)
    heard.clear()
    thief.get("/look")
    assert names(heard) == ["ReplayDetected"]


@pytest.mark.parametrize(
    ("cookie", "kind"),
    [
        ("junk", "malformed"),
        (TokenCodec(KEYRING, purpose="other").encrypt(b"x" * 57), "not authentic"),
        (TokenCodec(KEYRING, purpose="websession").encrypt(b"x" * 57), "malformed"),
        (TokenCodec(KEYRING, purpose="websession").encrypt(b"\1" + bytes(56)), "unknown"),
    ],
)
def test_a_refused_cookie_tells_its_kind(site, heard, cookie, kind):
    site.browser().get("/look", headers={"Cookie": f"websession={cookie}"})
    (event,) = heard
    assert type(event).__name__ == "CookieRefused"
    assert event.kind == kind


def test_a_cookie_of_an_earlier_identity_is_refused_as_superseded(site, browser, heard):
    late = site.browser()
    late.set_cookie("websession", browser.cookies["websession"])
    browser.get("/regenerate")
    heard.clear()
    late.get("/look")
    assert [event.kind for event in heard] == ["superseded"]


def test_events_hold_no_secret(site, browser, heard):
    site.clock.advance(300)
    browser.get("/look")
    browser.get("/regenerate")
    browser.get("/leave")
    (identifier,) = {event.session for event in heard}
    assert len(identifier) == 8
    for event in heard:
        shown = {**dataclasses.asdict(dataclasses.replace(event, request=None))}
        assert browser.cookies.get("websession", "-") not in str(shown)


@pytest.mark.parametrize("event_name", ["SessionLoaded", "SessionRegenerated", "SessionInvalidated"])
def test_an_exception_in_a_subscriber_is_one_of_the_view_and_corrupts_nothing(make_site, event_name):
    raising = []

    def subscriber(event):
        if raising and type(event).__name__ == event_name:
            raise ValueError(event_name)

    site = make_site(
        model=FullSession, configure=lambda config: config.add_subscriber(subscriber, SessionEvent)
    )

    @site.view
    def it(request):
        request.session["n"] = request.session.get("n", 0) + 1
        if event_name == "SessionRegenerated":
            request.session.regenerate()
        elif event_name == "SessionInvalidated":
            request.session.invalidate()

    site.views["start"] = lambda request: request.session.update(n=0)
    browser = site.browser()
    browser.get("/start")
    raising.append(True)
    with pytest.raises(ValueError, match=event_name):
        browser.get("/it")
    raising.clear()
    assert browser.get("/look").json_body == {"n": 0}


def test_a_subscriber_may_look_at_the_session_it_hears_of(make_site):
    seen = []

    def look(event):
        seen.append((type(event).__name__, event.request.session.copy()))

    site = make_site(
        model=FullSession,
        settings={"tm.activate_hook": lambda request: "off" not in request.path},
        configure=lambda config: config.add_subscriber(look, SessionEvent),
    )
    site.views["off"] = lambda request: request.session.copy()
    browser = site.browser()
    browser.get("/start")
    browser.get("/start")
    browser.get("/off")
    browser.set_cookie("websession-visitor", "junk")
    browser.get("/start")
    browser.set_cookie("websession-visitor", "junk")
    browser.get("/off")
    assert seen == [
        ("SessionCreated", {"a": 1}),
        ("SessionLoaded", {"a": 1}),
        ("SessionLoaded", {"a": 1}),
        ("CookieRefused", {}),
        ("SessionCreated", {"a": 1}),
        ("CookieRefused", {}),
    ]


def test_a_subscriber_that_raises_does_not_save_a_thief(make_site):
    raising = []

    def subscriber(event):
        if raising:
            raise ValueError

    site = make_site(
        model=FullSession,
        settings={"session.renewal_timeout": 300},
        configure=lambda config: config.add_subscriber(subscriber, ReplayDetected),
    )
    site.views["look"] = lambda request: request.session.userid
    browser, thief = site.browser(), site.browser()
    browser.get("/login")
    browser.get("/look")
    thief.set_cookie("websession", browser.cookies["websession"])
    site.clock.advance(300)
    browser.get("/look")
    browser.get("/look")
    site.clock.advance(61)
    raising.append(True)
    with pytest.raises(ValueError, match=r"^$"):
        thief.get("/look")
    assert site.rows() == []


def test_what_a_cookie_is_found_to_be_is_told_once_in_a_request(site, browser, heard):
    @site.view
    def again(request):
        request.session.get("a")
        request.tm.abort()
        request.tm.begin()
        return request.session.copy()

    assert browser.get("/again").json_body == {"a": 1}
    assert names(heard) == ["SessionLoaded"]
