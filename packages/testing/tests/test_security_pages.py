"""The pages on security name tests that exist, and every requirement of the standard once."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "explanation"
ASVS = PAGES / "asvs.md"
NAMED = re.compile(r"\[`((?:\w+\.)?test_\w+)`\]\(([^)]+\.py)\)")

# The numbers of the requirements in each section of OWASP ASVS 5.0.0, chapter V7 and section V3.3.
SECTIONS = {"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2, "3.3": 5}
REQUIREMENTS = [f"{section}.{number}" for section, last in SECTIONS.items() for number in range(1, last + 1)]


def names_in(path):
    """Return the names of a module's tests, those in classes with the class."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = [each.name for each in node.body if isinstance(each, ast.FunctionDef)]
            names.update(f"{node.name}.{method}" for method in methods)
    return {name for name in names if name.rpartition(".")[2].startswith("test_")}


def rows():
    """Return the rows of the page's tables by requirement: who, and the whole row."""
    text = ASVS.read_text(encoding="utf-8")
    return re.findall(r"^\| (\d+\.\d+\.\d+) \|[^|]+\| (\w+) \|(.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("page", ["asvs", "threat-model"])
def test_every_test_that_a_page_names_exists(page):
    path = PAGES / f"{page}.md"
    named = NAMED.findall(path.read_text(encoding="utf-8"))
    assert named
    missing = [name for name, file in named if name not in names_in((path.parent / file).resolve())]
    assert missing == []


def test_every_claim_about_attackers_names_a_test():
    text = (PAGES / "threat-model.md").read_text(encoding="utf-8")
    claims = re.findall(r"^\| (?!\| shown by).+$", text, re.MULTILINE)
    assert len(claims) > 20
    assert [claim for claim in claims if not NAMED.search(claim)] == []


def test_every_requirement_has_one_row():
    assert [number for number, _, _ in rows()] == REQUIREMENTS
    assert {who for _, who, _ in rows()} <= {"default", "setting", "call", "application"}


def test_every_row_but_what_is_the_applications_alone_has_a_test_of_its_number():
    for number, who, rest in rows():
        prefix = f"test_{number.replace('.', '_')}_"
        own = [name for name, _ in NAMED.findall(rest) if name.startswith(prefix)]
        assert own or (who == "application" and rest.endswith("| no test |")), number


def test_every_test_with_a_number_is_in_the_row_of_that_number():
    rest = {number: text for number, _, text in rows()}
    for section in SECTIONS:
        module = ROOT / "packages" / "pyramid-glue" / "tests" / f"test_asvs_{section.replace('.', '_')}.py"
        for name in names_in(module):
            number = ".".join(re.match(r"test_(\d+)_(\d+)_(\d+)_", name).groups())
            assert (name, f"../../{module.relative_to(ROOT)}") in NAMED.findall(rest[number]), name


def test_the_numbers_that_the_page_gives_are_right():
    text = ASVS.read_text(encoding="utf-8")
    counts = Counter(who for _, who, _ in rows())
    (sentence,) = re.findall(r"^Of the (\d+) requirements, (.+)\.$", text, re.MULTILINE)
    assert int(sentence[0]) == len(REQUIREMENTS)
    assert dict(re.findall(r"(\w+) (\d+)", sentence[1])) == {who: str(count) for who, count in counts.items()}
