"""`request.session` is Pyramid's ISession, whole, and a mapping as Python knows it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping
from typing import Any

import pytest
from pyramid.interfaces import ISession, ISessionFactory
from websession_core.errors import NoTransactionError, UnstorableValueError
from websession_pyramid import SessionFactory, WebSession
from zope.interface.verify import verifyClass, verifyObject

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)


def in_request(site: Any, function: Any) -> Any:
    """Run `function` in one request of a fresh browser; its result must be what JSON can carry."""
    site.views["it"] = function
    return site.browser().get("/it").json_body


def test_a_session_implements_the_interface_completely(site):
    assert verifyClass(ISession, WebSession)
    assert verifyClass(ISessionFactory, SessionFactory)
    assert in_request(site, lambda request: verifyObject(ISession, request.session))


def test_a_session_is_a_mapping_for_isinstance_and_match(site):
    def view(request):
        request.session.update({"a": 1, "b": [2]})
        match request.session:
            case {"a": int(a), "b": [b], **rest}:
                return [isinstance(request.session, Mapping), a, b, rest]
        return None

    assert in_request(site, view) == [True, 1, 2, {}]


def test_the_whole_dict_interface_works(site):
    def view(request):
        session = request.session
        session["a"] = 1
        session |= {"b": 2}
        session.update([("c", 3)], d=4)
        assert session.setdefault("e", []) == []
        session["e"].append(5)
        assert session.pop("a") == 1
        assert session.pop("a", None) is None
        with pytest.raises(KeyError):
            session.pop("a")
        with pytest.raises(KeyError):
            session["a"]
        del session["b"]
        assert session | {"z": 1} == {"c": 3, "d": 4, "e": [5], "z": 1}
        assert {"z": 1} | session == {"c": 3, "d": 4, "e": [5], "z": 1}
        assert session == {"c": 3, "d": 4, "e": [5]}
        assert session != {"c": 3}
        copy = session.copy()
        copy["e"].append(6)
        assert type(copy) is dict
        assert list(session) == list(session.keys()) == ["c", "d", "e"]
        assert list(reversed(session)) == ["e", "d", "c"]
        assert list(session.values()) == [3, 4, [5]]
        assert session.popitem() == ("e", [5])
        assert session.get("e") is None
        assert session.get("e", 7) == 7
        assert "c" in session
        assert len(session) == 2
        items = dict(session.items())
        session.clear()
        assert not session
        return items

    assert in_request(site, view) == {"c": 3, "d": 4}


def test_in_place_union_leaves_the_request_with_its_session(site):
    def view(request):
        request.session |= {"a": 1}
        return isinstance(request.session, WebSession)

    assert in_request(site, view) is True


@pytest.mark.parametrize(
    "value",
    [range(1), 1j, bytearray(b"x"), object(), float("nan"), {"k": {2: 3}}, "nul\0", "\ud800", 1e16, 2**64],
    ids=[
        "range",
        "complex number",
        "bytearray",
        "object",
        "nan",
        "int key",
        "NUL",
        "lone surrogate",
        "big float",
        "big int",
    ],
)
def test_a_value_that_some_engine_cannot_hold_is_refused_at_the_assignment(site, value):
    def view(request):
        request.session["good"] = 1
        with pytest.raises(UnstorableValueError, match="bad") as caught:
            request.session["bad"] = value
        with pytest.raises(UnstorableValueError):
            request.session.update(other=2, bad=value)
        return [caught.value.path.partition(".")[0], request.session.copy()]

    assert in_request(site, view) == ["bad", {"good": 1}]


def test_flash_queues_are_apart_from_the_data(site):
    browser = site.browser()

    @site.view
    def push(request):
        request.session["kept"] = 1
        request.session.flash("one")
        request.session.flash("one")
        request.session.flash("one", allow_duplicate=False)
        request.session.flash("two", allow_duplicate=False)
        request.session.flash({"any": ["json"]}, "other")
        request.session.clear()

    @site.view
    def pop(request):
        session = request.session
        return [session.peek_flash(), session.pop_flash(), session.pop_flash(), session.pop_flash("other")]

    browser.get("/push")
    both = ["one", "one", "two"]
    assert browser.get("/pop").json_body == [both, both, [], [{"any": ["json"]}]]
    assert browser.get("/pop").json_body == [[], [], [], []]


def test_a_csrf_token_is_made_once_and_renewed_on_demand(site):
    browser = site.browser()
    site.views["token"] = lambda request: request.session.get_csrf_token()
    site.views["renewed"] = lambda request: request.session.new_csrf_token()
    first = browser.get("/token").json_body
    assert len(first) >= 32
    assert browser.get("/token").json_body == first
    second = browser.get("/renewed").json_body
    assert second != first
    assert browser.get("/token").json_body == second


def test_created_and_new_tell_the_age(make_site):
    site = make_site()
    browser = site.browser()

    @site.view
    def age(request):
        request.session["n"] = request.session.get("n", 0) + 1
        return [request.session.created, request.session.new]

    created, new = browser.get("/age").json_body
    assert new is True
    assert browser.get("/age").json_body == [site.rows()[0].created, False]
    assert abs(site.rows()[0].created - created) <= 1


def test_repr_shows_neither_data_nor_the_identifier(site):
    def view(request):
        fresh = repr(request.session)
        request.session["password"] = "hunter2"
        identifier = request.session.row().id.hex
        return [fresh, repr(request.session), repr(request.session.kit), identifier]

    fresh, shown, factory, identifier = in_request(site, view)
    for text in (fresh, shown, factory):
        assert "hunter2" not in text
        assert "password" not in text
        assert identifier[:8] not in text


@pytest.mark.parametrize("use", ["reading", "changing", "ending"])
def test_a_request_that_is_over_leaves_nothing_to_the_garbage_collector(site, use):
    over = []

    @site.view
    def start(request):
        request.session["a"] = 1

    @site.view
    def reading(request):
        request.session["a"]
        over.extend(weakref.ref(one) for one in (request, request.session, request.session.holder))

    @site.view
    def changing(request):
        reading(request)
        request.session["a"] += 1

    @site.view
    def ending(request):
        reading(request)
        request.session.invalidate()

    browser = site.browser()
    browser.get("/start")
    gc.disable()
    try:
        browser.get(f"/{use}")
        assert [one() for one in over] == [None, None, None]
    finally:
        gc.enable()


def test_a_session_whose_request_is_gone_can_be_read_and_not_changed(site):
    kept = []

    @site.view
    def keep(request):
        request.session["a"] = 1
        kept.extend([weakref.ref(request), request.session])

    site.browser().get("/keep")
    request, session = kept
    assert request() is None
    assert session["a"] == 1
    session["a"] = 2  # warned of, like any change after the transaction
    with pytest.raises(NoTransactionError):
        session.row()
