"""Values of types that JSON lacks, seen through a `Payload` and `FlashQueues`."""

from __future__ import annotations

import copy
import io
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Context, Decimal, localcontext
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from websession_core import (
    FlashQueues,
    MalformedPayloadError,
    Payload,
    SessionTypes,
    UnreadableValueError,
    UnstorableValueError,
    loads,
)
from websession_core.storable import MAX_DEPTH

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
ODD_OFFSET = timezone(-timedelta(hours=1, minutes=2, seconds=3, microseconds=4))

TABLE = [
    (b"", '{"$bytes":""}'),
    (b"\0\xff", '{"$bytes":"AP8="}'),
    (date(2026, 11, 28), '{"$date":"2026-11-28"}'),
    (datetime(2026, 11, 28, 20, 33, 43, 1), '{"$datetime":"2026-11-28T20:33:43.000001"}'),
    (datetime(2026, 10, 25, 2, 30, fold=1), '{"$datetime":"2026-10-25T02:30:00[fold=1]"}'),
    (datetime(2026, 11, 28, tzinfo=UTC), '{"$datetime":"2026-11-28T00:00:00+00:00"}'),
    (datetime(2026, 11, 28, tzinfo=ODD_OFFSET), '{"$datetime":"2026-11-28T00:00:00-01:02:03.000004"}'),
    (
        datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
        '{"$datetime":"2026-10-25T02:30:00+02:00[Europe/Berlin]"}',
    ),
    (
        datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
        '{"$datetime":"2026-10-25T02:30:00+01:00[Europe/Berlin][fold=1]"}',
    ),
    (datetime.min.replace(tzinfo=NEW_YORK), '{"$datetime":"0001-01-01T00:00:00-04:56:02[America/New_York]"}'),
    (
        datetime.max.replace(tzinfo=NEW_YORK),
        '{"$datetime":"9999-12-31T23:59:59.999999-05:00[America/New_York]"}',
    ),
    (time(20, 33), '{"$time":"20:33:00"}'),
    (time(20, 33, tzinfo=UTC), '{"$time":"20:33:00+00:00"}'),
    (
        datetime(2026, 10, 25, tzinfo=timezone(timedelta(microseconds=-1))),
        '{"$datetime":"2026-10-25T00:00:00-00:00:00.000001"}',
    ),
    (time(20, 33, tzinfo=timezone(timedelta(microseconds=70))), '{"$time":"20:33:00+00:00:00.000070"}'),
    (time(20, 33, tzinfo=BERLIN, fold=1), '{"$time":"20:33:00[Europe/Berlin][fold=1]"}'),
    (timedelta(0), '{"$timedelta":"0"}'),
    (timedelta(hours=1, microseconds=-1), '{"$timedelta":"3599.999999"}'),
    (timedelta(microseconds=-1), '{"$timedelta":"-0.000001"}'),
    (timedelta.min, '{"$timedelta":"-86399999913600"}'),
    (timedelta.max, '{"$timedelta":"86399999999999.999999"}'),
    (Decimal("1.00"), '{"$decimal":"1.00"}'),
    (Decimal("-0"), '{"$decimal":"-0"}'),
    (Decimal("1E+999999"), '{"$decimal":"1E+999999"}'),
    (Decimal("NaN"), '{"$decimal":"NaN"}'),
    (Decimal("sNaN123"), '{"$decimal":"sNaN123"}'),
    (Decimal("-Infinity"), '{"$decimal":"-Infinity"}'),
    (UUID(int=7), '{"$uuid":"00000000-0000-0000-0000-000000000007"}'),
    ((), '{"$tuple":[]}'),
    ((1, [2, (3,)]), '{"$tuple":[1,[2,{"$tuple":[3]}]]}'),
    (set(), '{"$set":[]}'),
    ({"b", "a", (1, b"")}, '{"$set":["a","b",{"$tuple":[1,{"$bytes":""}]}]}'),
    (frozenset({None, 2.5}), '{"$frozenset":[2.5,null]}'),
]


def stored(**values: Any) -> str:
    payload = Payload()
    payload.update(values)
    return payload.serialize()


