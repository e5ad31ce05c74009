"""The row and the cookie agree, whatever becomes of the transaction."""

from __future__ import annotations

from typing import Any

import pytest
import zope.sqlalchemy
from pyramid.httpexceptions import HTTPNotFound, HTTPOk
from pyramid.response import Response
from site_under_test import Base, FullSession, Order, Session
from sqlalchemy import ForeignKey, String, event, text
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.orm import Session as DatabaseSession
from websession_models import BaseMixin


class SessionWithDevices(BaseMixin, Base):
    """A session that owns rows of the application's."""

    __tablename__ = "session_with_devices"
    devices: Mapped[list[Device]] = relationship(cascade="all, delete-orphan")


class Device(Base):
    """Such a row."""

    __tablename__ = "device"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    session_id: Mapped[Any] = mapped_column(ForeignKey("session_with_devices.id"))


class BrokenError(Exception):
    """What the tests' views raise."""


def error_page(exception, request):
    return Response(f"sorry: {request.session.get('theme', 'no theme')}", status=500)


@pytest.fixture
def site(make_site):
    site = make_site(error_page=error_page)

    @site.view
    def write(request):
        request.session["theme"] = "dark"

    return site


@pytest.fixture
def browser(site):
    """A browser that has a session already."""
    browser = site.browser()
    browser.get("/write")
    return browser


def nothing_changed(site, browser, response, cookie):
    assert "Set-Cookie" not in response.headers
    assert browser.cookies.get("websession") == cookie
    assert [row.data for row in site.rows()] == ([] if cookie is None else [{"theme": "dark"}])


@pytest.mark.parametrize("known", [False, True], ids=["new session", "known session"])
class TestNoCookieAndNoRowAfter:
    """Set-Cookie leaves only after a successful commit."""

    @pytest.fixture
    def browser(self, site, known):
        browser = site.browser()
        if known:
            browser.get("/write")
        return browser

    def check(self, site, browser, known, view, **options):
        cookie = browser.cookies.get("websession")
        site.views["it"] = view
        response = browser.get("/it", **options)
        nothing_changed(site, browser, response, cookie)

    def test_an_exception(self, site, browser, known):
        def view(request):
            request.session["theme"] = "lost"
            raise BrokenError

        self.check(site, browser, known, view, status=500)

    def test_an_exception_after_a_logout(self, site, browser, known):
        def view(request):
            request.session.invalidate()
            raise BrokenError

        self.check(site, browser, known, view, status=500)

    def test_a_doomed_transaction(self, site, browser, known):
        def view(request):
            request.session["theme"] = "lost"
            request.tm.doom()

        self.check(site, browser, known, view)

    def test_a_transaction_that_was_doomed_before_the_session_was_touched(self, site, browser, known):
        def view(request):
            request.tm.doom()
            request.session["theme"] = "lost"

        self.check(site, browser, known, view)

    def test_a_commit_that_fails_in_the_flush(self, site, browser, known):
        def view(request):
            request.session["theme"] = "lost"
            request.dbsession.add(Order(text=None))

        self.check(site, browser, known, view, status=500)

    def test_a_commit_that_fails_in_a_hook(self, site, browser, known):
        def view(request):
            request.session["theme"] = "lost"

            def hook():
                raise BrokenError

            request.tm.get().addBeforeCommitHook(hook)

        self.check(site, browser, known, view, status=500)

    def test_a_commit_that_the_database_refuses(self, site, browser, known):
        def view(request):
            request.session["theme"] = "lost"

            def refuse(session):
                raise BrokenError

            event.listen(request.dbsession, "before_commit", refuse)

        self.check(site, browser, known, view, status=500)


def test_a_vetoed_response_brings_neither_row_nor_cookie(make_site):
    site = make_site(settings={"tm.commit_veto": "pyramid_tm.default_commit_veto"})

    @site.view
    def refuse(request):
        request.session["a"] = 1
        return HTTPNotFound()

    @site.view
    def accept(request):
        request.session["a"] = 1
        return HTTPOk()

    browser = site.browser()
    assert "Set-Cookie" not in browser.get("/refuse", status=404).headers
    assert site.rows() == []
    assert "Set-Cookie" in browser.get("/accept").headers
    assert len(site.rows()) == 1


def test_session_data_and_the_applications_rows_commit_together(site, browser):
    @site.view
    def order(request):
        request.session["ordered"] = True
        request.dbsession.add(Order(text="apples"))

    browser.get("/order")
    assert site.count(Order) == 1
    assert browser.get("/look").json_body == {"theme": "dark", "ordered": True}


