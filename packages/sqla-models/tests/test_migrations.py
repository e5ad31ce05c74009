"""A migration that Alembic writes on one engine runs on every engine, and leaves nothing to migrate."""

import io
import re
import uuid
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import ForeignKey, String, create_engine, inspect, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, mapped_column, relationship
from websession_core.policies import Overrides
from websession_core.state import Activity
from websession_models import (
    SESSION_JSON,
    BaseMixin,
    ClientInfoMixin,
    FullyFeaturedSession,
    SessionId,
    SessionLimitMixin,
    SessionRow,
    Store,
    UseridMixin,
    fresh_session_id,
)

ENVIRONMENT = """\
from alembic import context
from sqlalchemy import create_engine

given = context.config.attributes
engine = create_engine(given["url"])
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=given["metadata"])
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""

# What Alembic's own template gives a migration to work with: its two imports and what the types ask for.
TEMPLATE = """\
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
"""


# MariaDB under a URL that selects the other dialect.
MARIADB_AS_MYSQL = "mariadb as mysql"


@pytest.fixture
def new_database(request, tmp_path):
    """Makes empty databases."""
    enabled = request.config.getoption("--websession-engines").split(",")
    dropped = []

    def create(name: str) -> str:
        engine = "mariadb" if name == MARIADB_AS_MYSQL else name
        if engine not in enabled:
            pytest.skip(f"{engine} is not among the engines of this run")
        if engine == "sqlite":
            return f"sqlite:///{tmp_path / uuid.uuid4().hex}.sqlite"
        server = request.getfixturevalue(f"websession_{engine}")
        url = server.create_database()
        dropped.append((server, url))
        if name == MARIADB_AS_MYSQL:
            return make_url(url).set(drivername="mysql+pymysql").render_as_string(hide_password=False)
        return url

    yield create
    for server, url in dropped:
        server.drop_database(url)


@pytest.fixture
def alembic_for(base, tmp_path):
    """Makes Alembic configurations of one migration environment for different databases."""
    scripts = tmp_path / "migrations"
    (scripts / "versions").mkdir(parents=True)
    (scripts / "env.py").write_text(ENVIRONMENT)
    (scripts / "script.py.mako").write_text(TEMPLATE)

    def configure(url: str) -> Config:
        attributes = {"url": url, "metadata": base.metadata}
        config = Config(stdout=io.StringIO(), attributes=attributes)
        config.set_main_option("script_location", str(scripts))
        return config

    return configure


@pytest.fixture
def model(base):
    """A session of a user, and a table that refers to sessions."""

    class User(base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(80), unique=True)

    class WebSession(BaseMixin, base):
        __tablename__ = "session"
        user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
        user: Mapped[User | None] = relationship()
        extra: Mapped[dict | None] = mapped_column(SESSION_JSON)

    class Download(base):
        __tablename__ = "download"
        id: Mapped[int] = mapped_column(primary_key=True)
        session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("session.id", ondelete="CASCADE"))
        origin: Mapped[uuid.UUID | None] = mapped_column(SessionId(), index=True)

    return WebSession


@pytest.fixture
def full_model(base):
    """A session with every feature."""

    class User(base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)

    class WebSession(FullyFeaturedSession, base):
        __tablename__ = "session"
        # Without an index of its own, which Alembic would drop before the foreign key:
        # MariaDB and MySQL refuse that.
        userid: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
        user: Mapped[User | None] = relationship(lazy="joined")

    return WebSession


@pytest.mark.parametrize("applied_on", ["sqlite", "postgresql", "mariadb", MARIADB_AS_MYSQL, "mysql"])
@pytest.mark.parametrize("written_on", ["sqlite", "postgresql", "mariadb", "mysql"])
def test_a_migration_runs_wherever_it_was_written(written_on, applied_on, model, new_database, alembic_for):
    url = new_database(applied_on)
    alembic = alembic_for(url)

    migration = command.revision(alembic_for(new_database(written_on)), autogenerate=True)
    assert "websession" not in Path(migration.path).read_text()
    command.upgrade(alembic, "head")
    command.check(alembic)

    engine = create_engine(url)
    store = Store.for_model(model)
    session_id = fresh_session_id()
    with engine.begin() as connection:
        store.insert(connection, SessionRow(session_id, 1, 1, 0, '{"a": 1}', "{}"))
        assert store.load(connection, session_id).data == '{"a": 1}'

    command.downgrade(alembic, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


@pytest.mark.parametrize("applied_on", ["sqlite", "postgresql", "mariadb", "mysql"])
@pytest.mark.parametrize("written_on", ["sqlite", "postgresql", "mariadb", "mysql"])
def test_the_companion_table_migrates_with_its_model(
    written_on, applied_on, full_model, new_database, alembic_for
):
    url = new_database(applied_on)
    alembic = alembic_for(url)

    migration = command.revision(alembic_for(new_database(written_on)), autogenerate=True)
    assert "websession" not in Path(migration.path).read_text()
    command.upgrade(alembic, "head")
    command.check(alembic)

    engine = create_engine(url)
    store = Store.for_model(full_model)
    activity = Activity(active_at=2**33, expires_at=2**34, generation=0, attempt=2**62, renewed_at=1, tries=0)
    row = SessionRow(
        fresh_session_id(),
        2**33,
        1,
        0,
        "{}",
        "{}",
        overrides=Overrides(),
        activity=activity,
        knows_users=True,
    )
    with engine.begin() as connection:
        store.insert(connection, row)
        assert store.load(connection, row.id) == row

    command.downgrade(alembic, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql", "mariadb", "mysql"])
def test_a_model_that_gets_features_later_keeps_its_sessions(
    engine_name, new_database, alembic_for, base, other_base
):
    url = new_database(engine_name)
    alembic = alembic_for(url)
    plain = type("WebSession", (BaseMixin, other_base), {"__tablename__": "session"})
    alembic.attributes["metadata"] = other_base.metadata
    command.revision(alembic, autogenerate=True, message="before")
    command.upgrade(alembic, "head")
    engine = create_engine(url)
    session_id = fresh_session_id()
    with engine.begin() as connection:
        Store.for_model(plain).insert(connection, SessionRow(session_id, 5, 1, 0, '{"a": 1}', "{}"))

    everything = (SessionLimitMixin, ClientInfoMixin, FullyFeaturedSession, base)
    full = type("WebSession", everything, {"__tablename__": "session"})
    alembic.attributes["metadata"] = base.metadata
    command.revision(alembic, autogenerate=True, message="after")
    command.upgrade(alembic, "head")

    with engine.connect() as connection:
        found = Store.for_model(full).load(connection, session_id)
    engine.dispose()
    assert (found.data, found.activity, found.overrides, found.state.owned) == (
        '{"a": 1}',
        None,
        Overrides(),
        False,
    )


@pytest.mark.parametrize("written_on", ["sqlite", "postgresql", "mariadb", "mysql"])
def test_a_session_table_made_without_a_migration_needs_none(
    written_on, base, model, new_database, alembic_for
):
    url = new_database(written_on)
    engine = create_engine(url)
    base.metadata.create_all(engine)
    engine.dispose()

    command.check(alembic_for(url))


@pytest.mark.parametrize("applied_on", ["sqlite", "postgresql", "mariadb", "mysql"])
@pytest.mark.parametrize("written_on", ["sqlite", "mysql"])
def test_a_limit_and_a_foreign_key_are_migrated_down_without_the_line_that_devices_md_takes_out(
    written_on, applied_on, base, new_database, alembic_for
):
    class User(base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)

    class WebSession(SessionLimitMixin, UseridMixin, BaseMixin, base):
        __tablename__ = "session"
        userid: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    url = new_database(applied_on)
    alembic = alembic_for(url)
    migration = command.revision(alembic_for(new_database(written_on)), autogenerate=True)
    command.upgrade(alembic, "head")
    command.check(alembic)
    if applied_on in {"mariadb", "mysql"}:
        with pytest.raises(OperationalError, match="1553"):
            command.downgrade(alembic, "base")

    script = Path(migration.path)
    whole = script.read_text()
    script.write_text(
        re.sub(r"^ *op\.drop_index\('uq_session_session_slot'.*\n", "", whole, flags=re.MULTILINE)
    )
    assert script.read_text().count("\n") == whole.count("\n") - 1
    command.downgrade(alembic, "base")

    engine = create_engine(url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_the_check_notices_a_table_that_is_not_there(model, new_database, alembic_for):
    alembic = alembic_for(new_database("sqlite"))
    command.revision(alembic, message="nothing yet")
    command.upgrade(alembic, "head")

    with pytest.raises(Exception, match="New upgrade operations detected"):
        command.check(alembic)
