"""Two ways to test an application that keeps sessions in its database.

`testapp` does as that of Pyramid's cookiecutter does: everything one test does happens in one transaction,
which is given up at the end. It is the browser of the plugin pytest-websession, which finds our `app`.
`browser` and `new_browser` commit for real, each test in a database file of its own.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import pytest_websession.browser
from pyramid_sqlalchemy_sessions import generate_secret_key
from shop import main, models
from shop.scripts.demo import SESSION_SETTINGS
from shop.seeds import DEMO_USERS
from shop.storage import ensure_database
from sqlalchemy import URL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyramid.router import Router
    from sqlalchemy import Engine
    from webtest import TestResponse

ADA, NOOR, PIM = DEMO_USERS


class Browser(pytest_websession.browser.Browser):
    """A browser with cookies of its own, and with the things that many tests do first."""

    ADDRESS: ClassVar = {
        "name": "Ida Brenner",
        "street": "Lindenstraße 12",
        "postcode": "10115",
        "city": "Berlin",
        "country": "DE",
    }

    @property
    def session_cookie(self) -> str | None:
        """The user's cookie, or else the visitor's."""
        return self.cookies.get("websession") or self.cookies.get("websession-visitor")

    def add(self, slug: str, quantity: int = 1) -> TestResponse:
        form = self.get(f"/products/{slug}").forms["buy"]
        form["quantity"] = quantity
        return form.submit(status=303).follow()

    def log_in(self, user: Any = ADA, page: str = "/login") -> TestResponse:
        form = self.get(page).forms["login"]
        form["name"], form["password"] = user.name, user.password
        return form.submit(status=303).follow()

    def send_login(self, user: Any = ADA, *, remember_me: bool = False) -> TestResponse:
        """Send what the login form would, also while somebody is logged in; the answer to it."""
        page = self.get("/cart")
        fields = {"name": user.name, "password": user.password}
        fields["csrf_token"] = page.html.select_one("[name=csrf_token]")["value"]
        if remember_me:
            fields["remember_me"] = "yes"
        return self.post("/login", fields, headers={"Referer": page.request.url}, status=303)

    def log_out(self) -> TestResponse:
        page = self.get("/")
        form = next(form for form in page.forms.values() if form.action == "/logout")
        return form.submit(status=303).follow()

    def choose_theme(self, theme: str, page: str = "/") -> TestResponse:
        forms = self.get(page).forms.values()
        form = next(form for form in forms if form.action == "/theme")
        return form.submit("theme", value=theme, status=303).follow()

    def fill_address(self, **changes: str) -> TestResponse:
        """Send the first step of the checkout; the answer to it."""
        return self.fill(self.get("/checkout/address"), {**self.ADDRESS, **changes})

    def fill_delivery(self, **answers: str) -> TestResponse:
        """Send the second step of the checkout; the answer to it."""
        return self.fill(self.get("/checkout/delivery"), {"method": "courier", **answers})

    def review(self) -> TestResponse:
        """Fill in the first two steps; the page of the third."""
        self.fill_address()
        self.fill_delivery()
        return self.get("/checkout/review")

    @staticmethod
    def fill(page: TestResponse, answers: dict[str, str]) -> TestResponse:
        form = page.forms["checkout"]
        for name, value in answers.items():
            form[name].force_value(value)
        return form.submit(status="*")


def engine_on(file: Path) -> Iterator[Engine]:
    engine = models.get_engine({"sqlalchemy.url": URL.create("sqlite", database=str(file))})
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def app_settings() -> dict[str, Any]:
    return {**SESSION_SETTINGS, "session.secret_key": generate_secret_key()}


@pytest.fixture(scope="session")
def filled_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as a shop has it on its first day, to copy from: hashing passwords takes its time."""
    file = tmp_path_factory.mktemp("shop") / "filled.sqlite"
    for engine in engine_on(file):
        ensure_database(engine)
    return file


# Real commits


@pytest.fixture(scope="session")
def database_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop") / "shop.sqlite"


@pytest.fixture(scope="session")
def long_lived_engine(database_file: Path) -> Iterator[Engine]:
    yield from engine_on(database_file)


@pytest.fixture(scope="session")
def long_lived_shop(long_lived_engine: Engine, app_settings: dict[str, Any]) -> Router:
    """Starting an application takes longer than most tests: they share one, and only its database is new."""
    return main({}, dbengine=long_lived_engine, **app_settings)


@pytest.fixture
def database(filled_database: Path, database_file: Path, long_lived_engine: Engine) -> Iterator[Path]:
    shutil.copy(filled_database, database_file)
    yield database_file
    # SQLite writes its log into the file and removes it once the last connection is closed.
    long_lived_engine.dispose()


@pytest.fixture
def shop(long_lived_shop: Router, database: Path) -> Router:
    return long_lived_shop


@pytest.fixture
def restarted_shop(database: Path, app_settings: dict[str, Any]) -> Iterator[Router]:
    """The application as a new process would start it: nothing but the database and the key is the same."""
    for engine in engine_on(database):
        yield main({}, dbengine=engine, **app_settings)


@pytest.fixture
def engine(database: Path) -> Iterator[Engine]:
    """For a look at what was committed, and for breaking things."""
    yield from engine_on(database)


@pytest.fixture
def new_browser(shop: Router) -> Callable[[], Browser]:
    """As a visitor on this machine, where the shop is served by plain http."""
    here = {"wsgi.url_scheme": "http", "SERVER_PORT": "80", "HTTP_HOST": "localhost:80"}
    return lambda: Browser(shop, here)


@pytest.fixture
def browser(new_browser: Callable[[], Browser]) -> Browser:
    return new_browser()


# One outer transaction, as in the cookiecutter


@pytest.fixture(scope="session")
def dbengine(filled_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    file = shutil.copy(filled_database, tmp_path_factory.mktemp("shop") / "functional.sqlite")
    yield from engine_on(file)


@pytest.fixture(scope="session")
def app(app_settings: dict[str, Any], dbengine: Engine) -> Router:
    return main({}, dbengine=dbengine, **app_settings)


@pytest.fixture
def websession_browser_class() -> type[Browser]:
    return Browser


@pytest.fixture
def testapp(websession_browser: Browser) -> Browser:
    return websession_browser
