"""What a session can hold, seen through a `Payload`."""

from __future__ import annotations

import marshal
import random
import re
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websession_core import FlashQueues, Payload, SessionTypes, UnstorableValueError, loads
from websession_core.json_text import is_json
from websession_core.payload import dumps
from websession_core.storable import MAX_DEPTH, plain_text

STORED = '{"cart":{"apples":1,"pears":[1,2]},"name":"Ann","tags":["a"]}'


@pytest.fixture
def payload() -> Payload:
    return Payload(STORED)


def nested(levels: int) -> Any:
    """That many lists inside each other."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


class Colour(Enum):
    RED = 1


class Number(IntEnum):
    ONE = 1


class Word(StrEnum):
    A = "a"


class Text(str):
    __slots__ = ()


class Fraction(float):
    __slots__ = ()


class Point(NamedTuple):
    x: int
    y: int


class Octets(bytes):
    __slots__ = ()


class Moment(datetime):
    __slots__ = ()


class TestRefusedValues:
    @pytest.mark.parametrize(
        ("value", "remedy"),
        [
            ((1, 2), "use a list"),
            ({1}, "use a sorted list"),
            (frozenset(), "use a sorted list"),
            (datetime(2026, 1, 1, tzinfo=UTC), "use value.isoformat()"),
            (date(2026, 1, 1), "use value.isoformat()"),
            (timedelta(1), "use value.total_seconds()"),
            (Decimal("1.0"), "use str(value)"),
            (UUID(int=1), "use str(value)"),
            (b"x", "use text"),
            (bytearray(), "use text"),
            (1j, "two numbers"),
            (Colour.RED, "use its value"),
            (Number.ONE, "use its value"),
            (Word.A, "use its value"),
            (Text("x"), "use str(value)"),
            (Fraction(1), "use float(value)"),
            (OrderedDict(), "use dict(value)"),
            (MappingProxyType({}), "use dict(value)"),
            (Payload(), "use dict(value)"),
            (range(3), "use list(value)"),
            (object(), "use text, numbers"),
            (Payload, "use text, numbers"),
        ],
        ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
    )
    def test_where_types_are_held_back_one_that_json_lacks_is_refused_with_a_remedy(
        self, value: Any, remedy: str
    ) -> None:
        payload = Payload(types=SessionTypes().held_back())

        with pytest.raises(UnstorableValueError) as caught:
            payload["v"] = value

        assert caught.value.path == "v"
        assert type(value).__name__ in caught.value.reason
        assert remedy in caught.value.reason
        assert payload == {}
        assert not payload.is_changed

    @pytest.mark.parametrize(
        ("value", "remedy"),
        [
            (bytearray(), "use bytes(value), or register the type"),
            (memoryview(b""), "use bytes(value), or register the type"),
            (Point(1, 2), "use tuple(value), or register the type"),
            (Octets(), "use bytes(value), or register the type"),
            (Moment(2026, 1, 1), "use value.isoformat(), or register the type"),
            (Colour.RED, "use its value or its name, or register the type"),
            (Text("x"), "use str(value), or register the type"),
            (OrderedDict(), "use dict(value), or register the type"),
            (object(), "register the type with add_session_type"),
        ],
        ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
    )
    def test_what_would_come_back_as_another_type_is_refused_with_a_remedy(
        self, value: Any, remedy: str
    ) -> None:
        payload = Payload()

        with pytest.raises(UnstorableValueError) as caught:
            payload["v"] = [value]

        assert caught.value.path == "v[0]"
        assert type(value).__name__ in caught.value.reason
        assert remedy in caught.value.reason
        assert not payload.is_changed

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("a\0b", "NUL"),
            ("\ud800", "surrogate"),
            (float("nan"), "NaN"),
            (float("inf"), "infinity"),
            (float("-inf"), "infinity"),
            (-0.0, "0.0"),
            (1e16, "integer"),
            (-1e300, "integer"),
            (2**64, "float"),
            (-(2**63) - 1, "float"),
        ],
    )
    def test_a_value_that_some_database_cannot_hold_is_refused(self, value: Any, reason: str) -> None:
        for wrapped, path in ((value, "v"), ([value], "v[0]"), ({"k": value}, "v.k")):
            with pytest.raises(UnstorableValueError, match=reason) as caught:
                Payload()["v"] = wrapped
            assert caught.value.path == path

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "\x01\x7f\u2028\ufeff\U0010ffff",
            0.0,
            0.1,
            -1e15,
            9999999999999998.0,
            5e-324,
            2**64 - 1,
            -(2**63),
            True,
            None,
            [],
            {},
            {"": {"": [None]}},
        ],
    )
    def test_a_value_that_all_databases_hold_is_taken_and_comes_back_the_same(self, value: Any) -> None:
        payload = Payload()
        payload["v"] = value

        back = Payload(payload.serialize())["v"]
        assert repr(back) == repr(value)

    @pytest.mark.parametrize(
        ("key", "path"),
        [("a\0b", r"['a\x00b']"), ("\udc80", r"['\udc80']")],
    )
    def test_a_key_that_is_no_storable_text_is_refused_and_named(self, key: str, path: str) -> None:
        payload = Payload()

        with pytest.raises(UnstorableValueError) as caught:
            payload[key] = 1
        assert caught.value.path == path
        with pytest.raises(UnstorableValueError) as caught:
            payload["v"] = {key: 1}
        assert caught.value.path == f"v{path}"
        assert payload == {}

    @pytest.mark.parametrize("letter", ["k", "é", "漢", "\U0001f9c0"])
    def test_a_key_of_more_bytes_than_mysql_can_count_is_refused(self, letter: str) -> None:
        payload = Payload()
        longest = letter * ((2**16 - 1) // len(letter.encode()))
        payload[longest] = {longest: 1}
        taken = dict(payload)

        with pytest.raises(UnstorableValueError, match="longer than 65,535 bytes") as caught:
            payload[longest + letter] = 1
        assert len(caught.value.path) < 700
        with pytest.raises(UnstorableValueError, match="longer than 65,535 bytes"):
            payload["v"] = [{longest + letter: 1}]
        with pytest.raises(UnstorableValueError, match="longer than 65,535 bytes"):
            FlashQueues().push("message", longest + letter)
        assert payload == taken

    @pytest.mark.parametrize("key", [1, None, b"secret", ("secret",), Text("secret"), Word.A])
    def test_a_key_of_another_type_is_refused_by_its_type_alone(self, key: Any) -> None:
        for value, path in (({key: 1}, "v"), ([{key: 1}], "v[0]")):
            with pytest.raises(UnstorableValueError) as caught:
                Payload()["v"] = value
            assert caught.value.path == path
            assert type(key).__name__ in caught.value.reason
        with pytest.raises(UnstorableValueError, match=r"^the session: ") as caught:
            Payload()[key] = 1
        assert "secret" not in str(caught.value)

    def test_nesting_is_limited_counting_the_payload_itself(self) -> None:
        payload = Payload()
        payload["v"] = nested(MAX_DEPTH - 1)

        with pytest.raises(UnstorableValueError, match="nesting"):
            payload["v"] = nested(MAX_DEPTH)
        with pytest.raises(UnstorableValueError, match="nesting"):
            payload["v"] = nested(100_000)
        payload["v"] = nested(1)
        payload["v"].append(nested(MAX_DEPTH - 1))
        with pytest.raises(UnstorableValueError, match="nesting"):
            payload.serialize()

    def test_a_container_inside_itself_is_refused(self) -> None:
        payload = Payload()
        loop: dict[str, Any] = {}
        loop["me"] = loop

        with pytest.raises(UnstorableValueError, match="inside itself"):
            payload["v"] = loop
        payload["v"] = {}
        payload["v"]["me"] = payload["v"]
        assert payload.is_changed
        with pytest.raises(UnstorableValueError, match="inside itself"):
            payload.serialize()

    @pytest.mark.parametrize(
        ("spoil", "path"),
        [
            (lambda cart: cart.update(x=range(1)), "cart.x"),
            (lambda cart: cart["pears"].append((1, range(1))), "cart.pears[2][1]"),
            (lambda cart: cart.update({"two words": [{"é": bytearray()}]}), "cart['two words'][0]['\\xe9']"),
            (lambda cart: cart.update({"": 1j}), "cart['']"),
            (lambda cart: cart.update({"x" * 1000: 1j}), f"cart['{'x' * 60}...']"),
        ],
    )
    def test_what_was_spoiled_in_place_is_refused_by_serialize_naming_the_path(
        self, payload: Payload, spoil: Any, path: str
    ) -> None:
        spoil(payload["cart"])

        with pytest.raises(UnstorableValueError) as caught:
            payload.serialize()
        assert caught.value.path == path

    def test_a_refusal_shows_no_value_and_carries_no_other_error(self) -> None:
        with pytest.raises(UnstorableValueError) as caught:
            Payload()["v"] = ["top secret\0"]

        assert not re.search("secret", str(caught.value))
        assert caught.value.__context__ is None

    @pytest.mark.parametrize(
        "write",
        [
            lambda payload: payload.update(a=1, name="Bob", b=range(1)),
            lambda payload: payload.update({"a": 1, "name": "Bob", 3: 1}),
            lambda payload: payload.update([("a", 1), ("b", 1j)]),
            lambda payload: payload.update({"a": 1}, b=object()),
            lambda payload: payload.__ior__({"a": 1, "b": -0.0}),
            lambda payload: payload.setdefault("a", bytearray()),
            lambda payload: payload.__setitem__("name", bytearray()),
        ],
    )
    def test_one_refused_value_leaves_everything_as_it_was(self, payload: Payload, write: Any) -> None:
        with pytest.raises(UnstorableValueError):
            write(payload)

        assert payload == loads(STORED)
        assert not payload.is_changed


def refusal(value: Any) -> str | None:
    """Say why a value cannot be stored; None: it can."""
    try:
        Payload()["key"] = value
    except UnstorableValueError as error:
        return error.reason
    return None


anything = st.one_of(
    st.text(st.characters(), max_size=5),
    st.integers(-(2**66), 2**66),
    st.sampled_from([-(2**63) - 1, -(2**63), 2**64 - 1, 2**64, True, None, Colour.RED, Number.ONE, Word.A]),
    st.sampled_from([Text("a"), Text("\0"), "\0", "a\0b", "\ud800", "ä\0", "\x7f", Octets(), 1j]),
    st.floats(),
)


@settings(max_examples=2_000, deadline=None)
@given(value=anything)
def test_a_value_in_a_list_or_a_dictionary_is_refused_as_it_is_by_itself(value: Any) -> None:
    reason = refusal(value)

    assert refusal([value]) == reason
    assert refusal({"a": value}) == reason
    assert refusal([1, {"a": ["b", value]}]) == reason


@settings(max_examples=2_000, deadline=None)
@given(key=st.one_of(anything, st.sampled_from(["k" * 16_383, "k" * 16_384, "k" * 2**16, "ä" * 2**15])))
def test_a_key_in_a_value_is_refused_as_it_is_in_the_session(key: Any) -> None:
    def of_the_session() -> str | None:
        try:
            Payload()[key] = 1
        except UnstorableValueError as error:
            return error.reason
        return None

    assert refusal({key: 1}) == of_the_session()


containers = st.recursive(
    anything, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3)
).filter(lambda value: isinstance(value, list | dict))


def assert_text_is_right(value: Any) -> None:
    """The text of a value that is JSON and may be stored, and none of any other."""
    expected = dumps(value) if refusal(value) is None and is_json(value) else None
    try:
        image = marshal.dumps(value, 4)
    except ValueError:
        assert expected is None, repr(value)
    else:
        assert plain_text(value, 2, image) == expected, repr(value)


@settings(max_examples=2_000, deadline=None)
@given(value=containers)
def test_what_is_looked_at_by_levels_is_judged_as_each_value_by_itself(value: Any) -> None:
    assert_text_is_right(value)


@pytest.mark.slow
def test_any_of_a_million_values_is_judged_by_levels_as_by_itself() -> None:
    draw = random.Random(22)
    scalars = [0, 1, True, None, 0.0, 0.5, 9e15, "", "a", "ä", '"', "\x7f", -(2**63), 2**64 - 1]
    scalars *= 8  # so that many are storable
    scalars += [-(2**63) - 1, 2**64, -0.0, 1e16, float("nan"), float("inf"), "\0", "\ud800", Text("a")]
    scalars += [Number.ONE, (1,), {1}, b"a", date(2026, 1, 1), OrderedDict(a=1), Fraction(1.5), Octets()]
    keys = ["a", "b", "$", "ä", "c"] * 20 + ["\0", "\ud800", 1, None, True, Text("a"), (1,)]

    def value(depth: int) -> Any:
        chance = draw.random()
        if chance < 0.5 or not depth:
            return draw.choice(scalars)
        items = [value(depth - 1) for _ in range(draw.randrange(4))]
        return items if chance < 0.75 else {draw.choice(keys): item for item in items}

    for _ in range(1_000_000):
        assert_text_is_right([value(4)])


def test_levels_are_counted_as_deep_as_they_may_be() -> None:
    for value, is_plain in (
        (nested(MAX_DEPTH - 1), True),
        (nested(MAX_DEPTH), False),
        ((1,), False),
        ({1}, False),
        ({"k" * 16_383: 1}, True),
        ({"k" * 16_384: 1}, False),  # it may be storable; each value is looked at then
    ):
        assert (plain_text(value, 2, marshal.dumps(value, 4)) is not None) is is_plain


@pytest.mark.parametrize("large", ["", "x" * 2_000], ids=["small", "large"])
def test_what_is_many_times_inside_itself_is_refused_at_once(payload: Payload, large: str) -> None:
    value: Any = [large]
    value += [value] * 100
    with pytest.raises(UnstorableValueError):
        payload["new"] = value

    tags = payload["tags"]
    tags.append(large)
    tags += [tags] * 100
    assert payload.is_changed
    with pytest.raises(UnstorableValueError):
        payload.serialize()
