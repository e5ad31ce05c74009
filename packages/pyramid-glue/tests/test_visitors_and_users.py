"""Visitors and users have cookies of their own: what is sent late for the one leaves the other alone.

The schedules of core's simulation, through the whole stack and on a real database.
"""

from __future__ import annotations

import logging
from http.cookies import SimpleCookie

import pytest
from pyramid.csrf import check_csrf_token, get_csrf_token
from pyramid.exceptions import BadCSRFToken
from pyramid.response import Response
from site_under_test import SECRET_KEY, FullSession, LimitedSession, Session
from sqlalchemy import update
from sqlalchemy.orm import DeclarativeBase
from websession_core.errors import ConfigurationError, TooManySessionsError
from websession_core.state import Ticket
from websession_crypto import Keyring, TokenCodec, generate_secret_key
from websession_models import BaseMixin, UseridMixin
from websession_pyramid import CookieRefused, SessionSecurityPolicy

USERS, VISITORS = "websession", "websession-visitor"
FORMER = "session"
"""The default name of 0.2.0, and of other frameworks."""
FLASKS = "eyJjYXJ0IjpbMV19.aRzWxg.0J8w5nEw4xkVbJt5V4q1n2m3o4p"

on_one_engine = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
"""For what is the same on each."""


class Base(DeclarativeBase):
    pass


class PlainSession(UseridMixin, BaseMixin, Base):
    __tablename__ = "plain_session"


class Person:
    """A browser whose answers come when the test says so."""

    def __init__(self, site, cookies=()):
        self.site = site
        self.cookies = dict(cookies)

    def send(self, path, **form):
        """Send a request with the cookies of now; return the answer, which has not come back yet."""
        header = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": header} if header else {}
        browser = self.site.browser()
        if form:
            return browser.post(path, form, headers=headers, status="*")
        return browser.get(path, headers=headers, status="*")

    def receive(self, answer):
        """Process the cookies of an answer."""
        for header in answer.headers.getall("Set-Cookie"):
            for name, morsel in SimpleCookie(header).items():
                if morsel.value:
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
        return answer.json_body if answer.content_type == "application/json" else None

    def open(self, path, **form):
        """Send a request and process the answer."""
        return self.receive(self.send(path, **form))

    def log_in(self, userid=7):
        token = self.open("/form")
        return self.open("/enter", csrf_token=token, userid=userid)

    @property
    def user(self):
        return self.open("/who")

    def ticket(self, name):
        codec = TokenCodec(Keyring.from_text(SECRET_KEY), purpose=name)
        return Ticket.from_bytes(codec.decrypt(self.cookies[name]))


def prepared(site):
    site.views["form"] = get_csrf_token

    @site.view
    def enter(request):
        try:
            check_csrf_token(request)
        except BadCSRFToken:
            return "bad token"
        request.session.login(int(request.POST["userid"]))
        return "ok"

    site.views["check"] = lambda request: check_csrf_token(request, raises=False)

    @site.view
    def nobody(request):
        request.session.login(None)

    @site.view
    def add(request):
        request.session["n"] = request.session.get("n", 0) + 1

    @site.view
    def broken(request):
        request.session["n"] = 0
        get_csrf_token(request)
        raise RuntimeError

    site.views["regenerate"] = lambda request: request.session.regenerate()
    site.views["another"] = lambda request: request.session.new_csrf_token()
    return site


def delete_rows(site):
    with site.engine.begin() as connection:
        connection.execute(FullSession.__table__.delete())


def is_active(request):
    return request.query_string != "inactive"


def error_page(error, request):
    return Response(json_body=get_csrf_token(request), status=500)


@pytest.fixture
def site(make_site):
    return prepared(make_site(model=FullSession, error_page=error_page))


@pytest.fixture
def person(site):
    return Person(site)


