"""Configuration: mistakes stop the start, all at once; a weak set-up is warned of."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
import traceback

import pyramid_tm
import pytest
from pyramid.authentication import (
    AuthTktCookieHelper,
    SessionAuthenticationHelper,
    SessionAuthenticationPolicy,
)
from pyramid.authorization import ACLAuthorizationPolicy
from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.interfaces import ISessionFactory
from pyramid.request import Request
from pyramid.response import Response
from pyramid.testing import DummyRequest
from site_under_test import SECRET_KEY, Base, FullSession, Session
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from websession_core.errors import ConfigurationError
from websession_crypto import Keyring, generate_secret_key
from websession_models import BaseMixin
from websession_models.types import SESSION_JSON
from websession_pyramid import (
    SessionSecurityPolicy,
    factory_args_from_settings,
    get_session_factory,
    web_session_factories,
)

GOOD = {"session.secret_key": SECRET_KEY, "session.model_class": "site_under_test.Session"}


class Parent(Base):
    """A table for joined inheritance."""

    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)


class JoinedSession(BaseMixin, Parent):
    """A model whose columns span two tables."""

    __tablename__ = "joined_session"
    id: Mapped[int] = mapped_column(ForeignKey("parent.id"), primary_key=True)


class NotASession(Base):
    """A model without our mixin."""

    __tablename__ = "not_a_session"
    id: Mapped[int] = mapped_column(primary_key=True)


def factory_of(config):
    config.commit()
    return config.registry.getUtility(ISessionFactory)


def include(settings):
    config = Configurator(settings=settings)
    config.include("pyramid_sqlalchemy_sessions")
    return factory_of(config)


def test_the_two_settings_of_the_quick_start_are_enough():
    settings = include(GOOD).settings
    assert settings.model_class is Session
    assert settings.cookie_name == "websession"
    assert settings.dbsession_name == "dbsession"


def test_keys_may_stand_on_lines_of_their_own():
    keys = [generate_secret_key(), generate_secret_key()]
    keyring = include({**GOOD, "session.secret_key": f"\n    {keys[0]}\n    {keys[1]}\n"}).settings.secret_key
    assert len(keyring) == 2


def test_the_prefix_can_be_changed():
    settings = {name.replace("session.", "web."): value for name, value in GOOD.items()}
    settings["pyramid_sqlalchemy_sessions.prefix"] = "web."
    settings["session.something_else"] = "of the application's"
    assert include({**settings, "web.cookie_name": "id"}).settings.cookie_name == "id"


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        include(
            {
                "session.secret_key": "hunter2",
                "session.model_class": "nowhere.Session",
                "session.cookie_max_age": "soon",
                "session.cookie_samesite": "Never",
                "session.cookie_nmae": "id",
            }
        )
    mistaken = {mistake.setting for mistake in caught.value.mistakes}
    assert mistaken == {
        "session.secret_key",
        "session.model_class",
        "session.cookie_max_age",
        "session.cookie_samesite",
        "session.cookie_nmae",
    }
    message = str(caught.value)
    assert "cookie_name" in message
    assert "generate_secret_key" in message
    assert "hunter2" not in message


def start_at(now, **cut_offs):
    """Start an application with two sessions, by their clocks, and views with a mistake of their own."""
    settings = {**GOOD, "other.secret_key": SECRET_KEY, "other.model_class": FullSession, **cut_offs}
    config = Configurator(settings={**settings, "other.cookie_name": "other"})
    config.include("pyramid_tm")
    config.include("pyramid_sqlalchemy_sessions")
    config.add_web_session("other")
    config.add_view(lambda request: {}, renderer="json", recent_login=(60, "other" if now else "nobodys"))
    config.add_request_method(lambda request: None, "dbsession", reify=True)
    config.commit()
    for factory in web_session_factories(config.registry).values():
        if now:
            factory.clock = lambda: now
    config.make_wsgi_app()


@pytest.mark.parametrize(("ahead", "told"), [(3600, 1), (1, 1), (0, 0)])
def test_a_cut_off_that_has_yet_to_come_is_warned_of(caplog, ahead, told):
    start_at(5000, **{"other.not_before": 5000 + ahead})
    warned = [record.getMessage() for record in caplog.records if "not_before" in record.getMessage()]
    assert len(warned) == told
    assert all(line.startswith(f"other.not_before is {ahead} seconds ahead") for line in warned)


def test_a_cut_off_further_ahead_than_clocks_step_is_a_mistake_by_the_sessions_clock():
    with pytest.raises(ConfigurationError) as caught:
        start_at(5000, **{"session.not_before": 9000, "other.not_before": 8601})
    assert {(each.setting, each.value) for each in caught.value.mistakes} == {
        ("session.not_before", "9000"),
        ("other.not_before", "8601"),
    }
    with pytest.raises(ConfigurationError) as caught:  # by this machine's, and with what is wrong besides
        start_at(None, **{"session.not_before": int(time.time()) + 4000})
    settings = [each.setting for each in caught.value.mistakes]
    assert len(settings) == 2
    assert "session.not_before" in settings


def test_settings_that_are_missing_are_named():
    with pytest.raises(ConfigurationError) as caught:
        include({})
    assert {mistake.setting for mistake in caught.value.mistakes} == {
        "session.secret_key",
        "session.model_class",
    }


@pytest.mark.parametrize(
    ("model", "reason"),
    [(JoinedSession, "inherit"), (NotASession, "BaseMixin"), (dict, "mapped"), ("x.y", "x"), (7, "")],
)
def test_a_model_that_cannot_serve_is_refused_with_the_reason(model, reason):
    with pytest.raises(ConfigurationError, match=rf"session\.model_class(?s:.*){reason}"):
        include({**GOOD, "session.model_class": model})


def test_a_relative_dotted_name_is_resolved_like_the_configurators():
    config = Configurator(settings={**GOOD, "session.model_class": ".Session"}, package="site_under_test")
    arguments = factory_args_from_settings(config.get_settings(), config.maybe_dotted)
    assert arguments["model_class"] is Session


def test_a_factory_can_be_made_in_code():
    factory = get_session_factory(SECRET_KEY, Session, cookie_name="id", cookie_max_age=60)
    assert factory.settings.cookie_max_age == 60
    again = get_session_factory(**factory_args_from_settings(GOOD))
    assert again.settings.cookie_name == "websession"
    assert get_session_factory(Keyring.from_text(SECRET_KEY), "site_under_test.Session")
    with pytest.raises(ConfigurationError, match="cookie_nmae"):
        get_session_factory(SECRET_KEY, Session, cookie_nmae="id")


def test_repoze_tm2_is_refused_with_the_reason():
    factory = get_session_factory(SECRET_KEY, Session)
    request = DummyRequest(environ={"repoze.tm.active": True})
    with pytest.raises(Exception, match=r"repoze\.tm2 .* pyramid_tm"):
        factory(request).get("a")


def test_two_applications_in_one_process_do_not_influence_each_other():
    class OtherBase(DeclarativeBase):
        pass

    class Other(BaseMixin, OtherBase):
        __tablename__ = "other"
        data: Mapped[dict] = mapped_column("payload", SESSION_JSON)
        more: Mapped[str | None] = mapped_column(String(5))

    one = include({**GOOD, "session.cookie_name": "one"})
    two = include({**GOOD, "session.model_class": Other, "session.cookie_name": "two"})
    assert (one.settings.cookie_name, one.settings.model_class) == ("one", Session)
    assert (two.settings.cookie_name, two.settings.model_class) == ("two", Other)


class TestTheLogAtStartUp:
    """Warnings of a set-up in which sessions cannot keep all their promises."""

    @pytest.fixture
    def warnings(self, caplog):
        def of(settings=None, configure=None, tm=True):
            caplog.clear()
            caplog.set_level(logging.WARNING)
            config = Configurator(
                settings={**GOOD, "tm.manager_hook": "pyramid_tm.explicit_manager", **(settings or {})}
            )
            # Before the others: what is warned of must not depend on the order.
            config.include("pyramid_sqlalchemy_sessions")
            config.add_request_method(lambda request: None, "dbsession", reify=True)
            if tm:
                config.include("pyramid_tm")
            if configure:
                configure(config)
            config.make_wsgi_app()
            return [record.getMessage() for record in caplog.records]

        return of

    def test_is_empty_for_a_perfect_quick_start(self, warnings):
        assert warnings() == []

    def test_warns_that_pyramid_tm_is_missing(self, warnings):
        (message,) = warnings(tm=False)
        assert "config.include('pyramid_tm')" in message

    def test_warns_that_the_transaction_manager_is_implicit(self, warnings):
        (message,) = warnings({"tm.manager_hook": None})
        assert "tm.manager_hook = pyramid_tm.explicit_manager" in message

    def test_takes_a_managers_hook_of_the_applications_as_it_is(self, warnings):
        assert warnings({"tm.manager_hook": pyramid_tm.explicit_manager}) == []

    @pytest.mark.parametrize("annotate", [True, False])
    @pytest.mark.parametrize("kind", ["policy with the helper", "legacy policy", "other policy"])
    def test_warns_that_every_request_would_read_the_session(self, warnings, annotate, kind):
        class WithHelper:
            def __init__(self):
                self.helper = SessionAuthenticationHelper()

        class Other:
            __slots__ = ()

        def configure(config):
            if kind == "policy with the helper":
                config.set_security_policy(WithHelper())
            elif kind == "other policy":
                config.set_security_policy(Other())
            else:
                with pytest.warns(DeprecationWarning, match="deprecated"):
                    config.set_authorization_policy(ACLAuthorizationPolicy())
                with pytest.warns(DeprecationWarning, match="deprecated"):
                    config.set_authentication_policy(SessionAuthenticationPolicy())

        messages = warnings({"tm.annotate_user": str(annotate)}, configure)
        expected = annotate and kind != "other policy"
        assert ["tm.annotate_user = false" in message for message in messages] == ([True] if expected else [])


class Beside:
    """A policy that logs users in by a cookie of its own."""

    def __init__(self):
        self.helper = AuthTktCookieHelper("secret")

    def remember(self, request, userid, **options):
        return self.helper.remember(request, userid, **options)


class BesideWithRotation(Beside):
    def remember(self, request, userid, **options):
        request.session.regenerate()
        return super().remember(request, userid, **options)


class BySession:
    """Its login is made by the views."""

    def identity(self, request):
        return request.session.userid

    def remember(self, request, userid, **options):
        return []


class Delegating:
    def __init__(self, *policies):
        self.policies = policies

    def remember(self, request, userid, **options):
        return self.policies[0].remember(request, userid, **options)


class ByToken:
    def remember(self, request, userid, **options):
        return []


class ByHelper:
    def __init__(self):
        self.helper = SessionAuthenticationHelper()

    def remember(self, request, userid, **options):
        return self.helper.remember(request, userid, **options)


@pytest.mark.parametrize(
    ("policy", "model", "told"),
    [
        (Beside(), Session, "request.session.regenerate()"),
        (Beside(), FullSession, "request.session.login(userid)"),
        (Delegating(Beside()), FullSession, "request.session.login(userid)"),
        (BesideWithRotation(), FullSession, None),
        (BySession(), FullSession, None),
        (Delegating(SessionSecurityPolicy()), FullSession, None),
        (SessionSecurityPolicy(), FullSession, None),
        (ByToken(), FullSession, None),
        (ByHelper(), FullSession, "Use SessionSecurityPolicy"),
        # Its login rotates the session, and a model without users has no more to know.
        (ByHelper(), Session, None),
        (None, FullSession, None),
    ],
)
def test_a_login_of_which_the_session_knows_nothing_is_warned_of_at_the_start(caplog, policy, model, told):
    settings = {"tm.manager_hook": "pyramid_tm.explicit_manager", "tm.annotate_user": "false"}
    config = Configurator(settings={**GOOD, **settings, "session.model_class": model})
    config.include("pyramid_sqlalchemy_sessions")
    config.include("pyramid_tm")
    config.add_request_method(lambda request: None, "dbsession", reify=True)
    if policy is not None:
        config.set_security_policy(policy)
    config.make_wsgi_app()
    messages = [record.getMessage() for record in caplog.records]
    assert [told in message for message in messages] == ([] if told is None else [True])


def test_includeme_needs_no_database():
    """Neither a driver nor a server: the model is enough."""
    script = f"""
