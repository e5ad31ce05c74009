"""Sessions in memory, beyond the contract: users, and what a unit test gives them."""

from __future__ import annotations

import pytest
from pyramid.testing import DummyRequest
from pytest_websession.clock import ManualClock
from pytest_websession.memory import MemorySession, MemorySessionFactory
from websession_core.errors import UnstorableValueError


def test_one_can_be_given_data_and_a_user():
    session = MemorySession({"a": [1]}, userid=7)
    assert (session.copy(), session.userid, session.login_age) == ({"a": [1]}, 7, 0)


def test_the_fixture_gives_an_empty_one(websession_memory_session):
    assert websession_memory_session == {}
    assert websession_memory_session.userid is None
    assert websession_memory_session.login_age is None


def test_a_value_that_a_database_cannot_hold_is_refused():
    with pytest.raises(UnstorableValueError, match="a: "):
        MemorySession()["a"] = (1, 2)


def test_a_login_replaces_the_csrf_token_and_an_invalidated_one_belongs_to_nobody():
    clock = ManualClock(100)
    session = MemorySession(clock=clock)
    token = session.get_csrf_token()
    session.userid = 7
    assert session.get_csrf_token() != token
    token = session.get_csrf_token()
    clock.advance(5)
    session.userid = 7
    assert (session.login_age, session.get_csrf_token()) == (5, token)
    session.invalidate()
    assert (session.userid, session.login_age, session.created) == (None, None, 105)


def test_the_factory_keeps_the_user_from_request_to_request_and_deletes_the_cookie_at_a_logout():
    factory = MemorySessionFactory(clock=ManualClock(100))
    request, response = DummyRequest(), DummyRequest().response
    factory(request).login(7)
    request._process_response_callbacks(response)
    name, _, token = response.headers["Set-Cookie"].partition(";")[0].partition("=")
    request, response = DummyRequest(cookies={name: token}), DummyRequest().response
    session = factory(request)
    assert (session.userid, session.login_age, session.new) == (7, 0, False)
    session.invalidate()
    request._process_response_callbacks(response)
    assert response.headers["Set-Cookie"].startswith("session=; Max-Age=0")
    assert factory(DummyRequest(cookies={name: token})).new
