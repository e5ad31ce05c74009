"""The table of features says what each mixin brings, and everything else agrees with it."""

import dataclasses
import importlib
import pkgutil

import pytest
import websession_models
from websession_core.errors import SessionError
from websession_core.policies import Overrides
from websession_core.ports import Changes
from websession_core.settings import OPTIONS
from websession_core.state import Activity
from websession_models import (
    BaseMixin,
    IdleMixin,
    ModelError,
    SessionLimitMixin,
    SessionRow,
    UnpurgeableModelError,
    UseridMixin,
    features_of,
    fresh_session_id,
    mixins,
)
from websession_models.features import FEATURES, feature_of_column, features_for_setting

COLUMNS = [name for feature in FEATURES for name in feature.columns]
OVERRIDES = {field.name for field in dataclasses.fields(Overrides)}


def model_with(base, *bases) -> type:
    return type("WebSession", (*bases, BaseMixin, base), {"__tablename__": "session"})


def test_every_mixin_is_in_it_once():
    names = [feature.name for feature in FEATURES]

    assert sorted([*names, "BaseMixin", "FullyFeaturedSession"]) == sorted(mixins.__all__)


def test_no_column_is_of_two_features_or_of_every_session(base):
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert features_of(model_with(base)).columns.keys().isdisjoint(COLUMNS)


def test_a_model_with_all_of_them_has_all_columns(base, other_base):
    # From the last to the first, since some of them include one before.
    features = features_of(model_with(base, *(feature.mixin for feature in reversed(FEATURES))))

    assert features.columns.keys() == {*features_of(model_with(other_base)).columns, *COLUMNS}
    assert set(features.activity) == {name for feature in FEATURES for name in feature.activity}
    assert set(features.activity) == {field.name for field in dataclasses.fields(Activity)}


def test_a_row_has_every_column_by_itself_or_among_its_overrides():
    row = SessionRow(fresh_session_id(), 1, 1, 0, "{}", "{}")

    assert set(COLUMNS) == row.values.keys() | OVERRIDES
    assert [getattr(row, name) for name in row.values] == [None] * len(row.values)


def test_a_row_takes_the_columns_as_arguments_and_refuses_others():
    row = SessionRow(fresh_session_id(), 1, 1, 0, "{}", "{}", userid=7)

    assert (row.userid, row.values["userid"]) == (7, 7)
    assert dataclasses.replace(row, userid=8, csrf_token="t").userid == 8
    assert dataclasses.replace(row, userid=None) == dataclasses.replace(row, userid=None, csrf_token=None)
    assert hash(row) == hash(dataclasses.replace(row, userid=8))
    with pytest.raises(TypeError, match="no feature has a column 'user_id'"):
        dataclasses.replace(row, user_id=7)
    with pytest.raises(AttributeError, match="no attribute 'user_id'"):
        _ = row.user_id


def test_every_setting_in_it_is_one_of_the_settings():
    assert {name for feature in FEATURES for name in feature.settings} <= {option.name for option in OPTIONS}


def test_what_cores_port_says_can_be_changed_has_a_column(base):
    columns = {*COLUMNS, *features_of(model_with(base)).columns}

    assert columns >= Changes.__annotations__.keys()


@pytest.mark.parametrize(
    ("setting", "needed"),
    [("idle_timeout", [IdleMixin]), ("max_per_user", [UseridMixin, SessionLimitMixin]), ("cookie_name", [])],
)
def test_a_setting_tells_which_mixins_it_needs(setting, needed):
    assert [feature.mixin for feature in features_for_setting(setting)] == needed


def test_a_column_tells_which_mixin_adds_it():
    assert feature_of_column("userid").mixin is UseridMixin
    with pytest.raises(KeyError):
        feature_of_column("data")


def test_every_error_of_the_models_is_a_session_error():
    modules = [
        importlib.import_module(f"websession_models.{module.name}")
        for module in pkgutil.iter_modules(websession_models.__path__)
    ]
    things = [thing for module in modules for thing in vars(module).values() if isinstance(thing, type)]
    errors = {
        thing
        for thing in things
        if issubclass(thing, Exception) and thing.__module__.startswith("websession_models.")
    }

    assert {ModelError, UnpurgeableModelError} <= errors
    assert all(issubclass(error, SessionError) for error in errors)


@pytest.mark.parametrize("error", [ModelError, UnpurgeableModelError])
def test_an_error_about_a_model_is_still_a_value_error(error):
    assert issubclass(error, ValueError)
