"""The session knows its user, and changes its identity with them."""

from __future__ import annotations

import uuid

import pytest
from pyramid.authentication import SessionAuthenticationHelper, SessionAuthenticationPolicy
from pyramid.authorization import ACLAuthorizationPolicy, Allow, Authenticated
from pyramid.interfaces import ISecurityPolicy
from pyramid.security import forget, remember
from site_under_test import Base, FullSession, Session, User, copy_cookies
from sqlalchemy import ForeignKey, String, Uuid, select, update
from sqlalchemy.orm import Mapped, mapped_column, relationship
from websession_core.errors import UnstorableValueError
from websession_models import BaseMixin, UseridMixin
from websession_pyramid import MissingFeatureError, SessionSecurityPolicy
from zope.interface.verify import verifyObject


class UuidSession(UseridMixin, BaseMixin, Base):
    """Users are known by UUIDs."""

    __tablename__ = "uuid_session"
    userid: Mapped[uuid.UUID | None] = mapped_column(Uuid)


class NamedSession(UseridMixin, BaseMixin, Base):
    """Users are known by their names."""

    __tablename__ = "named_session"
    userid: Mapped[str | None] = mapped_column(String(30))


class SessionWithUser(UseridMixin, BaseMixin, Base):
    """The user comes with the session."""

    __tablename__ = "session_with_user"
    userid: Mapped[int | None] = mapped_column(ForeignKey("shop_user.id"))
    user: Mapped[User | None] = relationship(lazy="joined")


def with_policy(policy):
    return lambda config: config.set_security_policy(policy)


@pytest.fixture
def site(make_site):
    site = make_site(model=FullSession)
    site.views["look"] = lambda request: [request.session.userid, request.session.copy()]

    @site.view
    def login(request):
        request.session.userid = 7

    @site.view
    def logout(request):
        request.session.userid = None

    site.views["regenerate"] = lambda request: request.session.regenerate()
    site.views["login_again"] = lambda request: request.session.login(7)
    return site


@pytest.fixture
def browser(site):
    browser = site.browser()
    browser.get("/start")
    return browser


def copy_of(site, browser):
    """Return a second browser that has the first one's cookie."""
    other = site.browser()
    copy_cookies(browser, other)
    return other


class HelperPolicy:
    """As Pyramid's own documentation writes it, over `request.session`."""

    def __init__(self, **options):
        self.helper = SessionAuthenticationHelper(**options)

    def authenticated_userid(self, request):
        return self.helper.authenticated_userid(request)

    def remember(self, request, userid, **options):
        return self.helper.remember(request, userid, **options)


class HiddenHelperPolicy:
    """One that makes the helper when it is asked."""

    def authenticated_userid(self, request):
        return SessionAuthenticationHelper().authenticated_userid(request)

    def remember(self, request, userid, **options):
        return SessionAuthenticationHelper().remember(request, userid, **options)


def legacy_policy(config):
    with pytest.warns(DeprecationWarning, match="deprecated"):
        config.set_authorization_policy(ACLAuthorizationPolicy())
    with pytest.warns(DeprecationWarning, match="deprecated"):
        config.set_authentication_policy(SessionAuthenticationPolicy(prefix="who."))


@pytest.mark.parametrize(
    "configure",
    [
        with_policy(HelperPolicy()),
        with_policy(HelperPolicy(prefix="mine.")),
        with_policy(HiddenHelperPolicy()),
        legacy_policy,
    ],
    ids=["a helper", "with a key of its own", "one that cannot be found", "a policy of Pyramid 1"],
)
def test_a_login_by_pyramids_own_helper_leaves_a_planted_cookie_outside(make_site, configure):
    site = make_site(configure=configure)
    site.views["login"] = lambda request: remember(request, 7) and None
    site.views["who"] = lambda request: request.authenticated_userid
    site.views["token"] = lambda request: request.session.get_csrf_token()
    browser = site.browser()
    token = browser.get("/token").json
    planter = copy_of(site, browser)
    browser.get("/login")
    assert [browser.get("/who").json, planter.get("/who").json] == [7, None]
    assert browser.get("/token").json != token


def test_a_login_that_a_fail_over_has_forgotten_opens_nothing_after_the_next(make_site):
    site = make_site(model=FullSession, settings={"session.renewal_timeout": 600})
    browser = site.browser()
    browser.get("/start")
    other = copy_of(site, browser)
    with site.engine.begin() as connection:
        before = connection.execute(select(FullSession.__table__)).one()
    browser.get("/login")
    with site.engine.begin() as connection:
        connection.execute(update(FullSession.__table__).values(**before._mapping))
    other.get("/login")
    assert other.get("/who").json == 7
    assert browser.get("/who").json is None


