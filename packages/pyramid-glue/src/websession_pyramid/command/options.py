"""The arguments and options that several commands share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .application import open_application
from .output import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from .application import Application

    Opener = Callable[[], AbstractContextManager[Application]]

__all__ = ["DURATION", "configured", "json_option"]

_FunctionT = TypeVar("_FunctionT", bound="Callable[..., Any]")


if TYPE_CHECKING:
    _ParamType = click.ParamType[int]
else:
    _ParamType = click.ParamType  # generic in newer releases only


class _Duration(_ParamType):
    """A duration: seconds, or a number with a unit."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = _Duration()


def _variables(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    variables = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator or not name:
            # Not shown: it is to be a value of the configuration, which may be secret.
            raise click.BadParameter("give NAME=VALUE")
        variables[name] = text
    return variables


def configured(command: _FunctionT) -> _FunctionT:
    """Add CONFIG_URI, ``--session`` and ``--var`` to a command, as one argument `open_application`.

    It is the context manager of that name for this application: the command opens it when it is ready to.
    """

    # With `wraps` the parameters that click has recorded on the command so far come along.
    @functools.wraps(command)
    def wrapper(config_uri: str, session_name: str, variables: dict[str, str], **rest: Any) -> Any:
        return command(
            open_application=functools.partial(open_application, config_uri, session_name, variables), **rest
        )

    decorated: Any = wrapper
    for decorator in (
        click.option(
            "--var",
            "variables",
            multiple=True,
            metavar="NAME=VALUE",
            callback=_variables,
            help="A value for %(NAME)s in the configuration; may be given several times.",
        ),
        click.option(
            "--session",
            "session_name",
            default="session",
            show_default=True,
            metavar="NAME",
            help="The request attribute that holds the sessions in question.",
        ),
        click.argument("config_uri"),
    ):
        decorated = decorator(decorated)
    return decorated  # type: ignore[no-any-return]


json_option = click.option("--json", "json_", is_flag=True, help="Print JSON, for a program to read.")
