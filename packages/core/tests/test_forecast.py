"""What a forecast says is what the rules come to."""

from __future__ import annotations

import uuid

from websession_core import (
    AbsoluteTimeout,
    Activity,
    IdleTimeout,
    Overrides,
    Policies,
    Renewal,
    SessionState,
    Ticket,
    forecast,
    judge,
)

SESSION = uuid.UUID(int=1)


def test_the_forecast_names_each_end_and_the_first_of_them():
    policies = Policies(idle=IdleTimeout(100), absolute=AbsoluteTimeout(1000), renewal=Renewal(300))
    state = SessionState(
        created=5000,
        owned=True,
        activity=Activity(active_at=5500, expires_at=5590, generation=1, attempt=1, renewed_at=5400),
    )
    ahead = forecast(state, policies)
    assert (ahead.idle_end, ahead.absolute_end, ahead.stored_end) == (5600, 6000, 5590)
    assert ahead.renewal_due == 5700
    assert ahead.end == 5590


def test_the_end_in_the_forecast_is_the_first_second_at_which_the_session_does_not_open():
    policies = Policies(idle=IdleTimeout(100), absolute=AbsoluteTimeout(120))
    state = SessionState(created=1000, activity=Activity(active_at=1010))
    end = forecast(state, policies).end
    assert end == 1110
    ticket = Ticket(SESSION, issued_at=1000)
    assert judge(ticket, state, policies, end - 1)
    assert not judge(ticket, state, policies, end)


def test_the_forecast_follows_the_sessions_own_overrides():
    policies = Policies(idle=IdleTimeout(100), absolute=AbsoluteTimeout(1000), renewal=Renewal(300))
    state = SessionState(created=1000, owned=False, overrides=Overrides(idle_timeout=0, absolute_timeout=0))
    ahead = forecast(state, policies)
    assert (ahead.idle_end, ahead.absolute_end, ahead.stored_end, ahead.renewal_due) == (None,) * 4
    assert ahead.end is None