@pytest.mark.parametrize("how", ["login", "regenerate"])
class TestRotation:
    """Another user, or `regenerate()`: the identity changes, the row stays."""

    def test_the_old_cookie_is_dead_at_once(self, site, browser, how):
        fixated = copy_of(site, browser)
        response = browser.get(f"/{how}")
        set_cookies = [header.partition("=")[0] for header in response.headers.getall("Set-Cookie")]
        assert len(set_cookies) == len(set(set_cookies))
        assert ("websession" in set_cookies) is (how == "login")
        assert fixated.get("/look").json_body == [None, {}]
        assert browser.get("/look").json_body == [7 if how == "login" else None, {"a": 1}]

    def test_data_and_primary_key_stay(self, site, browser, how):
        before = site.rows()[0].id
        browser.get(f"/{how}")
        (row,) = site.rows()
        assert row.id == before
        assert row.epoch == 1
        assert row.rotated_at == site.clock.now

    def test_it_is_the_same_statement(self, site, browser, how):
        site.statements.clear()
        browser.get(f"/{how}")
        assert [each for each in site.statements if each != "BEGIN"] == ["SELECT", "UPDATE", "COMMIT"]

    def test_a_rollback_leaves_the_old_cookie_good(self, site, browser, how):
        old = site.views[how]

        def rolled_back(request):
            old(request)
            request.tm.doom()

        site.views[how] = rolled_back
        assert "Set-Cookie" not in browser.get(f"/{how}").headers
        assert browser.get("/look").json_body == [None, {"a": 1}]

    def test_a_rolled_back_savepoint_leaves_it_good_too(self, site, browser, how):
        old = site.views[how]

        def rolled_back(request):
            savepoint = request.dbsession.begin_nested()
            old(request)
            savepoint.rollback()

        site.views[how] = rolled_back
        assert "Set-Cookie" not in browser.get(f"/{how}").headers
        assert browser.get("/look").json_body == [None, {"a": 1}]

    @pytest.mark.parametrize("seconds", [0, 121, 10_000])
    def test_the_visitors_old_cookie_accuses_nobody_however_late(self, site, browser, how, seconds):
        planter = copy_of(site, browser)
        browser.get(f"/{how}")
        site.clock.advance(seconds)
        assert planter.get("/look").json_body == [None, {}]
        assert browser.get("/look").json_body == [7 if how == "login" else None, {"a": 1}]

    def test_a_late_request_with_the_users_old_cookie_puts_nothing_in_the_way_of_the_new_one(
        self, site, browser, how
    ):
        browser.get("/login")
        late = copy_of(site, browser)
        browser.get("/login_again" if how == "login" else f"/{how}")
        response = late.get("/start")
        assert "Set-Cookie" not in response.headers
        assert len(site.rows()) == 1

    def test_much_later_it_is_a_replay_and_both_are_dead(self, site, browser, how):
        browser.get("/login")
        thief = copy_of(site, browser)
        browser.get("/login_again" if how == "login" else f"/{how}")
        site.clock.advance(121)
        assert thief.get("/look").json_body == [None, {}]
        assert browser.get("/look").json_body == [None, {}]
        assert site.rows() == []
        assert site.activity() == []


def test_what_a_visitor_puts_in_late_does_not_overwrite_the_login(site, browser):
    late = copy_of(site, browser)
    browser.get("/login")
    response = late.get("/start")
    (header,) = response.headers.getall("Set-Cookie")
    assert header.startswith("websession-visitor=")
    assert browser.get("/look").json_body == [7, {"a": 1}]


def test_a_login_from_a_late_cookie_starts_a_session_of_its_own(site, browser):
    late = copy_of(site, browser)
    browser.get("/login")
    response = late.get("/login")
    assert "Set-Cookie" in response.headers
    assert late.get("/look").json_body == [7, {}]
    assert browser.get("/look").json_body == [7, {"a": 1}]


def test_twice_in_one_transaction_counts_twice(site, browser):
    @site.view
    def twice(request):
        request.session.login(1)
        request.session.row()
        request.session.login(1)

    browser.get("/twice")
    assert site.rows()[0].epoch == 2
    assert browser.get("/look").json_body == [1, {"a": 1}]


def test_the_same_user_again_changes_nothing_but_login_does(site, browser):
    browser.get("/login")
    cookie = browser.cookies["websession"]
    browser.get("/login")
    assert browser.cookies["websession"] == cookie
    site.views["again"] = lambda request: request.session.login(7)
    browser.get("/again")
    assert browser.cookies["websession"] != cookie
    assert site.rows()[0].epoch == 2


def test_the_token_against_request_forgery_is_replaced_with_a_login(site, make_site):
    for each in (site, make_site(model=NamedSession)):
        browser = each.browser()
        each.views["token"] = lambda request: request.session.get_csrf_token()
        named = each.model is NamedSession
        each.views["enter"] = lambda request, named=named: request.session.login("anna" if named else 7)
        token = browser.get("/token").json_body
        assert browser.get("/token").json_body == token
        browser.get("/enter")
        assert browser.get("/token").json_body != token