def exact(value: Any) -> Any:
    """A value to compare by, in which nothing that differs is equal."""
    if isinstance(value, set | frozenset):
        return type(value), sorted(map(repr, map(exact, value)))
    if isinstance(value, list | tuple):
        return type(value), [exact(item) for item in value]
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    return type(value), repr(value), getattr(value, "fold", None)


class TestTheStandardTypes:
    @pytest.mark.parametrize(("value", "text"), TABLE, ids=lambda value: type(value).__name__)
    @pytest.mark.parametrize("reorder", [False, True])
    def test_come_back_the_same_at_any_depth(self, value: Any, text: str, reorder: bool) -> None:
        document = {"v": value, "inner": [{"k": value, "tuple": (value,)}]}
        back = Payload(stored(**document), reorder=reorder)

        assert exact(back["v"]) == exact(value)
        assert exact(back["inner"]) == exact(document["inner"])
        assert exact(back.copy()["v"]) == exact(value)
        assert exact(dict(back.items())["v"]) == exact(value)
        assert not back.is_changed

    @pytest.mark.parametrize(("value", "text"), TABLE, ids=lambda value: type(value).__name__)
    def test_are_written_so_that_people_and_sql_can_read_them(self, value: Any, text: str) -> None:
        assert stored(v=value, a=1) == f'{{"$notation":1e+20,"a":1,"v":{text}}}'

    @pytest.mark.parametrize(("value", "text"), TABLE, ids=lambda value: type(value).__name__)
    def test_are_flash_messages_too(self, value: Any, text: str) -> None:
        flash = FlashQueues()
        flash.push(value)
        flash.push(value, allow_duplicate=False)

        back = FlashQueues(flash.serialize())
        assert flash.serialize() == f'{{"":[{text}],"$notation":[1e+20]}}'
        assert exact(back.peek()) == exact(back.pop()) == exact([value])

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (Decimal("1.0"), Decimal("1.00")),
            (Decimal(1), 1),
            (1, True),
            ((1,), [1]),
            ({1}, frozenset({1})),
            ({1}, {True}),
            (b"a", "a"),
            (datetime(2026, 1, 1, 12, tzinfo=BERLIN), datetime(2026, 1, 1, 11, tzinfo=UTC)),
            (datetime(2026, 1, 1, 12, tzinfo=BERLIN), datetime(2026, 1, 1, 12, tzinfo=ZoneInfo("CET"))),
            (datetime(2026, 1, 1), datetime(2026, 1, 1, fold=1)),
            (timedelta(1), 86400),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_another_stored_form_is_a_change_and_the_same_one_is_none(self, one: Any, other: Any) -> None:
        for outer in (lambda value: value, lambda value: [value], lambda value: ({"k": value},)):
            payload = Payload(stored(v=outer(one)))
            payload["v"] = outer(copy.deepcopy(one))
            assert not payload.is_changed
            payload["v"] = outer(other)
            assert payload.is_changed

    def test_a_list_that_becomes_a_tuple_in_place_is_a_change(self) -> None:
        payload = Payload('{"a":[[1],{"k":[2]}]}')
        payload["a"][0] = (1,)
        assert payload.is_changed
        payload["a"][0] = [1]
        assert not payload.is_changed
        payload["a"][1]["k"] = (2,)
        assert payload.is_changed

    def test_what_is_in_them_is_tracked(self) -> None:
        payload = Payload(stored(pair=([1], {"a": 1}), tags={"x"}, plain={"when": date.min}))
        payload["pair"][0].append(2)
        assert payload.is_changed
        payload["pair"][0].pop()
        assert not payload.is_changed
        payload["tags"].add("y")
        assert payload.is_changed
        payload["tags"].discard("y")
        payload["plain"]["when"] = date.max
        assert payload.is_changed

    def test_what_was_assigned_stays_tracked_after_it_was_stored(self) -> None:
        payload = Payload()
        pair, tags, key = ([1],), {"x"}, b"k"
        payload.update(pair=pair, tags=tags, key=key)
        for change in (lambda: tags.add("x1"), lambda: pair[0].append(0), tags.clear, pair[0].clear):
            payload.rebase(payload.serialize())
            assert not payload.is_changed
            change()
            assert payload.is_changed
        tags.add("x")
        pair[0].append(1)
        payload.rebase(payload.serialize())
        payload["n"] = 1
        tags.add("y")
        pair[0].append(2)
        assert Payload(payload.serialize()) == {"pair": ([1, 2],), "tags": {"x", "y"}, "key": b"k", "n": 1}
        payload["key"] = b"k"
        payload.rebase(payload.serialize())
        payload["key"] = b"k"
        assert not payload.is_changed

    def test_savepoints_and_copies_share_nothing(self) -> None:
        document = {"pair": ([1], {2}), "tags": {"x"}}
        payload = Payload(stored(**document))
        payload["pair"][0].append(3)
        before, taken = payload.snapshot(), payload.copy()
        payload["pair"][0].clear()
        payload["pair"][1].clear()
        payload["tags"].clear()
        taken["pair"][0].append("elsewhere")
        payload.restore(before)
        assert payload == {"pair": ([1, 3], {2}), "tags": {"x"}}
        assert payload.is_changed
        payload.reset()
        assert payload == document

    def test_a_deep_copy_is_a_plain_dictionary(self) -> None:
        payload = Payload(stored(pair=([1],)))
        taken = copy.deepcopy(payload)
        taken["pair"][0].append(2)

        assert type(taken) is dict
        assert payload == {"pair": ([1],)}

    def test_are_those_of_freezegun_too(self) -> None:
        freezegun = pytest.importorskip("freezegun", reason="freezegun is not installed")
        real = [datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1)]
        with freezegun.freeze_time("2026-01-01"):
            frozen = [datetime.now(UTC), date.today()]
            assert type(frozen[0]) is not type(real[0])
            assert stored(v=frozen, w=frozen[0]) == stored(v=real, w=real[0])
            back = Payload(stored(v=real, w=real[0]))
            assert exact([back["v"], back["w"]]) == exact([real, real[0]])
            assert not back.is_changed
            back["v"].append(datetime.now(UTC))
            back.snapshot()
            assert back.copy()["v"] == [*real, real[0]]
            flash = FlashQueues()
            flash.push(datetime.now(UTC))
            assert exact(flash.peek()) == exact(real[:1])
        assert back.serialize() == stored(v=[*real, real[0]], w=real[0])

    def test_do_not_depend_on_the_context_of_decimals(self) -> None:
        with localcontext(Context(capitals=0, prec=2)):
            assert stored(v=Decimal("1.2345E+9")) == '{"$notation":1e+20,"v":{"$decimal":"1.2345E+9"}}'
            assert repr(Payload(stored(v=Decimal("1.2345")))["v"]) == "Decimal('1.2345')"

    def test_count_as_levels_of_nesting(self) -> None:
        def nested(levels: int, value: Any) -> Any:
            for _ in range(levels):
                value = [value]
            return value

        # The payload is the first level, and a date takes one.
        payload = Payload()
        payload["v"] = nested(MAX_DEPTH - 2, date.min)
        assert payload.serialize().replace("{", "[").count("[") == MAX_DEPTH
        for deep in (nested(MAX_DEPTH - 1, date.min), nested(MAX_DEPTH - 2, ()), nested(MAX_DEPTH - 2, {1})):
            with pytest.raises(UnstorableValueError, match="nesting"):
                payload["v"] = deep


