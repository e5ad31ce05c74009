"""What the page about tenants tells people to write keeps tenants apart, and their sessions alive."""

from __future__ import annotations

import logging
import secrets

import pytest
import webtest
from pages import DOCS, blocks, run
from pyramid.config import Configurator
from pyramid_sqlalchemy_sessions import generate_secret_key
from pytest_websession.clock import ManualClock
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

PAGE = DOCS / "how-to" / "tenants.md"
HOSTS = ["a.example.com", "b.example.com"]

pytestmark = pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)


def with_policy(engine, page):
    """Make the tables, with the page's policy, and return an engine of a role that it holds for."""
    role = f"tenant_{secrets.token_hex(4)}"
    page["Base"].metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'x'"))
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"))
        for statement in "".join(blocks(PAGE, "sql")).split(";\n"):
            connection.execute(text(statement or "SELECT 1"))
    return create_engine(engine.url.set(username=role, password="x"))


def with_schemas(engine, page):
    """Make the tables in each tenant's schema; nothing but the search_path tells them apart."""
    page["Session"].__table__.columns["tenant"].server_default = None
    page["Session"].__table__.columns["tenant"].nullable = True
    for schema in ("tenant_a", "tenant_b"):
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
            connection.execute(text(f"SET LOCAL search_path TO {schema}"))
            page["Base"].metadata.create_all(connection)
    return create_engine(engine.url)


@pytest.fixture(params=["row-level security", "search_path"])
def site(request, websession_database_url):
    """Return the application's clock, and a browser for each tenant."""
    page = run(PAGE)
    if request.param == "row-level security":
        # The page's last block has another `tell_tenant`.
        exec(blocks(PAGE, "python")[1], page)
    administrator = create_engine(websession_database_url)
    set_up = with_policy if request.param == "row-level security" else with_schemas
    engine = set_up(administrator, page)
    with Configurator(
        settings={
            "tm.manager_hook": "pyramid_tm.explicit_manager",
            "session.secret_key": generate_secret_key(),
            "session.model_class": page["Session"],
            "session.idle_timeout": "600",
            "session.extension_delay": "60",
        }
    ) as config:
        config.include("pyramid_tm")
        config.include("pyramid_sqlalchemy_sessions")
        config.registry["dbsession_factory"] = sessionmaker(engine)
        page["includeme"](config)
        for name in ("login", "who"):
            config.add_route(name, f"/{name}")
        config.add_view(lambda request: request.session.login(7), route_name="login", renderer="json")
        config.add_view(lambda request: request.session.userid, route_name="who", renderer="json")
    app = config.make_wsgi_app()
    clock = ManualClock(1_800_000_000)
    clock.govern(app)
    by_https = {"wsgi.url_scheme": "https"}
    yield clock, [webtest.TestApp(app, extra_environ={"HTTP_HOST": host, **by_https}) for host in HOSTS]
    assert engine.pool.checkedout() == 0
    engine.dispose()
    administrator.dispose()


def test_a_session_stays_as_long_as_it_is_used_and_is_seen_by_its_tenant_alone(site, caplog):
    clock, (browser, others) = site
    browser.get("/login")
    for _ in range(6):
        clock.advance(200)
        assert browser.get("/who").json == 7
    others.set_cookie("websession", browser.cookies["websession"])
    assert others.get("/who").json is None
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_session_is_revoked_when_an_old_cookie_of_it_is_shown(site):
    clock, (browser, _) = site
    thief = webtest.TestApp(browser.app, extra_environ=browser.extra_environ)
    browser.get("/login")
    thief.set_cookie("websession", browser.cookies["websession"])
    browser.get("/login")
    clock.advance(121)
    assert thief.get("/who").json is None
    assert browser.get("/who").json is None