def test_a_session_changed_alone_is_committed_though_the_orm_wrote_nothing(site, browser):
    site.views["more"] = lambda request: request.session.update(more=1)
    browser.get("/more")
    assert browser.get("/look").json_body == {"theme": "dark", "more": 1}


class TestErrorPages:
    """They render normally, and what they write is dropped with one warning."""

    def test_it_reads_the_session_inside_the_transaction(self, site, browser):
        def view(request):
            raise BrokenError

        site.views["it"] = view
        assert browser.get("/it", status=500).text == "sorry: dark"

    def test_after_a_failed_commit_it_reads_what_is_committed(self, site, browser):
        def view(request):
            request.session["theme"] = "never committed"
            request.dbsession.add(Order(text=None))

        site.views["it"] = view
        assert browser.get("/it", status=500).text == "sorry: dark"

    def test_after_a_failed_commit_it_reads_a_session_that_was_not_touched_before(self, site, browser):
        site.views["it"] = lambda request: request.dbsession.add(Order(text=None))
        assert browser.get("/it", status=500).text == "sorry: dark"

    def test_where_the_database_session_cannot_be_made_it_gets_an_empty_session(self, make_site, browser):
        def dbsession(request):
            raise BrokenError

        broken = make_site(error_page=error_page, dbsession_factory=dbsession)
        broken.views["it"] = lambda request: request.dbsession
        browser.app = broken.app
        assert browser.get("/it", status=500).text == "sorry: no theme"

    def test_after_a_failed_commit_a_logout_has_not_happened(self, make_site):
        def page(exception, request):
            return Response(f"{request.session.new} {request.session.get('theme')}", status=500)

        site = make_site(error_page=page)
        browser = site.browser()
        site.views["write"] = lambda request: request.session.update(theme="dark")

        @site.view
        def it(request):
            request.session.invalidate()
            request.dbsession.add(Order(text=None))

        browser.get("/write")
        assert browser.get("/it", status=500).text == "False dark"

    def test_after_a_failed_hook_it_reads_what_is_committed(self, site, browser):
        def view(request):
            request.session["theme"] = "never committed"

            def hook():
                raise BrokenError

            request.tm.get().addBeforeCommitHook(hook)

        site.views["it"] = view
        assert browser.get("/it", status=500).text == "sorry: dark"

    def test_beside_a_dead_database_transaction_it_reads_a_session_not_touched_before(self, site, browser):
        def view(request):
            try:
                request.dbsession.add(Order(text=None))
                request.dbsession.flush()
            finally:
                pass

        site.views["it"] = view
        assert browser.get("/it", status=500).text == "sorry: dark"

    def test_beside_a_failed_statement_it_reads_a_session_not_touched_before(self, site, browser):
        site.views["it"] = lambda request: request.dbsession.execute(text("SELECT * FROM no_such_table"))
        assert browser.get("/it", status=500).text == "sorry: dark"

    @pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
    def test_it_never_waits_for_a_lock_that_its_own_request_holds(self, site, browser):
        def view(request):
            request.dbsession.execute(text("UPDATE session SET note = 'locked'"))
            request.dbsession.execute(text("ALTER TABLE session RENAME TO elsewhere"))
            request.session.get("theme")

        waits = []

        @event.listens_for(site.engine, "connect")
        def _connect(connection, _record):
            # Instead of measuring time: whoever waits for longer than nothing is caught.
            connection.set_trace_callback(waits.append)

        site.engine.dispose()
        site.views["it"] = view
        assert browser.get("/it", status=500).text == "sorry: no theme"
        begun = [index for index, statement in enumerate(waits) if statement == "BEGIN IMMEDIATE"]
        assert len(begun) == 2
        assert "PRAGMA busy_timeout=0" in waits[begun[0] : begun[1]]

    def test_beside_a_dead_transaction_and_an_exhausted_pool_it_gets_an_empty_session(self, make_site):
        site = make_site(error_page=error_page, engine_options={"pool_size": 1, "max_overflow": 0})

        @site.view
        def write(request):
            request.session["theme"] = "dark"

        browser = site.browser()
        browser.get("/write")
        site.views["it"] = lambda request: request.dbsession.execute(text("SELECT * FROM no_such_table"))
        shown = browser.get("/it", status=500).text
        # PostgreSQL alone does not go on after a failed statement.
        on_postgresql = site.engine.dialect.name == "postgresql"
        assert shown == ("sorry: no theme" if on_postgresql else "sorry: dark")
        assert browser.get("/write").status_code == 200

    @pytest.mark.parametrize("failing", ["view", "flush", "hook"])
    def test_what_it_writes_is_dropped_with_one_warning(self, make_site, caplog, failing):
        def page(exception, request):
            request.session["from the error page"] = 1
            request.session.flash("and more")
            messages = request.session.pop_flash() + request.session.pop_flash("before")
            return Response(", ".join(messages), status=500)

        site = make_site(error_page=page)
        browser = site.browser()

        @site.view
        def write(request):
            request.session["theme"] = "dark"
            request.session.flash("hello", "before")

        @site.view
        def fail(request):
            if failing == "view":
                raise BrokenError
            if failing == "flush":
                request.dbsession.add(Order(text=None))
                return

            def hook():
                raise BrokenError

            request.session.get("theme")
            request.tm.get().addBeforeCommitHook(hook)

        browser.get("/write")
        response = browser.get("/fail", status=500)
        assert response.text == "and more, hello"
        assert "Set-Cookie" not in response.headers
        assert [row.data for row in site.rows()] == [{"theme": "dark"}]
        warnings = [record for record in caplog.records if record.levelname == "WARNING"]
        assert [record.name.partition(".")[0] for record in warnings] == ["websession_pyramid"]
        assert "dropped" in warnings[0].getMessage()


