"""A small shop that keeps its cart, its checkout and its login in a web session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator

if TYPE_CHECKING:
    from pyramid.router import Router

__all__ = ["main"]


def main(global_config: dict[str, str], **settings: Any) -> Router:
    """The WSGI application, from the settings of an ini file."""
    with Configurator(settings=settings) as config:
        config.include(".models")
        config.include("pyramid_sqlalchemy_sessions")
        config.include(".security")
        config.include(".headers")
        config.include(".storefront")
        config.include(".strip")
        config.include(".routes")
        config.scan(".views")
    return config.make_wsgi_app()
