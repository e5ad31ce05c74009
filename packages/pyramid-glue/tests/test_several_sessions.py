"""Several sessions in one request, each with its own settings, in the same transaction."""

from __future__ import annotations

import contextlib
import sqlite3
import threading

import pytest
import transaction
import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationConflictError
from pyramid.httpexceptions import HTTPBadRequest
from pyramid.request import Request
from pyramid.response import Response
from site_under_test import SECRET_KEY, Base, FullSession, Order, SealedSession, Session
from sqlalchemy import event, func, insert, select
from sqlalchemy.exc import OperationalError
from websession_core.errors import ConfigurationError
from websession_crypto import generate_secret_key
from websession_models import EncryptedDataMixin, FullyFeaturedSession
from websession_pyramid import SessionEvent, SessionSecurityPolicy, StaleSessionError, web_session_factories


class AdminSession(FullyFeaturedSession, Base):
    """The model of the second session; its table sorts before that of the first."""

    __tablename__ = "admin_session"


SETTINGS = {
    "admin_session.secret_key": SECRET_KEY,
    "admin_session.model_class": AdminSession,
    "admin_session.cookie_name": "admin",
    "admin_session.idle_timeout": "60",
    "session.idle_timeout": "600",
}


@pytest.fixture
def site(make_site):
    return make_two(make_site)


def make_two(make_site, configure=None, **options):
    def both(config):
        config.add_web_session("admin_session")
        if configure is not None:
            configure(config)

    site = make_site(
        **{
            "model": FullSession,
            "settings": {**SETTINGS, **options.pop("settings", {})},
            "configure": both,
            **options,
        }
    )
    for factory in web_session_factories(site.app.registry).values():
        factory.clock = site.clock
    site.views["look"] = lambda request: [request.session.copy(), request.admin_session.copy()]

    @site.view
    def add(request):
        request.session["n"] = request.session.get("n", 0) + 1
        request.admin_session["n"] = request.admin_session.get("n", 0) + 10

    return site


