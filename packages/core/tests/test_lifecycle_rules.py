"""The rules one by one: each row of the table, each border, each combination of features."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websession_core.lifecycle import (
    CLOCK_STEP,
    COMPARED,
    CONSEQUENCES,
    GENERATION_LEAP,
    RULES,
    WRITTEN,
    Bookkeeping,
    Duty,
    NewSession,
    Standing,
    Verdict,
    begin,
    bookkeeping,
    deadline,
    freshest,
    judge,
    reissue,
    reschedule,
    rotate,
    transitions,
)
from websession_core.policies import AbsoluteTimeout, IdleTimeout, Overrides, Policies, Renewal
from websession_core.state import COUNTER_MAX, Activity, SessionState, Ticket

ID = uuid.UUID(int=0xABCD << 112)
G = 60
T0 = 1_000_000
IDLE, ABSOLUTE, RENEWAL = IdleTimeout(600), AbsoluteTimeout(36_000), Renewal(1200)
NONE = Policies()
ALL = Policies(IDLE, ABSOLUTE, RENEWAL)
RENEWING = Policies(renewal=RENEWAL)

# A session of epoch 3 that was renewed five times; its candidate 7 won, before that candidate 2.
ACTIVITY = Activity(
    active_at=T0,
    expires_at=None,
    generation=5,
    attempt=7,
    previous_attempt=2,
    renewed_at=T0,
    tries=0,
    tried_at=None,
)
ROW = SessionState(created=T0 - 1000, epoch=3, rotated_at=T0 - 900, owned=True, activity=ACTIVITY)
CURRENT = Ticket(ID, epoch=3, generation=5, attempt=7, issued_at=T0)
PREVIOUS = replace(CURRENT, generation=4, attempt=2)
OLD_EPOCH = replace(CURRENT, epoch=2)


def row(**activity: int | None) -> SessionState:
    return replace(ROW, activity=replace(ACTIVITY, **activity))


def standing(
    ticket: Ticket, state: SessionState | None = ROW, policies: Policies = RENEWING, now: int = T0
) -> Standing:
    return judge(ticket, state, policies, now).standing


# --- the table of tickets


@pytest.mark.parametrize(
    ("ticket", "age", "expected"),
    [
        pytest.param(CURRENT, 0, Standing.CURRENT, id="this generation, the winning attempt"),
        pytest.param(CURRENT, 10_000, Standing.CURRENT, id="the same, much later"),
        pytest.param(
            replace(CURRENT, generation=6, attempt=1), 0, Standing.ACKNOWLEDGEMENT, id="the next generation"
        ),
        pytest.param(
            replace(CURRENT, generation=99, attempt=0), 10_000, Standing.ACKNOWLEDGEMENT, id="any higher one"
        ),
        pytest.param(PREVIOUS, 0, Standing.IN_FLIGHT, id="the previous one, at once"),
        pytest.param(PREVIOUS, G, Standing.IN_FLIGHT, id="the previous one, after G"),
        pytest.param(PREVIOUS, G + 1, Standing.REPLAYED, id="the previous one, after G + 1"),
        pytest.param(
            replace(PREVIOUS, attempt=3),
            0,
            Standing.REPLAYED,
            id="the previous generation, an attempt that lost",
        ),
        pytest.param(
            replace(CURRENT, attempt=6), 0, Standing.REPLAYED, id="this generation, an attempt that lost"
        ),
        pytest.param(
            replace(CURRENT, generation=3, attempt=2), 0, Standing.REPLAYED, id="two generations ago"
        ),
        pytest.param(replace(CURRENT, generation=0, attempt=0), 0, Standing.REPLAYED, id="the first ticket"),
    ],
)
def test_a_ticket_of_this_epoch_is(ticket: Ticket, age: int, expected: Standing) -> None:
    assert standing(ticket, now=T0 + age) is expected


@pytest.mark.parametrize(
    ("epoch", "since_rotation", "expected"),
    [
        (2, 0, Standing.SUPERSEDED),
        (2, 2 * G, Standing.SUPERSEDED),
        (2, 2 * G + 1, Standing.REPLAYED),
        (0, 2 * G, Standing.SUPERSEDED),
        (0, 2 * G + 1, Standing.OUTLIVED),
        (4, 0, Standing.STALE_READ),
        (4, 10_000, Standing.STALE_READ),
    ],
)
def test_a_ticket_of_another_epoch_is(epoch: int, since_rotation: int, expected: Standing) -> None:
    state = replace(ROW, rotated_at=T0)
    # Its counters do not matter: none of them opens this epoch.
    for ticket in (CURRENT, PREVIOUS, replace(CURRENT, generation=6, attempt=1)):
        assert standing(replace(ticket, epoch=epoch), state, now=T0 + since_rotation) is expected


def test_a_rotation_of_unknown_time_accuses_nobody() -> None:
    assert standing(OLD_EPOCH, replace(ROW, rotated_at=None), now=T0 + 10_000) is Standing.SUPERSEDED


def test_without_renewal_an_old_epoch_is_found_out_too() -> None:
    state = SessionState(T0, epoch=3, rotated_at=T0)
    assert standing(OLD_EPOCH, state, NONE, T0 + 2 * G) is Standing.SUPERSEDED
    assert standing(OLD_EPOCH, state, NONE, T0 + 2 * G + 1) is Standing.REPLAYED


def test_the_grace_is_that_of_the_settings() -> None:
    policies = Policies(renewal=Renewal(20, grace=10))
    assert standing(PREVIOUS, policies=policies, now=T0 + 10) is Standing.IN_FLIGHT
    assert standing(PREVIOUS, policies=policies, now=T0 + 11) is Standing.REPLAYED


def test_a_session_without_a_row_is_unknown() -> None:
    verdict = judge(CURRENT, None, ALL, T0)
    assert verdict.standing is Standing.UNKNOWN
    assert bookkeeping(verdict, T0) == ()


def test_tickets_issued_before_the_cut_off_are_refused_whatever_else_they_are() -> None:
    policies = replace(ALL, not_before=T0)
    for ticket in (CURRENT, PREVIOUS, OLD_EPOCH, replace(CURRENT, generation=9)):
        early = replace(ticket, issued_at=T0 - 1)
        for state in (ROW, None):
            verdict = judge(early, state, policies, T0 + 10)
            assert verdict.standing is Standing.REFUSED
            assert bookkeeping(verdict, T0 + 10) == ()
    assert standing(CURRENT, policies=policies) is Standing.CURRENT


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.meaning)
def test_every_rule_says_what_it_means(rule) -> None:  # type: ignore[no-untyped-def]
    assert rule.meaning
    assert rule.standing in CONSEQUENCES


def test_every_standing_has_a_consequence_and_a_rule() -> None:
    assert set(CONSEQUENCES) == set(Standing) == {rule.standing for rule in RULES}


@pytest.mark.parametrize("each", Standing)
def test_a_verdict_is_true_if_it_opens_the_session_and_knows_why_if_not(each: Standing) -> None:
    verdict = Verdict(each, CURRENT, ROW, ALL)
    opens = each in {Standing.CURRENT, Standing.ACKNOWLEDGEMENT, Standing.IN_FLIGHT}
    assert bool(verdict) is opens
    assert verdict.reason == each.value
    only_login = each in {Standing.SUPERSEDED, Standing.STALE_READ, Standing.MISMATCHED}
    assert verdict.instead is (NewSession.LOGIN if only_login else NewSession.ANY)


# --- when a session ends


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (Policies(), None),
        (Policies(IdleTimeout(10)), 60),
        (Policies(None, AbsoluteTimeout(30)), 31),
        (Policies(IdleTimeout(10), AbsoluteTimeout(30)), 31),
        (Policies(IdleTimeout(10), AbsoluteTimeout(100)), 60),
    ],
)
def test_the_deadline_is_the_earlier_of_both_timeouts(policies: Policies, expected: int | None) -> None:
    assert deadline(policies, created=1, active_at=50) == expected


def test_a_deadline_fits_its_column() -> None:
    assert deadline(Policies(IDLE), COUNTER_MAX, COUNTER_MAX) == COUNTER_MAX


@pytest.mark.parametrize(
    ("policies", "ends", "reason"),
    [
        (Policies(IDLE), T0 + 600, Standing.EXPIRED_IDLE),
        (Policies(None, ABSOLUTE), T0 - 1000 + 36_000, Standing.EXPIRED_ABSOLUTE),
        (Policies(IDLE, AbsoluteTimeout(601)), T0 - 1000 + 601, Standing.EXPIRED_ABSOLUTE),
        (Policies(IDLE, AbsoluteTimeout(1600)), T0 + 600, Standing.EXPIRED_ABSOLUTE),
        (Policies(IDLE, AbsoluteTimeout(1601)), T0 + 600, Standing.EXPIRED_IDLE),
    ],
)
def test_a_session_ends_in_the_second_of_its_deadline_and_not_before(
    policies: Policies, ends: int, reason: Standing
) -> None:
    assert deadline(policies, ROW.created, T0) == ends
    if ends > T0:
        assert judge(CURRENT, ROW, policies, ends - 1)
    assert standing(CURRENT, ROW, policies, ends) is reason
    # The reason stays the one that came first.
    assert standing(CURRENT, ROW, policies, ends + 100_000) is reason


def test_the_stored_deadline_counts_if_it_is_earlier() -> None:
    state = row(expires_at=T0 + 100)
    for policies in (NONE, ALL):
        assert judge(CURRENT, state, policies, T0 + 99)
        assert standing(CURRENT, state, policies, T0 + 100) is Standing.EXPIRED_DEADLINE


def test_the_settings_of_now_count_if_they_are_earlier() -> None:
    state = row(expires_at=T0 + 10_000)
    assert standing(CURRENT, state, Policies(IDLE), T0 + 599) is Standing.CURRENT
    assert standing(CURRENT, state, Policies(IDLE), T0 + 600) is Standing.EXPIRED_IDLE


def test_a_session_ends_by_its_own_wishes() -> None:
    state = replace(ROW, overrides=Overrides(idle_timeout=50))
    assert standing(CURRENT, state, ALL, T0 + 49) is Standing.CURRENT
    assert standing(CURRENT, state, ALL, T0 + 50) is Standing.EXPIRED_IDLE
    state = replace(ROW, overrides=Overrides(idle_timeout=0))
    assert standing(CURRENT, state, ALL, T0 + 601) is Standing.CURRENT


def test_an_expired_session_is_removed_if_nobody_used_it_meanwhile() -> None:
    state = row(expires_at=T0 + 600)
    (write,) = bookkeeping(judge(CURRENT, state, ALL, T0 + 600), T0 + 601)
    assert write.duty is Duty.REMOVE
    assert write.epoch == state.epoch
    assert not write.insists
    assert write.values == {}
    assert write.expected == {
        "active_at": T0,
        "expires_at": T0 + 600,
        "generation": 5,
        "attempt": 7,
        "tries": 0,
        "tried_at": None,
    }


def test_a_replayed_session_is_revoked_whatever_its_row_holds() -> None:
    (write,) = bookkeeping(judge(PREVIOUS, ROW, RENEWING, T0 + G + 1), T0 + G + 2)
    assert write == Bookkeeping(Duty.REVOKE, ID, expected={}, values={}, insists=True)


# --- touching


@pytest.mark.parametrize(
    ("age", "duties", "insists"),
    [
        (0, (), False),
        (59, (), False),
        (60, (Duty.TOUCH,), False),
        (119, (Duty.TOUCH,), False),
        (120, (Duty.TOUCH,), True),
        (599, (Duty.TOUCH,), True),
    ],
)
def test_activity_is_recorded_once_in_an_extension_delay(
    age: int, duties: tuple[Duty, ...], *, insists: bool
) -> None:
    state = row(expires_at=T0 + 600)
    writes = bookkeeping(judge(CURRENT, state, Policies(IDLE), T0 + age), T0 + age + 2)
    assert tuple(write.duty for write in writes) == duties
    for write in writes:
        assert write.insists is insists
        assert write.expected == {"active_at": T0, "expires_at": T0 + 600}
        assert write.values == {"active_at": T0 + age + 2, "expires_at": T0 + age + 602}


def test_a_ticket_under_way_counts_as_activity() -> None:
    state = row(active_at=T0 - 60, expires_at=T0 + 540)
    assert judge(PREVIOUS, state, ALL, T0).duties == (Duty.TOUCH,)


def test_a_touch_uses_the_sessions_own_timeouts() -> None:
    state = replace(row(expires_at=T0 + 600), overrides=Overrides(idle_timeout=10_000, extension_delay=10))
    (write,) = bookkeeping(judge(CURRENT, state, Policies(IDLE), T0 + 10), T0 + 10)
    assert write.values == {"active_at": T0 + 10, "expires_at": T0 + 10_010}


@pytest.mark.parametrize("policies", [NONE, Policies(None, ABSOLUTE), RENEWING])
def test_without_an_idle_timeout_activity_is_recorded_once_a_minute_all_the_same(policies: Policies) -> None:
    # So that the timeout can be switched on without logging out who is active.
    state = row(expires_at=T0 + 900)
    assert judge(CURRENT, state, policies, T0 + 59).duties == ()
    (write,) = bookkeeping(judge(CURRENT, state, policies, T0 + 60), T0 + 60)
    assert (write.duty, write.insists) == (Duty.TOUCH, False)
    assert write.values == {"active_at": T0 + 60, "expires_at": deadline(policies, ROW.created, T0 + 60)}


@pytest.mark.parametrize("policies", [NONE, Policies(None, ABSOLUTE)])
def test_a_model_that_cannot_record_activity_writes_only_a_deadline_that_no_longer_fits(
    policies: Policies,
) -> None:
    fits = deadline(policies, ROW.created, T0)
    assert judge(CURRENT, row(active_at=None, expires_at=fits), policies, T0 + 10_000).duties == ()
    (write,) = bookkeeping(
        judge(CURRENT, row(active_at=None, expires_at=T0 + 20_000), policies, T0 + 10_000), T0 + 10_000
    )
    assert write.expected == {"active_at": None, "expires_at": T0 + 20_000}
    assert write.values["expires_at"] == fits


def test_a_timeout_that_was_changed_moves_the_deadline_with_the_next_touch() -> None:
    state = row(expires_at=T0 + 600)
    for timeout in (300, 6000):
        (write,) = bookkeeping(judge(CURRENT, state, Policies(IdleTimeout(timeout)), T0 + 60), T0 + 60)
        assert write.values["expires_at"] == T0 + 60 + timeout


def test_new_wishes_of_a_session_move_its_deadline_and_insist() -> None:
    state = replace(ROW, overrides=Overrides(idle_timeout=5000))
    assert reschedule(CURRENT, state, ALL, T0 + 1) == Bookkeeping(
        Duty.RESCHEDULE, ID, {}, {"active_at": T0 + 1, "expires_at": T0 + 5001}, insists=True
    )
    write = reschedule(CURRENT, replace(state, activity=None), ALL, T0 + 1)
    assert (write.duty, write.insists, write.values["expires_at"]) == (Duty.RECORD, True, T0 + 5001)


# --- renewing

DUE = T0 + 1200
# A model with renewal alone records no activity.
QUIET = row(active_at=None)


def quiet(**activity: int | None) -> SessionState:
    return row(active_at=None, **activity)


def duties(ticket: Ticket, state: SessionState, policies: Policies, now: int) -> tuple[Duty, ...]:
    return judge(ticket, state, policies, now).duties


def test_a_ticket_is_renewed_when_the_renewal_timeout_has_passed() -> None:
    assert duties(CURRENT, QUIET, RENEWING, DUE - 1) == ()
    verdict = judge(CURRENT, QUIET, RENEWING, DUE)
    (write,) = bookkeeping(verdict, DUE + 3)
    candidate = Ticket(ID, epoch=3, generation=6, attempt=1, issued_at=DUE + 3)
    assert write == Bookkeeping(
        Duty.RENEW,
        ID,
        expected={"generation": 5, "attempt": 7, "tries": 0, "tried_at": None},
        values={"tries": 1, "tried_at": DUE + 3},
        epoch=3,
        candidate=candidate,
    )
    assert standing(candidate, quiet(tries=1, tried_at=DUE + 3), now=DUE + 4) is Standing.ACKNOWLEDGEMENT


@pytest.mark.parametrize(("since_try", "expected"), [(0, ()), (2 * G, ()), (2 * G + 1, (Duty.RENEW,))])
def test_the_next_candidate_waits_for_more_than_2_graces(since_try: int, expected: tuple[Duty, ...]) -> None:
    state = quiet(tries=1, tried_at=DUE)
    assert duties(CURRENT, state, RENEWING, DUE + since_try) == expected


def test_a_second_candidate_is_another_attempt() -> None:
    state = quiet(tries=1, tried_at=DUE)
    (write,) = bookkeeping(judge(CURRENT, state, RENEWING, DUE + 121), DUE + 121)
    assert write.candidate is not None
    assert (write.candidate.generation, write.candidate.attempt) == (6, 2)
    assert write.expected == {"generation": 5, "attempt": 7, "tries": 1, "tried_at": DUE}


@pytest.mark.parametrize(("since_renewal", "expected"), [(2 * G, ()), (2 * G + 1, (Duty.RENEW,))])
def test_other_cookie_attributes_are_a_reason_to_renew_after_2_graces(
    since_renewal: int, expected: tuple[Duty, ...]
) -> None:
    policies = replace(RENEWING, cookie_version=1)
    assert duties(CURRENT, QUIET, policies, T0 + since_renewal) == expected
    for write in bookkeeping(judge(CURRENT, QUIET, policies, T0 + since_renewal), T0):
        assert write.candidate is not None
        assert write.candidate.cookie_version == 1


def test_a_persistent_cookie_is_renewed_before_its_age_runs_out() -> None:
    policies = replace(RENEWING, cookie_max_age=5000)
    assert duties(CURRENT, QUIET, policies, T0 + 499) == ()
    assert duties(CURRENT, QUIET, policies, T0 + 500) == (Duty.RENEW,)


@pytest.mark.parametrize("ticket", [PREVIOUS, replace(CURRENT, generation=6, attempt=1)])
def test_only_the_current_ticket_is_answered_with_a_candidate(ticket: Ticket) -> None:
    state = quiet(renewed_at=T0 + 5000)
    policies = replace(RENEWING, cookie_version=1, renewal=Renewal(1200, grace=600))
    verdict = judge(ticket, state, policies, T0 + 5500)
    assert verdict
    assert Duty.RENEW not in verdict.duties
    assert all(write.candidate is None for write in bookkeeping(verdict, T0 + 5500))
    assert reissue(verdict, T0 + 5500) is None


def test_an_acknowledgement_is_not_answered_with_the_next_candidate() -> None:
    ticket = replace(CURRENT, generation=6, attempt=1)
    assert duties(ticket, quiet(tries=1, tried_at=T0), RENEWING, DUE + 5000) == (Duty.ACKNOWLEDGE,)


def test_a_renewal_nobody_dated_counts_from_the_last_rotation_or_the_creation() -> None:
    since = T0 - 900  # the rotation
    state = quiet(renewed_at=None)
    assert duties(CURRENT, state, RENEWING, since + 1199) == ()
    assert duties(CURRENT, state, RENEWING, since + 1200) == (Duty.RENEW,)
    state = replace(state, epoch=0, rotated_at=None, created=T0)
    assert duties(replace(CURRENT, epoch=0), state, RENEWING, DUE - 1) == ()
    assert duties(replace(CURRENT, epoch=0), state, RENEWING, DUE) == (Duty.RENEW,)


@pytest.mark.parametrize(("owned", "expected"), [(True, (Duty.RENEW,)), (None, (Duty.RENEW,)), (False, ())])
def test_a_session_of_nobody_is_not_renewed(owned: bool | None, expected: tuple[Duty, ...]) -> None:
    state = replace(QUIET, owned=owned)
    assert duties(CURRENT, state, replace(RENEWING, cookie_version=1), DUE) == expected


def test_without_renewal_no_candidate_is_sent_but_tickets_are_still_told_apart() -> None:
    assert duties(CURRENT, QUIET, NONE, DUE) == ()
    assert standing(PREVIOUS, policies=NONE, now=DUE) is Standing.REPLAYED
    assert standing(replace(CURRENT, generation=6), policies=NONE) is Standing.ACKNOWLEDGEMENT


def test_a_session_of_which_every_candidate_was_swallowed_ends() -> None:
    last = quiet(tries=15, tried_at=DUE)
    (write,) = bookkeeping(judge(CURRENT, last, RENEWING, DUE + 121), DUE + 121)
    assert write.values["tries"] == 16
    spent = quiet(tries=16, tried_at=DUE)
    assert standing(CURRENT, spent, now=DUE + 120) is Standing.CURRENT
    verdict = judge(CURRENT, spent, RENEWING, DUE + 121)
    assert verdict.standing is Standing.UNACKNOWLEDGED
    (write,) = bookkeeping(verdict, DUE + 121)
    assert write.duty is Duty.REMOVE
    assert write.expected["tries"] == 16
    # The last candidate still saves it.
    late = replace(CURRENT, generation=6, attempt=16)
    assert standing(late, spent, now=DUE + 121) is Standing.ACKNOWLEDGEMENT


@pytest.mark.parametrize(("ahead", "previous"), [(1, 7), (2, None), (100, None)])
def test_an_acknowledgement_makes_its_ticket_current(ahead: int, previous: int | None) -> None:
    ticket = replace(CURRENT, generation=5 + ahead, attempt=1)
    (write,) = bookkeeping(judge(ticket, quiet(tries=1, tried_at=T0), RENEWING, T0 + 5), T0 + 8)
    assert write.duty is Duty.ACKNOWLEDGE
    assert write.expected == {"generation": 5, "attempt": 7}
    assert write.values == {
        "generation": 5 + ahead,
        "attempt": 1,
        "previous_attempt": previous,
        "renewed_at": T0 + 8,
        "tries": 0,
        "tried_at": None,
    }
    assert write.candidate is None


def test_a_candidate_forgotten_by_a_fail_over_is_sent_again_and_is_the_same() -> None:
    # The schedule that took an honest browser for two when attempts were random: a candidate leaves; the
    # standby does not know of it; a request still under way is answered with another one; the browser
    # acknowledges the first and then holds the second.
    (first,) = bookkeeping(judge(CURRENT, QUIET, RENEWING, DUE), DUE)
    (second,) = bookkeeping(judge(CURRENT, QUIET, RENEWING, DUE + 1), DUE + 1)
    assert first.candidate is not None
    assert second.candidate is not None
    (acknowledged,) = bookkeeping(judge(first.candidate, quiet(**second.values), RENEWING, DUE + 2), DUE + 2)
    after = quiet(**acknowledged.values)
    assert standing(second.candidate, after, now=DUE + 3) is Standing.CURRENT


# --- identity


def test_a_rotated_ticket_opens_the_new_epoch_and_nothing_else_does() -> None:
    rotation = rotate(CURRENT, ROW, RENEWING, T0 + 10, attempt=42)
    assert (rotation.epoch, rotation.rotated_at) == (4, T0 + 10)
    changed = replace(ROW, epoch=rotation.epoch, rotated_at=rotation.rotated_at)
    assert standing(rotation.ticket, changed, now=T0 + 10) is Standing.ACKNOWLEDGEMENT
    for ticket in (CURRENT, PREVIOUS, replace(CURRENT, generation=6, attempt=1)):
        assert standing(ticket, changed, now=T0 + 10) is Standing.SUPERSEDED


def test_a_late_acknowledgement_of_the_old_epoch_does_not_disturb_the_new_one() -> None:
    # Decided before the login was committed, written after it.
    rotation = rotate(CURRENT, ROW, RENEWING, T0 + 10, attempt=42)
    candidate = replace(CURRENT, generation=6, attempt=1)
    (late,) = bookkeeping(judge(candidate, ROW, RENEWING, T0 + 9), T0 + 12)
    changed = replace(row(**late.values), epoch=rotation.epoch, rotated_at=rotation.rotated_at)
    assert standing(rotation.ticket, changed, now=T0 + 13) is Standing.ACKNOWLEDGEMENT


def test_a_rotation_leaps_from_the_ticket_or_the_row_whichever_is_ahead() -> None:
    ahead = replace(CURRENT, generation=6, attempt=1)
    assert rotate(ahead, ROW, RENEWING, T0, 1).ticket.generation == 6 + GENERATION_LEAP
    assert rotate(PREVIOUS, ROW, RENEWING, T0, 1).ticket.generation == 5 + GENERATION_LEAP
    bare = SessionState(T0)
    assert rotate(Ticket(ID), bare, NONE, T0, 1).ticket.generation == GENERATION_LEAP


def test_a_rotated_ticket_has_todays_cookie() -> None:
    ticket = rotate(CURRENT, ROW, replace(RENEWING, cookie_version=9), T0 + 10, 42).ticket
    assert (ticket.cookie_version, ticket.issued_at, ticket.attempt) == (9, T0 + 10, 42)


def test_a_request_that_rotates_says_nothing_more_of_the_old_ticket() -> None:
    state = row(active_at=T0, expires_at=T0 + 600)
    policies = Policies(IDLE, renewal=Renewal(120))
    verdict = judge(CURRENT, state, policies, T0 + 130)
    assert verdict.duties == (Duty.RENEW, Duty.TOUCH)
    assert [write.duty for write in bookkeeping(verdict, T0 + 131, rotated=True)] == [Duty.TOUCH]


def test_a_new_session_is_opened_by_its_first_ticket() -> None:
    beginning = begin(ID, replace(ALL, cookie_version=5), T0, owned=False)
    assert beginning.ticket == Ticket(ID, cookie_version=5, issued_at=T0)
    assert beginning.state.activity == Activity(
        active_at=T0, expires_at=T0 + 600, generation=0, attempt=0, renewed_at=T0, tries=0
    )
    verdict = judge(beginning.ticket, beginning.state, replace(ALL, cookie_version=5), T0)
    assert (verdict.standing, verdict.duties) == (Standing.CURRENT, ())


def test_a_new_session_can_have_wishes_of_its_own() -> None:
    state = begin(ID, ALL, T0, overrides=Overrides(idle_timeout=9000)).state
    assert state.activity is not None
    assert state.activity.expires_at == T0 + 9000


# --- cookies of sessions that are not renewed


def test_without_renewal_an_outdated_cookie_is_sent_again_with_the_same_rights() -> None:
    policies = Policies(IDLE, cookie_version=2)
    verdict = judge(CURRENT, ROW, policies, T0 + 1)
    assert reissue(verdict, T0 + 2) == replace(CURRENT, cookie_version=2, issued_at=T0 + 2)
    assert Duty.RENEW not in verdict.duties


def test_without_renewal_a_persistent_cookie_is_sent_again_in_time() -> None:
    policies = Policies(cookie_max_age=1000)
    assert reissue(judge(CURRENT, ROW, policies, T0 + 99), T0 + 99) is None
    assert reissue(judge(CURRENT, ROW, policies, T0 + 100), T0 + 100) == replace(CURRENT, issued_at=T0 + 100)


def test_with_renewal_no_cookie_but_a_candidate_is_sent() -> None:
    policies = replace(RENEWING, cookie_version=2, cookie_max_age=10)
    assert reissue(judge(CURRENT, ROW, policies, T0 + 100), T0 + 100) is None


def test_with_renewal_a_write_of_a_session_of_nobody_brings_an_outdated_cookie_up_to_date() -> None:
    nobodys = replace(ROW, owned=False)
    verdict = judge(CURRENT, nobodys, replace(RENEWING, cookie_version=2), T0 + 1)
    assert reissue(verdict, T0 + 1) is None
    assert reissue(verdict, T0 + 2, written=True) == replace(CURRENT, cookie_version=2, issued_at=T0 + 2)
    assert reissue(judge(CURRENT, nobodys, RENEWING, T0 + 1), T0 + 1, written=True) is None
    for owned in (True, None):
        verdict = judge(CURRENT, replace(ROW, owned=owned), replace(RENEWING, cookie_version=2), T0 + 1)
        assert reissue(verdict, T0 + 1, written=True) is None


@pytest.mark.parametrize("state", [None, replace(ROW, epoch=4, rotated_at=T0)])
def test_a_session_that_is_not_opened_gets_no_cookie(state: SessionState | None) -> None:
    assert reissue(judge(CURRENT, state, Policies(cookie_version=2), T0), T0) is None


def test_of_several_cookies_the_freshest_is_judged() -> None:
    newer = replace(CURRENT, generation=6, attempt=1, issued_at=T0 - 5)  # by a server whose clock is behind
    rotated = replace(CURRENT, epoch=4, generation=0, issued_at=T0 - 9)
    other = Ticket(uuid.UUID(int=7), issued_at=T0 + 1)
    assert freshest([]) is None
    for order in itertools.permutations((CURRENT, newer, PREVIOUS)):
        assert freshest(order) == newer
    assert freshest([CURRENT, newer, rotated]) == rotated
    assert freshest([CURRENT, other]) == other


# --- features that are missing, in the model or in the row

POLICIES = [
    Policies(idle, absolute, renewal)
    for idle in (None, IDLE)
    for absolute in (None, ABSOLUTE)
    for renewal in (Renewal(), RENEWAL)
]
some_time = st.integers(0, 2 * T0) | st.sampled_from((0, T0, COUNTER_MAX))
counters = st.none() | st.integers(0, 9) | st.just(COUNTER_MAX - 2**20)
activities = st.none() | st.builds(
    Activity,
    *[
        counters
        if each.name in {"generation", "attempt", "previous_attempt", "tries"}
        else st.none() | some_time
        for each in fields(Activity)
    ],
)
wishes = st.none() | st.sampled_from((0, 1, 100, 10_000))
states = st.none() | st.builds(
    SessionState,
    some_time,
    st.integers(0, 5),
    st.none() | some_time,
    st.none() | st.booleans(),
    activities,
    st.none() | st.builds(Overrides, wishes, wishes, wishes, wishes, wishes),
)
tickets = st.builds(
    Ticket, st.just(ID), st.integers(0, 5), st.integers(0, 9), st.integers(0, 9), st.integers(0, 1), some_time
)
policies_of_all_kinds = st.builds(
    replace,
    st.sampled_from(POLICIES),
    not_before=st.sampled_from((0, 0, T0)),
    cookie_max_age=st.none() | st.just(100),
    cookie_version=st.integers(0, 1),
)


@given(tickets, states, policies_of_all_kinds, some_time, some_time)
def test_no_row_no_setting_and_no_clock_makes_the_rules_raise(
    ticket: Ticket, state: SessionState | None, policies: Policies, now: int, later: int
) -> None:
    verdict = judge(ticket, state, policies, now)
    writes = bookkeeping(verdict, later)
    assert sum(write.candidate is not None for write in writes) <= 1
    for write in writes:
        if state is not None and state.activity is not None:
            assert tuple(write.expected) == COMPARED[write.duty]
        assert tuple(write.values) == WRITTEN[write.duty]
        Activity(**write.values)  # fits the columns
    reissue(verdict, later)
    if verdict and state is not None:
        rotate(ticket, state, policies, later, 1)
        reschedule(ticket, state, policies, later)


@pytest.mark.parametrize("policies", POLICIES)
@pytest.mark.parametrize("activity", [None, Activity()])
def test_a_row_from_before_its_features_opens(policies: Policies, activity: Activity | None) -> None:
    state = SessionState(created=T0, activity=activity)
    for ticket in (Ticket(ID), Ticket(ID, generation=GENERATION_LEAP, attempt=42)):
        verdict = judge(ticket, state, policies, T0 + 10)
        assert verdict
        after = SessionState(T0, activity=activity)
        for write in bookkeeping(verdict, T0 + 10):
            after = replace(after, activity=replace(after.activity or Activity(), **write.values))
        again = judge(ticket, after, policies, T0 + 11)
        assert (again.standing, again.duties) == (Standing.CURRENT, ())
        if policies.renewal.timeout is not None:
            # From now on tickets are told apart.
            assert standing(replace(ticket, attempt=7), after, policies, T0 + 12) is Standing.REPLAYED


def test_a_model_with_no_timeouts_is_valid_while_the_epoch_matches() -> None:
    state = SessionState(created=1, epoch=3)
    verdict = judge(CURRENT, state, NONE, COUNTER_MAX)
    assert (verdict.standing, verdict.duties) == (Standing.CURRENT, ())
    assert bookkeeping(verdict, COUNTER_MAX) == ()


def test_a_missing_companion_row_is_recorded_with_the_counters_of_the_ticket() -> None:
    state = replace(ROW, activity=None)
    (write,) = bookkeeping(judge(CURRENT, state, ALL, T0 - 500), T0 - 490)
    assert write.duty is Duty.RECORD
    assert write.expected == {}
    assert write.values == {
        "active_at": T0 - 490,
        "expires_at": T0 + 110,
        "generation": 5,
        "attempt": 7,
        "previous_attempt": None,
        "renewed_at": T0 - 490,
        "tries": 0,
        "tried_at": None,
    }


def test_activity_nobody_recorded_ended_with_the_creation_or_the_last_rotation() -> None:
    created = SessionState(created=T0)
    rotated = SessionState(created=T0 - 5000, epoch=1, rotated_at=T0)
    for state, ticket in ((created, Ticket(ID)), (rotated, Ticket(ID, epoch=1))):
        for activity in (None, Activity()):
            whole = replace(state, activity=activity)
            assert judge(ticket, whole, Policies(IDLE), T0 + 599)
            assert standing(ticket, whole, Policies(IDLE), T0 + 600) is Standing.EXPIRED_IDLE


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(POLICIES, 2)))
def test_timeouts_can_be_switched_while_a_session_is_in_use(before: Policies, after: Policies) -> None:
    beginning = begin(ID, before, T0, owned=True)
    state, ticket = beginning.state, beginning.ticket
    for now in range(T0, T0 + 5000, 50):
        policies = before if now < T0 + 2000 else after
        verdict = judge(ticket, state, policies, now)
        assert verdict, verdict.reason
        for write in bookkeeping(verdict, now):
            assert state.activity is not None
            assert all(getattr(state.activity, name) == value for name, value in write.expected.items())
            state = replace(state, activity=replace(state.activity, **write.values))
            ticket = write.candidate or ticket
    assert state.activity is not None
    used_at = state.activity.active_at
    assert used_at is not None
    assert state.activity.expires_at == deadline(after, state.created, used_at)


# --- clocks that step back


@pytest.mark.parametrize("step", [1, 60, 600, CLOCK_STEP])
def test_a_clock_that_steps_back_logs_nobody_out(step: int) -> None:
    state = row(expires_at=T0 + 600, tries=1, tried_at=T0)
    for ticket in (CURRENT, PREVIOUS, replace(CURRENT, generation=6, attempt=1)):
        assert judge(ticket, state, Policies(IDLE, AbsoluteTimeout(10_000), RENEWAL), T0 - step)
    new = begin(ID, ALL, T0)
    assert judge(new.ticket, new.state, ALL, T0 - step)
    assert standing(OLD_EPOCH, replace(ROW, rotated_at=T0), now=T0 - step) is Standing.SUPERSEDED


def test_a_clock_that_stepped_back_sends_no_second_candidate() -> None:
    state = quiet(renewed_at=T0 - 5000, tries=1, tried_at=T0)
    assert duties(CURRENT, state, RENEWING, T0 - 600) == ()


@pytest.mark.parametrize("ahead", [61, CLOCK_STEP])
def test_activity_recorded_by_a_clock_that_was_ahead_is_written_anew(ahead: int) -> None:
    state = row(active_at=T0 + ahead, expires_at=T0 + ahead + 600)
    (write,) = bookkeeping(judge(CURRENT, state, Policies(IDLE), T0), T0)
    assert write.values == {"active_at": T0, "expires_at": T0 + 600}


def test_clocks_that_differ_by_less_than_the_grace_do_not_quarrel_about_activity() -> None:
    assert judge(CURRENT, row(active_at=T0 + 60, expires_at=T0 + 660), Policies(IDLE), T0).duties == ()


HOUR, YEAR = 3600, 365 * 24 * 3600


@pytest.mark.parametrize(("ahead", "lives"), [(HOUR, True), (HOUR + 1, False), (YEAR, False)])
def test_an_hour_and_no_more_is_taken_for_a_clock_that_was_ahead(ahead: int, lives: bool) -> None:
    # In plain numbers: by a longer step a session of a clock that was a year fast would live that year, too.
    state = replace(ROW, created=T0 + ahead)
    assert (standing(CURRENT, state, Policies(None, ABSOLUTE), T0) is Standing.CURRENT) is lives


@pytest.mark.parametrize(
    ("now", "verdict"), [(T0 + 599, Standing.CURRENT), (T0 + 600, Standing.EXPIRED_DEADLINE)]
)
def test_a_session_has_ended_in_the_very_second_of_its_deadline(now: int, verdict: Standing) -> None:
    state = row(active_at=T0, expires_at=T0 + 600)
    assert standing(CURRENT, state, Policies(IdleTimeout(86_400)), now) is verdict


def test_nothing_lives_for_ever_by_a_clock_that_was_far_ahead() -> None:
    later = T0 + CLOCK_STEP + 1
    state = replace(row(active_at=later, expires_at=later + 600, renewed_at=later), created=T0)
    assert standing(CURRENT, state, Policies(IDLE), T0) is Standing.EXPIRED_IDLE
    assert (
        standing(CURRENT, replace(ROW, created=later), Policies(None, ABSOLUTE), T0)
        is Standing.EXPIRED_ABSOLUTE
    )
    assert Duty.RENEW in duties(CURRENT, state, RENEWING, T0)
    assert standing(PREVIOUS, state, RENEWING, T0) is Standing.REPLAYED
    assert standing(OLD_EPOCH, replace(ROW, rotated_at=later), RENEWING, T0) is Standing.REPLAYED


# --- rows that cannot be read


@pytest.mark.parametrize("ticket", [CURRENT, PREVIOUS, OLD_EPOCH, replace(CURRENT, epoch=99)])
def test_a_row_that_cannot_be_read_opens_nothing_and_is_left_alone(ticket: Ticket) -> None:
    state = SessionState(0, is_readable=False)
    verdict = judge(ticket, state, ALL, T0)
    assert verdict.standing is Standing.UNREADABLE
    assert not verdict
    assert not verdict.duties
    assert verdict.instead is NewSession.ANY
    assert judge(replace(ticket, owned=False, seed=bytes(16)), state, ALL, T0).instead is NewSession.ANY
    assert judge(replace(ticket, owned=True, seed=bytes(16)), state, ALL, T0).instead is NewSession.LOGIN
    assert standing(ticket, state, replace(ALL, not_before=T0 + 1), T0) is Standing.REFUSED


# --- what survived when the rules were changed by a machine, `hatch run mutants:core`


def test_a_row_that_has_counted_no_try_has_all_of_them_left() -> None:
    state = quiet(tries=None, renewed_at=T0 - 5000)
    policies = Policies(renewal=replace(RENEWAL, max_tries=1))
    assert standing(CURRENT, state, policies) is Standing.CURRENT
    assert standing(CURRENT, quiet(tries=1, renewed_at=T0 - 5000), policies) is Standing.UNACKNOWLEDGED


def test_without_the_time_of_a_renewal_the_previous_ticket_has_its_grace_from_the_rotation_on() -> None:
    state = replace(row(renewed_at=None), rotated_at=T0)
    assert standing(PREVIOUS, state, now=T0 + G) is Standing.IN_FLIGHT
    assert standing(PREVIOUS, state, now=T0 + G + 1) is Standing.REPLAYED


@pytest.mark.parametrize("policies", [Policies(IDLE), Policies(None, ABSOLUTE), RENEWING])
def test_any_timeout_is_reason_enough_to_begin_a_record(policies: Policies) -> None:
    state = replace(ROW, activity=None, rotated_at=T0)
    ticket = replace(CURRENT, generation=0, attempt=0)
    assert duties(ticket, state, policies, T0) == (Duty.RECORD,)
    assert duties(ticket, state, NONE, T0) == ()


def test_an_acknowledgement_takes_an_attempt_that_was_never_counted_for_the_first() -> None:
    verdict = judge(replace(CURRENT, generation=6, attempt=1), row(attempt=None), RENEWING, T0)
    (write,) = (write for write in bookkeeping(verdict, T0) if write.duty is Duty.ACKNOWLEDGE)
    assert write.values["previous_attempt"] == 0


def test_a_new_session_is_whose_it_is_told_and_keeps_its_own_settings() -> None:
    overrides = Overrides(idle_timeout=60)
    state = begin(ID, ALL, T0, owned=True, overrides=overrides).state
    assert (state.owned, state.overrides) == (True, overrides)


def test_a_deadline_by_other_timeouts_is_written_anew_when_a_minute_has_passed_since_the_last_use() -> None:
    state = replace(row(active_at=None, expires_at=T0 + 5000), rotated_at=T0)
    policies = Policies(None, ABSOLUTE)
    assert [Duty.TOUCH in duties(CURRENT, state, policies, T0 + age) for age in (59, 60)] == [False, True]


# --- the diagram

STAGES: dict[tuple[Standing, str], tuple[Ticket, SessionState, Policies, int]] = {
    (Standing.CURRENT, "a candidate is acknowledged"): (
        CURRENT,
        row(generation=6, attempt=1, previous_attempt=7),
        RENEWING,
        T0,
    ),
    (Standing.ACKNOWLEDGEMENT, "another attempt is acknowledged"): (
        replace(CURRENT, generation=6, attempt=1),
        row(generation=6, attempt=2, previous_attempt=7),
        RENEWING,
        T0,
    ),
    (Standing.IN_FLIGHT, "G passes"): (PREVIOUS, ROW, RENEWING, T0 + G + 1),
    (Standing.SUPERSEDED, "2 G pass"): (OLD_EPOCH, replace(ROW, rotated_at=T0), RENEWING, T0 + 2 * G + 1),
    (Standing.STALE_READ, "the row is read again"): (CURRENT, ROW, RENEWING, T0),
    (Standing.UNREADABLE, "its key comes back"): (CURRENT, ROW, RENEWING, T0),
    (Standing.CURRENT, "max_tries candidates are lost"): (
        CURRENT,
        row(tries=16, tried_at=DUE),
        RENEWING,
        DUE + 121,
    ),
}
OPEN = {
    Standing.CURRENT: CURRENT,
    Standing.ACKNOWLEDGEMENT: replace(CURRENT, generation=6, attempt=1),
    Standing.IN_FLIGHT: PREVIOUS,
}
BEFALLS: dict[str, tuple[SessionState | None, Policies, int]] = {
    "identity rotated": (replace(ROW, epoch=4, rotated_at=T0), RENEWING, T0),
    "not_before is set": (ROW, replace(RENEWING, not_before=T0 + 1), T0),
    "idle timeout passes": (ROW, ALL, T0 + 600),
    "absolute timeout passes": (ROW, Policies(None, AbsoluteTimeout(1000)), T0),
    "stored deadline passes": (row(expires_at=T0), RENEWING, T0),
    "session ends": (None, RENEWING, T0),
    "its key is taken away": (replace(ROW, is_readable=False), RENEWING, T0),
    "a visitor logs in": (replace(ROW, epoch=4, rotated_at=T0), RENEWING, T0),
    "a rotation is forgotten": (ROW, RENEWING, T0),
    "its user is deleted": (replace(ROW, owned=False, is_ownerless=True), RENEWING, T0),
}
BEFALLS_VISITORS = ("a visitor logs in", "a rotation is forgotten")


@pytest.mark.parametrize(
    "transition", transitions(), ids=lambda each: f"{each.source.name}, {each.event}: {each.target.name}"
)
def test_every_arrow_of_the_diagram_is_what_the_rules_do(transition) -> None:  # type: ignore[no-untyped-def]
    source, event, target = transition.source, transition.event, transition.target
    if (source, event) in STAGES:
        assert standing(*STAGES[source, event]) is target
    elif event in BEFALLS:
        state, policies, now = BEFALLS[event]
        ticket, before = OPEN[source], ROW
        if event in BEFALLS_VISITORS:
            ticket, before = replace(ticket, owned=False, seed=bytes(16)), replace(ROW, owned=False)
        elif event == "its user is deleted":
            ticket = replace(ticket, owned=True, seed=bytes(16))
        assert standing(ticket, before, RENEWING, T0) is source
        assert standing(ticket, state, policies, now) is target
    else:
        # A duty: what its write leaves behind.
        assert CONSEQUENCES[source].duty == event
        if event in {Duty.REMOVE, Duty.REVOKE}:
            assert standing(CURRENT, None) is target
        else:
            ticket = OPEN[source]
            (write,) = bookkeeping(judge(ticket, ROW, RENEWING, T0), T0)
            assert standing(ticket, row(**write.values)) is target
