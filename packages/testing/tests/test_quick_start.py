"""README's Quick Start and the tutorial, to the letter, in a project laid out as Pyramid's cookiecutter does.

`quickstart/` is that project before the Quick Start. Here it is copied, changed by what the code blocks of
README.md say and by nothing else, and run as its developer would run it: in an environment of its own, by its
own commands, with warnings as errors. The tutorial (docs/tutorial.md) begins where the Quick Start ends, and
ends with the demo: the browser tests of docs/examples/shop are tests of its result.
"""

import configparser
import http.cookiejar
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from following import steps
from pages import DOCS

ROOT = Path(__file__).parents[3]
PROJECT = Path(__file__).with_name("quickstart")
DEMO = DOCS / "examples" / "shop"
INI_FILES = ("development.ini", "testing.ini", "production.ini")
ENGINES = ("sqlite", "postgresql", "mariadb", "mysql")

# Errors, but those about `cgi`, which WebOb imports, and `pkg_resources`, which Pyramid does.
WARNINGS = (
    "error,ignore:'cgi' is deprecated,ignore:pkg_resources is deprecated,"
    "ignore:Deprecated call to `pkg_resources.declare_namespace"
)
LOGGED_PROBLEM = re.compile(r"\b(WARNI|ERROR|CRITI)\b|Warning")


@dataclass(frozen=True)
class Step:
    """One code block of the Quick Start, and the paragraph that introduces it."""

    introduction: str
    language: str
    code: str


def quick_start() -> list[Step]:
    section = (ROOT / "README.md").read_text().split("\n## Quick Start\n")[1].split("\n## ")[0]
    return [Step(*found) for found in re.findall(r"\n\n([^`].*?)\n\n```(\w+)\n(.*?)```", section, re.DOTALL)]


def the_step(language: str, mentions: str) -> str:
    """Return the one code block in a language whose introducing paragraph mentions a word."""
    (code,) = [
        step.code
        for step in quick_start()
        if step.language == language and mentions in step.introduction.split("\n\n")[-1]
    ]
    return code


@dataclass(frozen=True)
class Project:
    """The user's project, and the environment it is installed in."""

    folder: Path
    environment: Path

    @property
    def variables(self) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))
        }
        path = f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return inherited | {"PATH": path, "PYTHONWARNINGS": WARNINGS}

    def shell(self, commands: str) -> str:
        """Run lines as a developer types them in the project's folder; return what they printed."""
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", commands],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def edit(self, name: str, pattern: str, replacement: str) -> None:
        """Replace the one place of a file that matches a pattern."""
        path = self.folder / name
        text, count = re.subn(
            pattern, lambda match: match.expand(replacement), path.read_text(), flags=re.MULTILINE
        )
        assert count == 1, f"{pattern} in {name}: {count}"
        path.write_text(text)

    def use_database(self, url: str) -> None:
        for ini in INI_FILES:
            self.edit(ini, r"^sqlalchemy\.url = .*$", f"sqlalchemy.url = {url.replace('%', '%%')}")

    @property
    def pristine(self) -> Path:
        """Where a copy is kept of the project as the Quick Start left it."""
        return self.folder.with_name("pristine")

    @property
    def versions(self) -> Path:
        return self.folder / "yourproject" / "alembic" / "versions"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\")


def follow_the_quick_start(project: Project) -> None:
    model = project.folder / "yourproject" / "models" / "session.py"
    model.write_text(the_step("python", "`yourproject/models/session.py`"))

    line = the_step("python", "`yourproject/models/__init__.py`")
    project.edit("yourproject/models/__init__.py", r"^(from \.mymodel import .*\n)", rf"\1{escaped(line)}")

    lines = the_step("python", "`get_engine()`")
    project.edit("yourproject/models/__init__.py", r"^def get_engine\(.*\n    return .*\n", escaped(lines))

    for ini in INI_FILES:
        assert f"`{ini}`" in "".join(step.introduction for step in quick_start())
        key = project.shell(the_step("console", "Generate a key")).strip()
        lines = the_step("ini", "`development.ini`").replace("(the key)", key)
        project.edit(ini, r"^(sqlalchemy\.url = .*\n)", rf"\1{escaped(lines)}")

    line = the_step("python", "`yourproject/__init__.py`")
    project.edit(
        "yourproject/__init__.py", r"^( +)(config\.include\(.\.models.\)\n)", rf"\1\2\1{escaped(line)}"
    )


