from threading import Barrier, Thread

import pytest
from shop.models import Order, OrderLine
from sqlalchemy import func, select
from sqlalchemy.orm import Session as DatabaseSession


def orders(engine):
    with DatabaseSession(engine) as dbsession:
        return dbsession.scalar(select(func.count()).select_from(Order))


def test_nothing_can_be_ordered_with_an_empty_cart(browser):
    for page in ("/checkout", "/checkout/address", "/checkout/delivery", "/checkout/review"):
        answer = browser.get(page, status=303).follow()
        assert answer.request.path == "/cart"
        assert "there is nothing to order yet" in answer


def test_the_checkout_leads_through_its_three_steps_to_the_order(browser, engine):
    browser.add("round-teapot", 2)
    browser.add("oat-biscuits")

    page = browser.get("/checkout").follow()
    assert page.html.select_one("[aria-current=step]").text.strip() == "Address"
    page = browser.fill_address().follow()
    assert page.html.select_one("[aria-current=step]").text.strip() == "Delivery"
    page = browser.fill_delivery(note="Ring twice.\nThen wait.").follow()
    assert page.html.select_one("[aria-current=step]").text.strip() == "Review"
    for text in (
        "Ida Brenner",
        "Lindenstraße 12",
        "10115 Berlin",
        "Germany",
        "By bicycle courier",
        "Ring twice.",
    ):
        assert text in page
    assert page.html.select_one("#total").text == "€ 92.10"

    page = page.forms["checkout"].submit(status=303).follow()
    assert "Thank you! Your order is placed." in page
    assert page.html.select_one("#total").text == "€ 92.10"
    assert page.html.select_one("#cart-count").text == "0"

    with DatabaseSession(engine) as dbsession:
        order = dbsession.scalars(select(Order)).one()
        assert order.reference == page.html.select_one("#reference").text
        assert (order.name, order.city, order.country) == ("Ida Brenner", "Berlin", "DE")
        assert (order.delivery, order.delivery_price) == ("courier", 890)
        assert order.note == "Ring twice.\nThen wait."
        assert [(line.name, line.price, line.quantity) for line in order.lines] == [
            ("Round teapot", 3900, 2),
            ("Oat biscuits", 520, 1),
        ]
        assert order.user_id is None


def test_a_step_cannot_be_skipped(browser):
    browser.add("round-teapot")
    assert browser.get("/checkout/review", status=303).follow().request.path == "/checkout/address"
    assert browser.get("/checkout/delivery", status=303).follow().request.path == "/checkout/address"
    browser.fill_address()
    assert browser.get("/checkout/review", status=303).follow().request.path == "/checkout/delivery"


def test_the_checkout_goes_on_where_it_was_left(browser):
    browser.add("round-teapot")
    browser.fill_address()
    assert browser.get("/checkout", status=303).follow().request.path == "/checkout/delivery"
    browser.fill_delivery()
    assert browser.get("/checkout", status=303).follow().request.path == "/checkout/review"


def test_going_back_shows_what_was_answered_and_lets_it_be_changed(browser):
    browser.add("round-teapot")
    browser.review()
    form = browser.get("/checkout/address").forms["checkout"]
    assert (form["street"].value, form["country"].value) == ("Lindenstraße 12", "DE")
    form = browser.get("/checkout/delivery").forms["checkout"]
    assert form["method"].value == "courier"

    browser.fill_address(street="Gartenweg 3")
    page = browser.get("/checkout/review")
    assert "Gartenweg 3" in page
    assert "By bicycle courier" in page


def test_the_checkout_survives_a_login(browser):
    browser.add("round-teapot")
    browser.fill_address()
    browser.log_in()
    assert browser.get("/checkout/address").forms["checkout"]["street"].value == "Lindenstraße 12"


def test_the_checkout_survives_a_restart_of_the_shop(browser, restarted_shop):
    browser.add("round-teapot")
    browser.review()
    browser.app = restarted_shop
    assert "Lindenstraße 12" in browser.get("/checkout/review")


@pytest.mark.parametrize(
    ("field", "answer", "complaint"),
    [
        ("name", "", "Full name is missing."),
        ("name", " \t ", "Full name is missing."),
        ("name", "\x00", "Full name is missing."),
        ("street", "", "Street and number is missing."),
        ("city", "B" * 101, "Town can have at most 100 characters."),
        ("postcode", "", "Postcode is missing."),
        ("postcode", "Berlin", "This does not look like a postcode."),
        ("postcode", "1" * 13, "Postcode can have at most 12 characters."),
        ("country", "XX", "Choose one of the countries we deliver to."),
    ],
)
def test_an_address_that_will_not_do_comes_back_with_the_reason(browser, field, answer, complaint):
    browser.add("round-teapot")
    page = browser.fill_address(**{field: answer})
    assert page.status_int == 422
    control = page.html.find(id=field)
    assert control["aria-invalid"] == "true"
    assert page.html.find(id=control["aria-describedby"]).text.startswith(complaint)
    assert page.html.select_one(f".summary a[href='#{field}']").text.startswith(complaint)
    others = {"name": "Ida Brenner", "street": "Lindenstraße 12"}
    others.pop(field, None)
    assert {name: page.forms["checkout"][name].value for name in others} == others
    assert browser.get("/checkout/delivery", status=303).location.endswith("/checkout/address")


