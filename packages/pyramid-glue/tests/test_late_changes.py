"""Nothing is dropped silently: what can no longer be stored is refused as long as that helps, else logged."""

from __future__ import annotations

import pytest
from pyramid.httpexceptions import HTTPFound, HTTPNotFound, HTTPSeeOther, HTTPUnprocessableEntity
from pyramid.response import Response
from site_under_test import FullSession, Order, Session
from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase
from websession_models import BaseMixin
from websession_pyramid import SessionInvalidated


def own_timeout(session):
    with session.settings as settings:
        settings.idle_timeout = 3600


CHANGES = {
    "flash": lambda session: session.flash("saved"),
    "update": lambda session: session.update(late=1),
    "invalidate": lambda session: session.invalidate(),
    "login": lambda session: session.login(8),
    "own timeout": own_timeout,
}


class Voter:
    """A data manager of the application's that does something in its vote, after all others."""

    transaction_manager = None

    def __init__(self, act):
        self._act = act

    def sortKey(self):
        return "~~~last"

    def tpc_vote(self, transaction):
        self._act()

    def abort(self, transaction):
        pass

    tpc_begin = commit = tpc_finish = tpc_abort = abort


@pytest.fixture
def site(make_site):
    ended = []

    def configure(config):
        config.add_subscriber(lambda event: ended.append(event.reason), SessionInvalidated)

    site = make_site(model=FullSession, configure=configure)
    site.ended = ended
    site.views["look"] = lambda request: [
        request.session.userid,
        request.session.copy(),
        request.session.peek_flash(),
    ]
    return site


@pytest.fixture
def browser(site):
    browser = site.browser()
    browser.get("/login")
    return browser


def serve(site, register, change, *, looked=True):
    @site.view
    def it(request):
        if looked:
            request.session.get("a")
        request.dbsession.add(Order(text="x"))
        register(request, lambda *_: CHANGES[change](request.session))


def before_commit(request, act):
    event.listen(request.dbsession, "before_commit", act)


def after_commit(request, act):
    event.listen(request.dbsession, "after_commit", act)


def vote(request, act):
    request.tm.get().join(Voter(act))


@pytest.mark.parametrize("change", CHANGES)
class TestAChangeDuringTheCommit:
    """After the session's own part of it."""

    def test_is_refused_where_that_still_stops_the_commit(self, site, browser, change):
        serve(site, before_commit, change)
        with pytest.raises(Exception, match="just before the COMMIT"):
            browser.get("/it")
        assert site.count(Order) == 0
        assert site.ended == []
        assert browser.get("/look").json_body == [7, {}, []]

    @pytest.mark.parametrize("register", [after_commit, vote], ids=["after_commit", "vote"])
    def test_is_logged_where_the_database_has_committed(self, site, browser, caplog, change, register):
        serve(site, register, change)
        assert browser.get("/it").status_code == 200
        assert site.count(Order) == 1
        assert site.ended == []
        assert caplog.text.count("A change of the session was dropped") == 1
        assert browser.get("/look").json_body == [7, {}, []]

    def test_is_logged_too_if_the_session_was_not_looked_at_before(self, site, browser, caplog, change):
        serve(site, after_commit, change, looked=False)
        assert browser.get("/it").status_code == 200
        assert site.count(Order) == 1
        assert caplog.text.count("A change of the session was dropped") == 1
        assert browser.get("/look").json_body == [7, {}, []]


def test_a_late_change_of_a_value_that_was_handed_out_before_is_logged(site, browser, caplog):
    site.views["cart"] = lambda request: request.session.update(cart=[])
    browser.get("/cart")

    @site.view
    def it(request):
        cart = request.session["cart"]
        request.dbsession.add(Order(text="x"))
        after_commit(request, lambda *_: cart.append("apples"))

    browser.get("/it")
    assert "A change of the session was dropped" in caplog.text
    assert browser.get("/look").json_body == [7, {"cart": []}, []]


@pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True)
def test_between_the_two_phases_of_a_commit_a_late_change_is_logged(make_site, caplog):
    import zope.sqlalchemy
    from sqlalchemy.orm import Session as DatabaseSession

    sites = []

    def dbsession(request):
        session = DatabaseSession(sites[0].engine, twophase=True)
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    site = make_site(model=FullSession, dbsession_factory=dbsession)
    sites.append(site)
    browser = site.browser()
    browser.get("/start")
    serve(site, vote, "update")
    browser.get("/it")
    assert "A change of the session was dropped" in caplog.text
    assert browser.get("/look").json_body == {"a": 1}


class Base(DeclarativeBase):
    """Of this file alone: no other test has to create these tables."""


class HeldSession(BaseMixin, Base):
    """Its row is one that cannot be deleted at once."""

    __tablename__ = "held_session"


