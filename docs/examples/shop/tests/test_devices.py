"""Who is logged in where, and how it ends: for users themselves, and for administrators."""

import pytest
from shop.devices import ago, describe
from shop.seeds import DEMO_USERS

ADA, NOOR, PIM = DEMO_USERS


@pytest.fixture
def logged_in(new_browser):
    def log_in(user, user_agent="", address="127.0.0.1"):
        browser = new_browser()
        browser.extra_environ.update(HTTP_USER_AGENT=user_agent, REMOTE_ADDR=address)
        browser.log_in(user)
        return browser

    return log_in


def who(browser):
    name = browser.get("/").html.select_one(".who span")
    return name and name.text


def devices(browser):
    return browser.get("/devices").html.select("#devices tbody tr")


def press(page, form):
    """Press the button of the form that a selector finds; the page it leads to."""
    found = page.html.select_one(form)
    fields = {field["name"]: field["value"] for field in found.select("[name]")}
    return page.goto(found["action"], method="post", params=fields, status=303).follow()


def test_one_sees_ones_own_devices_and_nobody_elses(logged_in):
    here, _elsewhere, _noor = logged_in(ADA), logged_in(ADA), logged_in(NOOR)
    this, other = devices(here)
    assert "This device" in this.text
    assert this.select_one("button") is None
    assert "This device" not in other.text
    assert "just now" in other.text


def test_a_device_has_a_name_and_the_neighbourhood_it_logged_in_from(logged_in):
    here = logged_in(ADA, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "198.51.100.77")
    logged_in(ADA, "Mozilla/5.0 (Linux; Android 16) Chrome/140.0 Mobile Safari/537.36", "2001:db8:1:2::3")
    this, other = devices(here)
    assert "Firefox on Linux" in this.text
    assert "198.51.100.0" in this.text
    assert "Chrome on Android" in other.text
    assert "2001:db8:1::" in other.text


def test_a_device_that_is_logged_out_is_dead_at_its_next_request(logged_in):
    here, elsewhere, noor = logged_in(ADA), logged_in(ADA), logged_in(NOOR)
    elsewhere.add("round-teapot")
    page = press(here.get("/devices"), "#devices form")
    assert "That device is logged out." in page
    assert len(devices(here)) == 1
    assert who(elsewhere) is None
    assert elsewhere.get("/").html.select_one("#cart-count").text == "0"
    assert who(here) == ADA.full_name
    assert who(noor) == NOOR.full_name


def test_logging_out_all_others_leaves_this_one_and_other_people(logged_in):
    here, *others = [logged_in(ADA) for _ in range(3)]
    noor = logged_in(NOOR)
    here.add("round-teapot")
    page = press(here.get("/devices"), "#end-others")
    assert "2 other devices are logged out." in page
    assert [who(other) for other in others] == [None, None]
    assert who(here) == ADA.full_name
    assert here.get("/").html.select_one("#cart-count").text == "1"
    assert who(noor) == NOOR.full_name


def test_nobody_can_end_a_session_of_somebody_else(logged_in):
    ada, also_ada, noor = logged_in(ADA), logged_in(ADA), logged_in(NOOR)
    handle = devices(ada)[1].select_one("button")["value"]
    token = noor.get("/devices").forms[0]["csrf_token"].value
    page = noor.post("/devices/end", {"csrf_token": token, "handle": handle}, status=303).follow()
    assert "had been logged out already" in page
    assert who(also_ada) == ADA.full_name


def test_ending_a_device_twice_is_told(logged_in):
    here, _elsewhere = logged_in(ADA), logged_in(ADA)
    page = here.get("/devices")
    press(page, "#devices form")
    assert "had been logged out already" in press(page, "#devices form")


@pytest.mark.parametrize(
    "path", ["/devices/end", "/devices/end-others", "/admin/end", "/admin/end-everybodys"]
)
def test_a_form_without_a_token_ends_nothing(logged_in, path):
    pim, other = logged_in(PIM), logged_in(PIM)
    handle = devices(pim)[1].select_one("button")["value"]
    assert "gone cold" in pim.post(path, {"handle": handle, "user": PIM.name}, status=403)
    assert who(other) == who(pim) == PIM.full_name


@pytest.mark.parametrize("path", ["/devices", "/admin"])
def test_a_guest_has_to_log_in_first(browser, path):
    assert browser.get(path, status=303).follow().request.path == "/login"


def test_a_form_that_is_sent_after_the_logout_leads_to_the_login_and_from_there_to_the_shop(browser):
    page = browser.post("/devices/end-others", status=303).follow()
    assert browser.log_in(page=page.request.path_qs).request.path == "/"


def test_the_admin_page_is_for_who_looks_after_the_shop(logged_in):
    ada = logged_in(ADA)
    assert "Behind the counter" in ada.get("/admin", status=403)
    token = ada.get("/devices").forms[0]["csrf_token"].value
    for path in ("/admin/end", "/admin/end-everybodys"):
        ada.post(path, {"csrf_token": token, "user": NOOR.name}, status=403)


def test_the_admin_page_counts_devices(logged_in, new_browser):
    pim, _one, _other = logged_in(PIM), logged_in(ADA), logged_in(ADA)
    new_browser().get("/")  # looks at forms only
    new_browser().add("round-teapot")
    html = pim.get("/admin").html
    numbers = {user: html.select_one(f"#user-{user.name} .number").text for user in DEMO_USERS}
    assert numbers == {ADA: "2", NOOR: "0", PIM: "1"}
    assert html.select_one("#guests").text == "1"


def test_an_admin_logs_somebody_out_everywhere(logged_in):
    pim, one, other, noor = logged_in(PIM), logged_in(ADA), logged_in(ADA), logged_in(NOOR)
    page = press(pim.get("/admin"), f"#user-{ADA.name} form")
    assert "Ada Lindqvist is logged out everywhere. Sessions ended: 2." in page
    assert [who(each) for each in (one, other, noor, pim)] == [None, None, NOOR.full_name, PIM.full_name]


def test_an_admin_who_ends_their_own_sessions_has_to_log_in_again(logged_in):
    pim = logged_in(PIM)
    page = press(pim.get("/admin"), f"#user-{PIM.name} form").follow()
    assert page.request.path == "/login"


def test_an_admin_ends_all_sessions_but_their_own(logged_in, browser):
    pim, ada = logged_in(PIM), logged_in(ADA)
    browser.add("round-teapot")
    page = press(pim.get("/admin"), "#end-everybodys")
    assert "Everybody else is logged out. Sessions ended: 2." in page
    assert who(ada) is None
    assert who(pim) == PIM.full_name
    assert browser.get("/").html.select_one("#cart-count").text == "0"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Linux; Android 10; K) Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1", "Safari on iPhone"),
        ("curl/8.0 Linux", "Linux"),
        ("", "A browser that does not say what it is"),
        (None, "A browser that does not say what it is"),
    ],
)
def test_a_browser_has_a_name(user_agent, name):
    assert describe(user_agent) == name


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (86400, "1 day ago"),
        (9 * 86400, "9 days ago"),
    ],
)
def test_times_are_said_as_people_do(seconds, words):
    assert ago(seconds) == words
