import time

import pytest
from shop.models import Session, WrongPassword
from shop.seeds import DEMO_USERS
from sqlalchemy import func, insert, select

ADA, NOOR, PIM = DEMO_USERS
NINETY_DAYS = 90 * 24 * 3600


def sessions(engine):
    with engine.begin() as connection:
        return connection.scalar(select(func.count()).select_from(Session))


@pytest.mark.parametrize("user", DEMO_USERS, ids=lambda user: user.name)
def test_demo_users_can_log_in_with_what_the_page_says(browser, user):
    assert user.password in browser.get("/login")
    page = browser.log_in(user)
    assert f"Welcome, {user.full_name}." in page
    assert user.full_name in page.html.select_one(".who").text


def test_login_keeps_the_cart_and_the_theme_under_a_new_cookie(browser):
    browser.add("round-teapot", 2)
    browser.choose_theme("dark")
    before = browser.session_cookie
    page = browser.log_in()
    assert page.html.select_one("#cart-count").text == "2"
    assert page.html.html["data-theme"] == "dark"
    assert browser.session_cookie != before


def test_the_cookie_from_before_the_login_opens_nothing(browser):
    browser.add("round-teapot", 2)
    thief = browser.thief()
    assert thief.get("/").html.select_one("#cart-count").text == "2"
    browser.log_in()
    page = thief.get("/")
    assert page.html.select_one(".who") is None
    assert page.html.select_one("#cart-count").text == "0"


def test_a_login_makes_no_second_session(browser, engine):
    browser.add("round-teapot")
    browser.log_in()
    assert sessions(engine) == 1


def test_a_form_from_before_the_login_is_refused_after_it(browser):
    form = browser.get("/products/round-teapot").forms["buy"]
    browser.log_in()
    form.submit(status=403)


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong"), ("nobody", "tea-at-four"), ("", ""), ("ada", "\x00\x07")]
)
def test_a_wrong_login_is_told_and_changes_nothing(browser, name, password):
    browser.add("round-teapot")
    before = browser.session_cookie
    form = browser.get("/login").forms["login"]
    form["name"], form["password"] = name, password
    page = form.submit(status=422)
    assert "do not belong together" in page.html.select_one("[role=alert]").text
    assert page.forms["login"]["name"].value == name
    assert page.forms["login"]["password"].value == ""
    assert browser.session_cookie == before
    assert browser.get("/").html.select_one("#cart-count").text == "1"


def guess(browser, name="ada", password="wrong", **options):
    form = browser.get("/login").forms["login"]
    form["name"], form["password"] = name, password
    return form.submit(**options)


def guesses(engine, number, seconds_ago, **guess):
    """Have wrong passwords been sent in the past."""
    row = {"name": "ada", "address": "127.0.0.1", "at": int(time.time()) - seconds_ago, **guess}
    with engine.begin() as connection:
        connection.execute(insert(WrongPassword), [row] * number)


def test_after_five_wrong_passwords_an_account_takes_none_for_a_quarter_of_an_hour(browser, engine):
    guesses(engine, 4, seconds_ago=600)
    guess(browser, "Ada", status=422)
    page = guess(browser, password=ADA.password, status=429)
    assert "Wait 5 minutes before you try again" in page.html.select_one("[role=alert]").text
    assert page.headers["Retry-After"] == "300"
    assert page.forms["login"]["name"].value == "ada"
    guess(browser, NOOR.name, NOOR.password, status=303)


def test_guesses_that_are_old_enough_are_forgotten(browser, engine):
    guesses(engine, 5, seconds_ago=900)
    guess(browser, status=422)
    with engine.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(WrongPassword)) == 1
    guess(browser, password=ADA.password, status=303)


def test_an_address_that_tries_many_names_takes_a_break_and_another_one_does_not(browser, engine):
    browser.extra_environ["REMOTE_ADDR"] = "127.0.0.1"
    for number in range(20):
        guesses(engine, 1, seconds_ago=60, name=f"name {number}")
    guess(browser, password=ADA.password, status=429)
    browser.extra_environ["REMOTE_ADDR"] = "192.0.2.7"
    guess(browser, password=ADA.password, status=303)


def cookie_of(response):
    """Return the header that stores the user's cookie; a login takes the visitor's away."""
    (cookie,) = (each for each in response.headers.getall("Set-Cookie") if each.startswith("websession="))
    return cookie


