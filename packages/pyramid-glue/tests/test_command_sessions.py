"""`pyramid-sessions stats`, `list` and `show`: on every engine, and never a secret or a whole identifier."""

from __future__ import annotations

import json
import time
import uuid
from decimal import Decimal
from enum import Enum

import command_site
import pytest
from site_under_test import FullSession
from websession_core.policies import Overrides
from websession_core.state import Activity
from websession_models import SessionRow, Store
from websession_pyramid.command.userids import read_userid, shown_userid

ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])
SECRET = "the-token-of-a-form"


@pytest.fixture
def config(command, ini):
    """An application with its tables."""
    uri = ini(session__idle_timeout="4000", session__absolute_timeout="100000")
    assert command("stats", uri).exit_code == 0
    return uri


def add(digits, *, age=0, unused=0, ends_in=1800, userid=None):
    """Store a session whose identifier begins with `digits`."""
    now = int(time.time())
    row = SessionRow(
        uuid.UUID(digits.ljust(32, "7")),
        created=now - age,
        version=3,
        epoch=1,
        data='{"basket": "full of apples"}',
        flash="{}",
        userid=userid,
        csrf_token=SECRET,
        knows_users=True,
        overrides=Overrides(),
        activity=Activity(active_at=now - unused, expires_at=now + ends_in),
    )
    with command_site.engines[-1].begin() as connection:
        Store.for_model(FullSession).insert(connection, row)
    return row.id


@pytest.fixture
def four(config):
    return [
        add("aaaa0001", age=90000, unused=10, userid=1),
        add("aaaa0002", age=300, unused=200, userid=1),
        add("bbbb0001", age=7200, unused=3000, userid=2),
        add("cccc0001", age=50000, unused=40000, ends_in=-100),
    ]


def nothing_secret(result, identifiers):
    """Return whether a result shows neither an identifier whole nor what is in a session."""
    shown = result.output.replace("-", "")
    return not any(each.hex in shown or str(each) in result.output for each in identifiers) and not any(
        secret in result.output for secret in (SECRET, "apples", "basket")
    )


class TestStats:
    def test_numbers_for_machines(self, command, config, four):
        result = command("stats", "--json", config)
        found = json.loads(result.stdout)
        assert (found["active"], found["idle"], found["anonymous"], found["expired"]) == (3, 1, 0, 1)
        assert (found["users"], found["most_of_one_user"]) == (2, 2)
        assert 90000 <= found["oldest_seconds"] < 90100
        assert sum(each["count"] for each in found["last_used"]) == 3
        assert nothing_secret(result, four)

    @ON_SQLITE
    def test_numbers_and_bars_for_people(self, command, config, four):
        result = command("stats", "--idle-after", "1min", config)
        lines = dict(line.rsplit("  ", 1) for line in result.stdout.splitlines()[:7])
        stripped = {label.strip(): number.strip() for label, number in lines.items()}
        assert stripped["active"] == "3"
        assert stripped["of these idle for 1 min or more"] == "2"
        assert stripped["expired, not purged yet"] == "1"
        assert "#" * 30 in result.stdout
        assert "oldest active" in result.stdout

    @ON_SQLITE
    def test_a_duration_that_is_none_is_refused(self, command, config):
        result = command("stats", "--idle-after", "soon", config)
        assert result.exit_code == 2
        assert "'soon' is no duration" in result.stderr


