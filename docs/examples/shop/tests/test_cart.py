import pytest
from shop.cart import MAX_QUANTITY


def quantities(page):
    return {
        field["name"].removeprefix("quantity-"): int(field["value"])
        for field in page.html.select("input.quantity")
    }


def test_the_cart_survives_requests(browser):
    browser.add("round-teapot", 2)
    browser.add("oat-biscuits")
    browser.get("/")
    assert quantities(browser.get("/cart")) == {"round-teapot": 2, "oat-biscuits": 1}


def test_the_cart_survives_a_restart_of_the_shop(browser, restarted_shop):
    browser.add("round-teapot", 2)
    browser.app = restarted_shop
    assert quantities(browser.get("/cart")) == {"round-teapot": 2}


def test_a_product_added_twice_is_one_line_changed_in_place(browser):
    browser.add("round-teapot", 2)
    page = browser.add("round-teapot", 3)
    assert quantities(page) == {"round-teapot": 5}
    assert "Round teapot: 5 in your cart." in page


def test_lines_stay_in_the_order_they_were_added(browser):
    for slug in ("wooden-tray", "assam-tin", "heather-honey"):
        browser.add(slug)
    assert list(quantities(browser.get("/cart"))) == ["wooden-tray", "assam-tin", "heather-honey"]


def test_the_cart_adds_up(browser):
    browser.add("everyday-cup", 4)
    page = browser.add("oat-biscuits", 2)
    assert page.html.select_one("#goods").text == "€ 68.40"
    assert page.html.select_one("#cart-count").text == "6"


def test_quantities_change_all_at_once(browser):
    browser.add("everyday-cup", 4)
    form = browser.add("oat-biscuits", 2).forms["quantities"]
    form["quantity-everyday-cup"], form["quantity-oat-biscuits"] = "1", "7"
    page = form.submit(status=303).follow()
    assert quantities(page) == {"everyday-cup": 1, "oat-biscuits": 7}


@pytest.mark.parametrize("nonsense", ["0", "-1", "21", "1.5", "many", "", "9" * 5000, "²"])
def test_a_quantity_that_makes_no_sense_changes_nothing(browser, nonsense):
    browser.add("everyday-cup", 4)
    form = browser.add("oat-biscuits", 2).forms["quantities"]
    form["quantity-everyday-cup"], form["quantity-oat-biscuits"] = "1", nonsense
    page = form.submit(status=303).follow()
    assert page.html.select_one("[role=alert]")
    assert quantities(page) == {"everyday-cup": 4, "oat-biscuits": 2}


@pytest.mark.parametrize("nonsense", ["0", "21", "many"])
def test_a_quantity_that_makes_no_sense_is_not_added(browser, nonsense):
    form = browser.get("/products/everyday-cup").forms["buy"]
    form["quantity"] = nonsense
    page = form.submit(status=303).follow()
    assert page.html.select_one("[role=alert]")
    assert page.html.select_one("#cart-count").text == "0"


def test_one_line_never_grows_beyond_the_limit(browser):
    browser.add("everyday-cup", MAX_QUANTITY)
    page = browser.add("everyday-cup", 1)
    assert quantities(page) == {"everyday-cup": MAX_QUANTITY}
    assert "as many as one order can have" in page


def test_a_line_can_be_removed(browser):
    browser.add("everyday-cup", 4)
    page = browser.add("oat-biscuits", 2)
    page = page.forms["remove"].submit("slug", value="everyday-cup", status=303).follow()
    assert quantities(page) == {"oat-biscuits": 2}
    assert "Everyday cup is no longer in your cart." in page


def test_the_last_line_removed_leaves_an_empty_cart(browser):
    page = browser.add("everyday-cup")
    page = page.forms["remove"].submit("slug", value="everyday-cup", status=303).follow()
    assert "There is nothing in it yet." in page
    assert "quantities" not in page.forms


def test_two_browsers_have_two_carts(new_browser):
    one, other = new_browser(), new_browser()
    one.add("round-teapot")
    other.add("oat-biscuits", 3)
    assert quantities(one.get("/cart")) == {"round-teapot": 1}
    assert quantities(other.get("/cart")) == {"oat-biscuits": 3}
    assert one.session_cookie != other.session_cookie


def test_a_product_that_is_no_longer_sold_leaves_the_cart_page_working(browser, engine):
    browser.add("round-teapot")
    browser.add("oat-biscuits")
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM product WHERE slug = 'round-teapot'")
    assert quantities(browser.get("/cart")) == {"oat-biscuits": 1}