def test_a_login_that_is_remembered_has_a_cookie_for_ninety_days(browser):
    form = browser.get("/login").forms["login"]
    form["name"], form["password"], form["remember_me"] = ADA.name, ADA.password, True
    assert f"Max-Age={NINETY_DAYS};" in cookie_of(form.submit(status=303))


def test_a_login_is_not_remembered_unless_the_box_is_ticked(browser):
    form = browser.get("/login").forms["login"]
    assert not form["remember_me"].checked
    form["name"], form["password"] = ADA.name, ADA.password
    assert "Max-Age" not in cookie_of(form.submit(status=303))


def test_who_was_remembered_and_does_not_tick_the_box_the_next_time_is_not_remembered(browser):
    assert "Max-Age" in cookie_of(browser.send_login(ADA, remember_me=True))
    assert "Max-Age" not in cookie_of(browser.send_login(ADA))
    assert "Max-Age" in cookie_of(browser.send_login(ADA, remember_me=True))


def test_the_box_has_a_label_and_is_as_it_was_when_the_form_comes_back(browser):
    page = browser.get("/login")
    assert "Remember me" in page.html.select_one("label[for=remember-me]").text
    assert page.html.select_one("#remember-me")["name"] == "remember_me"
    for ticked in (True, False):
        form = page.forms["login"]
        form["name"], form["password"], form["remember_me"] = ADA.name, "wrong", ticked
        page = form.submit(status=422)
        assert page.forms["login"]["remember_me"].checked is ticked


def test_who_logs_in_over_another_user_sees_nothing_of_theirs(browser, engine):
    browser.send_login(ADA, remember_me=True)
    browser.choose_theme("dark")
    browser.add("round-teapot", 2)
    order = browser.review().forms["checkout"].submit(status=303).follow().request.path
    browser.add("assam-tin")
    browser.fill_address()
    assert "Lindenstraße" in browser.get(order)

    cookie = cookie_of(browser.send_login(NOOR))
    assert "Max-Age" not in cookie
    page = browser.get("/")
    assert page.html.select_one(".who span").text == NOOR.full_name
    assert page.html.select_one("#cart-count").text == "0"
    assert "data-theme" not in page.html.html.attrs
    browser.get(order, status=404)
    browser.add("assam-tin")
    assert "Lindenstraße" not in browser.get("/checkout/address")
    assert sessions(engine) == 1


def test_names_are_known_in_any_case(browser):
    form = browser.get("/login").forms["login"]
    form["name"], form["password"] = " Ada ", "tea-at-four"
    form.submit(status=303)


def test_logout_empties_everything_and_takes_the_cookie_away(browser, engine):
    browser.add("round-teapot")
    browser.log_in()
    browser.choose_theme("dark")
    page = browser.log_out()
    assert "You are logged out" in page
    assert browser.session_cookie is None
    assert sessions(engine) == 0
    page = browser.get("/")
    assert page.html.select_one("#cart-count").text == "0"
    assert page.html.select_one(".who") is None
    assert "data-theme" not in page.html.html.attrs


def test_the_cookie_from_before_the_logout_opens_nothing(browser):
    browser.log_in()
    thief = browser.thief()
    browser.log_out()
    assert thief.get("/").html.select_one(".who") is None


def test_logging_out_in_one_browser_leaves_the_other_logged_in(new_browser):
    one, other = new_browser(), new_browser()
    one.log_in()
    other.log_in()
    one.log_out()
    assert other.get("/").html.select_one(".who")


def test_the_login_page_sends_whoever_is_logged_in_away(browser):
    browser.log_in()
    assert browser.get("/login?next=/cart", status=303).location == "http://localhost/cart"


def test_a_page_for_users_asks_for_the_login_first_and_is_shown_after_it(browser):
    page = browser.get("/orders", status=303).follow()
    assert page.request.path == "/login"
    assert browser.log_in(page="/login?next=/orders").request.path == "/orders"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/\\elsewhere.example/",
        "/\t/elsewhere.example/",
        "javascript:alert(1)",
        "/cart\nSet-Cookie: a=b",
    ],
)
def test_login_leads_nowhere_but_into_the_shop(browser, elsewhere):
    form = browser.get("/login").forms["login"]
    form["name"], form["password"], form["next"] = "ada", "tea-at-four", elsewhere
    assert form.submit(status=303).location == "http://localhost/"


def test_a_user_that_was_deleted_is_logged_out(browser, engine):
    browser.log_in()
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM account WHERE name = 'ada'")
    assert browser.get("/").html.select_one(".who") is None
