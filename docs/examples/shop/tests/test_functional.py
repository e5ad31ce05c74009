"""The cookiecutter's way: one outer transaction per test, given up at the end."""

import pytest
from shop.models import Order, Session, User
from shop.seeds import DEMO_USERS
from sqlalchemy import func, select


def count(dbsession, model):
    return dbsession.scalar(select(func.count()).select_from(model))


def test_the_cart_goes_from_request_to_request(testapp):
    testapp.add("round-teapot", 2)
    assert testapp.get("/cart").html.select_one("#cart-count").text == "2"


def test_what_a_request_did_is_seen_in_the_database_session_of_the_test(testapp, websession_dbsession):
    testapp.add("round-teapot")
    testapp.review().forms["checkout"].submit(status=303)
    assert count(websession_dbsession, Order) == 1
    assert count(websession_dbsession, Session) == 1


@pytest.mark.parametrize("run", [1, 2])
def test_every_test_begins_with_nothing(testapp, websession_dbsession, run):
    assert count(websession_dbsession, Order) == 0
    assert count(websession_dbsession, Session) == 0
    testapp.log_in()
    testapp.add("round-teapot")
    testapp.review().forms["checkout"].submit(status=303)


def test_login_and_logout_work(testapp):
    testapp.add("round-teapot")
    before = testapp.session_cookie
    page = testapp.log_in()
    assert "Welcome" in page
    assert page.html.select_one("#cart-count").text == "1"
    assert testapp.session_cookie != before
    testapp.log_out()
    assert testapp.session_cookie is None


def test_messages_and_themes_work(testapp):
    testapp.choose_theme("dark")
    assert testapp.add("round-teapot").html.select(".message")
    page = testapp.get("/")
    assert not page.html.select(".message")
    assert page.html.html["data-theme"] == "dark"


def test_a_form_without_a_token_is_refused(testapp):
    testapp.post("/cart/add", {"slug": "round-teapot"}, status=403)


def test_a_page_that_does_not_exist_is_friendly(testapp):
    testapp.choose_theme("dark")
    assert testapp.get("/no/such/page", status=404).html.html["data-theme"] == "dark"


ADA, *_ = DEMO_USERS


@pytest.fixture
def ada(websession_dbsession):
    return websession_dbsession.scalar(select(User).where(User.name == "ada"))


def test_a_login_without_the_form_is_a_login(testapp, ada):
    testapp.login(ada.id)
    assert testapp.get("/").html.select_one(".who")
    testapp.assert_session_stored()


def test_two_weeks_without_a_visit_end_the_login(testapp, ada, websession_clock):
    testapp.login(ada.id)
    websession_clock.advance(days=13)
    assert testapp.get("/").html.select_one(".who")
    websession_clock.advance(days=14, seconds=1)
    assert testapp.get("/").html.select_one(".who") is None


def test_a_login_that_is_remembered_lasts_for_ninety_days(testapp, websession_clock):
    testapp.send_login(remember_me=True)
    websession_clock.advance(days=89)
    assert testapp.get("/").html.select_one(".who")
    websession_clock.advance(days=1, seconds=1)
    assert testapp.get("/").html.select_one(".who") is None


def test_two_weeks_without_a_visit_end_a_login_that_is_not_remembered_any_more(testapp, websession_clock):
    testapp.send_login(remember_me=True)
    testapp.send_login()
    websession_clock.advance(days=14, seconds=1)
    assert testapp.get("/").html.select_one(".who") is None


def test_a_cookie_stolen_before_the_login_opens_nothing(testapp, ada):
    testapp.add("round-teapot", 2)
    thief = testapp.thief()
    testapp.login(ada.id)
    assert testapp.get("/").html.select_one("#cart-count").text == "2"
    assert thief.get("/").html.select_one("#cart-count").text == "0"


def test_the_cookie_is_for_https_and_for_us_alone(testapp):
    response = testapp.get("/")
    testapp.assert_session_cookie(response, secure=True, httponly=True, samesite="Lax")


def test_the_devices_page_asks_for_the_password_again_after_a_while(testapp, websession_clock):
    testapp.log_in(ADA)
    page = testapp.get("/devices")
    websession_clock.advance(minutes=15, seconds=1)
    fields = {"csrf_token": page.html.select_one("[name=csrf_token]")["value"], "handle": "0" * 32}
    referer = {"Referer": page.request.url}
    for answer in (
        testapp.get("/devices", status=303),
        testapp.post("/devices/end", fields, headers=referer, status=303),
        testapp.post("/devices/end-others", fields, headers=referer, status=303),
    ):
        form = answer.follow().forms["login"]
        assert form["name"].value == ADA.name
    form["password"] = ADA.password
    page = form.submit(status=303).follow()
    assert page.request.path == "/devices"
    assert len(page.html.select("#devices tbody tr")) == 1
