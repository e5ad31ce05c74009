"""Which browser a session is used with: noted down when it begins and at each login, and never for itself."""

from __future__ import annotations

import pytest
from site_under_test import Base
from websession_core.errors import ConfigurationError
from websession_models import ClientInfoMixin, FullyFeaturedSession
from websession_pyramid import active_sessions, get_session_factory

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])


class SessionOfDevice(ClientInfoMixin, FullyFeaturedSession, Base):
    """A session that knows its browser."""

    __tablename__ = "session_of_device"


@pytest.fixture
def make(make_site):
    def make(**settings):
        site = make_site(model=SessionOfDevice, settings=settings)
        site.views.update(
            put=lambda request: request.session.update(a=request.params.get("a", "1")),
            login=lambda request: request.session.login(7),
            told=lambda request: [
                [each.user_agent, each.client_address] for each in active_sessions(request).of()
            ],
        )
        return site

    return make


def known(site):
    (row,) = site.rows()
    return row.user_agent, row.client_address


def browser(site, agent=AGENT, address="203.0.113.77", **more):
    return site.browser(REMOTE_ADDR=address, **({} if agent is None else {"HTTP_USER_AGENT": agent}), **more)


def test_the_browser_is_recorded_when_the_session_begins_and_listed(make):
    site = make()
    browser(site).get("/put")
    assert known(site) == (AGENT, "203.0.113.0")
    other = browser(site)
    other.get("/login")
    assert other.get("/told").json == [[AGENT, "203.0.113.0"]]


def test_the_browser_is_recorded_again_at_a_login_and_not_at_another_write(make):
    site = make()
    first = browser(site)
    first.get("/put")
    moved = {"REMOTE_ADDR": "198.51.100.9", "HTTP_USER_AGENT": "curl/8"}
    first.get("/put?a=2", extra_environ=moved)
    assert known(site) == (AGENT, "203.0.113.0")
    first.get("/login", extra_environ=moved)
    assert known(site) == ("curl/8", "198.51.100.0")


class TestAddress:
    @ON_SQLITE
    @pytest.mark.parametrize(
        ("choice", "address", "kept"),
        [
            ("anonymized", "2001:db8:aaaa:bbbb::1", "2001:db8:aaaa::"),
            ("anonymized", "::ffff:203.0.113.77", "203.0.113.0"),
            ("anonymized", "fe80::1%eth0", "fe80::"),
            ("full", "203.0.113.77", "203.0.113.77"),
            ("FULL", "2001:db8:aaaa:bbbb::1", "2001:db8:aaaa:bbbb::1"),
            ("none", "203.0.113.77", None),
            ("full", "/run/app.sock", None),
            ("full", "", None),
        ],
    )
    def test_as_much_is_kept_as_the_setting_says(self, make, choice, address, kept):
        site = make(**{"session.client_address": choice})
        browser(site, address=address).get("/put")
        assert known(site) == (AGENT, kept)

    @ON_SQLITE
    def test_what_the_browser_claims_in_a_header_is_not_believed(self, make):
        site = make(**{"session.client_address": "full"})
        browser(site, HTTP_X_FORWARDED_FOR="1.2.3.4").get("/put")
        assert known(site)[1] == "203.0.113.77"

    def test_a_choice_that_is_none_stops_the_start(self):
        with pytest.raises(ConfigurationError, match="client_address = 'half': is not one of the choices"):
            get_session_factory("x", SessionOfDevice, client_address="half")


@pytest.mark.parametrize(
    ("agent", "kept"),
    [
        (None, None),
        ("", None),
        ("x" * 5000, "x" * 255),
        ("a\x00b\tc\x7f", "abc"),
        ("caf\xe9 <b>", "caf\xe9 <b>"),
    ],
    ids=["none", "empty", "long", "control characters", "beyond ASCII"],
)
def test_whatever_the_browser_calls_itself_can_be_stored(make, agent, kept):
    site = make()
    browser(site, agent=agent).get("/put")
    assert known(site)[0] == kept
