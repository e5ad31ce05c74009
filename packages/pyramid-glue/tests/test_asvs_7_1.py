"""OWASP ASVS 5.0, V7.1: what is documented. docs/explanation/asvs.md says what each requirement is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pyramid.response import Response
from site_under_test import SECRET_KEY, FullSession, LimitedSession
from websession_core import PRESETS, TooManySessionsError
from websession_pyramid import get_session_factory

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "timeouts.md"


@pytest.mark.parametrize("name", PRESETS)
def test_7_1_1_the_documented_timeouts_of_a_preset_are_those_that_hold(name):
    (row,) = re.findall(rf"^\| `{name}` \| (.+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    units = {"days": 86400, "hours": 3600, "hour": 3600, "minutes": 60}
    documented = [None if each == "none" else int(each.split()[0]) * units[each.split()[1]] for each in row]
    policies = get_session_factory(SECRET_KEY, FullSession, preset=name).settings.policies
    assert policies.absolute is not None
    assert documented == [policies.absolute.timeout, policies.idle and policies.idle.timeout]


def test_7_1_1_the_default_of_no_timeout_is_documented_with_its_reason():
    policies = get_session_factory(SECRET_KEY, FullSession).settings.policies
    assert (policies.idle, policies.absolute) == (None, None)
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert "Without a preset and without timeouts, a session never ends by itself. That is the" in text


@pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("policy", "answered", "left"),
    [("end_oldest", [200] * 3, [None, 7, 7]), ("refuse", [200, 200, 409], [7, 7, None])],
)
def test_7_1_2_a_user_may_have_so_many_sessions_and_what_happens_then_is_a_setting(
    make_site, policy, answered, left
):
    settings = {"session.max_per_user": 2, "session.max_per_user_policy": policy, "session.idle_timeout": 60}
    site = make_site(
        model=LimitedSession,
        settings=settings,
        configure=lambda config: config.add_exception_view(
            lambda exception, request: Response(str(exception), status=409), context=TooManySessionsError
        ),
    )
    browsers = [site.browser() for _ in range(3)]
    statuses = []
    for browser in browsers:
        statuses.append(browser.get("/login", status="*").status_code)
        site.clock.advance(1)
    assert statuses == answered
    assert [browser.get("/who").json_body for browser in browsers] == left


@pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
def test_7_1_2_without_a_limit_a_user_may_have_any_number_of_sessions_at_once(make_site):
    site = make_site(model=FullSession)
    browsers = [site.browser() for _ in range(5)]
    for browser in browsers:
        browser.get("/login")
    assert [browser.get("/who").json_body for browser in browsers] == [7] * 5
    assert len(site.rows()) == 5
