"""What an attacker gains and does not gain: the claims of docs/explanation/threat-model.md."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from pyramid.security import forget, remember
from site_under_test import SECRET_KEY, FullSession, User, copy_cookies
from sqlalchemy import delete, insert, select, update
from websession_core import Ticket
from websession_crypto import Keyring, TokenCodec, generate_secret_key
from websession_models import fresh_session_id
from websession_pyramid import SessionSecurityPolicy

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)

CODEC = TokenCodec(Keyring.from_text(SECRET_KEY), purpose="websession")
TABLES = [FullSession.metadata.tables[name] for name in ("full_session", "full_session_activity")]


@pytest.fixture
def make(make_site):
    clocks = []

    def make(**settings):
        policy = SessionSecurityPolicy(identity=lambda request, userid: request.dbsession.get(User, userid))
        site = make_site(
            model=FullSession,
            settings={f"session.{name}": value for name, value in settings.items()},
            configure=lambda config: config.set_security_policy(policy),
        )
        clocks.append(site.clock)
        site.clock = site.factory.clock = clocks[0]
        site.views.update(
            start=lambda request: request.session.update(cart=["tea"]),
            login=lambda request: remember(request, 7),
            leave=forget,
            regenerate=lambda request: request.session.regenerate(),
            token=lambda request: request.session.get_csrf_token(),
            look=lambda request: [request.authenticated_userid, request.session.copy()],
        )
        if site.count(User) == 0:
            with site.dbsession_maker.begin() as dbsession:
                dbsession.add_all([User(id=7, name="Anna"), User(id=8, name="Berta")])
        return site

    return make


@pytest.fixture
def site(make):
    return make()


@pytest.fixture
def victim(site):
    return log_in(site)


def log_in(site):
    browser = site.browser()
    for path in ("/start", "/login", "/look"):
        browser.get(path)
    return browser


def opens(site, token):
    """Return who a request with this cookie is, and what is in its session."""
    browser = site.browser()
    browser.set_cookie("websession", token)
    return browser.get("/look").json_body


DEAD = [None, {}]
ALIVE = [7, {"cart": ["tea"]}]


def dump(site):
    with site.engine.connect() as connection:
        return [[dict(row) for row in connection.execute(select(table)).mappings()] for table in TABLES]


def restore(site, dumped):
    with site.engine.begin() as connection:
        for table, rows in zip(TABLES, dumped, strict=True):
            connection.execute(delete(table))
            connection.execute(insert(table), rows)


class TestACopyOfTheDatabase:
    def test_no_cookie_can_be_made_of_it(self, site, victim):
        (row,), (activity,) = dump(site)
        ticket = Ticket(
            row["id"],
            epoch=row["epoch"],
            generation=activity["generation"],
            attempt=activity["attempt"],
            issued_at=site.clock.now,
        )
        own_key = TokenCodec(Keyring.from_text(generate_secret_key()), purpose="websession")
        raw = ticket.to_bytes()
        made = [own_key.encrypt(raw), base64.urlsafe_b64encode(raw).decode(), row["id"].hex]
        assert [opens(site, each) for each in made] == [DEAD] * 3
        assert victim.get("/look").json_body == ALIVE

    def test_what_is_in_the_sessions_can_be_read(self, site, victim):
        ((row,), _) = dump(site)
        assert (row["userid"], row["data"]) == (7, {"cart": ["tea"]})


class TestWriteAccessToTheDatabase:
    def test_it_is_enough_to_be_anybody(self, site):
        mine = site.browser()
        for path in ("/start", "/login"):
            mine.get(path)
        with site.engine.begin() as connection:
            connection.execute(update(FullSession.__table__).values(userid=8))
        assert mine.get("/look").json_body == [8, {"cart": ["tea"]}]

    def test_an_anonymous_session_becomes_nobodys_login_by_it(self, site):
        mine = site.browser()
        mine.get("/start")
        with site.engine.begin() as connection:
            connection.execute(update(FullSession.__table__).values(userid=8))
        assert mine.get("/look").json_body == DEAD

    def test_a_nonsensical_row_is_no_error(self, site, victim):
        with site.engine.begin() as connection:
            connection.execute(update(TABLES[1]).values(active_at=-5, generation=-1, tries=2**62))
        assert victim.get("/look").status_code == 200


class TestTheKey:
    def test_alone_it_opens_no_session(self, site, victim):
        for _ in range(50):
            forged = Ticket(fresh_session_id(), issued_at=site.clock.now)
            assert opens(site, CODEC.encrypt(forged.to_bytes())) == DEAD
        assert victim.get("/look").json_body == ALIVE

    def test_with_an_identifier_it_opens_that_session_until_the_key_goes(self, make, site, victim):
        genuine = Ticket.from_bytes(CODEC.decrypt(victim.cookies["websession"]))
        forged = CODEC.encrypt(dataclasses.replace(genuine, issued_at=site.clock.now + 1000).to_bytes())
        assert opens(site, forged) == ALIVE
        # A cut-off is no help: whoever has the key writes any date.
        assert opens(make(not_before=site.clock.now + 1), forged) == ALIVE
        assert opens(make(secret_key=generate_secret_key()), forged) == DEAD


class TestAUsersCookie:
    def test_without_renewal_it_is_the_user_until_the_session_ends(self, site, victim):
        stolen = victim.cookies["websession"]
        site.clock.advance(10**6)
        assert opens(site, stolen) == ALIVE
        victim.get("/leave")
        assert opens(site, stolen) == DEAD

    def test_with_renewal_it_is_noticed_and_both_are_out(self, make):
        site = make(renewal_timeout=300)
        victim = log_in(site)
        stolen = victim.cookies["websession"]
        site.clock.advance(300)
        assert [victim.get("/look").json_body for _ in range(2)] == [ALIVE] * 2
        site.clock.advance(61)
        assert opens(site, stolen) == DEAD
        assert victim.get("/look").json_body == DEAD


class TestASessionFixatedInTheVictimsBrowser:
    def test_the_login_leaves_the_planter_outside(self, site):
        planter, victim = site.browser(), site.browser()
        planter.get("/start")
        form = planter.get("/token").json_body
        copy_cookies(planter, victim)
        victim.get("/login")
        assert victim.get("/look").json_body == ALIVE
        assert planter.get("/look").json_body == DEAD
        assert victim.get("/token").json_body != form

    def test_what_was_put_into_it_before_stays_unless_it_is_ended_first(self, site):
        planter = site.browser()
        planter.get("/start")

        @site.view
        def clean_login(request):
            request.session.invalidate()
            remember(request, 7)

        for path, expected in (("/login", ALIVE), ("/clean_login", [7, {}])):
            victim = site.browser()
            planter.get("/start")
            copy_cookies(planter, victim)
            victim.get(path)
            assert victim.get("/look").json_body == expected


class TestASubdomain:
    def test_a_login_of_the_planter_may_take_the_place_of_the_users(self, site, victim):
        planter = site.browser()
        site.clock.advance(1)
        site.views["enter"] = lambda request: remember(request, 8)
        planter.get("/enter")
        both = [victim.cookies["websession"], planter.cookies["websession"]]
        header = "; ".join(f"websession={token}" for token in both)
        assert site.browser().get("/look", headers={"Cookie": header}).json_body == [8, {}]

    def test_a_visitors_session_that_is_planted_does_not(self, site, victim):
        planter = site.browser()
        site.clock.advance(1)
        planter.get("/start")
        copy_cookies(planter, victim)
        assert victim.get("/look").json_body == ALIVE

    def test_under_the_host_prefix_a_cookie_of_the_plain_name_is_nothing(self, make):
        site = make(cookie_name="__Host-session", cookie_secure="true")
        plain = make()
        planter = plain.browser()
        planter.get("/start")
        token = planter.cookies["websession-visitor"]
        assert opens(site, token) == DEAD
        renamed = {"Cookie": f"__Host-session={token}; __Host-session-visitor={token}"}
        assert site.browser().get("/look", headers=renamed).json_body == DEAD


@pytest.mark.parametrize("end", ["logout", "regenerate", "expiry", "user deletion", "not_before"])
def test_an_old_cookie_is_dead_after(make, end):
    site = make(idle_timeout=600, renewal_timeout=300)
    victim = log_in(site)
    old = victim.cookies["websession"]
    assert opens(site, old) == ALIVE
    if end == "logout":
        victim.get("/leave")
    elif end == "regenerate":
        victim.get("/regenerate")
        assert victim.get("/look").json_body == ALIVE
    elif end == "expiry":
        site.clock.advance(600)
    elif end == "user deletion":
        with site.dbsession_maker.begin() as dbsession:
            dbsession.execute(delete(User).where(User.id == 7))
            dbsession.execute(delete(FullSession).where(FullSession.userid == 7))
    else:
        site.clock.advance(1)
        site = make(not_before=site.clock.now)
    for _ in range(3):  # and stays so, whatever the first use of it has set off
        assert opens(site, old) == DEAD
        site.clock.advance(200)


class TestARestoredBackup:
    def test_sessions_that_were_ended_since_come_back_with_their_cookies(self, site, victim):
        backup = dump(site)
        kept = victim.cookies["websession"]
        victim.get("/leave")
        assert opens(site, kept) == DEAD
        restore(site, backup)
        assert opens(site, kept) == ALIVE

    def test_a_session_that_moved_on_since_is_no_theft(self, make):
        site = make(renewal_timeout=300)
        victim = log_in(site)
        backup = dump(site)
        site.clock.advance(300)
        assert [victim.get("/look").json_body for _ in range(2)] == [ALIVE] * 2
        restore(site, backup)
        assert victim.get("/look").json_body == ALIVE

    def test_a_cut_off_at_the_time_of_now_ends_them_all(self, make, site, victim):
        backup = dump(site)
        kept = victim.cookies["websession"]
        victim.get("/leave")
        restore(site, backup)
        site.clock.advance(1)
        after = make(not_before=site.clock.now)
        assert opens(after, kept) == DEAD
        victim.app = after.app
        victim.get("/login")
        assert victim.get("/look").json_body == [7, {}]
