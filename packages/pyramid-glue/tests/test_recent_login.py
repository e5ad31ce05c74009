"""Views that want a recent login (ASVS 7.5), and which session they ask."""

from __future__ import annotations

import pytest
from pyramid.authentication import SessionAuthenticationHelper
from pyramid.httpexceptions import HTTPForbidden
from pyramid.response import Response
from pyramid.security import remember
from site_under_test import SECRET_KEY, Base, FullSession, Session
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column
from websession_core.errors import ConfigurationError
from websession_models import AuthenticatedAtMixin, BaseMixin, FullyFeaturedSession, UseridMixin
from websession_pyramid import (
    RecentLoginRequired,
    SessionSecurityPolicy,
    active_sessions,
    get_session_factory,
    web_session_factories,
)

WEEK = 7 * 24 * 3600


class StaffSession(FullyFeaturedSession, Base):
    """The model of the administrators' session."""

    __tablename__ = "staff_session"


class Account(Base):
    """Somebody who can be deleted."""

    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)


class AccountSession(UseridMixin, AuthenticatedAtMixin, BaseMixin, Base):
    """The session of somebody who can be deleted."""

    __tablename__ = "account_session"
    userid: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))


class PolicyOfItsOwn:
    """A security policy that shows nothing of what it reads."""

    def identity(self, request):
        return request.admin_session.userid

    def authenticated_userid(self, request):
        return self.identity(request)

    def permits(self, request, context, permission):
        return self.identity(request) is not None

    def remember(self, request, userid, **options):
        request.admin_session.login(userid)
        return []

    def forget(self, request, **options):
        request.admin_session.invalidate()
        return []


class PolicyAroundOurs(PolicyOfItsOwn):
    """A security policy that has one of ours in an attribute."""

    def __init__(self, *policies):
        self.helpers = {policy.session: policy for policy in policies}


class PolicyWithOursOnItsClass(PolicyOfItsOwn):
    """A security policy that has one of ours in an attribute of the class."""

    helper = SessionSecurityPolicy(session="admin_session")


class PolicyThatIsOurs(SessionSecurityPolicy):
    """A subclass of ours."""

    def __init__(self):
        super().__init__(session="admin_session")


SHOP_AND_STAFF = [SessionSecurityPolicy(), SessionSecurityPolicy(session="admin_session")]


def protected(*, policy=None, recent_login=300, staff=True, **view):
    """Configure a view that wants a recent login, in an application with two sessions."""

    def configure(config):
        if staff:
            config.add_web_session("admin_session")
        if policy is not None:
            config.set_security_policy(policy)
        config.add_route("secret", "/-/secret")
        config.add_view(secret, route_name="secret", recent_login=recent_login, **view)
        config.add_exception_view(
            lambda exception, request: Response(f"confirm: {exception.seconds}", status=403),
            context=RecentLoginRequired,
        )

    return configure


def secret(request):
    """Answer anyone who gets here."""
    return Response("secret")


@pytest.fixture
def make(make_site):
    def make(configure, model=FullSession, staff_model=StaffSession):
        site = make_site(
            model=model,
            configure=configure,
            settings={
                "tm.annotate_user": "false",
                "admin_session.secret_key": SECRET_KEY,
                "admin_session.model_class": staff_model,
                "admin_session.cookie_name": "admin",
            },
        )
        for factory in web_session_factories(site.app.registry).values():
            factory.clock = site.clock
        site.views["enter"] = lambda request: request.session.login(7)
        site.views["enter_staff"] = lambda request: request.admin_session.login(1)
        return site

    return make


class TestRecentLogin:
    """`recent_login=300`, in an application with one session."""

    @pytest.fixture
    def site(self, make):
        return make(protected(staff=False))

    def test_a_recent_login_opens_the_view_and_an_older_one_its_exception_view(self, site):
        browser = site.browser()
        assert browser.get("/-/secret", status=403).text == "confirm: 300"
        browser.get("/enter")
        assert browser.get("/-/secret").text == "secret"
        site.clock.advance(300)
        assert browser.get("/-/secret").text == "secret"
        site.clock.advance(1)
        assert browser.get("/-/secret", status=403).text == "confirm: 300"
        browser.get("/enter")
        assert browser.get("/-/secret").text == "secret"

    def test_it_is_a_forbidden_for_who_has_no_view_for_it(self):
        assert issubclass(RecentLoginRequired, HTTPForbidden)

    @pytest.mark.parametrize("wrong", [0, -1, True, "300"])
    def test_a_senseless_number_of_seconds_stops_the_start(self, make, wrong):
        with pytest.raises(Exception, match="recent_login takes a number of seconds"):
            make(protected(staff=False, recent_login=wrong))

    def test_a_user_who_was_disabled_after_the_login_is_refused(self, make):
        people = {7: "Anna"}
        policy = SessionSecurityPolicy(identity=lambda request, userid: people.get(userid))
        site = make(protected(staff=False, policy=policy))
        browser = site.browser()
        browser.get("/enter")
        assert browser.get("/-/secret").text == "secret"
        people.clear()
        assert browser.get("/-/secret", status=403).text == "confirm: 300"

    def test_a_user_whom_the_database_took_away_is_refused_without_a_policy(self, make):
        site = make(protected(staff=False), model=AccountSession)
        with site.dbsession_maker.begin() as dbsession:
            dbsession.add(Account(id=7))
        browser = site.browser()
        browser.get("/enter")
        assert browser.get("/-/secret").text == "secret"

        @site.view
        def delete(request):
            # What ON DELETE SET NULL does; SQLite does it only if told to.
            request.session.row().userid = None

        browser.get("/delete")
        assert browser.get("/-/secret", status=403).text == "confirm: 300"


