"""From CONFIG_URI to the application's own sessions: its factory, its engine.

What goes wrong on the way is mostly a mistake in what was typed or configured. Each becomes a sentence with a
remedy and an exit status, never a traceback.
"""

from __future__ import annotations

import configparser
import errno
import importlib
import inspect
import logging
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import plaster
from pyramid.config import global_registries
from pyramid.interfaces import IRequestFactory
from pyramid.request import Request, apply_request_extensions
from pyramid.threadlocal import RequestContext
from sqlalchemy import false, literal, select
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    SQLAlchemyError,
    StatementError,
)
from websession_core.errors import ConfigurationError
from websession_crypto import KeyFormatError, Keyring, conceal_keys
from websession_models import SchemaError
from websession_models.executing import hide_values
from websession_models.own_transactions import reading
from websession_models.schema import is_schema_error

from ..database_errors import remedy_of
from ..errors import one_line
from ..factory import SessionFactory, web_session_factories
from ..request_transaction import database_session
from .output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyramid.registry import Registry
    from sqlalchemy import Engine

__all__ = [
    "OUTPUT_ERRORS",
    "PYTHON",
    "Application",
    "ApplicationError",
    "CommandError",
    "CommandLineError",
    "DatabaseError",
    "DeclinedError",
    "InterruptedCommandError",
    "OutputError",
    "database_error",
    "open_application",
    "setting_of",
]

PYTHON: Final = "python:"
"""What a CONFIG_URI begins with that names an object in place of a file: ``python:module:name``."""

OUTPUT_ERRORS: Final = frozenset({errno.EPIPE, errno.ENOSPC, errno.EFBIG, errno.EIO})
"""What the system says of what is printed, and drivers of databases do not say as an `OSError`."""

_DEFAULT_SESSION: Final = "session"

log = logging.getLogger(__name__)


class CommandError(click.ClickException):
    """Something that a person has to fix; a sentence on standard error says what.

    The exit status is that of the kind.

    Args:
        problem: What is wrong: a sentence.
        remedy: What to do about it: a sentence.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        # What a driver or a configuration says may hold anything; the lines are our own.
        lines = f"{problem} {remedy}".rstrip().splitlines()
        super().__init__("\n".join(map(printable, lines)))


class DeclinedError(CommandError):
    """The command did its work, and the answer is no: no such session, not confirmed."""

    exit_code = 1


class CommandLineError(CommandError):
    """What was typed is wrong: there is no such file, section or session attribute."""

    exit_code = click.UsageError.exit_code


class OutputError(CommandError):
    """What is printed cannot be written."""

    exit_code = 5


class InterruptedCommandError(CommandError):
    """Somebody has interrupted the command."""

    exit_code = 130  # as a shell tells of SIGINT


class ApplicationError(CommandError):
    """The application does not start, or lacks what the command needs of it."""

    exit_code = 3


class DatabaseError(CommandError):
    """The database cannot be used."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Application:
    """The application whose sessions a command works on.

    Attributes:
        uri: The configuration, as it was typed.
        name: The request attribute that holds the session.
        registry: The application's registry.
        request: A bare request, in the application's own environment.
        factory: The session factory.
    """

    uri: str
    name: str
    registry: Registry
    request: Request
    factory: SessionFactory

    @property
    def configuration(self) -> tuple[Path, ...]:
        """The files that the settings come from, as far as they can be told: the named one comes first."""
        if self.uri.startswith(PYTHON):
            return ()
        return tuple(_files(Path(plaster.parse_uri(self.uri).path), []))

    @property
    def model(self) -> type:
        """The session model."""
        return self.factory.settings.model_class

    def engine(self) -> Engine:
        """Return the engine on which the application's database session keeps the session model.

        Raises:
            CommandError: The application gives none.
        """
        attribute = self.factory.settings.dbsession_name
        try:
            return database_session(self.request, attribute).get_bind(self.model).engine
        except (Exception, SystemExit) as error:  # the application's code: whatever it raises is reported
            log.debug("request.%s", attribute, exc_info=True)
            raise ApplicationError(
                f"request.{attribute} gave no database session outside of a request: "
                f"{one_line(error, show=conceal_keys)}.",
                "See that it is set by config.add_request_method, and needs nothing that only a real "
                "request has.",
            ) from error

    def tables(self) -> Engine:
        """Return the engine, once each of the model's tables has answered: an empty one is no missing one.

        Raises:
            CommandError: The application gives no engine, or one whose own code fails.
            sqlalchemy.exc.SQLAlchemyError: A table is missing, or the database cannot be reached.
        """
        engine, features = self.engine(), self.factory.store.features
        try:
            engine.connect().close()
        except (SQLAlchemyError, OSError):
            raise
        except Exception as error:  # a driver that is not complete, the application's creator or listener
            raise database_error(error) from error
        with reading(engine) as connection:
            for table in (features.table, features.companion):
                if table is not None:
                    connection.execute(select(literal(1)).select_from(table).where(false()))
        return engine


