from __future__ import annotations

import json
from collections import UserDict, UserString
from collections.abc import Callable, MutableMapping
from datetime import date
from types import MappingProxyType
from typing import Any

import pytest
from websession_core import MalformedPayloadError, Payload, UnstorableValueError, dumps, loads

STORED = '{"cart":{"apples":1,"pears":[1,2]},"name":"Ann","tags":["a"]}'


@pytest.fixture
def payload() -> Payload:
    return Payload(STORED)


class TestText:
    def test_canonical_text_is_compact_sorted_and_unicode(self) -> None:
        assert dumps({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'

    def test_nan_has_no_canonical_text(self) -> None:
        with pytest.raises(ValueError, match="JSON compliant"):
            dumps(float("nan"))

    def test_keys_come_back_as_they_are_or_sorted_at_every_level(self) -> None:
        text = '{"b":[{"d":1,"c":2}],"a":0}'

        assert json.dumps(loads(text)) == '{"b": [{"d": 1, "c": 2}], "a": 0}'
        assert json.dumps(loads(text, reorder=True)) == '{"a": 0, "b": [{"c": 2, "d": 1}]}'

    @pytest.mark.parametrize("text", ["", "{", '{"a":secret}', '"secret', "[" * 100_000])
    def test_what_is_not_json_is_refused_without_showing_it(self, text: str) -> None:
        reason = "it is nested too deeply" if text.startswith("[") else "it is not JSON"
        with pytest.raises(MalformedPayloadError, match=rf"cannot be read: {reason}\n") as caught:
            loads(text)

        assert "secret" not in str(caught.value)
        # json's own error has the whole text as an attribute, where an error reporter would find it.
        assert caught.value.__context__ is None

    @pytest.mark.parametrize("text", ["[]", "1", "null", "nonsense"])
    def test_a_payload_that_is_no_object_is_refused_on_first_use(self, text: str) -> None:
        payload = Payload(text)

        with pytest.raises(MalformedPayloadError, match="cannot be read: it is not"):
            payload.get("a")


class TestDictionary:
    def test_it_is_a_mutable_mapping_and_matches_mapping_patterns(self, payload: Payload) -> None:
        assert isinstance(payload, MutableMapping)
        match payload:
            case {"name": str(name), **rest}:
                assert name == "Ann"
                assert sorted(rest) == ["cart", "tags"]
            case _:
                pytest.fail("no match")

    def test_no_text_is_an_empty_payload(self) -> None:
        for empty in (Payload(), Payload(None), Payload("{}")):
            assert not empty
            assert len(empty) == 0
            assert empty == {}
            assert not empty.is_changed
            assert empty.serialize() == "{}"

    def test_reading(self, payload: Payload) -> None:
        assert payload["name"] == "Ann"
        assert payload.get("name") == "Ann"
        assert payload.get("nobody") is None
        assert payload.get("nobody", 3) == 3
        assert "name" in payload
        assert "nobody" not in payload
        assert 3 not in payload
        assert list(payload) == ["cart", "name", "tags"]
        assert list(reversed(payload)) == ["tags", "name", "cart"]
        assert len(payload) == 3
        assert payload.keys() == {"cart", "name", "tags"}
        assert dict(payload.items()) == loads(STORED)
        assert list(payload.values()) == list(loads(STORED).values())
        with pytest.raises(KeyError):
            payload["nobody"]

    def test_writing(self, payload: Payload) -> None:
        payload["n"] = 1
        assert payload.setdefault("n", 2) == 1
        assert payload.setdefault("list", []) == []
        payload["list"].append(1)
        assert payload.pop("n") == 1
        assert payload.pop("n", None) is None
        with pytest.raises(KeyError):
            payload.pop("n")
        assert payload.popitem() == ("list", [1])
        del payload["tags"]
        with pytest.raises(KeyError):
            del payload["tags"]
        payload.update({"a": 1}, b=2)
        payload.update([("c", 3)])
        payload.update(d=4)
        payload.update()
        payload |= {"e": 5}
        payload |= [("f", 6)]
        assert payload == {"cart": {"apples": 1, "pears": [1, 2]}, "name": "Ann"} | dict(
            zip("abcdef", range(1, 7), strict=True)
        )
        payload.clear()
        assert payload == {}
        with pytest.raises(KeyError, match="empty"):
            payload.popitem()

    def test_update_takes_whatever_a_dictionary_takes(self) -> None:
        payload = Payload()
        payload.update(UserDict(a=1))
        payload.update(Payload('{"b":2}'))
        payload.update(zip("c", [3], strict=True))
        payload.update({"self": 4}, other=5)

        assert payload == {"a": 1, "b": 2, "c": 3, "self": 4, "other": 5}
        with pytest.raises(ValueError, match="unpack"):
            payload.update([("a", 1, 2)])  # type: ignore[list-item]
        with pytest.raises(TypeError):
            payload.update(3)  # type: ignore[call-overload]

    def test_merging_gives_a_plain_dictionary_that_shares_nothing_with_the_session(
        self, payload: Payload
    ) -> None:
        right = payload | {"name": "Bob"}
        left = {"name": "Bob", "x": 1} | payload

        assert type(right) is type(left) is dict
        assert right["name"] == "Bob"
        assert (left["name"], left["x"]) == ("Ann", 1)
        right["cart"]["apples"] = left["cart"]["apples"] = 99
        assert not payload.is_changed
        with pytest.raises(TypeError):
            payload | 3  # type: ignore[operator]
        with pytest.raises(TypeError):
            3 | payload  # type: ignore[operator]

    def test_a_copy_is_a_plain_deep_copy(self, payload: Payload) -> None:
        copy = payload.copy()
        copy["cart"]["pears"].append(3)

        assert type(copy) is dict
        assert payload["cart"]["pears"] == [1, 2]

    def test_it_equals_a_mapping_with_equal_contents(self, payload: Payload) -> None:
        assert payload == loads(STORED)
        assert loads(STORED) == payload
        assert payload == Payload(STORED)
        assert payload == MappingProxyType(loads(STORED))
        assert payload != {}
        assert payload != Payload()
        assert payload != [1]
        assert payload != 3

    def test_like_a_dictionary_it_is_not_hashable(self, payload: Payload) -> None:
        with pytest.raises(TypeError):
            hash(payload)

    def test_its_repr_shows_how_many_keys_there_are_and_nothing_of_them(self, payload: Payload) -> None:
        assert repr(payload) == "<Payload: not read yet>"
        assert len(payload) == 3
        assert repr(payload) == "<Payload: 3 keys>"
        assert "Ann" not in repr(payload.items())
        assert repr(Payload("broken")) == "<Payload: not read yet>"
        one = Payload()
        one["a"] = 1
        assert repr(one) == "<Payload: 1 key>"

    def test_mappings_come_back_sorted_whatever_order_the_database_has(self) -> None:
        payload = Payload('{"name": 1, "a": {"long": 1, "b": 2}}', reorder=True)

        assert list(payload) == ["a", "name"]
        assert list(payload["a"]) == ["b", "long"]


class TestChangeDetection:
    def test_reading_is_no_change(self, payload: Payload) -> None:
        repr(payload)
        list(payload.items())
        payload.copy()
        payload["cart"]["pears"][0]

        assert not payload.is_changed
        assert payload.serialize() is STORED

    def test_a_change_in_a_nested_value_is_found_at_any_depth(self, payload: Payload) -> None:
        payload["cart"]["pears"].append(3)

        assert payload.is_changed
        assert loads(payload.serialize())["cart"] == {"apples": 1, "pears": [1, 2, 3]}

    @pytest.mark.parametrize(
        "take",
        [
            lambda payload: payload["cart"],
            lambda payload: payload.get("cart"),
            lambda payload: payload.setdefault("cart", {}),
            lambda payload: dict(payload.items())["cart"],
            lambda payload: dict(payload)["cart"],
            lambda payload: ({} | dict(payload))["cart"],
            lambda payload: {**payload}["cart"],
            lambda payload: next(value for value in payload.values() if isinstance(value, dict)),
        ],
        ids=["[]", "get", "setdefault", "items", "dict()", "|", "**", "values"],
    )
    def test_a_change_is_found_however_the_value_was_taken_out(self, payload: Payload, take: Any) -> None:
        take(payload)["apples"] = 2

        assert payload.is_changed
        assert loads(payload.serialize())["cart"]["apples"] == 2

    def test_a_value_matched_by_a_pattern_is_tracked(self, payload: Payload) -> None:
        match payload:
            case {"cart": {"pears": pears}}:
                pears.clear()

        assert payload.is_changed

    def test_undoing_a_change_makes_it_none(self, payload: Payload) -> None:
        payload["cart"]["apples"] = 2
        payload["cart"]["apples"] = 1
        name = payload.pop("name")
        payload["name"] = name
        payload["new"] = []
        del payload["new"]

        assert not payload.is_changed
        assert payload.serialize() is STORED

    def test_assigning_an_equal_value_is_no_change(self, payload: Payload) -> None:
        payload["name"] = "Ann"
        payload["cart"] = {"pears": [1, 2], "apples": 1}

        assert not payload.is_changed

    @pytest.mark.parametrize("other", [True, 1.0])
    def test_values_that_python_calls_equal_are_a_change_if_their_json_differs(self, other: Any) -> None:
        payload = Payload('{"n":1,"nested":{"n":1}}')
        payload["n"] = other
        assert payload.is_changed

        payload.reset()
        payload["nested"]["n"] = other
        assert payload.is_changed

    def test_setting_deleting_and_clearing_are_changes(self, payload: Payload) -> None:
        payload["x"] = None
        assert payload.is_changed
        payload.reset()
        del payload["name"]
        assert payload.is_changed
        payload.reset()
        payload.clear()
        assert payload.is_changed
        assert payload.serialize() == "{}"

    def test_an_assigned_value_stays_tracked_through_the_callers_own_name(self) -> None:
        payload = Payload()
        basket: list[str] = []
        payload["basket"] = basket
        basket.append("apple")

        assert payload.serialize() == '{"basket":["apple"]}'

    def test_a_value_under_two_keys_changes_under_both(self, payload: Payload) -> None:
        payload["other"] = payload["tags"]
        payload["other"].append("b")

        assert loads(payload.serialize())["tags"] == ["a", "b"]

    def test_a_change_can_be_forced(self, payload: Payload) -> None:
        payload.mark_changed()

        assert payload.is_changed
        assert payload.serialize() == STORED
        payload.rebase(STORED)
        assert not payload.is_changed

    def test_what_is_not_comparable_counts_as_changed_and_is_refused_when_serialized(
        self, payload: Payload
    ) -> None:
        payload["cart"]["when"] = range(1)

        assert payload.is_changed
        with pytest.raises(UnstorableValueError, match=r"^cart\.when: .*range.*list"):
            payload.serialize()

    def test_a_stored_value_that_would_be_refused_today_can_still_be_read(self) -> None:
        stored = '{"a":{"n":NaN,"big":1e16},"b":' + "[" * 40 + "]" * 40 + "}"
        payload = Payload(stored)
        payload["a"]
        payload["b"]

        assert not payload.is_changed
        assert payload.serialize() is stored

    def test_serialized_text_is_canonical_whatever_the_stored_text_was(self) -> None:
        payload = Payload('{ "b": 1, "a": 2 }')
        payload["c"] = 3

        assert payload.serialize() == '{"a":2,"b":1,"c":3}'


class TestStoredAndRolledBack:
    def test_after_storing_there_is_no_change_and_later_ones_are_found(self, payload: Payload) -> None:
        cart = payload["cart"]
        cart["apples"] = 2
        payload["fresh"] = fresh = [1]
        payload.rebase(payload.serialize())
        assert not payload.is_changed

        cart["apples"] = 3
        assert payload.is_changed
        payload.rebase(payload.serialize())
        fresh.append(2)
        assert payload.is_changed
        assert loads(payload.serialize()) == loads(STORED) | {
            "cart": {"apples": 3, "pears": [1, 2]},
            "fresh": [1, 2],
        }

    def test_a_change_between_serializing_and_the_note_that_it_was_stored_is_not_lost(
        self, payload: Payload
    ) -> None:
        cart = payload["cart"]
        cart["apples"] = 2
        payload["n"] = 1
        text = payload.serialize()
        cart["apples"] = 3
        payload["n"] = 2
        payload["tags"].append("late")
        payload.rebase(text)

        assert payload.is_changed
        assert loads(payload.serialize()) == {
            "cart": {"apples": 3, "pears": [1, 2]},
            "n": 2,
            "name": "Ann",
            "tags": ["a", "late"],
        }

    def test_going_back_to_the_loaded_value_after_storing_another_is_a_change(self, payload: Payload) -> None:
        payload["name"] = "Bob"
        payload.rebase(payload.serialize())
        payload["name"] = "Ann"

        assert payload.is_changed

    def test_the_text_of_an_earlier_serialization_may_have_been_the_one_stored(
        self, payload: Payload
    ) -> None:
        payload["name"] = "Bob"
        first = payload.serialize()
        payload["name"] = "Carol"
        payload.serialize()
        payload.rebase(first)

        assert payload.is_changed
        payload["name"] = "Bob"
        assert not payload.is_changed

    def test_a_rollback_goes_back_to_what_was_loaded_even_if_it_was_stored_since(
        self, payload: Payload
    ) -> None:
        cart = payload["cart"]
        cart["apples"] = 2
        payload.rebase(payload.serialize())
        payload.mark_changed()
        payload.reset()

        assert not payload.is_changed
        assert payload == loads(STORED)
        cart["apples"] = 5
        assert payload["cart"]["apples"] == 1


class TestSavepoints:
    def test_contents_and_changes_go_back_together(self, payload: Payload) -> None:
        payload["cart"]["apples"] = 2
        before = payload.snapshot()
        payload["cart"]["apples"] = 3
        payload["tags"].append("b")
        del payload["name"]
        payload["new"] = 1
        payload.restore(before)

        assert payload == loads(STORED) | {"cart": {"apples": 2, "pears": [1, 2]}}
        assert list(payload) == ["cart", "name", "tags"]
        assert payload.is_changed
        payload["cart"]["apples"] = 1
        assert not payload.is_changed

    def test_a_snapshot_of_what_was_not_read_restores_to_that(self, payload: Payload) -> None:
        before = payload.snapshot()
        payload["cart"]["apples"] = 3
        payload.restore(before)

        assert repr(payload) == "<Payload: not read yet>"
        assert payload == loads(STORED)
        assert not payload.is_changed

    def test_a_snapshot_can_be_restored_again_and_again(self, payload: Payload) -> None:
        payload["cart"]["apples"] = 2
        before = payload.snapshot()
        for _ in range(3):
            payload["cart"]["pears"].append(9)
            payload.restore(before)
            assert payload["cart"] == {"apples": 2, "pears": [1, 2]}

    def test_a_value_taken_out_before_no_longer_belongs_to_it(self, payload: Payload) -> None:
        cart = payload["cart"]
        before = payload.snapshot()
        payload.restore(before)
        cart["apples"] = 9

        assert not payload.is_changed
        assert payload["cart"]["apples"] == 1

    def test_a_write_inside_the_savepoint_is_forgotten_with_it(self, payload: Payload) -> None:
        payload["name"] = "Bob"
        before = payload.snapshot()
        payload.rebase(payload.serialize())
        assert not payload.is_changed
        payload.restore(before)

        # The database has forgotten it too, so that it must be written again.
        assert payload["name"] == "Bob"
        assert payload.is_changed

    def test_the_order_of_keys_comes_back_also_where_the_values_were_stored(self, payload: Payload) -> None:
        payload["zebra"] = 1
        payload["aardvark"] = 2
        payload.rebase(payload.serialize())
        before = payload.snapshot()
        keys = list(payload)
        payload["name"] = "Bob"
        payload.restore(before)

        assert list(payload) == keys
        assert not payload.is_changed

    def test_what_counts_as_original_is_not_spoiled_by_what_follows_a_restore(self, payload: Payload) -> None:
        payload["cart"]["pears"]
        before = payload.snapshot()
        payload.restore(before)
        payload["cart"]["apples"] = 2
        payload.rebase(payload.serialize())
        payload.restore(before)

        assert payload["cart"]["apples"] == 1
        assert not payload.is_changed

    def test_a_write_before_the_savepoint_is_remembered(self, payload: Payload) -> None:
        payload["cart"]["apples"] = 2
        payload.rebase(payload.serialize())
        before = payload.snapshot()
        payload["cart"]["apples"] = 3
        payload.restore(before)

        assert payload["cart"]["apples"] == 2
        assert not payload.is_changed
        payload.reset()
        assert payload["cart"]["apples"] == 1

    def test_a_forced_change_is_part_of_the_snapshot(self, payload: Payload) -> None:
        clean = payload.snapshot()
        payload.mark_changed()
        forced = payload.snapshot()
        payload.restore(clean)
        assert not payload.is_changed
        payload.restore(forced)
        assert payload.is_changed

    def test_even_what_cannot_be_stored_comes_back_as_it_was(self, payload: Payload) -> None:
        cart = payload["cart"]
        cart["when"] = date(2026, 1, 1)
        cart["self"] = cart
        before = payload.snapshot()
        cart.clear()
        payload.restore(before)

        assert payload["cart"]["when"] == date(2026, 1, 1)
        assert payload["cart"]["self"] is payload["cart"]
        assert payload["cart"] is not cart

    def test_one_value_under_two_keys_is_still_one(self, payload: Payload) -> None:
        payload["other"] = payload["tags"]
        payload.restore(payload.snapshot())
        payload["other"].append("b")

        assert payload["tags"] == ["a", "b"]

    def test_the_order_of_keys_comes_back(self) -> None:
        payload = Payload()
        payload.update(b=1, a={"d": 1, "c": 2})
        before = payload.snapshot()
        payload.clear()
        payload.restore(before)

        assert list(payload) == ["b", "a"]
        assert list(payload["a"]) == ["d", "c"]

    def test_a_snapshot_shows_nothing(self, payload: Payload) -> None:
        payload["name"] = "Ann Secret"

        assert "Ann" not in repr(payload.snapshot())


CHANGES: list[Callable[[dict[str, Any]], Any]] = [
    lambda value: value.update(number=True),
    lambda value: value.update(number=1.0),
    lambda value: value.update(number=2),
    lambda value: value.update(zero=-0.0),
    lambda value: value.update(zero=float("nan")),
    lambda value: value.update(text="".join(["te", "xt"])),
    lambda value: value.update(number=value.pop("number")),
    lambda value: value.update(items=(1, 2)),
    lambda value: value.update(items=[True, 2]),
    lambda value: value["items"].reverse(),
    lambda value: (value["items"].append(3), value["items"].pop()),
    lambda value: value["inner"].update({1: value["inner"].pop("1", 2)}),
    lambda value: value["inner"].update({"$date": value["inner"].pop("1", 2)}),
    lambda value: value["inner"].update(inner=value["inner"]),
    lambda value: value.update(text=UserString("text")),
    lambda value: value.update(text=b"text"),
    lambda value: value.update(text=date(2026, 1, 1)),
    lambda value: value.update(text="\0"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_large_value_is_the_change_of_a_small_one(change: Callable[..., Any]) -> None:
    def outcomes(padding: str) -> list[Any]:
        value = {"inner": {"1": 2}, "items": [1, 2], "number": 1, "text": "text", "zero": 0.0, "z": padding}
        payload = Payload(dumps({"value": value}))
        outcomes: list[Any] = []
        kept = payload["value"]["items"], payload["value"]["text"]  # so that the images differ at least
        change(payload["value"])
        for _ in range(2):
            outcomes.append(payload.is_changed)
            try:
                text = payload.serialize()
            except UnstorableValueError as error:
                return [*outcomes, error.path, error.reason]
            payload.rebase(text)
            outcomes += [loads(text.replace(f'"{padding}"', '""')), payload.is_changed]
            change(payload["value"])
        return [*outcomes, len(kept)]

    assert outcomes("x" * 2_000) == outcomes("x")