class TestTwoSessionsTogether:
    """One transaction decides about both."""

    def test_one_response_carries_both_cookies(self, site):
        browser = site.browser()
        cookies = browser.get("/add").headers.getall("Set-Cookie")
        assert sorted(cookie.partition("=")[0] for cookie in cookies) == [
            "admin-visitor",
            "websession-visitor",
        ]
        assert browser.get("/add").headers.getall("Set-Cookie") == []
        assert browser.get("/look").json_body == [{"n": 2}, {"n": 20}]

    @pytest.mark.parametrize("known", [False, True], ids=["new sessions", "known sessions"])
    def test_neither_is_stored_if_the_transaction_fails(self, site, known):
        browser = site.browser()
        if known:
            browser.get("/add")

        @site.view
        def fail(request):
            request.session["n"] = request.admin_session["n"] = "lost"
            raise HTTPBadRequest

        assert browser.get("/fail", status=400).headers.getall("Set-Cookie") == []
        assert browser.get("/look").json_body == ([{"n": 1}, {"n": 10}] if known else [{}, {}])

    def test_a_savepoint_that_is_rolled_back_undoes_both(self, site):
        browser = site.browser()
        browser.get("/add")

        @site.view
        def it(request):
            savepoint = request.dbsession.begin_nested()
            request.session["n"] = request.admin_session["n"] = "inside"
            savepoint.rollback()
            request.session["kept"] = request.admin_session["kept"] = True

        browser.get("/it")
        assert browser.get("/look").json_body == [{"n": 1, "kept": True}, {"n": 10, "kept": True}]

    @pytest.mark.parametrize("attempts", [2, 3])
    def test_a_retried_request_starts_with_both_as_they_were(self, site, attempts):
        browser = site.browser()
        browser.get("/add")
        seen = []

        @site.view
        def it(request):
            seen.append([request.session["n"], request.admin_session["n"]])
            request.session["n"] += 1
            request.admin_session["n"] += 1
            if len(seen) < attempts:
                raise StaleSessionError

        browser.get("/it")
        assert seen == [[1, 10]] * attempts
        assert browser.get("/look").json_body == [{"n": 2}, {"n": 11}]

    def test_a_subrequest_shares_both(self, site):
        browser = site.browser()
        browser.get("/add")

        @site.view
        def outer(request):
            subrequest = Request.blank("/add", environ={"tm.manager": request.tm})
            subrequest.dbsession = request.dbsession
            request.invoke_subrequest(subrequest)
            return [request.session["n"], request.admin_session["n"]]

        assert browser.get("/outer").json_body == [2, 20]
        assert browser.get("/look").json_body == [{"n": 2}, {"n": 20}]

    def test_both_live_in_a_tests_own_transaction(self, site):
        tm = transaction.TransactionManager(explicit=True)
        tm.begin()
        tm.doom()
        dbsession = site.dbsession_maker()
        zope.sqlalchemy.register(dbsession, transaction_manager=tm)
        browser = site.browser(**{"tm.active": True, "tm.manager": tm, "app.dbsession": dbsession})
        browser.get("/add")
        browser.get("/add")
        assert browser.get("/look").json_body == [{"n": 2}, {"n": 20}]
        for model in (FullSession, AdminSession):
            assert dbsession.scalar(select(func.count()).select_from(model)) == 1
        tm.abort()
        assert site.count(FullSession) == site.count(AdminSession) == 0

    def test_they_are_written_in_one_order_whichever_is_touched_first(self, site):
        """Locks that are taken in one order deadlock nobody."""
        browser = site.browser()
        browser.get("/add")
        written = []
        with_order = {"ab": ("session", "admin_session"), "ba": ("admin_session", "session")}

        @site.view
        def touch(request):
            for name in with_order[request.params["order"]]:
                getattr(request, name)["n"] = request.params["order"]

        @event.listens_for(site.engine, "before_cursor_execute")
        def executed(_conn, _cursor, statement, *_rest):
            if statement.startswith("UPDATE"):
                written.append(statement.split()[1].strip('"`'))

        for order in with_order:
            written.clear()
            browser.get(f"/touch?order={order}")
            assert written == ["admin_session", "full_session"]

    def test_requests_that_write_both_at_once_lose_nothing(self, make_site):
        threads, rounds = 4, 5
        site = make_two(make_site, settings={"retry.attempts": 1000}, engine_options={"pool_size": threads})

        @site.view
        def it(request):
            names = ["session", "admin_session"]
            for name in names if request.params["order"] == "0" else reversed(names):
                getattr(request, name)["n"] += 1

        first = site.browser()
        first.get("/add")
        barrier, failures = threading.Barrier(threads), []

        def work(number):
            browser = site.browser()
            for name, value in first.cookies.items():
                browser.set_cookie(name, value)
            barrier.wait()
            try:
                for _ in range(rounds):
                    browser.get(f"/it?order={number % 2}")
            except Exception as error:  # noqa: BLE001 - a thread's error is told by the main one
                failures.append(error)

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not failures
        assert first.get("/look").json_body == [{"n": 1 + threads * rounds}, {"n": 10 + threads * rounds}]


