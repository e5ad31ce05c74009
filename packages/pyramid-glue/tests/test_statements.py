"""What a request costs: the statements of each kind of request, on every engine."""

from __future__ import annotations

import pytest

# SQLite's own BEGIN IMMEDIATE is a statement; PostgreSQL and MariaDB are sent theirs by the driver.
NOT_COUNTED = ("BEGIN",)


@pytest.fixture
def site(site):
    site.views["untouched"] = lambda request: "hello"
    site.views["look"] = lambda request: [request.session.get("a"), request.session.peek_flash()]

    @site.view
    def write(request):
        request.session["a"] = request.session.get("a", 0) + 1

    @site.view
    def nested(request):
        request.session.setdefault("cart", {})["apples"] = 3

    @site.view
    def same(request):
        request.session["a"] = request.session["a"]
        request.session.get("cart", {}).update(apples=3)

    @site.view
    def leave(request):
        request.session.invalidate()

    return site


def statements(site, browser, path):
    """Return the statements of one request, and the response."""
    site.statements.clear()
    response = browser.get(path)
    return [each for each in site.statements if each not in NOT_COUNTED], response


def test_a_request_that_does_not_touch_the_session_costs_nothing(site):
    browser = site.browser()
    browser.get("/write")
    made, response = statements(site, browser, "/untouched")
    assert made == []
    assert "Set-Cookie" not in response.headers
    assert "Vary" not in response.headers


def test_a_new_session_without_data_is_not_stored(site):
    made, response = statements(site, site.browser(), "/look")
    assert made == []
    assert "Set-Cookie" not in response.headers
    assert response.headers["Vary"] == "Cookie"


def test_a_new_session_is_one_insert(site):
    made, response = statements(site, site.browser(), "/write")
    assert made == ["INSERT", "COMMIT"]
    assert len(response.headers.getall("Set-Cookie")) == 1


def test_a_read_is_one_select(site):
    browser = site.browser()
    browser.get("/write")
    made, response = statements(site, browser, "/look")
    assert made == ["SELECT"]
    assert "Set-Cookie" not in response.headers


def test_a_change_is_one_select_and_one_update(site):
    browser = site.browser()
    browser.get("/write")
    made, response = statements(site, browser, "/write")
    assert made == ["SELECT", "UPDATE", "COMMIT"]
    assert "Set-Cookie" not in response.headers
    assert site.rows()[0].data == {"a": 2}


def test_a_nested_change_is_found(site):
    browser = site.browser()
    browser.get("/write")
    browser.get("/nested")
    site.views["nested"] = lambda request: request.session["cart"].update(pears=1)
    made, _ = statements(site, browser, "/nested")
    assert made == ["SELECT", "UPDATE", "COMMIT"]
    assert site.rows()[0].data == {"a": 1, "cart": {"apples": 3, "pears": 1}}


def test_an_assignment_of_the_same_is_not_written(site):
    browser = site.browser()
    browser.get("/write")
    browser.get("/nested")
    made, _ = statements(site, browser, "/same")
    assert made == ["SELECT"]


def deletion(site):
    """Return the statements of a deletion: PostgreSQL could not go on if a foreign key forbade it."""
    return ["SAVEPOINT", "DELETE", "RELEASE"] if site.engine.dialect.name == "postgresql" else ["DELETE"]


def test_a_logout_is_one_delete_and_removes_the_cookie(site):
    browser = site.browser()
    browser.get("/write")
    made, response = statements(site, browser, "/leave")
    assert made == ["SELECT", *deletion(site), "COMMIT"]
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert browser.cookies == {}
    assert site.rows() == []


def test_a_login_that_starts_over_is_one_delete_and_one_insert(site):
    browser = site.browser()
    browser.get("/write")
    before = site.rows()[0].id
    cookie = browser.cookies["websession"]

    @site.view
    def login(request):
        request.session.invalidate()
        assert request.session.new
        assert not request.session
        request.session["user"] = 1

    made, _ = statements(site, browser, "/login")
    assert made == ["SELECT", *deletion(site), "INSERT", "COMMIT"]
    (row,) = site.rows()
    assert row.id != before
    assert row.data == {"user": 1}
    assert browser.cookies["websession"] != cookie


def test_only_the_column_that_changed_is_written(site):
    browser = site.browser()
    browser.get("/write")
    updates = []
    from sqlalchemy import event

    @event.listens_for(site.engine, "before_cursor_execute")
    def _keep(_conn, _cursor, statement, *_rest):
        if statement.startswith("UPDATE"):
            updates.append(statement)

    site.views["push"] = lambda request: request.session.flash("hello")
    browser.get("/push")
    assert "flash" in updates[0]
    assert "data" not in updates[0]
