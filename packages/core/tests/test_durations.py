"""Seconds in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websession_core.durations import (
    DAY,
    HOUR,
    MINUTE,
    duration,
    exact_duration,
    parse_duration,
    rough_duration,
)

LENGTHS = {
    "d": DAY,
    "h": HOUR,
    "min": MINUTE,
    "s": 1,
    "days": DAY,
    "hours": HOUR,
    "minutes": MINUTE,
    "seconds": 1,
}


def seconds_in(text: str) -> int:
    words = text.split()
    return sum(int(count) * LENGTHS[unit] for count, unit in zip(words[::2], words[1::2], strict=True))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600 + 59, "1 h"),
        (3600 + 61, "1 h 1 min"),
        (2 * DAY + 3 * HOUR + 4 * MINUTE, "2 d 3 h"),
        (DAY + 2 * MINUTE, "1 d"),
        (40 * DAY, "40 d"),
        (-200, "-3 min 20 s"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (DAY + 2 * MINUTE, "1 d 1 h"),
        (12 * HOUR + 2 * MINUTE, "12 h 2 min"),
        (3601, "1 h 1 min"),
        (59, "59 s"),
    ],
)
def test_what_has_to_be_waited_for_is_rounded_up(seconds, text):
    assert duration(seconds, round_up=True) == text


@given(st.integers(0, 10**9))
def test_a_duration_is_right_to_its_second_unit(seconds):
    shown, rounded_up = seconds_in(duration(seconds)), seconds_in(duration(seconds, round_up=True))
    assert shown <= seconds <= rounded_up
    assert rounded_up - shown <= (HOUR if seconds >= DAY else MINUTE if seconds >= HOUR else 1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "none"),
        (14 * DAY, "14 d"),
        (DAY, "24 h"),
        (36 * HOUR, "36 h"),
        (90 * MINUTE, "90 min"),
        (15 * MINUTE, "15 min"),
        (61, "61 s"),
    ],
)
def test_an_exact_duration_is_in_one_unit(seconds, text):
    assert exact_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (2 * HOUR - 1, "119 minutes"),
        (2 * DAY - 1, "47 hours"),
        (3 * DAY + 5, "3 days"),
    ],
)
def test_a_rough_duration_is_in_the_largest_unit_of_which_there_are_two(seconds, text):
    assert rough_duration(seconds) == text


@given(st.integers(0, 10**9))
def test_an_exact_duration_is_exact_and_a_rough_one_right_by_half(seconds):
    assert seconds_in(exact_duration(seconds)) == seconds
    assert seconds_in(rough_duration(seconds)) <= seconds < seconds_in(rough_duration(seconds)) * 1.5 + 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        (" 90 s ", 90),
        ("30m", 1800),
        ("20min", 1200),
        ("2h", 7200),
        ("14d", 14 * DAY),
        ("2W", 14 * DAY),
        ("1 h 30 min", 5400),
        ("1h30m", 5400),
        ("3 days", 3 * DAY),
    ],
)
def test_a_duration_is_read_as_people_write_it(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "min", "1 000", "1.5h", "-5", "5 mins", "10 h 5", "1e3", "٣"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@given(st.integers(0, 10**9))
def test_what_is_written_exactly_is_read_back(seconds):
    assert parse_duration(exact_duration(seconds)) == seconds
    assert parse_duration(duration(seconds, round_up=True)) >= seconds
