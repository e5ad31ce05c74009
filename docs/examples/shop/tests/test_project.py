"""The project around the application: ini files, storage, commands."""

import shutil
import stat
import subprocess
import sysconfig
from pathlib import Path

import pytest
from pyramid.paster import get_app, get_appsettings
from shop import models
from shop.models import Product, User
from shop.models.meta import Base
from shop.scripts.demo import SESSION_SETTINGS, open_database
from shop.scripts.initialize_db import main as initialize_db
from shop.storage import ensure_database, ensure_secret_key, has_other_tables
from sqlalchemy import URL, func, select
from webtest import TestApp

PROJECT = Path(__file__).parents[1]
COMMANDS = Path(sysconfig.get_path("scripts")) / "pyramid-sessions"


@pytest.fixture
def checkout(tmp_path):
    """A copy of the ini files, so that what they name lands beside the copy."""
    for name in ("development.ini", "production.ini"):
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def new_engine(tmp_path):
    engines = []

    def make(name="shop.sqlite"):
        engines.append(
            models.get_engine({"sqlalchemy.url": URL.create("sqlite", database=str(tmp_path / name))})
        )
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


def count(engine, model):
    with engine.begin() as connection:
        return connection.scalar(select(func.count()).select_from(model))


@pytest.mark.parametrize("ini", ["development.ini", "production.ini"])
def test_an_ini_file_works_once_the_database_is_initialized(checkout, ini, capsys, monkeypatch):
    monkeypatch.setattr("shop.scripts.initialize_db.setup_logging", lambda _uri: None)
    assert initialize_db([str(checkout / ini)]) == 0
    assert capsys.readouterr().out == "The database is ready.\n"
    app = get_app(str(checkout / ini))
    try:
        page = TestApp(app).get("/", extra_environ={"wsgi.url_scheme": "https"})
    finally:
        app.registry["dbsession_factory"].kw["bind"].dispose()
    assert "Round teapot" in page


@pytest.mark.parametrize("ini", ["development.ini", "production.ini"])
def test_a_cart_waits_for_a_fortnight_though_the_browser_is_closed(checkout, ini, monkeypatch):
    monkeypatch.setattr("shop.scripts.initialize_db.setup_logging", lambda _uri: None)
    initialize_db([str(checkout / ini)])
    app = get_app(str(checkout / ini))
    try:
        browser = TestApp(app, extra_environ={"wsgi.url_scheme": "https", "HTTP_HOST": "localhost"})
        form = browser.get("/products/round-teapot").forms["buy"]
        answer = form.submit(status=303, headers={"Origin": "https://localhost"})
    finally:
        app.registry["dbsession_factory"].kw["bind"].dispose()
    (cookie,) = answer.headers.getall("Set-Cookie")
    assert "Max-Age=1209600;" in cookie


@pytest.mark.parametrize("ini", ["development.ini", "production.ini"])
def test_the_commands_find_nothing_to_mend(checkout, ini, monkeypatch):
    monkeypatch.setattr("shop.scripts.initialize_db.setup_logging", lambda _uri: None)
    initialize_db([str(checkout / ini)])
    for command, line in (
        ("doctor", "Errors: 0, warnings: 0."),
        ("purge", "0 sessions deleted"),
    ):
        words = [COMMANDS, command, ini]
        done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=True)
        assert line in done.stdout


def test_initializing_twice_changes_nothing(checkout, monkeypatch):
    monkeypatch.setattr("shop.scripts.initialize_db.setup_logging", lambda _uri: None)
    initialize_db([str(checkout / "development.ini")])
    key = (checkout / "var" / "secret.key").read_text()
    initialize_db([str(checkout / "development.ini")])
    assert (checkout / "var" / "secret.key").read_text() == key


@pytest.mark.parametrize("ini", ["development.ini", "production.ini"])
def test_an_ini_file_says_what_the_demo_command_does_and_holds_no_key(checkout, ini):
    settings = get_appsettings(str(checkout / ini))
    assert settings["session.secret_key"] == f"file:{checkout}/var/secret.key"
    assert {name: settings[name] for name in SESSION_SETTINGS} == {
        name: str(value) for name, value in SESSION_SETTINGS.items()
    }


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path):
    file = tmp_path / "var" / "secret.key"
    ensure_secret_key(file)
    key = file.read_text()
    ensure_secret_key(file)
    assert file.read_text() == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_two_shops_have_two_keys(tmp_path):
    for name in ("one", "two"):
        ensure_secret_key(tmp_path / name)
    assert (tmp_path / "one").read_text() != (tmp_path / "two").read_text()


def test_an_empty_database_is_filled_once(new_engine):
    engine = new_engine()
    for _ in range(2):
        ensure_database(engine)
        assert (count(engine, Product), count(engine, User)) == (8, 3)
    assert not has_other_tables(engine)


def test_a_database_of_another_version_is_set_aside_and_replaced(new_engine, tmp_path, capsys):
    engine = new_engine()
    ensure_database(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE product ADD COLUMN weight INTEGER")
    assert has_other_tables(engine)
    engine.dispose()

    replaced = open_database({"sqlalchemy.url": engine.url})
    assert count(replaced, Product) == 8
    assert not has_other_tables(replaced)
    replaced.dispose()
    assert has_other_tables(new_engine("shop.sqlite.old"))
    assert "shop.sqlite.old" in capsys.readouterr().out


def test_every_constraint_has_a_name(new_engine):
    unnamed = [
        constraint
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if constraint.name is None
    ]
    assert unnamed == []


def test_foreign_keys_are_enforced(new_engine):
    engine = new_engine()
    ensure_database(engine)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