class TestRefused:
    class Clock(tzinfo):
        def utcoffset(self, when: datetime | None) -> timedelta:
            return timedelta(0)

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (datetime(2026, 1, 1, tzinfo=Clock()), "Clock"),
            (time(1, tzinfo=Clock()), "Clock"),
            ((1, {"k": {float("nan")}}), "NaN"),
            (frozenset({"a\0"}), "NUL"),
            ({2**64}, "float"),
            ((object(),), "object"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_what_would_not_come_back_the_same_is_refused_inside_them(self, value: Any, reason: str) -> None:
        payload = Payload()
        with pytest.raises(UnstorableValueError, match=reason):
            payload["v"] = value
        assert not payload.is_changed

    @pytest.mark.parametrize("key", [None, "No/Such", "../UTC"])
    def test_a_time_zone_that_would_not_be_found_again(self, key: str | None) -> None:
        # The smallest file of a zone there is: version 1, with one type of time, UTC.
        counts = struct.pack(">6l", 0, 0, 0, 0, 1, 4)
        file = io.BytesIO(b"TZif" + bytes(16) + counts + struct.pack(">lbb", 0, 0, 0) + b"UTC\0")
        zone = ZoneInfo.from_file(file, key=key)
        with pytest.raises(UnstorableValueError, match="no key"):
            Payload()["v"] = datetime(2026, 1, 1, tzinfo=zone)


class TestWhatLooksLikeTheNotation:
    LOOKALIKES: tuple[dict[str, Any], ...] = (
        {"v": {"$date": "2026-11-28"}},
        {"v": {"$tuple": [1]}},
        {"v": {"$$date": 1}},
        {"v": {"$": 1}},
        {"v": [{"$a": [{"$b": 1}]}]},
        {"$notation": 1},
        {"$notation": 2**64 - 1, "v": {"$date": "2026-11-28"}},
        {"$notation": {"$notation": 1}},
        {"$notation": "1e20", "$$notation": 1, "$$$notation": [1]},
        {"$date": "2026-11-28"},
        {"$notation": [1e15]},
    )

    @pytest.mark.parametrize("document", LOOKALIKES, ids=str)
    @pytest.mark.parametrize("reorder", [False, True])
    def test_is_read_from_old_data_as_what_it_was(self, document: dict[str, Any], reorder: bool) -> None:
        for text in (json.dumps(document), json.dumps(document, sort_keys=True, separators=(",", ":"))):
            payload = Payload(text, reorder=reorder)
            assert payload == document
            assert payload.copy() == document
            assert {key: payload[key] for key in payload} == document
            assert not payload.is_changed
            for key, value in document.items():
                payload[key] = value
            assert not payload.is_changed

    @pytest.mark.parametrize("document", LOOKALIKES, ids=str)
    def test_is_stored_as_it_is_where_there_is_nothing_else(self, document: dict[str, Any]) -> None:
        assert loads(stored(**document)) == document

    @pytest.mark.parametrize("document", LOOKALIKES, ids=str)
    def test_stays_what_it_is_beside_the_real_one(self, document: dict[str, Any]) -> None:
        payload = Payload(json.dumps(document))
        payload["typed"] = date.min
        both = {**document, "typed": date.min}
        back = Payload(payload.serialize())
        assert back == both
        assert list(back) == sorted(both)
        del back["typed"]
        assert loads(back.serialize()) == document

    @pytest.mark.parametrize("document", LOOKALIKES, ids=str)
    def test_stays_what_it_is_as_a_flash_message(self, document: dict[str, Any]) -> None:
        old = json.dumps({"": [document], "$notation": [1, document]})
        flash = FlashQueues(old)
        assert flash.peek() == [document]
        assert flash.peek("$notation") == [1, document]
        assert not flash.is_changed
        flash.push(document, allow_duplicate=False)
        assert not flash.is_changed
        flash.push(b"")
        back = FlashQueues(flash.serialize())
        assert back.pop() == [document, b""]
        assert loads(back.serialize()) == {"$notation": [1, document]}
        assert back.pop("$notation") == [1, document]

    def test_the_mark_cannot_be_assigned(self) -> None:
        for mark in (1e20, 10**20, 2e20):
            with pytest.raises(UnstorableValueError):
                Payload()["$notation"] = mark
            with pytest.raises(UnstorableValueError):
                FlashQueues().push(mark, "$notation")

    @pytest.mark.parametrize("mark", ["1e20", "1E+20", "100000000000000000000", "1.0e20"])
    def test_the_mark_is_known_however_a_database_writes_the_number(self, mark: str) -> None:
        payload = Payload(f'{{"v": {{"$date": "2026-11-28"}}, "$notation": {mark}}}', reorder=True)
        flash = FlashQueues(f'{{"": [{{"$date": "2026-11-28"}}], "$notation": [{mark}]}}')
        assert dict(payload) == {"v": date(2026, 11, 28)}
        assert flash.pop() == [date(2026, 11, 28)]

    def test_a_newer_notation_is_refused_and_not_guessed_at(self) -> None:
        for newer in (Payload('{"$notation":2e20,"v":1}'), FlashQueues('{"$notation":[2e20]}')):
            with pytest.raises(MalformedPayloadError, match="version 2,"):
                _ = newer.get("v") if isinstance(newer, Payload) else newer.peek()


@dataclass
class Money:
    amount: Decimal
    currency: str
    notes: list[str] = field(default_factory=list)


@pytest.fixture
def types() -> SessionTypes:
    types = SessionTypes()
    types.add(
        "money",
        Money,
        lambda money: (money.amount, money.currency, money.notes),
        lambda parts: Money(*parts),
    )
    return types


class TestAnApplicationsOwnTypes:
    def test_come_back_the_same_and_are_tracked(self, types: SessionTypes) -> None:
        payload = Payload(types=types)
        price = Money(Decimal("1.50"), "EUR")
        payload["cart"] = [{"price": price}]
        text = payload.serialize()
        assert '"$money":{"$tuple":[{"$decimal":"1.50"},"EUR",[]]}' in text

        back = Payload(text, types=types)
        assert back["cart"] == [{"price": price}]
        assert not back.is_changed
        back["cart"][0]["price"].notes.append("reduced")
        assert back.is_changed
        before = back.snapshot()
        back["cart"][0]["price"].notes.clear()
        back.restore(before)
        assert back["cart"][0]["price"].notes == ["reduced"]
        assert back.copy()["cart"][0]["price"] is not back["cart"][0]["price"]

    def test_are_flash_messages_of_which_a_copy_is_kept(self, types: SessionTypes) -> None:
        flash = FlashQueues(types=types)
        price = Money(Decimal(1), "EUR")
        flash.push(price)
        price.notes.append("later")
        flash.peek()[0].notes.append("elsewhere")
        assert FlashQueues(flash.serialize(), types=types).pop() == [Money(Decimal(1), "EUR")]

    @pytest.mark.parametrize("reorder", [False, True])
    def test_one_that_is_not_registered_is_told_of_where_it_is_taken_out(
        self, types: SessionTypes, reorder: bool
    ) -> None:
        payload = Payload(types=types)
        payload.update(price=[Money(Decimal(1), "secret")], when=date.min, user="Ann", pair=(1,))
        text = payload.serialize()

        other = Payload(text, reorder=reorder)
        for take in (
            lambda: other["price"],
            lambda: other.get("price"),
            lambda: other.pop("price"),
            lambda: dict(other.items()),
            other.copy,
        ):
            with pytest.raises(UnreadableValueError, match=r"^price: .*'money'.*add_session_type") as caught:
                take()
            assert "secret" not in str(caught.value)
            assert caught.value.__context__ is None
            assert (caught.value.path, caught.value.type_name) == ("price", "money")
        assert (other["when"], other["user"], other["pair"]) == (date.min, "Ann", (1,))
        assert "price" in other
        assert len(other) == 4
        assert not other.is_changed
        before = other.snapshot()
        other["user"] = "Bob"
        back = Payload(other.serialize(), types=types)
        assert back["price"] == [Money(Decimal(1), "secret")]
        other.rebase(other.serialize())
        assert not other.is_changed
        other.restore(before)
        assert other["user"] == "Ann"
        del other["price"]
        assert Payload(other.serialize()) == {"when": date.min, "user": "Ann", "pair": (1,)}
        other.reset()
        other.clear()
        assert other.serialize() == "{}"

    def test_one_that_is_not_registered_does_not_keep_messages_from_being_added(
        self, types: SessionTypes
    ) -> None:
        flash = FlashQueues(types=types)
        flash.push(Money(Decimal(1), "secret"))
        other = FlashQueues(flash.serialize())
        other.push("hello")
        other.push("hello", "errors", allow_duplicate=False)
        with pytest.raises(UnreadableValueError, match="money"):
            other.pop()
        assert other.count() == 2
        assert other.pop("errors") == ["hello"]
        assert FlashQueues(other.serialize(), types=types).pop() == [Money(Decimal(1), "secret"), "hello"]

    def test_a_function_that_fails_to_read_is_an_error_of_that_value(self, types: SessionTypes) -> None:
        payload = Payload(types=types)
        payload.update(price=Money(Decimal(1), "secret"), n=1)
        text = payload.serialize().replace(',"secret",[]', "")
        other = Payload(text, types=types)
        with pytest.raises(UnreadableValueError, match=r"price: .*TypeError") as caught:
            other["price"]
        assert caught.value.__context__ is None
        assert other["n"] == 1

    @pytest.mark.parametrize(
        "spoiled",
        [
            '{"$date":"secret"}',
            '{"$date":1}',
            '{"$set":[[1]]}',
            '{"$tuple":1}',
            '{"$datetime":"x[No/Where]"}',
        ],
    )
    def test_what_somebody_wrote_by_hand_is_an_error_of_that_value(self, spoiled: str) -> None:
        payload = Payload(f'{{"$notation":1e20,"a":{spoiled},"n":1}}')
        with pytest.raises(UnreadableValueError) as caught:
            payload["a"]
        assert "secret" not in str(caught.value)
        assert payload["n"] == 1

    def test_a_function_that_fails_to_write_shows_itself_at_the_assignment(self) -> None:
        types = SessionTypes()
        types.add("money", Money, lambda money: money.missing, Money)
        payload = Payload(types=types)
        with pytest.raises(AttributeError):
            payload["v"] = Money(Decimal(1), "EUR")
        assert not payload.is_changed
        assert payload == {}

    def test_what_is_made_of_a_value_must_be_storable_itself(self) -> None:
        types = SessionTypes()
        types.add("money", Money, lambda money: {"amount": float(money.amount)}, Money)
        payload = Payload(types=types)
        with pytest.raises(UnstorableValueError, match=r"of a Money: .*infinity") as caught:
            payload["v"] = [Money(Decimal("inf"), "EUR")]
        assert caught.value.path == "v[0]"

    @pytest.mark.parametrize(
        ("name", "kind", "problem"),
        [
            ("", Money, "name"),
            ("$money", Money, "name"),
            ("date", Money, "already"),
            ("money", Money, "already"),
            ("other", Money, "already"),
            ("other", bytes, "already"),
            ("other", str, "as it is"),
            ("other", dict, "as it is"),
        ],
    )
    def test_what_cannot_be_registered(
        self, types: SessionTypes, name: str, kind: type, problem: str
    ) -> None:
        with pytest.raises(ValueError, match=problem):
            types.add(name, kind, str, str)
        with pytest.raises(TypeError, match="class"):
            types.add("other", "text", str, str)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ((5, object, str, str), "text"),
            (("other", object, None, str), "functions"),
            (("other", object, str, "x"), "functions"),
        ],
        ids=["name", "to-json", "from-json"],
    )
    def test_what_is_no_name_and_no_function_is_refused_at_once(
        self, types: SessionTypes, arguments: Any, problem: str
    ) -> None:
        with pytest.raises(TypeError, match=problem):
            types.add(*arguments)


