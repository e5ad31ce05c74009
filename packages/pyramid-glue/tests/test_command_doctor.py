"""`pyramid-sessions doctor`: what is wrong is found, with a reason and a remedy, and what is well is not."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from pathlib import Path

import command_site
import pytest
from site_under_test import Base, FullSession
from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, create_engine, event, text
from websession_core.state import Activity
from websession_crypto import generate_secret_key
from websession_models import SessionId, SessionRow, Store
from websession_models.sqlite import NOT_ISOLATED, REMEDY

ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])

# An application as the documentation advises, in production.
SOUND = {
    "session__cookie_name": "__Host-session",
    "session__cookie_secure": "true",
    "session__idle_timeout": "1800",
    "session__absolute_timeout": "43200",
    "tm__annotate_user": "false",
}


def told(finding):
    return "{severity}: {problem} {remedy}".format_map(finding)


PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "doctor.md"


def without_line_ends(output):
    """Return what is printed as one line: where it is broken depends on the length of the test's folder."""
    return re.sub("- ", "-", " ".join(output.split()))


def transcript(name):
    """Return what the page of the documentation says `doctor` prints, without its line ends."""
    block = PAGE.read_text("utf-8").partition(f"<!-- {name} -->")[2].partition("```text\n")[2]
    return without_line_ends(block.partition("```")[0])


def as_on_the_page(output, names):
    output = without_line_ends(output)
    for name, other in {**names, "sealed_session": "session"}.items():
        output = output.replace(name, other)
    return output


PERFECT = {
    **SOUND,
    "session__model_class": "site_under_test.SealedSession",
    "session__data_secret_key": generate_secret_key(),
}


@pytest.fixture
def doctor(command, ini):
    """Examine an application that is sound but for what is given; return its findings by check."""

    def examine(status=0, **settings):
        result = command("doctor", "--json", ini(**{**SOUND, **settings}))
        assert result.exit_code == status, result.output
        report = json.loads(result.stdout)
        assert (report["errors"] > 0) is (status == 1)
        looked_at = [check for check in report["checks"] if check["looked_at"]]
        return {check["check"]: [told(finding) for finding in check["findings"]] for check in looked_at}

    return examine


def add_expired(ago, since=None):
    """Store a session whose deadline was `ago` seconds before the present of the real clock."""
    row = SessionRow(
        uuid.uuid4(),
        created=int(time.time()) - ago - 2000,
        version=1,
        epoch=0,
        data="{}",
        flash="{}",
        activity=Activity(active_at=int(time.time()) - ago - 1800, expires_at=int(time.time()) - ago),
    )
    with command_site.engines[-1].begin() as connection:
        Store.for_model(FullSession).insert(connection, row)


def test_a_sound_application_has_neither_errors_nor_warnings(doctor):
    found = doctor(command_site__isolation_level=None)
    told = [each for findings in found.values() for each in findings]
    assert not [each for each in told if not each.startswith("info")]
    assert (
        found["schema"]
        == found["connection"]
        == found["references"]
        == found["rows"]
        == found["cookie"]
        == []
    )
    (first, _) = found["timeouts"]
    assert "within the limits of AAL2 of SP 800-63B-3 (12 h, 30 min), AAL2 (24 h, 1 h)" in first


def test_people_read_sentences_with_remedies(command, ini):
    result = command("doctor", ini(**{**SOUND, "session__cookie_httponly": "false"}))
    assert result.exit_code == 0
    assert "ok     the database answers" in result.stdout
    assert "warn   cookie attributes" in result.stdout
    assert "-> Leave session.cookie_httponly out" in result.stdout
    assert "Errors: 0, warnings: 1." in result.stdout


def test_a_missing_table_is_an_error(doctor):
    found = doctor(1, command_site__tables="false")
    assert [finding.partition(".")[0] for finding in found["schema"]] == [
        "error: The table full_session is missing",
        "error: The table full_session_activity is missing",
    ]
    assert "alembic upgrade head" in found["schema"][0]
    assert "purging" not in found


