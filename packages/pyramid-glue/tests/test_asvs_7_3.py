"""OWASP ASVS 5.0, V7.3: timeouts. docs/explanation/asvs.md says what each requirement is."""

from __future__ import annotations

import pytest
from site_under_test import FullSession

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def make(make_site):
    def make(**settings):
        named = {f"session.{name}": value for name, value in settings.items()}
        site = make_site(model=FullSession, settings=named)
        browser = site.browser()
        browser.get("/login")
        return site, browser

    return make


@pytest.mark.parametrize(("settings", "seconds"), [({"idle_timeout": 900}, 900), ({"preset": "aal3"}, 900)])
def test_7_3_1_without_a_request_a_session_ends_after_the_idle_timeout(make, settings, seconds):
    site, browser = make(**settings)
    for _ in range(2):
        site.clock.advance(seconds - 1)
        assert browser.get("/who").json_body == 7
    site.clock.advance(seconds)
    assert browser.get("/who").json_body is None
    assert site.rows() == []


@pytest.mark.parametrize(("settings", "hours"), [({"absolute_timeout": 7200}, 2), ({"preset": "aal2"}, 24)])
def test_7_3_2_however_busy_a_session_ends_after_the_absolute_timeout(make, settings, hours):
    site, browser = make(**settings)
    for _ in range(hours * 2 - 1):
        site.clock.advance(1800)
        assert browser.get("/who").json_body == 7
    site.clock.advance(1800)
    assert browser.get("/who").json_body is None
    assert site.rows() == []