class TestTwoSessionsApart:
    """Nothing but the transaction connects them."""

    def test_one_is_logged_out_while_the_other_lives(self, site):
        browser = site.browser()
        browser.get("/add")
        site.views["logout"] = lambda request: request.admin_session.invalidate()
        (cookie,) = browser.get("/logout").headers.getall("Set-Cookie")
        assert cookie.startswith("admin-visitor=;")
        assert browser.get("/look").json_body == [{"n": 1}, {}]
        assert (site.count(FullSession), site.count(AdminSession)) == (1, 0)

    def test_each_has_its_own_timeout(self, site):
        browser = site.browser()
        browser.get("/add")
        site.clock.advance(61)
        assert browser.get("/look").json_body == [{"n": 1}, {}]

    def test_the_cookie_of_one_opens_nothing_in_the_other(self, site):
        browser = site.browser()
        browser.get("/add")
        thief = site.browser()
        thief.set_cookie("admin", browser.cookies["websession-visitor"])
        thief.set_cookie("admin-visitor", browser.cookies["websession-visitor"])
        thief.set_cookie("websession", browser.cookies["admin-visitor"])
        thief.set_cookie("websession-visitor", browser.cookies["admin-visitor"])
        assert thief.get("/look").json_body == [{}, {}]

    def test_a_request_that_touches_one_reads_one(self, site):
        browser = site.browser()
        browser.get("/add")
        site.views["one"] = lambda request: request.admin_session["n"]
        site.statements.clear()
        browser.get("/one")
        assert site.statements.count("SELECT") == 1

    def test_events_say_which_one_they_are_about(self, make_site):
        heard = []

        def hear(event):
            heard.append((event.attribute, type(event).__name__))

        def listen(config):
            config.add_subscriber(hear, SessionEvent)

        browser = make_two(make_site, configure=listen).browser()
        browser.get("/add")
        assert sorted(heard) == [("admin_session", "SessionCreated"), ("session", "SessionCreated")]

    def test_a_security_policy_can_look_at_the_second_one(self, make_site):
        site = make_two(
            make_site,
            configure=lambda config: config.set_security_policy(
                SessionSecurityPolicy(session="admin_session")
            ),
            settings={"tm.annotate_user": False},
        )
        site.views["login"] = lambda request: request.admin_session.login(7)
        site.views["who"] = lambda request: [request.authenticated_userid, request.session.userid]
        browser = site.browser()
        browser.get("/login")
        assert browser.get("/who").json_body == [7, None]

    def test_an_error_page_reads_both(self, make_site):
        site = make_two(
            make_site,
            error_page=lambda exception, request: Response(
                json_body=[request.session.copy(), request.admin_session.copy()], status=500
            ),
        )
        browser = site.browser()
        browser.get("/add")

        @site.view
        def fail(request):
            request.dbsession.add(Order(id="no number", text=None))
            request.dbsession.flush()

        assert browser.get("/fail", status=500).json_body == [{"n": 1}, {"n": 10}]


