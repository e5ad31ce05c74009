"""Connections and servers that are set otherwise than sessions need it are told of, at the first use too."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import command_site
import pytest
import zope.sqlalchemy
from site_under_test import FullSession, Session, of_driver, with_driver
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session as OrmSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from site_under_test import Site

ON_MYSQL = pytest.mark.parametrize("websession_engine_name", ["mariadb", "mysql"], indirect=True)
ON_SERVERS = pytest.mark.parametrize(
    "websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True
)

# What is said to each new connection, and what is told of it then.
MODES = {
    "SET NAMES utf8mb3": "character set is utf8mb3",
    "SET NAMES latin1": "character set is latin1",
    "SET SESSION sql_mode = ''": "strict mode is off",
    "SET SESSION sql_mode = 'TRADITIONAL'": None,
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES'": None,
    "SET SESSION binlog_format = 'STATEMENT'": None,  # the throw-away servers have no binary log
}


def say(engine: Any, statement: str) -> None:
    """Let every new connection begin with a statement."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[Site], list[str]]:
    """Use an application, and return what it has logged."""

    def use(site: Site) -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                browser = site.browser()
                for path in ("/start", "/look", "/start"):
                    browser.get(path)
        return caplog.messages

    return use


@pytest.fixture
def examined(command: Any, ini: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Let the doctor examine an application whose engine is prepared by a function; return its findings."""

    def examine(check: str, prepare: Callable[[Any], None], **settings: str) -> list[str]:
        make_engine = command_site.make_engine

        def prepared(url: Any, **options: Any) -> Any:
            engine = make_engine(url, **options)
            prepare(engine)
            return engine

        monkeypatch.setattr(command_site, "make_engine", prepared)
        report = json.loads(command("doctor", "--json", ini(**settings)).stdout)
        (findings,) = (one["findings"] for one in report["checks"] if one["check"] == check)
        return ["{severity}: {problem} {remedy}".format_map(finding) for finding in findings]

    return examine


@ON_MYSQL
@pytest.mark.parametrize("mode", MODES)
class TestAMode:
    def test_is_found_by_the_doctor(self, examined: Any, mode: str) -> None:
        findings = examined("mysql", lambda engine: say(engine, mode))
        expected = MODES[mode]
        assert [finding.startswith("error") and expected in finding for finding in findings] == (
            [] if expected is None else [True]
        )

    def test_is_told_once_at_the_first_use(self, make_site: Any, told: Any, mode: str) -> None:
        site = make_site()
        site.engine.dispose()
        say(site.engine, mode)
        expected = MODES[mode]
        messages = told(site)
        assert [expected in message for message in messages] == ([] if expected is None else [True])


@ON_MYSQL
@pytest.mark.parametrize(
    "driver", [pytest.param(name, marks=of_driver(name)) for name in ("pymysql", "mysqlconnector", "mysqldb")]
)
@pytest.mark.parametrize("charset", ["latin1", "utf8mb4"])
def test_the_character_set_of_the_url_is_told_with_every_driver(
    make_site: Any, told: Any, websession_database_url: str, driver: str, charset: str
) -> None:
    url = with_driver(websession_database_url, driver).update_query_dict({"charset": charset})
    site = make_site(url=url)
    messages = told(site)
    assert ["character set is latin1" in message for message in messages] == (
        [True] if charset == "latin1" else []
    )


@ON_MYSQL
def test_nobody_else_sees_what_is_asked(make_site: Any, told: Any) -> None:
    site = make_site()
    assert told(site) == []
    assert not {"SHOW", "SET"} & set(site.statements)
    assert site.statements.count("SELECT") == 2 * 2  # the row, in "look" and in the second "start"


@ON_MYSQL
def test_a_table_without_transactions_is_told(make_site: Any, told: Any, examined: Any) -> None:
    site = make_site(model=FullSession)
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE full_session_activity ENGINE = MyISAM"))
    (message,) = told(site)
    assert "The table full_session_activity is kept by MyISAM, which knows no transactions" in message
    (finding,) = examined("mysql", lambda engine: None)
    assert finding == f"error: {message}"


@ON_SERVERS
def test_an_engine_that_commits_by_itself_is_told_at_the_first_use(make_site: Any, told: Any) -> None:
    (message,) = told(make_site(engine_options={"isolation_level": "AUTOCOMMIT"}))
    assert message.startswith("The engine commits every statement by itself")
    assert 'isolation_level="AUTOCOMMIT"' in message


@pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
class TestAnSQLiteEngineThatCommitsByItself:
    def test_is_told_at_the_first_use_by_that_name(self, make_site: Any, told: Any) -> None:
        site = make_site(engine_options={"isolation_level": "AUTOCOMMIT"}, recipe=False)
        (message,) = told(site)
        assert message.startswith("The engine commits every statement by itself")
        assert "Call prepare_sqlite_engine(engine)" in message

    def test_is_told_by_a_request_that_reads_none(self, make_site: Any, caplog: Any) -> None:
        site = make_site(engine_options={"isolation_level": "AUTOCOMMIT"}, recipe=False)
        site.browser().get("/start")
        assert len(caplog.messages) == 1

    def test_is_told_once_for_all_engines_that_share_its_connections(self, make_site: Any, told: Any) -> None:
        def dbsession(request: Any) -> Any:
            session = OrmSession(site.engine.execution_options(tenant=object()))
            zope.sqlalchemy.register(session, transaction_manager=request.tm)
            return session

        site = make_site(
            engine_options={"isolation_level": "AUTOCOMMIT"}, recipe=False, dbsession_factory=dbsession
        )
        assert len(told(site)) == 1

    def test_is_found_by_the_doctor(self, command: Any, ini: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            command_site, "make_engine", lambda url, **_: create_engine(url, isolation_level="AUTOCOMMIT")
        )
        report = json.loads(command("doctor", "--json", ini()).stdout)
        findings = {one["check"]: one["findings"] for one in report["checks"]}
        assert findings["sqlite"][0]["problem"].startswith("The engine commits every statement by itself")


@pytest.fixture
def server_with_statement_format(
    websession_engine_name: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The URL of a database on a server of the test's own whose binary log is in STATEMENT format."""
    if request.config.getoption("--websession-db-url") is not None:
        pytest.skip("the server of --websession-db-url is not a test's to set up")
    kind = type(request.getfixturevalue(f"websession_{websession_engine_name}"))
    with kind(settings={"log-bin": "binlog", "server-id": "1", "binlog-format": "STATEMENT"}) as server:
        yield server.create_database()


@ON_MYSQL
def test_a_binary_log_in_statement_format_is_told_with_what_comes_of_it(
    make_site: Any, told: Any, server_with_statement_format: str, command: Any, tmp_path: Any
) -> None:
    settings = {"session.idle_timeout": 600, "session.extension_delay": 60}
    # At SERIALIZABLE the application itself may write.
    site = make_site(url=server_with_statement_format, model=FullSession, settings=settings)
    (message,) = told(site)
    assert "binary log is in STATEMENT format" in message
    assert "binlog_format = ROW" in message
    ini = command_site.write_ini(tmp_path, server_with_statement_format)
    assert message.partition(".")[0] in " ".join(command("doctor", ini).stdout.split())
    command_site.engines.pop().dispose()


@ON_MYSQL
def test_without_strict_mode_text_would_be_changed_without_an_error(make_site: Any) -> None:
    # What the warnings are about, seen.
    site = make_site(model=Session)
    site.engine.dispose()
    say(site.engine, "SET NAMES utf8mb3")
    say(site.engine, "SET SESSION sql_mode = ''")
    site.views["start"] = lambda request: request.session.update(name="\N{SNOWMAN}\N{GRINNING FACE}")
    browser = site.browser()
    browser.get("/start")
    changed = browser.get("/look").json_body["name"]
    assert changed.startswith("\N{SNOWMAN}")
    assert changed != "\N{SNOWMAN}\N{GRINNING FACE}"
