"""What settings come of a configuration, and what is wrong with one."""

from __future__ import annotations

from typing import Any

import pytest
from websession_core import ConfigurationError, Mistake, Settings, parse_settings


class Model:
    """Stands for a mapped class."""


def parse(prefix: str = "session.", **values: Any) -> Settings:
    """The settings that these options, beside the required ones, make."""
    options = {"secret_key": "key", "model_class": Model} | values
    return parse_settings({f"{prefix}{name}": value for name, value in options.items()}, prefix=prefix)


def mistakes(**values: Any) -> dict[str, Mistake]:
    """The mistakes in these options, by the option's name."""
    with pytest.raises(ConfigurationError) as caught:
        parse(**values)
    by_name = {mistake.setting.removeprefix("session."): mistake for mistake in caught.value.mistakes}
    assert len(by_name) == len(caught.value.mistakes), "one mistake would hide another one here"
    return by_name
