"""The types of values that an application's sessions can hold: the standard ones, Pyramid's and its own."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from pyramid.i18n import TranslationString
from websession_core.session_types import SessionTypes

if TYPE_CHECKING:
    from pyramid.registry import Registry

__all__ = ["pyramid_types", "session_types"]

# Where the registry has them.
_TYPES: Final = "websession_pyramid.types"
_ATTRIBUTES: Final = ("domain", "default", "mapping", "context")


def _translation_to_json(message: TranslationString) -> dict[str, Any]:
    attributes = {name: getattr(message, name) for name in _ATTRIBUTES}
    if attributes["mapping"] is not None:
        attributes["mapping"] = dict(attributes["mapping"])
    return {"msgid": str.__str__(message), **{k: v for k, v in attributes.items() if v is not None}}


def _translation_from_json(stored: dict[str, Any]) -> TranslationString:
    return TranslationString(**stored)


def pyramid_types() -> SessionTypes:
    """Return the standard types, `TranslationString`, and `Markup` where markupsafe is installed."""
    types = SessionTypes()
    types.add("translation_string", TranslationString, _translation_to_json, _translation_from_json)
    try:
        # Of the template language, and no dependency of ours.
        markup = importlib.import_module("markupsafe").Markup
    except ImportError:
        return types
    types.add("markup", markup, str.__str__, markup)
    return types


def session_types(registry: Registry) -> SessionTypes:
    """Return the types of an application's sessions, to which ``config.add_session_type`` adds.

    Args:
        registry: The application's registry.
    """
    if _TYPES not in registry:
        registry[_TYPES] = pyramid_types()
    types: SessionTypes = registry[_TYPES]
    return types
