"""The session's own settings: ``with request.session.settings as s: s.idle_timeout = 3600``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from websession_core.errors import SessionError
from websession_core.policies import Overrides
from websession_models.features import feature_of_column

from .contents import OVERRIDES

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from websession_core.policies import Policies

    from .contents import Contents

__all__ = ["InvalidPreferenceError", "SessionOverrides"]


class InvalidPreferenceError(SessionError, ValueError):
    """Per-session settings make no sense, or the model cannot store them; none of them was changed."""


class SessionOverrides:
    """The settings of this session that override the application's settings.

    In every attribute, None means "as in the settings", and 0 means "not at all". Changes take effect
    together at the end of the ``with`` block, if they make sense together with the rest; after an exception
    in the block, or if they contradict each other, nothing is changed.

    Attributes:
        idle_timeout: Seconds (needs `ConfigIdleMixin`).
        extension_delay: Seconds (needs `ConfigIdleMixin`); 0 means: record the activity of every request.
        absolute_timeout: Seconds (needs `ConfigAbsoluteMixin`).
        renewal_timeout: Seconds (needs `ConfigRenewalMixin`).
        cookie_max_age: Seconds (needs `ConfigCookieMixin`); 0 means: the cookie ends with the browser.
    """

    __slots__ = ("_available", "_change", "_contents", "_overrides", "_policies")

    def __init__(
        self,
        contents: Callable[[], Contents],
        change: Callable[[], Contents],
        policies: Policies,
        available: frozenset[str],
    ) -> None:
        self._contents = contents
        self._change = change
        self._policies = policies
        self._available = available
        self._overrides: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name not in OVERRIDES:
            raise AttributeError(f"a session has no setting {name!r}; there are {', '.join(OVERRIDES)}")
        if self._overrides is not None and name in self._overrides:
            return self._overrides[name]
        return self._contents().value(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in SessionOverrides.__slots__:
            object.__setattr__(self, name, value)
            return
        if name not in OVERRIDES:
            raise AttributeError(f"a session has no setting {name!r}; there are {', '.join(OVERRIDES)}")
        if name not in self._available:
            raise InvalidPreferenceError(
                f"{name} cannot be set for a session of its own: the model has no column for it; add the "
                f"mixin {feature_of_column(name).name} to the model"
            )
        if self._overrides is None:
            raise InvalidPreferenceError(
                "set a session's own settings in a with block, where they take effect together: "
                f"with request.session.settings as settings: settings.{name} = ..."
            )
        self._overrides[name] = value

    def __enter__(self) -> Self:
        self._overrides = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        overrides, self._overrides = self._overrides or {}, None
        if kind is not None or not overrides:
            return
        try:
            present = {name: self._contents().value(name) for name in OVERRIDES}
            self._policies.overridden(Overrides(**{**present, **overrides}))
        except (ValueError, TypeError) as problem:
            raise InvalidPreferenceError(f"{problem}; nothing was changed") from None
        contents = self._change()
        for name, value in overrides.items():
            contents.set_value(name, value)