class TestWithoutATransaction:
    """Where pyramid_tm is switched off, or has not begun yet."""

    def test_a_request_for_which_it_is_switched_off_can_read(self, make_site):
        site = make_site(settings={"tm.activate_hook": lambda request: "off" not in request.path})
        browser = site.browser()
        site.views["on"] = lambda request: request.session.update(a=1)
        site.views["off"] = lambda request: request.session.copy()
        browser.get("/on")
        response = browser.get("/off")
        assert response.json_body == {"a": 1}
        assert response.headers["Vary"] == "Cookie"

    def test_a_write_says_what_is_missing(self, make_site):
        site = make_site(settings={"tm.activate_hook": lambda request: "off" not in request.path})
        browser = site.browser()
        site.views["on"] = lambda request: request.session.flash("hello")
        browser.get("/on")
        changes = {
            "set": lambda session: session.update(a=1),
            "pop_flash": lambda session: session.pop_flash(),
            "invalidate": lambda session: session.invalidate(),
            "row": lambda session: session.row(),
        }

        @site.view
        def off(request):
            messages = []
            for change in changes.values():
                with pytest.raises(Exception, match="no transaction is active") as caught:
                    change(request.session)
                messages.append(type(caught.value).__name__)
            return [*messages, request.session.pop_flash("empty")]

        assert browser.get("/off").json_body == ["NoTransactionError"] * 4 + [[]]
        assert len(site.rows()) == 1

    def test_a_nested_change_that_reaches_no_database_is_warned_of(self, make_site, caplog):
        site = make_site(settings={"tm.activate_hook": lambda request: "off" not in request.path})
        browser = site.browser()
        site.views["on"] = lambda request: request.session.update(cart={})
        site.views["off"] = lambda request: request.session["cart"].update(a=1)
        browser.get("/on")
        browser.get("/off")
        assert "no transaction is active" in caplog.text

    def test_a_session_read_before_the_transaction_is_read_again_in_it(self, make_site):
        site = make_site(configure=lambda config: config.add_tween(f"{__name__}.early_tween_factory"))
        browser = site.browser()

        @site.view
        def count(request):
            request.session["n"] = request.session.get("n", 0) + 1
            return getattr(request, "seen_early", None)

        EARLY.append(lambda request: None)
        try:
            browser.get("/count")

            def early(request):
                request.seen_early = request.session.get("n")
                # Meanwhile somebody else writes: what was read is out of date.
                with site.dbsession_maker.begin() as other:
                    row = other.query(Session).one()
                    row.data = {"n": 10}
                    row.version += 1

            EARLY[-1] = early
            assert browser.get("/count").json_body == 1
        finally:
            EARLY.clear()
        assert site.rows()[0].data == {"n": 11}

    def test_a_tween_above_pyramid_tm_reads_after_the_commit_and_cannot_write(self, make_site, caplog):
        seen = {}

        def late(request):
            seen.update(request.session)
            request.session["late"] = 1

        site = make_site(configure=lambda config: config.add_tween(f"{__name__}.late_tween_factory"))
        browser = site.browser()
        site.views["write"] = lambda request: request.session.update(a=1)
        LATE.append(late)
        try:
            browser.get("/write")
        finally:
            LATE.clear()
        assert seen == {"a": 1}
        assert site.rows()[0].data == {"a": 1}
        assert "dropped" in caplog.text