_OTHER_FILE: Final = re.compile(r"config:([^#\s]+)")


def _files(file: Path, known: list[Path]) -> list[Path]:
    """Return an ini file with those that it uses by ``config:``."""
    if file in known or not file.is_file():
        return known
    known.append(file)
    for name in _OTHER_FILE.findall(file.read_text(encoding="utf-8", errors="replace")):
        _files(file.parent / name.replace("%(here)s", str(file.parent)), known)
    return known


def setting_of(application: Application) -> str | None:
    """Return the name of the setting that has the factory's keys as text; None: none has.

    A factory does not know under which prefix it was configured.
    """
    keys: Keyring = application.factory.settings.secret_key
    fingerprints = [key.fingerprint for key in keys]
    for name, value in (application.registry.settings or {}).items():
        if not name.endswith("secret_key"):
            continue
        try:
            keyring = Keyring.from_sources(value, library=keys.library)
        except (KeyFormatError, TypeError):
            continue
        if [key.fingerprint for key in keyring] == fingerprints:
            return str(name)
    return None


@contextmanager
def open_application(uri: str, name: str, variables: Mapping[str, str]) -> Iterator[Application]:
    """Start the application of a configuration, without serving it, and end it again.

    `variables` are values for ``%(name)s`` in the configuration.

    Raises:
        CommandError: The application cannot be started, or has no such sessions of ours.
    """
    registry, factory = _registry(uri, name, variables)
    with _bare_request(uri, registry) as request:
        try:
            yield Application(uri, name, registry, request, factory)
        except (SQLAlchemyError, OSError) as error:
            if isinstance(error, OSError) and error.errno in OUTPUT_ERRORS:
                raise
            problem = database_error(error)  # hides the parameters
            log.debug("The database refused", exc_info=True)
            raise problem from error


@contextmanager
def _bare_request(uri: str, registry: Registry) -> Iterator[Request]:
    """Make a request of the application's own.

    Without a root, unlike Pyramid's `prepare`: the application's root factory may need a row, or what only a
    real request has.
    """
    make_request = registry.queryUtility(IRequestFactory, default=Request)
    try:
        request = make_request(Request.blank("/").environ)
    except Exception as error:  # the application's own code
        raise _not_started(uri, error) from error
    request.registry = registry
    with RequestContext(request):
        apply_request_extensions(request)
        try:
            yield request
        finally:
            while request.finished_callbacks:
                request.finished_callbacks.popleft()(request)


def database_error(error: Exception) -> DatabaseError:
    """Return an error of SQLAlchemy's or the driver's as a sentence without values, and the right remedy."""
    if isinstance(error, StatementError):
        hide_values(error)
    if is_schema_error(error):
        problem = error.problem if isinstance(error, SchemaError) else one_line(error)
        return DatabaseError(
            f"The tables are not those of the session model: {problem}.",
            "Run the migrations (alembic upgrade head); pyramid-sessions doctor says what else is wrong.",
        )
    return DatabaseError(f"The database could not be used: {one_line(error)}.", remedy_of(error))


def _registry(uri: str, name: str, variables: Mapping[str, str]) -> tuple[Registry, SessionFactory]:
    """Return the registry of an application that was just made, and its session factory.

    The application may stand within filters, a pipeline or a composite, of which none passes its registry on.
    Pyramid's own scripts take the registry that was made last; we take the last with such sessions.
    """
    before = set(map(id, global_registries))
    app = _start(uri, variables)
    registries = [registry for registry in global_registries if id(registry) not in before]
    registries = registries or list(
        global_registries
    )  # a module that was imported before has made its own already
    own = getattr(app, "registry", None)
    if own is not None:
        registries = [*(registry for registry in registries if registry is not own), own]
    for registry in reversed(registries):
        factory = web_session_factories(registry).get(name)
        if factory is not None:
            return registry, factory
    if not registries:
        raise ApplicationError(
            f"{uri.removeprefix(PYTHON)} is an application, but none of Pyramid's.",
            _NAME_IT
            if uri.startswith(PYTHON)
            else "Name the one of Pyramid: its section behind a # (production.ini#main is [app:main]).",
        )
    raise _no_such_session(registries[-1], uri, name)


def _start(uri: str, variables: Mapping[str, str]) -> Any:
    if uri.startswith(PYTHON):
        return _start_object(uri, variables)
    try:
        # One loader for both: to look for it is to read what is installed.
        loader = plaster.get_loader(uri, protocols=["wsgi"])
        loader.setup_logging(dict(variables))
        return loader.get_wsgi_app(None, dict(variables))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(plaster.parse_uri(uri).path, error) or _not_started(uri, error) from error
    except (plaster.PlasterError, configparser.Error) as error:
        raise CommandLineError(
            f"{uri} is no configuration that can be read: {one_line(error, show=conceal_keys)}.",
            _GIVE_INI_FILE,
        ) from None
    except LookupError as error:
        if "section" in str(error) or "No loader" in str(error):
            raise CommandLineError(
                f"{uri} names no application: {one_line(error, show=conceal_keys)}.",
                "Name its section behind a #: production.ini#main is [app:main].",
            ) from None
        raise _not_started(uri, error) from error
    except (Exception, SystemExit) as error:  # the application's own code
        raise _not_started(uri, error) from error