@on_one_engine
class TestTheNames:
    def test_a_visitor_has_the_one_and_a_user_the_other(self, person):
        person.open("/add")
        assert set(person.cookies) == {VISITORS}
        assert person.ticket(VISITORS).owned is False
        person.open("/login")
        assert set(person.cookies) == {USERS}
        assert person.ticket(USERS).owned is True
        assert person.open("/look") == {"n": 1}

    def test_a_model_without_users_has_one(self, make_site):
        person = Person(prepared(make_site(model=Session)))
        for path in ("/add", "/regenerate", "/add", "/form"):
            person.open(path)
            assert set(person.cookies) == {USERS}

    @pytest.mark.parametrize("name", ["__Host-session", "__Secure-session", "s" * 255])
    def test_the_second_keeps_the_prefix_of_the_first_and_a_length_that_browsers_take(self, make_site, name):
        site = make_site(
            model=FullSession, settings={"session.cookie_name": name, "session.cookie_secure": "true"}
        )
        person = Person(site)
        person.open("/start")
        (second,) = person.cookies
        assert second.startswith(name[:200])
        assert second.endswith("-visitor")
        assert len(second) <= 255
        assert person.open("/look") == {"a": 1}

    def test_the_second_can_live_longer_and_come_from_other_sites(self, make_site):
        settings = {
            "session.cookie_secure": "true",
            "session.visitor_cookie_max_age": 3600,
            "session.visitor_cookie_samesite": "None",
        }
        person = Person(make_site(model=FullSession, settings=settings))
        header = person.send("/start").headers["Set-Cookie"]
        assert "Max-Age=3600" in header
        assert "SameSite=None" in header
        header = person.send("/login").headers["Set-Cookie"]
        assert "Max-Age" not in header
        assert "SameSite=Lax" in header

    def test_it_can_end_with_the_browser_where_the_first_does_not(self, make_site):
        settings = {"session.cookie_max_age": 3600, "session.visitor_cookie_max_age": 0}
        person = Person(make_site(model=FullSession, settings=settings))
        assert "Max-Age" not in person.send("/start").headers["Set-Cookie"]
        assert "Max-Age=3600" in person.send("/login").headers["Set-Cookie"]

    def test_settings_of_the_second_are_a_mistake_where_there_is_one(self, make_site):
        for name, value in (("max_age", 60), ("samesite", "Lax")):
            with pytest.raises(ConfigurationError, match="UseridMixin"):
                make_site(settings={f"session.visitor_cookie_{name}": value})

    def test_the_second_of_one_session_must_not_be_the_first_of_another(self, make_site):
        def both(config):
            config.add_web_session("other")

        settings = {
            "other.secret_key": SECRET_KEY,
            "other.model_class": Session,
            "other.cookie_name": VISITORS,
        }
        with pytest.raises(ConfigurationError, match="websession-visitor"):
            make_site(model=FullSession, settings=settings, configure=both)

    def test_the_look_of_each_is_its_own(self, make_site, person):
        other = prepared(make_site(model=FullSession, settings={"session.visitor_cookie_samesite": "Strict"}))
        visitor = Person(person.site)
        visitor.open("/add")
        person.log_in()
        visitor.site = person.site = other
        assert visitor.send("/look").headers["Set-Cookie"].startswith(f"{VISITORS}=")
        assert person.send("/look").headers.getall("Set-Cookie") == []

    def test_each_is_decrypted_only_where_its_content_is_asked_for(self, site, person, monkeypatch):
        person.log_in()
        visitor = Person(site)
        visitor.open("/add")
        person.cookies.update(visitor.cookies)
        decrypt, decrypted = TokenCodec.decrypt, []
        monkeypatch.setattr(
            TokenCodec, "decrypt", lambda codec, token: decrypted.append(token) or decrypt(codec, token)
        )
        site.views["nothing"] = lambda request: None
        person.open("/nothing")
        assert decrypted == []
        assert person.user == 7
        assert decrypted == [person.cookies[USERS]]
        person.cookies[USERS] = "junk"
        person.open("/look")
        assert decrypted[1:] == ["junk", person.cookies[VISITORS]]

    def test_a_token_of_the_one_opens_nothing_under_the_name_of_the_other(self, site, person):
        person.open("/add")
        assert Person(site, {USERS: person.cookies[VISITORS]}).open("/look") == {}


