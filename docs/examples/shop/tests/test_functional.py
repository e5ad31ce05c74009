"""The cookiecutter's way: one outer transaction per test, given up at the end."""

import pytest
from shop.models import Order, Session
from sqlalchemy import func, select


def count(dbsession, model):
    return dbsession.scalar(select(func.count()).select_from(model))


def test_the_cart_goes_from_request_to_request(testapp):
    testapp.add("round-teapot", 2)
    assert testapp.get("/cart").html.select_one("#cart-count").text == "2"


def test_what_a_request_did_is_seen_in_the_database_session_of_the_test(testapp, dbsession):
    testapp.add("round-teapot")
    testapp.review().forms["checkout"].submit(status=303)
    assert count(dbsession, Order) == 1
    assert count(dbsession, Session) == 1


@pytest.mark.parametrize("run", [1, 2])
def test_every_test_begins_with_nothing(testapp, dbsession, run):
    assert count(dbsession, Order) == 0
    assert count(dbsession, Session) == 0
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
