"""The examples in the README run as tests, and no test is judged by the clock."""

from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import settings
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

# A busy machine is slow at times, and nothing is wrong then.
settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")