def test_the_token_has_a_column_of_its_own(site):
    browser = site.browser()
    site.views["token"] = lambda request: request.session.get_csrf_token()
    site.views["another"] = lambda request: request.session.new_csrf_token()
    token = browser.get("/another").json_body
    assert browser.get("/token").json_body == token
    (row,) = site.rows()
    assert row.csrf_token is not None
    assert row.csrf_token not in token  # a number, of which it is made
    assert row.data == {}
    site.views["clear"] = lambda request: request.session.clear()
    browser.get("/clear")
    assert browser.get("/token").json_body == token


@pytest.mark.parametrize(
    ("model", "userid", "wrong"),
    [
        (FullSession, 7, "7"),
        (FullSession, 7, True),
        (UuidSession, uuid.UUID(int=2**127 + 1), "x"),
        (NamedSession, "anna", 7),
    ],
)
def test_users_may_be_known_by_any_type(make_site, model, userid, wrong):
    site = make_site(model=model)
    browser = site.browser()

    @site.view
    def login(request):
        with pytest.raises(UnstorableValueError, match="userid"):
            request.session.userid = wrong
        request.session.userid = userid

    browser.get("/login")
    site.views["look"] = lambda request: request.session.userid == userid
    assert browser.get("/look").json_body is True
    assert site.rows()[0].userid == userid


def test_the_user_comes_with_the_session_in_its_own_single_query(make_site):
    site = make_site(model=SessionWithUser)
    with site.dbsession_maker.begin() as dbsession:
        dbsession.add(User(id=7, name="Anna"))
    browser = site.browser()
    site.views["look"] = lambda request: [request.session.row().user.name, request.session.copy()]
    browser.get("/login")
    site.statements.clear()
    assert browser.get("/look").json_body == ["Anna", {}]
    assert [each for each in site.statements if each != "BEGIN"] == ["SELECT"]


def test_a_model_that_knows_no_users_says_which_mixin_is_missing(make_site):
    site = make_site(model=Session)

    @site.view
    def it(request):
        with pytest.raises(MissingFeatureError, match="UseridMixin"):
            request.session.userid = 7
        with pytest.raises(MissingFeatureError, match="AuthenticatedAtMixin"):
            request.session.login_age  # noqa: B018 - the access is what is tested
        return hasattr(request.session, "userid")

    assert site.browser().get("/it").json_body is False


class TestSecurityPolicy:
    """`SessionSecurityPolicy` for Pyramid's security system."""

    def site(self, make_site, policy, **options):
        site = make_site(model=FullSession, configure=with_policy(policy), **options)
        site.views["enter"] = lambda request: remember(request, 7)
        site.views["leave"] = forget
        site.views["who"] = lambda request: [request.authenticated_userid, request.identity]
        return site

    def test_it_implements_the_interface(self):
        assert verifyObject(ISecurityPolicy, SessionSecurityPolicy())

    def test_login_and_logout(self, make_site):
        site = self.site(make_site, SessionSecurityPolicy())
        browser = site.browser()
        assert browser.get("/who").json_body == [None, None]
        assert browser.get("/enter").json_body == []
        assert browser.get("/who").json_body == [7, 7]
        assert browser.get("/leave").json_body == []
        assert browser.get("/who").json_body == [None, None]
        assert browser.cookies == {}
        assert site.rows() == []

    def test_a_user_who_is_gone_is_not_authenticated(self, make_site):
        people = {7: "Anna"}
        policy = SessionSecurityPolicy(identity=lambda request, userid: people.get(userid))
        site = self.site(make_site, policy)
        browser = site.browser()
        browser.get("/enter")
        assert browser.get("/who").json_body == [7, "Anna"]
        people.clear()
        assert browser.get("/who").json_body == [None, None]

    def test_permissions_come_from_access_control_lists_or_a_function(self, make_site):
        class Secret:
            __acl__ = [(Allow, Authenticated, "view")]  # noqa: RUF012 - as Pyramid's documentation has it

        allowed = lambda request: bool(request.has_permission("view", Secret()))  # noqa: E731 - two uses
        site = self.site(make_site, SessionSecurityPolicy())
        browser = site.browser()
        site.views["may"] = allowed
        assert browser.get("/may").json_body is False
        browser.get("/enter")
        assert browser.get("/may").json_body is True

        never = SessionSecurityPolicy(permits=lambda request, context, permission, identity: identity == 8)
        other = self.site(make_site, never)
        other.views["may"] = allowed
        browser.app = other.app
        assert browser.get("/may").json_body is False