class TestConfiguration:
    """What cannot work stops the start."""

    def configured(self, settings=None, *calls):
        everything = {"session.secret_key": SECRET_KEY, "session.model_class": FullSession, **SETTINGS}
        config = Configurator(settings={**everything, **(settings or {})})
        config.include("websession_pyramid")
        for arguments in calls or [("admin_session",)]:
            config.add_web_session(*arguments)
        return config

    def test_the_factories_are_found_by_the_attributes_of_the_request(self):
        factories = web_session_factories(self.configured().make_wsgi_app().registry)
        assert list(factories) == ["session", "admin_session"]
        assert factories["admin_session"].settings.cookie_name == "admin"
        assert [factory.attribute for factory in factories.values()] == ["session", "admin_session"]

    def test_a_prefix_can_be_given(self):
        settings = {name.replace("admin_session.", "staff."): value for name, value in SETTINGS.items()}
        config = self.configured(settings, ("office", "staff."))
        config.commit()
        assert list(web_session_factories(config.registry)) == ["session", "office"]

    def test_an_application_without_our_sessions_has_none(self):
        config = Configurator()
        config.commit()
        assert web_session_factories(config.registry) == {}

    def test_what_two_sessions_cannot_share_is_told_with_all_other_mistakes(self):
        with pytest.raises(ConfigurationError) as caught:
            self.configured(
                {
                    "admin_session.cookie_name": "websession",
                    "admin_session.model_class": FullSession,
                    "admin_session.cookie_max_age": "soon",
                    "admin_session.cookie_nmae": "x",
                },
            )
        assert {mistake.setting for mistake in caught.value.mistakes} == {
            "admin_session.cookie_name",
            "admin_session.model_class",
            "admin_session.cookie_max_age",
            "admin_session.cookie_nmae",
        }
        assert "request.session (session.cookie_name)" in str(caught.value)
        assert "'full_session'" in str(caught.value)

    def test_two_sessions_cannot_share_a_key_of_their_data(self):
        # What is stored is bound to its row and column, and not to its table.
        key = generate_secret_key()
        sealed = {"session.model_class": SealedSession, "session.data_secret_key": key}
        bases = (EncryptedDataMixin, FullyFeaturedSession, Base)
        admin = type("SealedAdmin", bases, {"__tablename__": "sealed_admin"})
        admin_settings = {"admin_session.model_class": admin, "admin_session.data_secret_key": key}
        try:
            with pytest.raises(ConfigurationError) as caught:
                self.configured({**sealed, **admin_settings})
            (mistake,) = caught.value.mistakes
            assert mistake.setting == "admin_session.data_secret_key"
            assert "session.data_secret_key" in mistake.problem
            assert key not in str(caught.value)
            own = {"admin_session.data_secret_key": generate_secret_key()}
            self.configured({**sealed, **admin_settings, **own})
        finally:
            for name in ("sealed_admin", "sealed_admin_activity"):
                Base.metadata.remove(Base.metadata.tables[name])

    def test_settings_that_are_missing_are_named_with_their_prefix(self):
        with pytest.raises(ConfigurationError) as caught:
            self.configured({}, ("other",))
        told = {mistake.setting for mistake in caught.value.mistakes}
        # Without a name of its own the cookie would be that of the first session.
        assert told == {"other.secret_key", "other.model_class", "other.cookie_name"}

    @pytest.mark.parametrize("name", ["session", "params", "tm", "no name", "_private", "dbsession "])
    def test_an_attribute_that_is_no_name_or_taken_is_refused(self, name):
        with pytest.raises(ConfigurationError, match=r"config\.add_web_session = .*choose another"):
            self.configured({}, (name, "admin_session."))

    def test_three_are_compared_with_one_another(self):
        third = {name.replace("admin_session.", "third."): value for name, value in SETTINGS.items()}
        third["third.model_class"] = Session
        del third["third.idle_timeout"]
        with pytest.raises(ConfigurationError, match=r"request\.admin_session"):
            self.configured(third, ("admin_session",), ("third",))

    def test_the_same_name_twice_is_a_conflict_as_for_every_directive(self):
        config = self.configured({}, ("admin_session",), ("admin_session",))
        with pytest.raises(ConfigurationConflictError):
            config.commit()

    def test_the_application_overrides_what_it_includes(self):
        settings = {name.replace("admin_session.", "better."): value for name, value in SETTINGS.items()}
        everything = {"session.secret_key": SECRET_KEY, "session.model_class": FullSession, **SETTINGS}
        config = Configurator(settings={**everything, **settings, "better.cookie_name": "better"})
        config.include("websession_pyramid")
        config.include(lambda inner: inner.add_web_session("admin_session"))
        config.add_web_session("admin_session", "better.")
        config.commit()
        assert web_session_factories(config.registry)["admin_session"].settings.cookie_name == "better"

    def test_an_attribute_of_the_applications_own_is_a_conflict(self):
        config = self.configured()
        config.add_request_method(lambda request: None, "admin_session", reify=True)
        with pytest.raises(ConfigurationConflictError):
            config.commit()


@pytest.mark.parametrize("websession_engine_name", ["sqlite"])
@pytest.mark.parametrize(
    ("choices", "attempts"),
    [({}, 2), ({"session.retry_conflicts": "false"}, 1), ({"admin_session.retry_conflicts": "false"}, 1)],
    ids=["both let it", "the first does not", "the second does not"],
)
def test_a_conflict_is_retried_if_both_let_it(make_site, choices, attempts):
    impatient = {"connect_args": {"timeout": 0}}
    site = make_two(make_site, settings=choices, engine_options=impatient, recipe=False)
    seen = []

    @site.view
    def it(request):
        seen.append("attempt")
        with contextlib.closing(sqlite3.connect(site.engine.url.database)) as other:
            if len(seen) == 1:
                other.execute("BEGIN IMMEDIATE")
            request.dbsession.execute(insert(Order).values(text="apples"))

    with contextlib.suppress(OperationalError):
        site.browser().get("/it")
    assert len(seen) == attempts
    assert site.count(Order) == attempts - 1
