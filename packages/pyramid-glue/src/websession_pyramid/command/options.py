"""The arguments and options that several commands share."""

from __future__ import annotations

import contextlib
import errno
import functools
import gc
import io
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click
from websession_core.durations import parse_duration

from .application import OUTPUT_ERRORS, PYTHON, InterruptedCommandError, OutputError, open_application

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from .application import Application

    Opener = Callable[[], AbstractContextManager[Application]]

__all__ = ["DURATION", "READER_GONE", "Program", "Subcommand", "configured", "json_option", "run_script"]

READER_GONE = 141
"""The exit status where the reader of the output has gone (`| head`): as a shell tells of SIGPIPE."""


@contextlib.contextmanager
def _guard() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedCommandError("Interrupted.", "What was done by then stays done.") from None
    except OSError as error:
        if error.errno not in OUTPUT_ERRORS:
            raise
        _forget(sys.stdout)
        if _exit_status(error) == READER_GONE:
            raise click.exceptions.Exit(READER_GONE) from None
        raise OutputError(
            f"The output could not be written: {error.strerror}.",
            "See where it goes; what the command had to change in the database is done.",
        ) from None


def _exit_status(error: OSError) -> int:
    """Return the exit status for output that cannot be written."""
    return READER_GONE if error.errno == errno.EPIPE else OutputError.exit_code


def _forget(stream: TextIO) -> None:
    """Let what Python itself flushes at the end go nowhere."""
    with contextlib.suppress(OSError, ValueError):  # where it is no file of the system's
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
            hint = "give seconds, or a number with s, min, h, d or w, like 30min or 14d"
            self.fail(f"{value!r} {error}; {hint}", param, ctx)


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


class _Guarded(click.Command):
    """Ends in one line, or quietly, where its output cannot be written or somebody interrupts it."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments, which may show the help."""
        with _guard():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, to the last byte of its output."""
        with _guard():
            result = super().invoke(ctx)
            sys.stdout.flush()
        return result


class Program(_Guarded, click.Group):
    """The group of all commands."""


class Subcommand(_Guarded):
    """One of the commands: with an example in its help.

    Args:
        example: A command line, without the name of the program.
    """

    def __init__(self, *args: Any, example: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example behind the options."""
        super().format_epilog(ctx, formatter)
        if self.example:
            formatter.write_paragraph()
            formatter.write(f"Example:\n  {ctx.find_root().info_name} {self.example}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let ``--app module:callable`` stand where CONFIG_URI would."""
        if any(parameter.name == _APP for parameter in self.params):
            args = _with_app_first(args)
        return super().parse_args(ctx, args)


_APP = "app"


def _with_app_first(args: list[str]) -> list[str]:
    ends = args.index("--") if "--" in args else len(args)
    for number, argument in enumerate(args[:ends]):
        if argument == "--app" and number + 1 < len(args):
            return [f"{PYTHON}{args[number + 1]}", *args[:number], *args[number + 2 :]]
        if argument.startswith("--app="):
            return [f"{PYTHON}{argument.removeprefix('--app=')}", *args[:number], *args[number + 1 :]]
    return args


def configured(command: _FunctionT) -> _FunctionT:
    """Add CONFIG_URI, ``--app``, ``--session``, ``--var`` to a command, as one argument `open_application`.

    It is the context manager of that name for this application: the command opens it when it is ready to.
    """

    # With `wraps` the parameters that click has recorded on the command so far come along.
    @functools.wraps(command)
    def wrapper(config_uri: str, session_name: str, variables: dict[str, str], **rest: Any) -> Any:
        rest.pop(_APP)
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
            help="The request attribute of the sessions.",
        ),
        click.option(
            "--app",
            _APP,
            metavar="MODULE:NAME",
            help="Instead of CONFIG_URI: the WSGI application, or a function that creates it.",
        ),
        click.argument("config_uri", type=click.Path()),  # which a shell completes as a file
    ):
        decorated = decorator(decorated)
    return decorated  # type: ignore[no-any-return]


json_option = click.option("--json", "json_", is_flag=True, help="Print JSON, for a program to read.")


def run_script(command: click.Command) -> None:
    """Run a command as a console script: Python's warnings are for developers, and cron would mail them.

    ``PYTHONWARNINGS=default`` shows them.
    """
    gc.freeze()  # What has been imported stays; looking at it again took a quarter of a short command's time.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    # A daemon may have closed them: `purge >&-`.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    sys.stderr = sys.stderr or sys.stdout
    for stream in (sys.stdout, sys.stderr):
        # Letters that the terminal's or the file's encoding lacks.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        command()
    except OSError as error:  # while it said on standard error what is wrong
        if error.errno not in OUTPUT_ERRORS:
            raise
        _forget(sys.stdout)
        _forget(sys.stderr)
        sys.exit(_exit_status(error))