@pytest.mark.parametrize(
    "policy",
    [
        SessionSecurityPolicy(session="admin_session"),
        PolicyThatIsOurs(),
        PolicyAroundOurs(SessionSecurityPolicy(session="admin_session")),
        PolicyWithOursOnItsClass(),
    ],
    ids=lambda policy: type(policy).__name__,
)
class TestTheSessionOfThePolicy:
    """The session whose login counts is the one that the security policy reads."""

    def test_opens_the_view_for_its_own_recent_login(self, make, policy):
        site = make(protected(policy=policy))
        browser = site.browser()
        browser.get("/enter_staff")
        assert browser.get("/-/secret").text == "secret"

    def test_is_not_refreshed_by_a_login_to_another_session(self, make, policy):
        site = make(protected(policy=policy))
        thief = site.browser()
        thief.get("/enter_staff")
        site.clock.advance(WEEK)
        thief.get("/enter")
        assert thief.get("/-/secret", status=403).text == "confirm: 300"

    def test_lists_the_devices(self, make, policy):
        site = make(protected(policy=policy))
        site.views["devices"] = lambda request: [each.userid for each in active_sessions(request).of()]
        browser = site.browser()
        browser.get("/enter")
        browser.get("/enter_staff")
        assert browser.get("/devices").json_body == [1]


class TestASessionThatIsNamed:
    """`recent_login=(300, "admin_session")`."""

    @pytest.mark.parametrize("policy", [PolicyOfItsOwn(), PolicyAroundOurs(*SHOP_AND_STAFF)])
    def test_is_asked_whatever_the_policy_shows(self, make, policy):
        site = make(protected(policy=policy, recent_login=(300, "admin_session")))
        browser = site.browser()
        browser.get("/enter")
        assert browser.get("/-/secret", status=403).text == "confirm: 300"
        browser.get("/enter_staff")
        assert browser.get("/-/secret").text == "secret"

    def test_may_be_one_that_the_application_makes_itself(self, make):
        factory = get_session_factory(SECRET_KEY, StaffSession, cookie_name="staff")

        def configure(config):
            config.add_request_method(factory, "staff_session", reify=True)
            protected(recent_login=(300, "staff_session"), staff=False)(config)

        site = make(configure)
        factory.clock = site.clock
        site.views["enter_staff"] = lambda request: request.staff_session.login(1)
        browser = site.browser()
        assert browser.get("/-/secret", status=403).text == "confirm: 300"
        browser.get("/enter_staff")
        assert browser.get("/-/secret").text == "secret"

    def test_must_exist(self, make):
        with pytest.raises(ConfigurationError) as caught:
            make(protected(recent_login=(300, "staff")))
        (mistake,) = caught.value.mistakes
        assert mistake.setting == f"recent_login of {__name__}.secret"
        assert mistake.value == "'staff'"
        assert "they have session, admin_session" in mistake.problem

    @pytest.mark.parametrize(
        "wrong", [(300, 5), (300, None, 1), ("admin_session", 300), [300, "admin_session"]]
    )
    def test_comes_after_the_seconds(self, make, wrong):
        with pytest.raises(Exception, match="recent_login takes"):
            make(protected(recent_login=wrong))


class TestAnApplicationThatDoesNotStart:
    """What cannot be told, or never holds, is a mistake of the configuration."""

    @pytest.mark.parametrize(
        "policy",
        [None, PolicyOfItsOwn(), PolicyAroundOurs(*SHOP_AND_STAFF)],
        ids=["no policy", "a policy of its own", "a policy over both"],
    )
    def test_because_either_session_may_be_meant(self, make, policy):
        with pytest.raises(ConfigurationError) as caught:
            make(protected(policy=policy))
        (mistake,) = caught.value.mistakes
        assert mistake.setting == f"recent_login of {__name__}.secret"
        assert "session" in mistake.problem
        assert "admin_session" in mistake.problem
        assert 'recent_login=(300, "' in mistake.remedy

    def test_because_the_model_does_not_know_when_its_user_logged_in(self, make):
        with pytest.raises(ConfigurationError, match="Session lacks UseridMixin and AuthenticatedAtMixin"):
            make(protected(staff=False), model=Session)

    def test_names_every_mistake_at_once(self, make):
        def configure(config):
            protected()(config)
            config.add_view(secret, name="other", recent_login=(60, "nobody"))

        with pytest.raises(ConfigurationError) as caught:
            make(configure)
        assert len(caught.value.mistakes) == 2

    def test_is_none_where_pyramids_own_helper_shows_that_it_reads_the_first_session(self, make):
        class Policy(PolicyOfItsOwn):
            def __init__(self):
                self.helper = SessionAuthenticationHelper()

            def identity(self, request):
                return self.helper.authenticated_userid(request)

            def remember(self, request, userid, **options):
                return self.helper.remember(request, userid, **options)

        site = make(protected(policy=Policy()))
        site.views["helper"] = lambda request: remember(request, 7)
        browser = site.browser()
        browser.get("/helper")
        # It keeps the userid among the data, where no login can be seen.
        assert browser.get("/-/secret", status=403).text == "confirm: 300"
