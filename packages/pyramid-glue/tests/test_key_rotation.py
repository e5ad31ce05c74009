"""A new key in front of the old one: nobody is logged out, and every cookie in use moves to the new key."""

from __future__ import annotations

import pytest
from site_under_test import SECRET_KEY, FullSession, Session, cookie_of
from websession_core.key_retirement import old_key_lifetime
from websession_crypto import Keyring, TokenCodec, generate_secret_key

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)

NEW_KEY = generate_secret_key()
BOTH = f"{NEW_KEY}\n{SECRET_KEY}"


class Servers:
    """One application at three moments of a change of keys, on one database."""

    def __init__(self, make_site, **options):
        self.before, self.during, self.after = (
            make_site(**{**options, "settings": {**options.get("settings", {}), "session.secret_key": key}})
            for key in (SECRET_KEY, BOTH, NEW_KEY)
        )
        for site in (self.before, self.during, self.after):
            site.clock = site.factory.clock = self.before.clock
            site.views["put"] = lambda request: request.session.update(a=request.session.get("a", 0) + 1)
            site.views["regenerate"] = lambda request: request.session.regenerate()
        self.browser = self.before.browser()

    def get(self, site, path):
        self.browser.app = site.app
        return self.browser.get(path)

    @property
    def key(self):
        """The position, among both keys, of the one that made the browser's cookie."""
        name, token = cookie_of(self.browser)
        return ("new", "old")[TokenCodec(Keyring.from_text(BOTH), purpose=name).open(token).key_index]


@pytest.mark.parametrize("path", ["/look", "/put"])
def test_without_renewal_the_next_use_brings_a_cookie_under_the_new_key(make_site, path):
    servers = Servers(make_site)
    servers.get(servers.before, "/put")
    assert servers.key == "old"
    servers.get(servers.during, path)
    assert servers.key == "new"
    assert "Set-Cookie" not in servers.get(servers.during, path).headers  # once is enough
    assert servers.get(servers.after, "/look").json_body["a"] >= 1


def test_a_request_that_does_not_touch_the_session_moves_nothing(make_site):
    servers = Servers(make_site)
    servers.get(servers.before, "/put")
    servers.during.views["idle"] = lambda _request: None
    assert "Set-Cookie" not in servers.get(servers.during, "/idle").headers


def test_with_renewal_a_candidate_brings_the_new_key(make_site):
    servers = Servers(make_site, model=FullSession, settings={"session.renewal_timeout": 3600})
    servers.get(servers.before, "/login")
    servers.get(servers.before, "/put")
    servers.before.clock.advance(121)  # two graces since the login, long before the renewal timeout
    assert servers.key == "old"
    servers.get(servers.during, "/look")
    assert servers.key == "new"
    assert servers.get(servers.after, "/look").json_body == {"a": 1}


def test_with_renewal_an_anonymous_session_gets_the_new_key_when_it_is_written(make_site):
    servers = Servers(make_site, model=FullSession, settings={"session.renewal_timeout": 3600})
    servers.get(servers.before, "/put")
    servers.before.clock.advance(10_000)
    assert "Set-Cookie" not in servers.get(servers.during, "/look").headers
    servers.get(servers.during, "/put")
    assert servers.key == "new"
    assert "Set-Cookie" not in servers.get(servers.during, "/put").headers  # once is enough
    assert servers.get(servers.after, "/look").json_body == {"a": 3}
    servers.get(servers.after, "/login")
    assert servers.get(servers.after, "/look").json_body == {"a": 3}


def test_with_renewal_a_write_that_is_rolled_back_brings_no_new_key(make_site):
    servers = Servers(make_site, model=FullSession, settings={"session.renewal_timeout": 3600})
    servers.get(servers.before, "/put")

    @servers.during.view
    def doomed(request):
        request.session["a"] = 7
        request.tm.doom()

    assert "Set-Cookie" not in servers.get(servers.during, "/doomed").headers
    assert servers.get(servers.during, "/look").json_body == {"a": 1}


def test_the_old_key_can_go_when_the_time_that_is_told_has_passed(make_site):
    timeouts = {"idle_timeout": 1000, "absolute_timeout": 100_000, "renewal_timeout": 200}
    settings = {f"session.{name}": value for name, value in timeouts.items()}
    servers = Servers(make_site, model=FullSession, settings=settings)
    servers.get(servers.before, "/put")
    servers.get(servers.before, "/login")
    told = old_key_lifetime(servers.before.factory.policies(None), owned=True)
    began = servers.before.clock.now
    while servers.before.clock.now - began <= told:
        servers.get(servers.during, "/look")
        servers.before.clock.advance(500)
    assert servers.get(servers.after, "/look").json_body == {"a": 1}
    assert servers.get(servers.after, "/put").status_code == 200


@pytest.mark.parametrize("path", ["/login", "/regenerate"])
def test_with_renewal_a_change_of_identity_brings_the_new_key_at_once(make_site, path):
    servers = Servers(make_site, model=FullSession, settings={"session.renewal_timeout": 3600})
    servers.get(servers.before, "/put")
    servers.get(servers.during, path)
    assert servers.key == "new"
    assert servers.get(servers.after, "/look").json_body == {"a": 1}


def test_while_servers_change_one_after_the_other_nobody_is_logged_out(make_site):
    # The first of three steps: every server can read the new key's cookies before one makes them.
    servers = Servers(make_site)
    reading = make_site(model=Session, settings={"session.secret_key": f"{SECRET_KEY} {NEW_KEY}"})
    reading.views.update(servers.before.views)
    servers.get(servers.before, "/put")
    for count, site in enumerate((reading, servers.during, reading, servers.during), 2):
        servers.get(site, "/put")
        assert servers.get(site, "/look").json_body == {"a": count}


def test_without_the_old_key_a_cookie_under_it_opens_nothing(make_site):
    servers = Servers(make_site)
    servers.get(servers.before, "/put")
    response = servers.get(servers.after, "/look")
    assert response.json_body == {}
    assert "Set-Cookie" not in response.headers
