"""What the pages in docs/ say is what the code does."""

from __future__ import annotations

import ast
import builtins
import configparser
import contextlib
import importlib
import re
import runpy
import shlex
import sqlite3

import click
import pytest
from pages import DOCS, PAGES, blocks
from sqlalchemy import make_url, text
from websession_core.errors import (
    DOCUMENTATION,
    ConfigurationError,
    Mistake,
    SessionError,
    UnreadableValueError,
    UnstorableValueError,
)
from websession_models import ModelError, SchemaError
from websession_pyramid.command import main

OURS = ("pyramid_sqlalchemy_sessions", "websession_", "pytest_websession")


def test_there_are_pages():
    assert {page.name for page in PAGES} >= {"engines.md", "life-of-a-session.md", "timeouts.md", "users.md"}


def test_the_diagram_and_the_table_are_drawn_from_the_codes_own_tables():
    tool = runpy.run_path(str(DOCS / "tools" / "draw_life_of_a_session.py"))
    page = tool["PAGE"].read_text(encoding="utf-8")
    assert tool["drawn"](page) == page, "run: python docs/tools/draw_life_of_a_session.py"
    assert "- current → still under way: " in page
    assert tool["picture"]() == tool["PICTURE"].read_text(encoding="utf-8"), "run the same"
    assert f"({tool['PICTURE'].name})" in page


@pytest.mark.parametrize("name", sorted(path.name for path in (DOCS / "tools").glob("list_*.py")))
def test_reference_pages_are_written_from_the_code_itself(name):
    tool = runpy.run_path(str(DOCS / "tools" / name))
    page = tool["PAGE"].read_text(encoding="utf-8")
    assert tool["page"]() == page, f"run: python docs/tools/{name}"


def kinds_of(error):
    return [error, *(each for kind in error.__subclasses__() for each in kinds_of(kind))]


@pytest.mark.parametrize("error", kinds_of(SessionError))
def test_an_error_says_where_it_is_documented_and_it_is(error):
    anchors = {
        re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))
        for heading in re.findall(r"^#+ (.*)$", (DOCS / "reference" / "errors.md").read_text(), re.MULTILINE)
    }
    arguments = {
        ConfigurationError: [[Mistake("a", "b", "c", "d")]],
        UnreadableValueError: ["x", "x", "x"],
    }.get(error, ["x"] * (2 if error in {ModelError, SchemaError, UnstorableValueError} else 1))
    (note,) = error(*arguments).__notes__
    page, _, anchor = note.removeprefix(f"See {DOCUMENTATION}").partition("#")
    assert page == "reference/errors/"
    assert anchor in anchors
    assert note not in str(error(*arguments))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_in_a_page_is_python_and_imports_what_exists(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
                module = importlib.import_module(node.module)
                missing = [name.name for name in node.names if not hasattr(module, name.name)]
                assert missing == []


def names_of(tree):
    """Return the names that code binds anywhere, and those that it uses."""
    bound, used = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return bound, used


# What README and the first page show is a view by itself, to be read.
@pytest.mark.parametrize("page", sorted(DOCS.glob("*/*.md")), ids=lambda page: page.stem)
def test_what_the_code_of_a_page_names_is_imported_or_made_there(page):
    """Or said to be the reader's own: `name()` is yours, `name` stands for …"""
    text = page.read_text(encoding="utf-8")
    bound, used = names_of(ast.parse("\n".join(blocks(page, "python"))))
    of_the_reader = set(re.findall(r"`(\w+)(?:\(\))?` (?:is|are|stands for) ", text))
    assert used - bound - set(dir(builtins)) - of_the_reader == set()


@pytest.mark.parametrize("page", sorted((DOCS / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_readme_leads_to_every_how_to_page(page):
    assert f"(docs/how-to/{page.name})" in (DOCS.parent / "README.md").read_text(encoding="utf-8")


def test_links_in_readme_lead_somewhere():
    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'<img src="([^"]+)"', text)
    assert [target for target in targets if not (DOCS.parent / target).exists()] == []


def test_the_page_on_packages_has_each_of_them():
    page = (DOCS / "explanation" / "packages.md").read_text(encoding="utf-8")
    assert {path.name for path in DOCS.parent.glob("packages/*/src/*")} <= set(re.findall(r"\w+", page))


# Other tests see to these: they run the Quick Start, the tutorial and servers, and put each line to pip.
PROGRAMS_OF_OTHER_TESTS = frozenset(
    ["alembic", "chmod", "chown", "eval", "gunicorn", "pip", "pserve", "pytest", "python", "python3", "rm"]
)


def sessions_commands(text):
    """Return the arguments of each `pyramid-sessions` of a text, in a block or in a sentence."""
    lines = re.findall(r"(?<![\w-])pyramid-sessions ([^`|&;>\n#)]*[^`|&;>\n#). ])", text)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("page", [DOCS.parent / "README.md", *PAGES], ids=lambda page: page.stem)
def test_commands_in_a_page_are_commands(page):
    text = re.sub(r"(`[^`\n]*)\n([^`\n]*`)", r"\1 \2", page.read_text(encoding="utf-8"))
    # A test runs each line of the tutorial.
    shown = [] if page.stem == "tutorial" else blocks(page, "console")
    for line in "".join(shown).replace("\\\n", "").splitlines():
        program = re.sub(r"^(?:\w+=\S+(?: [^ =]+\))? )*", "", line).split()[0]
        assert program in PROGRAMS_OF_OTHER_TESTS | {"pyramid-sessions", "hatch"}, line
    for name, *arguments in sessions_commands(text):
        if not re.fullmatch("[a-z][a-z-]*", name):
            continue  # the usage, an option of the group, or a message of it
        command = main.commands[name]
        command.make_parser(click.Context(command)).parse_args(list(arguments))


def test_no_item_of_a_list_is_in_the_line_of_another():
    folder = DOCS.parent
    pages = [*folder.glob("*.md"), *folder.glob("packages/*/README.md"), *DOCS.rglob("*.md")]
    for page in pages:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.findall(r".*[.;] -\s.*", text) == [], page


def test_what_other_programs_read_has_the_form_that_they_read():
    shown = [block for page in PAGES for block in blocks(page, "text")]
    units = [block for block in shown if block.startswith("[")]
    for unit in units:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(unit)
        assert all(parser[section] for section in parser.sections())
    assert len(units) >= 5
    lines = [block for block in shown if re.match(r"[\d*]", block)]
    # Only there a line has a user.
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert all(line not in text for line in lines) or "/etc/cron.d/" in text
    for line in lines:
        assert re.fullmatch(r"(?:(?:\d+|\*|\*/\d+) +){5}app +\S.*\n", line), line
    assert len(lines) >= 3
    (url,) = (make_url(block.strip()) for block in shown if block.startswith("postgresql"))
    _, options = url.get_dialect()().create_connect_args(url)
    assert (options["host"], options["port"]) == ("db1,db2", "5432,5432")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8").replace("\n", " ")):
        assert (page.parent / target.strip()).exists(), target


def test_the_engines_of_the_page_on_engines_take_the_write_lock_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    engines = []
    for block in blocks(DOCS / "how-to" / "engines.md", "python"):
        exec(block, names)
        engines.append(names["engine"])
    serializable, *recipes = engines
    assert serializable.dialect.name == "postgresql"
    assert len(recipes) == 2
    for engine in recipes:
        with engine.begin() as connection:
            assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
            other = sqlite3.connect(tmp_path / "app.sqlite", timeout=0, isolation_level=None)
            with contextlib.closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        engine.dispose()
