"""From CONFIG_URI to the application's own sessions: its factory, its engine.

What goes wrong on the way is mostly a mistake in what was typed or configured. Each becomes a sentence with a
remedy and an exit status, never a traceback.
"""

from __future__ import annotations

import configparser
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
import plaster
from pyramid.paster import get_app, setup_logging
from pyramid.scripting import prepare
from sqlalchemy import false, literal, select
from sqlalchemy.exc import SQLAlchemyError, StatementError
from websession_core.errors import ConfigurationError
from websession_crypto import KeyFormatError, Keyring, conceal_keys
from websession_models import SchemaError
from websession_models.executing import hide_values
from websession_models.own_transactions import reading
from websession_models.schema import is_schema_error

from ..errors import one_line
from ..factory import SessionFactory, web_session_factories
from ..request_transaction import database_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyramid.registry import Registry
    from pyramid.request import Request
    from sqlalchemy import Engine

__all__ = [
    "Application",
    "ApplicationError",
    "CommandError",
    "CommandLineError",
    "DatabaseError",
    "DeclinedError",
    "database_error",
    "open_application",
    "setting_of",
]

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
        super().__init__(f"{problem} {remedy}".rstrip())


class DeclinedError(CommandError):
    """The command did its work, and the answer is no: no such session, not confirmed."""

    exit_code = 1


class CommandLineError(CommandError):
    """What was typed is wrong: there is no such file, section or session attribute."""

    exit_code = click.UsageError.exit_code


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
        except Exception as error:  # the application's code: whatever it raises is reported
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
            CommandError: The application gives no engine.
            sqlalchemy.exc.SQLAlchemyError: A table is missing, or the database cannot be reached.
        """
        engine, features = self.engine(), self.factory.store.features
        with reading(engine) as connection:
            for table in (features.table, features.companion):
                if table is not None:
                    connection.execute(select(literal(1)).select_from(table).where(false()))
        return engine


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
    app = _start(uri, variables)
    with prepare(registry=app.registry) as environment:
        request = environment["request"]
        factory = _factory(app.registry, uri, name)
        try:
            yield Application(uri, name, app.registry, request, factory)
        except (SQLAlchemyError, OSError) as error:
            problem = database_error(error)  # hides the parameters
            log.debug("The database refused", exc_info=True)
            raise problem from error


def database_error(error: Exception) -> DatabaseError:
    """Return an error of SQLAlchemy's or the driver's as a sentence without values."""
    if isinstance(error, StatementError):
        hide_values(error)
    if is_schema_error(error):
        problem = error.problem if isinstance(error, SchemaError) else one_line(error)
        return DatabaseError(
            f"The tables are not those of the session model: {problem}.",
            "Run the migrations (alembic upgrade head); pyramid-sessions doctor says what else is wrong.",
        )
    return DatabaseError(
        f"The database could not be used: {one_line(error)}.",
        "See that it runs, and that the URL in the configuration is right.",
    )


def _start(uri: str, variables: Mapping[str, str]) -> Any:
    try:
        setup_logging(uri, dict(variables))
        return get_app(uri, options=dict(variables))
    except FileNotFoundError as error:
        path = error.filename or uri
        if str(path) == plaster.parse_uri(uri).path:
            raise CommandLineError(
                f"There is no file {path}.",
                "Give the configuration as Pyramid's own scripts take it, for example production.ini or "
                "production.ini#main.",
            ) from None
        raise _not_started(uri, error) from error
    except (plaster.PlasterError, configparser.Error) as error:
        raise CommandLineError(
            f"{uri} is no configuration that can be read: {one_line(error, show=conceal_keys)}.",
            "Give an ini file, for example production.ini or production.ini#main.",
        ) from None
    except ConfigurationError as error:
        mistakes = "\n".join([str(error), *error.__notes__])
        raise ApplicationError(f"The application of {uri} does not start: {mistakes}") from None
    except LookupError as error:
        if "section" in str(error) or "No loader" in str(error):
            raise CommandLineError(
                f"{uri} names no application: {one_line(error, show=conceal_keys)}.",
                "Name its section behind a #: production.ini#main is [app:main].",
            ) from None
        raise _not_started(uri, error) from error
    except Exception as error:  # the application's own code
        raise _not_started(uri, error) from error


def _not_started(uri: str, error: Exception) -> ApplicationError:
    # Neither its text nor the lines of its traceback: they may show what is configured.
    log.debug("The application does not start: %s", type(error).__name__)
    return ApplicationError(
        f"The application of {uri} does not start: {one_line(error, show=conceal_keys)}.",
        f"pserve {uri} shows where.",
    )


def _factory(registry: Registry, uri: str, name: str) -> SessionFactory:
    factories = web_session_factories(registry)
    factory = factories.get(name)
    if factory is not None:
        return factory
    if name == _DEFAULT_SESSION:
        raise ApplicationError(
            f"The application of {uri} has no sessions of this library.",
            "Add config.include('pyramid_sqlalchemy_sessions') to it.",
        )
    names = ", ".join(factories) or "none"
    raise CommandLineError(
        f"The application of {uri} has no request.{name} of this library.",
        f"Give one of its sessions with --session: {names}.",
    )
