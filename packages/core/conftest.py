"""The examples in the README run as tests, and no test is judged by the clock."""

from hypothesis import settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

pytest_collect_file = Sybil(parsers=[PythonCodeBlockParser()], patterns=["README.md"]).pytest()

# A busy machine is slow at times, and nothing is wrong then.
settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")
