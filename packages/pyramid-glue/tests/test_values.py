"""What an application puts into its session: types beyond JSON, its own, much of it; and how it is shown."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from markupsafe import Markup
from pyramid.i18n import TranslationString, TranslationStringFactory
from site_under_test import SealedSession, Session
from sqlalchemy import select, update
from websession_core import SessionTypes, UnreadableValueError, UnstorableValueError
from websession_core.errors import ConfigurationError
from websession_crypto import generate_secret_key
from websession_pyramid import session_types

ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
_ = TranslationStringFactory("shop")

EVERYTHING: dict[str, Any] = {
    "challenge": b"\0\xff",
    "logged_in": datetime(2026, 11, 28, 20, 33, 43, 5, tzinfo=UTC),
    "opens": datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    "naive": datetime(2026, 10, 25, 2, 30, fold=1),
    "odd": datetime(2026, 1, 1, tzinfo=timezone(timedelta(seconds=3601, microseconds=7))),
    "day": date.max,
    "daily": time(20, 33, tzinfo=ZoneInfo("Europe/Berlin")),
    "longest": [timedelta.min, timedelta.max],
    "total": Decimal("1.00"),
    "user": UUID(int=7),
    "pasted": ([1, 2], "copy", {"inner": (Decimal("-0"), None)}),
    "tags": {"a", (1, b"x")},
    "rights": frozenset({"read", 1.5}),
    "html": Markup("<b>"),
    "text": [_("deleted", default="${title} was deleted.", mapping={"title": "Page", "n": Decimal(1)})],
    "looks": {"$date": "2026-11-28"},
    "$notation": {"$notation": 1e15},
}


def exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return type(value), sorted(map(repr, map(exact, value)))
    if isinstance(value, list | tuple):
        return type(value), [exact(item) for item in value]
    if isinstance(value, TranslationString):
        return type(value), str(value), value.domain, value.default, exact(value.mapping), value.context
    return type(value), repr(value), getattr(value, "fold", None)


@pytest.mark.parametrize("model", [Session, SealedSession], ids=["plain", "encrypted"])
def test_every_type_comes_back_the_same(make_site, model):
    data_key = {"session.data_secret_key": generate_secret_key()} if model is SealedSession else {}
    site = make_site(model=model, settings=data_key)
    browser = site.browser()

    @site.view
    def put(request):
        request.session.update(copy.deepcopy(EVERYTHING))
        for value in EVERYTHING.values():
            request.session.flash(copy.deepcopy(value))

    @site.view
    def look(request):
        assert exact(dict(request.session)) == exact(EVERYTHING)
        assert exact(request.session.copy()) == exact(EVERYTHING)
        assert exact(request.session.peek_flash()) == exact(list(EVERYTHING.values()))

    @site.view
    def change(request):
        request.session["pasted"][0].append(3)
        request.session["tags"].add("b")
        return len(request.session.pop_flash())

    @site.view
    def assign(request):
        request.session.update(copy.deepcopy(EVERYTHING))
        request.session["challenge"] = EVERYTHING["challenge"]

    browser.get("/put")
    site.statements.clear()
    browser.get("/look")
    browser.get("/assign")
    assert "UPDATE" not in site.statements
    assert browser.get("/change").json == len(EVERYTHING)
    assert "UPDATE" in site.statements

    @site.view
    def changed(request):
        assert request.session["pasted"][0] == [1, 2, 3]
        assert request.session["tags"] == {"a", "b", (1, b"x")}
        assert request.session.pop_flash() == []
        assert exact(request.session["opens"]) == exact(EVERYTHING["opens"])

    browser.get("/changed")


def test_what_json_has_is_stored_as_before_whatever_it_looks_like(make_site):
    site = make_site()
    document = {"a": [1, {"$date": "x"}], "$notation": 1}

    @site.view
    def put(request):
        request.session.update(document)
        request.session.flash("hello")

    site.browser().get("/put")
    with site.engine.connect() as connection:
        row = site.factory.store.load(connection, site.rows()[0].id)
    assert json.loads(row.data) == document
    assert json.loads(row.flash) == {"": ["hello"]}


@ON_SQLITE
class TestFlashMessages:
    def test_a_translation_string_shows_what_it_showed_before(self, make_site):
        site = make_site()
        browser = site.browser()

        @site.view
        def flash(request):
            mapping = {"title": "Page"}
            request.session.flash(_("msg_deleted", default="${title} was deleted.", mapping=mapping))
            request.session.flash(Markup("<b>Saved.</b>"))

        @site.view
        def show(request):
            message, markup = request.session.pop_flash()
            return [request.localizer.translate(message), Markup("{}").format(markup)]

        browser.get("/flash")
        assert browser.get("/show").json == ["Page was deleted.", "<b>Saved.</b>"]

    def test_held_back_they_are_kept_as_plain_text(self, make_site):
        site = make_site(settings={"session.alongside_0_2": "true"})
        browser = site.browser()

        @site.view
        def flash(request):
            request.session.flash(_("msg_deleted", default="It was deleted."))
            request.session.flash(Markup("<b>"))
            with pytest.raises(UnstorableValueError, match="alongside_0_2"):
                request.session["day"] = date.min
            with pytest.raises(UnstorableValueError, match="alongside_0_2"):
                request.session["html"] = Markup("<b>")

        @site.view
        def show(request):
            return [(type(message).__name__, message) for message in request.session.pop_flash()]

        browser.get("/flash")
        assert browser.get("/show").json == [["str", "msg_deleted"], ["str", "<b>"]]

    def test_a_full_queue_lets_go_of_the_oldest_with_one_line(self, make_site, caplog):
        site = make_site(settings={"session.max_flash_messages": "3"})
        browser = site.browser()

        @site.view
        def flash(request):
            for n in range(10):
                request.session.flash(n)

        site.views["pop"] = lambda request: request.session.pop_flash()
        browser.get("/flash")
        assert browser.get("/pop").json == [7, 8, 9]
        (line,) = [record.message for record in caplog.records if "is full" in record.message]
        assert "max_flash_messages = 3" in line

    def test_without_a_limit_there_are_as_many_as_there_are(self, make_site):
        site = make_site(settings={"session.max_flash_messages": "0"})
        browser = site.browser()

        @site.view
        def flash(request):
            for n in range(12_000):
                request.session.flash(n)

        site.views["count"] = lambda request: len(request.session.pop_flash())
        browser.get("/flash")
        assert browser.get("/count").json == 12_000


@dataclass
class Money:
    amount: Decimal
    currency: str


def money_to_json(money):
    return [money.amount, money.currency]


def money_from_json(parts):
    return Money(*parts)


def with_money(config):
    config.add_session_type("money", Money, money_to_json, money_from_json)


@ON_SQLITE
class TestTypesOfTheApplication:
    def test_can_be_configured_for_all_sessions_of_it(self, make_site):
        site = make_site(configure=with_money)
        browser = site.browser()

        @site.view
        def put(request):
            request.session["prices"] = {"tea": Money(Decimal("1.50"), "EUR")}
            request.session.flash(Money(Decimal(1), "EUR"))

        @site.view
        def look(request):
            assert request.session["prices"] == {"tea": Money(Decimal("1.50"), "EUR")}
            assert request.session.pop_flash() == [Money(Decimal(1), "EUR")]
            assert session_types(request.registry) is request.session.kit.types

        browser.get("/put")
        browser.get("/look")

    def test_can_be_given_by_dotted_names_and_only_once(self, make_site):
        def dotted(config):
            config.add_session_type("fraction", "fractions.Fraction", "builtins.str", "fractions.Fraction")

        site = make_site(configure=dotted)
        browser = site.browser()
        site.views["put"] = lambda request: request.session.update(half=Fraction(1, 2))
        site.views["half"] = lambda request: str(request.session["half"])
        browser.get("/put")
        assert browser.get("/half").json == "1/2"

        def conflicting(config):
            with_money(config)
            config.commit()
            config.add_session_type("other", Money, str, str)
            config.commit()

        with pytest.raises(Exception, match="already, under the name 'money'"):
            make_site(configure=conflicting)

    def test_one_that_is_gone_concerns_only_its_own_values(self, make_site):
        site, later, again = make_site(configure=with_money), make_site(), make_site(configure=with_money)
        browser = site.browser()

        @site.view
        def put(request):
            request.session.update(price=Money(Decimal(1), "EUR"), n=1)
            request.session.get_csrf_token()

        browser.get("/put")
        other = later.browser()
        other.cookiejar = browser.cookiejar

        @later.view
        def look(request):
            with pytest.raises(UnreadableValueError, match=r"price: .*'money'"):
                request.session["price"]
            with pytest.raises(UnreadableValueError, match=r"price: .*'money'"):
                dict(request.session)
            request.session["n"] += 1
            request.session.flash("hello")
            return [request.session["n"], request.session.new]

        @again.view
        def back(request):
            return [request.session["price"].currency, request.session["n"], request.session.pop_flash()]

        assert other.get("/look").json == [2, False]
        third = again.browser()
        third.cookiejar = browser.cookiejar
        assert third.get("/back").json == ["EUR", 2, ["hello"]]

    def test_a_factory_made_in_code_takes_them_too(self, make_site):
        site = make_site()
        site.factory.types.add("money", Money, money_to_json, money_from_json)

        @site.view
        def put(request):
            request.session["price"] = Money(Decimal(1), "EUR")
            return type(site.factory.types) is SessionTypes

        assert site.browser().get("/put").json is True


@ON_SQLITE
class TestItsSize:
    def test_one_that_would_become_too_large_is_refused_at_the_assignment(self, make_site):
        site = make_site(settings={"session.max_data_size": "1000"})
        browser = site.browser()

        @site.view
        def put(request):
            request.session["a"] = "x" * 900
            with pytest.raises(UnstorableValueError, match="max_data_size allows 1,000"):
                request.session["b"] = "x" * 900
            return list(request.session)

        assert browser.get("/put").json == ["a"]

    def test_one_that_is_larger_already_can_be_read_and_made_smaller(self, make_site):
        site = make_site(settings={"session.max_data_size": "1000"})
        browser = site.browser()
        browser.get("/start")
        large = json.dumps({"a": "x" * 2000, "n": 1})
        with site.engine.begin() as connection:
            connection.execute(update(Session.__table__).values(data=json.loads(large)))

        @site.view
        def shrink(request):
            assert len(request.session["a"]) == 2000
            request.session["n"] = 2
            request.session.flash("hello")

        @site.view
        def clear(request):
            request.session.clear()
            request.session["b"] = "x" * 900

        browser.get("/shrink")
        assert browser.get("/look").json["n"] == 2
        browser.get("/clear")
        assert browser.get("/look").json == {"b": "x" * 900}

    @pytest.mark.parametrize("name", ["max_data_size", "max_flash_messages"])
    def test_a_limit_is_no_negative_number(self, make_site, name):
        with pytest.raises(ConfigurationError, match=f"session.{name}.*must not be negative"):
            make_site(settings={f"session.{name}": "-1"})

    def test_by_default_there_is_room_for_much(self, site):
        @site.view
        def put(request):
            request.session["a"] = "x" * 4_000_000
            with pytest.raises(UnstorableValueError, match="4,194,304"):
                request.session["b"] = "x" * 400_000

        site.browser().get("/put")


@ON_SQLITE
class TestShownToOthers:
    def test_a_deep_copy_is_a_plain_dictionary(self, site):
        @site.view
        def it(request):
            request.session["a"] = [1]
            deep, shallow = copy.deepcopy(request.session), copy.copy(request.session)
            deep["a"].append(2)
            assert type(deep) is type(shallow) is dict
            return [request.session.copy(), shallow]

        assert site.browser().get("/it").json == [{"a": [1]}, {"a": [1]}]

    def test_pyramids_json_renderer_shows_it_as_a_dictionary(self, make_site):
        def configure(config):
            config.add_route("json", "/-/json")

            def view(request):
                request.session["a"] = [1]
                return {"session": request.session}

            config.add_view(view, route_name="json", renderer="json")

        site = make_site(configure=configure)
        assert site.browser().get("/-/json").json == {"session": {"a": [1]}}

    def test_json_dumps_takes_it_as_a_dictionary(self, site):
        def it(request):
            request.session["a"] = [1]
            return json.dumps(dict(request.session))

        site.views["it"] = it
        assert site.browser().get("/it").json == '{"a": [1]}'

    def test_an_attribute_is_refused_with_what_to_do(self, site):
        @site.view
        def it(request):
            for name in ("foo", "items"):
                with pytest.raises(AttributeError, match=rf"request\.session\['{name}'\] = "):
                    setattr(request.session, name, 1)
            request.session.flash = str
            assert request.session.flash(1) == "1"
            with pytest.raises(AttributeError):
                request.session.created = 1
            request.session.userid_of_mine = None

        with pytest.raises(AttributeError, match=r"request\.session\['userid_of_mine'\] = "):
            site.browser().get("/it")

    def test_what_other_libraries_have_is_answered_with_what_is_here(self, site):
        @site.view
        def it(request):
            for name, remedy in (("session_id", "use `id`"), ("save", "leave the call out")):
                with pytest.raises(AttributeError, match=f"no attribute '{name}': .*{remedy}"):
                    getattr(request.session, name)
            with pytest.raises(AttributeError, match=r"no attribute 'foo'$"):
                _ = request.session.foo
            return {"has": hasattr(request.session, "foo")}

        assert site.browser().get("/it").json == {"has": False}


def stored_data(site):
    with site.engine.connect() as connection:
        return connection.scalar(select(Session.__table__.c.data))


def test_a_person_and_sql_can_read_it(make_site):
    site = make_site()

    @site.view
    def put(request):
        request.session.update(day=date(2026, 11, 28), cart={"tea": 2})

    site.browser().get("/put")
    data = stored_data(site)
    assert data["day"] == {"$date": "2026-11-28"}
    assert data["cart"] == {"tea": 2}
    assert data["$notation"] == 1e20
    data_column = Session.__table__.c.data
    statement = select(data_column["day"]["$date"].as_string(), data_column["cart"]["tea"].as_integer())
    with site.engine.connect() as connection:
        assert connection.execute(statement).one() == ("2026-11-28", 2)