def test_a_missing_column_and_a_missing_index_are_found(doctor):
    doctor()
    engine = command_site.engines[-1]
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE full_session DROP COLUMN csrf_token"))
        on = " ON full_session_activity" if engine.dialect.name in {"mysql", "mariadb"} else ""
        connection.execute(text(f"DROP INDEX ix_full_session_activity_expires_at{on}"))
    found = doctor(1, command_site__tables="false")
    first, second = found["schema"]
    assert first.startswith("error: The column full_session.csrf_token is missing. Make a migration")
    assert second.startswith("warning: The column full_session_activity.expires_at has no index")


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("full_session", Column("created", String(20)), "created is VARCHAR"),
        (
            "full_session",
            Column("csrf_token", String(20)),
            "csrf_token holds 20 characters",
        ),
        ("full_session", Column("rotated_at", BigInteger, nullable=False), "rotated_at must be nullable"),
        ("full_session", Column("id", SessionId(), nullable=False), "another primary key than id"),
        ("full_session", Column("tenant", Integer, nullable=False), "tenant is not in the model"),
        ("full_session_activity", Column("active_at", String(20)), "active_at is VARCHAR"),
        ("full_session_activity", Column("expires_at", BigInteger, nullable=False), "must be nullable"),
        ("full_session_activity", Column("id", SessionId(), nullable=False), "another primary key than id"),
        ("full_session_activity", Column("tenant", Integer, nullable=False), "tenant is not in the model"),
    ],
)
def test_a_table_that_no_session_fits_in_is_an_error(doctor, table, column, words):
    doctor()
    engine, columns = command_site.engines[-1], Base.metadata.tables[table].columns
    copy = Table(
        table, MetaData(), *(other._copy() for other in columns if other.name != column.name), column._copy()
    )
    with engine.begin() as connection:
        copy.drop(connection)
        copy.create(connection)
    # SQLite takes no notice of lengths.
    severity = "warning" if engine.dialect.name == "sqlite" and "holds" in words else "error"
    found = doctor(int(severity == "error"), command_site__tables="false")["schema"]
    assert any(finding.startswith(severity) and words in finding for finding in found), found


def test_a_limit_of_sessions_that_nothing_keeps_is_an_error(doctor):
    limited = {"session__model_class": "site_under_test.LimitedSession", "session__max_per_user": "2"}
    assert doctor(**limited)["schema"] == []
    engine = command_site.engines[-1]
    on = " ON limited_session" if engine.dialect.name in {"mysql", "mariadb"} else ""
    with engine.begin() as connection:
        connection.execute(text(f"DROP INDEX uq_limited_session_session_slot{on}"))
    (finding,) = doctor(1, **limited, command_site__tables="false")["schema"]
    assert finding.startswith(
        "error: The table limited_session has no unique index of userid and session_slot"
    )


@pytest.mark.parametrize(
    ("level", "severity"),
    [("AUTOCOMMIT", "error"), ("READ UNCOMMITTED", "error"), ("READ COMMITTED", "info")],
)
@pytest.mark.parametrize("websession_engine_name", ["mariadb", "mysql", "postgresql"])
def test_the_isolation_level_in_force_is_told(doctor, websession_engine_name, level, severity):
    if websession_engine_name == "postgresql" and level == "READ UNCOMMITTED":
        severity = "info"  # there it is READ COMMITTED by another name
        level = "READ COMMITTED"
    (finding,) = doctor(int(severity == "error"), command_site__isolation_level=level)["isolation"]
    assert finding.startswith(severity)


@ON_SQLITE
class TestTheDoctorFinds:
    @pytest.mark.parametrize(
        ("case", "severity", "words"),
        [
            (("tm__manager_hook", None, "transactions"), "warning", "explicit_manager"),
            (("tm__commit_veto", "pyramid_tm.default_commit_veto", "transactions"), "info", "4xx and 5xx"),
            (("command_site__retry", "false", "retries"), "warning", "config.include('pyramid_retry')"),
            (("retry__attempts", "1", "retries"), "warning", "retry.attempts = 3"),
            (("session__cookie_httponly", "false", "cookie"), "warning", "3.3.4"),
            (("session__cookie_samesite", "None", "cookie"), "warning", "3.3.2"),
            (("session__cookie_name", "id", "cookie"), "info", "__Host-id"),
            (("session__cookie_name", "__Secure-id", "cookie"), "info", "3.3.3"),
            (("session__absolute_timeout", "604800", "timeouts"), "info", "asks for less"),
            (("session__idle_timeout", "900", "timeouts"), "info", "AAL3"),
        ],
    )
    def test_a_weak_setting(self, doctor, case, severity, words):
        setting, value, check = case
        found = doctor(**{setting: value})[check]
        assert any(each.startswith(severity) and words in each for each in found), found

    @pytest.mark.parametrize(("value", "severity"), [("auto", "info"), ("false", "warning")])
    def test_a_cookie_that_goes_over_plain_http(self, doctor, value, severity):
        found = doctor(session__cookie_secure=value, session__cookie_name="websession")["cookie"]
        assert any(each.startswith(severity) and "3.3.1" in each and "https" in each for each in found)

    def test_sessions_that_never_end(self, doctor):
        found = doctor(session__idle_timeout=None, session__absolute_timeout=None)
        assert any("never end" in each and "session.idle_timeout" in each for each in found["timeouts"])

    @pytest.mark.parametrize(("count", "severity"), [(2, "info"), (4, "warning")])
    def test_old_keys(self, doctor, count, severity):
        keys = " ".join(generate_secret_key() for _ in range(count))
        (finding,) = doctor(session__secret_key=keys)["keys"]
        assert finding.startswith(f"{severity}: There are {count} secret keys")
        assert "an old one can go" in finding
        assert not any(key in finding for key in keys.split())

    def test_a_key_that_everybody_can_read(self, command, ini):
        file = Path(ini(**SOUND))
        assert "chmod" not in command("doctor", str(file)).stdout
        file.chmod(0o644)
        assert "chmod o-rwx site.ini" in command("doctor", str(file)).stdout

    def test_statements_that_are_logged_with_their_values(self, doctor, caplog):
        assert doctor()["logging"] == []
        caplog.set_level(logging.INFO, "sqlalchemy.engine")
        assert "hide_parameters=True" in doctor()["logging"][0]


