"""The strip at the foot of each page, which tells what the request did with its session."""


def strip(page):
    """Return what the strip says, by request and by what it is about."""
    return {
        line.strong.text: dict(span.text.split(": ", 1) for span in line.select("span"))
        for line in page.html.select("#strip li")
    }


def test_it_tells_reading_from_writing(browser):
    page = browser.get("/")
    assert strip(page) == {"GET /": {"Statements": "none", "Touched": "no", "Renewed": "no"}}
    assert "Your session: none is stored." in page.html.select_one("#strip").text
    added = strip(browser.add("round-teapot"))
    assert added["POST /cart/add"]["Statements"] == "2 (INSERT, INSERT)"
    assert added["GET /cart"]["Statements"] == "2 (SELECT, UPDATE)", "the message was shown, and is gone"
    page = browser.get("/cart")
    assert strip(page) == {"GET /cart": {"Statements": "1 (SELECT)", "Touched": "no", "Renewed": "no"}}
    assert "ends in 1,209,600 seconds (14 days)" in page.html.select_one("#strip").text


def test_a_login_shows_its_new_identity_and_nobody_elses_request(browser, new_browser):
    stranger = new_browser()
    browser.add("round-teapot")
    page = browser.log_in()
    assert "Identity" in strip(page)["POST /login"]
    next(form for form in page.forms.values() if form.action == "/logout").submit(status=303)
    assert list(strip(stranger.get("/"))) == ["GET /"]


def test_the_use_of_a_session_is_recorded_now_and_then_and_its_cookie_renewed(testapp, websession_clock):
    testapp.log_in()
    websession_clock.advance(seconds=61)
    assert strip(testapp.get("/"))["GET /"]["Touched"] == "yes"
    assert strip(testapp.get("/"))["GET /"]["Touched"] == "no"
    websession_clock.advance(seconds=900)
    assert strip(testapp.get("/"))["GET /"]["Renewed"] == "yes, a new cookie"