# Of the session's scope: pytest groups tests by engine, and leaves this module and comes back for each.
@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Follow the Quick Start in a copy of the project, installed in an environment of its own."""
    folder = tmp_path_factory.mktemp("project") / "yourproject"
    shutil.copytree(PROJECT, folder)
    environment = tmp_path_factory.mktemp("environment")

    # The versions of others' packages are those that all tests run on; ours are built from this checkout.
    ours = {path.name for path in (ROOT / "packages").glob("*/src/*")}
    constraints = tmp_path_factory.mktemp("constraints") / "others.txt"
    others = {
        one.name: one.version
        for one in importlib.metadata.distributions()
        if one.name.replace("-", "_") not in ours and one.read_text("direct_url.json") is None
    }
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in others.items()))
    refresh = [f"--refresh-package={name.replace('_', '-')}" for name in sorted(ours)]

    uv = [sys.executable, "-m", "uv"]
    install = [*uv, "pip", "install", "--quiet", "--python", environment / "bin" / "python"]
    _, _, paths = the_step("console", "Install it").partition("pip install ")
    for command in (
        [*uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, environment],
        [*install, "--constraint", constraints, *refresh, *paths.split()],
        [
            *install,
            "--constraint",
            constraints,
            "--editable",
            f"{folder}[testing]",
            "psycopg[binary]",
            "pymysql[rsa]",
        ],
    ):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    project = Project(folder, environment)
    follow_the_quick_start(project)
    shutil.copytree(folder, project.pristine)
    return project


@pytest.fixture
def project(installed: Project) -> Project:
    """Give the project as it is right after the Quick Start, before its migration."""
    shutil.rmtree(installed.folder)
    shutil.copytree(installed.pristine, installed.folder)
    return installed


@pytest.fixture(scope="session")
def migrations() -> dict[str, dict[str, str]]:
    """Remember the migration that each engine's database led alembic to write, by file name."""
    return {}


@pytest.fixture
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Make an empty database on a named engine."""
    made = []

    def make(engine: str) -> str:
        if engine == "sqlite":
            return f"sqlite:///{tmp_path / 'generating.sqlite'}"
        server = request.getfixturevalue(f"websession_{engine}")
        url = server.create_database()
        made.append((server, url))
        return url

    yield make
    for server, url in made:
        server.drop_database(url)


@pytest.fixture
def migrate(
    project: Project, migrations: dict[str, dict[str, str]], empty_database: Callable[[str], str]
) -> Callable[[str], None]:
    """Give the project the migration that is generated on a named engine."""

    def give(engine: str) -> None:
        if engine not in migrations:
            project.use_database(empty_database(engine))
            project.shell(the_step("console", "Alembic"))
            assert "No new upgrade operations detected" in project.shell("alembic -c development.ini check")
            migrations[engine] = {path.name: path.read_text() for path in project.versions.glob("*.py")}
            assert len(migrations[engine]) == 1
        for name, text in migrations[engine].items():
            (project.versions / name).write_text(text)

    return give


@pytest.fixture
def migrated(
    project: Project,
    migrate: Callable[[str], None],
    websession_engine_name: str,
    websession_database_url: str,
) -> Project:
    """Give the project with its migration, on the database of the test's engine."""
    migrate(websession_engine_name)
    project.use_database(websession_database_url)
    return project


ALEMBIC = """
from alembic.config import main
for command in (["upgrade", "head"], ["check"], ["downgrade", "base"]):
    main(["-c", "development.ini", *command])
"""


@pytest.mark.parametrize("generated_on", ENGINES)
def test_a_migration_generated_on_one_engine_runs_on_every_engine_and_leaves_nothing_to_migrate(
    project: Project, migrate: Callable[[str], None], generated_on: str, websession_database_url: str
) -> None:
    migrate(generated_on)
    project.use_database(websession_database_url)
    (project.folder / "migrate.py").write_text(ALEMBIC)
    assert "No new upgrade operations detected" in project.shell("python migrate.py")


def test_the_projects_own_tests_pass_in_the_cookiecutters_fixtures(
    migrated: Project,
) -> None:
    example = textwrap.indent(the_step("python", "`request.session`"), "    ")
    (migrated.folder / "tests" / "test_readme.py").write_text(
        f"def test_the_example(app_request):\n    request = app_request\n{example}"
        "    assert request.session['cart'] == {'apples': 3}\n"
        "    assert request.session.pop_flash() == ['Three apples are in your cart.']\n"
    )
    printed = migrated.shell("python -m pytest -p no:cacheprovider")
    assert re.search(r"=+ \d+ passed in ", printed), printed


