"""Pyramid's own storage policies for CSRF tokens work with every model."""

from __future__ import annotations

import pytest
from pyramid.csrf import (
    LegacySessionCSRFStoragePolicy,
    SessionCSRFStoragePolicy,
    check_csrf_token,
    get_csrf_token,
    new_csrf_token,
)
from pyramid.exceptions import BadCSRFToken
from site_under_test import FullSession, Session

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)


@pytest.mark.parametrize("model", [Session, FullSession], ids=["in the data", "in a column"])
@pytest.mark.parametrize("policy", [LegacySessionCSRFStoragePolicy, SessionCSRFStoragePolicy])
class TestStoragePolicies:
    @pytest.fixture
    def site(self, make_site, model, policy):
        site = make_site(model=model, configure=lambda config: config.set_csrf_storage_policy(policy()))
        site.views["token"] = get_csrf_token
        site.views["renewed"] = new_csrf_token

        @site.view
        def post(request):
            try:
                return check_csrf_token(request)
            except BadCSRFToken:
                return False

        return site

    def test_a_form_with_the_sessions_token_is_accepted_and_any_other_refused(self, site, model, policy):
        browser = site.browser()
        token = browser.get("/token").json_body
        assert browser.get("/token").json_body == token
        assert browser.post("/post", {"csrf_token": token}).json_body is True
        assert browser.post("/post", {"csrf_token": "x"}).json_body is False
        assert site.browser().post("/post", {"csrf_token": token}).json_body is False

    def test_a_renewed_token_takes_the_place_of_the_old_one(self, site, model, policy):
        browser = site.browser()
        old = browser.get("/token").json_body
        new = browser.get("/renewed").json_body
        assert browser.post("/post", {"csrf_token": old}).json_body is False
        assert browser.post("/post", {"csrf_token": new}).json_body is True
