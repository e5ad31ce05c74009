"""Bookkeeping goes where the row is: to the schema and the engine of the connection that has read it."""

from __future__ import annotations

import pytest
import zope.sqlalchemy
from pyramid.events import NewResponse
from site_under_test import FullSession
from sqlalchemy import text
from sqlalchemy.orm import Session as DatabaseSession
from websession_pyramid import ReplayDetected

TENANT = {"schema_translate_map": {None: "tenant"}}
ON_POSTGRESQL = pytest.mark.parametrize("websession_engine_name", ["postgresql"], indirect=True)


@pytest.fixture
def events():
    return []


@pytest.fixture(params=["schema", "engine"])
def site(make_site, request, events):
    """An application whose tenants have a schema each, on one engine or each on an engine of its own."""
    engines = []

    def dbsession(request_of_a_tenant):
        engine = engines[-1]
        if request_of_a_tenant.environ.get("tenant.is_over"):
            raise LookupError("nobody's request")
        session = TenantSession(engine, request_of_a_tenant)
        zope.sqlalchemy.register(session, transaction_manager=request_of_a_tenant.tm)
        if request.param == "schema":
            session.connection(execution_options=TENANT)
        return session

    class TenantSession(DatabaseSession):
        def __init__(self, engine, request_of_a_tenant):
            super().__init__()
            self.engine, self.request = engine, request_of_a_tenant

        def get_bind(self, *arguments, **options):
            if self.request.environ.get("tenant.is_over"):
                raise LookupError("the tenant is known during the request only")
            return self.engine

    def over(event):
        event.request.environ["tenant.is_over"] = True

    site = make_site(
        model=FullSession,
        settings={"session.idle_timeout": "600", "session.extension_delay": "60"},
        dbsession_factory=dbsession,
        configure=lambda config: (
            config.add_subscriber(over, NewResponse),
            config.add_subscriber(events.append, ReplayDetected),
        ),
    )
    engines.append(site.engine if request.param == "schema" else site.engine.execution_options(**TENANT))
    with site.engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA tenant"))
    with site.engine.connect().execution_options(**TENANT) as connection:
        FullSession.metadata.create_all(connection)
        connection.commit()
    site.views["login"] = lambda request: request.session.login(7)
    site.views["look"] = lambda request: request.session.userid
    return site


@ON_POSTGRESQL
class TestATenantsSession:
    """A session in a tenant's schema, where `get_bind` knows the tenant during the request only."""

    def test_stays_as_long_as_it_is_used(self, site):
        browser = site.browser()
        browser.get("/login")
        for _ in range(6):
            site.clock.advance(200)
            assert browser.get("/look").json_body == 7

    def test_is_revoked_where_it_is_when_an_old_cookie_of_it_is_shown(self, site, events):
        browser, thief = site.browser(), site.browser()
        browser.get("/login")
        thief.set_cookie("websession", browser.cookies["websession"])
        browser.get("/login")
        site.clock.advance(121)
        assert thief.get("/look").json_body is None
        assert len(events) == 1
        assert browser.get("/look").json_body is None