WITH_THE_PLUGIN = """
import pytest
from sqlalchemy import func, select
from yourproject.models import Session
from yourproject.views.visits import visit

COUNT = select(func.count()).select_from(Session)


def test_browsers_share_the_projects_transaction(
    websession_browser, websession_new_browser, testapp, dbsession, tm
):
    assert websession_browser.get("/visit?page=a").json == {"visits": ["a"]}
    assert websession_new_browser().get("/visit?page=b").json == {"visits": ["b"]}
    assert testapp.get("/visits").json == {"visits": []}
    assert dbsession.scalar(COUNT) == 2
    assert websession_browser.extra_environ["tm.manager"] is tm
    websession_browser.assert_session_stored({"visits": ["a"]})


def test_a_thief_has_the_cookie_of_a_moment(websession_browser):
    with websession_browser.session() as session:
        session["visits"] = ["x"]
    thief = websession_browser.thief()
    assert thief.get("/visits").json == {"visits": ["x"]}
    with websession_browser.session() as session:
        session.invalidate()
    assert thief.get("/visits").json == {"visits": []}


def test_sessions_go_by_the_clock(websession_browser, websession_clock):
    websession_clock.advance(days=1)
    websession_browser.get("/visit?page=a")
    assert websession_browser.stored_session().created == websession_clock()


def test_a_dummy_request_has_a_real_session(websession_dummy_request, dbsession):
    websession_dummy_request.params["page"] = "a"
    assert visit(websession_dummy_request) == {"visits": ["a"]}
    assert websession_dummy_request.session.row() in dbsession


def test_statements_are_counted(websession_browser, websession_statements):
    websession_browser.get("/visit?page=a")
    with websession_statements(1):
        websession_browser.get("/visits")


@pytest.mark.websession_commits
def test_a_test_may_commit(websession_browser, dbengine):
    websession_browser.get("/visit?page=a")
    with dbengine.begin() as connection:
        assert connection.scalar(COUNT) == 1
        connection.execute(Session.__table__.delete())
"""


def test_the_projects_own_tests_pass_with_the_pytest_plugin_added_and_new_ones_use_it(
    migrated: Project,
) -> None:
    (migrated.folder / "tests" / "test_with_the_plugin.py").write_text(WITH_THE_PLUGIN)
    source = ROOT / "packages" / "testing" / "src"
    printed = migrated.shell(
        f"PYTHONPATH={source} python -m pytest -p no:cacheprovider -p pytest_websession.plugin -rA"
    )
    assert re.search(r"=+ \d+ passed in ", printed), printed
    assert printed.count("PASSED tests/test_with_the_plugin.py::") == 6
    assert "PASSED tests/test_functional.py::" in printed


class Browser:
    """Sends requests to the running application, with a cookie jar."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookies = http.cookiejar.CookieJar()
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies))
        self._opener = urllib.request.build_opener(*handlers)

    def page(self, path: str, **fields: str) -> str:
        """Return a page, or what a form with these fields leads to; the form's token is added."""
        if fields:
            fields["csrf_token"] = re.findall(r'name="csrf_token" value="([^"]+)"', self.page("/login"))[0]
        data = urllib.parse.urlencode(fields).encode() or None
        with self._opener.open(f"{self.address}{path}", data, timeout=60) as response:
            return response.read().decode()

    def visits(self, path: str) -> list[str]:
        with self._opener.open(f"{self.address}{path}", timeout=60) as response:
            return json.load(response)["visits"]

    def fails(self, path: str) -> bool:
        try:
            self._opener.open(f"{self.address}{path}", timeout=60).close()
        except urllib.error.HTTPError as error:
            return error.code == 500
        return False


