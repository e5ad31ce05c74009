"""What 0.2.0 has stored goes on: an upgrade logs nobody out, loses nothing, and migrates no table.

`dumps/` has its tables, cookies, tokens of open forms, keys and time for each engine, and what 0.2.0 itself
showed for each cookie; `make_witness.py` has made them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import witness_app
from click.testing import CliRunner
from websession_models import check_schema
from websession_pyramid.command import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from witness import Witness

DUE = (
    "logged in, under the older keys",
    "logged in, under older settings",
    "logged in, before an open form",
    "remembered",
)
"""Whose cookie has to be renewed now."""

DEAD = {"the cookie from before a login", "expired, unused", "expired, old", "logged out", "visit, ended"}
"""What opens nothing any more."""

EXPIRED = ("expired, unused", "expired, old")
TABLES = ("session", "visit", "staff_session")
GRACE = 60


@pytest.fixture
def command(witness: Witness, tmp_path: Path) -> Callable[..., Any]:
    """Run `pyramid-sessions` on the witness and return the JSON that it prints."""
    settings = {"use": "call:witness_app:main", **witness.settings}
    lines = [f"{name} = {value.replace('%', '%%')}" for name, value in settings.items()]
    ini = tmp_path / "witness.ini"
    ini.write_text("\n".join(["[app:main]", *lines, ""]))

    def run(name: str, *options: str) -> Any:
        result = CliRunner().invoke(main, [name, str(ini), *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if "--json" in options else result.stdout

    return run


def all_rows(witness: Witness) -> dict[str, dict[str, Any]]:
    return {table: witness.rows(table) for table in TABLES}


# --- opened -----------------------------------------------------------------------------------------------


def test_the_tables_need_no_migration(witness: Witness) -> None:
    problems = [check_schema(witness.engine, model) for model in witness_app.MODELS.values()]
    assert problems == [(), (), ()]


def test_each_cookie_shows_what_0_2_0_showed(witness: Witness) -> None:
    shown = {name: witness.browser(name).get(witness.path(name, "look")) for name in witness.sessions}
    assert shown == {name: session["shows"] for name, session in witness.sessions.items()}
    assert set(shown) - set(witness.living) == DEAD


def test_to_be_looked_at_changes_nothing_that_the_application_has_stored(witness: Witness) -> None:
    before = all_rows(witness)
    for name in witness.living:
        witness.browser(name).get(witness.path(name, "look"))
    assert all_rows(witness) == before


def test_forms_that_are_open_can_be_sent(witness: Witness) -> None:
    forms = [name for name, session in witness.sessions.items() if "token" in session]
    assert len(forms) == 4
    for name in forms:
        browser, buy, token = (
            witness.browser(name),
            witness.path(name, "buy"),
            witness.sessions[name]["token"],
        )
        assert browser.send(buy, "pears", token=token.swapcase(), method="POST").status == 400
        browser.post(buy, "plums", token=token)
        assert browser.get(witness.path(name, "look"))["data"]["cart"][-1] == "plums"


# --- changed ----------------------------------------------------------------------------------------------


def test_what_is_changed_is_read_again_beside_what_was_there(witness: Witness) -> None:
    for name in witness.living:
        browser = witness.browser(name)
        before = browser.get(witness.path(name, "look"))
        data = {"by": name}
        for key, value in before["data"].items():
            # Whatever could be stored can be stored again.
            data |= {key: [key], f"{key} moved": value}
        browser.post(witness.path(name, "put"), data)
        browser.post(witness.path(name, "flash"), ["errors", {"by": name}])
        after = browser.get(witness.path(name, "look"))
        flash = {**before["flash"], "errors": [*before["flash"]["errors"], {"by": name}]}
        assert after == {**before, "data": data, "flash": flash}


def test_messages_are_taken_once(witness: Witness) -> None:
    name = "anonymous, with a cart and messages"
    browser = witness.browser(name)
    shown = witness.sessions[name]["shows"]
    for queue, messages in shown["flash"].items():
        assert browser.post("/session/pop_flash", queue) == messages
    emptied = {queue: [] for queue in shown["flash"]}
    assert browser.get("/session/look") == {**shown, "flash": emptied}


# --- renewed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DUE)
def test_a_cookie_that_is_due_is_renewed_and_the_one_before_dies(
    witness: Witness, name: str, name_sent: str
) -> None:
    browser, copy = witness.browser(name), witness.browser(name)
    shown = witness.sessions[name]["shows"]

    answer = browser.send("/session/look")
    *deleted, renewed = answer.cookies
    assert renewed.startswith(f"{name_sent}=")
    assert [header.startswith("session=; Max-Age=0;") for header in deleted] == (
        [] if name_sent == "session" else [True]
    )
    assert (f"Max-Age={30 * 86400};" in renewed) is (name == "remembered")
    browser.receive(answer)
    assert set(browser.cookies) == {name_sent}
    assert browser.send("/session/look").cookies == []

    witness.clock.advance(GRACE)
    in_flight = copy.send("/session/look")
    assert in_flight.json["userid"] == shown["userid"]
    assert in_flight.json["data"] == shown["data"]
    assert in_flight.cookies == []
    witness.clock.advance(1)
    assert copy.get("/session/look")["userid"] is None
    assert browser.get("/session/look")["userid"] is None  # a copy was shown: the session is ended


NOT_DUE = (
    "logged in a moment ago",
    "logged in again",
    "limited, one of two",
    "limited, the other",
    "renewed, the cookie since",
    "visit, with every kind of data",
    "staff, logged in",
)


@pytest.mark.parametrize("setting", ["session.cookie_name", "session.alongside_0_2"])
def test_who_is_not_due_gets_no_other_cookie_under_the_name_that_0_2_0_gave_it(
    witness: Witness, setting: str
) -> None:
    server = witness.application(**{setting: "session" if setting.endswith("name") else "true"})
    browsers = {name: witness.browser(name, server) for name in NOT_DUE}
    sent = {name: browser.send(witness.path(name, "look")).cookies for name, browser in browsers.items()}
    assert sent == {name: [] for name in NOT_DUE}


def test_a_cookie_of_the_default_name_moves_to_the_default_name_of_now_once(
    witness: Witness, name_sent: str
) -> None:
    browsers = {name: witness.browser(name) for name in NOT_DUE}
    for name, browser in browsers.items():
        browser.get(witness.path(name, "look"))
    witness.clock.advance(2 * GRACE + 1)  # so far apart are the first use of a ticket and a renewal
    for name, browser in browsers.items():
        session = witness.sessions[name]
        assert browser.get(witness.path(name, "look"))["data"] == session["shows"]["data"]
        new = {"session": name_sent}.get(session["session"], session["session"])
        assert set(browser.cookies) == {new}, name
        assert browser.send(witness.path(name, "look")).cookies == []


def test_a_renewal_that_was_under_way_goes_through(witness: Witness) -> None:
    before, candidate = (
        witness.browser("in renewal, the cookie before"),
        witness.browser("in renewal, the candidate"),
    )
    assert candidate.get("/session/look") == witness.sessions["in renewal, the candidate"]["shows"]
    in_flight = before.send("/session/look")
    assert in_flight.json == witness.sessions["in renewal, the candidate"]["shows"]
    assert in_flight.cookies == []
    witness.clock.advance(GRACE + 1)
    assert candidate.get("/session/look")["userid"] == 5
    assert before.get("/session/look")["userid"] is None


def test_a_renewal_whose_answer_was_lost_is_tried_again(witness: Witness, name_sent: str) -> None:
    browser = witness.browser("in renewal, the cookie before")
    assert browser.send("/session/look").cookies == []
    witness.clock.advance(2 * GRACE)
    browser.get("/session/look")
    assert set(browser.cookies) == {name_sent}
    assert browser.get("/session/look")["userid"] == 5


def test_the_cookie_from_before_a_renewal_opens_for_its_grace_and_is_answered_with_none(
    witness: Witness,
) -> None:
    before, since = (
        witness.browser("renewed, the cookie before"),
        witness.browser("renewed, the cookie since"),
    )
    witness.clock.advance(GRACE - 20)
    answer = before.send("/session/look")
    assert answer.json["data"] == witness.sessions["renewed, the cookie before"]["shows"]["data"]
    assert answer.cookies == []
    assert since.get("/session/look")["userid"] == 6
    witness.clock.advance(1)
    assert before.get("/session/look")["userid"] is None


def test_the_older_keys_can_go_once_cookies_are_renewed_and_data_is_encrypted_anew(
    witness: Witness, command: Callable[..., Any]
) -> None:
    name = "logged in, under the older keys"
    browser = witness.browser(name)
    browser.get("/session/look")
    command("encrypt")
    keys = ("session.secret_key", "session.data_secret_key")
    newest = {key: witness.settings[key].split()[0] for key in keys}
    browser.server = witness.application(**newest)
    shown = browser.get("/session/look")
    assert shown["data"] == witness.sessions[name]["shows"]["data"]
    assert shown["userid"] == 11
    name = "anonymous, with every kind of data"
    shown = witness.browser(name, witness.application(**newest)).get("/session/look")
    assert shown == witness.sessions[name]["shows"]


# --- another identity -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "userid"),
    [
        ("anonymous, with a cart and messages", 20),
        ("logged in again", 3),
        ("logged in, before there were timeouts", 14),
        ("staff, anonymous", "berta"),
        ("staff, logged in", "anna"),
    ],
)
def test_a_login_keeps_the_row_and_the_data_and_no_cookie_from_before_opens_it(
    witness: Witness, name: str, userid: Any
) -> None:
    browser, copy = witness.browser(name), witness.browser(name)
    shown = witness.sessions[name]["shows"]
    browser.post(witness.path(name, "login"), {"userid": userid})
    after = browser.get(witness.path(name, "look"))
    assert (after["id"], after["data"], after["flash"]) == (shown["id"], shown["data"], shown["flash"])
    assert (after["userid"], after["epoch"]) == (userid, shown["epoch"] + 1)
    assert copy.get(witness.path(name, "look"))["id"] is None


def test_the_limit_counts_the_sessions_from_before(witness: Witness) -> None:
    first, second = witness.browser("limited, one of two"), witness.browser("limited, the other")
    third, fourth = witness.stranger(), witness.stranger()
    third.post("/session/login", {"userid": 7})
    assert [browser.get("/session/look")["userid"] for browser in (first, second, third)] == [7, 7, 7]
    fourth.post("/session/login", {"userid": 7})
    assert [browser.get("/session/look")["userid"] for browser in (first, second, third, fourth)] == [
        None,
        7,
        7,
        7,
    ]


# --- ended ------------------------------------------------------------------------------------------------


def test_a_logout_ends_each_of_them(witness: Witness) -> None:
    for name in witness.living:
        browser, copy = witness.browser(name), witness.browser(name)
        browser.post(witness.path(name, "logout"))
        assert browser.cookies == {}
        assert copy.get(witness.path(name, "look"))["id"] is None
    ended = {witness.sessions[name]["id"] for name in witness.living}
    left = [session_id for table in (*TABLES, "session_activity") for session_id in witness.rows(table)]
    assert ended.isdisjoint(left)
    assert len(left) == 2 * 3  # what no cookie of the witness opens: two expired ones, and a login


def test_purge_deletes_what_has_expired_and_nothing_else(
    witness: Witness, command: Callable[..., Any]
) -> None:
    before = all_rows(witness)
    assert command("purge", "--json")["sessions"] == 2
    expired = {witness.sessions[name]["id"] for name in EXPIRED}
    before["session"] = {key: row for key, row in before["session"].items() if key not in expired}
    assert all_rows(witness) == before
    assert expired.isdisjoint(witness.rows("session_activity"))
    for name in witness.living:
        assert witness.browser(name).get(witness.path(name, "look"))["id"] == witness.sessions[name]["id"], (
            name
        )


# --- commands ---------------------------------------------------------------------------------------------


def test_the_commands_show_them(witness: Witness, command: Callable[..., Any]) -> None:
    numbers = command("stats", "--json")
    rows = witness.rows("session")
    assert (numbers["active"], numbers["expired"]) == (len(rows) - 2, 2)
    assert (numbers["most_of_one_user"], numbers["anonymous"]) == (2, 5)
    listed = command("list", "--json")["sessions"]
    assert {line["session"]: line["user"] for line in listed} == {
        key[:8]: row["userid"] for key, row in rows.items()
    }
    listed = command("list", "--json", "--session", "staff", "--user", "jürgen")["sessions"]
    assert [line["session"] for line in listed] == [
        witness.sessions["staff, logged in again, before an open form"]["id"][:8]
    ]
    listed = command("list", "--json", "--session", "visit")["sessions"]
    assert {line["session"] for line in listed} == {key[:8] for key in witness.rows("visit")}
