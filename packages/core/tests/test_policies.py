"""Policies: what was agreed, checked when it is made."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websession_core.policies import (
    LONGEST,
    OVERRIDE_NAMES,
    AbsoluteTimeout,
    IdleTimeout,
    Overrides,
    Policies,
    Renewal,
)
from websession_core.ports import Changes
from websession_core.settings import OPTIONS


@pytest.mark.parametrize(("timeout", "delay"), [(10, 1), (9, 0), (590, 59), (600, 60), (86_400, 60)])
def test_the_extension_delay_is_a_tenth_of_the_idle_timeout_and_at_most_a_minute(
    timeout: int, delay: int
) -> None:
    assert IdleTimeout(timeout).delay == delay


def test_a_given_extension_delay_holds() -> None:
    assert IdleTimeout(600, extension_delay=0).delay == 0
    assert IdleTimeout(600, extension_delay=599).delay == 599


@pytest.mark.parametrize(
    ("idle", "overdue_after"),
    [
        (IdleTimeout(600), 120),  # twice the delay
        (IdleTimeout(36_000), 3600),  # not before a tenth of the timeout
        (IdleTimeout(100, 60), 80),  # half-way from the delay to the timeout at the latest
        (IdleTimeout(2, 1), 1),
    ],
)
def test_a_touch_is_overdue_while_there_is_still_time(idle: IdleTimeout, overdue_after: int) -> None:
    assert idle.overdue_after == overdue_after


@given(st.integers(1, LONGEST), st.data())
def test_a_touch_is_overdue_after_it_was_due_and_before_the_end(timeout: int, data: st.DataObject) -> None:
    delay = data.draw(st.none() | st.integers(0, timeout - 1))
    idle = IdleTimeout(timeout, delay)
    assert idle.delay <= idle.overdue_after < timeout


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IdleTimeout(0), "idle_timeout must be from 1"),
        (lambda: IdleTimeout(LONGEST + 1), "idle_timeout must be from 1"),
        (lambda: IdleTimeout(60, 60), "extension_delay must be shorter than idle_timeout"),
        (lambda: IdleTimeout(60, -1), "extension_delay must be from 0"),
        (lambda: AbsoluteTimeout(0), "absolute_timeout must be from 1"),
        (lambda: Renewal(grace=0), "renewal_grace must be from 1"),
        (lambda: Renewal(119), "renewal_timeout must be at least twice renewal_grace"),
        (lambda: Renewal(19, grace=10), "renewal_timeout must be at least twice renewal_grace"),
        (lambda: Renewal(max_tries=0), "renewal_max_tries must be from 1"),
        (lambda: Overrides(idle_timeout=-1), "idle_timeout must be from 0"),
        (lambda: Policies(not_before=-1), "not_before must be from 0"),
        (lambda: Policies(cookie_version=-1), "cookie_version must be from 0"),
        (lambda: Policies(cookie_max_age=0), "cookie_max_age must be from 1"),
        (
            lambda: Policies(IdleTimeout(60), AbsoluteTimeout(60)),
            "idle_timeout must be shorter than absolute_timeout",
        ),
    ],
)
def test_what_makes_no_sense_cannot_be_made(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: IdleTimeout("600"),
        lambda: IdleTimeout(True),
        lambda: AbsoluteTimeout(1.5),
        lambda: Renewal("120"),
        lambda: Overrides(idle_timeout="1"),
        lambda: Policies(idle=600),
        lambda: Policies(absolute=IdleTimeout(600)),
        lambda: Policies(renewal=None),
    ],
)
def test_a_value_of_another_type_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError):
        make()


def test_the_shortest_renewal_is_twice_the_grace() -> None:
    assert Renewal(120).timeout == 120
    assert Renewal(20, grace=10).timeout == 20


GLOBAL = Policies(
    IdleTimeout(600),
    AbsoluteTimeout(3600),
    Renewal(300),
    not_before=7,
    cookie_max_age=1000,
    cookie_version=3,
)


def test_what_a_session_does_not_override_is_as_the_settings_say() -> None:
    assert GLOBAL.overridden(Overrides()) == GLOBAL
    assert GLOBAL.effective(Overrides()) == GLOBAL
    assert GLOBAL.effective(None) is GLOBAL


@pytest.mark.parametrize("apply", [Policies.overridden, Policies.effective])
@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (Overrides(idle_timeout=1200), replace(GLOBAL, idle=IdleTimeout(1200))),
        (Overrides(extension_delay=0), replace(GLOBAL, idle=IdleTimeout(600, 0))),
        (Overrides(idle_timeout=0), replace(GLOBAL, idle=None)),
        (Overrides(absolute_timeout=601), replace(GLOBAL, absolute=AbsoluteTimeout(601))),
        (Overrides(absolute_timeout=0), replace(GLOBAL, absolute=None)),
        (Overrides(renewal_timeout=120), replace(GLOBAL, renewal=Renewal(120))),
        (Overrides(renewal_timeout=0), replace(GLOBAL, renewal=Renewal())),
        (Overrides(cookie_max_age=5), replace(GLOBAL, cookie_max_age=5)),
        (Overrides(cookie_max_age=0), replace(GLOBAL, cookie_max_age=None)),
    ],
)
def test_a_session_overrides_what_it_wants(apply, overrides: Overrides, expected: Policies) -> None:  # type: ignore[no-untyped-def]
    assert apply(GLOBAL, overrides) == expected


def test_a_session_can_have_timeouts_the_settings_have_not() -> None:
    wishes = Overrides(idle_timeout=10, absolute_timeout=20, renewal_timeout=120, cookie_max_age=30)
    assert Policies().overridden(wishes) == Policies(
        IdleTimeout(10), AbsoluteTimeout(20), Renewal(120), cookie_max_age=30
    )


@pytest.mark.parametrize(
    ("overrides", "message", "stricter"),
    [
        (Overrides(idle_timeout=3600), "idle_timeout must be shorter", replace(GLOBAL, idle=None)),
        (
            Overrides(extension_delay=600),
            "extension_delay must be shorter",
            GLOBAL,
        ),
        (
            Overrides(renewal_timeout=119),
            "renewal_timeout must be at least",
            replace(GLOBAL, renewal=Renewal(120)),
        ),
    ],
)
def test_wishes_that_contradict_the_settings_cannot_be_set_but_never_stop_a_request(
    overrides: Overrides, message: str, stricter: Policies
) -> None:
    with pytest.raises(ValueError, match=message):
        GLOBAL.overridden(overrides)
    assert GLOBAL.effective(overrides) == stricter


durations = st.integers(0, LONGEST)
wishes = st.none() | durations | st.integers(0, 300)


@given(
    st.builds(Overrides, wishes, wishes, wishes, wishes, wishes),
    st.none() | st.builds(IdleTimeout, st.integers(1, LONGEST)),
    st.integers(1, LONGEST // 2),
)
def test_any_wishes_under_any_settings_are_some_policies(
    overrides: Overrides, idle: IdleTimeout | None, grace: int
) -> None:
    policies = Policies(idle, renewal=Renewal(grace=grace)).effective(overrides)
    assert policies.renewal.grace == grace


def test_a_persistent_cookie_is_sent_again_after_a_tenth_of_its_age() -> None:
    assert GLOBAL.reissue_after == 100
    assert Policies().reissue_after is None


def test_what_a_session_can_have_of_its_own_are_settings_that_a_store_can_change() -> None:
    assert set(OVERRIDE_NAMES) <= {option.name for option in OPTIONS}
    assert set(OVERRIDE_NAMES) <= Changes.__optional_keys__
    assert Overrides(**dict.fromkeys(OVERRIDE_NAMES, 0)) == Overrides(0, 0, 0, 0, 0)
