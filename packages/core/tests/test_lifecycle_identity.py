"""Logins, forms and visitors: nobody is logged out, shown another's data, or left with a dead form.

Every run is fixed by its seed. The long ones print the figures that the documentation names::

    pytest packages/core/tests/test_lifecycle_identity.py -n 0 -m slow -rP

Each amendment is switched off once, which shows what it prevents.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from websession_core.lifecycle import Standing

from .browsers import Browser, Journey
from .identity import OF_0_2_0, Act, IdentityWorld, Person, Protocol, report, run, totals
from .traffic import GRACE

TODAY = Protocol()
QUICK = Journey(0.1, 0.1, 0.1)


def bad_of(protocol: Protocol, seeds: range = range(3), acts: int = 4_000) -> dict[str, int]:
    return dict(totals([run(seed, acts, protocol) for seed in seeds])["bad"])


def assert_nothing_happened(seeds: range, acts: int) -> None:
    worlds = [run(seed, acts, TODAY) for seed in seeds]
    happened = totals(worlds)
    assert happened["bad"] == {}
    for what in ("forms opened and sent", "busy logins", "logins looked at", "planted", "thefts"):
        assert happened["good"][what], what
    assert happened["good"]["planted beneath a login"]
    standings = {standing for world in worlds for standing in world.standings}
    assert {Standing.OUTLIVED, Standing.UNSTORED, Standing.SUPERSEDED, Standing.REPLAYED} <= standings
    assert any(world.stolen & world.revoked for world in worlds)


def test_nothing_bad_happens_in_15_000_steps() -> None:
    assert_nothing_happened(range(4), 5_000)


WITHOUT = [
    ({"names": 1}, "login overwritten"),
    ({"whose": False}, "false alarm"),
    ({"switch_ends": False}, "leak"),
    ({"none_ends": False}, "leak"),
    ({"seeds": False, "unstored": None}, "dead form"),
    ({"unstored": None}, "a form stores a row"),
    ({"bars": False}, "types into a visitor's session"),
    ({"acts_on_replays": False}, "types into a visitor's session"),
    ({"either_token": False}, "dead form"),
    ({"deletes": False}, "a logout leaves the visitor's session"),
]
"""What is switched off, and what happens then; `compares` has a schedule of its own."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "protocol",
    [TODAY, OF_0_2_0, *(replace(TODAY, **change) for change, _ in WITHOUT), replace(TODAY, unstored="same")],
    ids=repr,
)
def test_what_happens_in_100_000_steps(protocol: Protocol) -> None:
    worlds = [run(seed, 10_000, protocol) for seed in range(14)]
    print(report(worlds, 10_000))  # noqa: T201 - see above
    assert bool(totals(worlds)["bad"]) is (protocol != TODAY)


@pytest.mark.parametrize(
    ("change", "what"), WITHOUT, ids=lambda value: ", ".join(value) if isinstance(value, dict) else ""
)
def test_without_this_amendment_something_happens(change: dict[str, object], what: str) -> None:
    protocol = replace(TODAY, **change)
    assert any(what in event for seed in range(20) for event in bad_of(protocol, range(seed, seed + 1)))


def test_0_2_0_has_all_of_it() -> None:
    events = " ".join(bad_of(OF_0_2_0))
    for what in ("login overwritten", "false alarm", "leak", "dead form"):
        assert what in events


# --- schedules by name


def log_in(world: IdentityWorld, person: Person, who: str) -> None:
    world.visit(person, Act.FORM, QUICK)
    world.settle()
    request = world.visit(person, Act.LOGIN, QUICK, user=who, form=person.form)
    world.settle()
    assert request.result == "ok"


def user_of(world: IdentityWorld, person: Person) -> str | None:
    verdict = world.opened_by(person.jar)
    return world.info[person.jar.session_id].user if verdict and person.jar else None


def test_a_slow_write_of_the_user_before_does_not_overwrite_a_switch() -> None:
    world, person = IdentityWorld(TODAY), Person("user")
    log_in(world, person, "ada")
    world.visit(person, Act.FORM, QUICK)
    world.settle()
    world.visit(person, Act.WRITE, Journey(up=3, service=0.1, down=3))
    world.advance(0.1)
    world.visit(person, Act.LOGIN, QUICK, user="bob", form=person.form)
    world.settle()
    assert user_of(world, person) == "bob"


