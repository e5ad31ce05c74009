"""What an application may rely on from any Pyramid session: a suite for authors of session back ends.

Subclass it in your tests and say which sessions are meant::

    class TestMySessions(SessionContract):
        @pytest.fixture
        def session_factory(self):
            return MySessionFactory(...)

Sources: `pyramid.interfaces.ISession` and Pyramid's chapter on sessions (what the methods do); RFC 8259 (what
a JSON value is); OWASP ASVS 5.0, 7.4.1 (a session that has been ended is not opened again).
"""

from __future__ import annotations

import functools
import json
import operator
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pytest
from pyramid.interfaces import ISession
from pyramid.request import Request
from pyramid.response import Response
from zope.interface.verify import verifyObject

from .usage import usage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FactoryVisitor", "SessionContract", "Visitor"]


class Visitor(Protocol):
    """A browser, as far as the suite needs one."""

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies it has now, by name."""
        ...

    def visit(self, function: Callable[[Any], Any]) -> Any:
        """Call `function` with the session of one request, and return what it returns.

        When it returns the request is over: what is to be stored is stored, and the visitor has the cookies
        that came with the response.
        """
        ...

    def twin(self) -> Visitor:
        """Return another visitor, with a copy of the cookies of now."""
        ...


class FactoryVisitor:
    """A visitor of sessions that need nothing but a request and its response.

    Args:
        factory: Makes the session of a request (`pyramid.interfaces.ISessionFactory`).
        cookies: The cookies it has at first.
    """

    def __init__(self, factory: Callable[[Any], Any], cookies: Mapping[str, str] | None = None) -> None:
        self._factory = factory
        self.cookies: dict[str, str] = dict(cookies or {})

    def visit(self, function: Callable[[Any], Any]) -> Any:
        """Make a request, call the function with its session, take the cookies from the response."""
        request = Request.blank("/", base_url="https://example.com")
        request.cookies.update(self.cookies)
        result = function(self._factory(request))
        response = Response()
        while request.response_callbacks:
            request.response_callbacks.popleft()(request, response)
        for header in response.headers.getall("Set-Cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            # An empty one is how a cookie is deleted.
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return result

    def twin(self) -> FactoryVisitor:
        """Return another visitor of the same sessions, with a copy of the cookies."""
        return FactoryVisitor(self._factory, self.cookies)


class SessionContract:
    """The suite. Give it `session_factory`, or `new_visitor` where a request alone is not enough.

    Attributes:
        deviations: Tests that these sessions do not pass, by name, and why: each is expected to fail, and one
            that passes after all is an error.
    """

    deviations: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def session_factory(self) -> Callable[[Any], Any]:
        """The `ISessionFactory` under test."""
        usage_error(
            f"{type(self).__name__} does not say which sessions it is about: override the fixture "
            "`session_factory` in it, or `new_visitor`."
        )

    @pytest.fixture
    def new_visitor(self, session_factory: Callable[[Any], Any]) -> Callable[[], Visitor]:
        """Make a `Visitor` without cookies, each time it is called."""
        return lambda: FactoryVisitor(session_factory)

    @pytest.fixture
    def visitor(self, new_visitor: Callable[[], Visitor]) -> Visitor:
        """A visitor without cookies."""
        return new_visitor()

    @pytest.fixture(autouse=True)
    def expect_deviations(self, request: pytest.FixtureRequest) -> None:
        """Expect the listed tests to fail, and no others to be listed."""
        unknown = [name for name in self.deviations if not hasattr(self, name)]
        if unknown:
            usage_error(f"{type(self).__name__}.deviations names no tests: {', '.join(unknown)}")
        reason = self.deviations.get(request.node.originalname)
        if reason is not None:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    # -- a session -----------------------------------------------------------------------------------------

    def test_it_implements_the_interface(self, visitor: Visitor) -> None:
        assert visitor.visit(lambda session: verifyObject(ISession, session))

    def test_the_first_is_new_and_empty(self, visitor: Visitor) -> None:
        assert visitor.visit(lambda session: (session.new, dict(session.items()))) == (True, {})

    def test_looking_at_it_sends_no_cookie(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: (session.get("a"), "a" in session, list(session), session.peek_flash()))
        assert not visitor.cookies

    def test_it_is_there_in_the_next_request_and_not_new(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: session.update(a=1))
        assert visitor.visit(lambda session: (session.new, session["a"])) == (False, 1)

    def test_it_is_there_as_long_as_nobody_ends_it(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: session.update(a=1))
        for _ in range(3):
            visitor.visit(lambda session: session.new)
        assert visitor.visit(lambda session: session["a"]) == 1

    def test_two_visitors_have_two(self, new_visitor: Callable[[], Visitor]) -> None:
        one, other = new_visitor(), new_visitor()
        one.visit(lambda session: session.update(a=1))
        assert other.visit(lambda session: dict(session.items())) == {}
        other.visit(lambda session: session.update(a=2))
        assert one.visit(lambda session: session["a"]) == 1

    def test_created_is_in_whole_seconds_and_stays(self, visitor: Visitor) -> None:
        created = visitor.visit(lambda session: session.setdefault("a", 1) and session.created)
        assert type(created) is int
        assert visitor.visit(lambda session: session.created) == created

    # -- its data ------------------------------------------------------------------------------------------

    def test_a_value_can_be_replaced_and_deleted(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: session.update(a=1, b=1))
        visitor.visit(lambda session: session.__setitem__("a", 2))
        visitor.visit(lambda session: session.__delitem__("b"))
        assert visitor.visit(lambda session: dict(session.items())) == {"a": 2}

    def test_what_is_not_there_is_a_key_error(self, visitor: Visitor) -> None:
        for access in ("__getitem__", "__delitem__", "pop"):
            with pytest.raises(KeyError):
                visitor.visit(operator.methodcaller(access, "missing"))
        assert visitor.visit(lambda session: (session.get("missing"), session.get("missing", 1))) == (None, 1)

    def test_it_has_the_methods_of_a_dictionary(self, visitor: Visitor) -> None:
        def use(session: Any) -> None:
            session["a"] = 1
            session.update({"b": 2, "c": 3})
            assert session.setdefault("a", 9) == 1
            assert session.setdefault("d", 4) == 4
            assert session.pop("b") == 2
            assert session.pop("b", 9) == 9
            assert "c" in session
            assert "b" not in session
            assert sorted(session) == sorted(session.keys()) == ["a", "c", "d"]
            assert sorted(session.values()) == [1, 3, 4]
            assert len(session) == 3
            assert session

        visitor.visit(use)
        assert visitor.visit(lambda session: sorted(session.items())) == [("a", 1), ("c", 3), ("d", 4)]

    def test_it_can_be_emptied(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: session.update(a=1))
        visitor.visit(lambda session: session.clear())
        assert visitor.visit(lambda session: dict(session.items())) == {}

    @pytest.mark.parametrize(
        "value",
        [
            *("", "text", "Ünï©ödé \U0001f600", 'quo"te \\ back', "two\nlines"),
            *(0, -1, 2**53, 1.5, True, False, None, [], {}),
            {"list": [1, [2, {"deep": None}]], "": ""},
        ],
        ids=repr,
    )
    def test_json_values_come_back_as_they_were(self, visitor: Visitor, value: Any) -> None:
        visitor.visit(lambda session: session.update(a=value))
        # As text, because 1 == 1.0 == True; sorted, because JSON objects have no order.
        form = functools.partial(json.dumps, sort_keys=True)
        assert visitor.visit(lambda session: form(session["a"])) == form(value)

    def test_what_is_no_json_value_is_refused(self, visitor: Visitor) -> None:
        with pytest.raises((TypeError, ValueError)):
            visitor.visit(lambda session: session.update(a=object()))

    @pytest.mark.parametrize("value", [{1, 2}, b"bytes"], ids=["set", "bytes"])
    def test_a_set_or_bytes_are_refused_or_come_back_as_they_were(self, visitor: Visitor, value: Any) -> None:
        try:
            visitor.visit(lambda session: session.update(a=value))
        except (TypeError, ValueError):
            return
        assert visitor.visit(lambda session: session["a"]) == value

    def test_a_tuple_is_refused_or_stays_one(self, visitor: Visitor) -> None:
        try:
            visitor.visit(lambda session: session.update(a=(1, 2)))
        except (TypeError, ValueError):
            return
        assert visitor.visit(lambda session: session["a"]) == (1, 2)

    def test_a_nested_key_that_is_no_text_is_refused_or_stays_as_it_is(self, visitor: Visitor) -> None:
        try:
            visitor.visit(lambda session: session.update(a={1: 2}))
        except (TypeError, ValueError):
            return
        assert visitor.visit(lambda session: session["a"]) == {1: 2}

    def test_a_nested_change_is_kept_if_it_is_told(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: session.update(a={"b": []}))
        visitor.visit(lambda session: (session["a"]["b"].append(1), session.changed()))
        assert visitor.visit(lambda session: session["a"]) == {"b": [1]}

    def test_a_nested_change_is_kept_without_being_told(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: session.update(a={"b": []}))
        visitor.visit(lambda session: session["a"]["b"].append(1))
        assert visitor.visit(lambda session: session["a"]) == {"b": [1]}

    # -- its end -------------------------------------------------------------------------------------------

    def test_an_invalidated_one_is_empty_at_once(self, visitor: Visitor) -> None:
        def end(session: Any) -> tuple[Any, ...]:
            session.flash("gone")
            session.invalidate()
            return dict(session.items()), session.peek_flash()

        visitor.visit(lambda session: session.update(a=1))
        assert visitor.visit(end) == ({}, [])
        assert visitor.visit(lambda session: dict(session.items())) == {}

    def test_an_invalidated_one_is_usable_at_once(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: session.update(a=1))
        visitor.visit(lambda session: (session.invalidate(), session.update(b=2)))
        assert visitor.visit(lambda session: dict(session.items())) == {"b": 2}

    def test_a_new_one_can_be_invalidated(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: (session.update(a=1), session.invalidate()))
        assert visitor.visit(lambda session: dict(session.items())) == {}

    def test_an_invalidated_one_is_not_opened_by_a_copy_of_its_cookie(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: session.update(a=1))
        twin = visitor.twin()
        assert twin.visit(lambda session: session["a"]) == 1
        visitor.visit(lambda session: session.invalidate())
        assert twin.visit(lambda session: dict(session.items())) == {}

    # -- flash messages ------------------------------------------------------------------------------------

    def test_flash_messages_wait_in_order_until_they_are_popped(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: (session.flash("one"), session.flash("two")))
        visitor.visit(lambda session: session.flash("three"))
        assert visitor.visit(lambda session: session.peek_flash()) == ["one", "two", "three"]
        assert visitor.visit(lambda session: session.pop_flash()) == ["one", "two", "three"]
        assert visitor.visit(lambda session: (session.pop_flash(), session.peek_flash())) == ([], [])

    def test_flash_queues_are_apart(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: (session.flash("one"), session.flash("two", queue="other")))
        assert visitor.visit(lambda session: session.pop_flash("other")) == ["two"]
        assert visitor.visit(lambda session: (session.pop_flash("other"), session.pop_flash())) == (
            [],
            ["one"],
        )

    def test_a_flash_message_is_there_twice_only_if_that_is_allowed(self, visitor: Visitor) -> None:
        def flash(session: Any) -> None:
            session.flash("one")
            session.flash("one")
            session.flash("one", allow_duplicate=False)
            session.flash("two", allow_duplicate=False)

        visitor.visit(flash)
        assert visitor.visit(lambda session: session.pop_flash()) == ["one", "one", "two"]

    def test_flash_messages_are_no_part_of_the_data(self, visitor: Visitor) -> None:
        visitor.visit(lambda session: session.flash("one"))
        assert visitor.visit(lambda session: dict(session.items())) == {}
        visitor.visit(lambda session: session.clear())
        assert visitor.visit(lambda session: session.pop_flash()) == ["one"]

    # -- the CSRF token ------------------------------------------------------

    def test_the_csrf_token_is_text_and_stays(self, visitor: Visitor) -> None:
        token = visitor.visit(lambda session: session.get_csrf_token())
        assert isinstance(token, str)
        assert len(token) >= 16
        assert visitor.visit(lambda session: (session.get_csrf_token(), session.get_csrf_token())) == (
            token,
            token,
        )

    def test_a_new_csrf_token_takes_the_place_of_the_old_one(self, visitor: Visitor) -> None:
        old = visitor.visit(lambda session: session.get_csrf_token())
        new = visitor.visit(lambda session: session.new_csrf_token())
        assert new != old
        assert visitor.visit(lambda session: session.get_csrf_token()) == new

    def test_two_visitors_have_two_csrf_tokens(self, new_visitor: Callable[[], Visitor]) -> None:
        tokens = {new_visitor().visit(lambda session: session.get_csrf_token()) for _ in range(3)}
        assert len(tokens) == 3

    def test_the_csrf_token_ends_with_the_session(self, visitor: Visitor) -> None:
        old = visitor.visit(lambda session: session.get_csrf_token())
        assert visitor.visit(lambda session: (session.invalidate(), session.get_csrf_token())[1]) != old
        assert visitor.visit(lambda session: session.get_csrf_token()) != old
