"""How Sphinx makes the documentation: `hatch run docs:build` writes it to `site/`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# autodoc looks at the columns of mixins, which are models only in an application.
warnings.filterwarnings("ignore", "Unmanaged access of declarative attribute")

project = "pyramid_sqlalchemy_sessions"
author = "The pyramid_sqlalchemy_sessions maintainers"
# Each distribution has a version of its own; the reference names them.
version = release = ""

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
# The demo is a project with a README of its own; the tools write parts of the pages.
exclude_patterns = ["examples", "tools"]

html_theme = "furo"
html_title = "pyramid_sqlalchemy_sessions"
html_show_copyright = False
html_copy_source = False

myst_enable_extensions = ["colon_fence"]
# `page.md#heading` works on the forge and here alike.
myst_heading_anchors = 3

# Docstrings write code as Markdown does.
default_role = "literal"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
# What SQLAlchemy says of its attributes refers to pages of its own documentation.
autodoc_inherit_docstrings = False


def setup(app: Sphinx) -> None:
    """Show the diagrams as the text they are: the forge draws them, and no page here runs a script for it."""
    app.add_lexer("mermaid", TextLexer)
