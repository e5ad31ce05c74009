"""Userids that the database takes for one are several users, and what a column cannot hold is refused."""

from __future__ import annotations

import decimal
import enum
import logging
import uuid
from typing import Any

import pytest
from site_under_test import Base, FullSession
from sqlalchemy import (
    CHAR,
    BigInteger,
    Enum,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Uuid,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator
from websession_core.errors import UnstorableValueError
from websession_models import BaseMixin, FullyFeaturedSession, SessionLimitMixin, UseridMixin
from websession_models.overview import list_sessions, overview
from websession_pyramid import active_sessions

USERS = "bob", "Bob", "bób", "bob ", "b"


class ExactSession(SessionLimitMixin, FullyFeaturedSession, Base):
    """Users are known by a name."""

    __tablename__ = "exact_session"
    userid: Mapped[str | None] = mapped_column(String(40), index=True)


DEFAULT = "as the database has it"
CITEXT_UNDER_STRING = "citext, of which the model does not know"
MYSQL = "utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_bin", "latin1_swedish_ci", "latin1_bin"
COLLATIONS = {
    "sqlite": ("NOCASE", "RTRIM"),
    "postgresql": ("citext", CITEXT_UNDER_STRING, "nondeterministic"),
    "mysql": (*MYSQL, "utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_0900_bin"),
    "mariadb": (*MYSQL, "utf8mb4_nopad_bin", "utf8mb4_uca1400_ai_ci"),
}


def citext_model(url):
    """Return a model whose userid is of a type that PostgreSQL compares without regard to case."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS citext"))
    engine.dispose()

    class OtherBase(DeclarativeBase):
        pass

    class CitextSession(SessionLimitMixin, FullyFeaturedSession, OtherBase):
        __tablename__ = "exact_session"
        userid: Mapped[str | None] = mapped_column(CITEXT(), index=True)

    return CitextSession


def collate(site, collation):
    """Let the column of userids have a collation, if the server knows it."""
    if collation in {DEFAULT, "citext"}:
        return
    change = {"sqlite": collate_sqlite, "postgresql": collate_postgresql}.get(
        site.engine.dialect.name, collate_mysql
    )
    with site.engine.begin() as connection:
        change(connection, collation)


def collate_sqlite(connection, collation):
    (table,) = connection.scalars(text("SELECT sql FROM sqlite_master WHERE name = 'exact_session'"))
    connection.execute(text("PRAGMA writable_schema = ON"))
    connection.execute(
        text("UPDATE sqlite_master SET sql = :sql WHERE name = 'exact_session'"),
        {"sql": table.replace("userid VARCHAR(40)", f"userid VARCHAR(40) COLLATE {collation}")},
    )
    connection.execute(text("PRAGMA schema_version = 4711"))


def collate_postgresql(connection, collation):
    if collation == CITEXT_UNDER_STRING:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS citext"))
        connection.execute(text("ALTER TABLE exact_session ALTER userid TYPE citext"))
        return
    try:
        with connection.begin_nested():
            connection.execute(
                text(
                    "CREATE COLLATION nondeterministic "
                    "(provider = icu, locale = 'und-u-ks-level1', deterministic = false)"
                )
            )
    except DBAPIError:
        pytest.skip("the server was built without ICU")
    connection.execute(
        text('ALTER TABLE exact_session ALTER userid TYPE VARCHAR(40) COLLATE "nondeterministic"')
    )


def collate_mysql(connection, collation):
    known = text("SELECT count(*) FROM information_schema.collations WHERE collation_name = :name")
    names = collation, collation.replace("utf8mb4_uca1400", "uca1400")
    if not any(connection.scalar(known, {"name": name}) for name in names):
        pytest.skip("the server does not know it")
    connection.execute(
        text(
            "ALTER TABLE exact_session MODIFY userid VARCHAR(40) "
            f"CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}"
        )
    )


@pytest.mark.parametrize(
    ("websession_engine_name", "collation"),
    [(engine, collation) for engine, names in COLLATIONS.items() for collation in (DEFAULT, *names)],
)
def test_users_that_the_database_takes_for_one_are_several(
    make_site, websession_engine_name, websession_database_url, collation
):
    model = citext_model(websession_database_url) if collation == "citext" else ExactSession
    site = make_site(
        model=model, settings={"session.max_per_user": 2, "session.idle_timeout": 1000}, retry=False
    )
    assert site.engine.dialect.name == websession_engine_name
    collate(site, collation)
    site.views.update(
        login=lambda request: request.session.login(request.params["as"]),
        devices=lambda request: [session.userid for session in active_sessions(request).of()],
        end_all=lambda request: active_sessions(request).end_all(),
        end_all_of=lambda request: active_sessions(request).end_all(request.params["of"]),
    )

    def logged_in(user):
        browser = site.browser()
        browser.get("/login", {"as": user})
        site.clock.advance(1)
        return browser

    first, second = ({user: logged_in(user) for user in USERS} for _ in range(2))
    for user in USERS:
        assert first[user].get("/who").json_body == user
        assert first[user].get("/devices").json_body == [user] * 2
        third = logged_in(user)  # one too many: of this user alone
        assert first[user].get("/who").json_body is None
        assert third.get("/devices").json_body == [user] * 2
    with site.engine.connect() as connection:
        listed = [
            {session.userid for session in list_sessions(connection, model, limit=None, userid=user)}
            for user in USERS
        ]
        numbers = overview(connection, model, now=site.clock.now)
    assert listed == [{user} for user in USERS]
    assert (numbers.users, numbers.most_of_one_user) == (len(USERS), 2)
    assert second["bob"].get("/end_all").json_body == 2
    assert second["bób"].get("/end_all_of", {"of": "Bob"}).json_body == 2
    assert [second[user].get("/who").json_body for user in USERS] == [None, None, *USERS[2:]]


def test_a_users_sessions_are_found_by_the_index(make_site):
    site = make_site(model=ExactSession, settings={"session.max_per_user": 2, "session.idle_timeout": 1000})
    dialect = site.engine.dialect.name
    statements = []

    @event.listens_for(site.engine, "before_cursor_execute")
    def heard(_connection, _cursor, statement, parameters, *_rest):
        if statement.startswith("SELECT") and "userid =" in statement:
            statements.append((statement, parameters))

    site.views["login"] = lambda request: request.session.login("bob")
    site.views["devices"] = lambda request: len(active_sessions(request).of())
    browser = site.browser()
    browser.get("/login")
    browser.get("/devices")
    assert len(statements) >= 2
    if dialect == "postgresql":
        return  # of so few rows it reads the table
    explain = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN "
    if dialect != "sqlite":
        with site.engine.begin() as connection:
            rows = [{"id": uuid.uuid4().bytes, "user": f"user {number}"} for number in range(500)]
            connection.execute(
                text(
                    "INSERT INTO exact_session (id, created, version, epoch, data, flash, userid) "
                    "VALUES (:id, 1, 1, 0, '{}', '{}', :user)"
                ),
                rows,
            )
    for statement, parameters in statements:
        with site.engine.connect() as connection:
            plan = str([tuple(row) for row in connection.exec_driver_sql(explain + statement, parameters)])
        assert "exact_session_userid" in plan or "exact_session_session_slot" in plan


# --- what a column cannot hold ------------------------------------------------------------------------------


class Color(enum.Enum):
    """What a user may be known by."""

    RED = 1


class Upper(TypeDecorator[str]):
    """A type that is not its `impl`: five characters of what it is given."""

    impl = String(5)
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else value[:5]


def model_of(kind: Any) -> type:
    class Fresh(DeclarativeBase):
        """For each model one of its own."""

    class Model(UseridMixin, BaseMixin, Fresh):
        __tablename__ = "session"
        userid: Mapped[Any] = mapped_column(kind, nullable=True)

    return Model


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (SmallInteger(), [-(2**15), 2**15 - 1], ["1", 1.0, True, 2**64]),
        (BigInteger(), [-(2**63), 2**63 - 1], [2**63, -(2**63) - 1]),
        (String(5), ["", "abcde", "äöüßé"], ["abcdef", "a\0", "\ud800", b"a", 5]),
        (CHAR(5), ["abcde", "ab"], ["abcdef", "ab "]),
        (Enum("a", "b", native_enum=False), ["a"], ["c", 1]),
        (Enum(Color, native_enum=False), [Color.RED], ["RED", 1]),
        (Uuid(), [uuid.UUID(int=1)], ["1", 1]),
        (Uuid(as_uuid=False), [str(uuid.UUID(int=10))], ["1", str(uuid.UUID(int=10)).upper()]),
        (LargeBinary(4), [b"abcd"], [b"abcde", "abcd"]),
        (Numeric(5, 2), [decimal.Decimal("123.45")], [decimal.Decimal("1234.5"), decimal.Decimal("0.001")]),
        (Numeric(5, 2), [], [decimal.Decimal("NaN"), 1.0]),
        (Upper(), ["abc"], []),
    ],
)
def test_what_the_column_cannot_hold_is_refused_at_the_login(make_site, kind, good, bad):
    site = make_site(model=model_of(kind))
    wanted = []
    site.views["login"] = lambda request: request.session.login(wanted[-1])
    site.views["same"] = lambda request: request.session.userid == wanted[-1]
    site.views["devices"] = lambda request: len(active_sessions(request).of())
    for userid in good:
        wanted.append(userid)
        browser = site.browser()
        browser.get("/login")
        assert browser.get("/same").json_body
        assert browser.get("/devices").json_body == 1
    for userid in bad:
        wanted.append(userid)
        browser = site.browser()
        with pytest.raises(UnstorableValueError, match=r"^userid: "):
            browser.get("/login")
        assert browser.get("/who").json_body is None


@pytest.mark.parametrize("userid", [2**31, -(2**31) - 1, -(2**63)])
def test_too_large_a_number_is_refused_and_on_sqlite_warned_of(make_site, caplog, userid):
    site = make_site(model=FullSession)
    site.views["login"] = lambda request: request.session.login(userid)
    site.views["devices"] = lambda request: len(active_sessions(request).of())
    browser = site.browser()
    if site.engine.dialect.name != "sqlite":
        with pytest.raises(UnstorableValueError, match=r"from -2147483648 to 2147483647; declare it as BigI"):
            browser.get("/login")
        return
    with caplog.at_level(logging.WARNING):
        browser.get("/login")
        browser.get("/login")
    assert browser.get("/who").json_body == userid
    assert browser.get("/devices").json_body == 1
    (record,) = caplog.records
    assert "too large for other databases" in record.getMessage()


def test_what_no_engine_holds_sqlite_refuses_too(make_site):
    site = make_site(model=FullSession)
    site.views["login"] = lambda request: request.session.login(2**63)
    with pytest.raises(UnstorableValueError):
        site.browser().get("/login")


def test_a_server_without_strict_mode_makes_no_other_user_of_one(make_site):
    site = make_site(model=FullSession)
    if site.engine.dialect.name not in {"mysql", "mariadb"}:
        pytest.skip("it has no such mode")

    @event.listens_for(site.engine, "connect")
    def lax(connection, record):
        cursor = connection.cursor()
        cursor.execute("SET sql_mode = ''")
        cursor.close()

    site.engine.dispose()
    site.views["login"] = lambda request: request.session.login(2147483653)
    browser = site.browser()
    with pytest.raises(UnstorableValueError):
        browser.get("/login")
    assert browser.get("/who").json_body is None