EARLY = []
LATE = []


def early_tween_factory(handler, registry):
    """A tween above pyramid_tm that does something before."""

    def tween(request):
        for act in EARLY:
            act(request)
        return handler(request)

    return tween


def late_tween_factory(handler, registry):
    """A tween above pyramid_tm that does something afterwards."""

    def tween(request):
        response = handler(request)
        for act in LATE:
            act(request)
        return response

    return tween


class TestChangesDuringTheCommit:
    """A change made by a hook, a listener or a data manager during the commit is not lost."""

    @pytest.mark.parametrize("known", [False, True], ids=["new session", "known session"])
    @pytest.mark.parametrize("before", ["untouched", "read", "changed"])
    def test_of_another_before_commit_hook(self, site, known, before):
        browser = site.browser()
        if known:
            browser.get("/write")

        @site.view
        def it(request):
            if before == "read":
                request.session.get("theme")
            elif before == "changed":
                request.session["theme"] = "light"
            request.tm.get().addBeforeCommitHook(lambda: request.session.update(hooked=1))

        browser.get("/it")
        assert browser.get("/look").json_body["hooked"] == 1

    def test_of_a_hook_through_a_value_handed_out_before(self, site, browser):
        site.views["start"] = lambda request: request.session.update(cart=[])

        @site.view
        def it(request):
            cart = request.session["cart"]
            request.tm.get().addBeforeCommitHook(lambda: cart.append("apples"))

        browser.get("/start")
        browser.get("/it")
        assert browser.get("/look").json_body["cart"] == ["apples"]

    def test_of_a_flush_listener(self, site, browser):
        @site.view
        def it(request):
            request.session["theme"] = "light"
            request.dbsession.add(Order(text="x"))
            event.listen(
                request.dbsession, "before_flush", lambda *_: request.session.update(flushed=1), once=True
            )

        browser.get("/it")
        assert browser.get("/look").json_body == {"theme": "light", "flushed": 1}

    @pytest.mark.parametrize("step", ["tpc_begin", "commit"])
    @pytest.mark.parametrize("sort_key", ["!first", "~~last"])
    def test_of_another_data_manager(self, site, browser, step, sort_key):
        @site.view
        def it(request):
            request.session["theme"] = "light"
            request.tm.get().join(Manager(sort_key, step, lambda: request.session.update(managed=1)))

        browser.get("/it")
        assert browser.get("/look").json_body == {"theme": "light", "managed": 1}

    @pytest.mark.parametrize("step", ["tpc_begin", "commit"])
    @pytest.mark.parametrize("sort_key", ["!first", "~~last"])
    def test_one_inside_a_savepoint_that_is_rolled_back_is_undone(self, site, browser, step, sort_key):
        @site.view
        def it(request):
            def act():
                savepoint = request.dbsession.begin_nested()
                request.session["managed"] = 1
                savepoint.rollback()

            request.session["theme"] = "light"
            request.dbsession.add(Order(text="x"))
            request.tm.get().join(Manager(sort_key, step, act))

        browser.get("/it")
        assert browser.get("/look").json_body == {"theme": "light"}

    def test_of_a_data_manager_that_is_the_only_one_to_touch_the_database(self, site):
        browser = site.browser()

        @site.view
        def it(request):
            request.session.get("a")
            request.dbsession.connection()
            request.tm.get().join(Manager("!first", "tpc_begin", lambda: request.session.update(managed=1)))

        browser.get("/it")
        assert browser.get("/look").json_body == {"managed": 1}

    def test_one_that_comes_too_late_aborts_everything_loudly(self, site, browser):
        site.views["it"] = lambda request: (
            request.session.get("theme"),
            request.tm.get().join(Manager("!first", "tpc_vote", lambda: request.session.update(late=1))),
        )[0]
        assert browser.get("/it", status=500)
        assert browser.get("/look").json_body == {"theme": "dark"}

    @pytest.mark.parametrize("what", ["flush", "expire_all", "expunge_all"])
    def test_the_applications_housekeeping_of_its_database_session_loses_nothing(self, site, browser, what):
        @site.view
        def it(request):
            request.session["theme"] = "light"
            getattr(request.dbsession, what)()
            request.session["more"] = 1
            getattr(request.dbsession, what)()

        browser.get("/it")
        assert browser.get("/look").json_body == {"theme": "light", "more": 1}


