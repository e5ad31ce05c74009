"""The checks that need no database: `pyramid_tm`, retries, cookie, timeouts, keys, logging."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from pyramid.events import NewRequest
from pyramid.interfaces import (
    IAuthenticationPolicy,
    IExecutionPolicy,
    IRequestExtensions,
    IRequestFactory,
    ISecurityPolicy,
    ITweens,
)
from pyramid.settings import asbool
from websession_core.durations import duration, exact_duration
from websession_core.key_retirement import old_key_lifetime
from websession_core.presets import AAL2, AAL2_OF_REVISION_3, AAL3
from websession_core.settings import CookieSecure, SameSite, cookie_name_prefix
from websession_core.state import SEED_LENGTH, Ticket
from websession_crypto import MAX_TOKEN_LENGTH
from websession_models import fresh_session_id
from websession_models.emptying import keeping_columns
from zope.interface import implementedBy

from ..factory import web_session_factories
from ..request_transaction import missing_database_session
from ..security import SessionSecurityPolicy, login_keys, policy_parts, policy_sessions
from .findings import Finding, Severity, error, info, warning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyramid.registry import Registry

    from .findings import Deployment

__all__ = [
    "cookie",
    "foreign_keys",
    "keys",
    "logging_of_statements",
    "logins",
    "means_of_login",
    "retries",
    "timeouts",
    "transaction_manager",
    "transactions",
]

_TM_TWEEN: Final = "pyramid_tm.tm_tween_factory"
# RFC 6265 section 6.1: browsers keep at least 4096 bytes of a cookie; ASVS 5.0, 3.3.5.
_COOKIE_LIMIT: Final = 4096
# A key more to try for each cookie of an unknown key; and old keys are there to be removed.
_MANY_KEYS: Final = 3

# What code says that logs in or out by a session, or goes by its user.
_IDENTITY: Final = frozenset({"login", "regenerate", "invalidate", "userid"})

_LEVELS: Final = {
    f"{name} ({exact_duration(level.absolute_timeout)}, {exact_duration(level.idle_timeout)})": level
    for name, level in (("AAL3", AAL3), ("AAL2 of SP 800-63B-3", AAL2_OF_REVISION_3), ("AAL2", AAL2))
}


def transaction_manager(registry: Registry) -> Iterator[Finding]:
    """Yield what is weak about how a complete application uses `pyramid_tm`."""
    yield from _database_sessions(registry)
    settings = registry.settings
    tweens = registry.queryUtility(ITweens)
    names = () if tweens is None else (name for name, _ in (tweens.explicit or tweens.implicit()))
    if _TM_TWEEN not in names:
        yield error(
            "pyramid_tm is not included: sessions are stored in the request's transaction, so without it "
            "they can be read, but not written.",
            "Add config.include('pyramid_tm').",
        )
        return
    if not settings.get("tm.manager_hook"):
        yield warning(
            "pyramid_tm uses the implicit, thread-local transaction manager, which begins a transaction for "
            "anybody who asks, also after the request's own has ended: a change made then is committed with "
            "another request or never.",
            "Set tm.manager_hook = pyramid_tm.explicit_manager.",
            name="transaction-manager",
        )
    if asbool(settings.get("tm.annotate_user", True)) and policy_sessions(registry):
        yield warning(
            "tm.annotate_user is on, and the security policy reads the session: every request, also one for "
            "a static file, will read it from the database to note the user on the transaction, before a "
            "view or error page has its turn.",
            "Set tm.annotate_user = false.",
            name="annotate-user",
        )


def _database_sessions(registry: Registry) -> Iterator[Finding]:
    # A request factory or a subscriber may set it, too, which cannot be seen: the first use will tell.
    subscribers = registry.adapters.subscriptions([implementedBy(NewRequest)], None)
    if subscribers or registry.queryUtility(IRequestFactory) is not None:
        return
    extensions = registry.queryUtility(IRequestExtensions)
    attributes = set() if extensions is None else {*extensions.descriptors, *extensions.methods}
    names = {factory.settings.dbsession_name for factory in web_session_factories(registry).values()}
    for name in sorted(names - attributes):
        yield error(f"{missing_database_session(name)}.", name="database-session")


def transactions(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the request's transaction is what sessions need."""
    yield from transaction_manager(deployment.registry)
    settings = deployment.registry.settings
    veto = settings.get("tm.commit_veto") or settings.get("pyramid_tm.commit_veto")
    if veto:
        yield info(
            "tm.commit_veto is set: what a view puts into the session is dropped with everything else "
            "whenever the veto aborts (pyramid_tm.default_commit_veto: with every 4xx and 5xx response).",
        )
    if settings.get("tm.activate_hook"):
        yield info("tm.activate_hook is set: in requests for which it says no, sessions can only be read.")


