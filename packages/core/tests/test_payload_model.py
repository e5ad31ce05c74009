"""The payload against a plain dictionary: whatever is done to both, both must say the same."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from websession_core import Payload, UnstorableValueError, dumps, loads

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
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz") | TEXT, inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from("abcd")
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


def twins(mine: Any, models: Any) -> list[tuple[Any, Any]]:
    """Every container in a value, beside the same one in its model."""
    found = []
    if isinstance(mine, dict):
        found.append((mine, models))
        for key in mine:
            found.extend(twins(mine[key], models[key]))
    elif isinstance(mine, list):
        found.append((mine, models))
        for item, model in zip(mine, models, strict=True):
            found.extend(twins(item, model))
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
        text = json.dumps(document) if reorder else dumps(document)
        self.payload = Payload(text, reorder=reorder)
        self.loaded = loads(text, reorder=reorder)
        self.snapshots = []
        self.go_to(copy.deepcopy(self.loaded), dumps(document))

    def go_to(self, model: dict[str, Any], stored: str) -> None:
        self.model = model
        self.stored = stored
        self.aliases = []
        self.serialized = None

    @invariant()
    def it_is_changed_exactly_if_its_text_differs_from_the_stored_one(self) -> None:
        assert self.payload.is_changed == (dumps(self.model) != self.stored)

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
            self.payload.update(document, **{key: [(1,)]})
        assert caught.value.path == f"{key}[0]"

    @rule()
    def clear(self) -> None:
        self.payload.clear()
        self.model.clear()

    @rule()
    def serialize(self) -> None:
        self.serialized = self.payload.serialize()
        assert dumps(loads(self.serialized)) == dumps(self.model)

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
        self.go_to(copy.deepcopy(self.loaded), dumps(self.loaded))

    @rule()
    def compare(self) -> None:
        # With the order of keys, in every mapping; json, so that 1, 1.0 and True differ.
        assert json.dumps(self.payload.copy()) == json.dumps(self.model)
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
    back = Payload(text, reorder=reorder)

    assert text == dumps(document)
    assert repr(back.copy()) == repr(loads(dumps(document), reorder=True))
    assert back == payload


@settings(deadline=None)
@given(value=VALUES)
def test_the_text_of_a_value_read_back_is_the_same_text(value: Any) -> None:
    for reorder in (False, True):
        assert dumps(loads(dumps(value), reorder=reorder)) == dumps(value)
