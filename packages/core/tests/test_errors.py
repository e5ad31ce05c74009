from __future__ import annotations

import copy
import pickle

import pytest
from websession_core import (
    ConfigurationError,
    MalformedPayloadError,
    Mistake,
    NoTransactionError,
    SessionError,
    SessionTransactionError,
    TicketError,
    UnreadableValueError,
    UnstorableValueError,
)

MISTAKE = Mistake("session.cookie_path", "'x'", 'must start with "/"', "give a path")


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError([MISTAKE]),
        UnstorableValueError("cart.items[3]", "no"),
        UnreadableValueError("price", "money", "no"),
        MalformedPayloadError("no"),
        TicketError("no"),
        SessionTransactionError("no"),
        NoTransactionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_belongs_to_the_tree_and_survives_pickling_and_copying(error: SessionError) -> None:
    assert isinstance(error, SessionError)
    # Errors travel between processes (test runners, task queues).
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


def test_a_configuration_error_lists_every_mistake_on_a_line_of_its_own() -> None:
    error = ConfigurationError(iter([MISTAKE, Mistake("session.secret_key", None, "is missing", "make one")]))

    assert str(error) == (
        "2 mistakes in the session settings:\n"
        "  session.cookie_path = 'x': must start with \"/\"; give a path\n"
        "  session.secret_key: is missing; make one"
    )
    assert error.mistakes[0] is MISTAKE


def test_one_mistake_is_told_in_the_singular() -> None:
    assert str(ConfigurationError([MISTAKE])).startswith("1 mistake in ")


def test_a_configuration_error_without_a_mistake_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ConfigurationError([])


def test_an_unstorable_value_is_a_value_error_that_carries_its_path_and_the_reason() -> None:
    error = UnstorableValueError("cart.items[3]", "use a list")

    assert isinstance(error, ValueError)
    assert (error.path, error.reason) == ("cart.items[3]", "use a list")
    assert str(error) == "cart.items[3]: use a list"


def test_a_missing_transaction_is_a_transaction_error_that_says_what_is_missing() -> None:
    assert isinstance(NoTransactionError(), SessionTransactionError)
    assert "no transaction is active" in str(NoTransactionError())
    assert str(NoTransactionError("include pyramid_tm")) == "include pyramid_tm"
