"""A database that is not set up as it should be is told of in plain words, at the first use."""

from __future__ import annotations

import logging

import pytest
from pyramid.response import Response
from site_under_test import FullSession
from sqlalchemy import event, text
from websession_models import SchemaError


class TestMissingTables:
    @pytest.fixture(params=[False, True], ids=["no error page", "catch-all error page"])
    def error_page(self, request):
        if not request.param:
            return None

        def page(exception, request):
            # An error page that looks at the session, as a layout does, must render all the same.
            return Response(f"{type(exception).__name__}, {dict(request.session)}", status=500)

        return page

    def answer(self, site, browser, path):
        """Return the class and the text of the error that a request ends with."""
        try:
            response = browser.get(path, status=500)
        except SchemaError as error:
            return str(error)
        assert response.text == "SchemaError, {}"
        return None

    @pytest.mark.parametrize("table", ["full_session", "full_session_activity"])
    def test_are_named_with_the_command_that_makes_them(self, make_site, error_page, table):
        site = make_site(model=FullSession, error_page=error_page)
        site.views["start"] = lambda request: request.session.update(n=0)
        browser = site.browser()
        browser.get("/start")
        with site.engine.begin() as connection:
            connection.execute(text(f"DROP TABLE {table}"))
        for path, visitor in (("/look", browser), ("/start", site.browser())):
            message = self.answer(site, visitor, path)
            if error_page is None:
                assert table in message
                assert "alembic upgrade head" in message
                assert "create_all" in message


@pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
class TestSQLite:
    def warnings(self, make_site, caplog, **options):
        with caplog.at_level(logging.WARNING):
            site = make_site(**options)
            site.views["start"] = lambda request: request.session.update(n=0)
            assert not caplog.records
            browser = site.browser()
            for path in ("/start", "/look", "/look"):
                browser.get(path)
        return [record.getMessage() for record in caplog.records]

    def test_as_the_driver_has_it_is_warned_of_once(self, make_site, caplog):
        (warning,) = self.warnings(make_site, caplog, recipe=False)
        assert "prepare_sqlite_engine(engine)" in warning

    def test_with_the_recipe_is_not(self, make_site, caplog):
        assert self.warnings(make_site, caplog) == []

    def test_with_a_recipe_of_the_applications_own_is_not(self, make_site, caplog):
        site = make_site(recipe=False)

        @event.listens_for(site.engine, "connect")
        def connect(connection, _record):
            connection.isolation_level = None

        @event.listens_for(site.engine, "begin")
        def begin(connection):
            connection.exec_driver_sql("BEGIN")

        site.engine.dispose()
        site.views["start"] = lambda request: request.session.update(n=0)
        with caplog.at_level(logging.WARNING):
            browser = site.browser()
            browser.get("/start")
            browser.get("/look")
        assert not caplog.records


@pytest.mark.parametrize("websession_engine_name", ["postgresql", "mariadb", "mysql"], indirect=True)
def test_an_engine_without_transactions_is_warned_of_once(make_site, caplog):
    site = make_site(engine_options={"isolation_level": "AUTOCOMMIT"})
    browser = site.browser()
    for path in ("/start", "/look", "/look"):
        browser.get(path)
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert 'Leave isolation_level="AUTOCOMMIT" out' in record.getMessage()
