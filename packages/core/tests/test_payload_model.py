"""The payload against a plain dictionary: whatever is done to both, both must say the same."""

from __future__ import annotations

import copy
import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from websession_core import Payload, SessionTypes, UnstorableValueError, dumps, loads

FLOATS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15).map(
    lambda x: x + 0.0
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
# Many draws of few values: what Python calls equal must often stand in for one another.
SCALARS = (
    st.sampled_from([0, 1, True, False, 1.0, 0.0, None, "", "a"])
    | st.integers(-(2**63), 2**64 - 1)
    | FLOATS
    | TEXT
)
BERLIN = ZoneInfo("Europe/Berlin")
# Values that are equal to one another, and others that are to some of JSON's.
TYPED = st.sampled_from(
    [
        b"",
        b"a",
        Decimal("1.0"),
        Decimal("1.00"),
        date(2026, 1, 1),
        datetime(2026, 1, 1, 12, tzinfo=BERLIN),
        datetime(2026, 1, 1, 11, tzinfo=timezone(timedelta(0))),
        datetime(2026, 1, 1, 12),
        timedelta(seconds=1),
        UUID(int=1),
        frozenset({1}),
        frozenset({True}),
        frozenset({1.0, b"a"}),
    ]
)
# Those that look like the notation, for dictionaries.
INNER_KEYS = st.sampled_from(["x", "y", "z", "$date", "$$date", "$", "$notation"]) | TEXT
VALUES = st.recursive(
    SCALARS | TYPED,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(INNER_KEYS, inner, max_size=3)
        | st.lists(inner, max_size=2).map(tuple)
        | st.sets(SCALARS, max_size=3)
    ),
    max_leaves=8,
)
# Large values are tracked in another way.
PADDING = "x" * 1_000
VALUES |= VALUES.map(lambda value: [value, PADDING])
VALUES |= st.dictionaries(INNER_KEYS, VALUES, max_size=2).map(lambda value: {**value, "w": PADDING})
KEYS = st.sampled_from(["a", "b", "$notation", "$$notation"])
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


def written(document: dict[str, Any]) -> str:
    """The text of a document that never was anything else."""
    payload = Payload()
    payload.update(document)
    return payload.serialize()


def shown(value: Any) -> str:
    """A value with the order of its keys, so that 1, 1.0 and True, lists and tuples differ."""
    return json.dumps(SessionTypes().encode(value))


def in_order(value: Any) -> Any:
    """The same with the keys of every mapping sorted."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    return type(value)(map(in_order, value)) if isinstance(value, list | tuple) else value


def disordered(text: str) -> str:
    """A text as a database might give it back: spaced, and with another order of keys."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return list(map(turned, value)) if isinstance(value, list) else value

    return json.dumps(turned(loads(text)))


def twins(mine: Any, models: Any) -> list[tuple[Any, Any]]:
    """Every container in a value, beside the same one in its model."""
    found = []
    if isinstance(mine, dict):
        found.append((mine, models))
        for key in mine:
            found.extend(twins(mine[key], models[key]))
    elif isinstance(mine, list | tuple):
        if isinstance(mine, list):
            found.append((mine, models))
        for item, model in zip(mine, models, strict=True):
            found.extend(twins(item, model))
    elif isinstance(mine, set):
        found.append((mine, models))
    return found