class TestSchedules:
    def test_a_first_write_of_a_visitor_that_is_late_does_not_overwrite_her_login(self, person):
        token = person.open("/form")
        late = person.send("/add")
        assert person.open("/enter", csrf_token=token, userid=7) == "ok"
        person.receive(late)
        assert person.user == 7

    def test_neither_does_a_write_of_before_a_logout(self, person):
        person.log_in()
        before = dict(person.cookies)
        person.open("/leave")
        late = Person(person.site, before).send("/add")
        person.log_in()
        person.receive(late)
        assert person.user == 7

    def test_nor_one_of_the_user_before(self, person):
        person.log_in()
        token, before = person.open("/form"), dict(person.cookies)
        assert person.open("/enter", csrf_token=token, userid=8) == "ok"
        person.receive(Person(person.site, before).send("/add"))
        assert person.user == 8

    @pytest.mark.parametrize("seconds", [0, 121])
    @pytest.mark.parametrize("path", ["/enter", "/nobody"])
    def test_a_planter_of_his_own_login_cannot_throw_the_victim_out(self, site, person, path, seconds):
        mallory = Person(site)
        mallory.log_in(66)
        planted = dict(mallory.cookies)
        if path == "/nobody":
            mallory.open("/add")
            mallory.open(path)
        person.cookies.update(mallory.cookies)
        person.log_in()
        site.clock.advance(seconds)
        assert Person(site, planted).user is None
        assert person.user == 7

    @pytest.mark.parametrize("seconds", [1, 61, 119, 121, 10_000])
    def test_a_login_whose_answer_was_lost_can_be_repeated_from_the_form_opened_again(self, person, seconds):
        for path in ("/form", "/add"):
            person.open(path)
        person.send("/enter", csrf_token=person.open("/form"), userid=7)
        person.site.clock.advance(seconds)
        assert person.log_in() == "ok"
        assert person.user == 7
        assert len(person.site.rows()) == 2  # both stay: answers can be reordered

    @on_one_engine
    @pytest.mark.parametrize("seconds", [1, 121])
    def test_so_it_can_where_the_model_has_users_and_nothing_else(self, make_site, seconds):
        person = Person(prepared(make_site(model=PlainSession)))
        for path in ("/form", "/add"):
            person.open(path)
        person.send("/enter", csrf_token=person.open("/form"), userid=7)
        person.site.clock.advance(seconds)
        assert person.log_in() == "ok"
        assert person.user == 7
        assert person.open("/look") == {}

    def test_while_a_users_ticket_is_superseded_nothing_is_typed_into_a_visitors_session(self, person):
        person.open("/add")
        visitors = dict(person.cookies)
        person.log_in()
        late = {**person.cookies, **visitors}
        person.log_in()
        tab = Person(person.site, late)
        answer = tab.send("/add")
        assert answer.headers.getall("Set-Cookie") == []
        assert tab.user is None
        assert len(person.site.rows()) == 1

    def test_a_replay_is_acted_upon_and_not_passed_over_for_the_visitors_cookie(self, site, person):
        person.log_in()
        stolen = dict(person.cookies)
        person.log_in()
        site.clock.advance(121)
        thief = Person(site)
        thief.open("/add")
        thief.cookies.update(stolen)
        assert thief.open("/look") == {}
        assert person.user is None
        assert thief.open("/look") == {"n": 1}  # now it is dead, and the visitor's is asked

    def test_another_cookie_of_the_users_name_is_judged_beside_a_replay(self, site, person):
        planter = Person(site)
        planter.log_in(66)
        replayed = planter.cookies[USERS]
        planter.log_in(66)
        person.log_in()
        site.clock.advance(121)
        for both in ((replayed, person.cookies[USERS]), (person.cookies[USERS], replayed)):
            header = {"Cookie": "; ".join(f"{USERS}={token}" for token in both)}
            assert site.browser().get("/who", headers=header).json_body == 7

    def test_a_dead_ticket_of_a_login_that_is_planted_beside_a_visitor_takes_nothing_from_her(
        self, site, person
    ):
        mallory = Person(site)
        mallory.log_in(66)
        dead = mallory.cookies[USERS]
        known = mallory.open("/form")
        mallory.open("/leave")
        person.cookies[USERS] = dead
        person.open("/add")
        assert person.open("/look") == {"n": 1}
        # What it does allow: its planter knows a token that is good while no login is open. And no longer.
        assert person.log_in() == "ok"
        assert person.open("/enter", csrf_token=known, userid=66) == "bad token"
        assert person.user == 7

    def test_a_visitors_cookie_that_sleeps_beneath_a_login_does_nothing(self, site, person):
        planter = Person(site)
        planter.open("/add")
        known = planter.open("/form")
        person.log_in()
        person.cookies.update(planter.cookies)
        assert person.user == 7
        assert person.open("/look") == {}
        assert person.open("/enter", csrf_token=known, userid=66) == "bad token"
        person.open("/leave")
        assert person.cookies == {}
        assert site.rows() == []

    @pytest.mark.parametrize("order", [1, -1])
    def test_both_answers_of_a_double_click_are_good_in_any_order(self, person, order):
        person.open("/add")
        token = person.open("/form")
        answers = [person.send("/enter", csrf_token=token, userid=7) for _ in range(2)]
        assert [answer.json_body for answer in answers] == ["ok", "ok"]
        for answer in answers[::order]:
            person.receive(answer)
        assert person.user == 7

    def test_a_rotation_that_a_fail_over_has_forgotten_opens_nothing(self, site, person):
        planter = Person(site)
        planter.open("/add")
        person.cookies.update(planter.cookies)
        planter.open("/regenerate")
        with site.engine.begin() as connection:  # the fail-over
            connection.execute(update(FullSession.__table__).values(epoch=0, rotated_at=None))
        person.log_in()
        assert person.user == 7
        assert planter.ticket(VISITORS).epoch == person.ticket(USERS).epoch
        assert planter.open("/look") == {}