@contextmanager
def served(project: Project, port: int, log: Path) -> Iterator[None]:
    """Serve the project with `pserve development.ini` until the end of the block; log to a file."""
    pserve = [project.environment / "bin" / "pserve", "development.ini"]
    with (
        log.open("a") as output,
        subprocess.Popen(
            pserve, cwd=project.folder, env=project.variables, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 60
            while not reachable(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            # Not by SIGINT, which a job in the background ignores, and so do its children.
            process.terminate()
            process.wait(60)


def reachable(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_the_served_application_keeps_a_session_over_requests_rollbacks_and_restarts_and_warns_of_nothing(
    migrated: Project,
    tmp_path: Path,
) -> None:
    migrated.shell("alembic -c development.ini upgrade head")
    port = free_port()
    migrated.edit("development.ini", r"^listen = .*$", f"listen = 127.0.0.1:{port}")
    browser, stranger = Browser(f"http://127.0.0.1:{port}"), Browser(f"http://127.0.0.1:{port}")
    first, second = tmp_path / "first.log", tmp_path / "second.log"

    with served(migrated, port, first):
        assert browser.visits("/visits") == []
        assert not list(browser.cookies)
        assert browser.visits("/visit?page=a") == ["a"]
        assert browser.visits("/visit?page=b") == ["a", "b"]
        assert browser.visits("/visits") == ["a", "b"]
        assert stranger.visits("/visits") == []
        assert not LOGGED_PROBLEM.search(first.read_text()), first.read_text()

        assert browser.fails("/visit-and-fail?page=c")
        assert browser.visits("/visits") == ["a", "b"]
        assert stranger.fails("/visit-and-fail?page=c")
        assert not list(stranger.cookies)

    with served(migrated, port, second):
        assert browser.visits("/visits") == ["a", "b"]
        assert browser.visits("/visit?page=d") == ["a", "b", "d"]
        assert not LOGGED_PROBLEM.search(second.read_text()), second.read_text()


@pytest.fixture
def shop_project(project: Project, tmp_path: Path) -> Project:
    """Give the project as the Quick Start leaves it without its migration, if its name was `shop`."""
    folder = tmp_path / "shop"
    shutil.copytree(project.folder, folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (folder / "yourproject" / "views" / "visits.py").unlink()  # our tests' own
    (folder / "yourproject").rename(folder / "shop")
    for path in folder.rglob("*.*"):
        if path.is_file():
            path.write_text(path.read_text("utf-8").replace("yourproject", "shop"), "utf-8")
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
    python = project.environment / "bin" / "python"
    subprocess.run([*install, "--python", python, "--editable", folder], check=True, capture_output=True)
    return Project(folder, project.environment)


def tree(folder: Path) -> dict[str, bytes]:
    """Return the files of a package, but its migrations, whose names are drawn."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*.*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.match("alembic/versions/*.py")
    }


def session_settings(ini: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read(ini, "utf-8")
    settings = parser["app:main"].items()
    return {name: value for name, value in settings if name.startswith("session.") and "key" not in name}


def follow_the_tutorial(project: Project) -> None:
    """Do what its blocks say; those that show code show the demo's."""
    shown = None
    for step in steps(DOCS / "tutorial.md"):
        if step.language == "sh":
            assert step.code == f"export SHOP=/path/to/the/clone/{DEMO.relative_to(ROOT)}/shop\n"
        elif step.language == "ini":
            for ini in INI_FILES:
                assert f"`{ini}`" in step.introduction
                project.edit(ini, r"^session\.preset = .*\n", escaped(step.code))
        elif step.language == "console":
            if step.code != "pserve development.ini\n":
                project.shell(f"SHOP={DEMO / 'shop'}\n{step.code}")
        else:
            shown = step.file or shown
            code = (DEMO / shown).read_text("utf-8")
            depths = (textwrap.indent(step.code, depth * " ") for depth in (0, 4, 8))
            assert any(lines in code for lines in depths), f"{shown} has not\n{step.code}"


def test_whoever_follows_the_tutorial_has_the_demo_and_it_runs(shop_project: Project, tmp_path: Path) -> None:
    follow_the_tutorial(shop_project)
    assert tree(shop_project.folder / "shop") == tree(DEMO / "shop")
    ours = session_settings(shop_project.folder / "development.ini")
    assert ours == session_settings(DEMO / "development.ini")

    port = free_port()
    shop_project.edit("development.ini", r"^listen = .*$", f"listen = 127.0.0.1:{port}")
    log = tmp_path / "served.log"
    with served(shop_project, port, log):
        desk, sofa = (Browser(f"http://127.0.0.1:{port}") for _ in range(2))
        assert "Round teapot: 1 in your cart." in desk.page("/cart/add", slug="round-teapot")
        assert "Welcome, Ada Lindqvist." in desk.page("/login", name="ada", password="tea-at-four")
        assert 'id="cart-count">1<' in desk.page("/")
        sofa.page("/login", name="ada", password="tea-at-four", remember_me="yes")
        assert [cookie.expires is None for jar in (desk, sofa) for cookie in jar.cookies] == [True, False]
        assert "One other device is logged out." in desk.page("/devices/end-others", all="yes")
        assert "Ada Lindqvist" not in sofa.page("/")
        assert not LOGGED_PROBLEM.search(log.read_text()), log.read_text()
    is_ready_for_production(shop_project)


def is_ready_for_production(project: Project) -> None:
    """Do with what the tutorial leaves what it and the Quick Start say before others use it."""
    for page, command in (
        (ROOT / "README.md", "chmod o-rwx production.ini"),
        (DOCS / "tutorial.md", "pyramid-sessions doctor production.ini"),
        (DOCS / "tutorial.md", "pyramid-sessions purge production.ini"),
    ):
        assert f"`{command}`" in page.read_text()
        printed = project.shell(command)
        assert "doctor" not in command or "Errors: 0, warnings: 0." in printed, printed


def test_the_page_on_pypi_gives_the_same_steps() -> None:
    page = (ROOT / "packages" / "meta" / "README.md").read_text()
    for language, mentions in (
        ("python", "`yourproject/models/session.py`"),
        ("python", "`get_engine()`"),
        ("ini", "`development.ini`"),
        ("python", "`yourproject/__init__.py`"),
    ):
        assert textwrap.indent(the_step(language, mentions), "    ") in page
    for command in (the_step("console", "Generate a key") + the_step("console", "Alembic")).splitlines():
        assert f"`{command}`" in page