class TestHeldBack:
    def test_new_values_are_refused_and_stored_ones_can_be_read_and_stay(self, types: SessionTypes) -> None:
        payload = Payload(types=types)
        payload.update(price=Money(Decimal(1), "EUR"), inner=[date.min], n=1)
        text = payload.serialize()

        held = Payload(text, types=types.held_back())
        for value in (date.min, (1,), Money(Decimal(1), "EUR")):
            with pytest.raises(UnstorableValueError, match="alongside_0_2"):
                held["v"] = value
        assert held["price"] == Money(Decimal(1), "EUR")
        assert held["inner"] == [date.min]
        assert not held.is_changed
        held["n"] = 2
        assert Payload(held.serialize(), types=types)["inner"] == [date.min]
        held["inner"].append(date.max)
        with pytest.raises(UnstorableValueError, match=r"inner\[0\]"):
            held.serialize()

    def test_one_set_in_place_is_refused_when_it_is_serialized(self) -> None:
        payload = Payload('{"a":[[1]]}', types=SessionTypes().held_back())
        payload["a"][0] = (1,)
        with pytest.raises(UnstorableValueError, match=r"a\[0\]"):
            payload.serialize()

    def test_types_that_are_added_later_can_be_read_too(self) -> None:
        types = SessionTypes()
        held = types.held_back()
        types.add(
            "money", Money, lambda money: [str(money.amount)], lambda parts: Money(Decimal(parts[0]), "")
        )
        payload = Payload(types=types)
        payload["v"] = Money(Decimal(1), "")
        assert Payload(payload.serialize(), types=held)["v"] == Money(Decimal(1), "")


