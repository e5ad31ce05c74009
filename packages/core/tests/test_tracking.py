"""What a payload knows between two steps: one line of the rules each, where a mutant of it went unnoticed."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from websession_core import Payload, SessionTypes, UnreadableValueError, UnstorableValueError, loads
from websession_core.copying import clone
from websession_core.documents import document_text, read_value
from websession_core.json_text import is_json
from websession_core.session_types import DEFAULT_TYPES
from websession_core.storable import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable

LARGE: list[Any] = [{"b": number, "a": "x"} for number in range(200)]


class TestTheFirstThingAskedOfAStoredPayload:
    """It is decoded only now."""

    def test_may_be_whether_it_has_a_key(self) -> None:
        assert "a" in Payload('{"a":1}')

    def test_may_be_its_keys_from_behind(self) -> None:
        assert list(reversed(Payload('{"a":1,"b":2}'))) == ["b", "a"]

    def test_may_be_to_be_compared(self) -> None:
        assert Payload('{"a":1}') == Payload('{"a":1}')

    def test_without_reordering_its_keys_come_as_they_are_stored(self) -> None:
        assert list(Payload('{"b":1,"a":2}')) == ["b", "a"]

    def test_and_a_question_afterwards_does_not_decode_it_once_more(self) -> None:
        payload = Payload('{"a":1}')
        payload["b"] = 2
        assert "b" in payload


@pytest.mark.parametrize(
    "first",
    [
        lambda payload: payload.pop("a1"),
        lambda payload: payload.update(a2="new"),
        lambda payload: payload.update(a3=2),
        lambda payload: payload["a4"],
    ],
    ids=["removed", "added", "changed", "looked at"],
)
def test_what_comes_after_another_key_is_examined_too(first: Callable[[Payload], Any]) -> None:
    payload = Payload()
    payload.update(a1=1, a3=1, a4=LARGE, z=[])
    payload = Payload(payload.serialize())
    first(payload)
    payload["z"].append(object())
    with pytest.raises(UnstorableValueError, match=r"^z\[0\]: "):
        payload.serialize()
    payload["z"][:] = [(1,)]
    assert Payload(payload.serialize())["z"] == [(1,)]


class TestALargeValue:
    def test_that_was_only_looked_at_is_unchanged_after_something_else_was_stored(self) -> None:
        payload = Payload()
        payload["large"] = LARGE
        payload = Payload(payload.serialize())
        assert payload["large"] == LARGE
        payload["n"] = 1
        payload.rebase(payload.serialize())
        assert not payload.is_changed

    def test_that_is_assigned_with_its_keys_in_another_order_is_the_same(self) -> None:
        payload = Payload()
        payload["large"] = LARGE
        payload = Payload(payload.serialize())
        payload["large"] = [dict(reversed(item.items())) for item in LARGE]
        assert not payload.is_changed


class TestARecordOfWhatWasStored:
    def test_may_lack_a_key_of_before(self) -> None:
        payload = Payload('{"a":1,"b":2}')
        del payload["a"]
        text = payload.serialize()
        payload["b"] = 3
        payload.rebase(text)
        payload["b"] = 2
        assert not payload.is_changed

    def test_may_follow_a_rollback(self) -> None:
        payload = Payload('{"a":[1]}')
        before = payload.snapshot()
        for back in (payload.reset, lambda: payload.restore(before)):
            payload["a"].append(2)
            back()
            assert payload["a"] == [1]
            payload.rebase(payload.serialize())
            assert not payload.is_changed


class TestASnapshot:
    def test_has_what_was_forced_also_where_something_was_read(self) -> None:
        payload = Payload('{"a":1}')
        assert payload["a"] == 1
        payload.mark_changed()
        before = payload.snapshot()
        payload.reset()
        payload.restore(before)
        assert payload.is_changed

    def test_gives_an_object_of_the_applications_anew_each_time(self) -> None:
        types = SessionTypes()
        types.add("box", Box, lambda box: box.items, Box)
        payload = Payload(types=types)
        payload["box"] = Box([1])
        before = payload.snapshot()
        for _ in range(2):
            payload.restore(before)
            assert payload["box"].items == [1]
            payload["box"].items.append(2)


class Box:
    """Something that can change in place, and is no container to us."""

    def __init__(self, items: list[int]) -> None:
        self.items = items


class TestTheLimit:
    def test_is_known_after_a_rollback(self) -> None:
        payload = Payload(limit=1000)
        payload["a"] = "x" * 900
        payload.reset()
        payload["a"] = "x" * 900
        assert len(payload["a"]) == 900

    def test_counts_what_was_not_stored_before_a_savepoint(self) -> None:
        payload = Payload(limit=1000)
        payload["a"] = "x" * 980
        payload.restore(payload.snapshot())
        with pytest.raises(UnstorableValueError, match="max_data_size"):
            payload["b"] = "x" * 10

    def test_counts_all_values_of_an_update(self) -> None:
        with pytest.raises(UnstorableValueError, match=r"^b: ") as caught:
            Payload(limit=1000).update(b="x" * 990, c="x")
        assert caught.value.path == "b"

    @pytest.mark.parametrize("key", ["", "\x01" * 20], ids=repr)
    def test_counts_keys(self, key: str) -> None:
        size = len(document_text({key: "\x01"}, DEFAULT_TYPES, as_list=False).encode())
        Payload(limit=size)[key] = "\x01"
        with pytest.raises(UnstorableValueError):
            Payload(limit=size - 1)[key] = "\x01"

    def test_names_the_largest_of_what_has_grown_in_place(self) -> None:
        payload = Payload('{"a":[],"b":[],"c":[]}', limit=100)
        for key, count in (("a", 1), ("b", 40), ("c", 2)):
            payload[key].extend([1] * count)
        payload["b"].append(1)
        with pytest.raises(UnstorableValueError, match=r"^b: "):
            payload.serialize()

    def test_may_be_reached_in_place_and_one_that_is_beyond_may_stay_as_large(self) -> None:
        payload = Payload('{"a":["b"]}', limit=13)
        payload["a"][0] = "abc"
        assert payload.serialize() == '{"a":["abc"]}'
        payload = Payload('{"a":["abcd"]}', limit=13)
        payload["a"][0] = "dcba"
        assert payload.serialize() == '{"a":["dcba"]}'


class TestWhatCannotBeStored:
    @pytest.mark.parametrize("put", [Payload.__setitem__, lambda payload, *pair: payload.update([pair])])
    def test_is_called_by_its_place(self, put: Callable[..., None]) -> None:
        for key, value, place in (("cart", [object()], r"^cart\[0\]: "), (7, 1, r"^the session: ")):
            with pytest.raises(UnstorableValueError, match=place):
                put(Payload(), key, value)

    @pytest.mark.parametrize("put", [Payload.__setitem__, lambda payload, *pair: payload.update([pair])])
    def test_is_one_level_too_many(self, put: Callable[..., None]) -> None:
        def nested(levels: int) -> Any:
            value: Any = []
            for _ in range(levels - 1):
                value = [value]
            return (value,)

        # A tuple is two levels, the notation's object and its list; the payload is one more.
        put(Payload(), "a", nested(MAX_DEPTH - 3))
        with pytest.raises(UnstorableValueError, match="nesting"):
            put(Payload(), "a", nested(MAX_DEPTH - 2))


def test_a_key_that_is_not_there_is_named_when_it_is_deleted() -> None:
    with pytest.raises(KeyError) as caught:
        del Payload()["b"]
    assert caught.value.args == ("b",)


def test_what_is_nested_too_deeply_to_be_read_is_called_by_its_place() -> None:
    notation: Any = []
    for _ in range(100_000):
        notation = [notation]
    with pytest.raises(UnreadableValueError, match=r"^a: .*it is nested too deeply") as caught:
        read_value(notation, ("a",), DEFAULT_TYPES)
    assert caught.value.type_name == "notation"


def test_a_date_and_what_looks_like_one_are_two_things_in_a_list() -> None:
    payload = Payload('{"$notation":1e20,"a":[{"$date":"2026-11-28"}]}')
    payload["a"][0] = {"$date": "2026-11-28"}
    assert payload.is_changed
    assert loads(payload.serialize()) == {"a": [{"$date": "2026-11-28"}]}


def test_only_keys_that_could_be_the_mark_have_one_more_sign() -> None:
    payload = Payload()
    payload.update(
        {"notation": 1, "x$notation": 2, "X$notation": 3, "$notation": 4, "when": date(2026, 1, 1)}
    )
    text = payload.serialize()
    assert text == (
        '{"$$notation":4,"$notation":1e+20,"X$notation":3,"notation":1,'
        '"when":{"$date":"2026-01-01"},"x$notation":2}'
    )
    assert Payload(text) == payload


def test_the_last_of_two_equal_keys_counts_whatever_the_values_are() -> None:
    assert loads('{"a":1,"a":{}}', reorder=True) == {"a": {}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        ([], True),
        ({}, True),
        (["", 1, 1.0, True, None, [], {}], True),
        ((), False),
        ([[1, [(1,)]]], False),
        ({"a": [{"b": {1}}]}, False),
    ],
    ids=repr,
)
def test_what_is_exactly_json(value: Any, expected: bool) -> None:
    assert is_json(value) is expected


def test_a_copy_has_one_of_each_container_and_shares_what_cannot_be_copied() -> None:
    inner, strange = [1], object()
    first, (second,), third = clone([inner, (inner,), strange], {})
    assert first is second
    assert first is not inner
    assert third is strange
