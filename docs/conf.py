"""How Sphinx makes the documentation: `hatch run docs:build` writes it to `site/`."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "tools"), str(Path(__file__).parents[1] / "tools")]

from addresses import ADDRESSES  # noqa: E402 - the line above says where
from members import member_named  # noqa: E402

# autodoc looks at the columns of mixins, which are models only in an application.
warnings.filterwarnings("ignore", "Unmanaged access of declarative attribute")

project = "pyramid_sqlalchemy_sessions"
author = "The pyramid_sqlalchemy_sessions maintainers"
# Of what applications install. The other distributions have versions of their own; the reference names them.
version = release = str(member_named("pyramid-sqlalchemy-sessions").version)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinxext.opengraph",
    # Ours, in docs/tools.
    "site_extras",
]
# The demo is a project with a README of its own; the tools write parts of the pages.
exclude_patterns = ["examples", "templates", "tools"]

html_theme = "furo"
html_title = f"{project} {release}"
html_baseurl = ADDRESSES["Documentation"]
html_favicon = "images/favicon.svg"
html_static_path = ["static"]
templates_path = ["templates"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_copyright = False
html_copy_source = False

# Each page says its first sentences to search engines and to who shares it, with this picture.
ogp_site_url = ADDRESSES["Documentation"]
ogp_site_name = project
ogp_image = "images/broken-order.png"
ogp_image_alt = "The demo after an order that broke half-way: no order, and the cart is as it was"
ogp_social_cards = {"enable": False}

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
