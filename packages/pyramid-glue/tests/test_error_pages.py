"""Error pages render: with the identity that the documentation tells people to load, and over broken rows."""

from __future__ import annotations

import pytest
from pyramid.response import Response
from site_under_test import Base, FullSession, Order, SealedSession, User
from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column, relationship
from websession_crypto import generate_secret_key
from websession_models import FullyFeaturedSession
from websession_pyramid import SessionSecurityPolicy


class SessionOfUser(FullyFeaturedSession, Base):
    """The user comes with the session, as columns.md has it."""

    __tablename__ = "error_page_session"
    userid: Mapped[int | None] = mapped_column(ForeignKey("shop_user.id", ondelete="CASCADE"), index=True)
    user: Mapped[User | None] = relationship(lazy="joined")


RECIPES = {
    "users.md": lambda request, userid: request.dbsession.get(User, userid),
    "columns.md": lambda request, userid: request.session.row().user,
}


class Failing:
    """The ways in which a request fails, and whether the transaction can still be asked then."""

    @staticmethod
    def view(request):
        raise ValueError

    @staticmethod
    def flush(request):
        request.dbsession.add(Order(text=None))
        request.dbsession.flush()

    @staticmethod
    def statement(request):
        request.dbsession.execute(text("SELECT * FROM no_such_table"))

    @staticmethod
    def commit(request):
        request.dbsession.add(Order(text=None))

    @staticmethod
    def hook(request):
        def hook():
            raise ValueError

        request.tm.get().addBeforeCommitHook(hook)

    @staticmethod
    def change_and_commit(request):
        request.session["a"] = 2
        request.dbsession.add(Order(text=None))


FAILING = {name: function.__func__ for name, function in vars(Failing).items() if not name.startswith("_")}


def out(site):
    return getattr(site.engine.pool, "checkedout", int)()


@pytest.mark.parametrize("annotate", [False, True], ids=["", "annotate_user"])
@pytest.mark.parametrize("recipe", RECIPES)
class TestWithAnIdentity:
    """A layout that shows who is logged in."""

    @pytest.fixture
    def site(self, make_site, recipe, annotate):
        def page(exception, request):
            identity = request.identity
            shown = f"{identity and identity.name} {request.authenticated_userid} {request.session.userid}"
            return Response(f"{type(exception).__name__}: {shown}", status=500)

        site = make_site(
            model=SessionOfUser,
            error_page=page,
            settings={"tm.annotate_user": annotate},
            configure=lambda config: config.set_security_policy(SessionSecurityPolicy(RECIPES[recipe])),
        )
        with site.dbsession_maker.begin() as dbsession:
            dbsession.add(User(id=7, name="Ann"))
        return site

    @pytest.mark.parametrize("looked", [False, True], ids=["not looked at before", "looked at before"])
    @pytest.mark.parametrize("how", FAILING)
    def test_it_renders_and_leaves_no_connection_out(self, site, how, looked):
        @site.view
        def it(request):
            if looked:
                assert request.identity.name == "Ann"
            FAILING[how](request)

        browser = site.browser()
        browser.get("/login")
        for _ in range(2):
            shown = browser.get("/it", status=500).text
            assert out(site) == 0
            name, authenticated, userid = shown.split()[1:]
            # Who is logged in is known as far as the transaction can be asked.
            assert (name, authenticated) in {("Ann", "7"), ("None", "None")}
            assert (name == "Ann") or how != "view"
            assert userid == "7"
        site.views["it"] = lambda request: request.identity.name
        assert browser.get("/it").json_body == "Ann"

    def test_where_the_table_is_missing_it_renders_and_other_pages_are_served(self, site, caplog, annotate):
        browser = site.browser()
        browser.get("/login")
        site.views["it"] = lambda request: request.session.userid
        site.views["other"] = lambda request: "no session"
        with site.engine.begin() as connection:
            connection.execute(text("ALTER TABLE error_page_session RENAME TO elsewhere"))
        try:
            # On PostgreSQL with annotate_user the view meets a transaction in which a statement has failed.
            assert browser.get("/it", status=500).text.endswith("Error: None None None")
            caplog.clear()
            assert browser.get("/other").json_body == "no session"
        finally:
            with site.engine.begin() as connection:
                connection.execute(text("ALTER TABLE elsewhere RENAME TO error_page_session"))
        assert ("cannot be told to pyramid_tm" in caplog.text) is annotate
        assert out(site) == 0


PAGES = {
    "userid": lambda session: session.userid,
    "data": lambda session: session.get("a"),
    "flash": lambda session: session.pop_flash() or None,
}


@pytest.mark.parametrize("how", ["view", "flush", "hook", "change_and_commit"])
class TestOverARowThatCannotBeRead:
    """It is as if there were none, and the row is kept."""

    def page(self, shows):
        def page(exception, request):
            return Response(f"sorry {PAGES[shows](request.session)}", status=500)

        return page

    @pytest.mark.parametrize("looked", [False, True], ids=["not looked at before", "looked at before"])
    @pytest.mark.parametrize("column", ["data", "flash"])
    def test_because_it_is_of_another_form(self, make_site, how, column, looked):
        site = make_site(model=FullSession, error_page=self.page(column))
        browser = site.browser()
        browser.get("/login")
        with site.engine.begin() as connection:
            connection.execute(text(f"UPDATE full_session SET {column} = '[1]'"))

        @site.view
        def it(request):
            if looked:
                PAGES[column](request.session)
            FAILING[how](request)

        assert browser.get("/it", status=500).text == "sorry None"
        assert len(site.rows()) == 1
        assert out(site) == 0

    @pytest.mark.parametrize("shows", PAGES)
    def test_because_its_key_is_gone(self, make_site, how, shows):
        settings = {"session.data_secret_key": generate_secret_key()}
        site = make_site(model=SealedSession, settings=settings)
        browser = site.browser()
        browser.get("/login")
        settings = {"session.data_secret_key": generate_secret_key()}
        other = make_site(model=SealedSession, settings=settings, error_page=self.page(shows))
        other.views["it"] = FAILING[how]
        browser.app = other.app
        assert browser.get("/it", status=500).text == "sorry None"
        assert out(other) == 0
        browser.app = site.app
        assert browser.get("/who").json_body == 7


def test_an_identity_that_cannot_be_loaded_there_is_none(make_site):
    def identity(request, userid):
        return request.loaded_by_the_view

    def page(exception, request):
        return Response(f"{type(exception).__name__}: {request.identity}", status=500)

    site = make_site(
        model=FullSession,
        error_page=page,
        configure=lambda config: config.set_security_policy(SessionSecurityPolicy(identity)),
        settings={"tm.annotate_user": False},
    )
    site.views["it"] = FAILING["view"]
    browser = site.browser()
    browser.get("/login")
    assert browser.get("/it", status=500).text == "ValueError: None"
    site.views["it"] = lambda request: request.identity
    assert browser.get("/it", status=500).text == "AttributeError: None"