class TestList:
    def test_the_last_used_come_first(self, command, config, four):
        result = command("list", "--json", config)
        assert [line["session"] for line in json.loads(result.stdout)["sessions"]] == [
            "aaaa0001",
            "aaaa0002",
            "bbbb0001",
            "cccc0001",
        ]
        assert nothing_secret(result, four)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (("--user", "1"), ["aaaa0001", "aaaa0002"]),
            (("--anonymous",), ["cccc0001"]),
            (("--older-than", "12h"), ["aaaa0001", "cccc0001"]),
            (("--unused-for", "30min", "--user", "2"), ["bbbb0001"]),
            (("--limit", "1"), ["aaaa0001"]),
        ],
    )
    def test_filters(self, command, config, four, options, expected):
        result = command("list", "--json", *options, config)
        assert [line["session"] for line in json.loads(result.stdout)["sessions"]] == expected

    @ON_SQLITE
    def test_a_table_for_people(self, command, config, four):
        result = command("list", config)
        heading, first, *_, last = result.stdout.splitlines()
        assert heading.split("  ")[0] == "session"
        assert first.startswith("aaaa0001  1")
        assert "expired" in last
        assert nothing_secret(result, four)
        assert "more than 2" in command("list", "--limit", "2", config).stderr

    @ON_SQLITE
    def test_no_session_is_said(self, command, config):
        result = command("list", config)
        assert (result.exit_code, result.stdout) == (0, "")
        assert "There is no such session." in result.stderr

    @ON_SQLITE
    @pytest.mark.parametrize(
        ("user", "remedy"), [("ada", "a value of type int"), (str(2**70), "numbers from -2147483648 to")]
    )
    def test_what_is_no_userid_is_refused(self, command, config, user, remedy):
        result = command("list", "--user", user, config)
        assert result.exit_code == 2
        assert f"{user!r} is no userid" in result.stderr
        assert remedy in result.stderr

    @pytest.mark.parametrize(
        "userid", [7, "ada", b"\0a", uuid.UUID(int=1), Decimal("1.5"), Enum("Color", ["RED"]).RED], ids=repr
    )
    def test_a_userid_of_any_type_can_be_typed_as_it_is_shown(self, userid):
        assert read_userid(str(shown_userid(userid)), type(userid)) == userid

    @ON_SQLITE
    def test_a_model_without_users_is_said(self, command, ini):
        result = command("list", "--user", "1", ini(session__model_class="site_under_test.Session"))
        assert result.exit_code == 3
        assert "UseridMixin" in result.stderr


class TestShow:
    def test_one_session_by_the_beginning_of_its_identifier(self, command, config, four):
        result = command("show", "--json", config, "aaaa0001")
        found = json.loads(result.stdout)
        assert (found["session"], found["user"], found["writes"]) == ("aaaa0001", 1, 3)
        assert 9900 < found["absolute_timeout_in_seconds"] <= 10000
        assert 1700 < found["ends_in_seconds"] <= 1800
        assert 3900 < found["idle_timeout_in_seconds"] <= 3990
        assert nothing_secret(result, four)

    @ON_SQLITE
    def test_people_read_durations(self, command, config, four):
        result = command("show", config, "bbbb")
        assert "age                  2 h\n" in result.stdout
        assert nothing_secret(result, four)

    @ON_SQLITE
    def test_an_ambiguous_beginning_is_refused_with_the_choices(self, command, config, four):
        result = command("show", config, "aaaa")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "aaaa0001, aaaa0002" in result.stderr
        assert nothing_secret(result, four)

    @ON_SQLITE
    def test_there_is_no_such_session(self, command, config, four):
        result = command("show", config, "dddd")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "begins with dddd" in result.stderr

    @ON_SQLITE
    def test_what_is_no_beginning_of_an_identifier_is_refused(self, command, config):
        result = command("show", config, "aa%")
        assert result.exit_code == 2
        assert "hexadecimal" in result.stderr


@pytest.mark.parametrize("subcommand", [("stats",), ("list",), ("show", "abcd")])
def test_a_missing_table_is_told_with_a_remedy(command, ini, subcommand):
    name, *rest = subcommand
    result = command(name, ini(command_site__tables="false"), *rest)
    assert (result.exit_code, result.stdout) == (4, "")
    assert "alembic upgrade head" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("websession_engine_name", ["postgresql"])
def test_a_database_that_is_down_is_told_with_a_remedy(command, tmp_path, websession_database_url):
    url = "postgresql+psycopg://nobody:nothing@127.0.0.1:1/none"
    result = command("stats", command_site.write_ini(tmp_path, url, command_site__tables="false"))
    command_site.engines.pop().dispose()
    assert (result.exit_code, result.stdout) == (4, "")
    assert "could not be used" in result.stderr
    assert "nothing@" not in result.stderr