import sys
import time
sys.path[:0] = {sys.path!r}
import sqlalchemy
from pyramid.config import Configurator
def refuse(*args, **kwargs):
    raise AssertionError("I/O at start-up")
sqlalchemy.create_engine = refuse
from site_under_test import Session
config = Configurator(settings={{"session.secret_key": {SECRET_KEY!r}, "session.model_class": Session}})
config.include("pyramid_sqlalchemy_sessions")
config.commit()
print("done")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr


class TestUntouchedRequests:
    """A request that does not look at the session runs what it runs without the library, call by call."""

    @staticmethod
    def calls(*, included, subscriber=None):
        config = Configurator(settings={**GOOD, "tm.manager_hook": "pyramid_tm.explicit_manager"})
        config.include("pyramid_tm")
        if included:
            config.include("pyramid_sqlalchemy_sessions")
        if subscriber:
            config.add_subscriber(subscriber, NewRequest)
        config.add_route("any", "/")
        config.add_view(lambda request: Response("hello"), route_name="any")
        app = config.make_wsgi_app()
        seen = []

        def note(frame, event, _argument):
            if event == "call":
                seen.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")

        for _ in range(2):  # the first request fills Pyramid's caches
            seen.clear()
            environ = Request.blank("/").environ
            sys.setprofile(note)
            try:
                app(environ, lambda *_: None)
            finally:
                sys.setprofile(None)
        return seen

    def test_it_is_the_same(self):
        alone = self.calls(included=False)
        assert len(alone) > 50
        assert self.calls(included=True) == alone

    def test_it_is_the_same_for_an_application_with_subscribers_which_all_hear_of_it(self):
        heard = []
        alone = self.calls(included=False, subscriber=heard.append)
        assert self.calls(included=True, subscriber=heard.append) == alone
        assert len(heard) == 4