class PayloadBesideADictionary(RuleBasedStateMachine):
    """Containers taken out of the payload, at any depth, are kept and changed much later."""

    payload: Payload
    model: dict[str, Any]
    # What the database holds, and held when it was loaded.
    stored: str
    loaded: dict[str, Any]
    aliases: list[tuple[Any, Any]]
    snapshots: list[tuple[Any, dict[str, Any], str]]
    serialized: str | None

    @initialize(document=DOCUMENTS, reorder=st.booleans())
    def load(self, document: dict[str, Any], reorder: bool) -> None:
        # A database either gives back the text that was written or has an order of keys of its own.
        text = written(document)
        self.payload = Payload(disordered(text) if reorder else text, reorder=reorder)
        self.loaded = in_order(document)
        self.snapshots = []
        self.go_to(copy.deepcopy(self.loaded), text)

    def go_to(self, model: dict[str, Any], stored: str) -> None:
        self.model = model
        self.stored = stored
        self.aliases = []
        self.serialized = None

    @invariant()
    def it_is_changed_exactly_if_its_text_differs_from_the_stored_one(self) -> None:
        assert self.payload.is_changed == (written(self.model) != self.stored)

    @rule(key=KEYS, value=VALUES)
    def assign(self, key: str, value: Any) -> None:
        model = copy.deepcopy(value)
        self.payload[key] = value
        self.model[key] = model
        self.aliases += twins(value, model)

    @rule(key=KEYS)
    def take_out(self, key: str) -> None:
        if key in self.model:
            assert key in self.payload
            self.aliases += twins(self.payload[key], self.model[key])
        else:
            assert self.payload.get(key, "nothing") == "nothing"

    @rule(key=KEYS, value=VALUES)
    def take_out_or_assign(self, key: str, value: Any) -> None:
        mine = self.payload.setdefault(key, value)
        self.aliases += twins(mine, self.model.setdefault(key, copy.deepcopy(value)))

    @rule(source=KEYS, other=KEYS)
    def assign_the_same_container_again(self, source: str, other: str) -> None:
        if source in self.model:
            self.payload[other] = self.payload[source]
            self.model[other] = self.model[source]

    @precondition(lambda self: self.aliases)
    @rule(data=st.data(), value=VALUES, key=st.sampled_from("xyz"))
    def change_in_place(self, data: st.DataObject, value: Any, key: str) -> None:
        mine, model = self.aliases[data.draw(st.integers(0, len(self.aliases) - 1))]
        # Copies on both sides: the same container twice would be shared in the payload only.
        for target, new in ((mine, copy.deepcopy(value)), (model, copy.deepcopy(value))):
            if isinstance(target, list):
                if len(target) > 2:
                    target.clear()
                else:
                    target.append(new)
            elif isinstance(target, set):
                target ^= {key}
            elif key in target:
                del target[key]
            else:
                target[key] = new

    @rule(key=KEYS)
    def remove(self, key: str) -> None:
        mine = self.payload.pop(key, None)
        model = self.model.pop(key, None)
        self.aliases += twins(mine, model)

    @rule(document=DOCUMENTS)
    def update(self, document: dict[str, Any]) -> None:
        model = copy.deepcopy(document)
        self.payload.update(document)
        self.model.update(model)
        self.aliases += twins(document, model)[1:]

    @rule(document=DOCUMENTS, key=KEYS)
    def fail_to_update(self, document: dict[str, Any], key: str) -> None:
        with pytest.raises(UnstorableValueError) as caught:
            self.payload.update(document, **{key: [1j]})
        assert caught.value.path == (f"{key}[0]" if key.isidentifier() else f"[{key!a}][0]")

    @rule()
    def clear(self) -> None:
        self.payload.clear()
        self.model.clear()

    @rule()
    def serialize(self) -> None:
        self.serialized = self.payload.serialize()
        assert dumps(loads(self.serialized)) == written(self.model)

    @precondition(lambda self: self.serialized is not None)
    @rule()
    def note_that_it_was_stored(self) -> None:
        assert self.serialized is not None
        self.payload.rebase(self.serialized)
        self.stored = dumps(loads(self.serialized))
        self.serialized = None

    @rule()
    def store(self) -> None:
        self.serialize()
        self.note_that_it_was_stored()

    @precondition(lambda self: self.aliases)
    @rule(data=st.data(), value=VALUES)
    def change_in_place_before_and_after_storing(self, data: st.DataObject, value: Any) -> None:
        self.change_in_place(data, value, "x")
        self.store()
        self.change_in_place(data, value, "y")

    @rule()
    def begin_a_savepoint(self) -> None:
        self.snapshots.append((self.payload.snapshot(), copy.deepcopy(self.model), self.stored))

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def roll_back_to_a_savepoint(self, data: st.DataObject) -> None:
        snapshot, model, stored = data.draw(st.sampled_from(self.snapshots))
        self.payload.restore(snapshot)
        self.go_to(copy.deepcopy(model), stored)
        self.compare()

    @precondition(lambda self: self.aliases)
    @rule(data=st.data(), value=VALUES, again=st.booleans())
    def change_in_place_inside_a_savepoint(self, data: st.DataObject, value: Any, again: bool) -> None:
        # What the single rules rarely do one after the other.
        self.begin_a_savepoint()
        snapshot, model, stored = self.snapshots[-1]
        for _ in range(2 if again else 1):
            self.change_in_place(data, value, "x")
            if again:
                self.store()
            self.payload.restore(snapshot)
            self.go_to(copy.deepcopy(model), stored)
            for key in self.model:
                self.take_out(key)
            self.compare()
            if not self.aliases:
                break

    @rule()
    def roll_everything_back(self) -> None:
        self.payload.reset()
        self.go_to(copy.deepcopy(self.loaded), written(self.loaded))

    @rule()
    def compare(self) -> None:
        assert shown(self.payload.copy()) == shown(self.model)
        assert self.payload == self.model
        assert list(self.payload) == list(self.model)
        assert len(self.payload) == len(self.model)


TestPayloadBesideADictionary = PayloadBesideADictionary.TestCase
TestPayloadBesideADictionary.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@settings(deadline=None)
@given(document=DOCUMENTS, reorder=st.booleans())
def test_everything_a_payload_takes_comes_back_the_same(document: dict[str, Any], reorder: bool) -> None:
    payload = Payload()
    payload.update(document)
    text = payload.serialize()
    back = Payload(disordered(text) if reorder else text, reorder=reorder)

    assert shown(back.copy()) == shown(in_order(document))
    assert back == payload
    assert shown({key: back[key] for key in back}) == shown(in_order(document))
    assert not back.is_changed
    back.mark_changed()
    assert back.serialize() == text


@settings(deadline=None)
@given(document=DOCUMENTS)
def test_what_json_has_is_stored_as_plain_json_whatever_it_looks_like(document: dict[str, Any]) -> None:
    plain = loads(json.dumps(document, default=str, sort_keys=True))
    text = dumps(plain)

    assert written(plain) == text
    assert shown(Payload(text).copy()) == shown(plain)