class TestTheDoctorFindsOfSQLiteThat:
    @ON_SQLITE
    def test_the_recipe_is_missing(self, doctor, monkeypatch):
        assert doctor()["sqlite"] == []
        monkeypatch.setattr(command_site, "make_engine", lambda url, **_: create_engine(url))
        (finding,) = doctor(1)["sqlite"]
        assert finding == f"error: {NOT_ISOLATED} {REMEDY}"

    @ON_SQLITE
    def test_transactions_begin_without_the_write_lock(self, doctor, monkeypatch):
        doctor()

        def make_engine(url, **_):
            engine = create_engine(url)
            event.listen(engine, "connect", lambda driver, _record: setattr(driver, "isolation_level", None))
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
            return engine

        monkeypatch.setattr(command_site, "make_engine", make_engine)
        (finding,) = doctor(1)["sqlite"]
        assert "do not begin with SQLite's write lock" in finding
        assert REMEDY in finding

    def test_the_database_is_in_memory(self, command, tmp_path):
        result = command("doctor", command_site.write_ini(tmp_path, "sqlite://", **SOUND))
        assert "in-memory" in result.stdout
        command_site.engines.pop().dispose()


class TestTheDoctorTells:
    @pytest.mark.parametrize(
        ("ago", "severity", "words"), [(600, "info", "10 minutes"), (864000, "warning", "10 days")]
    )
    def test_how_long_ago_the_last_purge_was_by_the_oldest_expired_session(
        self, doctor, ago, severity, words
    ):
        assert doctor()["purging"] == []
        add_expired(ago)
        (finding,) = doctor()["purging"]
        assert finding.startswith(severity)
        assert f"more than {words} ago" in finding


@pytest.mark.parametrize("websession_engine_name", ["postgresql"])
def test_a_database_that_is_down_is_an_error_and_no_traceback(command, tmp_path, websession_database_url):
    url = "postgresql+psycopg://nobody:nothing@127.0.0.1:1/none"
    ini = command_site.write_ini(tmp_path, url, command_site__tables="false", **SOUND)
    result = command("doctor", ini)
    command_site.engines.pop().dispose()
    assert result.exit_code == 1
    assert "The database cannot be reached" in result.stdout
    assert "-> See that it runs, and that host and port in the URL" in result.stdout
    assert "not looked at" in result.stdout
    assert "nothing@" not in result.output


