"""Old public names stay for one series, and say what they are called now."""

from __future__ import annotations

import importlib

import pytest
from websession_pyramid import SessionOverrides


@pytest.mark.parametrize("module", ["websession_pyramid", "pyramid_sqlalchemy_sessions"])
def test_an_old_name_warns_and_is_the_new_one(module):
    with pytest.warns(DeprecationWarning, match=r"SessionPreferences is called SessionOverrides now"):
        assert importlib.import_module(module).SessionPreferences is SessionOverrides


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("has_cookie", "tickets.has_cookie"),
        ("read_ticket", "tickets.read"),
        ("make_token", "tickets.token"),
        ("look_at", "warn_of_engine_faults"),
    ],
)
def test_an_old_method_of_the_session_factory_warns_and_is_the_new_one(site, old, new):
    method = site.factory
    for name in new.split("."):
        method = getattr(method, name)
    with pytest.warns(DeprecationWarning, match=rf"^SessionFactory\.{old} is called {new} now"):
        assert getattr(site.factory, old) == method


def test_a_name_that_there_never_was_is_an_attribute_error(site):
    with pytest.raises(AttributeError, match="no attribute 'cookie_of'"):
        site.factory.cookie_of  # noqa: B018 - the access is what is tested