class TestTheLimitOfAPayload:
    def test_one_that_would_grow_beyond_it_is_refused_at_the_assignment(self) -> None:
        payload = Payload(limit=1000)
        payload["a"] = "x" * 900
        with pytest.raises(
            UnstorableValueError, match=r"1,0\d\d bytes, and max_data_size allows 1,000"
        ) as caught:
            payload["b"] = "x" * 100
        assert caught.value.path == "b"
        with pytest.raises(UnstorableValueError) as caught:
            payload.update(c=1, d=["é" * 60])
        assert caught.value.path == "d"
        assert payload == {"a": "x" * 900}
        payload["a"] = "y" * 980
        assert len(payload.serialize()) < 1000

    @pytest.mark.parametrize("character", ["x", "é", "\U0001f600", "\x01", '"'])
    def test_it_counts_bytes_exactly(self, character: str) -> None:
        size = len(stored(a=character * 100).encode())
        Payload(limit=size)["a"] = character * 100
        with pytest.raises(UnstorableValueError):
            Payload(limit=size - 1)["a"] = character * 100

    @pytest.mark.parametrize("value", [(1,), {1}, b"abc", {"$date": (1,)}], ids=str)
    def test_it_counts_the_notation(self, value: Any) -> None:
        size = len(stored(a=value))
        Payload(limit=size)["a"] = value
        with pytest.raises(UnstorableValueError):
            Payload(limit=size - 1)["a"] = value

    def test_many_assignments_of_what_was_there_do_not_add_up(self) -> None:
        payload = Payload(limit=1000)
        for n in range(100):
            payload["a"] = str(n) * 100
            payload["b"] = payload.pop("a")
        assert len(payload) == 1

    def test_one_that_is_larger_already_can_be_read_and_made_smaller_and_cleared(self) -> None:
        text = stored(a="x" * 2000, b=[1, 2], c="y" * 10)
        payload = Payload(text, limit=1000)
        assert payload["b"] == [1, 2]
        payload["c"] = "z" * 10
        payload["b"].pop()
        assert loads(payload.serialize())["c"] == "z" * 10
        payload["a"] = "x" * 1500
        payload.rebase(payload.serialize())
        with pytest.raises(UnstorableValueError):
            payload["a"] = "x" * 1501
        del payload["c"]
        payload["d"] = "y" * 10
        payload.clear()
        payload["a"] = "x" * 900
        assert payload.serialize()

    def test_growth_in_place_is_refused_when_it_is_serialized(self) -> None:
        payload = Payload(limit=1000)
        payload["a"] = []
        payload["a"].extend(["x"] * 1000)
        with pytest.raises(UnstorableValueError, match="max_data_size") as caught:
            payload.serialize()
        assert caught.value.path == "a"

    def test_a_savepoint_is_counted_again(self) -> None:
        payload = Payload(limit=1000)
        payload["a"] = "x" * 600
        before = payload.snapshot()
        payload.clear()
        payload.restore(before)
        with pytest.raises(UnstorableValueError):
            payload["b"] = "x" * 600

    def test_without_a_limit_there_is_none(self) -> None:
        payload = Payload()
        payload["a"] = "x" * 10**7
        assert len(payload.serialize()) > 10**7


class TestFullQueues:
    def test_let_go_of_their_oldest_message(self) -> None:
        flash = FlashQueues(limit=3)
        assert [flash.push(n) for n in range(5)] == [False, False, False, True, True]
        flash.push("elsewhere", "errors")
        assert flash.pop() == [2, 3, 4]
        assert flash.pop("errors") == ["elsewhere"]

    def test_that_are_longer_already_become_as_long_as_they_may_be(self) -> None:
        flash = FlashQueues(json.dumps({"": list(range(10))}), limit=3)
        assert flash.peek() == list(range(10))
        flash.push(10)
        assert flash.pop() == [8, 9, 10]

    def test_know_what_they_let_go_of_and_what_came_back(self) -> None:
        flash = FlashQueues(limit=2)
        for message in ("a", "b", "c", "a", "c", "a"):
            flash.push(message, allow_duplicate=False)
        assert flash.pop() == ["c", "a"]
        flash.push("c", allow_duplicate=False)
        before = flash.snapshot()
        flash.push("d", allow_duplicate=False)
        flash.restore(before)
        flash.push("d", allow_duplicate=False)
        flash.push("d", allow_duplicate=True)
        flash.push("d", allow_duplicate=False)
        assert flash.pop() == ["d", "d"]
