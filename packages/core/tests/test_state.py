"""Snapshots of rows: immutable, and checked when they are made."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import pytest
from websession_core.policies import Overrides
from websession_core.state import COUNTER_MAX, Activity, SessionState

ROW = SessionState(created=1)


def test_a_row_may_have_no_more_than_its_creation_and_no_activity_at_all() -> None:
    assert SessionState(1, epoch=0, rotated_at=None, owned=None, activity=None, overrides=None) == ROW
    assert all(getattr(Activity(), each.name) is None for each in fields(Activity))


@pytest.mark.parametrize("name", [each.name for each in fields(Activity)])
@pytest.mark.parametrize("value", [0, COUNTER_MAX])
def test_activity_takes_what_a_bigint_column_holds(name: str, value: int) -> None:
    assert getattr(Activity(**{name: value}), name) == value


@pytest.mark.parametrize("name", [each.name for each in fields(Activity)])
@pytest.mark.parametrize("value", [-1, COUNTER_MAX + 1])
def test_an_impossible_activity_is_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=name):
        Activity(**{name: value})


@pytest.mark.parametrize("name", [each.name for each in fields(Activity)])
@pytest.mark.parametrize("value", [True, 1.0, "1"])
def test_a_number_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be an integer, not {type(value).__name__}$"):
        Activity(**{name: value})


@pytest.mark.parametrize("name", ["created", "epoch", "rotated_at"])
def test_an_impossible_row_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be from 0 to"):
        replace(ROW, **{name: -1})
    with pytest.raises(TypeError, match=f"^{name} must be an integer, not str$"):
        replace(ROW, **{name: "1"})


@pytest.mark.parametrize(("name", "value"), [("owned", 1), ("activity", {}), ("overrides", Activity())])
def test_a_part_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be .*, not {type(value).__name__}$"):
        replace(ROW, **{name: value})


def test_a_snapshot_cannot_be_changed() -> None:
    whole = replace(ROW, owned=True, activity=Activity(), overrides=Overrides())
    with pytest.raises(FrozenInstanceError):
        whole.epoch = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        whole.activity.tries = 2  # type: ignore[misc, union-attr]
