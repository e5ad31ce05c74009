import pytest


def pressed(page):
    return [button["value"] for button in page.html.select(".themes button[aria-pressed=true]")]


def test_the_theme_follows_the_device_at_first(browser):
    page = browser.get("/")
    assert "data-theme" not in page.html.html.attrs
    assert pressed(page) == ["auto"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chosen_theme_stays_on_every_page(browser, theme):
    browser.choose_theme(theme)
    for path in ("/", "/cart", "/login", "/products/assam-tin"):
        page = browser.get(path)
        assert page.html.html["data-theme"] == theme
        assert pressed(page) == [theme]


def test_the_theme_can_be_given_back_to_the_device(browser):
    browser.choose_theme("dark")
    assert "data-theme" not in browser.choose_theme("auto").html.html.attrs


def test_choosing_a_theme_leads_back_to_the_page(browser):
    assert browser.choose_theme("dark", page="/products/assam-tin").request.path == "/products/assam-tin"
    page = browser.choose_theme("dark", page="/login?next=/cart")
    assert page.request.path_qs == "/login?next=/cart"


def test_choosing_a_theme_leads_nowhere_else(browser):
    form = next(form for form in browser.get("/").forms.values() if form.action == "/theme")
    form["next"] = "//elsewhere.example/"
    assert form.submit("theme", value="dark", status=303).location == "http://localhost/"


def test_a_theme_we_do_not_have_is_refused(browser):
    form = next(form for form in browser.get("/").forms.values() if form.action == "/theme")
    form.submit("theme", value="neon", status=400)
    assert "data-theme" not in browser.get("/").html.html.attrs


def test_two_browsers_have_two_themes(new_browser):
    one, other = new_browser(), new_browser()
    one.choose_theme("dark")
    assert "data-theme" not in other.get("/").html.html.attrs


def test_a_message_is_shown_once(browser):
    page = browser.add("assam-tin")
    assert [message.text for message in page.html.select(".message")] == [
        "Assam, second flush: 1 in your cart."
    ]
    assert not browser.get("/cart").html.select(".message")


def test_messages_wait_for_the_next_page_and_keep_their_order(browser):
    pages = [browser.get(f"/products/{slug}") for slug in ("assam-tin", "oat-biscuits")]
    for page in pages:
        page.forms["buy"].submit(status=303)
    messages = [message.text for message in browser.get("/").html.select(".message")]
    assert messages == ["Assam, second flush: 1 in your cart.", "Oat biscuits: 1 in your cart."]


def test_an_error_page_does_not_swallow_messages(browser):
    browser.get("/products/assam-tin").forms["buy"].submit(status=303)
    browser.get("/no/such/page", status=404)
    assert browser.get("/").html.select(".message")
