import pytest
from shop.seeds import PRODUCTS


def test_the_home_page_offers_every_product(browser):
    page = browser.get("/")
    assert [heading.text for heading in page.html.select(".card h2")] == [item["name"] for item in PRODUCTS]


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product["slug"])
def test_every_product_has_a_page_with_its_picture_and_price(browser, product):
    page = browser.get(f"/products/{product['slug']}")
    assert page.html.h1.text == product["name"]
    assert page.html.select(".product-picture svg path, .product-picture svg circle")
    assert f"{product['price'] / 100:.2f}" in page.html.select_one(".price").text


def test_a_product_that_does_not_exist_is_a_friendly_404(browser):
    page = browser.get("/products/samovar", status=404)
    assert page.html.select_one("main a")["href"] == "/"


def test_a_product_goes_into_the_cart_straight_from_the_list(browser):
    forms = browser.get("/").forms.values()
    form = next(form for form in forms if "slug" in form.fields and form["slug"].value == "oat-biscuits")
    page = form.submit(status=303).follow()
    assert page.html.select_one("#cart-count").text == "1"