@ON_SQLITE
class TestTenFaultsAreFoundAndNoneWhereThereAreNone:
    @pytest.fixture
    def looked(self, command, ini):
        """Look at a deployment; return its findings that matter by their checks, and its exit status."""

        def look(*options, mode=0o600, **settings):
            file = Path(ini(**{**PERFECT, **settings}))
            file.chmod(mode)
            result = command("doctor", "--json", "--fail-on", "warning", *options, str(file))
            report = json.loads(result.stdout)
            found = {
                check["check"]: [
                    told(finding) for finding in check["findings"] if finding["severity"] != "info"
                ]
                for check in report["checks"]
            }
            return result.exit_code, {name: findings for name, findings in found.items() if findings}

        return look

    def test_a_perfect_deployment(self, looked, command, ini):
        assert looked() == (0, {})
        result = command("doctor", ini(**PERFECT))
        assert transcript("perfect") == as_on_the_page(result.stdout, {})

    def test_a_deployment_with_ten_faults(self, looked, command, ini, tmp_path, monkeypatch):
        looked()
        engine = command_site.engines[-1]
        now = int(time.time())
        rows = {
            uuid.uuid4(): Activity(active_at=now - 864_000, expires_at=now - 864_000 + 1800),
            uuid.uuid4(): Activity(active_at=now - 864_000),
        }
        with engine.begin() as connection:
            for session_id, activity in rows.items():
                connection.execute(
                    text(
                        "INSERT INTO sealed_session (id, created, version, epoch, data, flash) "
                        "VALUES (:id, :created, 1, 0, '{}', '{}')"
                    ),
                    {"id": session_id.bytes, "created": now - 864_000},
                )
                connection.execute(
                    text(
                        "INSERT INTO sealed_session_activity (id, active_at, expires_at) "
                        "VALUES (:id, :active_at, :expires_at)"
                    ),
                    {
                        "id": session_id.bytes,
                        "active_at": activity.active_at,
                        "expires_at": activity.expires_at,
                    },
                )
            connection.execute(text("DROP INDEX ix_sealed_session_activity_expires_at"))
            connection.execute(text("CREATE TABLE basket (session_id BLOB REFERENCES sealed_session (id))"))
        usual = command_site.make_engine

        def make_engine(url, **options):
            made = usual(url, **options)
            event.listen(made, "connect", lambda driver, _: driver.execute("PRAGMA foreign_keys = ON"))
            return made

        monkeypatch.setattr(command_site, "make_engine", make_engine)
        key_file = tmp_path / "key"
        key_file.write_text(generate_secret_key())
        key_file.chmod(0o644)
        faults = {
            "command_site__tables": "false",
            "command_site__retry": "false",
            "session__secret_key": f"file:{key_file}",
            "session__cookie_httponly": "false",
            "tm__manager_hook": None,
        }
        status, found = looked(mode=0o644, **faults)
        assert status == 1
        expected = {
            "schema": ["expires_at has no index"],
            "references": ["basket.session_id refers to sealed_session without ON DELETE"],
            "rows": ["2 rows, 2 cannot be read as sessions"],
            "transactions": ["explicit_manager"],
            "retries": ["pyramid_retry is not included"],
            "cookie": ["Scripts in the page can read"],
            "keys": ["the key file of session.secret_key", "read session.data_secret_key in site.ini"],
            "purging": [
                "Sessions past their deadline: 1;",
                "2 rows that were looked at, 1 had no deadline",
            ],
        }
        assert sum(map(len, expected.values())) == 10
        assert found.keys() == expected.keys()
        for check, words in expected.items():
            assert len(found[check]) == len(words), found[check]
            for finding, part in zip(found[check], words, strict=True):
                assert part in finding
        file = Path(ini(**{**PERFECT, **faults}))
        file.chmod(0o644)
        result = command("doctor", str(file))
        names = {str(key_file): "/srv/yourproject/key", "site.ini": "production.ini"}
        assert transcript("broken") == as_on_the_page(result.stdout, names)

    @pytest.mark.parametrize("option", ["secret_key", "data_secret_key"])
    def test_a_readable_file_that_only_says_where_the_keys_are_is_none(
        self, looked, tmp_path, monkeypatch, option
    ):
        monkeypatch.setenv("KEY_OF_DOCTOR", generate_secret_key())
        file = tmp_path / "key"
        file.write_text(generate_secret_key())
        file.chmod(0o640)
        monkeypatch.setenv("OTHER_KEY", generate_secret_key())
        other = "data_secret_key" if option == "secret_key" else "secret_key"
        settings = {f"session__{option}": "env:KEY_OF_DOCTOR", f"session__{other}": f"file:{file}"}
        assert looked(mode=0o644, **settings) == (0, {})

    def test_all_rows_are_looked_at_if_that_is_wanted(self, looked):
        looked()
        status, found = looked("--all-rows")
        assert (status, found) == (0, {})


def test_what_does_not_apply_is_no_ok(command, ini, websession_database_url):
    result = command("doctor", ini(**SOUND))
    marks = {line[7:]: line[:7].strip() for line in result.stdout.splitlines() if not line.startswith("   ")}
    is_sqlite = websession_database_url.startswith("sqlite")
    (mark,) = [mark for title, mark in marks.items() if title.startswith("SQLite's set-up")]
    assert mark == ("ok" if is_sqlite else "-")
    (mark,) = [mark for title, mark in marks.items() if title.startswith("clock difference")]
    assert mark == ("-" if is_sqlite else "ok")


@pytest.mark.parametrize(("level", "status"), [("error", 0), ("warning", 1)])
@ON_SQLITE
def test_warnings_can_fail_it(command, ini, level, status):
    uri = ini(**{**SOUND, "session__cookie_httponly": "false"})
    assert command("doctor", "--fail-on", level, uri).exit_code == status
