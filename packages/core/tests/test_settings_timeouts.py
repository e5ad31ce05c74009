"""The settings that say how long a session lives."""

from __future__ import annotations

import pytest
from websession_core.policies import AbsoluteTimeout, IdleTimeout, Policies, Renewal

from .configured import mistakes, parse


def test_without_any_a_session_never_ends_and_its_ticket_never_changes():
    assert parse().policies == Policies(renewal=Renewal(None, 60, 16))


def test_they_are_read_from_text():
    policies = parse(
        idle_timeout=" 1800 ",
        extension_delay="30",
        absolute_timeout="43200",
        renewal_timeout="600",
        renewal_grace="90",
        renewal_max_tries="5",
        not_before="1700000000",
        cookie_max_age="86400",
    ).policies
    assert policies == Policies(
        idle=IdleTimeout(1800, 30),
        absolute=AbsoluteTimeout(43200),
        renewal=Renewal(600, 90, 5),
        not_before=1_700_000_000,
        cookie_max_age=86400,
    )


@pytest.mark.parametrize("nothing", [None, "", "none"])
def test_a_timeout_can_be_left_out_in_so_many_words(nothing):
    assert (
        parse(idle_timeout=nothing, absolute_timeout=nothing, renewal_timeout=nothing).policies == Policies()
    )


@pytest.mark.parametrize("name", ["idle_timeout", "absolute_timeout", "renewal_timeout", "renewal_grace"])
@pytest.mark.parametrize("value", [0, -1, "1.5", "an hour", True, 2**31])
def test_a_duration_is_a_positive_number_of_seconds(name, value):
    assert list(mistakes(**{name: value})) == [name]


@pytest.mark.parametrize(
    ("values", "setting", "problem"),
    [
        ({"idle_timeout": 60, "absolute_timeout": 60}, "idle_timeout", "not shorter than"),
        ({"idle_timeout": 60, "extension_delay": 60}, "extension_delay", "not shorter than"),
        ({"extension_delay": 60}, "extension_delay", "means nothing without"),
        ({"extension_delay": -1, "idle_timeout": 60}, "extension_delay", "negative"),
        ({"renewal_timeout": 119}, "renewal_timeout", "shorter than twice"),
        ({"renewal_timeout": 600, "renewal_grace": 301}, "renewal_timeout", "shorter than twice"),
        ({"renewal_max_tries": 0}, "renewal_max_tries", "greater than 0"),
        ({"not_before": 1_700_000_000_000}, "not_before", "no time"),
        ({"not_before": -1}, "not_before", "no time"),
    ],
)
def test_what_contradicts_is_told(values, setting, problem):
    ((name, mistake),) = mistakes(**values).items()
    assert name == setting
    assert problem in mistake.problem


LOCKED_OUT = {"max_per_user": 2, "max_per_user_policy": "refuse"}


def test_a_limit_that_refuses_needs_a_timeout_since_lost_cookies_would_use_it_up_for_good():
    ((name, mistake),) = mistakes(**LOCKED_OUT).items()
    assert name == "max_per_user_policy"
    assert "session.idle_timeout" in mistake.remedy


@pytest.mark.parametrize(
    "values",
    [
        LOCKED_OUT | {"idle_timeout": 60},
        LOCKED_OUT | {"absolute_timeout": 60},
        LOCKED_OUT | {"preset": "aal1"},
        LOCKED_OUT | {"max_per_user_policy": "end_oldest"},
        {"max_per_user_policy": "refuse"},
    ],
)
def test_with_a_timeout_or_where_nobody_is_refused_it_may_be(values):
    assert parse(**values)


def test_the_boundaries_are_allowed():
    assert parse(idle_timeout=59, extension_delay=58, absolute_timeout=60, renewal_timeout=120).policies
