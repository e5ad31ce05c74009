"""The errors' old names stay for one series, and say what they are called now."""

from __future__ import annotations

import pytest
import websession_crypto
from websession_crypto import errors

OLD_NAMES = ["InvalidTag", "MalformedToken", "PayloadTooLong", "UnauthenticToken", "UnknownTokenVersion"]


@pytest.mark.parametrize("module", [websession_crypto, errors])
@pytest.mark.parametrize("name", OLD_NAMES)
def test_an_old_name_warns_and_is_the_same_error(module, name: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"^{name} is called {name}Error now; .* for one series$"):
        assert getattr(module, name) is getattr(module, f"{name}Error")
    assert name not in module.__all__


def test_an_old_name_can_be_imported_and_the_warning_names_the_line_that_does() -> None:
    with pytest.warns(DeprecationWarning, match="MalformedTokenError") as warned:
        from websession_crypto import MalformedToken
    assert {warning.filename for warning in warned} == {__file__}
    with pytest.raises(MalformedToken):
        raise errors.MalformedTokenError


@pytest.mark.parametrize("module", [websession_crypto, errors])
def test_a_name_that_never_was_is_none_of_the_module(module) -> None:
    with pytest.raises(AttributeError, match="'websession_crypto' has no attribute 'nothing'"):
        module.nothing  # noqa: B018
