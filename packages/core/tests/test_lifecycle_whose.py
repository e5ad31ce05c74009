"""Whose a ticket's epoch was: what a superseded ticket proves, and what it does not."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from websession_core.lifecycle import (
    Duty,
    NewSession,
    Standing,
    begin,
    bookkeeping,
    judge,
    ranked,
    reissue,
    rotate,
    unstored_ticket,
)
from websession_core.policies import Policies, Renewal
from websession_core.state import Activity, SessionState, Ticket

ID = uuid.UUID(int=7 << 96)
G = 60
T0 = 1_000_000
LONG_AFTER = T0 + 2 * G + 1
SEED, OTHER_SEED = bytes(range(16)), bytes(16)
POLICIES = Policies(renewal=Renewal(1200, grace=G))

VISITORS = Ticket(ID, epoch=1, issued_at=T0, owned=False, seed=SEED)
USERS = replace(VISITORS, owned=True)
OLD = Ticket(ID, epoch=1, issued_at=T0)
ROW = SessionState(T0 - 10, epoch=2, rotated_at=T0, owned=True, activity=Activity(generation=0, attempt=0))


def standing(ticket: Ticket, state: SessionState | None = ROW, now: int = T0) -> Standing:
    return judge(ticket, state, POLICIES, now).standing


@pytest.mark.parametrize("now", [T0, T0 + 2 * G, LONG_AFTER, T0 + 10**6])
def test_a_superseded_ticket_of_an_anonymous_epoch_accuses_nobody_and_bars_nothing(now: int) -> None:
    verdict = judge(VISITORS, ROW, POLICIES, now)
    assert verdict.standing is Standing.OUTLIVED
    assert not verdict
    assert verdict.duties == ()
    assert verdict.instead is NewSession.ANY


def test_an_anonymous_session_that_was_rotated_raises_no_alarm_either() -> None:
    assert standing(VISITORS, replace(ROW, owned=False), LONG_AFTER) is Standing.OUTLIVED


def test_a_superseded_ticket_of_a_login_is_evidence_of_a_theft() -> None:
    assert standing(USERS, now=T0 + 2 * G) is Standing.SUPERSEDED
    verdict = judge(USERS, ROW, POLICIES, LONG_AFTER)
    assert verdict.standing is Standing.REPLAYED
    assert verdict.duties == (Duty.REVOKE,)


@pytest.mark.parametrize("owned", [None, True])
def test_the_first_epoch_accuses_nobody_where_the_ticket_does_not_say_whose_it_was(
    owned: bool | None,
) -> None:
    # A ticket of version 1, and any ticket of a model without users.
    for ticket in (replace(OLD, epoch=0), Ticket(ID, seed=SEED, issued_at=T0)):
        state = replace(ROW, owned=owned)
        assert standing(ticket, state, T0 + 2 * G) is Standing.SUPERSEDED
        assert standing(ticket, state, LONG_AFTER) is Standing.OUTLIVED
        assert standing(ticket, replace(state, rotated_at=None)) is Standing.OUTLIVED


def test_a_later_epoch_is_judged_as_0_2_0_did_where_the_ticket_does_not_say_whose_it_was() -> None:
    for ticket in (OLD, replace(OLD, seed=SEED)):
        assert standing(ticket, now=T0 + 2 * G) is Standing.SUPERSEDED
        assert standing(ticket, now=LONG_AFTER) is Standing.REPLAYED


@pytest.mark.parametrize(("ticket", "owned"), [(VISITORS, True), (USERS, False)])
def test_a_ticket_of_a_rotation_that_the_database_has_forgotten_opens_nothing(
    ticket: Ticket, *, owned: bool
) -> None:
    # By its generation it would acknowledge a renewal.
    verdict = judge(replace(ticket, epoch=2, generation=99), replace(ROW, owned=owned), POLICIES, T0)
    assert verdict.standing is Standing.MISMATCHED
    assert verdict.instead is NewSession.LOGIN
    assert verdict.duties == ()


def test_a_login_whose_user_is_gone_opens_nothing_and_its_row_is_removed() -> None:
    state = replace(ROW, owned=False, is_ownerless=True)
    verdict = judge(replace(USERS, epoch=2), state, POLICIES, T0)
    assert verdict.standing is Standing.OWNERLESS
    assert verdict.instead is NewSession.ANY
    assert verdict.duties == (Duty.REMOVE,)
    # Workers of 0.2.0 leave the time of the login where they log out.
    for ticket in (VISITORS, OLD):
        assert judge(replace(ticket, epoch=2), state, POLICIES, T0)


def test_what_does_not_say_whose_it_is_matches_everything() -> None:
    for owned in (True, False, None):
        assert judge(replace(OLD, epoch=2), replace(ROW, owned=owned), POLICIES, T0)
    assert judge(replace(USERS, epoch=2), replace(ROW, owned=None), POLICIES, T0)


def test_a_ticket_that_names_no_row_opens_nothing_and_bars_nothing() -> None:
    ticket = unstored_ticket(ID, replace(POLICIES, cookie_version=9), T0, SEED)
    assert (ticket.owned, ticket.stored, ticket.seed, ticket.cookie_version) == (False, False, SEED, 9)
    for state in (None, ROW):
        verdict = judge(ticket, state, POLICIES, T0)
        assert verdict.standing is Standing.UNSTORED
        assert verdict.instead is NewSession.ANY
        assert bookkeeping(verdict, T0) == ()


def test_a_new_session_and_a_rotation_say_whose_they_are() -> None:
    beginning = begin(ID, POLICIES, T0, owned=False, seed=SEED)
    assert (beginning.ticket.owned, beginning.ticket.seed) == (False, SEED)
    rotation = rotate(beginning.ticket, beginning.state, POLICIES, T0, 5, owned=True, seed=OTHER_SEED)
    assert (rotation.ticket.owned, rotation.ticket.seed) == (True, OTHER_SEED)


def test_without_a_seed_they_are_of_version_1() -> None:
    beginning = begin(ID, POLICIES, T0, owned=True)
    rotation = rotate(beginning.ticket, beginning.state, POLICIES, T0, 5, owned=True)
    for ticket in (beginning.ticket, rotation.ticket):
        assert (ticket.owned, ticket.seed) == (None, None)


def test_a_session_can_begin_with_a_change_of_identity() -> None:
    beginning = begin(ID, POLICIES, T0, epoch=1, seed=SEED)
    assert beginning.state.epoch == beginning.ticket.epoch == 1
    assert judge(beginning.ticket, beginning.state, POLICIES, T0)


RENEWED = replace(ROW, activity=Activity(generation=0, attempt=0, renewed_at=T0, tries=0))
DUE = T0 + 1200


def test_a_candidate_and_a_ticket_that_is_sent_again_keep_seed_and_owner() -> None:
    ticket = replace(USERS, epoch=2)
    (renewal,) = bookkeeping(judge(ticket, RENEWED, POLICIES, DUE), DUE, seed=OTHER_SEED)
    assert renewal.candidate is not None
    assert (renewal.candidate.seed, renewal.candidate.owned) == (SEED, True)
    changed = Policies(cookie_version=3)
    again = reissue(judge(ticket, ROW, changed, T0), T0, seed=OTHER_SEED)
    assert again is not None
    assert (again.seed, again.owned, again.cookie_version) == (SEED, True, 3)


def test_a_ticket_of_version_1_gets_a_seed_when_it_is_sent_again() -> None:
    ticket = replace(OLD, epoch=2)
    verdict = judge(ticket, RENEWED, POLICIES, DUE)
    (renewal,) = bookkeeping(verdict, DUE, seed=SEED)
    assert renewal.candidate is not None
    assert (renewal.candidate.seed, renewal.candidate.owned) == (SEED, True)
    again = reissue(judge(ticket, replace(ROW, owned=False), Policies(cookie_version=3), T0), T0, seed=SEED)
    assert again is not None
    assert (again.seed, again.owned) == (SEED, False)


def test_a_ticket_of_version_1_stays_one_while_old_workers_have_to_read_it() -> None:
    (renewal,) = bookkeeping(judge(replace(OLD, epoch=2), RENEWED, POLICIES, DUE), DUE)
    assert renewal.candidate is not None
    assert renewal.candidate.seed is None


def test_the_tickets_of_several_cookies_are_ranked_one_of_each_session() -> None:
    other = replace(USERS, session_id=uuid.UUID(int=9), issued_at=T0 + 5)
    newer = replace(USERS, epoch=2)
    assert ranked([USERS, newer, other]) == (other, newer)
    assert ranked([]) == ()
