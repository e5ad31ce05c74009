"""The examples in the README run as tests."""

from collections.abc import Iterator
from unittest import mock

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from websession_crypto import generate_secret_key


@pytest.fixture(scope="module")
def cookie_keys() -> Iterator[None]:
    """The environment that the README's reader has exported."""
    with mock.patch.dict("os.environ", COOKIE_KEYS=generate_secret_key()):
        yield


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()], patterns=["README.md"], fixtures=["cookie_keys"]
).pytest()