class TestLeaving:
    def test_logout_takes_both_cookies_away_and_ends_both_rows(self, site, person):
        tab = Person(site)
        tab.open("/add")
        person.log_in()
        person.cookies.update(tab.cookies)
        assert len(site.rows()) == 2
        person.open("/leave")
        assert person.cookies == {}
        assert site.rows() == []

    def test_cookies_that_open_nothing_are_taken_away_too(self, site):
        person = Person(site, {USERS: "junk", VISITORS: "junk"})
        person.open("/leave")
        assert person.cookies == {}

    @on_one_engine
    @pytest.mark.parametrize("path", ["/leave", "/forget", "/nobody"])
    @pytest.mark.parametrize("state", ["dead", "superseded", "replayed", "junk"])
    def test_a_users_cookie_that_opens_nothing_goes_beside_a_visitors_that_would(
        self, site, person, path, state
    ):
        site.views["forget"] = lambda request: SessionSecurityPolicy().forget(request)
        person.log_in()
        if state == "dead":
            delete_rows(site)
        elif state == "junk":
            person.cookies[USERS] = "junk"
        else:
            before = dict(person.cookies)
            person.log_in()
            person.cookies.update(before)
        if state == "replayed":
            site.clock.advance(121)
        tab = Person(site)
        tab.open("/add")
        person.cookies.update(tab.cookies)
        answer = person.send(path)
        names = [header.partition("=")[0] for header in answer.headers.getall("Set-Cookie")]
        assert sorted(names) == [USERS, VISITORS]
        person.receive(answer)
        # Where the visitor's was open, login(None) gives it a new identity, and its data goes on.
        goes_on = path == "/nobody" and state in {"dead", "junk"}
        assert set(person.cookies) == ({VISITORS} if goes_on else set())
        assert person.open("/look") == ({"n": 1} if goes_on else {})
        assert tab.open("/look") == {}

    def test_a_login_later_in_the_request_wins(self, site, person):
        person.open("/add")

        @site.view
        def clean(request):
            request.session.invalidate()
            request.session.login(9)

        answer = person.send("/clean")
        names = sorted(header.partition("=")[0] for header in answer.headers.getall("Set-Cookie"))
        assert names == [USERS, VISITORS]
        person.receive(answer)
        assert set(person.cookies) == {USERS}
        assert person.user == 9

    def test_login_none_ends_the_users_row_and_its_data_goes_on_in_another(self, site, person, caplog):
        person.log_in()
        person.open("/add")

        @site.view
        def settle(request):
            with request.session.settings as own:
                own.idle_timeout = 99
                own.cookie_max_age = 999
            request.session.flash("hello")

        person.open("/settle")
        (before,) = site.rows()
        caplog.set_level(logging.INFO, "websession_pyramid")
        answer = person.send("/nobody")
        assert not any("Max-Age=999" in header for header in answer.headers.getall("Set-Cookie"))
        person.receive(answer)
        assert set(person.cookies) == {VISITORS}
        (after,) = site.rows()
        assert after.id != before.id
        assert (after.userid, after.idle_timeout, after.authenticated_at) == (None, None, None)
        assert person.open("/look") == {"n": 1}
        site.views["flash"] = lambda request: request.session.pop_flash()
        assert person.open("/flash") == ["hello"]
        (line,) = [record.message for record in caplog.records]
        assert before.id.hex[:8] in line
        assert before.id.hex[:12] not in line


