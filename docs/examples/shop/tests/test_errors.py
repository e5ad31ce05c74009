import pytest

POSTS = [
    "/cart",
    "/cart/add",
    "/cart/remove",
    "/checkout/address",
    "/checkout/delivery",
    "/checkout/review",
    "/login",
]
POSTS += ["/logout", "/theme"]


@pytest.mark.parametrize("path", POSTS)
def test_every_form_without_a_token_is_refused(browser, path):
    page = browser.post(path, {"slug": "assam-tin", "theme": "dark"}, status=403)
    assert "This form has gone cold" in page


@pytest.mark.parametrize("path", POSTS)
def test_every_form_with_the_token_of_another_browser_is_refused(browser, new_browser, path):
    token = new_browser().get("/login").forms["login"]["csrf_token"].value
    browser.get("/")
    browser.post(path, {"csrf_token": token, "slug": "assam-tin", "theme": "dark"}, status=403)


def test_a_refused_form_changes_nothing(browser):
    browser.add("assam-tin")
    browser.post("/cart/remove", {"slug": "assam-tin"}, status=403)
    assert browser.get("/cart").html.select_one("#cart-count").text == "1"


def test_a_form_that_went_cold_brings_back_what_was_typed(browser):
    browser.add("assam-tin")
    form = browser.get("/checkout/address").forms["checkout"]
    for name, text in browser.ADDRESS.items():
        form[name] = text
    browser.log_in()
    page = form.submit(status=403)
    assert "This form has gone cold" in page
    again = page.forms["again"]
    assert {name: again[name].value for name in browser.ADDRESS} == browser.ADDRESS
    assert again["csrf_token"].value != form["csrf_token"].value
    labelled = {label["for"] for label in page.html.select("label[for]")}
    assert labelled == {"name", "street", "postcode", "city"}
    assert again.submit(status=303).location.endswith("/checkout/delivery")


def test_a_form_sent_without_cookies_brings_back_what_was_typed_and_says_why(browser):
    browser.add("assam-tin")
    browser.fill_address()
    form = browser.get("/checkout/delivery").forms["checkout"]
    form["note"] = "Ring twice."
    browser.reset()
    page = form.submit(status=403)
    assert "Your browser sent no cookie" in page
    again = page.forms["again"]
    assert again["note"].value == "Ring twice."
    # The cart is gone with its session, and the note is there when the next one is ordered.
    assert again.submit(status=303).location.endswith("/cart")
    browser.add("assam-tin")
    browser.fill_address()
    assert browser.get("/checkout/delivery").forms["checkout"]["note"].value == "Ring twice."


def test_a_password_has_to_be_typed_again(browser):
    form = browser.get("/login").forms["login"]
    form["name"], form["password"], form["next"] = "ada", "tea-at-four", "/cart"
    browser.reset()
    page = form.submit(status=403)
    assert "tea-at-four" not in page
    again = page.forms["again"]
    assert again["name"].value == "ada"
    again["password"] = "tea-at-four"
    assert again.submit(status=303).location.endswith("/cart")


@pytest.mark.parametrize("referer", ["http://elsewhere.example/", "http://localhost.example/", None])
def test_what_another_site_has_sent_is_not_shown(browser, referer):
    headers = {"Referer": referer} if referer else {}
    answers = {**browser.ADDRESS, "name": "Mallory"}
    page = browser.post("/checkout/address", answers, headers=headers, status=403)
    assert "Mallory" not in page
    assert "again" not in page.forms


def test_a_refused_form_leads_back_to_its_page_and_nowhere_else(browser):
    def link(referer):
        page = browser.post("/cart/add", headers={"Referer": referer}, status=403)
        return page.html.select_one("main a")["href"]

    assert link("http://localhost/login?next=/cart") == "/login"
    assert link("http://elsewhere.example/login") == "/"
    assert link("http://localhost//elsewhere.example") == "/"


@pytest.mark.parametrize(
    "path", ["/no/such/page", "/products/samovar", "/orders/ABCD-EFGH-2345", "/cart/add"]
)
def test_a_page_that_does_not_exist_is_friendly_and_in_the_chosen_theme(browser, path):
    browser.choose_theme("dark")
    page = browser.get(path, status=404)
    assert page.html.html["data-theme"] == "dark"
    assert page.html.select_one("main a")["href"] == "/"


@pytest.mark.parametrize("path", ["/%FF", "/products/%FF", "/login?next=%FF"])
def test_an_address_that_is_no_text_is_the_askers_mistake(browser, path):
    page = browser.get(path, status=400)
    assert page.html.select_one("main a")["href"] == "/"


@pytest.mark.parametrize(("path", "field"), [("/login", "name"), ("/cart/add", "slug"), ("/theme", "theme")])
def test_a_file_where_text_was_asked_is_the_askers_mistake(browser, path, field):
    token = browser.get("/login").forms["login"]["csrf_token"].value
    answer = browser.post(path, {"csrf_token": token}, upload_files=[(field, "file.txt", b"ada")], status="*")
    assert 400 <= answer.status_int < 500


def test_error_pages_start_no_session(browser):
    browser.get("/no/such/page", status=404)
    browser.post("/theme", status=403)
    assert browser.session_cookie is None


def test_what_breaks_in_a_view_is_shown_in_the_chosen_theme_and_logged(browser, engine, caplog):
    browser.choose_theme("dark")
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE product RENAME TO elsewhere")
    page = browser.get("/", status=500)
    assert page.html.html["data-theme"] == "dark"
    assert "Something broke" in page
    assert "no such table: product" in caplog.text
    assert "no such table" not in page


def test_what_breaks_at_the_commit_is_shown_in_the_chosen_theme(browser, engine):
    browser.add("assam-tin")
    browser.choose_theme("dark")
    form = browser.review().forms["checkout"]
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER broken BEFORE INSERT ON customer_order BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )
    page = form.submit(status=500)
    assert page.html.html["data-theme"] == "dark"


def test_the_error_page_is_shown_even_if_the_sessions_are_what_is_broken(browser, engine):
    browser.choose_theme("dark")
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE session RENAME TO elsewhere")
    page = browser.get("/", status=500)
    assert "Something broke" in page
    assert "data-theme" not in page.html.html.attrs


def test_a_cookie_that_is_nonsense_is_a_new_visitor(browser):
    browser.set_cookie("websession", "nonsense")
    assert browser.get("/").html.select_one("#cart-count").text == "0"
