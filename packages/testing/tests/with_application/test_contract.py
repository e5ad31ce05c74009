"""Our sessions, those in memory, and Pyramid's own keep one contract."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from pyramid.session import SignedCookieSessionFactory
from pytest_websession.contract import SessionContract
from pytest_websession.memory import MemorySessionFactory


class BrowserVisitor:
    def __init__(self, browser: Any) -> None:
        self.browser = browser

    @property
    def cookies(self) -> dict[str, str]:
        return self.browser.cookies

    def visit(self, function: Any) -> Any:
        with self.browser.session() as session:
            return function(session)

    def twin(self) -> BrowserVisitor:
        return BrowserVisitor(self.browser.thief())


@pytest.mark.websession_commits
class TestOurs(SessionContract):
    @pytest.fixture
    def new_visitor(self, websession_new_browser):
        return lambda: BrowserVisitor(websession_new_browser())


@pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)
class TestOursInOneTransaction(SessionContract):
    @pytest.fixture
    def new_visitor(self, websession_new_browser):
        return lambda: BrowserVisitor(websession_new_browser())


class TestInMemory(SessionContract):
    @pytest.fixture
    def session_factory(self):
        return MemorySessionFactory()


class TestSignedCookies(SessionContract):
    deviations: ClassVar = {
        "test_created_is_in_whole_seconds_and_stays": "it has fractions of a second",
        "test_a_tuple_is_refused_or_stays_one": "it comes back as a list",
        "test_a_nested_key_that_is_no_text_is_refused_or_stays_as_it_is": "it comes back as text",
        "test_a_nested_change_is_kept_without_being_told": "it is lost without changed()",
        "test_an_invalidated_one_is_not_opened_by_a_copy_of_its_cookie": "the cookie holds all there is",
        "test_flash_messages_are_no_part_of_the_data": "they are kept in it",
    }

    @pytest.fixture
    def session_factory(self):
        return SignedCookieSessionFactory("secret", reissue_time=None)