def test_a_slow_write_of_before_a_logout_does_not_overwrite_the_next_login() -> None:
    world, person = IdentityWorld(TODAY), Person("user")
    log_in(world, person, "ada")
    world.visit(person, Act.WRITE, Journey(up=4, service=0.1, down=3.5))
    world.advance(0.1)
    world.visit(person, Act.LOGOUT, QUICK)
    world.advance(0.5)
    world.visit(person, Act.FORM, QUICK)
    world.advance(0.5)
    world.visit(person, Act.LOGIN, QUICK, user="ada", form=person.form)
    world.settle()
    assert user_of(world, person) == "ada"


@pytest.mark.parametrize("leaves_by", [Act.FORGET, None])
def test_a_planter_of_his_own_login_cannot_have_the_victim_thrown_out(leaves_by: Act | None) -> None:
    world, mallory, person = IdentityWorld(TODAY), Person("mallory"), Person("user")
    log_in(world, mallory, "mallory")
    his = mallory.jar
    if leaves_by is not None:
        world.visit(mallory, leaves_by, QUICK)
        world.settle()
    person.jar, person.visitor = mallory.jar, mallory.visitor
    log_in(world, person, "ada")
    world.advance(2 * GRACE + 5)
    world.visit(Browser("planter", honest=False), Act.PAGE, QUICK, ticket=his)
    world.settle()
    assert user_of(world, person) == "ada"
    assert not world.bad


def test_the_first_write_of_a_visitor_does_not_overwrite_the_login() -> None:
    world, person = IdentityWorld(TODAY), Person("user")
    world.visit(person, Act.FORM, QUICK)
    world.settle()
    world.visit(person, Act.WRITE, Journey(up=1, service=0.1, down=3))
    world.visit(person, Act.LOGIN, QUICK, user="ada", form=person.form)
    world.settle()
    assert user_of(world, person) == "ada"
    world.visit(person, Act.PAGE, QUICK)
    world.settle()
    assert user_of(world, person) == "ada"


@pytest.mark.parametrize("seconds", [1, 15, 19, 23, 60])
def test_a_login_whose_answer_was_lost_is_repeated_from_the_form_opened_again(seconds: int) -> None:
    world, person = IdentityWorld(TODAY), Person("user")
    for action in (Act.FORM, Act.WRITE, Act.FORM):
        world.visit(person, action, QUICK)
        world.settle()
    world.visit(person, Act.LOGIN, Journey(unanswered=True), user="ada", form=person.form)
    world.settle()
    world.advance(seconds)
    log_in(world, person, "ada")
    assert user_of(world, person) == "ada"
    assert not world.revoked
    # Both rows stay: had both answers come, in any order, the browser's last cookie would be good.
    assert [info.user for info in world.info.values() if info.user is not None] == ["ada", "ada"]


@pytest.mark.parametrize(("compares", "opens"), [(True, False), (False, True)])
def test_a_rotation_that_a_fail_over_has_forgotten_opens_nothing(*, compares: bool, opens: bool) -> None:
    world, mallory, person = (
        IdentityWorld(replace(TODAY, compares=compares)),
        Person("mallory"),
        Person("user"),
    )
    world.visit(mallory, Act.WRITE, QUICK)
    world.settle()
    person.visitor = mallory.visitor
    session_id = person.visitor.session_id
    before = world.store.read(session_id)
    world.visit(mallory, Act.REGENERATE, QUICK)
    world.settle()
    world.store.put(session_id, before, world.clock)  # the fail-over
    log_in(world, person, "ada")
    assert person.jar.session_id == session_id
    verdict = world.opened_by(mallory.visitor)
    assert bool(verdict) is opens
    assert (verdict.standing is Standing.MISMATCHED) is compares


@pytest.mark.parametrize("late", [False, True])
def test_both_answers_of_a_double_click_are_good(*, late: bool) -> None:
    world, person = IdentityWorld(TODAY), Person("user")
    log_in(world, person, "ada")
    world.visit(person, Act.FORM, QUICK)
    world.settle()
    first = world.visit(
        person, Act.LOGIN, Journey(0.1, 0.1, 3 if late else 0.1), user="bob", form=person.form
    )
    world.advance(0.05)
    second = world.visit(person, Act.LOGIN, QUICK, user="bob", form=person.form)
    world.settle()
    assert (first.result, second.result) == ("ok", "ok")
    assert user_of(world, person) == "bob"


