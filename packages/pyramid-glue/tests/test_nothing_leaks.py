"""No log, event, `repr`, error or output of a command shows a key, a token, an identifier or anybody's data.

Whoever adds a log statement or a kind of error adds a request here that brings it about: the last two tests
name those that are missing.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import uuid
from base64 import b64encode, urlsafe_b64decode
from datetime import date, datetime, timedelta, tzinfo
from unittest.mock import patch

import command_site
import pytest
import zope.sqlalchemy
from click.testing import CliRunner
from overheard import (
    MEMBERS,
    Overheard,
    Secrets,
    classes_that_are_shown,
    error_classes,
    log_statements,
)
from pyramid.httpexceptions import HTTPFound
from pyramid.request import Request
from pyramid.response import Response
from site_under_test import SECRET_KEY, FullSession, LimitedSession, Order, SealedSession, Session
from sqlalchemy import Column, MetaData, String, Table, select, text, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session as DatabaseSession
from sqlalchemy.pool import StaticPool
from websession_core.comparing import Sight, image_of, plain_form
from websession_core.forecast import forecast
from websession_core.lifecycle import (
    CONSEQUENCES,
    RULES,
    Duty,
    begin,
    bookkeeping,
    judge,
    rotate,
    transitions,
)
from websession_core.payload import FlashQueues, Payload
from websession_core.policies import Overrides
from websession_core.presets import PRESETS
from websession_core.settings import OPTIONS
from websession_core.state import Ticket
from websession_crypto import Keyring, TokenCodec, ValueCodec, generate_secret_key
from websession_crypto._libraries import aes_of
from websession_crypto.xaes import Xaes256Gcm
from websession_models import Bookkeeper, SessionRow, Store, encrypt_all
from websession_models.features import FEATURES
from websession_models.overview import backlog, distinct_overrides, list_sessions, overview
from websession_models.own_transactions import reading
from websession_models.purging import purge
from websession_models.revoking import revoke
from websession_models.schema import check_schema
from websession_models.unusable import find_unusable
from websession_models.user_limit import users_sessions
from websession_pyramid import (
    OwnTransactionBegun,
    SessionEvent,
    SessionSecurityPolicy,
    active_sessions,
    get_session_factory,
)
from websession_pyramid.checks import CHECKS, Deployment, Finding, Severity, run_checks
from websession_pyramid.command.application import Application
from websession_pyramid.command.options import Subcommand
from websession_pyramid.earlier_attempts import EarlierAttempt
from websession_pyramid.request_transaction import sharing

TIMEOUTS = {"session.idle_timeout": 600, "session.absolute_timeout": 3600, "session.renewal_timeout": 300}


def page(exception, request):
    """An error page that looks at the session."""
    return Response(f"sorry, {request.session.get('missing')}", status=500)


class Unstorable:
    def __init__(self, content):
        self.content = content

    def __repr__(self):
        return f"<{self.content}>"


class Stage:
    """Where the flows below play: applications whose secrets are known, and an ear for what is said."""

    def __init__(self, make_site, ini, command, engine_name):
        self.secrets = Secrets()
        self.ear = Overheard()
        self.engine_name = engine_name
        self.ini = ini
        self._command = command
        self._make_site = make_site
        self.key(SECRET_KEY)

    def key(self, key=None):
        """Return a key, a new one if none is given, that must not be shown."""
        key = key or generate_secret_key()
        self.secrets.add("a key", key)
        self.secrets.add("a key's bytes", urlsafe_b64decode(f"{key}="))
        return key

    def data(self, what="payload"):
        """Return a text that must not be shown."""
        return self.secrets.fresh(what)

    def site(self, model=FullSession, settings=TIMEOUTS, *, configure=None, **options):
        """Return an application that tells its secrets to the stage, and its events."""

        def configured(config):
            config.add_subscriber(self.ear.hear, SessionEvent)
            config.add_subscriber(self.ear.hear, OwnTransactionBegun)
            if configure is not None:
                configure(config)

        site = self._make_site(model=model, settings=settings, configure=configured, **options)
        factory, fresh, make = site.factory, site.factory.fresh_session_id, site.factory.tickets.token

        def fresh_session_id():
            found = fresh()
            self.secrets.add("an identifier", found)
            return found

        def make_token(ticket):
            token = make(ticket)
            self.secrets.add("a token", token)
            self.secrets.add("a ticket", ticket.to_bytes())
            if any(ticket.seed or ()):
                self.secrets.add("a seed", ticket.seed)
            self.ear.hear(ticket)
            return token

        factory.fresh_session_id, factory.tickets.token = fresh_session_id, make_token
        site.views.update(
            look=lambda request: self.ear.hear(request.session, request.session.get("b")) or "seen",
            put=lambda request: request.session.update(a={"b": [self.data()]}),
            login=lambda request: request.session.login(7),
            leave=lambda request: request.session.invalidate(),
            regenerate=lambda request: request.session.regenerate(),
        )
        self.ear.hear(factory, factory.settings, factory.store, factory.policies(None))
        return site

    def command(self, *arguments, shows_keys=False, **options):
        """Run a command, and take down what it prints."""
        result = self._command(*arguments, **options)
        self.ear.said += [result.stderr] if shows_keys else [result.output, result.stderr]
        return result


def life_of_a_session(stage):
    site = stage.site()

    @site.view
    def everything(request):
        session = request.session
        stage.secrets.add("a CSRF token", session.get_csrf_token())
        session["a"] = {"b": [stage.data()]}
        session.flash(stage.data("flash message"))
        with session.settings as settings:
            settings.idle_timeout = 500
        stage.ear.hear(session, session.settings, session.row(), session["a"].__class__)

    @site.view
    def devices(request):
        sessions = active_sessions(request)
        stage.ear.hear(sessions, *sessions.of(), sessions.end("no such handle"))
        with stage.ear.error(TypeError):
            active_sessions(request, "dbsession")

    browser = site.browser()
    for path in ["everything", "look", "login", "look", "everything", "devices", "regenerate", "look"]:
        browser.get(f"/{path}")
    site.clock.advance(300)
    browser.get("/look")
    stale = browser.cookies["websession"]
    for path in ("/look", "/leave", "/look", "/put", "/login"):
        browser.get(path)
    late = site.browser()
    late.set_cookie("websession", stale)
    late.get("/look")
    site.clock.advance(600)
    browser.get("/look")
    site.clock.advance(-100_000)
    browser.get("/put")


def thieves(stage):
    site = stage.site()
    browser, thief, swallower = site.browser(), site.browser(), site.browser()
    browser.get("/login")
    browser.get("/look")
    thief.set_cookie("websession", browser.cookies["websession"])
    site.clock.advance(300)
    browser.get("/look")
    browser.get("/look")
    site.clock.advance(61)
    thief.get("/look")
    swallower.get("/login")
    swallower.get("/regenerate")
    thief.set_cookie("websession", swallower.cookies["websession"])
    swallower.get("/look")
    swallower.get("/login")
    thief.get("/look")


def hostile_cookies(stage):
    site = stage.site()
    browser = site.browser()
    browser.get("/login")
    token = browser.cookies["websession"]
    codec = TokenCodec(Keyring.from_text(SECRET_KEY), purpose="websession")
    stranger = TokenCodec(Keyring.from_text(stage.key()), purpose="websession")
    ticket = codec.decrypt(token)
    unknown = uuid.uuid4()
    stage.secrets.add("an identifier", unknown)
    hostile = [
        f"junk{stage.data('what a client sent')}",
        token[:-1],
        f"{token[:-2]}AA",
        f"B{token[1:]}",
        "é" + token[1:],
        token * 30,
        stranger.encrypt(ticket),
        codec.encrypt(ticket + b"\0"),
        codec.encrypt(b"\xff" * len(ticket)),
        codec.encrypt(b"\1" + b"\xff" * (len(ticket) - 1)),
        codec.encrypt(Ticket(unknown, issued_at=site.clock.now).to_bytes()),
        codec.encrypt(Ticket(Ticket.from_bytes(ticket).session_id, epoch=9, issued_at=1).to_bytes()),
    ]
    for each in hostile:
        stage.secrets.add("a token", each)
        browser.get("/look", headers={"Cookie": f"websession={each}"})
        with stage.ear.error():
            Ticket.from_bytes(codec.open(each).payload + b"\0")
    stage.ear.hear(codec, stranger, codec.open(token))


def refused_values(stage):
    site = stage.site()

    class Opaque:
        def __init__(self, shown):
            self._shown = shown

        def __repr__(self):
            return self._shown

        __str__ = __repr__

    class Zone(tzinfo):
        def __init__(self, name):
            self.name = name

        def utcoffset(self, when):
            return timedelta(0)

        def tzname(self, when):
            return self.name

    secret = stage.data("a refused value")
    huge = int.from_bytes(secret.encode(), "big")
    stage.secrets.add("a refused number", str(huge))
    refused = [
        Opaque(secret),
        bytearray(secret.encode()),
        f"{secret}\0",
        f"{secret}\ud800",
        {f"{secret}\0"},
        (f"{secret}\0",),
        datetime(2026, 1, 1, tzinfo=Zone(secret)),
        [{"deep": Opaque(secret)}],
        huge,
        float(huge),
        {Opaque(secret): 1},
        type("Text", (str,), {})(secret),
    ]

    @site.view
    def it(request):
        for value in refused:
            with stage.ear.error(ValueError):
                request.session["a"] = {"b": [value]}
            with stage.ear.error(ValueError):
                request.session.flash(value if not isinstance(value, str) or "\0" in value else [value])
        with stage.ear.error(ValueError):
            request.session.userid = secret
        with stage.ear.error(KeyError):
            request.session["missing"]
        with stage.ear.error(ValueError), request.session.settings as settings:
            settings.idle_timeout = secret
        with stage.ear.error(ValueError):
            request.session.settings.idle_timeout = huge
        with stage.ear.error(AttributeError):
            request.session.settings.idle_timout = huge
        request.session["nested"] = []
        request.session["nested"].append(Opaque(secret))
        stage.ear.hear(request.session)

    with stage.ear.error():
        site.browser().get("/it")
    for stored in (secret, f'["{secret}"]', f'{{"{secret}": '):
        with stage.ear.error(ValueError):
            Payload(stored).get("a")
        with stage.ear.error(ValueError):
            FlashQueues(stored).peek("")
    payload, flash = Payload(), FlashQueues()
    payload["a"] = secret
    flash.push(secret)
    sight = Sight(image_of(secret), is_original=True, form=plain_form(secret), is_plain=True)
    stage.ear.hear(
        sight, payload, flash, payload.items(), payload.values(), payload.snapshot(), flash.snapshot()
    )


def values_beyond_json(stage):
    class Badge:
        def __init__(self, secret):
            self.secret = secret

        def __repr__(self):
            return self.secret

    def configure(config):
        config.add_session_type("badge", Badge, lambda badge: badge.secret, Badge)

    limits = {"session.max_flash_messages": 1, "session.max_data_size": 2000}
    site = stage.site(settings=limits, configure=configure)
    browser = site.browser()

    @site.view
    def put(request):
        session = request.session
        session["badge"], session["bytes"], session["day"] = (
            Badge(stage.data()),
            stage.data().encode(),
            date.min,
        )
        session.flash(Badge(stage.data()))
        session.flash(stage.data().encode())
        with stage.ear.error(ValueError):
            session["large"] = [stage.data()] * 100
        types = session.kit.types
        stage.ear.hear(session, session.kit.rules, types, types.of(Badge))

    browser.get("/put")
    later = stage.site(settings={"session.alongside_0_2": True})

    @later.view
    def look(request):
        with stage.ear.error():
            request.session["badge"]
        with stage.ear.error():
            request.session.copy()
        with stage.ear.error(ValueError):
            request.session["held back"] = stage.data().encode()
        with stage.ear.error(AttributeError):
            request.session.secret = stage.data()

    other = later.browser()
    other.cookiejar = browser.cookiejar
    other.get("/look")


def missing_features(stage):
    site = stage.site(model=Session, settings={})

    @site.view
    def it(request):
        request.session["a"] = stage.data()
        with stage.ear.error(AttributeError):
            request.session.userid = stage.data("a userid")
        with stage.ear.error(ValueError), request.session.settings as settings:
            settings.idle_timeout = 1

    site.browser().get("/it")
    with stage.ear.error(ValueError):
        site.factory.store.update(None, uuid.uuid4(), version=1, userid=7)
    rowless = SessionRow(id=uuid.uuid4(), created=1, version=1, epoch=0, data="{}", flash="{}", userid=7)
    with site.engine.connect() as connection, stage.ear.error(ValueError):
        site.factory.store.insert(connection, rowless)


def another_user(stage):
    site = stage.site()
    browser = site.browser()

    def enter(request):
        request.session.login(7)
        request.session["a"] = stage.data()
        request.session.login(8)

    def go_on(request):
        request.session.login(None)
        for token in (request.session.get_csrf_token(), request.session.new_csrf_token()):
            stage.secrets.add("a token of forms", token)
            request.session.accepts_csrf_token(token)

    site.views["enter"] = enter
    site.views["go_on"] = go_on
    for path in ("/enter", "/look", "/go_on", "/look"):
        browser.get(path)


def recent_logins(stage):
    def configure(config):
        config.add_route("secret", "/-/secret")
        config.add_view(lambda request: Response("secret"), route_name="secret", recent_login=300)

    stage.site(configure=configure).browser().get("/-/secret", status=403)


def failed_commits(stage):
    site = stage.site(error_page=page)
    browser = site.browser()
    browser.get("/put")

    def hook(request):
        raise LookupError(request.path)

    class Unwilling:
        transaction_manager = None

        def sortKey(self):
            return "unwilling"

        def abort(self, transaction):
            raise LookupError(transaction)

        tpc_begin = tpc_vote = commit = tpc_finish = tpc_abort = abort

    def fail(request):
        request.session["a"] = stage.data()
        request.session.flash(stage.data())
        kind = request.params["how"]
        if kind == "flush":
            request.dbsession.add(Order(text=None))
        elif kind == "hook":
            request.tm.get().addBeforeCommitHook(hook, (request,))
        elif kind == "abort":
            request.tm.get().addBeforeCommitHook(hook, (request,))
            request.tm.get().join(Unwilling())
        elif kind == "statement":
            request.dbsession.execute(text("SELECT * FROM no_such_table"))
        elif kind == "dead before":
            request.tm.get().addBeforeCommitHook(request.dbsession.execute, (text("SELECT * FROM nowhere"),))
        else:
            raise LookupError(kind)

    site.views["fail"] = fail
    for how in ("view", "flush", "hook", "abort", "statement", "dead before"):
        browser.get(f"/fail?how={how}", status=500)


def error_pages_that_write(stage):
    def writing(exception, request):
        request.session["a"] = stage.data()
        return Response("sorry", status=500)

    site = stage.site(error_page=writing)
    browser = site.browser()
    browser.get("/put")
    site.views["fail"] = lambda request: request.session["missing"]
    browser.get("/fail", status=500)
    site.views["flush"] = lambda request: request.dbsession.add(Order(text=None))
    browser.get("/flush", status=500)


def a_hook_that_finds_no_database(stage):
    broken = []

    def dbsession(request):
        session = site.dbsession_maker()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        connect = session.connection

        def connection(*arguments, **options):
            if broken:
                raise OperationalError("SELECT", None, LookupError("gone"))
            return connect(*arguments, **options)

        session.connection = connection
        return session

    site = stage.site(dbsession_factory=dbsession, error_page=page)
    browser = site.browser()
    browser.get("/put")

    @site.view
    def it(request):
        request.session["a"] = stage.data()
        broken.append(True)

    browser.get("/it", status=500)


def error_pages_without_a_database(stage):
    known = stage.site(error_page=page)
    browser = known.browser()
    browser.get("/put")

    def none(request):
        raise LookupError(stage.data("what the application's error says"))

    site = stage.site(error_page=page, dbsession_factory=none)
    site.views["it"] = lambda request: request.dbsession
    browser.app = site.app
    browser.get("/it", status=500)

    def broken(request):
        session = known.dbsession_maker()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)

        def connection(*arguments, **options):
            raise OperationalError("SELECT", None, LookupError("gone"))

        session.connection = connection
        return session

    site = stage.site(error_page=page, dbsession_factory=broken)
    site.views["it"] = lambda request: request.no_such_attribute
    browser.app = site.app
    browser.get("/it", status=500)


def reading_without_a_transaction(stage):
    settings = {**TIMEOUTS, "tm.activate_hook": lambda request: "off" not in request.path}
    site = stage.site(settings=settings)
    browser = site.browser()
    browser.get("/put")

    @site.view
    def off(request):
        with stage.ear.error():
            request.session["a"] = stage.data()
        with stage.ear.error():
            request.session.row()
        request.session["a"]["b"].append(stage.data())
        stage.ear.hear(request.session)

    browser.get("/off")
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE full_session RENAME TO elsewhere"))
    site.views["off_again"] = lambda request: stage.ear.hear(request.session, request.session.copy())
    browser.get("/off_again")
    with stage.ear.error():
        browser.get("/look")
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO full_session"))


def an_exhausted_pool(stage):
    site = stage.site(error_page=page, engine_options={"pool_size": 1, "max_overflow": 0})
    browser = site.browser()
    browser.get("/login")
    site.clock.advance(599)
    held = []

    @site.view
    def fail(request):
        # The request's own database session holds the only connection, and cannot read any more.
        request.dbsession.connection()
        request.dbsession.connection = lambda **_options: 1 / 0
        return request.no_such_attribute

    browser.get("/fail", status=500)

    def hold(request):
        # Taken as the request gives its connection back: none is left for the books.
        request.add_finished_callback(lambda _request: None)
        request.tm.get().addAfterCommitHook(lambda _done: held.append(site.engine.connect()))
        return request.session.copy()

    site.views["hold"] = hold
    browser.get("/hold")
    for connection in held:
        connection.close()


def locked_books(stage):
    site = stage.site()
    browser = site.browser()
    browser.get("/login")
    browser.get("/look")
    site.clock.advance(60)
    held = []
    table = FullSession.metadata.tables["full_session_activity"]

    def lock(_done):
        connection = site.engine.connect()
        connection.execute(update(table).values(tries=table.c.tries))
        held.append(connection)

    def locking(request):
        request.tm.get().addAfterCommitHook(lock)
        return request.session.copy()["a"] if "a" in request.session else None

    site.views["locking"] = locking
    browser.get("/locking")
    for connection in held:
        connection.rollback()
        connection.close()


def broken_books(stage):
    site = stage.site()
    browser = site.browser()
    browser.get("/login")
    browser.get("/look")
    site.clock.advance(60)

    def rename(one, other):
        def hook(_done):
            with site.engine.begin() as connection:
                connection.execute(text(f"ALTER TABLE {one} RENAME TO {other}"))

        return hook

    def breaking(request):
        request.session.get("a")
        if request.params:
            request.session.invalidate()
        request.tm.get().addAfterCommitHook(rename("full_session_activity", "elsewhere"))

    site.views["breaking"] = breaking
    browser.get("/breaking")
    rename("elsewhere", "full_session_activity")(True)
    browser.get("/breaking?leave=1")
    rename("elsewhere", "full_session_activity")(True)


def rows_that_were_not_where_bookkeeping_looked(stage):
    site = stage.site()
    site.browser().get("/put")
    session_id = site.rows()[0].id
    with site.engine.connect() as connection:
        row = site.factory.store.load(connection, session_id)
    for duty in (Duty.RECORD, Duty.REVOKE):
        site.factory.missing_rows.add(session_id, duty, site.clock())
        site.factory.missing_rows.tell(row, duty)


def rows_that_stay(stage):
    if stage.engine_name != "sqlite":
        return  # its triggers are the shortest
    site = stage.site()
    browser = site.browser()
    browser.get("/put")
    with site.engine.begin() as connection:
        refusal = "BEFORE DELETE ON full_session BEGIN SELECT RAISE(ABORT, 'no'); END"
        connection.execute(text(f"CREATE TRIGGER stay {refusal}"))
    browser.get("/leave")
    stage.ear.hear(find_unusable(site.engine, site.factory.store))
    with site.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER stay"))


def revocations_that_fail(stage):
    if stage.engine_name != "sqlite":
        return  # its triggers are the shortest
    site = stage.site()
    browser, thief = site.browser(), site.browser()
    browser.get("/login")
    browser.get("/look")
    thief.set_cookie("websession", browser.cookies["websession"])
    site.clock.advance(300)
    browser.get("/look")
    browser.get("/look")
    site.clock.advance(61)
    with site.engine.begin() as connection:
        # It cannot be emptied instead, either.
        for what in ("DELETE", "UPDATE"):
            refusal = f"BEFORE {what} ON full_session BEGIN SELECT RAISE(ABORT, 'no'); END"
            connection.execute(text(f"CREATE TRIGGER refuse_{what} {refusal}"))
    thief.get("/look")
    with site.engine.begin() as connection:
        for what in ("DELETE", "UPDATE"):
            connection.execute(text(f"DROP TRIGGER refuse_{what}"))


def changes_that_are_dropped_with_a_good_response(stage):
    site = stage.site()
    vetoing = stage.site(settings={**TIMEOUTS, "tm.commit_veto": lambda request, response: True})

    def drop(request):
        request.session["a"] = stage.data()
        if "doom" in request.params:
            request.tm.doom()
        elif "raise" in request.params:
            raise HTTPFound("/look")

    site.views["drop"] = vetoing.views["drop"] = drop
    site.browser().get("/drop?doom=1")
    site.browser().get("/drop?raise=1")
    vetoing.browser().get("/drop")


def old_sessions_that_are_taken_over(stage):
    class Old(dict):
        new = False

        def invalidate(self):
            raise LookupError(stage.data())

    def factory(request):
        if "gone" in request.params:
            raise LookupError(stage.data())
        return Old(cart=stage.data(), odd=Unstorable(stage.data()))

    def configure(config):
        config.take_over_sessions(factory, cookie_name="old")

    site = stage.site(configure=configure)
    site.views["look"] = lambda request: request.session.get("cart") and "seen"
    browser = site.browser()
    stage.ear.hear(site.factory.take_over)
    for path in ("/look?gone=1", "/look", "/look"):
        browser.set_cookie("old", "value")
        browser.get(path)


def a_cipher_library_that_is_not_there(stage):
    aes_of.cache_clear()
    with patch.dict(sys.modules, {"websession_crypto._openssl": None}), stage.ear.error():
        Keyring.from_text(stage.key(), library="openssl")


def a_cut_off_that_is_ahead(stage):
    stage.site(settings={"session.not_before": str(1_800_000_060)})


def a_user_who_cannot_be_told_to_pyramid_tm(stage):
    def identity(request, userid):
        raise LookupError(stage.data())

    def page_with_a_name(exception, request):
        return Response(f"sorry, {request.identity}", status=500)

    site = stage.site(
        settings={**TIMEOUTS, "tm.annotate_user": "true"},
        error_page=page_with_a_name,
        configure=lambda config: config.set_security_policy(SessionSecurityPolicy(identity)),
    )
    browser = site.browser()
    site.views["fail"] = lambda request: request.session["missing"]
    browser.get("/login", status="*")
    browser.get("/look", status="*")
    browser.get("/fail", status=500)


def error_pages_with_a_row_that_cannot_be_read(stage):
    site = stage.site(error_page=page)
    browser = site.browser()
    browser.get("/put")
    with site.engine.begin() as connection:
        connection.execute(text("UPDATE full_session SET data = '[]'"))
    browser.get("/look", status="*")


def conflicts(stage):
    level = {} if stage.engine_name == "sqlite" else {"isolation_level": "READ COMMITTED"}
    site = stage.site(settings={**TIMEOUTS, "retry.attempts": 1}, engine_options=level, recipe=False)
    browser = site.browser()
    browser.get("/put")

    @site.view
    def lose(request):
        request.session.get("a")
        request.tm.get().addBeforeCommitHook(lambda: None)
        if stage.engine_name == "sqlite":
            # SQLite's writers queue: the other one has to be this very transaction.
            request.dbsession.execute(text("UPDATE full_session SET version = version + 1"))
        else:
            with site.engine.begin() as connection:
                connection.execute(text("UPDATE full_session SET version = version + 1"))
        request.session["a"] = stage.data()

    with stage.ear.error():
        browser.get("/lose")


def foreign_keys(stage):
    site = stage.site()
    browser = site.browser()
    kind = {"sqlite": "BLOB", "postgresql": "UUID"}.get(stage.engine_name, "BINARY(16)")
    # Not by a model: whoever drops the sessions' table would have to know of it.
    invoice = Table(
        "invoice",
        MetaData(),
        Column("text", String(50), nullable=False),
        Column("session_id", FullSession.__table__.c.id.type),
    )
    with site.engine.begin() as connection:
        connection.execute(
            text(
                f"CREATE TABLE invoice (text VARCHAR(50) NOT NULL, session_id {kind}, "
                "FOREIGN KEY (session_id) REFERENCES full_session (id))"
            )
        )

    @site.view
    def bill(request):
        values = {"text": stage.data(), "session_id": request.session.row().id}
        request.dbsession.execute(invoice.insert().values(values))

    @site.view
    def swallow(request):
        request.session["a"] = stage.data()
        request.dbsession.add(Order(text=None, session_id=request.session.row().id))
        with contextlib.suppress(SQLAlchemyError):
            request.dbsession.flush()
        request.session["b"] = stage.data()

    browser.get("/bill")
    with contextlib.suppress(SQLAlchemyError):
        browser.get("/swallow")
    browser.get("/leave")
    site.clock.advance(600)
    browser.get("/look")
    with site.engine.begin() as connection:
        connection.execute(text("DROP TABLE invoice"))


def one_session_too_many(stage):
    for policy in ("refuse", "end_oldest"):
        limit = {"session.max_per_user": 1, "session.max_per_user_policy": policy}
        site = stage.site(model=LimitedSession, settings={**TIMEOUTS, **limit})
        site.browser().get("/login")
        with stage.ear.error() if policy == "refuse" else contextlib.nullcontext():
            site.browser().get("/login")
        with site.engine.connect() as connection:
            stage.ear.hear(users_sessions(connection, site.factory.store.features, 7, now=site.clock.now))


def late_changes(stage):
    site = stage.site(error_page=page)
    browser = site.browser()
    browser.get("/put")

    class Late:
        transaction_manager = None

        def __init__(self, act):
            self._act = act

        def sortKey(self):
            return "!first"

        def tpc_vote(self, transaction):
            self._act()

        def commit(self, transaction):
            pass

        abort = tpc_begin = tpc_finish = tpc_abort = commit

    @site.view
    def late(request):
        request.session.get("a")
        request.tm.get().join(Late(lambda: request.session.update(a=stage.data())))

    browser.get("/late", status=500)


def unsupported_setups(stage):
    site = stage.site()

    @site.view
    def it(request):
        request.environ["repoze.tm.active"] = True
        with stage.ear.error():
            request.session["a"] = stage.data()
        del request.environ["repoze.tm.active"]

    site.browser().get("/it")

    def dbsession(request):
        session = DatabaseSession(site.engine)
        request.add_finished_callback(lambda request: session.close())
        return session

    alone = stage.site(dbsession_factory=dbsession)
    with stage.ear.error():
        alone.browser().get("/put")
    implicit = stage.site(settings={**TIMEOUTS, "tm.manager_hook": None})
    implicit.browser(HTTP_HOST="shop.example").get("/put")


def subrequests_that_end_the_transaction(stage):
    site = stage.site(settings={**TIMEOUTS, "tm.manager_hook": None})

    @site.view
    def it(request):
        request.session["a"] = stage.data()
        request.invoke_subrequest(Request.blank("/put"), use_tweens=True)
        stage.ear.hear(request.session, sharing(request, site.factory.tickets.named_session))

    site.browser().get("/it")


def sqlite_engines(stage):
    if stage.engine_name != "sqlite":
        return
    weak = stage.site(recipe=False)
    browser = weak.browser()
    browser.get("/put")
    browser.get("/look")
    settings = {**TIMEOUTS, "tm.activate_hook": lambda request: "off" not in request.path}
    alone = stage.site(
        url="sqlite://",
        settings=settings,
        engine_options={"poolclass": StaticPool, "connect_args": {"check_same_thread": False}},
    )
    browser = alone.browser()
    browser.get("/put")
    alone.views["off"] = lambda request: request.session.copy()
    browser.get("/off")


def encrypted_data(stage):
    key = stage.key()
    site = stage.site(model=SealedSession, settings={"session.data_secret_key": key})
    one, other = site.browser(), site.browser()
    one.get("/put")
    other.get("/put")
    table = SealedSession.__table__
    with site.engine.begin() as connection:
        first, second = connection.execute(select(table.c.id, table.c.data)).all()
        stage.secrets.add("encrypted data", first.data)
        connection.execute(update(table).where(table.c.id == second.id).values(data=first.data))
    copied_to = [
        TokenCodec(Keyring.from_text(SECRET_KEY), purpose="websession-visitor").decrypt(
            each.cookies["websession-visitor"]
        )
        for each in (one, other)
    ]
    identifiers = [Ticket.from_bytes(raw).session_id for raw in copied_to]
    (one, other)[identifiers.index(second.id)].get("/look")
    with site.engine.connect() as connection, stage.ear.error():
        site.factory.store.load(connection, second.id)
    plain = stage.data()
    with site.engine.begin() as connection:
        connection.execute(update(table).values(data={"a": plain}))
    one.get("/look")
    with site.engine.connect() as connection, stage.ear.error():
        Store(SealedSession).load(connection, first.id)
    stage.ear.hear(encrypt_all(site.engine, site.factory.store, plaintext=True))
    codec = ValueCodec(Keyring.from_text(key), purpose="session data")
    with stage.ear.error():
        codec.open(stage.data(), b"place")
    stage.ear.hear(codec, site.factory.store, site.factory.store.envelope)


def configuration_errors(stage):
    hidden = [stage.key()[:-1], stage.data("a passphrase"), stage.key() * 2, "A" * 43]
    for each in hidden:
        stage.secrets.add("what is no key", each)
    variable = "WEBSESSION_TEST_KEY"
    os.environ[variable] = hidden[0]
    try:
        sources = [f"env:{variable}", "env:NO_SUCH_VARIABLE", f"env:{hidden[0]}x", f"file:/{hidden[0]}"]
        for key in (*hidden, " ".join(hidden), *sources):
            for prefix in ("secret_key", "data_secret_key"):
                with stage.ear.error():
                    stage.site(
                        model=SealedSession,
                        settings={"session.data_secret_key": stage.key(), f"session.{prefix}": key},
                    )
            with stage.ear.error():
                get_session_factory(key, FullSession)
    finally:
        del os.environ[variable]
    for wrong in (
        {"session.secret_kee": stage.key()},
        {f"session.secret_key {stage.key()}": ""},
        {"session.model_class": stage.key()},
        {"session.model_class": f"shop.{stage.key()}"},
        {"session.cookie_domain": f"{stage.key()}.x."},
        {"session.model_class": "no.such.class"},
        {"session.model_class": Order},
        {"session.model_class": "datetime.date"},
        {"session.idle_timeout": "soon"},
        {"session.cookie_name": "__Host-id", "session.cookie_path": "/x"},
        {"session.data_secret_key": stage.key()},
        {"session.secret_key": b"bytes"},
    ):
        with stage.ear.error():
            stage.site(settings=wrong)
    ring = Keyring.from_text(f"{stage.key()} {stage.key()}")
    stage.ear.hear(ring, list(ring), ring.current, Xaes256Gcm(urlsafe_b64decode(f"{stage.key()}=")))
    with stage.ear.error():
        Keyring.from_text([])
    with stage.ear.error():
        TokenCodec(ring, purpose="p").encrypt(stage.data().encode() * 200)
    with stage.ear.error():
        Xaes256Gcm(urlsafe_b64decode(f"{SECRET_KEY}=")).decrypt(b"n" * 24, stage.data().encode(), b"")


def wrong_tables(stage):
    site = stage.site(settings={})
    browser = site.browser()
    browser.get("/put")
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE full_session RENAME TO elsewhere"))
    for path in ("/look", "/put"):
        with stage.ear.error():
            browser.get(path)
    with stage.ear.error():
        site.browser().get("/put")
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO full_session"))
    if stage.engine_name == "sqlite":
        return
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE full_session ADD COLUMN new INTEGER NOT NULL DEFAULT 0"))
        connection.execute(text("ALTER TABLE full_session ALTER COLUMN new DROP DEFAULT"))
    with stage.ear.error():
        site.browser().get("/put")
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE full_session DROP COLUMN new"))


def the_same_identifier_twice(stage):
    site = stage.site(settings={})
    browser = site.browser()
    browser.get("/put")
    taken = site.rows()[0].id
    site.factory.fresh_session_id = lambda: taken
    with stage.ear.error():
        site.browser().get("/put")


def wrong_identifiers(stage):
    site = stage.site(settings={})
    shown = uuid.uuid4()
    stage.secrets.add("an identifier", shown)
    for wrong in (str(shown), shown.hex, shown.bytes):
        with site.engine.connect() as connection, stage.ear.error():
            site.factory.store.load(connection, wrong)
        with stage.ear.error():
            Ticket(wrong)


def values(stage):
    site = stage.site()
    browser = site.browser()
    browser.get("/put")

    @site.view
    def it(request):
        session = request.session
        session["a"] = stage.data()
        stage.secrets.add("a CSRF token", session.get_csrf_token())
        session.flash(stage.data())
        copy, unit = session.working_copy_to_write(), session.holder
        stage.ear.hear(
            unit, copy, copy.contents, copy.opening, copy.pending, unit.answer_ready, unit.savepoint()
        )
        session.invalidate()
        stage.ear.hear(copy.pending, copy.snapshot(), unit.answer_ready, EarlierAttempt(unit, begins=True))

    browser.get("/it")
    junk = stage.data("what a client sent")
    site.views["opening"] = lambda request: stage.ear.hear(request.session.working_copy_to_write().opening)
    browser.get("/opening", headers={"Cookie": f"websession={junk}"})
    identifier = uuid.uuid4()
    stage.secrets.add("an identifier", identifier)
    policies, now = site.factory.policies(None), site.clock.now
    beginning = begin(identifier, policies, now, owned=True)
    rotation = rotate(beginning.ticket, beginning.state, policies, now, attempt=2**60 + 1)
    stage.secrets.add("an attempt", str(2**60 + 1))
    verdict = judge(beginning.ticket, beginning.state, policies, now + 400)
    books = bookkeeping(verdict, now + 400)
    assert any(entry.candidate is not None for entry in books)
    stage.ear.hear(beginning, rotation, verdict, books, forecast(beginning.state, policies), transitions())
    stage.ear.hear(RULES, OPTIONS, tuple(PRESETS.values()), tuple(CONSEQUENCES.values()))
    deployment = Deployment(site.app.registry, site.factory, site.engine)
    stage.ear.hear(deployment, CHECKS, tuple(run_checks(deployment)), Finding(Severity.INFO, "so"))
    stage.ear.hear(Application("site.ini", "session", site.app.registry, None, site.factory))
    stage.ear.hear(FEATURES, site.factory.store.features, purge(site.engine, FullSession, now=now))
    stage.ear.hear(revoke(site.engine, site.factory.store, [identifier]))
    stage.ear.hear(Bookkeeper(site.factory.store, site.engine))
    browser.get("/put")
    browser.get("/login")
    with reading(site.engine) as connection:
        stage.ear.hear(overview(connection, FullSession, now=now), backlog(connection, FullSession, now=now))
        stage.ear.hear(distinct_overrides(connection, FullSession))
        stage.ear.hear(list_sessions(connection, FullSession, limit=None))
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE full_session RENAME COLUMN userid TO user_id"))
    stage.ear.hear(check_schema(site.engine, FullSession))
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE full_session RENAME COLUMN user_id TO userid"))


def commands(stage):
    first, second = stage.key(), stage.key()
    uri = stage.ini(session__secret_key=f"{first} {second}", session__idle_timeout="600")
    stage.command("doctor", uri)
    stage.command("doctor", "--json", uri)
    for arguments in (("rotate-key",), ("rotate-key", "--json")):
        stage.command(*arguments, uri, shows_keys=True)
    row = SessionRow(
        id=uuid.uuid4(),
        created=1,
        version=1,
        epoch=0,
        data=f'{{"a": "{stage.data()}"}}',
        flash="{}",
        userid=7,
        csrf_token=stage.data("a CSRF token"),
        knows_users=True,
        overrides=Overrides(),
    )
    stage.secrets.add("an identifier", row.id)
    with command_site.engines[-1].begin() as connection:
        Store.for_model(FullSession).insert(connection, row)
    stage.ear.hear(row)
    for arguments in (("stats",), ("list",)):
        stage.command(*arguments, uri)
        stage.command(*arguments, "--json", uri)
    for name in (row.id.hex[:8], row.id.hex, str(row.id), uuid.uuid4().hex, "zz"):
        if len(name) > 8 and name != row.id.hex:
            stage.secrets.add("what was asked for", name)
        stage.command("show", uri, name)
        stage.command("show", "--json", uri, name)
    stage.command("encrypt", uri)
    stage.command("purge", uri)
    stage.command("purge", "--json", stage.ini(session__model_class="site_under_test.Session"))
    for name in (row.id.hex, uuid.uuid4().hex):
        stage.secrets.add("what was asked for", name)
        stage.command("revoke", uri, name)
    for setting in (
        {"session__secret_key": stage.key()[:-1]},
        {"session__cookie_max_age": "soon"},
        {"command_site__raise": "no moon tonight"},
        {"command_site__include": "command_site.interrupted"},
        {"command_site__sessions": "false"},
        {"command_site__dbsession": "false"},
        {"sqlalchemy__url": "sqlite:////no/such/folder/x.sqlite", "command_site__tables": "false"},
    ):
        wrong = stage.ini(**setting)
        for name in ("doctor", "list", "rotate-key"):
            stage.command(name, wrong, shows_keys=name == "rotate-key")
    stage.command("list", "nowhere.ini")
    stage.command("list", stage.ini(), "--session", "admin_session")


def output_that_cannot_be_written(stage):
    def fail():
        raise OSError(errno.ENOSPC, "No space left on device")

    result = CliRunner().invoke(Subcommand("full", callback=fail))
    assert result.exit_code == 5
    stage.ear.said.append(result.output)


FLOWS = [
    life_of_a_session,
    thieves,
    hostile_cookies,
    refused_values,
    missing_features,
    values_beyond_json,
    another_user,
    recent_logins,
    failed_commits,
    error_pages_that_write,
    a_hook_that_finds_no_database,
    error_pages_without_a_database,
    reading_without_a_transaction,
    an_exhausted_pool,
    locked_books,
    broken_books,
    rows_that_were_not_where_bookkeeping_looked,
    rows_that_stay,
    revocations_that_fail,
    changes_that_are_dropped_with_a_good_response,
    old_sessions_that_are_taken_over,
    a_cipher_library_that_is_not_there,
    a_cut_off_that_is_ahead,
    a_user_who_cannot_be_told_to_pyramid_tm,
    error_pages_with_a_row_that_cannot_be_read,
    conflicts,
    foreign_keys,
    one_session_too_many,
    late_changes,
    unsupported_setups,
    subrequests_that_end_the_transaction,
    sqlite_engines,
    encrypted_data,
    configuration_errors,
    wrong_tables,
    the_same_identifier_twice,
    wrong_identifiers,
    values,
    commands,
    output_that_cannot_be_written,
]


@pytest.fixture
def stage(make_site, ini, command, websession_engine_name):
    return Stage(make_site, ini, command, websession_engine_name)


def test_nothing_that_is_said_shows_a_secret(stage):
    leaks = []
    everything = stage.engine_name == "sqlite"  # where every one of them can be brought about
    with stage.ear.listening(inside=everything):
        for flow in FLOWS:
            heard = len(stage.ear.said)
            flow(stage)
            leaks += [
                (flow.__name__, leak) for leak in stage.secrets.found_in("\n".join(stage.ear.said[heard:]))
            ]
    assert leaks == []
    if everything:
        reached = {
            place
            for place, (first, last) in log_statements().items()
            if any(file == place[0] and first <= line <= last for file, line in stage.ear.statements)
        }
        assert set(log_statements()) - reached == set(), "bring these log statements about in a flow"
        assert error_classes() - stage.ear.errors == set(), "raise these errors in a flow"
        assert classes_that_are_shown() - stage.ear.shown == set(), "hand an object of these over in a flow"


@pytest.mark.parametrize("logger", MEMBERS)
def test_a_leak_would_be_found_in_every_form(logger):
    secrets, ear, identifier = Secrets(), Overheard(), uuid.uuid4()
    key = generate_secret_key()
    raw = urlsafe_b64decode(f"{key}=")
    secrets.add("a key", key)
    secrets.add("its bytes", raw)
    secrets.add("an identifier", identifier)
    forms = [key, raw, raw.hex(), identifier, identifier.hex, str(identifier).upper(), identifier.bytes]
    forms += [b64encode(identifier.bytes).decode(), identifier.hex[:20], {"id": identifier}, identifier.int]
    log = logging.getLogger(f"{logger}.somewhere")
    with ear.listening():
        for form in forms:
            ear.said.clear()
            log.debug("Somebody left this in: %s", form)
            assert secrets.found_in("\n".join(ear.said)), form
        ear.said.clear()
        log.debug("session %s", identifier.hex[:8])
        assert not secrets.found_in("\n".join(ear.said))
        log.debug("With a traceback", exc_info=LookupError(identifier))
        assert secrets.found_in("\n".join(ear.said))
