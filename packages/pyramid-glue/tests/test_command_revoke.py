"""`pyramid-sessions revoke`: by session, by user, by age, or all of them."""

from __future__ import annotations

import io
import json
import time
import uuid

import command_site
import pytest
from site_under_test import Base, FullSession
from sqlalchemy import Column, ForeignKey, MetaData, Table, event, func, select
from websession_core.policies import Overrides
from websession_core.state import Activity
from websession_models import SessionRow, Store, fresh_session_id
from websession_models.emptying import ENDED

ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])


@pytest.fixture
def config(command, ini):
    """An application with its tables."""
    uri = ini(session__idle_timeout="1800")
    assert command("stats", uri).exit_code == 0
    return uri


def add(*, age=0, unused=0, userid=None, session_id=None):
    now = int(time.time())
    row = SessionRow(
        session_id or fresh_session_id(),
        created=now - age,
        version=1,
        epoch=0,
        data="{}",
        flash="{}",
        userid=userid,
        knows_users=True,
        overrides=Overrides(),
        activity=Activity(active_at=now - unused, expires_at=now + 900),
    )
    with command_site.engines[-1].begin() as connection:
        Store.for_model(FullSession).insert(connection, row)
    return row.id


def left():
    features = Store.for_model(FullSession).features
    with command_site.engines[-1].connect() as connection:
        found = set(connection.scalars(select(features.columns["id"])))
        companions = connection.scalar(select(func.count()).select_from(features.companion))
    assert companions == len(found)
    return found


@pytest.fixture
def four(config):
    return [
        add(userid=1, age=90000),
        add(userid=1),
        add(userid=2, age=7200, unused=3000),
        add(age=50000, unused=40000),
    ]


def test_one_by_the_beginning_of_its_identifier(command, config, four):
    result = command("revoke", config, four[1].hex[:8])
    assert (result.exit_code, result.stdout) == (0, "1 session ended.\n")
    assert left() == {four[0], four[2], four[3]}


@pytest.mark.parametrize(
    ("options", "ended"),
    [
        (("--user", "1"), {0, 1}),
        (("--anonymous",), {3}),
        (("--older-than", "12h"), {0, 3}),
        (("--unused-for", "30min"), {2, 3}),
        (("--user", "1", "--older-than", "12h"), {0}),
        (("--all",), {0, 1, 2, 3}),
    ],
    ids=["user", "anonymous", "older than", "unused for", "user and older than", "all"],
)
def test_sessions_are_ended_by_user_by_age_or_all(command, config, four, options, ended):
    assert json.loads(command("revoke", "--json", "--dry-run", *options, config).stdout) == {
        "would_end": len(ended),
        "format_version": 1,
    }
    assert len(left()) == 4
    found = json.loads(command("revoke", "--json", *options, config).stdout)
    assert found == {"ended": len(ended), "emptied": 0, "gone": 0, "held": 0, "format_version": 1}
    assert left() == {each for number, each in enumerate(four) if number not in ended}


@pytest.mark.parametrize("websession_engine_name", ["sqlite", "postgresql"])
class TestARowThatAForeignKeyKeeps:
    @pytest.fixture
    def refer(self, monkeypatch):
        """Let rows of the application's refer to sessions, without ON DELETE."""
        usual = command_site.make_engine

        def make_engine(url, **options):
            engine = usual(url, **options)
            if engine.dialect.name == "sqlite":
                event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA foreign_keys = ON"))
            return engine

        monkeypatch.setattr(command_site, "make_engine", make_engine)
        metadata = MetaData()
        key = Base.metadata.tables["full_session"].to_metadata(metadata).columns["id"]
        basket = Table("basket", metadata, Column("session_id", key.type, ForeignKey(key)))

        def refer(*ids):
            with command_site.engines[-1].begin() as connection:
                basket.create(connection)
                connection.execute(basket.insert(), [{"session_id": session_id} for session_id in ids])

        yield refer
        with command_site.engines[-1].begin() as connection:
            basket.drop(connection)

    @staticmethod
    def stored():
        table = Base.metadata.tables["full_session"]
        with command_site.engines[-1].connect() as connection:
            rows = connection.execute(select(table.c.epoch, table.c.userid, table.c.csrf_token))
            return [tuple(row) for row in rows]

    def test_is_emptied_and_the_line_and_the_application_are_told(self, command, ini, refer):
        uri = ini(command_site__include="command_site.clearing_emptied_rows")
        assert command("stats", uri).exit_code == 0
        kept, _ = add(userid=7), add(userid=7)
        refer(kept)
        result = command("revoke", "--user", "7", uri)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == (
            "2 sessions ended; 1 of the rows emptied and not deleted, because a foreign key refers to them "
            "(give it ON DELETE CASCADE or ON DELETE SET NULL).\n"
        )
        assert self.stored() == [(ENDED, None, f"cleared {kept.hex[:8]}")]

    def test_is_emptied_though_a_subscriber_fails_which_is_told(self, command, ini, refer):
        uri = ini(command_site__include="command_site.failing_at_emptied_rows")
        assert command("stats", uri).exit_code == 0
        refer(add(userid=7), add(userid=7))
        result = command("revoke", "--json", "--all", uri)
        assert json.loads(result.stdout)["emptied"] == 2
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert "A subscriber of SessionEmptied has failed (ZeroDivisionError)" in line
        assert self.stored() == [(ENDED, None, None)] * 2


@ON_SQLITE
class TestTheQuestion:
    @pytest.fixture
    def many(self, config):
        return [add(userid=1) for _ in range(11)]

    def test_more_than_ten_are_asked_about(self, command, config, many):
        result = command("revoke", "--user", "1", config, answer="n\n")
        assert result.exit_code == 1
        assert "End 11 sessions?" in result.stderr
        assert "Nothing was ended" in result.stderr
        assert len(left()) == 11
        assert command("revoke", "--user", "1", config, answer="y\n").exit_code == 0
        assert left() == set()

    def test_an_interrupt_is_a_no(self, command, config, many):
        class Interrupted(io.BytesIO):
            def read1(self, *_):
                if self.tell():
                    return b""
                self.seek(1)
                raise KeyboardInterrupt

        result = command("revoke", config, "--all", answer=Interrupted())
        # The oldest click ends its prompt in standard output.
        assert (result.exit_code, result.stdout.strip()) == (1, "")
        assert result.stderr.endswith("\nError: Nothing was ended.\n")
        assert len(left()) == 11

    def test_yes_asks_nothing(self, command, config, many):
        result = command("revoke", "--all", "--yes", config)
        assert (result.exit_code, result.stdout) == (0, "11 sessions ended.\n")

    def test_where_nobody_is_there_to_be_asked_nothing_happens(self, command, config, many):
        result = command("revoke", "--all", config, answer="")
        # The oldest click's test runner takes the end of the input for the default answer, no.
        assert result.exit_code in {1, 2}
        assert len(left()) == 11


@ON_SQLITE
class TestRevokingRefuses:
    @pytest.mark.parametrize("arguments", [(), ("--all", "--anonymous"), ("--user", "1", "--anonymous")])
    def test_what_does_not_say_which(self, command, config, arguments):
        result = command("revoke", *arguments, config)
        assert result.exit_code == 2
        assert "Error:" in result.stderr

    def test_a_session_that_is_not_there(self, command, config):
        result = command("revoke", config, uuid.uuid4().hex)
        assert result.exit_code == 1
        assert "There is no session" in result.stderr
