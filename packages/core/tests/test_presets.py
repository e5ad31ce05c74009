"""Timeouts under the names of NIST SP 800-63B-4's assurance levels."""

from __future__ import annotations

import pytest
from websession_core import AAL1, AAL2, AAL3, PRESETS, ConfigurationError, Preset, Settings
from websession_core.presets import AAL2_OF_REVISION_3

from .configured import parse

MINUTE, HOUR, DAY = 60, 3600, 86400


def timeouts(**values):
    settings = parse(**values)
    return settings.idle_timeout, settings.absolute_timeout


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aal1", (None, 30 * DAY)),
        ("AAL2 ", (HOUR, DAY)),
        ("aal3", (15 * MINUTE, 12 * HOUR)),
        (AAL3, (15 * MINUTE, 12 * HOUR)),
        ("none", (None, None)),
        (None, (None, None)),
    ],
)
def test_asvs_7_1_1_a_preset_gives_both_timeouts(name, expected):
    assert timeouts(preset=name) == expected


def test_without_one_there_are_no_timeouts():
    assert parse().preset is None
    assert timeouts() == (None, None)


def test_a_setting_of_ones_own_wins_over_the_preset():
    assert timeouts(preset="aal2", idle_timeout="600") == (600, DAY)
    assert timeouts(preset="aal2", absolute_timeout="7200") == (HOUR, 7200)
    assert timeouts(preset="aal2", idle_timeout="none") == (None, DAY)


def test_what_was_parsed_can_be_parsed_again():
    once = parse(preset="aal2", idle_timeout="none")
    again = parse(preset=once.preset, idle_timeout=once.idle_timeout)
    assert again == once
    assert Settings(secret_key="k", model_class=object, preset=AAL2).idle_timeout is None


@pytest.mark.parametrize("name", ["aal4", "", "2", 2])
def test_what_is_no_preset_is_refused_with_the_names(name):
    with pytest.raises(ConfigurationError, match=r"preset.*use aal1, aal2, aal3"):
        parse(preset=name)


def test_a_contradiction_names_the_presets_share_in_it():
    with pytest.raises(
        ConfigurationError, match=r"^1 mistake.*\n.*idle_timeout = 3600 \(by session\.preset\): is"
    ):
        parse(preset="aal2", absolute_timeout=3600)


def test_a_wrong_preset_is_the_only_mistake():
    with pytest.raises(ConfigurationError, match=r"^1 mistake in"):
        parse(preset="aal9", extension_delay=None)


def test_presets_have_names_and_make_sense():
    assert dict(PRESETS) == {"aal1": AAL1, "aal2": AAL2, "aal3": AAL3}
    assert str(AAL2) == "aal2"
    for idle, absolute in [(60, 60), (0, 60), (None, 0)]:
        with pytest.raises(ValueError, match="timeout"):
            Preset("mine", idle, absolute)


@pytest.mark.parametrize(
    ("idle", "absolute", "levels"),
    [
        (15 * MINUTE, 12 * HOUR, {AAL1, AAL2, AAL2_OF_REVISION_3, AAL3}),
        (15 * MINUTE + 1, 12 * HOUR, {AAL1, AAL2, AAL2_OF_REVISION_3}),
        (30 * MINUTE + 1, 12 * HOUR, {AAL1, AAL2}),
        (15 * MINUTE, 12 * HOUR + 1, {AAL1, AAL2}),
        (HOUR + 1, DAY, {AAL1}),
        (None, DAY, {AAL1}),
        (HOUR, 30 * DAY + 1, set()),
        (HOUR, None, set()),
        (None, None, set()),
    ],
)
def test_timeouts_are_within_a_level_if_both_are(idle, absolute, levels):
    every = (AAL1, AAL2, AAL2_OF_REVISION_3, AAL3)
    assert {preset for preset in every if preset.allows(idle, absolute)} == levels


def test_what_revision_3_asked_for_is_no_preset_to_choose():
    assert AAL2_OF_REVISION_3 not in PRESETS.values()
