"""Each failure of a command is one sentence with the right remedy and its exit status, never a traceback."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import command_site
import pytest
from failure_table import TABLE
from site_under_test import FullSession
from sqlalchemy import create_engine, make_url, text
from websession_core.state import Activity
from websession_models import SessionRow, Store, fresh_session_id

COMMANDS = [("stats",), ("list",), ("show", "abcd"), ("revoke", "--all", "--yes"), ("purge",)]
ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])
ON_SERVERS = pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb"])


def failed(result, status, *words):
    """Check that a command has failed with one line that has these words."""
    assert (result.exit_code, result.stdout) == (status, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert all(word in line for word in words), line


@pytest.fixture
def write(tmp_path):
    """Write the ini file of an application on some other database."""

    def write(url, **settings):
        text = str(url) if isinstance(url, str) else url.render_as_string(hide_password=False)
        return command_site.write_ini(tmp_path, text, command_site__tables="false", **settings)

    yield write
    while command_site.engines:
        command_site.engines.pop().dispose()


def add_expired():
    row = SessionRow(
        fresh_session_id(),
        created=int(time.time()) - 9000,
        version=1,
        epoch=0,
        data="{}",
        flash="{}",
        activity=Activity(active_at=int(time.time()) - 9000, expires_at=int(time.time()) - 5000),
    )
    with command_site.engines[-1].begin() as connection:
        Store.for_model(FullSession).insert(connection, row)


@ON_SERVERS
@pytest.mark.parametrize("arguments", [("purge",), ("revoke", "--all", "--yes")], ids=" ".join)
def test_an_account_that_may_only_read_is_told_to_be_granted_more(
    command, ini, write, websession_database_url, arguments
):
    assert command("stats", ini()).exit_code == 0
    add_expired()
    url = make_url(websession_database_url)
    is_postgresql = url.get_backend_name() == "postgresql"
    account = "reader" if is_postgresql else "reader@'%'"
    with command_site.engines[-1].begin() as connection:
        password = "LOGIN PASSWORD 'secret'" if is_postgresql else "IDENTIFIED BY 'secret'"
        kind = "ROLE" if is_postgresql else "USER"
        connection.execute(text(f"CREATE {kind} {account} {password}"))
        tables = "ALL TABLES IN SCHEMA public" if is_postgresql else "*"
        connection.execute(text(f"GRANT SELECT ON {tables} TO {account}"))
    try:
        name, *options = arguments
        uri = write(url.set(username="reader", password="secret"))
        assert TABLE["the account may not write"].is_told_by(command(name, uri, *options))
        report = json.loads(command("doctor", "--json", uri).stdout)
        findings = {check["check"]: check["findings"] for check in report["checks"]}
        assert [finding["severity"] for finding in findings["writing"]] == ["error"]
        assert "GRANT SELECT, INSERT, UPDATE, DELETE" in findings["writing"][0]["remedy"]
        assert findings["schema"] == []
        # The account that may do all has written no row for being asked.
        report = json.loads(command("doctor", "--json", ini(command_site__tables="false")).stdout)
        assert {check["check"]: check["findings"] for check in report["checks"]}["writing"] == []
    finally:
        engine = create_engine(url)
        with engine.begin() as connection:
            if is_postgresql:
                connection.execute(text("DROP OWNED BY reader"))
            connection.execute(text(f"DROP {kind} {account}"))
        engine.dispose()


@ON_SERVERS
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_what_is_wrong_in_the_url_is_named(command, write, websession_database_url, arguments):
    url = make_url(websession_database_url)
    name, *options = arguments
    assert TABLE["the server does not answer"].is_told_by(command(name, write(url.set(port=1)), *options))
    no_user = write(url.set(username="nobody_at_all", password="secret"))
    assert TABLE["user or password are wrong"].is_told_by(command(name, no_user, *options))
    missing = command(name, write(url.set(database="no_such_database")), *options)
    assert TABLE["the database does not exist"].is_told_by(missing)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_file_that_cannot_be_opened_is_told(command, write, tmp_path, arguments):
    name, *options = arguments
    uri = write(f"sqlite:///{tmp_path}/no/folder/site.db")
    failed(command(name, uri, *options), 4, "See that the folder of the file in the URL exists")


@pytest.mark.parametrize("websession_engine_name", ["postgresql"])
def test_a_server_that_takes_no_writes_is_told(command, ini, write, websession_database_url):
    assert command("stats", ini()).exit_code == 0
    add_expired()
    options = {"options": "-c default_transaction_read_only=on"}
    uri = write(make_url(websession_database_url).update_query_dict(options))
    failed(command("purge", uri), 4, "Let the URL lead to a server that takes writes")
    report = command("doctor", uri)
    assert report.exit_code == 1
    assert "ERROR  the account may write sessions" in report.stdout
    assert "the rows can be read as sessions: not looked at" in report.stdout


def test_a_file_that_is_no_database_is_told(command, write, tmp_path):
    (tmp_path / "site.txt").write_text("Dear diary, " * 100)
    uri = write(f"sqlite:///{tmp_path / 'site.txt'}")
    failed(command("list", uri), 4, "See that the file in the URL is a database of SQLite's")
    assert "See that the file in the URL is a database" in command("doctor", uri).stdout


@ON_SQLITE
@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write to everything")
def test_a_file_that_may_only_be_read_is_told(command, ini, tmp_path, websession_database_url):
    assert command("stats", ini()).exit_code == 0
    add_expired()
    Path(make_url(websession_database_url).database).chmod(0o400)
    failed(command("purge", ini(command_site__tables="false")), 4, "see who may write to the file")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql//nothing", "database's URL in the configuration is right"),
        ("nosuchdatabase://host/name", "database's URL in the configuration is right"),
        ("mysql+nosuchdriver://host/name", "database's URL in the configuration is right"),
    ],
)
def test_an_url_that_is_none_is_told(command, write, url, words):
    failed(command("stats", write(url)), 3, words)


@pytest.mark.parametrize("arguments", [*COMMANDS, ("doctor",), ("encrypt",), ("rotate-key",)], ids=" ".join)
def test_an_application_whose_start_fails_on_the_database_says_so(command, tmp_path, arguments):
    name, *options = arguments
    uri = command_site.write_ini(tmp_path, f"sqlite:///{tmp_path}/no/folder/site.db")
    failed(command(name, uri, *options), 4, "See that the folder")
    command_site.engines.pop().dispose()


@ON_SQLITE
def test_rows_from_before_a_timeout_are_purged_once_it_is_on(command, ini):
    """The settings of now decide, as in a request; `--dry-run` says how many go because of them."""
    uri = ini()
    assert command("stats", uri).exit_code == 0
    old = int(time.time()) - 400 * 86_400
    with command_site.engines[-1].begin() as connection:
        for activity in (None, Activity(active_at=old)):
            row = SessionRow(
                fresh_session_id(), old, version=1, epoch=0, data="{}", flash="{}", activity=activity
            )
            Store.for_model(FullSession).insert(connection, row)
    assert command("purge", "--dry-run", uri).stdout == "0 sessions would be deleted.\n"
    uri = ini(session__preset="aal2")
    assert "Run pyramid-sessions purge" in command("doctor", uri).stdout
    assert '"expired": 2' in command("stats", "--json", uri).stdout
    told = command("purge", "--dry-run", uri).stdout
    assert told == (
        "2 sessions would be deleted, 2 of them by the settings of now, not by a recorded deadline.\n"
    )
    assert command("purge", uri).stdout.startswith("2 sessions deleted")
    assert "Run pyramid-sessions purge" not in command("doctor", uri).stdout


@pytest.mark.parametrize("websession_engine_name", ["sqlite"])
class TestCodeThatFailsToConnect:
    """A driver that lacks a part, a creator, a listener: what it raises is no error of SQLAlchemy's."""

    @pytest.fixture
    def uri(self, ini):
        return ini(command_site__include="command_site.refusing_connections")

    @pytest.mark.parametrize("arguments", [["purge"], ["list"], ["revoke", "--all"], ["show", "abcd"]])
    def test_is_a_sentence(self, command, uri, arguments):
        result = command(*arguments[:1], uri, *arguments[1:])
        assert (result.exit_code, result.stdout) == (4, "")
        assert (
            "could not be used: RuntimeError: no password in the vault. See that the driver" in result.stderr
        )

    def test_is_a_finding(self, command, uri):
        result = command("doctor", uri)
        assert result.exit_code == 1
        assert "ERROR  the database answers" in result.stdout

    def test_keeps_no_key_from_being_made(self, command, uri):
        result = command("rotate-key", uri)
        assert result.exit_code == 0
        assert "could not be asked" in result.stderr
