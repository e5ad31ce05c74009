"""What the site has beside the pages, as a Sphinx extension: links of types, the changelog, `llms.txt`.

Nothing here asks the network.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from changelog import title_of_news  # the line above says where
from members import Member, member_named, members

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx

PYTHON = "https://docs.python.org/3/library/"
PYRAMID = "https://docs.pylonsproject.org/projects/pyramid/en/latest/api/"
SQLALCHEMY = "https://docs.sqlalchemy.org/en/20/"

OTHERS = {
    f"{PYTHON}stdtypes.html": "bool bytes dict float frozenset int list set str tuple",
    f"{PYTHON}functions.html": "object type property",
    f"{PYTHON}constants.html": "None",
    f"{PYTHON}exceptions.html": "AttributeError BaseException Exception KeyError LookupError"
    " RuntimeError TypeError UserWarning ValueError Warning",
    f"{PYTHON}typing.html": "typing.Any typing.Literal typing.Protocol typing.Generic typing.NamedTuple",
    f"{PYTHON}enum.html": "enum.Enum enum.StrEnum enum.IntEnum",
    f"{PYTHON}abc.html": "abc.ABC",
    f"{PYTHON}datetime.html": "datetime.date datetime.datetime datetime.time datetime.timedelta",
    f"{PYTHON}pathlib.html": "pathlib.Path",
    f"{PYTHON}collections.abc.html": "collections.abc.Callable collections.abc.Collection"
    " collections.abc.Generator collections.abc.Iterable collections.abc.Iterator collections.abc.Mapping"
    " collections.abc.MutableMapping"
    " collections.abc.Sequence collections.abc.Set",
    f"{PYTHON}contextlib.html": "contextlib.AbstractContextManager",
    f"{PYTHON}uuid.html": "uuid.UUID",
    f"{PYTHON}logging.html": "logging.Logger",
    "https://docs.pytest.org/en/stable/reference/reference.html": "pytest.Config pytest.FixtureRequest",
    "https://docs.pylonsproject.org/projects/webtest/en/latest/api.html": "webtest.app.TestApp",
    f"{PYRAMID}httpexceptions.html": "pyramid.httpexceptions.HTTPForbidden",
    f"{PYRAMID}config.html": "pyramid.config.Configurator",
    f"{PYRAMID}registry.html": "pyramid.registry.Registry",
    f"{PYRAMID}request.html": "pyramid.request.Request",
    f"{PYRAMID}response.html": "pyramid.response.Response",
    f"{SQLALCHEMY}core/connections.html": "sqlalchemy.engine.Connection sqlalchemy.engine.Engine"
    " sqlalchemy.engine.Dialect",
    f"{SQLALCHEMY}core/exceptions.html": "sqlalchemy.exc.DBAPIError sqlalchemy.exc.IntegrityError"
    " sqlalchemy.exc.SQLAlchemyError",
    f"{SQLALCHEMY}orm/internals.html": "sqlalchemy.orm.Mapped",
    f"{SQLALCHEMY}core/engines.html": "sqlalchemy.engine.URL",
    f"{SQLALCHEMY}core/metadata.html": "sqlalchemy.schema.Column sqlalchemy.schema.Table"
    " sqlalchemy.schema.MetaData",
    f"{SQLALCHEMY}orm/session_api.html": "sqlalchemy.orm.Session sqlalchemy.orm.sessionmaker",
}
"""What others document: the page, and the names on it, which are its anchors there.

