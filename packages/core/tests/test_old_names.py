"""Old public names stay for one series, and say what they are called now."""

from __future__ import annotations

import importlib

import pytest
import websession_core
from websession_core import Forecast, forecast, lifecycle, old_key_lifetime, reschedule
from websession_core.lifecycle import Duty


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("websession_core", "Outlook", Forecast),
        ("websession_core", "outlook", forecast),
        ("websession_core", "old_key_needed", old_key_lifetime),
        ("websession_core", "redate", reschedule),
        ("websession_core.lifecycle", "redate", reschedule),
        ("websession_core.outlook", "Outlook", Forecast),
        ("websession_core.outlook", "outlook", forecast),
        ("websession_core.outlook", "old_key_needed", old_key_lifetime),
    ],
)
def test_an_old_name_warns_and_is_the_new_one(module, old, new):
    message = rf"^{module}\.{old} is called {new.__name__} now; the old name stays for one series$"
    with pytest.warns(DeprecationWarning, match=message):
        assert getattr(importlib.import_module(module), old) is new
    assert old not in websession_core.__all__


def test_an_old_name_can_be_imported_and_the_warning_names_the_line_that_does():
    with pytest.warns(DeprecationWarning, match="outlook is called forecast") as warned:
        from websession_core import outlook  # noqa: F401
    assert {warning.filename for warning in warned} == {__file__}


def test_the_old_name_of_a_duty_warns_and_is_the_duty():
    with pytest.warns(DeprecationWarning, match=r"^Duty\.REDATE is called RESCHEDULE now"):
        assert Duty.REDATE is Duty.RESCHEDULE
    assert "REDATE" not in Duty.__members__


@pytest.mark.parametrize("module", [websession_core, lifecycle])
def test_a_name_that_never_was_is_none_of_the_module(module):
    with pytest.raises(AttributeError, match=f"^module '{module.__name__}' has no attribute 'nothing'$"):
        module.nothing  # noqa: B018