@pytest.mark.parametrize("then", ["leave it", "put something in"])
def test_a_logout_whose_error_was_swallowed_is_still_one_to_be_done(make_site, then):
    site = make_site(model=HeldSession)
    browser = site.browser()
    browser.get("/start")
    refusals = ["once"]

    @event.listens_for(site.engine, "before_cursor_execute")
    def refuse(_connection, _cursor, statement, *_rest):
        if refusals and statement.startswith("DELETE FROM held_session"):
            refusals.pop()
            raise ZeroDivisionError

    @site.view
    def leave(request):
        request.session.invalidate()
        try:
            request.session.row()
        except ZeroDivisionError:
            if then == "put something in":
                request.session["a"] = 2

    browser.get("/leave")
    assert not refusals
    assert {"a": 1} not in [row.data for row in site.rows()]
    assert browser.get("/look").json_body == ({} if then == "leave it" else {"a": 2})


class TestAChangeThatAnAbortHasDropped:
    """In a request that looks as if it had succeeded."""

    @staticmethod
    def lines(caplog):
        return [
            (record.levelname, record.getMessage())
            for record in caplog.records
            if record.name.startswith("websession_pyramid")
        ]

    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize("redirect", [HTTPFound, HTTPSeeOther])
    def test_a_raised_redirect_is_one_line_that_says_why(self, site, browser, caplog, change, redirect):
        @site.view
        def it(request):
            CHANGES[change](request.session)
            raise redirect("/look")

        assert browser.get("/it").status_code == redirect.code
        ((level, message),) = self.lines(caplog)
        assert level == "WARNING"
        assert f"the response was raised ({redirect.__name__})" in message
        assert "return it instead" in message
        assert browser.get("/look").json_body == [7, {}, []]

    def test_a_change_of_a_value_that_was_handed_out_counts(self, site, browser, caplog):
        site.views["cart"] = lambda request: request.session.update(cart=[])
        browser.get("/cart")

        @site.view
        def it(request):
            request.session["cart"].append("apples")
            raise HTTPFound("/look")

        browser.get("/it")
        assert len(self.lines(caplog)) == 1

    def test_a_redirect_that_is_returned_is_none(self, site, browser, caplog):
        site.views["it"] = lambda request: [request.session.flash("saved"), HTTPFound("/look")][1]
        browser.get("/it")
        assert self.lines(caplog) == []
        assert browser.get("/look").json_body == [7, {}, ["saved"]]

    def test_a_veto_is_one_line_too(self, make_site, caplog):
        site = make_site(settings={"tm.commit_veto": lambda request, response: True})
        assert "Set-Cookie" not in site.browser().get("/start").headers
        ((level, message),) = self.lines(caplog)
        assert (level, "tm.commit_veto" in message) == ("WARNING", True)

    def test_a_doomed_transaction_was_meant(self, site, browser, caplog):
        caplog.set_level("INFO", "websession_pyramid")

        @site.view
        def it(request):
            request.session["a"] = 1
            request.tm.doom()

        browser.get("/it")
        assert [(level, "doomed" in message) for level, message in self.lines(caplog)] == [("INFO", True)]

    @pytest.mark.parametrize("answer", [HTTPNotFound, HTTPUnprocessableEntity])
    def test_an_answer_that_says_itself_that_nothing_came_of_it_is_none(self, make_site, caplog, answer):
        site = make_site(settings={"tm.commit_veto": "pyramid_tm.default_commit_veto"})
        site.views["it"] = lambda request: [request.session.update(a=1), answer()][1]
        site.browser().get("/it", status=answer.code)
        assert self.lines(caplog) == []

    @pytest.mark.parametrize("how", ["nothing changed", "aborted by the view", "read"])
    def test_nothing_is_told_where_nothing_was_lost_unknown_to_the_application(
        self, site, browser, caplog, how
    ):
        @site.view
        def it(request):
            if how == "aborted by the view":
                request.session["a"] = 1
                request.tm.abort()
                request.tm.begin()
            elif how == "read":
                request.session.get("a")
            raise HTTPFound("/look")

        browser.get("/it")
        assert self.lines(caplog) == []


@pytest.mark.parametrize("model", [FullSession, Session], ids=["column", "payload"])
@pytest.mark.parametrize("failing", ["view", "commit", "hook", "redirect", "not found"])
def test_a_token_for_a_form_on_an_error_page_is_no_change_to_tell_of(make_site, caplog, model, failing):
    def page(exception, request):
        return Response(f"<input value={request.session.get_csrf_token()}>", status=404)

    site = make_site(
        model=model,
        error_page=None if failing == "redirect" else page,
        configure=lambda config: config.add_notfound_view(page),
    )

    @site.view
    def it(request):
        if failing == "redirect":
            request.session.get_csrf_token()
            raise HTTPFound("/look")
        if failing == "not found":
            raise HTTPNotFound
        if failing == "view":
            raise ValueError
        if failing == "commit":
            request.dbsession.add(Order(text=None))
            return

        def hook():
            raise ValueError

        request.tm.get().addBeforeCommitHook(hook)

    for browser in (site.browser(), site.browser()):
        response = browser.get("/it", status="*")
        assert failing == "redirect" or "input value=" in response.text
        browser.get("/start")
        browser.get("/it", status="*")
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