class TestForms:
    def test_showing_them_stores_nothing_for_a_visitor(self, site, person):
        site.statements.clear()
        token = person.open("/form")
        assert person.open("/form") == token
        assert site.statements == []
        assert site.rows() == []
        assert person.ticket(VISITORS).stored is False
        person.cookies[VISITORS] = "junk"
        assert person.open("/form") not in {token, None}
        assert person.ticket(VISITORS).stored is False

    @on_one_engine
    def test_so_it_is_where_no_transaction_is_active(self, make_site):
        site = make_site(model=FullSession, settings={"tm.activate_hook": is_active})
        person = Person(prepared(site))
        token = person.open("/form?inactive")
        assert person.ticket(VISITORS).stored is False
        assert person.open("/form?inactive") == token
        assert person.open("/enter", csrf_token=token, userid=7) == "ok"
        assert person.open("/form?inactive") == person.open("/form")

    @on_one_engine
    @pytest.mark.parametrize("pages", [30, pytest.param(10_000, marks=pytest.mark.slow)])
    def test_form_pages_of_robots_fill_no_table(self, site, pages):
        site.statements.clear()
        for _ in range(pages):
            assert Person(site).send("/form").headers["Set-Cookie"].startswith(VISITORS)
        assert site.statements == []
        assert site.rows() == []

    def test_what_is_stored_first_inherits_the_token_under_an_identifier_of_its_own(self, site, person):
        token = person.open("/form")
        before = person.ticket(VISITORS)
        person.open("/add")
        (row,) = site.rows()
        assert row.id != before.session_id
        assert person.ticket(VISITORS).seed == before.seed
        assert person.open("/form") == token

    def test_what_is_stored_in_place_of_a_dead_session_inherits_it_too(self, site, person):
        person.open("/add")
        token = person.open("/form")
        delete_rows(site)
        assert person.open("/form") == token
        person.open("/add")
        assert person.open("/look") == {"n": 1}
        assert person.open("/form") == token

    def test_a_page_shows_the_open_sessions_else_the_visitors_else_the_dead_logins(self, site, person):
        person.log_in()
        users, visitor = person.open("/form"), Person(site)
        visitors = visitor.open("/form")
        person.cookies.update(visitor.cookies)
        assert person.open("/form") == users
        delete_rows(site)
        assert person.open("/form") == visitors
        # Either is accepted.
        for token in (users, visitors):
            assert person.open("/check", csrf_token=token) is True
        del person.cookies[VISITORS]
        assert person.open("/form") == users

    def test_of_several_dead_cookies_of_a_name_the_freshest_counts(self, site):
        tokens, cookies = [], []
        for userid in (7, 7, None, None):
            site.clock.advance(1)
            each = Person(site)
            if userid is not None:
                each.log_in(userid)
            tokens.append(each.open("/form"))
            cookies += each.cookies.items()
        delete_rows(site)
        for header in (cookies, cookies[::-1]):
            site.statements.clear()
            headers = {"Cookie": "; ".join(map("=".join, header))}
            accepted = [
                site.browser().post("/check", {"csrf_token": token}, headers=headers).json_body
                for token in tokens
            ]
            assert accepted == [False, True, False, True]
            assert site.statements.count("SELECT") == len(tokens)

    def test_a_page_that_shows_a_form_and_stores_something_has_one_cookie_and_one_token(self, site, person):
        @site.view
        def both(request):
            token = get_csrf_token(request)
            request.session["n"] = 1
            return token

        token = person.open("/both")
        assert set(person.cookies) == {VISITORS}
        assert person.open("/look") == {"n": 1}
        assert person.open("/form") == token

    def test_it_goes_out_with_an_error_page_of_an_aborted_transaction(self, site, person):
        answer = person.send("/broken")
        assert answer.status_int == 500
        token = person.receive(answer)
        assert site.rows() == []
        assert person.open("/enter", csrf_token=token, userid=7) == "ok"

    def test_a_page_that_logs_out_brings_another_unless_that_is_aborted(self, site, person):
        @site.view
        def out(request):
            request.session.invalidate()
            if "doom" in request.params:
                request.tm.doom()
            return get_csrf_token(request)

        token, cookies = person.open("/form"), dict(person.cookies)
        person.open("/out?doom")
        assert person.cookies == cookies
        another = person.open("/out")
        assert another != token
        assert person.open("/form") == another

    def test_in_a_session_it_writes_nothing_on_an_error_page_either(self, site, person, caplog):
        person.open("/add")
        token = person.open("/form")
        site.statements.clear()
        assert person.open("/form") == token
        assert "UPDATE" not in site.statements
        site.views["fail"] = lambda request: 1 / 0
        assert person.receive(person.send("/fail")) == token
        assert caplog.records == []

    def test_a_login_and_a_change_of_identity_draw_another_at_once(self, site, person):
        seen = {}

        @site.view
        def everything(request):
            seen["visitor"] = get_csrf_token(request)
            request.session.login(7)
            seen["user"] = get_csrf_token(request)
            request.session.regenerate()
            seen["again"] = get_csrf_token(request)

        person.open("/everything")
        assert len(set(seen.values())) == 3
        assert person.open("/form") == seen["again"]

    @pytest.mark.parametrize("path", ["/form", "/add", "/login"])
    def test_a_key_that_was_changed_refuses_no_open_form(self, make_site, path):
        new = generate_secret_key()
        person = Person(prepared(make_site(model=FullSession)))
        person.open(path)
        token = person.open("/form")
        for keys in (f"{new} {SECRET_KEY}", f"{SECRET_KEY} {new}"):
            person.site = prepared(make_site(model=FullSession, settings={"session.secret_key": keys}))
            assert person.open("/form") == token
            copy = Person(person.site, person.cookies)
            assert copy.open("/check", csrf_token=token) is True

    def test_another_token_is_a_number_in_the_row(self, site, person):
        person.open("/add")
        old = person.open("/form")
        new = person.open("/another")
        assert new != old
        assert person.open("/enter", csrf_token=old, userid=7) == "bad token"
        assert person.open("/enter", csrf_token=new, userid=7) == "ok"

    def test_a_token_that_0_2_0_has_stored_stays_good_until_the_identity_changes(self, site, person):
        person.open("/add")
        with site.engine.begin() as connection:
            connection.execute(update(FullSession.__table__).values(csrf_token="a" * 43))
        assert person.open("/form") == "a" * 43
        assert person.open("/enter", csrf_token="a" * 43, userid=7) == "ok"
        assert person.open("/form") != "a" * 43

    def test_while_no_login_is_open_the_token_of_either_cookie_is_good(self, site, person):
        person.log_in()
        delete_rows(site)
        token = person.open("/form")  # of the dead ticket
        person.open("/add")
        assert set(person.cookies) == {USERS, VISITORS}
        assert person.open("/form") != token
        assert person.open("/enter", csrf_token=token, userid=7) == "ok"

    @pytest.mark.parametrize("refuses", [False, True])
    def test_where_a_user_has_no_room_the_row_that_the_shown_ticket_names_goes(self, make_site, refuses):
        settings = {
            "session.max_per_user": 2,
            "session.max_per_user_policy": "refuse" if refuses else "end_oldest",
            "session.idle_timeout": 1000,
        }
        site = prepared(make_site(model=LimitedSession, settings=settings))
        elsewhere, person = Person(site), Person(site)
        elsewhere.log_in()
        site.clock.advance(10)
        person.open("/add")
        person.send("/enter", csrf_token=person.open("/form"), userid=7)
        site.clock.advance(10)
        assert person.log_in() == "ok"
        assert (elsewhere.user, person.user) == (7, 7)
        assert len(site.rows()) == 2
        site.views["login"] = lambda request: request.session.login(7)
        if refuses:
            with pytest.raises(TooManySessionsError):
                Person(site).open("/login")

    def test_a_lost_login_of_a_visitor_without_a_row_keeps_its_place(self, make_site):
        site = prepared(make_site(model=LimitedSession, settings={"session.max_per_user": 2}))
        elsewhere, person = Person(site), Person(site)
        elsewhere.log_in()
        site.clock.advance(10)
        person.send("/enter", csrf_token=person.open("/form"), userid=7)
        site.clock.advance(10)
        assert person.log_in() == "ok"
        assert (elsewhere.user, person.user) == (None, 7)
        assert len(site.rows()) == 2


