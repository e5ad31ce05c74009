"""Runs the examples of the README."""

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser


def close_the_database(namespace: dict) -> None:
    """Dispose of the examples' engine: Python 3.13 warns of connections left open."""
    if "engine" in namespace:
        namespace["engine"].dispose()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()], patterns=["README.md"], teardown=close_the_database
).pytest()
