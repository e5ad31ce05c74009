"""Configuration: `config.include(...)`, `config.add_web_session(...)`, or a session factory made in code.

Nothing here touches the database. Mistakes in the settings stop the start with one error that lists them
all. A set-up in which sessions work but cannot keep all their promises is warned of in the log, once the
application is complete.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pyramid.events import ApplicationCreated
from pyramid.interfaces import ISessionFactory
from pyramid.path import DottedNameResolver
from pyramid.request import Request
from websession_core.errors import ConfigurationError, Mistake
from websession_core.lifecycle import CLOCK_STEP
from websession_core.settings import (
    OPTIONS,
    CipherLibrary,
    cookie_names_of_users,
    parse_settings,
    visitor_cookie_name,
)
from websession_crypto import CipherLibraryError, Keyring, Xaes256Gcm, conceal_keys
from websession_models import EncryptedDataMixin, Store, features_of
from websession_models.features import features_for_setting

from .checks import start_up_findings
from .factory import SessionFactory, web_session_factories
from .form_tokens import put_in_the_default_policys_place
from .kit import knows_users
from .recent_login import recent_login_mistakes, recent_login_view
from .security import login_keys
from .taking_over import take_over_sessions
from .types import session_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pyramid.config import Configurator
    from pyramid.registry import Registry
    from websession_core.settings import Draft, Settings

__all__ = [
    "add_session_type",
    "add_web_session",
    "factory_args_from_settings",
    "get_session_factory",
    "includeme",
]

log = logging.getLogger(__name__)

DEFAULT_PREFIX = "session."
PREFIX_SETTING = "pyramid_sqlalchemy_sessions.prefix"
# Behind what an application sets by an action.
_AFTER_OTHERS = 9999
# Where the registry has what was configured so far: prefix and settings by request attribute.
_CONFIGURED = "websession_pyramid.configured"


def includeme(config: Configurator) -> None:
    """Set the application's session factory from its settings.

    The settings start with ``session.``, or with the prefix in the setting
    ``pyramid_sqlalchemy_sessions.prefix``.

    Args:
        config: The application's configurator.

    Raises:
        ConfigurationError: The settings are wrong; it lists every mistake.
    """
    prefix = config.get_settings().get(PREFIX_SETTING, DEFAULT_PREFIX)
    settings = _parse(config.get_settings(), prefix, config.maybe_dotted)
    factory = SessionFactory(settings, types=session_types(config.registry))
    config.registry.setdefault(_CONFIGURED, {})[factory.attribute] = (prefix, factory.settings)
    config.set_session_factory(factory)
    config.add_directive("add_web_session", add_web_session)
    config.add_directive("add_session_type", add_session_type)
    config.add_directive("take_over_sessions", take_over_sessions)
    config.add_view_deriver(recent_login_view, "recent_login")
    # Not by `add_subscriber`, whose wrapper could not be unregistered.
    config.action(None, config.registry.registerHandler, (_check_application, (ApplicationCreated,)))
    config.action("websession_pyramid.debug_panel", _add_debug_panel, (config.registry,))
    policy = partial(put_in_the_default_policys_place, config.registry)
    config.action("websession_pyramid.csrf", policy, order=_AFTER_OTHERS)


def _add_debug_panel(registry: Registry) -> None:
    # If nobody has imported the toolbar it is not included, either.
    if "pyramid_debugtoolbar" in sys.modules:
        from .debug_panel import add_panel  # noqa: PLC0415 - imports the toolbar

        add_panel(registry)


def add_web_session(config: Configurator, name: str, prefix: str | None = None) -> None:
    """Add another session to every request, independent of ``request.session``, in the same transaction.

    ``config.add_web_session("admin_session")`` adds ``request.admin_session``, with settings that start with
    ``admin_session.``; it has its own cookie, model and timeouts. The directive is available once the library
    is included.

    Args:
        config: The application's configurator.
        name: The attribute of the request.
        prefix: What the names of its settings start with; None: the name and a dot.

    Raises:
        ConfigurationError: The settings are wrong, or another session has the same cookie, table or
            attribute; it lists every mistake.
    """
    prefix = f"{name}." if prefix is None else prefix
    sessions: dict[str, tuple[str, Settings]] = config.registry.setdefault(_CONFIGURED, {})
    # Not with itself: the same name twice is for Pyramid to resolve, as for every other directive.
    others = {attribute: entry for attribute, entry in sessions.items() if attribute != name}
    mistakes = list(_attribute_mistakes(name))
    try:
        settings = _parse(
            config.get_settings(),
            prefix,
            config.maybe_dotted,
            partial(_cookie_is_its_own, others=others),
            partial(_table_is_its_own, others=others),
            partial(_data_key_is_not_anothers, others=others),
        )
    except ConfigurationError as error:
        mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    sessions[name] = (prefix, settings)
    factory = SessionFactory(settings, attribute=name, types=session_types(config.registry))

    def register() -> None:
        config.registry.registerUtility(factory, ISessionFactory, name=name)

    config.action((ISessionFactory, name), register)
    config.add_request_method(factory, name, reify=True)


def add_session_type(
    config: Configurator, name: str, kind: Any, to_json: Callable[[Any], Any], from_json: Callable[[Any], Any]
) -> None:
    """Let all sessions of the application hold values of one of its own classes.

    ``config.add_session_type("money", Money, to_json=Money.as_list, from_json=Money.from_list)``. The
    directive is there once the library is included.

    Args:
        config: The application's configurator.
        name: What the type is called in what is stored; never to be changed as long as there are such values.
        kind: The class, or its dotted name. Its subclasses are classes of their own.
        to_json: Makes JSON of a value, or anything else that a session can hold.
        from_json: Makes the value of that again. It gets what was stored, perhaps by an older release of the
            application.
    """
    kind, to_json, from_json = map(config.maybe_dotted, (kind, to_json, from_json))
    types = session_types(config.registry)

    def register() -> None:
        types.add(name, kind, to_json, from_json)

    introspectable = config.introspectable("session types", name, name, "session type")
    introspectable.update(name=name, kind=kind, to_json=to_json, from_json=from_json)
    config.action(("websession_pyramid.type", name), register, introspectables=(introspectable,))


def _attribute_mistakes(name: str) -> Iterator[Mistake]:
    problem = None
    if not name.isidentifier() or name.startswith("_"):
        problem = "is no name of a request attribute"
    elif hasattr(Request, name) or name == "tm":
        problem = "is an attribute that requests have already"
    if problem is not None:
        yield Mistake("config.add_web_session", repr(name), problem, "choose another, like admin_session")


def _cookie_is_its_own(draft: Draft, others: Mapping[str, tuple[str, Settings]]) -> Iterator[Mistake]:
    for attribute, (prefix, settings) in others.items():
        if draft["cookie_name"] == settings.cookie_name:
            yield draft.mistake(
                "cookie_name",
                f"is {settings.cookie_name!r}, as for request.{attribute} ({prefix}cookie_name), and "
                "browsers keep one cookie of a name",
                "give another name",
            )
    ours = _cookie_names(draft["cookie_name"], draft["model_class"])
    for attribute, (prefix, settings) in others.items():
        theirs = _cookie_names(settings.cookie_name, settings.model_class)
        if draft["cookie_name"] != settings.cookie_name:
            for name in sorted(ours & theirs):
                yield draft.mistake(
                    "cookie_name",
                    f"makes {name!r} one of its cookies, as for request.{attribute} "
                    f"({prefix}cookie_name), and browsers keep one cookie of a name",
                    "give another name",
                )


def _cookie_names(name: str, model: type) -> set[str]:
    visitors = {visitor_cookie_name(name)} if knows_users(model) else set()
    return visitors.union(cookie_names_of_users(name))


def _visitors_have_a_cookie(draft: Draft) -> Iterator[Mistake]:
    for setting in ("visitor_cookie_max_age", "visitor_cookie_samesite"):
        if draft[setting] is not None and not knows_users(draft["model_class"]):
            yield draft.mistake(
                setting,
                f"has no effect: {draft['model_class'].__name__} lacks UseridMixin, so there is one cookie",
                "leave it out",
            )


def _table_is_its_own(draft: Draft, others: Mapping[str, tuple[str, Settings]]) -> Iterator[Mistake]:
    table = features_of(draft["model_class"]).table
    for attribute, (prefix, settings) in others.items():
        if table is features_of(settings.model_class).table:
            yield draft.mistake(
                "model_class",
                f"keeps its sessions in the table {table.name!r}, as request.{attribute} "
                f"({prefix}model_class) does",
                "give a model with a table of its own",
            )


def _data_key_is_not_anothers(draft: Draft, others: Mapping[str, tuple[str, Settings]]) -> Iterator[Mistake]:
    keys = draft["data_secret_key"]
    for attribute, (prefix, settings) in others.items():
        if keys is not None and set(keys) & set(settings.data_secret_key or ()):
            yield draft.mistake(
                "data_secret_key",
                f"is also a key of {prefix}data_secret_key, so that what is stored for request.{attribute} "
                "could be put into these sessions",
                "make one of its own with generate_secret_key()",
            )


def factory_args_from_settings(
    settings: Mapping[str, Any],
    maybe_dotted: Callable[[Any], Any] | None = None,
    prefix: str = DEFAULT_PREFIX,
) -> dict[str, Any]:
    """Return the arguments for :func:`get_session_factory` that a deployment's settings stand for.

    Args:
        settings: The application's settings; those that start with `prefix` are looked at.
        maybe_dotted: Resolves dotted names, like `config.maybe_dotted`; needed for relative ones.
        prefix: What the names of the settings start with.

    Returns:
        Validated values by their names without the prefix.

    Raises:
        ConfigurationError: The settings are wrong; it lists every mistake.
    """
    try:
        values = _parse(settings, prefix, maybe_dotted)
    except ConfigurationError:
        del settings  # as in _parse()
        raise
    return {option.name: getattr(values, option.name) for option in OPTIONS}


def get_session_factory(
    secret_key: Any, model_class: Any, *, serializer: Any = None, **options: Any
) -> SessionFactory:
    """Return a session factory, for `config.set_session_factory`.

    Use its dotted name for an application or library that takes a factory by dotted name and arguments.

    Args:
        secret_key: A key from :func:`generate_secret_key`, where keys are (``env:NAME``, ``file:/path``),
            several of these, or a `websession_crypto.Keyring`. The first key encrypts, all of them decrypt.
        model_class: The session model, a class or its dotted name.
        serializer: Ignored. Some callers that create factories by name always pass one.
        options: Further settings by name, without prefix, as text or Python values.

    Raises:
        ConfigurationError: An argument is wrong; it lists every mistake.
    """
    del serializer
    values = {"secret_key": secret_key, "model_class": model_class, **options}
    try:
        return SessionFactory(_parse(values, "", None))
    except ConfigurationError:
        del secret_key, options, values  # as in _parse()
        raise


def _parse(
    settings: Mapping[str, Any], prefix: str, maybe_dotted: Callable[[Any], Any] | None, *checks: Any
) -> Settings:
    # The keys are made for a library, so it is looked up before them; what is wrong with it is found later.
    library = _installed_library(settings.get(f"{prefix}cipher_library"))
    try:
        return parse_settings(
            settings, prefix=prefix, converters=_converters(maybe_dotted, library), checks=[*_CHECKS, *checks]
        )
    except ConfigurationError:
        del settings  # the secret ones are not for the traceback, whose frames hold their locals
        raise


def _converters(
    maybe_dotted: Callable[[Any], Any] | None, library: CipherLibrary
) -> dict[str, Callable[[Any], Any]]:
    resolve = maybe_dotted or DottedNameResolver(None).maybe_resolve

    def model_class(value: Any) -> type:
        if isinstance(value, str) and "." not in value and ":" not in value:
            # Most likely something from the next line, which may be secret.
            raise ValueError("is no dotted name")
        try:
            model: type = resolve(value)
        except (ImportError, ValueError) as error:
            raise ValueError(conceal_keys(str(error))) from None
        Store.for_model(model)
        return model

    keyring = partial(_keyring, library=library)
    return {"secret_key": keyring, "data_secret_key": keyring, "model_class": model_class}


def _timeouts_have_mixins(draft: Draft) -> Iterator[Mistake]:
    for setting in ("idle_timeout", "absolute_timeout", "renewal_timeout"):
        for mixin in _missing_mixins(draft, setting):
            yield draft.mistake(
                setting,
                f"{draft['model_class'].__name__} lacks {mixin}, so nothing is recorded for it",
                f"add {mixin} to the bases of the model, and a migration; or leave it out",
            )


def _missing_mixins(draft: Draft, setting: str) -> list[str]:
    """Return the names of the mixins that a setting needs, if it is set, and that the model lacks."""
    if draft[setting] is None:
        return []
    offers = features_of(draft["model_class"]).offers
    return [feature.name for feature in features_for_setting(setting) if not offers(feature.mixin)]


def _data_key_goes_with_the_mixin(draft: Draft) -> Iterator[Mistake]:
    model, keys = draft["model_class"], draft["data_secret_key"]
    is_encrypted = issubclass(model, EncryptedDataMixin)
    if is_encrypted and keys is None:
        yield draft.mistake(
            "data_secret_key",
            f"is missing, and {model.__name__} has EncryptedDataMixin",
            "make one with generate_secret_key()",
        )
    if keys is not None and not is_encrypted:
        yield draft.mistake(
            "data_secret_key",
            f"has no effect: {model.__name__} lacks EncryptedDataMixin, so its data is stored as it is",
            "add EncryptedDataMixin to the bases of the model, or leave it out",
        )


def _data_key_is_its_own(draft: Draft) -> Iterator[Mistake]:
    keys = draft["data_secret_key"]
    if keys is not None and set(keys) & set(draft["secret_key"]):
        yield draft.mistake(
            "data_secret_key",
            f"is also a key of {draft.name('secret_key')}, so that neither could go without the other",
            "make one of its own with generate_secret_key()",
        )


def _limit_has_its_mixins(draft: Draft) -> Iterator[Mistake]:
    mixins = _missing_mixins(draft, "max_per_user")
    if mixins:
        yield draft.mistake(
            "max_per_user",
            f"{draft['model_class'].__name__} lacks {' and '.join(mixins)}, so sessions cannot be counted",
            "add it to the bases of the model, and a migration; or leave the limit out",
        )


def _library_is_there(draft: Draft) -> Iterator[Mistake]:
    error = _library_problem(draft["cipher_library"])
    if error is not None:
        remedy = error.remedy
        if draft["cipher_library"] is CipherLibrary.OPENSSL:
            remedy = "install it, by the extra [openssl] of pyramid-sqlalchemy-sessions, or leave this out"
        yield draft.mistake("cipher_library", f"cannot be used: {error.problem}", remedy)


def _keyrings_have_the_library(draft: Draft) -> Iterator[Mistake]:
    library = draft["cipher_library"]
    # Keys that came as text have it; a keyring that was made in code may have been made for the other.
    if library is CipherLibrary.OPENSSL and _library_problem(library) is None:
        for name in ("secret_key", "data_secret_key"):
            if draft[name] is not None and draft[name].library != library:
                setting = draft.name("cipher_library")
                yield draft.mistake(
                    name,
                    f"is a Keyring for {draft[name].library}, and {setting} names another library",
                    f'make it with library="{library}", or give the keys as text',
                )


def _library_problem(library: CipherLibrary) -> CipherLibraryError | None:
    """Return why a library cannot be used; None: it can."""
    try:
        Xaes256Gcm(bytes(32), library=library)
    except CipherLibraryError as error:
        return error
    return None


def _installed_library(value: Any) -> CipherLibrary:
    """Return the library that a setting names, or the default if that is not to be had."""
    try:
        library = CipherLibrary(str(value).strip().lower())
    except ValueError:
        return CipherLibrary.PYCRYPTODOME
    return library if _library_problem(library) is None else CipherLibrary.PYCRYPTODOME


_CHECKS: Final = (
    _library_is_there,
    _keyrings_have_the_library,
    _timeouts_have_mixins,
    _limit_has_its_mixins,
    _data_key_goes_with_the_mixin,
    _data_key_is_its_own,
    _visitors_have_a_cookie,
)


def _keyring(value: Any, library: CipherLibrary) -> Keyring:
    if isinstance(value, Keyring):
        return value
    try:
        return Keyring.from_sources(value, library=library)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _cut_offs_to_come(registry: Registry) -> Iterator[Mistake]:
    # Not before the application is complete: its sessions may have another clock than this machine's.
    configured: dict[str, tuple[str, Settings]] = registry.get(_CONFIGURED, {})
    for attribute, factory in web_session_factories(registry).items():
        prefix, _ = configured.get(attribute, ("", None))
        not_before = factory.settings.not_before
        ahead = not_before - factory.clock()
        problem = (
            f"is {ahead} seconds ahead of the clock: until then every login is forgotten with the response"
        )
        remedy = "give the time of now, as date +%s prints it on this machine"
        if ahead > CLOCK_STEP:
            yield Mistake(f"{prefix}not_before", str(not_before), problem, remedy)
        elif ahead > 0:
            log.warning("%snot_before %s; %s", prefix, problem, remedy)


def _check_application(event: ApplicationCreated) -> None:
    registry = event.app.registry
    mistakes = [*recent_login_mistakes(registry), *_cut_offs_to_come(registry)]
    if mistakes:
        raise ConfigurationError(mistakes)
    for factory in web_session_factories(registry).values():
        if factory.attribute == "session":
            factory.login_keys |= login_keys(registry)
    for finding in start_up_findings(registry):
        log.warning("%s", finding)
    # Said once. Pyramid sends no events at all while nobody listens, which saves every request 4 µs, a tenth
    # of a small one: an application without subscribers is to be left without.
    registry.unregisterHandler(_check_application, (ApplicationCreated,))
    registry.has_listeners = any(registry.registeredHandlers()) or any(
        registry.registeredSubscriptionAdapters()
    )