@on_one_engine
class TestVersion1:
    """What 0.2.0 has left, and what it can read."""

    @pytest.fixture
    def alongside(self, make_site):
        return prepared(make_site(model=FullSession, settings={"session.alongside_0_2": "true"}))

    def test_alongside_it_everything_is_as_it_was(self, alongside):
        person = Person(alongside)
        token = person.open("/form")
        (row,) = alongside.rows()
        assert row.csrf_token == token
        for path in ("/add", "/form"):
            person.open(path)
            assert set(person.cookies) == {FORMER}
            assert person.ticket(FORMER).seed is None
        assert person.open("/enter", csrf_token=token, userid=7) == "ok"
        assert (person.user, person.ticket(FORMER).seed) == (7, None)
        assert person.open("/look") == {"n": 1}
        person.open("/leave")
        assert person.cookies == {}

    @pytest.mark.parametrize("path", ["/add", "/login"])
    def test_its_cookies_go_on(self, alongside, site, path):
        person = Person(alongside)
        person.open("/add")
        person.open(path)
        token = person.open("/form")
        person.site = site
        site.clock.advance(1)
        assert person.open("/form") == token
        data = person.open("/look")
        assert data["n"] >= 1
        assert person.user == (7 if path == "/login" else None)

    def test_a_visitors_stays_where_it_is_and_its_reissue_goes_under_the_other_name(self, alongside, site):
        person = Person(alongside)
        person.open("/add")
        token = person.open("/form")
        old = person.cookies[FORMER]
        person.site = site
        person.open("/look")
        assert set(person.cookies) == {FORMER, VISITORS}
        assert person.cookies[FORMER] == old
        assert person.ticket(VISITORS).owned is False
        # Once is enough.
        assert person.send("/look").headers.getall("Set-Cookie") == []
        assert Person(site, {VISITORS: person.cookies[VISITORS]}).open("/form") == token
        assert person.open("/enter", csrf_token=token, userid=7) == "ok"
        assert set(person.cookies) == {USERS}

    def test_the_first_ticket_of_a_visitor_accuses_nobody(self, alongside, site):
        person = Person(alongside)
        person.open("/add")
        planted = dict(person.cookies)
        person.site = site
        person.log_in()
        site.clock.advance(121)
        assert Person(site, planted).user is None
        assert person.user == 7

    def test_a_worker_that_no_longer_holds_back_can_be_told_to_again(self, alongside, site):
        person = Person(site)
        person.log_in()
        person.open("/add")
        person.site = alongside
        assert person.user == 7
        assert person.open("/form") == person.open("/form")
        assert person.log_in(8) == "ok"
        assert set(person.cookies) == {FORMER}
        assert person.ticket(FORMER).seed is None
        assert person.user == 8

    @pytest.mark.parametrize("paths", [["/form"], ["/add"], ["/add", "/another"], ["/login"]])
    def test_forms_stay_good_while_the_setting_is_taken_out_of_one_worker_after_the_other(
        self, make_site, alongside, site, paths
    ):
        person = Person(site)
        for path in paths:
            person.open(path)
        token = person.open("/form")
        person.site = alongside
        assert person.open("/check", csrf_token=token) is True
        assert person.open("/form") == token
        person.open("/add")
        assert person.open("/check", csrf_token=token) is True
        # Once it was shown here it is good beside a cookie without a seed, too.
        other_looks = {"session.alongside_0_2": "true", "session.cookie_httponly": "false"}
        person.site = prepared(make_site(model=FullSession, settings=other_looks))
        person.open("/add")
        assert person.ticket(FORMER).seed is None
        for each in (person.site, alongside, site):
            person.site = each
            assert person.open("/check", csrf_token=token) is True
            assert person.open("/enter", csrf_token="x", userid=9) == "bad token"

    @pytest.mark.parametrize("path", ["/add", "/login"])
    def test_what_is_sent_again_alongside_it_is_readable_for_it(self, make_site, site, path):
        person = Person(site)
        person.open(path)
        other_looks = {"session.alongside_0_2": "true", "session.cookie_httponly": "false"}
        person.site = prepared(make_site(model=FullSession, settings=other_looks))
        person.open("/look")
        assert person.ticket(FORMER).seed is None
        assert Person(person.site, {FORMER: person.cookies[FORMER]}).user == person.user


