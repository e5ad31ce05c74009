"""OWASP ASVS 5.0, V7.2: fundamentals. docs/explanation/asvs.md says what each requirement is."""

from __future__ import annotations

import functools
import operator

import pytest
from site_under_test import SECRET_KEY, FullSession, cookie_of
from sqlalchemy import delete
from websession_core import Ticket
from websession_crypto import Keyring, TokenCodec
from websession_models import fresh_session_id

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)

VISITORS_CODEC = TokenCodec(Keyring.from_text(SECRET_KEY), purpose="websession-visitor")


@pytest.fixture
def site(make_site):
    return make_site(model=FullSession)


def holding(site, token, name="websession"):
    """Return a browser with that cookie."""
    browser = site.browser()
    browser.set_cookie(name, token)
    return browser


def test_7_2_1_the_server_decides_by_its_own_row_and_not_by_the_cookie(site):
    browser = site.browser()
    browser.get("/login")
    assert browser.get("/who").json_body == 7
    with site.engine.begin() as connection:
        connection.execute(delete(FullSession.__table__))
    assert browser.get("/who").json_body is None  # though the cookie is as genuine as before


def test_7_2_1_a_cookie_that_the_server_did_not_make_opens_nothing(site):
    browser = site.browser()
    browser.get("/login")
    token = browser.cookies["websession"]
    for forged in (token[:-4] + "AAAA", token.swapcase(), "7", site.rows()[0].id.hex):
        assert holding(site, forged).get("/who").json_body is None


def test_7_2_2_every_session_has_a_token_of_its_own_made_when_it_begins(site):
    tokens = set()
    for _ in range(20):
        browser = site.browser()
        assert "Set-Cookie" not in browser.get("/who").headers
        browser.get("/start")
        tokens.add(browser.cookies["websession-visitor"])
    tickets = {VISITORS_CODEC.decrypt(token) for token in tokens}
    assert len(tokens) == len(tickets) == len(site.rows()) == 20


def test_7_2_3_an_identifier_has_128_random_bits(site):
    identifiers = [fresh_session_id() for _ in range(2000)]
    assert len(set(identifiers)) == 2000
    numbers = [each.int for each in identifiers]
    assert functools.reduce(operator.or_, numbers) == 2**128 - 1  # no bit that is always 0
    assert functools.reduce(operator.and_, numbers) == 0  # nor one that is always 1
    browser = site.browser()
    browser.get("/start")
    # What identifies the session is in the cookie, and only in there, encrypted.
    ticket = Ticket.from_bytes(VISITORS_CODEC.decrypt(browser.cookies["websession-visitor"]))
    assert ticket.session_id == site.rows()[0].id


@pytest.mark.parametrize("before", ["nobody", "the same user", "another user"])
def test_7_2_4_a_login_makes_a_new_token_and_ends_the_old_one(site, before):
    browser = site.browser()
    browser.get("/start")
    if before != "nobody":
        site.views["before"] = lambda request: request.session.login(7 if before == "the same user" else 8)
        browser.get("/before")
    name, old = cookie_of(browser)
    browser.get("/login")
    assert browser.cookies["websession"] != old
    assert "websession-visitor" not in browser.cookies
    assert holding(site, old, name).get("/who").json_body is None
    assert browser.get("/who").json_body == 7