@pytest.mark.parametrize("expired", [False, True])
def test_a_form_stays_good_when_another_tab_begins_the_session(*, expired: bool) -> None:
    world, person = IdentityWorld(TODAY), Person("user")
    if expired:
        log_in(world, person, "ada")
        world.advance(1_100)
    for action in (Act.FORM, Act.WRITE):
        world.visit(person, action, QUICK)
        world.settle()
    request = world.visit(person, Act.LOGIN, QUICK, user="ada", form=person.form)
    world.settle()
    assert request.result == "ok"


def test_a_visitors_cookie_that_was_planted_beneath_a_login_tells_its_planter_nothing() -> None:
    world, mallory, person = IdentityWorld(TODAY), Person("mallory"), Person("user")
    log_in(world, person, "ada")
    world.visit(mallory, Act.WRITE, QUICK)
    world.settle()
    person.visitor = mallory.visitor
    request = world.visit(person, Act.WRITE, QUICK)
    world.settle()
    assert request.verdict.ticket == person.jar
    assert world.token(person.jar) != world.token(mallory.visitor)


def test_logout_ends_the_visitors_session_that_waits_beneath_a_login() -> None:
    world, person = IdentityWorld(TODAY), Person("user")
    log_in(world, person, "ada")
    tab = Person("tab")
    world.visit(tab, Act.WRITE, QUICK)
    world.settle()
    person.visitor = tab.visitor
    world.visit(person, Act.LOGOUT, QUICK)
    world.settle()
    assert (person.jar, person.visitor) == (None, None)
    assert not world.store.rows


def test_a_dead_login_ticket_planted_beside_a_visitor_takes_nothing_from_her() -> None:
    world, mallory, person = IdentityWorld(TODAY), Person("mallory"), Person("user")
    log_in(world, mallory, "mallory")
    person.jar = mallory.jar
    world.visit(mallory, Act.LOGOUT, QUICK)
    world.settle()
    world.visit(person, Act.WRITE, QUICK)
    world.settle()
    shown = world.visit(person, Act.PAGE, QUICK)
    world.settle()
    assert shown.verdict
    assert shown.verdict.ticket == person.visitor
    log_in(world, person, "ada")
    assert user_of(world, person) == "ada"


# --- what cannot be told from a theft: the server sees the same


@pytest.mark.parametrize("action", [Act.REGENERATE, Act.LOGIN])
def test_a_rotation_whose_answer_was_lost_looks_like_one_by_a_thief(action: Act) -> None:
    seen = []
    for is_theft in (False, True):
        world, person = IdentityWorld(TODAY), Person("user")
        log_in(world, person, "ada")
        who = Browser("thief", honest=False) if is_theft else person
        lost = Journey(0.1, 0.1, 0.1, unanswered=not is_theft)
        world.visit(who, action, lost, ticket=person.jar, user="ada", form=world.token(person.jar))
        world.settle()
        world.advance(2 * GRACE + 5)
        shown = world.visit(person, Act.PAGE, QUICK)
        world.settle()
        seen.append((shown.verdict.ticket, shown.verdict.state, shown.verdict.standing))
    assert seen[0] == seen[1]
    assert seen[0][2] is Standing.REPLAYED


def test_a_renewed_cookie_that_overwrites_the_next_logins_looks_like_a_thiefs() -> None:
    seen = []
    for is_theft in (False, True):
        world, person = IdentityWorld(TODAY), Person("user")
        log_in(world, person, "ada")
        world.visit(person, Act.PAGE, QUICK)
        world.settle()
        world.advance(3 * GRACE)
        who = Person("thief", person.jar) if is_theft else person
        world.visit(who, Act.PAGE, Journey(0.1, 0.1, 3))
        world.advance(1)
        world.visit(person, Act.LOGIN, QUICK, user="ada", form=world.token(person.jar))
        world.settle()
        world.advance(2 * GRACE + 5)
        shown = world.visit(who, Act.PAGE, QUICK)
        world.settle()
        seen.append((shown.verdict.ticket, shown.verdict.state, shown.verdict.standing))
    assert seen[0] == seen[1]
    assert seen[0][2] is Standing.REPLAYED


def test_the_model_notices_a_login_that_another_sessions_cookie_overwrites() -> None:
    world, person = IdentityWorld(replace(TODAY, names=1)), Person("user")
    world.visit(person, Act.FORM, QUICK)
    world.settle()
    world.visit(person, Act.WRITE, Journey(up=1, service=0.1, down=3))
    world.visit(person, Act.LOGIN, QUICK, user="ada", form=person.form)
    world.settle()
    assert any("login overwritten" in event for event in world.bad)
