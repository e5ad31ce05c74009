"""A small shop that keeps its cart, its checkout and its login in a web session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator

if TYPE_CHECKING:
    from pyramid.router import Router

__all__ = ["main"]


def main(global_config: dict[str, str], **settings: Any) -> Router:
    """The WSGI application, from the settings of an ini file."""
    use_secret_key_file(settings)
    with Configurator(settings=settings) as config:
        config.include(".models")
        config.include("pyramid_sqlalchemy_sessions")
        config.include(".security")
        config.include(".headers")
        config.include(".storefront")
        config.include(".routes")
        config.scan(".views")
    return config.make_wsgi_app()


def use_secret_key_file(settings: dict[str, Any]) -> None:
    """Read `session.secret_key` from the file that `shop.secret_key_file` names, if there is one.

    The ini files are under version control, and a key must not be.
    """
    key_file = settings.get("shop.secret_key_file")
    if key_file and not settings.get("session.secret_key"):
        settings["session.secret_key"] = Path(key_file).read_text(encoding="ascii")