class TestTheFormerDefaultName:
    """What happens to users' cookies of the name that 0.2.0 gave them."""

    @pytest.fixture
    def alongside(self, make_site):
        return prepared(make_site(model=FullSession, settings={"session.alongside_0_2": "true"}))

    @pytest.mark.parametrize("timeout", [None, "900"])
    def test_they_move_to_the_name_of_now_once_and_stay_there(self, make_site, timeout):
        timeouts = {} if timeout is None else {"session.renewal_timeout": timeout}
        sites = [
            prepared(make_site(model=FullSession, settings={**timeouts, "session.alongside_0_2": alongside}))
            for alongside in ("true", "false")
        ]
        person, copies = Person(sites[0]), []
        person.open("/login")
        for site, name in ((sites[0], FORMER), (sites[1], USERS), (sites[0], USERS), (sites[1], USERS)):
            for each in sites:
                each.clock.advance(121)
            person.site = site
            assert person.user == 7
            assert set(person.cookies) == {name}
            assert person.send("/who").headers.getall("Set-Cookie") == []
            copies.append(person.cookies[name])
        assert len(set(copies)) == 2

    def test_a_logout_or_a_login_takes_them_away(self, alongside, site):
        for path, left in (("/leave", set()), ("/login", {USERS})):
            person = Person(alongside)
            person.open("/login")
            person.site = site
            person.open(path)
            assert set(person.cookies) == left
            assert person.user == (7 if left else None)

    @pytest.mark.parametrize(("value", "told"), [(FLASKS, 0), ("x", 0), ("A" * 131, 1)])
    def test_what_others_keep_under_that_name_is_theirs(self, site, value, told):
        heard = []
        site.app.registry.registerHandler(heard.append, (CookieRefused,))
        person = Person(site, {FORMER: value})
        person.open("/add")
        person.log_in()
        assert person.open("/look") == {"n": 1}
        assert set(person.cookies) == {FORMER, USERS}
        person.open("/leave")
        assert person.cookies == {FORMER: value}
        # Such as what an unknown key has encrypted.
        assert {event.kind for event in heard} == ({"not authentic"} if told else set())

    def test_under_a_name_of_ones_own_they_are_nothing(self, alongside, make_site):
        person = Person(alongside)
        person.open("/login")
        person.site = prepared(make_site(model=FullSession, settings={"session.cookie_name": "shop"}))
        assert person.user is None

    def test_no_other_session_has_that_name(self, make_site):
        settings = {"other.secret_key": SECRET_KEY, "other.model_class": Session}
        with pytest.raises(ConfigurationError, match="'session'"):
            make_site(
                model=FullSession,
                settings={**settings, "other.cookie_name": FORMER},
                configure=lambda config: config.add_web_session("other"),
            )
