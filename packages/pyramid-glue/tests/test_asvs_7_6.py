"""OWASP ASVS 5.0, V7.6: federation. docs/explanation/asvs.md says what each requirement is."""

from __future__ import annotations

import pytest
from site_under_test import FullSession

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def site(make_site):
    site = make_site(model=FullSession, settings={"session.absolute_timeout": 86400})
    site.views["look"] = lambda request: [request.session.copy(), request.session.peek_flash()]
    return site


def test_7_6_1_a_session_can_end_when_the_identity_provider_says(site):
    @site.view
    def callback(request):
        request.session.login(7)
        with request.session.settings as settings:
            settings.absolute_timeout = 1800  # what the provider's answer comes to

    browser = site.browser()
    browser.get("/callback")
    site.clock.advance(1799)
    assert browser.get("/who").json_body == 7
    site.clock.advance(1)
    assert browser.get("/who").json_body is None


def test_7_6_2_looking_at_the_session_begins_none(site):
    browser = site.browser()
    for path in ("/who", "/look"):
        assert "Set-Cookie" not in browser.get(path).headers
    assert site.rows() == []


@pytest.mark.parametrize("how", ["expired", "ended elsewhere"])
def test_7_6_2_a_session_that_has_ended_is_not_begun_again_by_itself(site, how):
    browser = site.browser()
    browser.get("/login")
    if how == "expired":
        site.clock.advance(86400)
    else:
        with site.dbsession_maker.begin() as dbsession:
            dbsession.delete(dbsession.query(FullSession).one())
    assert browser.get("/who").json_body is None
    assert "Set-Cookie" not in browser.get("/look").headers
    assert site.rows() == []
