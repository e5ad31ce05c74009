"""An application that lacks something is told so in plain words: at the start, or at the first use."""

from __future__ import annotations

import pytest
from pyramid.interfaces import ISessionFactory
from pyramid.path import DottedNameResolver
from pyramid.request import Request
from pyramid.response import Response
from pyramid.session import JSONSerializer
from pyramid.testing import DummyRequest
from site_under_test import SECRET_KEY, Session, Site
from sqlalchemy.orm import sessionmaker
from websession_core import ConfigurationError, NoTransactionError
from websession_pyramid import UnsupportedSetupError


@pytest.fixture
def warnings(caplog):
    """Return what the log has warned of."""
    return lambda: [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.fixture
def make_site(tmp_path):
    """Make applications on SQLite: nothing here depends on the engine."""
    sites = []

    def make(**options):
        sites.append(Site(url=f"sqlite:///{tmp_path / 'site.sqlite'}", **options))
        return sites[-1]

    yield make
    for site in sites:
        site.engine.dispose()


def other_name(site_factory, **options):
    """Make a site that expects its database session under a name that nobody gives to requests."""
    return site_factory(settings={"session.dbsession_name": "db"}, **options)


class TestWithoutADatabaseSession:
    def test_the_start_says_what_to_add(self, make_site, warnings):
        other_name(make_site)
        (warning,) = warnings()
        assert "no attribute 'db'" in warning
        assert "session.dbsession_name" in warning
        assert "zope.sqlalchemy.register" in warning

    def test_the_first_use_says_what_to_add(self, make_site):
        browser = other_name(make_site).browser()
        with pytest.raises(UnsupportedSetupError, match=r"config\.add_request_method\(make_session, 'db'"):
            browser.get("/start")

    def test_an_error_page_renders_all_the_same(self, make_site):
        def page(error, request):
            return Response(f"{type(error).__name__} {dict(request.session)}", status=500)

        browser = other_name(make_site, error_page=page).browser()
        assert browser.get("/start", status=500).text == "UnsupportedSetupError {}"

    def test_a_subscriber_may_be_what_gives_it(self, make_site, warnings):
        def give(event):
            event.request.db = event.request.dbsession

        site = other_name(
            make_site, configure=lambda config: config.add_subscriber(give, "pyramid.events.NewRequest")
        )
        assert warnings() == []
        browser = site.browser()
        browser.get("/start")
        assert browser.get("/look").json == {"a": 1}

    def test_a_request_factory_may_be_what_gives_it(self, make_site, warnings):
        class DatabaseRequest(Request):
            @property
            def db(self):
                return self.dbsession

        site = other_name(make_site, configure=lambda config: config.set_request_factory(DatabaseRequest))
        assert warnings() == []
        browser = site.browser()
        browser.get("/start")
        assert browser.get("/look").json == {"a": 1}

    def test_an_attribute_error_of_the_applications_own_stays_one(self, make_site):
        site = make_site(dbsession_factory=lambda request: request.no_such_thing)
        with pytest.raises(AttributeError, match="no_such_thing"):
            site.browser().get("/start")

    @pytest.mark.parametrize("thing", [None, sessionmaker()], ids=["nothing", "a sessionmaker"])
    def test_something_else_under_its_name_is_told(self, make_site, thing):
        site = make_site(dbsession_factory=lambda request: thing)
        with pytest.raises(UnsupportedSetupError, match=f"no SQLAlchemy session.*{type(thing).__name__}"):
            site.browser().get("/start")


class TestWithoutPyramidTm:
    def test_the_start_and_the_first_change_say_what_to_include(self, make_site, warnings):
        site = make_site(tm=False, retry=False, dbsession_factory=lambda request: sessionmaker(site.engine)())
        (warning,) = warnings()
        assert "config.include('pyramid_tm')" in warning
        with pytest.raises(NoTransactionError, match="Include pyramid_tm"):
            site.browser().get("/start")


def test_a_database_session_that_is_not_registered_is_told_at_the_first_change(make_site):
    site = make_site(dbsession_factory=lambda request: sessionmaker(site.engine)())
    with pytest.raises(UnsupportedSetupError, match=r"zope\.sqlalchemy\.register\(dbsession"):
        site.browser().get("/start")


class TestAFactoryByDottedNameAndArguments:
    """As `pyramid_fullauth` makes it, which gives every factory a serializer."""

    NAME = "websession_pyramid.get_session_factory"

    def make(self, **arguments):
        factory = DottedNameResolver().resolve(self.NAME)
        return factory(serializer=JSONSerializer(), **arguments)

    def test_serves(self, make_site):
        donor = make_site()
        factory = self.make(secret_key=SECRET_KEY, model_class="site_under_test.Session", cookie_name="shop")
        assert factory.settings.model_class is Session

        def include(config):
            config.commit()
            config.set_session_factory(factory)

        site = make_site(configure=include)
        assert site.app.registry.getUtility(ISessionFactory) is factory
        browser = site.browser()
        browser.get("/start")
        assert set(browser.cookies) == {"shop"}
        assert donor.count(Session) == 1

    def test_says_what_is_wrong_as_pyramids_own_factories_do(self):
        with pytest.raises(ValueError, match="cookie_path") as refusal:
            self.make(secret_key=SECRET_KEY, model_class=Session, cookie_path="x")
        assert isinstance(refusal.value, ConfigurationError)


def test_the_answer_to_a_bare_request_gets_its_cookie(make_site):
    site, response = make_site(), Response()
    site.factory.jar.set(DummyRequest(), response, "token", None)
    assert response.headers["Set-Cookie"].startswith("websession=token;")
