"""Sessions in memory, beyond the contract: users, and what a unit test gives them."""

from __future__ import annotations

import copy
import json
from datetime import date

import pytest
from markupsafe import Markup
from pyramid.config import Configurator
from pyramid.i18n import TranslationString
from pyramid.registry import Registry
from pyramid.renderers import JSON
from pyramid.testing import DummyRequest
from pytest_websession.clock import ManualClock
from pytest_websession.memory import MemorySession, MemorySessionFactory
from websession_core.errors import UnstorableValueError
from websession_pyramid import add_session_type, session_types


def test_one_can_be_given_data_and_a_user():
    session = MemorySession({"a": [1]}, userid=7)
    assert (session.copy(), session.userid, session.login_age) == ({"a": [1]}, 7, 0)


def test_the_fixture_gives_an_empty_one(websession_memory_session):
    assert websession_memory_session == {}
    assert websession_memory_session.userid is None
    assert websession_memory_session.login_age is None


def test_a_value_that_a_database_cannot_hold_is_refused():
    with pytest.raises(UnstorableValueError, match="a: "):
        MemorySession()["a"] = bytearray()


def test_it_holds_what_the_real_one_holds():
    values = {"day": date.min, "pair": (1, [2]), "html": Markup("<b>"), "text": TranslationString("id")}
    session = MemorySession(values)
    session.flash(values["html"])
    assert session.copy() == copy.deepcopy(session) == copy.copy(session) == values
    assert type(session["html"]) is type(session.pop_flash()[0]) is Markup


class Money:
    def __init__(self, amount):
        self.amount = amount


def with_money():
    config = Configurator(settings={}, registry=Registry("test"))
    config.add_directive("add_session_type", add_session_type)
    config.add_session_type("money", Money, lambda money: money.amount, Money)
    config.commit()
    return config.registry


def test_it_holds_the_types_of_the_application():
    with pytest.raises(UnstorableValueError, match="register the type"):
        MemorySession({"price": Money(3)})
    session = MemorySession({"price": Money(3)}, types=session_types(with_money()))
    session.flash(Money(4))
    assert (session["price"].amount, session.pop_flash()[0].amount) == (3, 4)
    session.invalidate()
    session.flash(Money(5))
    assert session.pop_flash()[0].amount == 5


def test_the_factory_keeps_the_types_of_the_application():
    factory, registry = MemorySessionFactory(), with_money()
    request, response = DummyRequest(), DummyRequest().response
    request.registry = registry
    factory(request)["price"] = Money(3)
    request._process_response_callbacks(response)
    name, _, token = response.headers["Set-Cookie"].partition(";")[0].partition("=")
    request = DummyRequest(cookies={name: token})
    request.registry = registry
    assert factory(request)["price"].amount == 3


def test_the_json_renderer_takes_it():
    assert json.loads(JSON()(None)({"session": MemorySession({"a": [1]})}, {})) == {"session": {"a": [1]}}


def test_an_attribute_is_refused_with_what_to_do():
    session = MemorySession()
    for name in ("foo", "items"):
        with pytest.raises(AttributeError, match=rf"request\.session\['{name}'\] = "):
            setattr(session, name, 1)
    session.flash = lambda message: message.upper()
    assert session.flash("a") == "A"


def test_it_has_the_limits_of_the_real_one():
    session = MemorySession({"a": "x" * 4_000_000})
    with pytest.raises(UnstorableValueError, match="4,194,304"):
        session["b"] = "x" * 400_000
    for _ in range(2):
        for n in range(10_001):
            session.flash(n)
        assert session.peek_flash()[0] == 1
        session.invalidate()


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