class Manager:
    """A data manager of the application's that changes the session in one step of the commit."""

    transaction_manager = None

    def __init__(self, sort_key, step, act):
        self._sort_key = sort_key
        self._step = step
        self._act = act

    def sortKey(self):
        return self._sort_key

    def __getattr__(self, name):
        if name not in ("abort", "tpc_begin", "commit", "tpc_vote", "tpc_finish", "tpc_abort"):
            raise AttributeError(name)
        return lambda transaction: self._act() if name == self._step else None


def test_a_value_that_cannot_be_stored_stops_the_commit_and_names_its_path(make_site):
    site = make_site()
    browser = site.browser()

    @site.view
    def it(request):
        request.session["cart"] = {"items": [1]}
        request.session["cart"]["items"].append(object())
        request.dbsession.add(Order(text="not alone"))

    with pytest.raises(Exception, match=r"cart\.items\[1\]"):
        browser.get("/it")
    assert site.rows() == []
    assert site.count(Order) == 0


class TestTheRowAsAnObject:
    """The ORM object of the row is the application's extension point."""

    def test_a_new_session_is_stored_for_it(self, site):
        browser = site.browser()

        @site.view
        def it(request):
            row = request.session.row()
            row.note = "mine"
            request.dbsession.add(Order(text="x", session_id=row.id))
            request.session["a"] = 1
            assert request.dbsession.get(Session, request.session.id) is row

        browser.get("/it")
        (row,) = site.rows()
        assert (row.note, row.data) == ("mine", {"a": 1})
        assert browser.get("/look").json_body == {"a": 1}

    def test_pending_changes_of_own_columns_survive_the_sessions_write(self, site, browser):
        @site.view
        def it(request):
            row = request.dbsession.get(Session, request.session.id)
            row.note = "mine"
            request.session["theme"] = "light"

        browser.get("/it")
        (row,) = site.rows()
        assert (row.note, row.data) == ("mine", {"theme": "light"})

    def test_a_collection_of_it_can_be_changed_in_passing(self, make_site):
        site = make_site(model=SessionWithDevices)

        @site.view
        def it(request):
            request.session.row().devices.append(Device(name="phone"))
            site.statements.clear()
            request.session.row().devices.append(Device(name="laptop"))
            return site.statements

        browser = site.browser()
        assert browser.get("/it").json_body == []
        assert site.count(Device) == 2
        browser.get("/leave")
        assert site.count(Device) == 0

    def test_a_row_held_as_an_object_can_be_invalidated(self, site, browser):
        @site.view
        def it(request):
            request.session.row().note = "mine"
            request.session.invalidate()

        browser.get("/it")
        assert site.rows() == []


def test_a_database_session_that_does_not_take_part_is_told(make_site):
    plain = []

    def dbsession(request):
        session = DatabaseSession(plain[0].engine)
        request.add_finished_callback(lambda request: session.close())
        return session

    site = make_site(dbsession_factory=dbsession)
    plain.append(site)
    site.views["it"] = lambda request: request.session.update(a=1)
    with pytest.raises(Exception, match=r"zope\.sqlalchemy\.register"):
        site.browser().get("/it")
    assert site.rows() == []


def test_a_database_session_of_its_own_under_another_name(make_site):
    sites = []

    def configure(config):
        def other(request):
            session = sites[0].dbsession_maker()
            zope.sqlalchemy.register(session, transaction_manager=request.tm)
            return session

        config.add_request_method(other, "session_db", reify=True)

    site = make_site(settings={"session.dbsession_name": "session_db"}, configure=configure)
    sites.append(site)

    @site.view
    def it(request):
        request.session["n"] = request.session.get("n", 0) + 1
        return "dbsession" in vars(request)

    browser = site.browser()
    assert browser.get("/it").json_body is False
    browser.get("/it")
    assert site.rows()[0].data == {"n": 2}


@pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True)
def test_two_phase_commits_work(make_site):
    sites = []

    def dbsession(request):
        session = DatabaseSession(sites[0].engine, twophase=True)
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    site = make_site(dbsession_factory=dbsession)
    sites.append(site)

    @site.view
    def it(request):
        request.session["n"] = request.session.get("n", 0) + 1
        return request.session["n"]

    browser = site.browser()
    assert [browser.get("/it").json_body for _ in range(3)] == [1, 2, 3]


class TestAViewThatCommitsByItself:
    """And goes on in another transaction: the session goes on, too, and the browser gets its cookie."""

    @staticmethod
    def next_transaction(request):
        request.tm.commit()
        request.tm.begin()

    @pytest.fixture
    def site(self, make_site):
        site = make_site(model=FullSession, error_page=error_page)
        site.views["look"] = lambda request: [request.session.userid, request.session.copy()]
        return site

    def test_with_a_new_session(self, site):
        browser = site.browser()

        @site.view
        def it(request):
            request.session["a"] = 1
            self.next_transaction(request)
            request.session["b"] = request.session["a"] + 1
            return request.session.new

        response = browser.get("/it")
        assert response.json_body is False
        assert len(response.headers.getall("Set-Cookie")) == 1
        assert browser.get("/look").json_body == [None, {"a": 1, "b": 2}]
        assert len(site.rows()) == 1

    @pytest.mark.parametrize("known", [False, True], ids=["new session", "known session"])
    @pytest.mark.parametrize("then", ["read", "write", "fail", "abort and read", "another login"])
    def test_with_a_login(self, site, known, then):
        browser = site.browser()
        if known:
            browser.get("/start")

        @site.view
        def it(request):
            request.session.login(7)
            self.next_transaction(request)
            if then == "abort and read":
                request.session["b"] = 2
                request.tm.abort()
                request.tm.begin()
            assert request.session.userid == 7
            if then == "write":
                request.session["b"] = 2
            if then == "another login":
                request.session.login(8)
            if then == "fail":
                request.session["b"] = 2
                raise BrokenError

        response = browser.get("/it", status="*")
        headers = response.headers.getall("Set-Cookie")
        assert sorted(header.partition("=")[0] for header in headers) == [
            "websession",
            *(["websession-visitor"] if known else []),
        ]
        data = {**({"a": 1} if known else {}), **({"b": 2} if then == "write" else {})}
        expected = [8, {}] if then == "another login" else [7, data]
        assert browser.get("/look").json_body == expected
        assert browser.get("/look").json_body == expected
        assert len(site.rows()) == 1

    @pytest.mark.parametrize("known", [False, True], ids=["new session", "known session"])
    @pytest.mark.parametrize("logout", ["first", "then"])
    def test_with_a_logout(self, site, known, logout):
        browser = site.browser()
        if known:
            browser.get("/start")

        @site.view
        def it(request):
            request.session["b"] = 2
            if logout == "first":
                request.session.invalidate()
            self.next_transaction(request)
            seen = request.session.copy()
            if logout == "then":
                request.session.invalidate()
            return seen

        seen = browser.get("/it").json_body
        assert seen == ({} if logout == "first" else {**({"a": 1} if known else {}), "b": 2})
        assert browser.cookies == {}
        assert site.rows() == []


class TestFirstLookDuringTheCommit:
    """A flush listener (an audit log) asks who is logged in, and nobody has looked at the session before."""

    @pytest.fixture
    def browser(self, make_site):
        site = make_site(engine_options={"pool_size": 1, "max_overflow": 0, "pool_timeout": 1})
        site.views["write"] = lambda request: request.session.update(theme="dark")

        def serve(name, event_name, listener):
            @site.view
            def it(request):
                request.dbsession.execute(text("SELECT 1"))
                request.dbsession.add(Order(text="x"))
                event.listen(request.dbsession, event_name, lambda *_: listener(request))

            site.views[name] = it

        browser = site.browser()
        browser.serve = serve
        browser.get("/write")
        return browser

    @pytest.mark.parametrize("event_name", ["before_flush", "after_flush", "before_commit"])
    def test_it_is_read_on_the_requests_own_connection(self, browser, event_name):
        seen = []
        browser.serve("it", event_name, lambda request: seen.append(request.session.copy()))
        browser.get("/it")
        assert seen == [{"theme": "dark"}] * len(seen) != []

    def test_a_change_says_what_to_do(self, browser):
        browser.serve("it", "before_flush", lambda request: request.session.update(late=1))
        with pytest.raises(Exception, match="being committed"):
            browser.get("/it")
