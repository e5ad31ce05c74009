"""OWASP ASVS 5.0, V7.5: abuse. docs/explanation/asvs.md says what each requirement is."""

from __future__ import annotations

import pytest
from pyramid.response import Response
from site_under_test import FullSession
from websession_pyramid import RecentLoginRequired, active_sessions

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)

MINUTES = 60


@pytest.fixture
def site(make_site):
    def configure(config):
        for name in ("email", "transfer"):
            config.add_route(name, f"/-/{name}")
        config.add_view(lambda request: Response("changed"), route_name="email", recent_login=5 * MINUTES)
        config.add_view(lambda request: Response("sent"), route_name="transfer", recent_login=1)
        config.add_exception_view(
            lambda exception, request: Response("your password, please", status=403),
            context=RecentLoginRequired,
        )

    return make_site(model=FullSession, configure=configure)


def test_7_5_1_a_view_can_ask_for_a_login_of_the_last_minutes(site):
    browser = site.browser()
    assert browser.post("/-/email", status=403).text == "your password, please"
    browser.get("/login")
    assert browser.post("/-/email").text == "changed"
    site.clock.advance(5 * MINUTES + 1)
    assert browser.post("/-/email", status=403).text == "your password, please"
    assert browser.get("/who").json_body == 7  # logged in all the same
    browser.get("/login")
    assert browser.post("/-/email").text == "changed"


def test_7_5_2_a_users_sessions_can_be_listed_and_each_be_ended(site):
    here, there = site.browser(), site.browser()
    for browser in (here, there):
        browser.get("/login")
        site.clock.advance(1)

    @site.view
    def devices(request):
        return [[each.handle, each.is_present] for each in active_sessions(request).of()]

    site.views["end"] = lambda request: active_sessions(request).end(request.params["which"])
    (other, is_present), (_, itself) = here.get("/devices").json_body
    assert (is_present, itself) == (False, True)
    assert here.get(f"/end?which={other}").json_body is True
    assert here.get("/who").json_body == 7
    assert there.get("/who").json_body is None


def test_7_5_3_a_view_can_ask_for_a_login_right_before(site):
    browser = site.browser()
    browser.get("/login")
    assert browser.post("/-/transfer").text == "sent"
    site.clock.advance(2)
    assert browser.post("/-/transfer", status=403).text == "your password, please"
