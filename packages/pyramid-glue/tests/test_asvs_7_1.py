"""OWASP ASVS 5.0, V7.1: what is documented. docs/explanation/asvs.md says what each requirement is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from site_under_test import SECRET_KEY, FullSession
from websession_core import PRESETS
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
    assert "Without a preset and without timeouts of your own a session never ends by itself. That is" in text


@pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
def test_7_1_2_a_user_may_have_any_number_of_sessions_at_once(make_site):
    site = make_site(model=FullSession)
    site.views["login"] = lambda request: request.session.login(7)
    site.views["who"] = lambda request: request.session.userid
    browsers = [site.browser() for _ in range(5)]
    for browser in browsers:
        browser.get("/login")
    assert [browser.get("/who").json_body for browser in browsers] == [7] * 5
    assert len(site.rows()) == 5