def test_keys_come_from_the_environment_and_from_files(tmp_path, monkeypatch):
    file = tmp_path / "old_key"
    file.write_text(SECRET_KEY)
    new = generate_secret_key()
    monkeypatch.setenv("SHOP_SESSION_KEY", new)
    keys = include({**GOOD, "session.secret_key": f"env:SHOP_SESSION_KEY file:{file}"}).settings.secret_key
    assert keys.keys == Keyring.from_text([new, SECRET_KEY]).keys


def test_a_key_that_is_not_where_it_should_be_is_told_with_the_other_mistakes(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        include(
            {
                "session.secret_key": f"env:SHOP_NO_KEY\nfile:{tmp_path}/none\n{'a' * 43}",
                "session.model_class": Session,
                "session.cookie_max_age": "soon",
            }
        )
    first, second = map(str, caught.value.mistakes)
    assert "SHOP_NO_KEY is not set" in first
    assert f"{tmp_path}/none cannot be read" in first
    assert "secret key 3 of 3 is not random" in first
    assert second.startswith("session.cookie_max_age")


# Not random to us, but so to everybody's eyes; in the standard alphabet it begins with a slash.
URL_SAFE = "_BF0h-Zbq3N_kD8yRr1WmXo5vTgQeJ7cPzB2sLiA4Kw"
STANDARD = f"{URL_SAFE.translate(str.maketrans('-_', '+/'))}="


WITH_A_KEY = [
    f"{before}{key}{behind}"
    for key in (STANDARD, URL_SAFE, f"K{URL_SAFE.replace('-', 'x')}")
    for before, behind in [
        ("", ""),
        ("", "x"),
        ("", ".Session"),
        ("", ":Session"),
        ("os.", ""),
        ("os.path:", ""),
        (".", ""),
        ("env:", ""),
        ("file:", ""),
        ("file:/run/secrets/", ""),
        ("env:SHOP_SESSION_KEY env:", f" file:/run/{URL_SAFE}"),
        ('"', '"'),
        ("'", "="),
    ]
]


@pytest.mark.parametrize(
    "setting", ["secret_key", "data_secret_key", "model_class", "secretkey", "secret_key ", "cookie_domain"]
)
def test_no_mistake_shows_a_key_wherever_it_was_put(setting):
    for text in WITH_A_KEY:
        wrong = {f"session.{setting}": text, f"session.{setting} {text}": "", "session.idle_timeout": "?"}
        with pytest.raises(ConfigurationError) as caught:
            include({**GOOD, **wrong})
        error = caught.value
        assert (error.__cause__, error.__context__) == (None, None)
        told = f"{error} {error!r} {error.args} {vars(error)}"
        for spelling in (STANDARD, URL_SAFE):
            windows = {spelling[start : start + 8] for start in range(len(spelling) - 8)}
            assert not [window for window in windows if window in told], text


@pytest.mark.parametrize("secret", ["seekrit", b"bytes-of-a-key", ["a", "list"]])
def test_a_secret_in_the_line_of_the_model_is_not_shown(secret):
    with pytest.raises(ConfigurationError) as caught:
        include({**GOOD, "session.model_class": secret})
    (mistake,) = caught.value.mistakes
    assert mistake.setting == "session.model_class"
    assert not [part for part in ("seekrit", "bytes-of", "'list'") if part in str(mistake)]


def test_the_module_that_is_missing_is_named():
    with pytest.raises(ConfigurationError, match="No module named 'yourproject'"):
        include({**GOOD, "session.model_class": "yourproject.models.session.Session"})


@pytest.mark.parametrize("key", ["s3cret-but-too-short", b"bytes-are-no-text", 7310258])
def test_no_frame_of_ours_shows_a_refused_key_in_a_crash_report(key):
    settings = {"session.secret_key": key, "session.model_class": Session}
    for start in (lambda: include(settings), lambda: get_session_factory(key, Session)):
        with pytest.raises(ConfigurationError) as caught:
            start()
        report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [frame for frame in report.stack if "websession_" in frame.filename]
        assert ours
        for frame in ours:
            assert not [name for name, value in (frame.locals or {}).items() if str(key) in value], frame.name


def test_including_the_library_reads_the_settings_once():
    readings = []

    def count(frame, event, _argument):
        if event == "call" and frame.f_code.co_qualname == "Draft.__init__":
            readings.append(frame)

    settings = {"session.secret_key": SECRET_KEY, "session.model_class": Session}
    with Configurator(settings=settings) as config:
        sys.setprofile(count)
        try:
            config.include("websession_pyramid")
        finally:
            sys.setprofile(None)
    assert len(readings) == 1