_GIVE_INI_FILE: Final = "Give an ini file, for example production.ini or production.ini#main."


def _unreadable(path: str, error: OSError | UnicodeDecodeError) -> CommandError | None:
    """Return that the named file cannot be read, if that is what the error is of."""
    if isinstance(error, UnicodeDecodeError):
        # An application may read other files at its start.
        if not Path(path).is_file() or error.object not in Path(path).read_bytes():
            return None
        return CommandLineError(f"{path} is no configuration that can be read: not UTF-8.", _GIVE_INI_FILE)
    if isinstance(error, FileNotFoundError) and str(error.filename or path) == path:
        return CommandLineError(
            f"There is no file {path}.",
            "Give the configuration as Pyramid's own scripts take it, for example production.ini or "
            "production.ini#main.",
        )
    if str(error.filename) != path:
        return None
    remedy = "Run this as a user who may." if isinstance(error, PermissionError) else _GIVE_INI_FILE
    return CommandLineError(f"{path} is no configuration that can be read: {error.strerror}.", remedy)


def _start_object(uri: str, variables: Mapping[str, str]) -> Any:
    """Return the application that ``module:name`` is, or makes."""
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as WSGI servers do
    path = uri.removeprefix(PYTHON)
    module, _, name = path.partition(":")
    if not (module and name) or module.startswith("."):
        raise CommandLineError(f"{path!r} names no application.", _NAME_IT)
    try:
        target: Any = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            raise _no_such_object(path, error) from None
        raise _not_started(uri, error) from error  # the application's own code
    try:
        for part in name.split("."):
            target = getattr(target, part)
    except AttributeError as error:
        raise _no_such_object(path, error) from None
    try:
        return _made(target, variables)
    except (Exception, SystemExit) as error:  # as above
        raise _not_started(uri, error) from error


_NAME_IT: Final = "Give --app module:name, for example yourproject:app."


def _no_such_object(path: str, error: Exception) -> CommandError:
    return CommandLineError(f"There is no {path}: {one_line(error, show=conceal_keys)}.", _NAME_IT)


def _made(target: Any, variables: Mapping[str, str]) -> Any:
    if hasattr(target, "make_wsgi_app"):
        return target.make_wsgi_app()
    if hasattr(target, "registry"):
        return target
    if not callable(target):
        raise TypeError(f"{type(target).__name__} is no application, and nothing that makes one")
    needed = [
        parameter.name
        for parameter in inspect.signature(target).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
    ]
    if needed[:1] == ["environ"]:
        return target  # a WSGI application, with Pyramid's within
    # As PasteDeploy calls it, or without anything.
    return target({}, **variables) if needed or variables else target()


_NO_URL = "Could not parse SQLAlchemy URL"


def _not_started(uri: str, error: BaseException) -> CommandError:
    subject = f"The application of {uri.removeprefix(PYTHON)}"
    if isinstance(error, ConfigurationError):
        mistakes = "\n".join([str(error), *error.__notes__])
        return ApplicationError(f"{subject} does not start: {mistakes}")
    if isinstance(error, DBAPIError):
        return database_error(error)
    # Neither its text nor the lines of its traceback: they may show what is configured.
    log.debug("The application does not start: %s", type(error).__name__)
    is_url = isinstance(error, (ArgumentError, NoSuchModuleError))
    reason = one_line(error, show=conceal_keys)
    if _NO_URL in reason:
        reason = reason.partition(_NO_URL)[0] + _NO_URL  # SQLAlchemy 2.0 goes on with it, password and all
    if is_url:
        remedy = (
            "See that the database's URL in the configuration is right "
            "(postgresql+psycopg://user:password@host/name)."
        )
    else:
        remedy = "Its own server shows where." if uri.startswith(PYTHON) else f"pserve {uri} shows where."
    return ApplicationError(f"{subject} does not start: {reason}.", remedy)


def _no_such_session(registry: Registry, uri: str, name: str) -> CommandError:
    factories = web_session_factories(registry)
    subject = f"The application of {uri.removeprefix(PYTHON)}"
    if name == _DEFAULT_SESSION and not factories:
        return ApplicationError(
            f"{subject} has no sessions of this library.",
            "Add config.include('pyramid_sqlalchemy_sessions') to it.",
        )
    names = ", ".join(factories) or "none"
    return CommandLineError(
        f"{subject} has no request.{name} of this library.",
        f"Give one of its sessions with --session: {names}.",
    )