def test_a_wrong_answer_does_not_replace_a_good_one(browser):
    browser.add("round-teapot")
    browser.fill_address()
    browser.fill_address(street="")
    assert browser.get("/checkout/address").forms["checkout"]["street"].value == "Lindenstraße 12"


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ({"method": "pigeon"}, "Choose how the parcel should arrive."),
        ({"note": "x" * 301}, "The note can have at most 300 characters."),
    ],
)
def test_a_delivery_that_will_not_do_comes_back_with_the_reason(browser, answers, complaint):
    browser.add("round-teapot")
    browser.fill_address()
    page = browser.fill_delivery(**answers)
    assert page.status_int == 422
    assert complaint in page.html.select_one(".summary").text
    assert browser.get("/checkout/review", status=303).location.endswith("/checkout/delivery")


def test_letters_of_every_script_arrive_as_they_were_written(browser):
    browser.add("round-teapot")
    browser.fill_address(name="Łucja 🫖 Нина", city="ལྷ་ས་")
    browser.fill_delivery(note="<b>&amp; 'quotes'</b>")
    page = browser.get("/checkout/review")
    assert "Łucja 🫖 Нина" in page.html.text
    assert "ལྷ་ས་" in page.html.text
    assert page.html.select_one(".note").text == "<b>&amp; 'quotes'</b>"


def test_the_last_form_sent_twice_places_one_order(browser, engine):
    browser.add("round-teapot")
    form = browser.review().forms["checkout"]
    first = form.submit(status=303).follow()
    second = form.submit(status=303).follow()
    assert second.request.path == first.request.path
    assert "It has not been placed twice." in second
    assert orders(engine) == 1


def test_the_last_form_sent_twice_at_the_same_moment_places_one_order(browser, new_browser, engine):
    browser.add("round-teapot")
    form = browser.review().forms["checkout"]
    answers, start = [], Barrier(2)

    def send(tab):
        start.wait()
        answers.append(tab.post("/checkout/review", form.submit_fields(), status=303).location)

    tabs = [new_browser(), new_browser()]
    for tab in tabs:
        tab.set_cookie("websession-visitor", browser.session_cookie)
    threads = [Thread(target=send, args=(tab,)) for tab in tabs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 2
    assert len(set(answers)) == 1
    assert orders(engine) == 1


def test_reloading_the_page_after_the_order_places_nothing(browser, engine):
    browser.add("round-teapot")
    page = browser.review().forms["checkout"].submit(status=303).follow()
    again = browser.get(page.request.path)
    assert "Thank you!" not in again
    assert orders(engine) == 1


def test_the_same_things_can_be_ordered_again(browser, engine):
    for _ in range(2):
        browser.add("round-teapot")
        browser.review().forms["checkout"].submit(status=303)
    assert orders(engine) == 2


def test_an_order_shows_the_prices_it_was_placed_at(browser, engine):
    browser.add("round-teapot")
    page = browser.review().forms["checkout"].submit(status=303).follow()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE product SET price = 1, name = 'Other' WHERE slug = 'round-teapot'")
    assert browser.get(page.request.path).html.select_one("#total").text == "€ 47.90"


def test_an_order_is_nobody_elses_business(browser, new_browser):
    browser.add("round-teapot")
    page = browser.review().forms["checkout"].submit(status=303).follow()
    stranger = new_browser()
    stranger.get(page.request.path, status=404)
    stranger.log_in()
    stranger.get(page.request.path, status=404)


def test_users_find_their_orders_in_every_browser(browser, new_browser):
    browser.log_in()
    browser.add("round-teapot")
    placed = browser.review().forms["checkout"].submit(status=303).follow()
    elsewhere = new_browser()
    page = elsewhere.log_in(page="/login?next=/orders")
    assert page.click(placed.html.select_one("#reference").text).request.path == placed.request.path


def test_users_without_orders_are_told_so(browser):
    page = browser.log_in(page="/login?next=/orders")
    assert "You have not ordered anything yet" in page


def test_an_order_that_fails_leaves_cart_and_answers_as_they_were(browser, engine, caplog):
    browser.add("round-teapot", 2)
    form = browser.review().forms["checkout"]
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER broken BEFORE INSERT ON order_line BEGIN SELECT RAISE(ABORT, 'out of order'); END"
        )

    page = form.submit(status=500)
    assert "nothing was ordered" in page
    assert "Set-Cookie" not in page.headers
    assert orders(engine) == 0
    page = browser.get("/checkout/review")
    assert "Thank you" not in page
    assert "Lindenstraße 12" in page
    assert page.html.select_one("#cart-count").text == "2"
    assert "out of order" in caplog.text
    assert "Lindenstraße" not in caplog.text

    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER broken")
    page = form.submit(status=303).follow()
    assert "Your order is placed." in page
    with DatabaseSession(engine) as dbsession:
        assert dbsession.scalars(select(OrderLine.quantity)).all() == [2]


def test_the_button_that_breaks_an_order_shows_that_order_and_cart_go_together(browser, engine):
    browser.add("round-teapot", 2)
    form = browser.review().forms["checkout"]
    before = browser.session_cookie
    answer = form.submit("break", status=303)
    assert "Set-Cookie" not in answer.headers
    page = answer.follow()
    seen = [[cell.text for cell in row.select("td")] for row in page.html.select("#seen tbody tr")]
    assert seen == [["1", "0"], ["0", "2"]], "an order and an empty cart; then no order and a full one"
    assert "rolled back" in page.html.select_one("#strip li").text
    assert orders(engine) == 0
    assert browser.session_cookie == before
    assert "Your order is placed." in form.submit(status=303).follow()
    assert orders(engine) == 1