def foreign_keys(registry: Registry) -> Iterator[Finding]:
    """Yield the foreign keys of the application that keep ended sessions' rows from being deleted."""
    for factory in web_session_factories(registry).values():
        columns = sorted(keeping_columns(factory.store.features))
        if columns:
            yield warning(
                f"{' and '.join(columns)} refers to {factory.store.features.table.name} without ON DELETE: a "
                "session that a row of it refers to ends, but its emptied row stays, and a purge leaves it.",
                "Make it ON DELETE CASCADE or ON DELETE SET NULL by a migration.",
                name="foreign-key",
            )


def retries(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether a request that loses a conflict is made again."""
    settings = deployment.registry.settings
    policy = deployment.registry.queryUtility(IExecutionPolicy)
    if not getattr(policy, "__module__", "").startswith("pyramid_retry"):
        yield warning(
            "pyramid_retry is not included: a request that loses a conflict with another one is an error "
            "that the user sees.",
            "Add config.include('pyramid_retry').",
        )
        return
    attempts = int(settings.get("retry.attempts") or 3)
    if attempts < 2:
        yield warning(
            f"retry.attempts is {attempts}: a request that loses a conflict is not made again.",
            "Set retry.attempts = 3, or leave it out.",
        )
    if settings.get("retry.activate_hook"):
        yield info("retry.activate_hook is set: it decides which requests are made again after a conflict.")


def cookie(deployment: Deployment) -> Iterator[Finding]:
    """Look at the cookie's attributes, name and length."""
    settings = deployment.settings
    yield from _secure_cookie(deployment)
    if settings.cookie_samesite is SameSite.NONE:
        yield warning(
            "The cookie comes along with requests that any other site starts (ASVS 5.0, 3.3.2).",
            "Unless the application is embedded in other sites, set "
            f"{deployment.setting('cookie_samesite')} to Lax.",
        )
    if not settings.cookie_httponly:
        yield warning(
            "Scripts in the page can read the cookie, and so can one that is injected (ASVS 5.0, 3.3.4).",
            f"Leave {deployment.setting('cookie_httponly')} out: no script needs this cookie.",
        )
    token = deployment.factory.tickets.token(Ticket(fresh_session_id(), seed=bytes(SEED_LENGTH)))
    length = max(len(jar.name) for jar in deployment.factory.tickets.jars) + len(token)
    if length > _COOKIE_LIMIT or len(token) > MAX_TOKEN_LENGTH:
        yield error(
            f"The cookie's name and value have {length} bytes, more than browsers keep (ASVS 5.0, 3.3.5).",
            f"Choose a shorter {deployment.setting('cookie_name')}.",
        )


def _secure_cookie(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings
    prefix = cookie_name_prefix(settings.cookie_name)
    if settings.cookie_secure is CookieSecure.NEVER:
        yield warning(
            "The cookie is sent over plain http as well, where anybody on the way can read it (ASVS 5.0, "
            "3.3.1).",
            f"Serve by https, and set {deployment.setting('cookie_secure')} = true.",
        )
    elif settings.cookie_secure is CookieSecure.AUTO:
        yield info(
            "The cookie is Secure only if the request that sets it came by https (ASVS 5.0, 3.3.1).",
            f"In production, set {deployment.setting('cookie_secure')} = true.",
        )
    if prefix is None:
        yield info(
            f"The cookie's name, {settings.cookie_name}, has no prefix that makes browsers refuse one which "
            "a neighbouring host or plain http has planted (ASVS 5.0, 3.3.1 and 3.3.3).",
            f"In production, set {deployment.setting('cookie_name')} = __Host-{settings.cookie_name} (and "
            f"{deployment.setting('cookie_secure')} = true).",
        )
    elif prefix == "__Secure-":
        yield info(
            "The cookie is shared with other hosts or paths by its __Secure- prefix (ASVS 5.0, 3.3.3 allows "
            "that where it is meant).",
            "Use __Host- unless it is.",
        )


def timeouts(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether sessions end, and by which level of NIST's."""
    settings = deployment.settings
    idle, absolute = settings.idle_timeout, settings.absolute_timeout
    if idle is None and absolute is None:
        yield warning(
            "Sessions never end by themselves: no purge will find any (ASVS 5.0, 7.3.1 and 7.3.2).",
            f"Set {deployment.setting('idle_timeout')} and {deployment.setting('absolute_timeout')}; the "
            "model needs IdleMixin and AbsoluteMixin.",
        )
        return
    levels = [name for name, level in _LEVELS.items() if level.allows(idle, absolute)]
    timeouts = f"Idle timeout {exact_duration(idle)}, absolute timeout {exact_duration(absolute)}."
    yield info(
        f"{timeouts} By NIST SP 800-63B-4 that is within the limits of {', '.join(levels)}."
        if levels
        else f"{timeouts} NIST SP 800-63B-4 asks for less: {'; '.join(_LEVELS)}.",
        "" if levels else "Where the application has to meet one of these levels, shorten them.",
    )
    own = sorted(name for name in deployment.factory.own_settings if name.endswith("timeout"))
    if own:
        yield info(
            f"Sessions can have settings of their own ({', '.join(own)}), to which this does not apply.",
        )


def keys(deployment: Deployment) -> Iterator[Finding]:
    """Look at how many keys there are, and who can read them."""
    # Strength needs no check: a key that is not of 256 bits, or visibly made up, stops the start.
    count = len(deployment.settings.secret_key)
    if count > 1:
        lifetime = old_key_lifetime(deployment.factory.policies(None), owned=None)
        yield Finding(
            Severity.WARNING if count > _MANY_KEYS else Severity.INFO,
            f"There are {count} secret keys: the first one encrypts, the others still open cookies.",
            "Remove the old ones when they are needed no more (pyramid-sessions rotate-key says how to tell)."
            if lifetime is None
            else f"By these settings an old one can go {duration(lifetime, round_up=True)} after the new one "
            "came first.",
        )
    if os.name == "posix":  # elsewhere the mode does not say who may read
        for name in ("secret_key", "data_secret_key"):
            yield from _readable_keys(deployment, deployment.setting(name))


def _readable_keys(deployment: Deployment, setting: str) -> Iterator[Finding]:
    value = deployment.registry.settings.get(setting)
    items = value.split() if isinstance(value, str) else value if isinstance(value, (list, tuple)) else ()
    for path in (item.removeprefix("file:") for item in items if str(item).startswith("file:")):
        # Container runtimes mount secrets so, for the processes of one container.
        severity = Severity.INFO if path.startswith("/run/secrets/") else Severity.WARNING
        if _is_readable_by_all(Path(path)):
            yield Finding(
                severity,
                f"Everybody on this machine can read the key file of {setting}.",
                f"chmod o-rwx {path}",
            )
    keys = [str(item) for item in items if not str(item).startswith(("file:", "env:"))]
    for file in deployment.configuration:
        if keys and _is_readable_by_all(file) and _holds_one(file, keys):
            yield warning(
                f"Everybody on this machine can read {setting} in {file.name}.", f"chmod o-rwx {file.name}"
            )


def _is_readable_by_all(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except OSError:
        return False


def _holds_one(file: Path, keys: Iterable[str]) -> bool:
    try:
        content = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(key in content for key in keys)


def logins(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the sessions know of logins."""
    yield from means_of_login(deployment.registry)


def means_of_login(registry: Registry) -> Iterator[Finding]:
    """Yield what is weak about how a complete application logs its users in."""
    parts = tuple(policy_parts(registry))
    factories = web_session_factories(registry)
    if "session" not in factories or _has_identity_by(parts, factories):
        return
    knows_users = factories["session"].has("userid")
    unseen = (
        "the sessions belong to nobody, so that renewal, the detection of theft, limits, recent_login, lists "
        "of devices and pyramid-sessions revoke --user know of no login"
    )
    if login_keys(registry):
        if knows_users:
            yield warning(
                f"The security policy logs users in by Pyramid's SessionAuthenticationHelper: {unseen}.",
                "Use SessionSecurityPolicy, or call request.session.login(userid) in its remember().",
            )
    elif _remembers(registry):
        call = "login(userid)" if knows_users else "regenerate()"
        yield warning(
            "The security policy logs users in beside the session, which stays the same: who has planted its "
            "cookie before the login has what the user puts there, and the CSRF token"
            f"{f'; and {unseen}' if knows_users else ''}.",
            f"Call request.session.{call} in the policy's remember(), and request.session.invalidate() in "
            "its forget().",
        )


def _has_identity_by(parts: Iterable[Any], attributes: Iterable[str]) -> bool:
    """Return whether the policy's own code works with a session's identity, or one of ours does it for it."""
    for part in parts:
        if isinstance(part, SessionSecurityPolicy):
            return True
        members = (part,) if isinstance(part, FunctionType) else _members(type(part))
        for code in _codes(members):
            if not _IDENTITY.isdisjoint(code.co_names) and not set(attributes).isdisjoint(code.co_names):
                return True
    return False


def _remembers(registry: Registry) -> bool:
    """Return whether the security policy does anything to remember a user."""
    legacy, policy = registry.queryUtility(IAuthenticationPolicy), registry.queryUtility(ISecurityPolicy)
    remember = getattr(type(legacy or policy), "remember", None)
    # One for programs that bring a token with each request returns an empty list.
    return any(code.co_names for code in _codes([remember]))


def _members(kind: type) -> Iterator[Any]:
    for cls in kind.__mro__:
        yield from vars(cls).values()


def _codes(members: Iterable[Any]) -> Iterator[CodeType]:
    for member in members:
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        code = getattr(function, "__code__", member if isinstance(member, CodeType) else None)
        if isinstance(code, CodeType):
            yield code
            yield from _codes(code.co_consts)


def logging_of_statements(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether SQLAlchemy logs what is secret."""
    logs = logging.getLogger("sqlalchemy.engine").isEnabledFor(logging.INFO)
    if logs and not deployment.engine.hide_parameters:
        yield warning(
            "SQLAlchemy logs its statements with their values, and so users' data and identifiers.",
            "Set the logger sqlalchemy.engine to WARN, or create the engine with hide_parameters=True.",
        )
