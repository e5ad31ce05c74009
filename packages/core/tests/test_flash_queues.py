from __future__ import annotations

import cProfile
from enum import StrEnum
from typing import Any

import pytest
from websession_core import (
    FlashQueues,
    MalformedPayloadError,
    SessionTypes,
    UnreadableValueError,
    UnstorableValueError,
)
from websession_core.storable import MAX_DEPTH

STORED = '{"":["hello"],"errors":["bad",{"code":1}]}'


@pytest.fixture
def flash() -> FlashQueues:
    return FlashQueues(STORED)


class Markup(str):
    """A str subclass that answers str() with something else, as lazy translations and markup do."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"<{super().__str__()}>"


class Level(StrEnum):
    HIGH = "high"


def test_messages_come_out_in_the_order_they_went_in_once() -> None:
    flash = FlashQueues()
    assert flash.is_empty
    flash.push("one")
    flash.push("two")
    flash.push("bad", "errors")

    assert flash.is_changed
    assert not flash.is_empty
    assert flash.pop() == ["one", "two"]
    assert flash.pop() == []
    assert flash.pop("errors") == ["bad"]
    assert flash.is_empty


def test_stored_messages_come_back() -> None:
    flash = FlashQueues()
    flash.push({"code": 1}, "errors")

    assert FlashQueues(flash.serialize()).pop("errors") == [{"code": 1}]


def test_peeking_and_popping_an_empty_queue_are_no_change(flash: FlashQueues) -> None:
    assert flash.peek() == ["hello"]
    assert flash.peek("nobody") == []
    assert flash.pop("nobody") == []
    assert not flash.is_empty
    assert not flash.is_changed
    assert flash.serialize() is STORED


def test_popping_is_a_change(flash: FlashQueues) -> None:
    assert flash.pop("errors") == ["bad", {"code": 1}]
    assert flash.is_changed
    assert flash.serialize() == '{"":["hello"]}'


def test_a_message_pushed_and_popped_again_is_no_change(flash: FlashQueues) -> None:
    flash.push("x", "new")
    flash.pop("new")

    assert not flash.is_changed


def test_what_was_peeked_at_or_pushed_is_not_shared_with_the_queue(flash: FlashQueues) -> None:
    message = {"a": [1]}
    flash.push(message)
    message["a"].append(2)
    flash.peek()[1]["a"].append(3)
    flash.peek().append("x")

    assert flash.pop() == ["hello", {"a": [1]}]


def test_a_duplicate_is_added_unless_it_is_not_allowed(flash: FlashQueues) -> None:
    flash.push("hello", "", allow_duplicate=False)
    assert not flash.is_changed
    flash.push({"code": 1}, "errors", allow_duplicate=False)
    assert not flash.is_changed
    flash.push("hello", "errors", allow_duplicate=False)
    flash.push("hello", allow_duplicate=True)

    assert flash.pop() == ["hello", "hello"]
    assert flash.pop("errors") == ["bad", {"code": 1}, "hello"]


def test_values_that_python_calls_equal_are_different_messages() -> None:
    flash = FlashQueues()
    for message in (1, True, 1.0, 1):
        flash.push(message, allow_duplicate=False)

    assert repr(flash.pop()) == "[1, True, 1.0]"


@pytest.mark.parametrize(("message", "kept"), [(Markup("x"), "x"), (Level.HIGH, "high")])
def test_a_subclass_of_text_is_kept_as_its_plain_text(message: str, kept: str) -> None:
    flash = FlashQueues()
    flash.push(message)

    (popped,) = flash.pop()
    assert type(popped) is str
    assert popped == kept


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (1j, "message"),
        ("\0", "message"),
        ({"a": [bytearray()]}, "message.a[0]"),
        ([Markup("x")], "message[0]"),
    ],
)
def test_what_a_payload_refuses_is_refused_here_too(flash: FlashQueues, message: Any, path: str) -> None:
    with pytest.raises(UnstorableValueError) as caught:
        flash.push(message)

    assert caught.value.path == path
    assert not flash.is_changed


@pytest.mark.parametrize("queue", ["\0", 3, Level.HIGH])
def test_the_name_of_a_queue_must_be_storable_text(flash: FlashQueues, queue: Any) -> None:
    with pytest.raises(UnstorableValueError, match=r"^(the flash queues|\['\\x00'\]): "):
        flash.push("x", queue)
    assert not flash.is_changed


def test_the_limit_on_nesting_counts_the_queue_and_the_queues() -> None:
    flash = FlashQueues()
    message: Any = []
    for _ in range(MAX_DEPTH - 3):
        message = [message]
    flash.push(message)

    with pytest.raises(UnstorableValueError, match="nesting"):
        flash.push([message])
    assert flash.serialize().count("[") == MAX_DEPTH - 1


@pytest.mark.parametrize("text", ["", "[]", '{"a":1}', '{"a":{"secret":1}}'])
def test_stored_text_that_holds_no_queues_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(MalformedPayloadError, match="cannot be read: ") as caught:
        FlashQueues(text).peek()

    assert "secret" not in str(caught.value)


def test_storing_rolling_back_and_savepoints_work_as_for_the_data(flash: FlashQueues) -> None:
    before = flash.snapshot()
    flash.push("one")
    flash.rebase(flash.serialize())
    assert not flash.is_changed
    stored = flash.snapshot()
    flash.push("two")
    assert flash.is_changed
    assert flash.pop() == ["hello", "one", "two"]
    flash.restore(stored)
    assert flash.peek() == ["hello", "one"]
    assert not flash.is_changed
    flash.restore(before)
    assert flash.peek() == ["hello"]
    flash.push("three")
    flash.reset()
    assert flash.peek() == ["hello"]
    assert not flash.is_changed


@pytest.mark.parametrize("allow_duplicate", [True, False])
def test_each_of_many_messages_costs_as_much_as_one_of_few(allow_duplicate: bool) -> None:
    def calls(count: int) -> int:
        flash, profile = FlashQueues(limit=10_000), cProfile.Profile()
        profile.enable()
        for number in range(count):
            flash.push(f"message {number}", allow_duplicate=allow_duplicate)
        profile.disable()
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(4000) < 4.1 * calls(1000)


def test_a_repr_shows_how_many_messages_there_are_and_none_of_them(flash: FlashQueues) -> None:
    assert repr(flash) == "<FlashQueues: not read yet>"
    assert not flash.is_empty
    assert repr(flash) == "<FlashQueues: 3 messages>"
    flash.pop("errors")
    assert repr(flash) == "<FlashQueues: 1 message>"


class TestWithoutDuplicates:
    def test_a_queue_says_that_it_was_not_full_when_a_message_is_in_it_already(
        self, flash: FlashQueues
    ) -> None:
        assert flash.push("hello", allow_duplicate=False) is False
        assert flash.count() == 1

    def test_one_that_was_added_as_another_one_is_known(self) -> None:
        flash = FlashQueues()
        flash.push("a", allow_duplicate=False)
        flash.push("b")
        flash.push("b")
        flash.push("b", allow_duplicate=False)
        assert flash.peek() == ["a", "b", "b"]

    def test_of_two_that_are_equal_one_is_left_when_the_oldest_goes(self) -> None:
        flash = FlashQueues(limit=2)
        flash.push("a", allow_duplicate=False)
        flash.push("a")
        flash.push("b")
        flash.push("a", allow_duplicate=False)
        assert flash.peek() == ["a", "b"]


def test_the_first_thing_asked_may_be_how_many_there_are() -> None:
    assert FlashQueues(STORED).count("errors") == 2


def test_keys_in_messages_are_in_order_where_the_database_has_one_of_its_own() -> None:
    (message,) = FlashQueues('{"":[{"b":1,"a":2}]}', reorder=True).peek()
    assert list(message) == ["a", "b"]


def test_a_registered_subclass_of_text_stays_one() -> None:
    types = SessionTypes()
    types.add("markup", Markup, str.__str__, Markup)
    flash = FlashQueues(types=types)
    flash.push(Markup("b"))
    assert type(flash.peek()[0]) is Markup


def test_a_subclass_of_a_registered_text_is_kept_as_that() -> None:
    class Literal(Markup):
        pass

    types = SessionTypes()
    types.add("markup", Markup, str.__str__, Markup)
    flash, held = FlashQueues(types=types), FlashQueues(types=types.held_back())
    flash.push(Literal("b"))
    held.push(Literal("b"))
    assert type(flash.peek()[0]) is Markup
    assert type(held.peek()[0]) is str


def test_a_message_as_deep_as_can_be_is_stored_whatever_else_comes() -> None:
    message: Any = 1
    for _ in range((MAX_DEPTH - 2) // 2):
        message = (message,)
    flash = FlashQueues()
    flash.push(message)
    flash.push("x")
    assert FlashQueues(flash.serialize()).peek() == [message, "x"]


def test_a_message_that_cannot_be_read_is_called_by_its_queue() -> None:
    with pytest.raises(UnreadableValueError, match=r"^flash\.x: .*'strange'"):
        FlashQueues('{"$notation":[1e20],"x":[{"$strange":1}]}').peek("x")