A list instead of their inventories, which would have to be fetched for each build.
"""

# Where a library shows names, and not where it defines them.
SHOWN = {
    "sqlalchemy.engine.base.": "sqlalchemy.engine.",
    "sqlalchemy.engine.interfaces.": "sqlalchemy.engine.",
    "sqlalchemy.engine.url.": "sqlalchemy.engine.",
    "sqlalchemy.orm.base.": "sqlalchemy.orm.",
    "sqlalchemy.orm.session.": "sqlalchemy.orm.",
    "sqlalchemy.sql.schema.": "sqlalchemy.schema.",
}
PAGES = {name: page for page, names in OTHERS.items() for name in names.split()}
# Signatures name many of them without their module.
PAGES_BY_LAST_NAME = {name.rpartition(".")[2]: name for name in PAGES}


def link_others(_app: Sphinx, _env: Any, node: pending_xref, content: Element) -> nodes.reference | None:
    """Link a type of a signature to its own documentation; None: it is none that we know of."""
    target = node.get("reftarget", "")
    for defined, shown in SHOWN.items():
        if target.startswith(defined):
            target = shown + target.removeprefix(defined)
    name = target if target in PAGES else PAGES_BY_LAST_NAME.get(target)
    if node.get("refdomain") != "py" or name is None:
        return None
    address = f"{PAGES[name]}#{name}"
    return nodes.reference("", "", content, internal=False, refuri=address, reftitle=name)


def give_back_types(
    _app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]
) -> None:
    """Put back what Napoleon has taken for an attribute's type: a sentence's beginning, up to a colon."""
    if len(lines) > 1 and (found := re.fullmatch(r":type: (.*)", next(filter(None, reversed(lines))))):
        del lines[lines.index(found[0]) :]
        lines[0] = f"{found[1]}: {lines[0]}"


def changes(member: Member) -> str:
    """Return a member's changelog as a section, with what waits for its next version on top."""
    fragments = (member.folder / "newsfragments").glob("*.md")
    news = sorted((path for path in fragments if ".misc." not in path.name), key=_order)
    text = (member.folder / "CHANGELOG.md").read_text("utf-8").partition("release notes start -->\n")[2]
    parts = [f"## {member.name}", ""]
    if news:
        parts += [f"### {title_of_news(member)}", ""]
        parts += [f"- {news_of(path)}" for path in news]
    return "\n".join([*parts, "", re.sub(r"(?m)^(#+ )", r"#\1", text)])


def _order(path: Path) -> tuple[int, str]:
    """Removals first, then features, then what was mended: as towncrier writes them."""
    kinds = ("removal", "feature", "bugfix")
    return next(
        (place for place, kind in enumerate(kinds) if f".{kind}." in path.name), len(kinds)
    ), path.name


def news_of(path: Path) -> str:
    """Return a fragment's text in one line."""
    return " ".join(path.read_text("utf-8").split())


def fill_changelog(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Put all members' changelogs below the changelog page's own text, the applications' one first."""
    if docname == "reference/changelog":
        of_applications = member_named("pyramid-sqlalchemy-sessions")
        others = [member for member in reversed(members()) if member.name != of_applications.name]
        source[0] += "\n" + "\n".join(map(changes, [of_applications, *others]))


def write_llms(app: Sphinx, exception: Exception | None) -> None:
    """Write `llms.txt`: what this is, and each page with its first sentence, for programs that read."""
    if exception is not None or app.builder.format != "html":
        return
    lines = [f"# {app.config.project}", "", f"> {_first_sentence(app, 'index')}", ""]
    for folder, title in (
        ("", "Begin"),
        ("how-to", "How to"),
        ("reference", "Reference"),
        ("explanation", "Why"),
    ):
        lines += [f"## {title}", ""]
        for name in sorted(app.env.found_docs):
            if name != "index" and name.partition("/")[0] == (folder or name):
                address = app.config.html_baseurl + app.builder.get_target_uri(name)
                lines.append(f"- [{app.env.titles[name].astext()}]({address}): {_first_sentence(app, name)}")
        lines.append("")
    (Path(app.outdir) / "llms.txt").write_text("\n".join(lines), encoding="utf-8")


def _first_sentence(app: Sphinx, name: str) -> str:
    """Return how a page begins."""
    paragraph = next(iter(app.env.get_doctree(name).findall(nodes.paragraph)), None)
    text = " ".join(paragraph.astext().split()) if paragraph is not None else ""
    return re.split(r"(?<=[.:!?]) ", text)[0].rstrip(":")


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx call these."""
    app.connect("missing-reference", link_others)
    # After Napoleon, whose number is 500.
    app.connect("autodoc-process-docstring", give_back_types, priority=600)
    app.connect("source-read", fill_changelog)
    app.connect("build-finished", write_llms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
